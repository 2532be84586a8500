// cuDNN's convolutions in the double, by plain loops (cuDNN documentation, "cudnn_cnn Library"). Its heuristics put first
// what a careful caller must not take: what may give other bits the next time, what rounds as a transform does, what does not
// work, and what wants more memory than there is.
// SPDX-License-Identifier: Apache-2.0
#include "tests/cuda_double/cudnn.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <utility>
#include <vector>

#include "tests/cuda_double/rounding.h"

namespace glia::cuda_double {
namespace {

/// An algorithm of the lists below.
struct Offer {
  int algorithm;
  cudnnDeterminism_t determinism;
  bool transforms;  // FFT, Winograd: rounds where a sum of products would not
  bool works = true;
  std::size_t workspace = 256;
};

bool works(const Offer& offer) {
  const Settings& s = settings();
  return offer.works && !s.refuses_algorithms &&
         !(s.repeats_no_bits && offer.determinism == CUDNN_DETERMINISTIC);
}

constexpr std::size_t enormous = std::size_t{1} << 40;

/// What is computed of the other two. A kind tells cuDNN's enumerations apart.
struct Forward {
  static constexpr const char *name = "forward", *function = "cudnnConvolutionForward";
  static std::vector<Offer> offers() {
    return {{CUDNN_CONVOLUTION_FWD_ALGO_GEMM, CUDNN_NON_DETERMINISTIC, false},
            {CUDNN_CONVOLUTION_FWD_ALGO_WINOGRAD, CUDNN_DETERMINISTIC, true},
            {CUDNN_CONVOLUTION_FWD_ALGO_DIRECT, CUDNN_DETERMINISTIC, false, false},
            {CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM, CUDNN_DETERMINISTIC, false, true, enormous},
            {CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_GEMM, CUDNN_DETERMINISTIC, false}};
  }
};
struct BackwardData {
  static constexpr const char *name = "backward data", *function = "cudnnConvolutionBackwardData";
  static std::vector<Offer> offers() {
    return {{CUDNN_CONVOLUTION_BWD_DATA_ALGO_0, CUDNN_NON_DETERMINISTIC, false},
            {CUDNN_CONVOLUTION_BWD_DATA_ALGO_WINOGRAD, CUDNN_DETERMINISTIC, true},
            {CUDNN_CONVOLUTION_BWD_DATA_ALGO_FFT, CUDNN_DETERMINISTIC, true, false},
            {CUDNN_CONVOLUTION_BWD_DATA_ALGO_1, CUDNN_DETERMINISTIC, false}};
  }
};
struct BackwardFilter {
  static constexpr const char *name = "backward filter", *function = "cudnnConvolutionBackwardFilter";
  static std::vector<Offer> offers() {
    return {{CUDNN_CONVOLUTION_BWD_FILTER_ALGO_3, CUDNN_NON_DETERMINISTIC, false},
            {CUDNN_CONVOLUTION_BWD_FILTER_ALGO_0, CUDNN_NON_DETERMINISTIC, false},
            {CUDNN_CONVOLUTION_BWD_FILTER_ALGO_FFT, CUDNN_DETERMINISTIC, true},
            {CUDNN_CONVOLUTION_BWD_FILTER_ALGO_WINOGRAD, CUDNN_DETERMINISTIC, true, false},
            {CUDNN_CONVOLUTION_BWD_FILTER_ALGO_1, CUDNN_DETERMINISTIC, false}};
  }
};

/// Elements from one to the next along each axis.
struct Strides {
  std::int64_t n, c, h, w;
};
Strides strides(cudnnTensorFormat_t format, std::int64_t c, std::int64_t h, std::int64_t w) {
  if (format == CUDNN_TENSOR_NHWC) return {h * w * c, 1, w * c, c};
  return {c * h * w, h * w, w, 1};
}

/// A convolution as it is asked for.
struct Problem {
  cudnnTensorStruct x, y;
  cudnnFilterStruct w;
  cudnnConvolutionStruct convolution;

