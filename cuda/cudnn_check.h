// Checks of cuDNN's answers, and what they mean.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cuda/check.h>  // defines: fail_if_lost
#include <cuda/cudnn_library.h>
#include <glia/error.h>
#include <glia/text.h>  // defines: detail::concat

#include <string>

namespace glia::cuda {

/// Throws OutOfMemoryError where memory is short, DeviceError for all else.
[[noreturn]] inline void fail(const CudnnApi& api, cudnnStatus_t status, const char* call,
                              SourceLocation where) {
  fail_if_lost(call, where);
  const std::string message = detail::concat(call, " failed: ", api.GetErrorString(status), "; ");
  if (status == CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED ||
      status == CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED)
    throw OutOfMemoryError(message + "use smaller batches, or free other tensors first", where);
  throw DeviceError(message + "check that cuDNN's version goes with the driver's", where);
}

inline void check(const CudnnApi& api, cudnnStatus_t status, const char* call,
                  SourceLocation where = SourceLocation::here()) {
  if (status != CUDNN_STATUS_SUCCESS) fail(api, status, call, where);
}
#define GLIA_CUDNN(api, name, ...) ::glia::cuda::check(api, (api).name(__VA_ARGS__), "cudnn" #name)

/// Whether cuDNN says that it does not do what it was asked for. For sizes beyond its limits it may call a parameter bad.
inline bool refuses(cudnnStatus_t status) {
  const int category = CUDNN_STATUS_CATEGORY(status);
  return category == CUDNN_STATUS_NOT_SUPPORTED || category == CUDNN_STATUS_BAD_PARAM;
}

}  // namespace glia::cuda
