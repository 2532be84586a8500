// Memory that keeps its device alive.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/backend.h>  // defines: Memory
#include <glia/context.h>  // defines: Context

#include <cstddef>
#include <memory>

namespace glia {

/// Memory from a context's backend. It holds the context, so that the device outlives the allocation.
class ContextMemory final : public Memory {
 public:
  /// Throws OutOfMemoryError.
  ContextMemory(const Context& context, std::size_t bytes, MemoryUse use);

  const Context& context() const { return context_; }

  /// Work that writes it is under way on the context's stream, and others must wait before they read: finish().
  void begin() const { under_way_ = true; }
  /// Waits for the context's work where any writes here. Throws StateError while the application captures the stream.
  void finish() const;

 private:
  ContextMemory(const Context& context, std::unique_ptr<Memory> memory);

  Context context_;  // before memory_: memory goes first
  std::unique_ptr<Memory> memory_;
  mutable bool under_way_ = false;
};

}  // namespace glia
