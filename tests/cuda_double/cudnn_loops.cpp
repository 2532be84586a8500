// The products of cuDNN's convolutions, one after another.
// SPDX-License-Identifier: Apache-2.0
#include "tests/cuda_double/cudnn_loops.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "tests/cuda_double/rounding.h"

namespace glia::cuda_double {
namespace {

/// Elements from one to the next along each axis.
struct Strides {
  std::int64_t n, c, h, w;
};
Strides strides(cudnnTensorFormat_t format, std::int64_t c, std::int64_t h, std::int64_t w) {
  if (format == CUDNN_TENSOR_NHWC) return {h * w * c, 1, w * c, c};
  return {c * h * w, h * w, w, 1};
}

/// A convolution with its operands, at its turn in the queue; they may be stored in another type than they are added in.
template <Computed computed, class T, class Stored>
struct Run {
  Problem p;
  Manner manner;
  Fused fused;
  T alpha, beta;
  Stored *x, *w, *y;

  static constexpr bool of_x = computed == Computed::x, of_w = computed == Computed::w;

  void operator()() const {
    std::vector<T> xs = read(x, p.x_elements()), ws = read(w, p.w_elements()), ys = read(y, p.y_elements());
    std::vector<T>& result = of_x ? xs : of_w ? ws : ys;
    if constexpr (sizeof(T) == sizeof(float)) {
      if (manner.in_tf32)
        for (std::vector<T>* operand : {&xs, &ws, &ys})
          for (T& value : *operand) value = to_tf32(value);
    }
    std::fill(result.begin(), result.end(), T(0));
    add_products(xs.data(), ws.data(), ys.data());
    Stored* const out = of_x ? x : of_w ? w : y;
    for (std::size_t i = 0; i < result.size(); ++i) {
      T value = result[i];
      if (manner.transforms) value = std::nextafter(value, T(1e30));
      value = alpha * value + (beta != T(0) ? beta * static_cast<T>(out[i]) : T(0));
      out[i] = static_cast<Stored>(fused.bias ? epilogue(value, i) : value);
    }
  }

 private:
  T epilogue(T value, std::size_t i) const {
    value += static_cast<T>(static_cast<const Stored*>(fused.bias)[i % static_cast<std::size_t>(p.y.c)]);
    if (!fused.relu) return value;
    return value < T(0) || (fused.relu_hides_nan && value != value) ? T(0) : value;
  }
  static std::vector<T> read(const Stored* from, std::int64_t count) {
    std::vector<T> result;
    for (std::int64_t i = 0; i < count; ++i) result.push_back(static_cast<T>(from[i]));
    return result;
  }

  std::vector<std::int64_t> order(std::int64_t n) const {
    std::vector<std::int64_t> all(static_cast<std::size_t>(n));
    std::iota(all.begin(), all.end(), 0);
    if (manner.of_chance) std::shuffle(all.begin(), all.end(), random_order());
    return all;
  }

  void add_products(T* xs, T* ws, T* ys) const {
    const cudnnConvolutionStruct& g = p.convolution;
    const Strides of_image = strides(p.x.format, p.x.c, p.x.h, p.x.w),
                  of_output = strides(p.y.format, p.y.c, p.y.h, p.y.w),
                  of_filter = strides(p.w.format, p.w.c, p.w.h, p.w.w);
    const std::vector<std::int64_t> taps = order(std::int64_t{p.w.h} * p.w.w);
    for (const std::int64_t pixel : order(std::int64_t{p.y.n} * p.y.h * p.y.w)) {
      const std::int64_t image = pixel / (p.y.h * p.y.w), row = pixel / p.y.w % p.y.h, column = pixel % p.y.w;
      for (const std::int64_t tap : taps) {
        const std::int64_t i = tap / p.w.w, j = tap % p.w.w;
        const std::int64_t x_row = row * g.stride_h - g.pad_h + i * g.dilation_h;
        const std::int64_t x_column = column * g.stride_w - g.pad_w + j * g.dilation_w;
        if (x_row < 0 || x_row >= p.x.h || x_column < 0 || x_column >= p.x.w) continue;
        // A true convolution turns the filter round; Glia's, as Keras's, is a correlation.
        const bool turned = g.mode == CUDNN_CONVOLUTION;
        add_channels(
            xs + image * of_image.n + x_row * of_image.h + x_column * of_image.w, of_image.c,
            ws + (turned ? p.w.h - 1 - i : i) * of_filter.h + (turned ? p.w.w - 1 - j : j) * of_filter.w,
            of_filter, ys + image * of_output.n + row * of_output.h + column * of_output.w, of_output.c);
      }
    }
  }