  static int windows(int n, int pad, int taps, int dilation, int stride) {
    const int span = (taps - 1) * dilation + 1;
    return n + 2 * pad < span ? 0 : (n + 2 * pad - span) / stride + 1;
  }
  std::int64_t x_elements() const { return std::int64_t{x.n} * x.c * x.h * x.w; }
  std::int64_t y_elements() const { return std::int64_t{y.n} * y.c * y.h * y.w; }
  std::int64_t w_elements() const { return std::int64_t{w.k} * w.c * w.h * w.w; }

  /// Descriptors that were set and fit each other; then types and layouts that go together.
  cudnnStatus_t status() const {
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
    if (x.type == CUDNN_DATA_DOUBLE && settings().refuses_float64_images) return CUDNN_STATUS_NOT_SUPPORTED;
    const bool is_known = x.format == CUDNN_TENSOR_NHWC || x.format == CUDNN_TENSOR_NCHW;
    if (!is_known || y.format != x.format || w.format != x.format) return CUDNN_STATUS_NOT_SUPPORTED_LAYOUT;
    return CUDNN_STATUS_SUCCESS;
  }
  bool allows_tf32() const { return x.type == CUDNN_DATA_FLOAT && convolution.math != CUDNN_FMA_MATH; }
};

cudnnStatus_t read(Problem& p, cudnnTensorDescriptor_t x, cudnnFilterDescriptor_t w,
                   cudnnConvolutionDescriptor_t convolution, cudnnTensorDescriptor_t y) {
  if (!x || !w || !convolution || !y) return CUDNN_STATUS_BAD_PARAM_NULL_POINTER;
  p = {*x, *y, *w, *convolution};
  return p.status();
}

template <class Kind>
cudnnStatus_t find_offer(int algorithm, Offer& offer) {
  if (settings().refused_convolutions.count(Kind::name)) return CUDNN_STATUS_NOT_SUPPORTED;
  for (const Offer& one : Kind::offers()) {
    if (one.algorithm != algorithm) continue;
    if (!works(one)) return CUDNN_STATUS_NOT_SUPPORTED;
    offer = one;
    offer.workspace += settings().convolution_workspace;
    return CUDNN_STATUS_SUCCESS;
  }
  return CUDNN_STATUS_NOT_SUPPORTED;
}

/// A convolution with its operands, at its turn in the queue; they may be stored in another type than they are added in.
template <class Kind, class T, class Stored>
struct Run {
  Problem p;
  Offer offer;
  T alpha, beta;
  Stored *x, *w, *y;

  static constexpr bool of_x = std::is_same_v<Kind, BackwardData>;
  static constexpr bool of_w = std::is_same_v<Kind, BackwardFilter>;
  static constexpr int result = of_x ? 0 : of_w ? 1 : 2;  // of x, w and y

  void operator()() const {
    std::vector<T> xs = read(x, p.x_elements()), ws = read(w, p.w_elements()), ys = read(y, p.y_elements());
    std::vector<T>& result = of_x ? xs : of_w ? ws : ys;
    if constexpr (sizeof(T) == sizeof(float)) {
      if (p.allows_tf32())
        for (std::vector<T>* operand : {&xs, &ws, &ys})
          for (T& value : *operand) value = to_tf32(value);
    }
    std::fill(result.begin(), result.end(), T(0));
    add_products(xs.data(), ws.data(), ys.data());
    Stored* const out = of_x ? x : of_w ? w : y;
    for (std::size_t i = 0; i < result.size(); ++i) {
      T value = result[i];
      if (offer.transforms) value = std::nextafter(value, T(1e30));
      out[i] = static_cast<Stored>(alpha * value + (beta != T(0) ? beta * static_cast<T>(out[i]) : T(0)));
    }
  }

 private:
  static std::vector<T> read(const Stored* from, std::int64_t count) {
    std::vector<T> result;
    for (std::int64_t i = 0; i < count; ++i) result.push_back(static_cast<T>(from[i]));
    return result;
  }

