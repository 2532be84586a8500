// The double's cuDNN against a naive formula: layouts, padding, groups, scaling factors and rounding; what its heuristics
// offer, and what it refuses.
// SPDX-License-Identifier: Apache-2.0
#include <cuda_runtime_api.h>
#include <cudnn.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/cuda_double/controls.h"

extern "C" glia::cuda_double::Controls* glia_cuda_double();

namespace glia::cuda_double {
namespace {

/// A convolution as a test wants it; dimensions as cuDNN has them.
struct Ask {
  int n = 2, c = 4, h = 6, w = 5;  // of x
  int k = 6, kernel_h = 3, kernel_w = 2;
  int y_h = 4, y_w = 4;  // whether right or not
  int pad_h = 0, pad_w = 0, stride_h = 1, stride_w = 1, dilation_h = 1, dilation_w = 1, groups = 1;
  int filter_c = 4;
  cudnnTensorFormat_t x_format = CUDNN_TENSOR_NHWC, y_format = CUDNN_TENSOR_NHWC,
                      filter_format = CUDNN_TENSOR_NHWC;
  cudnnDataType_t x_type = CUDNN_DATA_FLOAT, filter_type = CUDNN_DATA_FLOAT, compute = CUDNN_DATA_FLOAT;
  cudnnConvolutionMode_t mode = CUDNN_CROSS_CORRELATION;
  cudnnMathType_t math = CUDNN_FMA_MATH;

  std::size_t x_elements() const { return static_cast<std::size_t>(n * c * h * w); }
  std::size_t y_elements() const { return static_cast<std::size_t>(n * k * y_h * y_w); }
  std::size_t filter_elements() const { return static_cast<std::size_t>(k * filter_c * kernel_h * kernel_w); }

  static std::size_t at(cudnnTensorFormat_t format, int channels, int height, int width, int n, int c, int h,
                        int w) {
    return static_cast<std::size_t>(format == CUDNN_TENSOR_NHWC
                                        ? ((n * height + h) * width + w) * channels + c
                                        : ((n * channels + c) * height + h) * width + w);
  }
  /// Calls f(x index, filter index, y index) for each product of the convolution.
  void for_each_product(const std::function<void(std::size_t, std::size_t, std::size_t)>& f) const {
    for (int i = 0; i < n * k * y_h * y_w * filter_c * kernel_h * kernel_w; ++i) {
      int rest = i;
      const auto next = [&rest](int size) {
        const int digit = rest % size;
        rest /= size;
        return digit;
      };
      const int s = next(kernel_w), r = next(kernel_h), channel = next(filter_c), column = next(y_w),
                row = next(y_h), filter = next(k), image = next(n);
      const int x_row = row * stride_h - pad_h + r * dilation_h,
                x_column = column * stride_w - pad_w + s * dilation_w;
      if (x_row < 0 || x_row >= h || x_column < 0 || x_column >= w) continue;
      const int group = filter / (k / groups);
      const bool turned = mode == CUDNN_CONVOLUTION;
      f(at(x_format, c, h, w, image, group * filter_c + channel, x_row, x_column),
        at(filter_format, filter_c, kernel_h, kernel_w, filter, channel, turned ? kernel_h - 1 - r : r,
           turned ? kernel_w - 1 - s : s),
        at(y_format, k, y_h, y_w, image, filter, row, column));
    }
  }
};

std::vector<float> integers(std::size_t count, int salt) {
  std::vector<float> values(count);
  for (std::size_t i = 0; i < count; ++i)
    values[i] = static_cast<float>((static_cast<int>(i) * 5 + salt) % 7 - 3);
  return values;
}

class CudnnDouble : public ::testing::Test {
 protected:
  void SetUp() override {
    glia_cuda_double()->reset();
    cudaMemPoolProps properties = {};
    properties.allocType = cudaMemAllocationTypePinned;
    properties.location = {cudaMemLocationTypeDevice, {0}};
    cudaMemPoolCreate(&pool_, &properties);
    cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking);
    ASSERT_EQ(cudnnCreate(&handle_), CUDNN_STATUS_SUCCESS);
    ASSERT_EQ(cudnnSetStream(handle_, stream_), CUDNN_STATUS_SUCCESS);
    cudnnCreateTensorDescriptor(&x_), cudnnCreateTensorDescriptor(&y_);
    cudnnCreateFilterDescriptor(&filter_);
    cudnnCreateConvolutionDescriptor(&convolution_);
  }
  void TearDown() override {
    glia_cuda_double()->reset();
    cudnnDestroyTensorDescriptor(x_), cudnnDestroyTensorDescriptor(y_);
    cudnnDestroyFilterDescriptor(filter_);
    cudnnDestroyConvolutionDescriptor(convolution_);
    cudnnDestroy(handle_);
    for (void* memory : device_) cudaFreeAsync(memory, stream_);
    cudaStreamSynchronize(stream_);
    cudaStreamDestroy(stream_);
    cudaMemPoolDestroy(pool_);
  }

