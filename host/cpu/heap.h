// Heap: the memory of a CPU context, from the application's allocator or from the host's, and what is held of it.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/backend.h>  // defines: Memory
#include <glia/held_memory.h>
#include <glia/process_mark.h>

#include <cstddef>
#include <memory>
#include <utility>

namespace glia::cpu {

class Heap {
 public:
  /// Null: the host's.
  explicit Heap(std::shared_ptr<Allocator> allocator) : allocator_(std::move(allocator)) {}
  Heap(const Heap&) = delete;
  Heap& operator=(const Heap&) = delete;

  /// Contents unspecified, aligned to 256 bytes; null for 0 bytes. It may not outlive the heap. Throws OutOfMemoryError.
  std::unique_ptr<Memory> allocate(std::size_t bytes, MemoryUse use = MemoryUse::workspaces);
  MemoryReport report() const { return held_.report(); }

 private:
  class Piece;

  std::shared_ptr<Allocator> allocator_;
  detail::HeldMemory held_;
  detail::ProcessMark process_;
};

}  // namespace glia::cpu
