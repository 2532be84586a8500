// What the CUDA double tells of the work that tests enqueued.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <string>
#include <vector>

#include "tests/cuda_double/controls.h"

extern "C" glia::cuda_double::Controls* glia_cuda_double();

namespace glia::cuda_double {

/// What was trapped of all that was enqueued, once at most; then the device is whole again.
inline std::string told() {
  Controls& controls = *glia_cuda_double();
  const cudaError_t error = cudaStreamSynchronize(nullptr);
  const std::vector<std::string> traps = controls.traps();
  EXPECT_EQ(error, traps.empty() ? cudaSuccess : cudaErrorIllegalAddress);
  EXPECT_LE(traps.size(), 1u);
  controls.reset();
  return traps.empty() ? "" : traps[0];
}

/// The same of a copy of `bytes` bytes of the device to the host.
inline std::string told_of_copy(const void* from, std::size_t bytes) {
  void* host = nullptr;
  cudaMallocHost(&host, bytes);
  cudaMemcpyAsync(host, from, bytes, cudaMemcpyDeviceToHost, nullptr);
  const std::string result = told();
  cudaFreeHost(host);
  return result;
}

}  // namespace glia::cuda_double
