// What tensors compute on a GPU.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cuda/gpu.h>
#include <glia/tensor_work.h>

namespace glia::cuda {

/// Enqueues the work; what it needs on the way comes from the pool in the stream's order, and goes back in it.
void compute(Gpu& gpu, const TensorWork& work);

}  // namespace glia::cuda
