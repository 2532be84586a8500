// Handle: the one owner of a CUDA or cuBLASLt object. Its destructor ignores errors, since it must not throw.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cublasLt.h>
#include <cuda/current_device.h>
#include <cuda_runtime_api.h>
#include <glia/error.h>
#include <glia/process_mark.h>

#include <utility>

namespace glia::cuda {

/// Whether the process ends and CUDA is gone, with all that it had. What is destroyed then (a static model, say) must leave
/// its handles alone: libraries have been seen to crash.
inline bool cuda_is_gone() noexcept {
  int device = 0;
  return cudaGetDevice(&device) == cudaErrorCudartUnloading;
}

/// The device on which something was made: there it is destroyed, lest CUDA make a context on whichever device is current.
class Origin {
 public:
  void remember() noexcept { static_cast<void>(cudaGetDevice(&device_)); }
  /// Not at the end of the process, nor in a child of fork(), which may not use CUDA.
  bool can_be_reached() const noexcept { return process_.is_here() && !cuda_is_gone(); }
  template <class Destroy>
  void destroy(const Destroy& destroy) const noexcept {
    if (!can_be_reached()) return;
    try {
      const CurrentDevice current(device_);
      destroy();
    } catch (const Error&) {  // the device is lost
      destroy();
    }
  }

 private:
  int device_ = 0;
  detail::ProcessMark process_;
};

template <class T, auto destroy>
class Handle {
 public:
  Handle() = default;
  Handle(Handle&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)), origin_(other.origin_) {}
  Handle& operator=(Handle&& other) noexcept {
    std::swap(handle_, other.handle_);
    std::swap(origin_, other.origin_);
    return *this;
  }
  ~Handle() {
    if (handle_) origin_.destroy([&] { static_cast<void>(destroy(handle_)); });
  }

  operator T() const { return handle_; }
  /// For calls that make the object. Only of an empty handle.
  T* made_here() {
    origin_.remember();
    return &handle_;
  }

 private:
  T handle_ = nullptr;
  Origin origin_;
};

using Stream = Handle<cudaStream_t, cudaStreamDestroy>;
using Event = Handle<cudaEvent_t, cudaEventDestroy>;
using Graph = Handle<cudaGraph_t, cudaGraphDestroy>;
using ExecutableGraph = Handle<cudaGraphExec_t, cudaGraphExecDestroy>;
using Pool = Handle<cudaMemPool_t, cudaMemPoolDestroy>;
using LtHandle = Handle<cublasLtHandle_t, cublasLtDestroy>;
using LtOperation = Handle<cublasLtMatmulDesc_t, cublasLtMatmulDescDestroy>;
using LtLayout = Handle<cublasLtMatrixLayout_t, cublasLtMatrixLayoutDestroy>;
using LtPreference = Handle<cublasLtMatmulPreference_t, cublasLtMatmulPreferenceDestroy>;

}  // namespace glia::cuda
