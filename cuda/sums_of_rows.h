// The sums over the rows of a matrix, as a bias's gradient is, of chunks that keep the whole GPU busy.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cuda/gpu.h>
#include <cuda/kernels.h>

#include <memory>
#include <vector>

namespace glia::cuda {

/// Adds the kernels of out (columns,) = the sums over the rows of in (rows, columns), contiguous. What they work in, or null, is
/// to live as long as they run.
std::shared_ptr<Memory> append_sums_of_rows(std::vector<KernelLaunch>& kernels, Gpu& gpu, const View& in,
                                            const View& out, Bindings at);

}  // namespace glia::cuda