  void* allocate(std::size_t bytes) {
    void* memory = nullptr;
    EXPECT_EQ(cudaMallocFromPoolAsync(&memory, bytes, pool_, stream_), cudaSuccess);
    device_.push_back(memory);
    return memory;
  }
  void* on_device(const std::vector<float>& values) {
    const std::size_t bytes = values.size() * sizeof(float);
    void *device = allocate(bytes), *host = nullptr;
    EXPECT_EQ(cudaMallocHost(&host, bytes), cudaSuccess);
    std::memcpy(host, values.data(), bytes);
    EXPECT_EQ(cudaMemcpyAsync(device, host, bytes, cudaMemcpyHostToDevice, stream_), cudaSuccess);
    EXPECT_EQ(cudaStreamSynchronize(stream_), cudaSuccess);
    cudaFreeHost(host);
    return device;
  }
  std::vector<float> from_device(const void* device, std::size_t count) {
    std::vector<float> values(count);
    void* host = nullptr;
    EXPECT_EQ(cudaMallocHost(&host, count * sizeof(float)), cudaSuccess);
    EXPECT_EQ(cudaMemcpyAsync(host, device, count * sizeof(float), cudaMemcpyDeviceToHost, stream_),
              cudaSuccess);
    EXPECT_EQ(cudaStreamSynchronize(stream_), cudaSuccess);
    std::memcpy(values.data(), host, count * sizeof(float));
    cudaFreeHost(host);
    return values;
  }

  void describe(const Ask& ask) {
    cudnnSetTensor4dDescriptor(x_, ask.x_format, ask.x_type, ask.n, ask.c, ask.h, ask.w);
    cudnnSetTensor4dDescriptor(y_, ask.y_format, ask.x_type, ask.n, ask.k, ask.y_h, ask.y_w);
    cudnnSetFilter4dDescriptor(filter_, ask.filter_type, ask.filter_format, ask.k, ask.filter_c, ask.kernel_h,
                               ask.kernel_w);
    cudnnSetConvolution2dDescriptor(convolution_, ask.pad_h, ask.pad_w, ask.stride_h, ask.stride_w,
                                    ask.dilation_h, ask.dilation_w, ask.mode, ask.compute);
    cudnnSetConvolutionGroupCount(convolution_, ask.groups);
    cudnnSetConvolutionMathType(convolution_, ask.math);
  }

  cudnnStatus_t workspace_size(std::size_t* bytes) {
    return cudnnGetConvolutionForwardWorkspaceSize(handle_, x_, filter_, convolution_, y_,
                                                   CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_GEMM, bytes);
  }

  /// y = alpha * convolution(x) + beta * y by the algorithm; null where the call is refused.
  cudnnStatus_t forward(const Ask& ask, std::vector<float>& y, float alpha = 1, float beta = 0,
                        cudnnConvolutionFwdAlgo_t algorithm = CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_GEMM) {
    describe(ask);
    void* const device = on_device(y);
    const cudnnStatus_t status =
        cudnnConvolutionForward(handle_, &alpha, x_, on_device(integers(ask.x_elements(), 1)), filter_,
                                on_device(integers(ask.filter_elements(), 2)), convolution_, algorithm,
                                allocate(256), 256, &beta, y_, device);
    alpha = beta = NAN;
    if (status == CUDNN_STATUS_SUCCESS) y = from_device(device, y.size());
    return status;
  }

