// Heap: see the header.
// SPDX-License-Identifier: Apache-2.0
#include <host/base/memory.h>  // defines: HostMemory
#include <host/cpu/heap.h>

namespace glia::cpu {

/// The application's, or where it gives none `own_`, which is the host's.
class Heap::Piece final : public Memory {
 public:
  Piece(Heap& heap, std::size_t bytes, MemoryUse use) : Memory(nullptr, bytes), heap_(heap), use_(use) {
    if (bytes == 0) return;
    if (heap.allocator_)
      data_ = detail::allocate_by(*heap.allocator_, bytes, MemorySpace::host, nullptr);
    else
      data_ = (own_ = std::make_unique<HostMemory>(bytes))->data();
    heap.held_.add(use, bytes);
  }
  ~Piece() override {
    if (!data_) return;
    heap_.held_.remove(use_, bytes_);
    // In a child of fork() another thread of the parent may for ever hold the allocator's locks.
    if (heap_.allocator_ && heap_.process_.is_here())
      heap_.allocator_->free(data_, bytes_, MemorySpace::host, nullptr);
  }

 private:
  Heap& heap_;
  MemoryUse use_;
  std::unique_ptr<HostMemory> own_;
};

std::unique_ptr<Memory> Heap::allocate(std::size_t bytes, MemoryUse use) {
  return std::make_unique<Piece>(*this, bytes, use);
}

}  // namespace glia::cpu
