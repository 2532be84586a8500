// LostDevices: GPUs that an error has taken from this process, with all that lay on them (CUDA Runtime API, cudaError_t: errors that
// leave the process in an inconsistent state).
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cuda_runtime_api.h>

#include <array>
#include <atomic>

namespace glia::cuda {

/// Of the process, not of a context, as CUDA has it: any context on the device finds it lost. Any thread may ask.
class LostDevices {
 public:
  static bool any() noexcept { return any_; }
  /// What it was lost to; cudaSuccess for one that is there.
  static cudaError_t error_of(int device) noexcept {
    return is_known(device) ? at(device).load() : cudaSuccess;
  }
  static void add(int device, cudaError_t error) noexcept {
    if (!is_known(device)) return;
    at(device) = error;
    any_ = true;
  }
  /// For the double of CUDA, whose devices can be made whole.
  static void forget() noexcept {
    for (auto& error : errors_) error = cudaSuccess;
    any_ = false;
  }

 private:
  static constexpr int most = 64;  // that a process sees; a later one is told lost by CUDA itself
  static bool is_known(int device) noexcept { return device >= 0 && device < most; }
  static std::atomic<cudaError_t>& at(int device) noexcept {
    return errors_[static_cast<std::size_t>(device)];
  }

  inline static std::array<std::atomic<cudaError_t>, most> errors_ = {};
  inline static std::atomic<bool> any_{false};
};

}  // namespace glia::cuda
