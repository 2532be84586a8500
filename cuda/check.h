// Checks of CUDA's and cuBLASLt's answers: each failure becomes a glia::Error that names the call, the error and
// the remedy.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cublasLt.h>
#include <cuda_runtime_api.h>
#include <glia/error.h>

namespace glia::cuda {

/// Throws OutOfMemoryError for cudaErrorMemoryAllocation, DeviceError for all else. After one that is_sticky() the current
/// device is lost to all who come (lost.h).
[[noreturn]] void fail(cudaError_t error, const char* call, SourceLocation where);
[[noreturn]] void fail(cublasStatus_t status, const char* call, SourceLocation where);

/// Where a library says only that it failed: throws what it failed of, if the device is lost. Errors that are not sticky are
/// done with.
void fail_if_lost(const char* call, SourceLocation where);

/// Whether every later call of the process on this device fails too (CUDA Runtime API, cudaError_t).
bool is_sticky(cudaError_t error);

/// "cudaErrorNoDevice (no CUDA-capable device is detected)".
std::string in_words(cudaError_t error);

inline void check(cudaError_t error, const char* call, SourceLocation where = SourceLocation::here()) {
  if (error != cudaSuccess) fail(error, call, where);
}
inline void check(cublasStatus_t status, const char* call, SourceLocation where = SourceLocation::here()) {
  if (status != CUBLAS_STATUS_SUCCESS) fail(status, call, where);
}

#define GLIA_CUDA(...) ::glia::cuda::check(__VA_ARGS__, #__VA_ARGS__)

}  // namespace glia::cuda
