// Recurrent layers and their gradients: a product by cuBLASLt and a kernel for each stage of a step, captured with the others.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cuda/cublaslt.h>
#include <glia/backend.h>

#include <memory>

namespace glia::cuda {

/// An Op of a Recurrent or a RecurrentGradient; null for any other descriptor.
std::unique_ptr<Op> prepare_recurrent(Gpu& gpu, CublasLt& lt, const Descriptor& descriptor,
                                      const Bindings& at);

}  // namespace glia::cuda
