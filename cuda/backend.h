// The CUDA backend: Ops on one stream, a step captured in a graph.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/backend.h>

#include <string>

namespace glia::cuda {

/// How many devices can be used; where none, the reason. `description` says what they are.
struct Devices {
  int count = 0;
  std::string reason, description;
};
Devices find_devices();

/// Throws DeviceError, OutOfMemoryError.
Backend* make_backend(const ContextOptions& options);

}  // namespace glia::cuda