  cudaMemPool_t pool_ = nullptr;
  cudaStream_t stream_ = nullptr;
  cudnnHandle_t handle_ = nullptr;
  cudnnTensorDescriptor_t x_ = nullptr, y_ = nullptr;
  cudnnFilterDescriptor_t filter_ = nullptr;
  cudnnConvolutionDescriptor_t convolution_ = nullptr;
  std::vector<void*> device_;
};

std::vector<Ask> asks() {
  std::vector<Ask> all;
  for (const cudnnTensorFormat_t format : {CUDNN_TENSOR_NHWC, CUDNN_TENSOR_NCHW}) {
    for (const cudnnConvolutionMode_t mode : {CUDNN_CROSS_CORRELATION, CUDNN_CONVOLUTION}) {
      Ask plain;
      plain.x_format = plain.y_format = plain.filter_format = format;
      plain.mode = mode;
      Ask padded = plain;
      padded.pad_h = 1, padded.pad_w = 2, padded.stride_h = 2, padded.y_h = 3, padded.y_w = 8;
      Ask dilated = plain;
      dilated.dilation_h = 2, dilated.dilation_w = 3, dilated.y_h = 2, dilated.y_w = 2;
      Ask grouped = plain;
      grouped.groups = 2, grouped.filter_c = 2;
      for (const Ask& ask : {plain, padded, dilated, grouped}) all.push_back(ask);
    }
  }
  return all;
}

TEST_F(CudnnDouble, Forward_is_the_sum_of_products_in_either_layout) {
  for (const Ask& ask : asks()) {
    const std::vector<float> x = integers(ask.x_elements(), 1), w = integers(ask.filter_elements(), 2);
    std::vector<float> before = integers(ask.y_elements(), 3), wanted(before.size()), y = before;
    ask.for_each_product([&](std::size_t i, std::size_t j, std::size_t o) { wanted[o] += x[i] * w[j]; });
    ASSERT_EQ(forward(ask, y), CUDNN_STATUS_SUCCESS);
    EXPECT_EQ(y, wanted);
    y = before;
    ASSERT_EQ(forward(ask, y, 2, -1), CUDNN_STATUS_SUCCESS);
    for (std::size_t i = 0; i < wanted.size(); ++i) wanted[i] = 2 * wanted[i] - before[i];
    EXPECT_EQ(y, wanted);
  }
}

TEST_F(CudnnDouble, Gradients_are_its_transposes) {
  const float one = 1, zero = 0;
  for (const Ask& ask : asks()) {
    describe(ask);
    const std::vector<float> x = integers(ask.x_elements(), 1), w = integers(ask.filter_elements(), 2),
                             dy = integers(ask.y_elements(), 3);
    std::vector<float> dx(x.size()), dw(w.size());
    ask.for_each_product([&](std::size_t i, std::size_t j, std::size_t o) {
      dx[i] += dy[o] * w[j];
      dw[j] += dy[o] * x[i];
    });
    void *dx_device = allocate(dx.size() * sizeof(float)), *dw_device = allocate(dw.size() * sizeof(float));
    ASSERT_EQ(cudnnConvolutionBackwardData(handle_, &one, filter_, on_device(w), y_, on_device(dy),
                                           convolution_, CUDNN_CONVOLUTION_BWD_DATA_ALGO_1, allocate(256),
                                           256, &zero, x_, dx_device),
              CUDNN_STATUS_SUCCESS);
    ASSERT_EQ(cudnnConvolutionBackwardFilter(handle_, &one, x_, on_device(x), y_, on_device(dy), convolution_,
                                             CUDNN_CONVOLUTION_BWD_FILTER_ALGO_1, allocate(256), 256, &zero,
                                             filter_, dw_device),
              CUDNN_STATUS_SUCCESS);
    EXPECT_EQ(from_device(dx_device, dx.size()), dx);
    EXPECT_EQ(from_device(dw_device, dw.size()), dw);
  }
}

TEST_F(CudnnDouble, Descriptors_refuse_what_cudnn_9_refuses) {
  EXPECT_EQ(cudnnSetTensor4dDescriptor(x_, CUDNN_TENSOR_NHWC, CUDNN_DATA_FLOAT, 0, 3, 9, 9),
            CUDNN_STATUS_BAD_PARAM);
  EXPECT_EQ(cudnnSetTensor4dDescriptor(x_, CUDNN_TENSOR_NHWC, CUDNN_DATA_FLOAT, 200000, 300, 90, 90),
            CUDNN_STATUS_NOT_SUPPORTED);
  EXPECT_EQ(cudnnSetTensor4dDescriptor(nullptr, CUDNN_TENSOR_NHWC, CUDNN_DATA_FLOAT, 1, 1, 1, 1),
            CUDNN_STATUS_BAD_PARAM);
  EXPECT_EQ(cudnnSetFilter4dDescriptor(filter_, CUDNN_DATA_FLOAT, CUDNN_TENSOR_NHWC, 1, -1, 1, 1),
            CUDNN_STATUS_BAD_PARAM);
  const auto set = [&](int pad, int stride, int dilation) {
    return cudnnSetConvolution2dDescriptor(convolution_, 0, pad, 1, stride, dilation, 1,
                                           CUDNN_CROSS_CORRELATION, CUDNN_DATA_FLOAT);
  };
  EXPECT_EQ(set(0, 1, 1), CUDNN_STATUS_SUCCESS);
  EXPECT_EQ(set(-1, 1, 1), CUDNN_STATUS_BAD_PARAM);
  EXPECT_EQ(set(0, 0, 1), CUDNN_STATUS_BAD_PARAM);
  EXPECT_EQ(set(0, 1, 0), CUDNN_STATUS_BAD_PARAM);
  EXPECT_EQ(cudnnSetConvolutionGroupCount(convolution_, 0), CUDNN_STATUS_BAD_PARAM);
  EXPECT_EQ(cudnnSetConvolutionMathType(convolution_, static_cast<cudnnMathType_t>(9)),
            CUDNN_STATUS_BAD_PARAM);
}

TEST_F(CudnnDouble, Descriptors_that_do_not_fit_each_other_are_refused) {
  const struct {
    const char* name;
    std::function<void(Ask&)> change;
    cudnnStatus_t status;
  } cases[] = {
      {"rows of y", [](Ask& a) { a.y_h = 5; }, CUDNN_STATUS_BAD_PARAM},
      {"columns of y", [](Ask& a) { a.y_w = 3; }, CUDNN_STATUS_BAD_PARAM},
      {"padding", [](Ask& a) { a.pad_w = 1; }, CUDNN_STATUS_BAD_PARAM},
      {"a window larger than the image", [](Ask& a) { a.kernel_h = 7; }, CUDNN_STATUS_BAD_PARAM},
      {"channels of the filter", [](Ask& a) { a.filter_c = 2; }, CUDNN_STATUS_BAD_PARAM},
      {"groups of channels", [](Ask& a) { a.groups = 3; }, CUDNN_STATUS_BAD_PARAM},
      {"groups of filters", [](Ask& a) { a.groups = 4, a.filter_c = 1; }, CUDNN_STATUS_BAD_PARAM},
      {"types", [](Ask& a) { a.filter_type = CUDNN_DATA_DOUBLE; }, CUDNN_STATUS_BAD_PARAM},
      {"the type of sums", [](Ask& a) { a.compute = CUDNN_DATA_DOUBLE; }, CUDNN_STATUS_NOT_SUPPORTED},
      {"a type that Glia has not", [](Ask& a) { a.x_type = a.filter_type = a.compute = CUDNN_DATA_HALF; },
       CUDNN_STATUS_NOT_SUPPORTED},
      {"bf16 added in bf16", [](Ask& a) { a.x_type = a.filter_type = a.compute = CUDNN_DATA_BFLOAT16; },
       CUDNN_STATUS_NOT_SUPPORTED},
      {"bf16 by FMA mathematics", [](Ask& a) { a.x_type = a.filter_type = CUDNN_DATA_BFLOAT16; },
       CUDNN_STATUS_NOT_SUPPORTED},
      {"the filter's layout", [](Ask& a) { a.filter_format = CUDNN_TENSOR_NCHW; },
       CUDNN_STATUS_NOT_SUPPORTED_LAYOUT},
      {"the output's layout", [](Ask& a) { a.y_format = CUDNN_TENSOR_NCHW; },
       CUDNN_STATUS_NOT_SUPPORTED_LAYOUT},
  };
  for (const auto& one : cases) {
    SCOPED_TRACE(one.name);
    Ask ask;
    one.change(ask);
    std::vector<float> y(ask.y_elements());
    EXPECT_EQ(forward(ask, y), one.status);
    std::size_t bytes = 0;
    EXPECT_EQ(workspace_size(&bytes), one.status);
    int found = -1;
    cudnnConvolutionFwdAlgoPerf_t results[8];
    EXPECT_EQ(
        cudnnGetConvolutionForwardAlgorithm_v7(handle_, x_, filter_, convolution_, y_, 8, &found, results),
        one.status);
    EXPECT_EQ(found, 0);
  }
}

TEST_F(CudnnDouble, Its_heuristics_put_first_what_must_not_be_taken) {
  describe({});
  cudnnConvolutionFwdAlgoPerf_t forward[8];
  cudnnConvolutionBwdDataAlgoPerf_t data[8];
  cudnnConvolutionBwdFilterAlgoPerf_t filter[8];
  int found = 0;
  const auto expect_candidates = [&](const auto* results, auto last) {
    ASSERT_GE(found, 3);
    EXPECT_EQ(results[0].determinism, CUDNN_NON_DETERMINISTIC);
    EXPECT_EQ(results[0].status, CUDNN_STATUS_SUCCESS);
    EXPECT_EQ(results[found - 1].algo, last);
    EXPECT_EQ(results[found - 1].determinism, CUDNN_DETERMINISTIC);
    EXPECT_EQ(results[found - 1].status, CUDNN_STATUS_SUCCESS);
    EXPECT_TRUE(std::any_of(results, results + found,
                            [](const auto& r) { return r.status == CUDNN_STATUS_NOT_SUPPORTED; }));
  };
  ASSERT_EQ(
      cudnnGetConvolutionForwardAlgorithm_v7(handle_, x_, filter_, convolution_, y_, 8, &found, forward),
      CUDNN_STATUS_SUCCESS);
  expect_candidates(forward, CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_GEMM);
  ASSERT_EQ(
      cudnnGetConvolutionBackwardDataAlgorithm_v7(handle_, filter_, y_, convolution_, x_, 8, &found, data),
      CUDNN_STATUS_SUCCESS);
  expect_candidates(data, CUDNN_CONVOLUTION_BWD_DATA_ALGO_1);
  ASSERT_EQ(cudnnGetConvolutionBackwardFilterAlgorithm_v7(handle_, x_, y_, convolution_, filter_, 8, &found,
                                                          filter),
            CUDNN_STATUS_SUCCESS);
  expect_candidates(filter, CUDNN_CONVOLUTION_BWD_FILTER_ALGO_1);
  // No more than were asked for.
  ASSERT_EQ(
      cudnnGetConvolutionForwardAlgorithm_v7(handle_, x_, filter_, convolution_, y_, 2, &found, forward),
      CUDNN_STATUS_SUCCESS);
  EXPECT_EQ(found, 2);
}

TEST_F(CudnnDouble, Algorithms_that_are_not_offered_and_refusals_that_a_test_orders) {
  const Ask ask;
  std::vector<float> y(ask.y_elements());
  EXPECT_EQ(forward(ask, y, 1, 0, CUDNN_CONVOLUTION_FWD_ALGO_DIRECT), CUDNN_STATUS_NOT_SUPPORTED);
  EXPECT_EQ(forward(ask, y, 1, 0, CUDNN_CONVOLUTION_FWD_ALGO_FFT), CUDNN_STATUS_NOT_SUPPORTED);
  EXPECT_EQ(forward(ask, y, 1, 0, CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM),
            CUDNN_STATUS_BAD_PARAM_SIZE_INSUFFICIENT);
  Settings& settings = glia_cuda_double()->settings();
  settings.refused_convolutions = {"forward"};
  EXPECT_EQ(forward(ask, y), CUDNN_STATUS_NOT_SUPPORTED);
  settings.refused_convolutions = {"backward data"};
  EXPECT_EQ(forward(ask, y), CUDNN_STATUS_SUCCESS);
  settings.refuses_algorithms = true;
  EXPECT_EQ(forward(ask, y), CUDNN_STATUS_NOT_SUPPORTED);
  settings.refuses_algorithms = false;
  settings.convolution_workspace = 1;
  EXPECT_EQ(forward(ask, y), CUDNN_STATUS_BAD_PARAM_SIZE_INSUFFICIENT);
  std::size_t bytes = 0;
  EXPECT_EQ(workspace_size(&bytes), CUDNN_STATUS_SUCCESS);
  EXPECT_EQ(bytes, 257u);
}

TEST_F(CudnnDouble, A_nondeterministic_algorithm_adds_in_an_order_of_chance_and_is_counted) {
  const Ask ask;
  describe(ask);
  std::vector<float> x(ask.x_elements()), dy(ask.y_elements());
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = std::sin(static_cast<float>(i));
  for (std::size_t i = 0; i < dy.size(); ++i) dy[i] = std::cos(static_cast<float>(i));
  const float one = 1, zero = 0;
  const auto results = [&](cudnnConvolutionBwdFilterAlgo_t algorithm) {
    std::set<std::vector<float>> all;
    for (int time = 0; time < 5; ++time) {
      void* const dw = allocate(ask.filter_elements() * sizeof(float));
      EXPECT_EQ(
          cudnnConvolutionBackwardFilter(handle_, &one, x_, on_device(x), y_, on_device(dy), convolution_,
                                         algorithm, allocate(256), 256, &zero, filter_, dw),
          CUDNN_STATUS_SUCCESS);
      all.insert(from_device(dw, ask.filter_elements()));
    }
    return all.size();
  };
  EXPECT_EQ(results(CUDNN_CONVOLUTION_BWD_FILTER_ALGO_1), 1u);
  EXPECT_EQ(glia_cuda_double()->nondeterministic_convolutions(), 0);
  EXPECT_GT(results(CUDNN_CONVOLUTION_BWD_FILTER_ALGO_0), 1u);
  EXPECT_EQ(glia_cuda_double()->nondeterministic_convolutions(), 5);
}

TEST_F(CudnnDouble, A_transform_rounds_integers) {
  const Ask ask;
  std::vector<float> exact(ask.y_elements()), rounded = exact;
  ASSERT_EQ(forward(ask, exact), CUDNN_STATUS_SUCCESS);
  ASSERT_EQ(forward(ask, rounded, 1, 0, CUDNN_CONVOLUTION_FWD_ALGO_WINOGRAD), CUDNN_STATUS_SUCCESS);
  for (std::size_t i = 0; i < exact.size(); ++i) {
    EXPECT_NE(rounded[i], exact[i]);
    EXPECT_NEAR(rounded[i], exact[i], 1e-4);
  }
}

TEST_F(CudnnDouble, Only_FMA_mathematics_keeps_all_of_a_float) {
  Ask ask;
  ask = {1, 1, 1, 1, 1, 1, 1, 1, 1};
  ask.filter_c = 1;
  const float value = 1 + 1.0f / 4096, one = 1, zero = 0;
  for (const auto math : {CUDNN_DEFAULT_MATH, CUDNN_TENSOR_OP_MATH, CUDNN_FMA_MATH}) {
    ask.math = math;
    describe(ask);
    void* const y = allocate(sizeof(float));
    ASSERT_EQ(cudnnConvolutionForward(handle_, &one, x_, on_device({value}), filter_, on_device({1.0f}),
                                      convolution_, CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_GEMM, allocate(256),
                                      256, &zero, y_, y),
              CUDNN_STATUS_SUCCESS);
    EXPECT_EQ(from_device(y, 1)[0], math == CUDNN_FMA_MATH ? value : 1.0f) << math;
  }
}

TEST_F(CudnnDouble, Numbers_of_bf16_are_added_in_float32_and_the_sum_is_rounded) {
  Ask ask;
  ask = {1, 2, 1, 1, 1, 1, 1, 1, 1};
  ask.filter_c = 2;
  ask.x_type = ask.filter_type = CUDNN_DATA_BFLOAT16;
  ask.math = CUDNN_TENSOR_OP_MATH;
  describe(ask);
  // Two bf16 numbers to a float, the first in its lower half: x (1, 2^-8), weights (1, b), y (sum, untouched).
  const auto pair = [](std::uint32_t first, std::uint32_t second) {
    const std::uint32_t bits = second << 16 | first;
    float both;
    std::memcpy(&both, &bits, sizeof both);
    return std::vector<float>{both};
  };
  const float one = 1, zero = 0;
  // 1 + 2^-8 lies half way and goes to the even 1; 1 + 3 * 2^-8 / 2 goes up to 1 + 2^-7.
  for (const auto& [b, sum] : {std::pair{0x3f80u, 0x3f80u}, std::pair{0x3fc0u, 0x3f81u}}) {
    void* const y = on_device(pair(0, 0x1234));
    ASSERT_EQ(cudnnConvolutionForward(
                  handle_, &one, x_, on_device(pair(0x3f80, 0x3b80)), filter_, on_device(pair(0x3f80, b)),
                  convolution_, CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_GEMM, allocate(256), 256, &zero, y_, y),
              CUDNN_STATUS_SUCCESS);
    EXPECT_EQ(from_device(y, 1), pair(sum, 0x1234)) << b;
  }
}

TEST_F(CudnnDouble, Memory_that_is_not_the_devices_or_is_too_small_traps_by_name) {
  static float on_host[4096];
  const Ask ask;
  const float one = 1, zero = 0;
  for (const std::string name : {"x", "w", "y", "the workspace"}) {
    describe(ask);
    const auto memory = [&](const char* of, std::size_t bytes) -> void* {
      return name == of ? static_cast<void*>(on_host) : allocate(bytes);
    };
    EXPECT_EQ(cudnnConvolutionForward(handle_, &one, x_, memory("x", ask.x_elements() * 4), filter_,
                                      memory("w", ask.filter_elements() * 4), convolution_,
                                      CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_GEMM, memory("the workspace", 256),
                                      256, &zero, y_, memory("y", ask.y_elements() * 4)),
              CUDNN_STATUS_SUCCESS)
        << "it is only found out later";
    cudaStreamSynchronize(stream_);
    ASSERT_EQ(glia_cuda_double()->traps().size(), 1u) << name;
    EXPECT_NE(glia_cuda_double()->traps()[0].find(": " + name + " "), std::string::npos)
        << glia_cuda_double()->traps()[0];
    glia_cuda_double()->reset();
  }
}

TEST_F(CudnnDouble, Pointers_and_handles_that_are_missing_are_refused_at_the_call) {
  const Ask ask;
  describe(ask);
  const float one = 1, zero = 0;
  void* const x = allocate(ask.x_elements() * 4);
  const auto call = [&](cudnnHandle_t handle, const void* alpha, void* workspace, std::size_t bytes) {
    return cudnnConvolutionForward(handle, alpha, x_, x, filter_, x, convolution_,
                                   CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_GEMM, workspace, bytes, &zero, y_, x);
  };
  void* const workspace = allocate(256);
  EXPECT_EQ(call(nullptr, &one, workspace, 256), CUDNN_STATUS_BAD_PARAM_NULL_POINTER);
  EXPECT_EQ(call(handle_, nullptr, workspace, 256), CUDNN_STATUS_BAD_PARAM_NULL_POINTER);
  EXPECT_EQ(call(handle_, &one, nullptr, 256), CUDNN_STATUS_BAD_PARAM_SIZE_INSUFFICIENT);
  EXPECT_EQ(call(handle_, &one, workspace, 255), CUDNN_STATUS_BAD_PARAM_SIZE_INSUFFICIENT);
  cudnnSetStream(handle_, reinterpret_cast<cudaStream_t>(16));  // no stream
  EXPECT_EQ(call(handle_, &one, workspace, 256), CUDNN_STATUS_EXECUTION_FAILED);
}

TEST_F(CudnnDouble, A_handle_cannot_be_made_while_a_stream_is_captured) {
  ASSERT_EQ(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeThreadLocal), cudaSuccess);
  cudnnHandle_t handle = nullptr;
  EXPECT_EQ(cudnnCreate(&handle), CUDNN_STATUS_EXECUTION_FAILED);
  cudaGraph_t graph = nullptr;
  EXPECT_EQ(cudaStreamEndCapture(stream_, &graph), cudaErrorStreamCaptureInvalidated);
}

