// Recurrent layers and their gradients: rows do not depend on each other, so a slice goes through all steps with some of them.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/backend.h>
#include <host/cpu/heap.h>
#include <host/cpu/kernel_table.h>
#include <host/cpu/thread_pool.h>

#include <memory>

namespace glia::cpu {

/// An Op of a Recurrent or a RecurrentGradient; null for any other descriptor.
std::unique_ptr<Op> prepare_recurrent(ThreadPool& pool, Heap& heap, const KernelTable& kernels,
                                      const Descriptor& descriptor, const Bindings& at);

}  // namespace glia::cpu