  std::vector<std::int64_t> order(std::int64_t n) const {
    std::vector<std::int64_t> all(static_cast<std::size_t>(n));
    std::iota(all.begin(), all.end(), 0);
    if (offer.determinism == CUDNN_NON_DETERMINISTIC) std::shuffle(all.begin(), all.end(), random_order());
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

struct Operands {
  const void *alpha, *beta;
  const void *x, *w, *y;
  void* workspace;
  std::size_t workspace_bytes;
};

template <class Kind, class T, class Stored = T>
cudaError_t enqueue_convolution(const Problem& p, const Offer& offer, const Operands& at,
                                cudaStream_t stream) {
  const auto tensor = [](const void* data) { return static_cast<Stored*>(const_cast<void*>(data)); };
  const Run<Kind, T, Stored> run{p,
                                 offer,
                                 *static_cast<const T*>(at.alpha),
                                 *static_cast<const T*>(at.beta),
                                 tensor(at.x),
                                 tensor(at.w),
                                 tensor(at.y)};
  return enqueue(stream, glia::cuda_double::Kind::kernel, Kind::function, [=] {
    if (launch_fails()) return;
    const struct {
      const char* name;
      const void* address;
      std::size_t bytes;
    } touched[] = {{"x", at.x, static_cast<std::size_t>(p.x_elements()) * sizeof(Stored)},
                   {"w", at.w, static_cast<std::size_t>(p.w_elements()) * sizeof(Stored)},
                   {"y", at.y, static_cast<std::size_t>(p.y_elements()) * sizeof(Stored)},
                   {"the workspace", at.workspace, offer.workspace}};
    for (const auto& one : touched)
      if (!is_device_memory(one.address, one.bytes))
        return trap(cudaErrorIllegalAddress,
                    std::string("a convolution: ") + one.name + " does not lie in the device's memory");
    constexpr int result = Run<Kind, T, Stored>::result;
    for (int i = 0; i < 3; ++i)
      if (i != result || run.beta != T(0))
        expect_written(touched[i].address, touched[i].bytes,
                       ("a convolution's " + std::string(touched[i].name)).c_str());
    std::memset(at.workspace, 0xFF, offer.workspace);  // its contents are the convolution's alone
    mark_fresh(at.workspace, offer.workspace);
    if (offer.determinism == CUDNN_NON_DETERMINISTIC) count_nondeterministic_convolution();
    run();
    mark_written(touched[result].address, touched[result].bytes);
  });
}

template <class Kind>
cudnnStatus_t convolve(cudnnHandle_t handle, cudnnTensorDescriptor_t x, cudnnFilterDescriptor_t w,
                       cudnnConvolutionDescriptor_t convolution, cudnnTensorDescriptor_t y, int algorithm,
                       const Operands& at) {
  if (!handle || !at.alpha || !at.beta || !at.x || !at.w || !at.y) return CUDNN_STATUS_BAD_PARAM_NULL_POINTER;
  Problem p;
  Offer offer = {};
  cudnnStatus_t status = read(p, x, w, convolution, y);
  if (status == CUDNN_STATUS_SUCCESS) status = find_offer<Kind>(algorithm, offer);
  if (status != CUDNN_STATUS_SUCCESS) return status;
  if (!at.workspace || at.workspace_bytes < offer.workspace) return CUDNN_STATUS_BAD_PARAM_SIZE_INSUFFICIENT;
  const auto enqueue_typed = p.x.type == CUDNN_DATA_DOUBLE     ? enqueue_convolution<Kind, double>
                             : p.x.type == CUDNN_DATA_BFLOAT16 ? enqueue_convolution<Kind, float, Bf16>
                                                               : enqueue_convolution<Kind, float>;
  return cudnn_status_of(enqueue_typed(p, offer, at, handle->stream));
}

/// Those that work first, as cuDNN has them; a status says which do.
template <class Kind, class Performance>
cudnnStatus_t candidates(cudnnHandle_t handle, cudnnTensorDescriptor_t x, cudnnFilterDescriptor_t w,
                         cudnnConvolutionDescriptor_t convolution, cudnnTensorDescriptor_t y, int wanted,
                         int* found, Performance* results) {
  if (!handle || !found || !results) return CUDNN_STATUS_BAD_PARAM_NULL_POINTER;
  *found = 0;
  Problem p;
  const cudnnStatus_t status = read(p, x, w, convolution, y);
  if (status != CUDNN_STATUS_SUCCESS) return status;
  if (wanted < 1) return CUDNN_STATUS_BAD_PARAM;
  if (settings().refused_convolutions.count(Kind::name)) return CUDNN_STATUS_NOT_SUPPORTED;
  for (const Offer& offer : Kind::offers()) {
    if (*found == wanted) break;
    Performance& result = results[(*found)++];
    result = {};
    result.algo = static_cast<decltype(result.algo)>(offer.algorithm);
    result.status = works(offer) ? CUDNN_STATUS_SUCCESS : CUDNN_STATUS_NOT_SUPPORTED;
    result.time = -1;
    result.memory = offer.workspace + settings().convolution_workspace;
    result.determinism = offer.determinism;
    result.mathType = CUDNN_DEFAULT_MATH;  // not the caller's: heuristics may answer for another
  }
  return CUDNN_STATUS_SUCCESS;
}

template <class Kind>
cudnnStatus_t workspace(cudnnHandle_t handle, cudnnTensorDescriptor_t x, cudnnFilterDescriptor_t w,
                        cudnnConvolutionDescriptor_t convolution, cudnnTensorDescriptor_t y, int algorithm,
                        std::size_t* bytes) {
  if (!handle || !bytes) return CUDNN_STATUS_BAD_PARAM_NULL_POINTER;
  Problem p;
  Offer offer = {};
  cudnnStatus_t status = read(p, x, w, convolution, y);
  if (status == CUDNN_STATUS_SUCCESS) status = find_offer<Kind>(algorithm, offer);
  if (status == CUDNN_STATUS_SUCCESS) *bytes = offer.workspace;
  return status;
}

}  // namespace
}  // namespace glia::cuda_double

using namespace glia::cuda_double;

extern "C" {

cudnnStatus_t cudnnGetConvolutionForwardAlgorithm_v7(cudnnHandle_t handle, cudnnTensorDescriptor_t x,
                                                     cudnnFilterDescriptor_t w,
                                                     cudnnConvolutionDescriptor_t convolution,
                                                     cudnnTensorDescriptor_t y, int wanted, int* found,
                                                     cudnnConvolutionFwdAlgoPerf_t* results) {
  GLIA_DOUBLE_ENTER_DNN();
  return candidates<Forward>(handle, x, w, convolution, y, wanted, found, results);
}
cudnnStatus_t cudnnGetConvolutionBackwardDataAlgorithm_v7(cudnnHandle_t handle, cudnnFilterDescriptor_t w,
                                                          cudnnTensorDescriptor_t y,
                                                          cudnnConvolutionDescriptor_t convolution,
                                                          cudnnTensorDescriptor_t x, int wanted, int* found,
                                                          cudnnConvolutionBwdDataAlgoPerf_t* results) {
  GLIA_DOUBLE_ENTER_DNN();
  return candidates<BackwardData>(handle, x, w, convolution, y, wanted, found, results);
}
cudnnStatus_t cudnnGetConvolutionBackwardFilterAlgorithm_v7(cudnnHandle_t handle, cudnnTensorDescriptor_t x,
                                                            cudnnTensorDescriptor_t y,
                                                            cudnnConvolutionDescriptor_t convolution,
                                                            cudnnFilterDescriptor_t w, int wanted, int* found,
                                                            cudnnConvolutionBwdFilterAlgoPerf_t* results) {
  GLIA_DOUBLE_ENTER_DNN();
  return candidates<BackwardFilter>(handle, x, w, convolution, y, wanted, found, results);
}

cudnnStatus_t cudnnGetConvolutionForwardWorkspaceSize(cudnnHandle_t handle, cudnnTensorDescriptor_t x,
                                                      cudnnFilterDescriptor_t w,
                                                      cudnnConvolutionDescriptor_t convolution,
                                                      cudnnTensorDescriptor_t y,
                                                      cudnnConvolutionFwdAlgo_t algorithm,
                                                      std::size_t* bytes) {
  GLIA_DOUBLE_ENTER_DNN();
  return workspace<Forward>(handle, x, w, convolution, y, algorithm, bytes);
}
cudnnStatus_t cudnnGetConvolutionBackwardDataWorkspaceSize(cudnnHandle_t handle, cudnnFilterDescriptor_t w,
                                                           cudnnTensorDescriptor_t y,
                                                           cudnnConvolutionDescriptor_t convolution,
                                                           cudnnTensorDescriptor_t x,
                                                           cudnnConvolutionBwdDataAlgo_t algorithm,
                                                           std::size_t* bytes) {
  GLIA_DOUBLE_ENTER_DNN();
  return workspace<BackwardData>(handle, x, w, convolution, y, algorithm, bytes);
}
cudnnStatus_t cudnnGetConvolutionBackwardFilterWorkspaceSize(cudnnHandle_t handle, cudnnTensorDescriptor_t x,
                                                             cudnnTensorDescriptor_t y,
                                                             cudnnConvolutionDescriptor_t convolution,
                                                             cudnnFilterDescriptor_t w,
                                                             cudnnConvolutionBwdFilterAlgo_t algorithm,
                                                             std::size_t* bytes) {
  GLIA_DOUBLE_ENTER_DNN();
  return workspace<BackwardFilter>(handle, x, w, convolution, y, algorithm, bytes);
}

// Everything but images and weights is read at the call.
cudnnStatus_t cudnnConvolutionForward(cudnnHandle_t handle, const void* alpha, cudnnTensorDescriptor_t x,
                                      const void* x_data, cudnnFilterDescriptor_t w, const void* w_data,
                                      cudnnConvolutionDescriptor_t convolution,
                                      cudnnConvolutionFwdAlgo_t algorithm, void* workspace,
                                      std::size_t workspace_bytes, const void* beta,
                                      cudnnTensorDescriptor_t y, void* y_data) {
  GLIA_DOUBLE_ENTER_DNN();
  return convolve<Forward>(handle, x, w, convolution, y, algorithm,
                           {alpha, beta, x_data, w_data, y_data, workspace, workspace_bytes});
}
cudnnStatus_t cudnnConvolutionBackwardData(cudnnHandle_t handle, const void* alpha, cudnnFilterDescriptor_t w,
                                           const void* w_data, cudnnTensorDescriptor_t y, const void* y_data,
                                           cudnnConvolutionDescriptor_t convolution,
                                           cudnnConvolutionBwdDataAlgo_t algorithm, void* workspace,
                                           std::size_t workspace_bytes, const void* beta,
                                           cudnnTensorDescriptor_t x, void* x_data) {
  GLIA_DOUBLE_ENTER_DNN();
  return convolve<BackwardData>(handle, x, w, convolution, y, algorithm,
                                {alpha, beta, x_data, w_data, y_data, workspace, workspace_bytes});
}
cudnnStatus_t cudnnConvolutionBackwardFilter(cudnnHandle_t handle, const void* alpha,
                                             cudnnTensorDescriptor_t x, const void* x_data,
                                             cudnnTensorDescriptor_t y, const void* y_data,
                                             cudnnConvolutionDescriptor_t convolution,
                                             cudnnConvolutionBwdFilterAlgo_t algorithm, void* workspace,
                                             std::size_t workspace_bytes, const void* beta,
                                             cudnnFilterDescriptor_t w, void* w_data) {
  GLIA_DOUBLE_ENTER_DNN();
  return convolve<BackwardFilter>(handle, x, w, convolution, y, algorithm,
                                  {alpha, beta, x_data, w_data, y_data, workspace, workspace_bytes});
}

}  // extern "C"
