// Every new and delete of a program, of which its test is told. The operators are replaced all together: one that stayed would
// take memory from one allocator which a delete gives to another. For one source of a program, once.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdlib>
#include <new>

namespace glia::test {

/// What the source that includes this defines. Alignment 0: a new that asks for none.
void note_new(void* memory, std::size_t alignment);
void note_delete(void* memory, std::size_t alignment);

inline void* allocate_noted(std::size_t bytes, std::size_t alignment) noexcept {
  if (bytes == 0) bytes = 1;
  void* const memory = alignment == 0
                           ? std::malloc(bytes)
                           : std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
  if (memory) note_new(memory, alignment);
  return memory;
}

inline void* allocate_noted_or_throw(std::size_t bytes, std::size_t alignment) {
  if (void* memory = allocate_noted(bytes, alignment)) return memory;
  throw std::bad_alloc();
}

inline void free_noted(void* memory, std::size_t alignment) noexcept {
  if (memory) note_delete(memory, alignment);
  std::free(memory);
}

}  // namespace glia::test

// g++ sees malloc and free inlined into a new and its delete, and calls that a mismatch.
#pragma GCC diagnostic ignored "-Wmismatched-new-delete"

// Clang's ThreadSanitizer brings its own, beside which no others can be linked: there nothing is counted.
#if !defined(__clang__) || !defined(__SANITIZE_THREAD__)

// Those of arrays call these.
void* operator new(std::size_t bytes) { return glia::test::allocate_noted_or_throw(bytes, 0); }
void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept {
  return glia::test::allocate_noted(bytes, 0);
}
void* operator new(std::size_t bytes, std::align_val_t alignment) {
  return glia::test::allocate_noted_or_throw(bytes, static_cast<std::size_t>(alignment));
}
void* operator new(std::size_t bytes, std::align_val_t alignment, const std::nothrow_t&) noexcept {
  return glia::test::allocate_noted(bytes, static_cast<std::size_t>(alignment));
}
void operator delete(void* memory) noexcept { glia::test::free_noted(memory, 0); }
void operator delete(void* memory, std::size_t) noexcept { glia::test::free_noted(memory, 0); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { glia::test::free_noted(memory, 0); }
void operator delete(void* memory, std::align_val_t alignment) noexcept {
  glia::test::free_noted(memory, static_cast<std::size_t>(alignment));
}
void operator delete(void* memory, std::size_t, std::align_val_t alignment) noexcept {
  glia::test::free_noted(memory, static_cast<std::size_t>(alignment));
}
void operator delete(void* memory, std::align_val_t alignment, const std::nothrow_t&) noexcept {
  glia::test::free_noted(memory, static_cast<std::size_t>(alignment));
}

#endif
