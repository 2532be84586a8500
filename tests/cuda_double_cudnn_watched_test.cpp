// The watched double's cuDNN: a convolution tells what it reads that nothing wrote, and what it wrote is written.
// SPDX-License-Identifier: Apache-2.0
#include <cuda_runtime_api.h>
#include <cudnn.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <string>
#include <vector>

#include "tests/cuda_double/controls.h"
#include "tests/cuda_double/told.h"

namespace glia::cuda_double {
namespace {

/// Convolutions of an image of 3 x 3 by a filter of 2 x 2, one channel each.
class CudnnDoubleWatched : public ::testing::Test {
 protected:
  static constexpr std::size_t x_bytes = 9 * sizeof(float), w_bytes = 4 * sizeof(float), y_bytes = w_bytes,
                               workspace_bytes = 256;
  enum Kind { forward, backward_data, backward_filter };

  void SetUp() override {
    glia_cuda_double()->reset();
    cudnnCreate(&handle_);
    cudnnCreateTensorDescriptor(&x_);
    cudnnSetTensor4dDescriptor(x_, CUDNN_TENSOR_NHWC, CUDNN_DATA_FLOAT, 1, 1, 3, 3);
    cudnnCreateTensorDescriptor(&y_);
    cudnnSetTensor4dDescriptor(y_, CUDNN_TENSOR_NHWC, CUDNN_DATA_FLOAT, 1, 1, 2, 2);
    cudnnCreateFilterDescriptor(&w_);
    cudnnSetFilter4dDescriptor(w_, CUDNN_DATA_FLOAT, CUDNN_TENSOR_NHWC, 1, 1, 2, 2);
    cudnnCreateConvolutionDescriptor(&convolution_);
    cudnnSetConvolution2dDescriptor(convolution_, 0, 0, 1, 1, 1, 1, CUDNN_CROSS_CORRELATION,
                                    CUDNN_DATA_FLOAT);
  }
  void TearDown() override {
    glia_cuda_double()->reset();
    cudnnDestroyConvolutionDescriptor(convolution_);
    cudnnDestroyFilterDescriptor(w_);
    cudnnDestroyTensorDescriptor(x_), cudnnDestroyTensorDescriptor(y_);
    cudnnDestroy(handle_);
    for (void* memory : allocated_) cudaFree(memory);
  }

  void* unwritten(std::size_t bytes) {
    void* memory = nullptr;
    EXPECT_EQ(cudaMalloc(&memory, bytes), cudaSuccess);
    allocated_.push_back(memory);
    return memory;
  }
  void* written(std::size_t bytes) {
    void* const memory = unwritten(bytes);
    cudaMemsetAsync(memory, 0, bytes, nullptr);
    return memory;
  }
  cudnnStatus_t convolve(Kind kind, void* x, void* w, void* y, float beta) {
    const float alpha = 1;
    workspace_ = written(workspace_bytes);
    if (kind == forward)
      return cudnnConvolutionForward(handle_, &alpha, x_, x, w_, w, convolution_,
                                     CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_GEMM, workspace_, workspace_bytes,
                                     &beta, y_, y);
    if (kind == backward_data)
      return cudnnConvolutionBackwardData(handle_, &alpha, w_, w, y_, y, convolution_,
                                          CUDNN_CONVOLUTION_BWD_DATA_ALGO_1, workspace_, workspace_bytes,
                                          &beta, x_, x);
    return cudnnConvolutionBackwardFilter(handle_, &alpha, x_, x, y_, y, convolution_,
                                          CUDNN_CONVOLUTION_BWD_FILTER_ALGO_1, workspace_, workspace_bytes,
                                          &beta, w_, w);
  }
  void* workspace_ = nullptr;  // of the last convolution

 private:
  cudnnHandle_t handle_ = nullptr;
  cudnnTensorDescriptor_t x_ = nullptr, y_ = nullptr;
  cudnnFilterDescriptor_t w_ = nullptr;
  cudnnConvolutionDescriptor_t convolution_ = nullptr;
  std::vector<void*> allocated_;
};

TEST_F(CudnnDoubleWatched, Convolutions_read_their_operands_and_write_their_results) {
  const char* const names[] = {"x", "w", "y"};
  const std::size_t bytes[] = {x_bytes, w_bytes, y_bytes};
  for (const Kind kind : {forward, backward_data, backward_filter}) {
    const int result = kind == forward ? 2 : kind == backward_data ? 0 : 1;
    for (int replaced = 0; replaced < 3; ++replaced) {
      for (const float beta : {0.0f, 1.0f}) {
        SCOPED_TRACE(std::to_string(kind) + ' ' + names[replaced] + ' ' + std::to_string(beta));
        void* operands[3];
        for (int i = 0; i < 3; ++i) operands[i] = i == replaced ? unwritten(bytes[i]) : written(bytes[i]);
        ASSERT_EQ(convolve(kind, operands[0], operands[1], operands[2], beta), CUDNN_STATUS_SUCCESS);
        const std::string trap = told();
        if (replaced != result || beta != 0) {
          EXPECT_THAT(trap, ::testing::HasSubstr(std::string("a convolution's ") + names[replaced] +
                                                 " reads memory that was never written: byte 0"));
          continue;
        }
        EXPECT_EQ(trap, "");
        EXPECT_EQ(told_of_copy(operands[result], bytes[result]), "");
        EXPECT_NE(told_of_copy(workspace_, 4), "") << "the workspace is nobody else's";
      }
    }
  }
}

}  // namespace
}  // namespace glia::cuda_double
