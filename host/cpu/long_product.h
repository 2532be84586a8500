// Products over long k in float32 on the CPU: oneDNN multiplies slices of k, whose results are added in float64, as
// kernels/sum.h does it for sums.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/backend.h>
#include <host/cpu/kernel_table.h>
#include <host/cpu/onednn.h>
#include <host/cpu/thread_pool.h>

#include <memory>

namespace glia::cpu {

/// Null for a product that is not of float32, or not over long k (op::longest_plain_k).
std::unique_ptr<Op> prepare_long_product(ThreadPool& pool, const OneDnn& onednn, const KernelTable& kernels,
                                         const op::Matmul& matmul, const Bindings& bindings);

/// How many pixels oneDNN may sum for the gradient of a convolution's weights: equal addends to a relative 3e-4 where there
/// are few channels, which it sums one by one, and to 8e-5 where there are many, which it sums by rows of the image.
inline std::int64_t most_plain_pixels(const op::ConvolutionWeights& weights) {
  return weights.x.shape[3] < 16 ? 32768 : 262144;
}
/// Beyond that: patches of the images are copied, and multiplied. Null for one with groups or of bfloat16 factors.
std::unique_ptr<Op> prepare_long_product(ThreadPool& pool, const OneDnn& onednn, const KernelTable& kernels,
                                         const op::ConvolutionWeights& weights, const Bindings& bindings);

}  // namespace glia::cpu
