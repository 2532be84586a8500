// CurrentDevice: a device that is current for the calls of a scope, without a trace after it.
// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace glia::cuda {

/// Makes a device current while it lives, and then the one that was. cudaSetDevice would make a context (half a gigabyte) on
/// the device that was current by default and that nobody uses, when that is set again: so the device's primary context is
/// pushed, and popped.
class CurrentDevice {
 public:
  explicit CurrentDevice(int index);
  ~CurrentDevice();
  CurrentDevice(const CurrentDevice&) = delete;
  CurrentDevice& operator=(const CurrentDevice&) = delete;

 private:
  bool pushed_ = false;
};

}  // namespace glia::cuda
