// For each descriptor the GPU functions that do it, with their arguments and launch shapes. The functions themselves are in
// cuda/kernels/; everything else in cuda/ is plain C++.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/backend.h>  // defines: Descriptor, Bindings
#include <glia/recurrent_steps.h>

#include <cstddef>
#include <vector>

namespace glia::cuda {

constexpr unsigned warp_threads = 32;
constexpr unsigned most_threads = 256;  ///< of a block

/// A kernel functor as bytes. Every GPU function takes exactly one of these, so that launching needs to know
/// no type.
struct KernelParameter {
  alignas(16) std::byte bytes[576];
};

/// A GPU function with its arguments, ready for cudaLaunchKernel.
struct KernelLaunch {
  const void* function;  ///< void (KernelParameter)
  unsigned blocks, threads;
  KernelParameter parameter;
};

/// The kernels of any descriptor but a product, in order. `most_blocks` is what fills the device.
std::vector<KernelLaunch> elementary_kernels(const Descriptor& descriptor, const Bindings& bindings,
                                             unsigned most_blocks);
/// The same, behind those that are there; allocates only where there is no room for them.
void append_elementary_kernels(const Descriptor& descriptor, const Bindings& bindings, unsigned most_blocks,
                               std::vector<KernelLaunch>& launches);

/// A product by plain loops, its bias gradient by sums in one launch, and its epilogue: where no library algorithm is.
KernelLaunch product_kernel(const op::Matmul& matmul, const Bindings& bindings, unsigned most_blocks);
KernelLaunch bias_gradient_kernel(const op::Matmul& matmul, const Bindings& bindings, unsigned most_blocks);
/// Empty where the product has neither bias, activation nor derivative.
std::vector<KernelLaunch> epilogue_kernels(const op::Epilogue& epilogue, const Bindings& bindings,
                                           unsigned most_blocks);

/// What follows the product of a stage of a recurrent layer, or of its gradient.
template <class Recurrent>
KernelLaunch stage_kernel(const Recurrent& recurrent, const RecurrentStage& stage, const Bindings& bindings,
                          unsigned most_blocks);

/// out (columns, rows) = in (rows, columns) transposed; both contiguous.
KernelLaunch transpose_kernel(const View& in, const View& out, const Bindings& bindings,
                              unsigned most_blocks);

}  // namespace glia::cuda
