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

/// Throws DeviceError where memory that `data` points to is not on `said`, as far as CUDA knows, once a backend was made: a
/// pointer of another device, or of the host. For pointers of the application, before they are first used; in no step: it takes
/// about a microsecond. Null is taken for no memory. Neither allocates nor synchronises; any thread may ask.
void expect_on(const Device& said, const void* data);

}  // namespace glia::cuda_library