TEST_F(CudnnDouble, Errors_that_a_test_injects_are_statuses) {
  const Ask ask;
  std::vector<float> y(ask.y_elements());
  glia_cuda_double()->fail("cudnnConvolutionForward", 1, cudaErrorMemoryAllocation);
  EXPECT_EQ(forward(ask, y), CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED);
  glia_cuda_double()->fail("cudnnConvolutionForward", 1, cudaErrorNotSupported);
  EXPECT_EQ(forward(ask, y), CUDNN_STATUS_NOT_SUPPORTED);
  glia_cuda_double()->fail("cudnnConvolutionForward", 1, cudaErrorLaunchFailure);
  EXPECT_EQ(forward(ask, y), CUDNN_STATUS_EXECUTION_FAILED);
  EXPECT_STREQ(cudnnGetErrorString(CUDNN_STATUS_EXECUTION_FAILED), "CUDNN_STATUS_EXECUTION_FAILED");
  EXPECT_EQ(forward(ask, y), CUDNN_STATUS_SUCCESS);
  EXPECT_EQ(glia_cuda_double()->live_objects().at("cuDNN handle"), 1);
  EXPECT_EQ(glia_cuda_double()->live_objects().at("cuDNN descriptor"), 4);
}

}  // namespace
}  // namespace glia::cuda_double
