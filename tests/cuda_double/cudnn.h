// cuDNN's objects as the double has them. Dimensions are N, C, H, W whatever the layout, as cuDNN gives them.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cudnn.h>

#include "tests/cuda_double/double.h"

struct cudnnContext {
  cudaStream_t stream = nullptr;  // the default one, until another is set
};
struct cudnnTensorStruct {
  cudnnTensorFormat_t format;
  cudnnDataType_t type;
  int n = 0, c = 0, h = 0, w = 0;
};
struct cudnnFilterStruct {
  cudnnTensorFormat_t format;
  cudnnDataType_t type;
  int k = 0, c = 0, h = 0, w = 0;
};
struct cudnnConvolutionStruct {
  int pad_h, pad_w, stride_h = 0, stride_w, dilation_h, dilation_w;
  cudnnConvolutionMode_t mode;
  cudnnDataType_t compute;
  int groups = 1;
  cudnnMathType_t math = CUDNN_DEFAULT_MATH;  // which allows TF32
};

namespace glia::cuda_double {

inline cudnnStatus_t cudnn_status_of(cudaError_t error) {
  switch (error) {
    case cudaSuccess:
      return CUDNN_STATUS_SUCCESS;
    case cudaErrorMemoryAllocation:
      return CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED;
    case cudaErrorNotSupported:
      return CUDNN_STATUS_NOT_SUPPORTED;
    case cudaErrorInitializationError:
      return CUDNN_STATUS_NOT_INITIALIZED;
    default:
      return CUDNN_STATUS_EXECUTION_FAILED;
  }
}

}  // namespace glia::cuda_double

#define GLIA_DOUBLE_ENTER_DNN()                           \
  const std::lock_guard lock(glia::cuda_double::mutex()); \
  if (const cudaError_t error = enter(__func__); error != cudaSuccess) return cudnn_status_of(error)
