// cuDNN of the double: the library, its handle and its descriptors. What they refuse is what cuDNN 9.19 answers, which
// needs no GPU for that.
// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstdint>
#include <limits>

#include "cuda/cudnn_library.h"
#include "tests/cuda_double/cudnn.h"

namespace glia::cuda_double {
namespace {

template <class T>
cudnnStatus_t create(T** object, const char* kind) {
  if (!object) return CUDNN_STATUS_BAD_PARAM_NULL_POINTER;
  *object = new T;
  count_object(kind, 1);
  return CUDNN_STATUS_SUCCESS;
}
template <class T>
cudnnStatus_t destroy(T* object, const char* kind, cudaError_t before) {
  delete object;
  count_object(kind, -1);
  return cudnn_status_of(before);
}

cudnnStatus_t check_dimensions(const void* descriptor, std::initializer_list<int> dimensions) {
  if (!descriptor) return CUDNN_STATUS_BAD_PARAM;
  std::int64_t elements = 1;
  for (const int dimension : dimensions) {
    if (dimension < 1) return CUDNN_STATUS_BAD_PARAM;
    elements *= dimension;
    if (elements > std::numeric_limits<int>::max()) return CUDNN_STATUS_NOT_SUPPORTED;
  }
  return CUDNN_STATUS_SUCCESS;
}

}  // namespace
}  // namespace glia::cuda_double

// In the place of cuda/cudnn_library.cpp.
std::optional<glia::cuda::CudnnApi> glia::cuda::load_cudnn(std::string& why_not) {
  const std::lock_guard lock(cuda_double::mutex());
  if (!cuda_double::settings().has_cudnn) {
    why_not = "libcudnn.so.9: cannot open shared object file";
    return {};
  }
  CudnnApi api = {};
#define GLIA_SET(name) api.name = cudnn##name;
  GLIA_CUDNN_FUNCTIONS(GLIA_SET)
#undef GLIA_SET
  return api;
}

using namespace glia::cuda_double;

