// Owners of cuDNN's objects.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cuda/cudnn_library.h>
#include <cuda/handle.h>

#include <utility>

namespace glia::cuda {

/// Handle (handle.h) for objects that a function of the table destroys.
template <class T, auto destroy>
class Owned {
 public:
  explicit Owned(const CudnnApi& api) : api_(&api) {}
  Owned(Owned&& other) noexcept
      : api_(other.api_), handle_(std::exchange(other.handle_, nullptr)), origin_(other.origin_) {}
  ~Owned() {
    if (handle_) origin_.destroy([&] { static_cast<void>((api_->*destroy)(handle_)); });
  }
  operator T() const { return handle_; }
  T* made_here() {
    origin_.remember();
    return &handle_;
  }

 private:
  const CudnnApi* api_;
  T handle_ = nullptr;
  Origin origin_;
};

}  // namespace glia::cuda