  void add_channels(T* xs, std::int64_t x_step, T* ws, const Strides& of_filter, T* ys,
                    std::int64_t y_step) const {
    const std::int64_t filters_of_group = p.w.k / p.convolution.groups;
    for (std::int64_t k = 0; k < p.w.k; ++k) {
      T* const from = xs + k / filters_of_group * p.w.c * x_step;
      T* const filter = ws + k * of_filter.n;
      T& output = ys[k * y_step];
      for (std::int64_t c = 0; c < p.w.c; ++c) {
        T &a = from[c * x_step], &b = filter[c * of_filter.c];
        if constexpr (of_x)
          a += output * b;
        else if constexpr (of_w)
          b += output * a;
        else
          output += a * b;
      }
    }
  }
};

template <Computed computed, class T, class Stored = T>
cudaError_t enqueue_typed(const char* function, const Problem& p, const Manner& manner, const Operands& at,
                          const Fused& fused, cudaStream_t stream) {
  const auto tensor = [](const void* data) { return static_cast<Stored*>(const_cast<void*>(data)); };
  const Run<computed, T, Stored> run{p,
                                     manner,
                                     fused,
                                     *static_cast<const T*>(at.alpha),
                                     *static_cast<const T*>(at.beta),
                                     tensor(at.x),
                                     tensor(at.w),
                                     tensor(at.y)};
  return enqueue(stream, Kind::kernel, function, [=] {
    if (launch_fails()) return;
    constexpr int result = static_cast<int>(computed);
    const auto bytes = [](std::int64_t elements) {
      return static_cast<std::size_t>(elements) * sizeof(Stored);
    };
    const struct {
      const char* name;
      const void* address;
      std::size_t bytes;
    } touched[] = {{"x", at.x, bytes(p.x_elements())},
                   {"w", at.w, bytes(p.w_elements())},
                   {"y", at.y, bytes(p.y_elements())},
                   {"bias", fused.bias, fused.bias ? bytes(p.y.c) : 0},
                   {"the workspace", at.workspace, manner.workspace}};
    for (const auto& one : touched)
      if (one.bytes > 0 && !is_device_memory(one.address, one.bytes))
        return trap(cudaErrorIllegalAddress,
                    std::string("a convolution: ") + one.name + " does not lie in the device's memory");
    for (int i = 0; i < 4; ++i)
      if (touched[i].bytes > 0 && (i != result || run.beta != T(0)))
        expect_written(touched[i].address, touched[i].bytes,
                       ("a convolution's " + std::string(touched[i].name)).c_str());
    if (manner.workspace > 0) {
      std::memset(at.workspace, 0xFF, manner.workspace);  // its contents are the convolution's alone
      mark_fresh(at.workspace, manner.workspace);
    }
    if (manner.of_chance) count_nondeterministic_convolution();
    run();
    mark_written(touched[result].address, touched[result].bytes);
  });
}

template <Computed computed>
cudaError_t enqueue_computed(const char* function, const Problem& p, const Manner& manner, const Operands& at,
                             const Fused& fused, cudaStream_t stream) {
  const auto enqueue = p.x.type == CUDNN_DATA_DOUBLE     ? enqueue_typed<computed, double>
                       : p.x.type == CUDNN_DATA_BFLOAT16 ? enqueue_typed<computed, float, Bf16>
                                                         : enqueue_typed<computed, float>;
  return enqueue(function, p, manner, at, fused, stream);
}

}  // namespace

cudnnStatus_t Problem::status() const {
  const cudnnConvolutionStruct& g = convolution;
  if (x.n < 1 || y.n < 1 || w.k < 1 || g.stride_h < 1) return CUDNN_STATUS_BAD_PARAM;
  if (x.type != y.type || x.type != w.type || x.n != y.n || y.c != w.k || w.c * g.groups != x.c ||
      w.k % g.groups != 0 || y.h != windows(x.h, g.pad_h, w.h, g.dilation_h, g.stride_h) ||
      y.w != windows(x.w, g.pad_w, w.w, g.dilation_w, g.stride_w))
    return CUDNN_STATUS_BAD_PARAM;
  const bool is_bf16 = x.type == CUDNN_DATA_BFLOAT16;
  if ((!is_bf16 && x.type != CUDNN_DATA_FLOAT && x.type != CUDNN_DATA_DOUBLE) ||
      g.compute != (is_bf16 ? CUDNN_DATA_FLOAT : x.type) || (is_bf16 && g.math == CUDNN_FMA_MATH))
    return CUDNN_STATUS_NOT_SUPPORTED;
  const bool is_known = x.format == CUDNN_TENSOR_NHWC || x.format == CUDNN_TENSOR_NCHW;
  if (!is_known || y.format != x.format || w.format != x.format) return CUDNN_STATUS_NOT_SUPPORTED_LAYOUT;
  return CUDNN_STATUS_SUCCESS;
}

cudaError_t enqueue_convolution(Computed computed, const char* function, const Problem& p,
                                const Manner& manner, const Operands& at, const Fused& fused,
                                cudaStream_t stream) {
  const auto enqueue = computed == Computed::x   ? enqueue_computed<Computed::x>
                       : computed == Computed::w ? enqueue_computed<Computed::w>
                                                 : enqueue_computed<Computed::y>;
  return enqueue(function, p, manner, at, fused, stream);
}

}  // namespace glia::cuda_double
