// Memory that keeps its device alive.
// SPDX-License-Identifier: Apache-2.0
#include <host/device/context_memory.h>

#include <utility>

namespace glia {

ContextMemory::ContextMemory(const Context& context, std::size_t bytes, MemoryUse use)
    : ContextMemory(context, context.backend().allocate(bytes, use)) {}

ContextMemory::ContextMemory(const Context& context, std::unique_ptr<Memory> memory)
    : Memory(memory->data(), memory->bytes()), context_(context), memory_(std::move(memory)) {}

void ContextMemory::finish() const {
  if (!under_way_) return;
  const detail::InUse::Hold hold(context_.backend().in_use(), Backend::in_use_elsewhere);
  context_.backend().synchronize();
  under_way_ = false;
}

}  // namespace glia
