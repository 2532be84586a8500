// What backends share about memory: the count of what is held, and the application's allocator with its
// answers checked. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/allocator.h>
#include <glia/error.h>
#include <glia/macros.h>
#include <glia/memory_report.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <string>

namespace GLIA_API glia {
namespace detail {

/// Bytes by use. Any thread may add, since any may destroy a tensor.
class HeldMemory {
 public:
  void add(MemoryUse use, std::size_t bytes) noexcept { of(use) += static_cast<std::int64_t>(bytes); }
  void remove(MemoryUse use, std::size_t bytes) noexcept { of(use) -= static_cast<std::int64_t>(bytes); }
  MemoryReport report() const {
    const auto held = [this](MemoryUse use) { return bytes_[static_cast<std::size_t>(use)].load(); };
    return {held(MemoryUse::weights),     held(MemoryUse::gradients),
            held(MemoryUse::optimizer),   held(MemoryUse::temporaries),
            held(MemoryUse::states),      held(MemoryUse::data),
            held(MemoryUse::tensors),     held(MemoryUse::workspaces),
            held(MemoryUse::page_locked), 0};
  }

 private:
  std::atomic<std::int64_t>& of(MemoryUse use) { return bytes_[static_cast<std::size_t>(use)]; }

  std::array<std::atomic<std::int64_t>, memory_uses> bytes_ = {};
};

/// Memory of the application's; `bytes` is not 0. Throws OutOfMemoryError, and ValueError where it is not
/// aligned.
inline std::byte* allocate_by(Allocator& allocator, std::size_t bytes, MemorySpace space, void* stream) {
  constexpr std::size_t alignment = 256;
  const char* const names[] = {"device", "page-locked", "host"};
  std::string words;
  void* memory = nullptr;
  try {
    memory = allocator.allocate(bytes, space, stream);
  } catch (const std::exception& error) {
    words = concat(" (", error.what(), ")");
  } catch (...) {
    words = " (it threw what is no std::exception)";
  }
  GLIA_CHECK(memory, OutOfMemoryError, "the context's allocator has no ", bytes, " bytes of ",
             names[static_cast<int>(space)], " memory left", words,
             ": use smaller batches, a memory_budget for fit, or free other tensors and models first");
  if (reinterpret_cast<std::uintptr_t>(memory) % alignment == 0) return static_cast<std::byte*>(memory);
  allocator.free(memory, bytes, space, stream);
  throw ValueError(concat("the context's allocator gave ", names[static_cast<int>(space)], " memory at ",
                          memory, ", expected an address aligned to ", alignment, " bytes: round it up"));
}

}  // namespace detail
}  // namespace glia
