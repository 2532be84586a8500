// What CUDA's and cuBLASLt's errors mean to the user.
// SPDX-License-Identifier: Apache-2.0
#include <cuda/check.h>
#include <cuda/current_device.h>
#include <cuda/lost.h>

namespace glia::cuda {
namespace {

const char* remedy(cudaError_t error) {
  if (is_sticky(error))
    return "the device's context is lost with all its memory: end the process and start again; "
           "compute-sanitizer shows where it began";
  if (error == cudaErrorNoKernelImageForDevice)
    return "Glia's CUDA backend was not built for this GPU: add its architecture to CMAKE_CUDA_ARCHITECTURES";
  return "see device_report(), and nvidia-smi for the driver's view";
}

}  // namespace

bool is_sticky(cudaError_t error) {
  return error == cudaErrorIllegalAddress || error == cudaErrorLaunchTimeout || error == cudaErrorAssert ||
         (error >= cudaErrorHardwareStackError && error <= cudaErrorLaunchFailure);
}

std::string in_words(cudaError_t error) {
  return detail::concat(cudaGetErrorName(error), " (", cudaGetErrorString(error), ")");
}

void fail(cudaError_t error, const char* call, SourceLocation where) {
  cudaGetLastError();  // an error that is not sticky is done with
  if (is_sticky(error)) LostDevices::add(CurrentDevice::innermost(), error);
  const std::string message = detail::concat(call, " failed: ", in_words(error), "; ");
  if (error == cudaErrorMemoryAllocation)
    throw OutOfMemoryError(message + "use smaller batches, a memory_budget, or free other tensors first",
                           where);
  throw DeviceError(message + remedy(error), where);
}

void fail_if_lost(const char* call, SourceLocation where) {
  if (const cudaError_t error = cudaGetLastError(); is_sticky(error)) fail(error, call, where);
}

void fail(cublasStatus_t status, const char* call, SourceLocation where) {
  fail_if_lost(call, where);
  const std::string message = detail::concat(call, " failed: ", cublasLtGetStatusName(status), " (",
                                             cublasLtGetStatusString(status), "); ");
  if (status == CUBLAS_STATUS_ALLOC_FAILED)
    throw OutOfMemoryError(message + "use smaller batches, or free other tensors first", where);
  throw DeviceError(message + "check that cuBLAS's version goes with the driver's", where);
}

}  // namespace glia::cuda
