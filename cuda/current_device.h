// CurrentDevice: a device that is current for the calls of a scope, without a trace after it.
// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace glia::cuda {

/// Makes a device current while it lives, and then the one that was. cudaSetDevice would make a context (half a gigabyte) on
/// the device that was current by default and that nobody uses, when that is set again: so the device's primary context is
/// pushed, and popped.
class CurrentDevice {
 public:
  /// Throws DeviceError, and asks CUDA nothing, where the device is lost (lost.h).
  explicit CurrentDevice(int index);
  ~CurrentDevice();
  /// That of the innermost one of this thread, to which errors belong; -1 where there is none.
  static int innermost() noexcept;
  CurrentDevice(const CurrentDevice&) = delete;
  CurrentDevice& operator=(const CurrentDevice&) = delete;

 private:
  int outer_;
  bool pushed_ = false;
};

}  // namespace glia::cuda
