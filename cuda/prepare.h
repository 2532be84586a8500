// From a list of descriptors to Ops: which product does what beside multiplying, and what is left to kernels.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cuda/cublaslt.h>
#include <cuda/cudnn.h>
#include <glia/backend.h>

#include <memory>
#include <vector>

namespace glia::cuda {

std::vector<std::unique_ptr<Op>> prepare_ops(Gpu& gpu, CublasLt& lt, Cudnn& cudnn,
                                             const std::vector<Descriptor>& descriptors,
                                             const Bindings& bindings);

}  // namespace glia::cuda
