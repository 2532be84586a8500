// The CUDA backend's library, opened at run time so that a program starts where CUDA is not installed.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/backend.h>

#include <memory>
#include <string>

namespace glia::cuda_library {

/// How many CUDA devices there are, and where none, why not. Opens the library at its first call; touches no device.
struct Availability {
  int devices = 0;
  std::string reason;       ///< empty where there are devices
  std::string description;  ///< the devices, for device_report()
};
Availability availability();

/// The same of one device, which is started: what "auto" takes, and the report speaks of.
Availability first_device();

/// A backend on a CUDA device; throws DeviceError with the reason where it cannot be had, StateError in a child of a process that
/// called CUDA.
std::shared_ptr<Backend> make_backend(const ContextOptions& options);

}  // namespace glia::cuda_library
