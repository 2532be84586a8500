// The Op of a body of the application's own on a GPU.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cuda/gpu.h>
#include <glia/backend.h>

#include <memory>

namespace glia::cuda {

/// Throws DeviceError where there is no body for CUDA.
std::unique_ptr<Op> prepare_custom(Gpu& gpu, const op::Custom& d, const Bindings& at);

}  // namespace glia::cuda