extern "C" {

std::size_t cudnnGetVersion() { return settings().cudnn_version; }

const char* cudnnGetErrorString(cudnnStatus_t status) {
  switch (status) {
#define GLIA_NAMED(name) \
  case name:             \
    return #name;
    GLIA_NAMED(CUDNN_STATUS_SUCCESS)
    GLIA_NAMED(CUDNN_STATUS_NOT_INITIALIZED)
    GLIA_NAMED(CUDNN_STATUS_BAD_PARAM)
    GLIA_NAMED(CUDNN_STATUS_BAD_PARAM_NULL_POINTER)
    GLIA_NAMED(CUDNN_STATUS_BAD_PARAM_SIZE_INSUFFICIENT)
    GLIA_NAMED(CUDNN_STATUS_NOT_SUPPORTED)
    GLIA_NAMED(CUDNN_STATUS_NOT_SUPPORTED_LAYOUT)
    GLIA_NAMED(CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED)
    GLIA_NAMED(CUDNN_STATUS_EXECUTION_FAILED)
#undef GLIA_NAMED
    default:
      return "unknown status";
  }
}

// Allocates on the device, which a capture forbids.
cudnnStatus_t cudnnCreate(cudnnHandle_t* handle) {
  GLIA_DOUBLE_ENTER_DNN();
  if (const cudaError_t error = forbidden_in_capture(); error != cudaSuccess) return cudnn_status_of(error);
  return create(handle, "cuDNN handle");
}
cudnnStatus_t cudnnDestroy(cudnnHandle_t handle) {
  GLIA_DOUBLE_ENTER_TO_DESTROY();
  return destroy(handle, "cuDNN handle", before);
}
cudnnStatus_t cudnnSetStream(cudnnHandle_t handle, cudaStream_t stream) {
  GLIA_DOUBLE_ENTER_DNN();
  if (!handle) return CUDNN_STATUS_BAD_PARAM_NULL_POINTER;
  handle->stream = stream;
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnCreateTensorDescriptor(cudnnTensorDescriptor_t* descriptor) {
  GLIA_DOUBLE_ENTER_DNN();
  return create(descriptor, "cuDNN descriptor");
}
cudnnStatus_t cudnnDestroyTensorDescriptor(cudnnTensorDescriptor_t descriptor) {
  GLIA_DOUBLE_ENTER_TO_DESTROY();
  return destroy(descriptor, "cuDNN descriptor", before);
}
cudnnStatus_t cudnnSetTensor4dDescriptor(cudnnTensorDescriptor_t descriptor, cudnnTensorFormat_t format,
                                         cudnnDataType_t type, int n, int c, int h, int w) {
  GLIA_DOUBLE_ENTER_DNN();
  const cudnnStatus_t status = check_dimensions(descriptor, {n, c, h, w});
  if (status == CUDNN_STATUS_SUCCESS) *descriptor = {format, type, n, c, h, w};
  return status;
}

cudnnStatus_t cudnnCreateFilterDescriptor(cudnnFilterDescriptor_t* descriptor) {
  GLIA_DOUBLE_ENTER_DNN();
  return create(descriptor, "cuDNN descriptor");
}
cudnnStatus_t cudnnDestroyFilterDescriptor(cudnnFilterDescriptor_t descriptor) {
  GLIA_DOUBLE_ENTER_TO_DESTROY();
  return destroy(descriptor, "cuDNN descriptor", before);
}
// The type comes before the format here.
cudnnStatus_t cudnnSetFilter4dDescriptor(cudnnFilterDescriptor_t descriptor, cudnnDataType_t type,
                                         cudnnTensorFormat_t format, int k, int c, int h, int w) {
  GLIA_DOUBLE_ENTER_DNN();
  const cudnnStatus_t status = check_dimensions(descriptor, {k, c, h, w});
  if (status == CUDNN_STATUS_SUCCESS) *descriptor = {format, type, k, c, h, w};
  return status;
}

cudnnStatus_t cudnnCreateConvolutionDescriptor(cudnnConvolutionDescriptor_t* descriptor) {
  GLIA_DOUBLE_ENTER_DNN();
  return create(descriptor, "cuDNN descriptor");
}
cudnnStatus_t cudnnDestroyConvolutionDescriptor(cudnnConvolutionDescriptor_t descriptor) {
  GLIA_DOUBLE_ENTER_TO_DESTROY();
  return destroy(descriptor, "cuDNN descriptor", before);
}
// Leaves groups and type of mathematics as they are.
cudnnStatus_t cudnnSetConvolution2dDescriptor(cudnnConvolutionDescriptor_t descriptor, int pad_h, int pad_w,
                                              int stride_h, int stride_w, int dilation_h, int dilation_w,
                                              cudnnConvolutionMode_t mode, cudnnDataType_t compute) {
  GLIA_DOUBLE_ENTER_DNN();
  if (!descriptor || pad_h < 0 || pad_w < 0 || stride_h < 1 || stride_w < 1 || dilation_h < 1 ||
      dilation_w < 1)
    return CUDNN_STATUS_BAD_PARAM;
  *descriptor = {pad_h,      pad_w, stride_h, stride_w,           dilation_h,
                 dilation_w, mode,  compute,  descriptor->groups, descriptor->math};
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnSetConvolutionGroupCount(cudnnConvolutionDescriptor_t descriptor, int groups) {
  GLIA_DOUBLE_ENTER_DNN();
  if (!descriptor || groups < 1) return CUDNN_STATUS_BAD_PARAM;
  descriptor->groups = groups;
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnSetConvolutionMathType(cudnnConvolutionDescriptor_t descriptor, cudnnMathType_t math) {
  GLIA_DOUBLE_ENTER_DNN();
  if (!descriptor || math < CUDNN_DEFAULT_MATH || math > CUDNN_FMA_MATH) return CUDNN_STATUS_BAD_PARAM;
  descriptor->math = math;
  return CUDNN_STATUS_SUCCESS;
}

}  // extern "C"
