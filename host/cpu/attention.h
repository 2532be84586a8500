// Attention and its gradient in float32: a slice has some heads of keys, each of a row, with all queries that look at them.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/backend.h>
#include <host/cpu/heap.h>
#include <host/cpu/kernel_table.h>
#include <host/cpu/thread_pool.h>

#include <memory>

namespace glia::cpu {

/// An Op of an Attention or an AttentionGradient in float32; null for any other descriptor.
std::unique_ptr<Op> prepare_attention(ThreadPool& pool, Heap& heap, const KernelTable& kernels,
                                      const Descriptor& descriptor, const Bindings& at);

}  // namespace glia::cpu
