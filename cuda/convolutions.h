// Ops of convolutions: cuDNN's products, with what puts their operands into its layout; kernels where it has none.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cuda/cudnn.h>
#include <glia/backend.h>

#include <memory>

namespace glia::cuda {

/// Whether cuDNN has an algorithm for a convolution of any of the three kinds, with bfloat16 factors.
template <class D>
bool multiplies_bfloat16(Cudnn& cudnn, const D& d);

std::unique_ptr<Op> prepare_convolution(Gpu& gpu, Cudnn& cudnn, const op::Convolution& d, const Bindings& at);
std::unique_ptr<Op> prepare_convolution(Gpu& gpu, Cudnn& cudnn, const op::ConvolutionTranspose& d,
                                        const Bindings& at);
std::unique_ptr<Op> prepare_convolution(Gpu& gpu, Cudnn& cudnn, const op::ConvolutionWeights& d,
                                        const Bindings& at);

}  // namespace glia::cuda
