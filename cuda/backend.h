// The CUDA backend: Ops on one stream, a step captured in a graph.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/backend.h>

#include <string>

namespace glia::cuda {

/// How many devices there are; where none, the reason. `description` says what they are. Touches none of them.
struct Devices {
  int count = 0;
  std::string reason, description;
};
Devices find_devices();

/// Why this library's kernels do not run on a device; empty where they do. Makes a context on it.
std::string why_unusable(int index);

/// Throws DeviceError, OutOfMemoryError.
Backend* make_backend(const ContextOptions& options);

}  // namespace glia::cuda
