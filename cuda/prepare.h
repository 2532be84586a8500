// From a list of descriptors to Ops: which product does what beside multiplying, and what is left to kernels.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cuda/cublaslt.h>
#include <cuda/cudnn.h>
#include <glia/backend.h>

#include <memory>
#include <vector>

namespace glia::cuda {

/// Whether the GPU has tensor cores for bfloat16, and cuBLASLt or cuDNN an algorithm for this product of such factors.
bool multiplies_bfloat16(const Gpu& gpu, CublasLt& lt, Cudnn& cudnn, const Descriptor& product);

std::vector<std::unique_ptr<Op>> prepare_ops(Gpu& gpu, CublasLt& lt, Cudnn& cudnn,
                                             const std::vector<Descriptor>& descriptors,
                                             const Bindings& bindings);

}  // namespace glia::cuda
