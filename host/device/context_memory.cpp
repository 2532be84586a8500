// Memory that keeps its device alive.
// SPDX-License-Identifier: Apache-2.0
#include <host/device/context_memory.h>

#include <utility>

namespace glia {

ContextMemory::ContextMemory(const Context& context, std::size_t bytes, MemoryUse use)
    : ContextMemory(context, context.backend().allocate(bytes, use)) {}

ContextMemory::ContextMemory(const Context& context, std::unique_ptr<Memory> memory)
    : Memory(memory->data(), memory->bytes()), context_(context), memory_(std::move(memory)) {}

}  // namespace glia
