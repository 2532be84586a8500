// Ops of float32 convolutions on the CPU: slices of whole images by oneDNN, the epilogue while they are in the cache.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/backend.h>
#include <host/cpu/kernel_table.h>
#include <host/cpu/onednn.h>
#include <host/cpu/thread_pool.h>

#include <memory>

namespace glia::cpu {

/// Null for any descriptor but a convolution, its transpose or the gradient of its weights, in float32.
std::unique_ptr<Op> prepare_convolution(ThreadPool& pool, const OneDnn& onednn, const KernelTable& kernels,
                                        const Descriptor& descriptor, const Bindings& bindings);

}  // namespace glia::cpu
