// Which bytes of the device's memory anything wrote since they were allocated: a second region, a byte for each of the
// first, where 1 says so. Kernels tell it through watched.cpp, the imitated functions by themselves.
// SPDX-License-Identifier: Apache-2.0
#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>

#include "tests/cuda_double/double.h"

namespace glia::cuda_double {
namespace {

std::uintptr_t region = 0;
std::size_t region_bytes = 0;
std::byte* shadow = nullptr;  // null: nothing is watched

/// Of memory that may not be the device's: null.
std::byte* shadow_of(const void* address) {
  const std::uintptr_t offset = reinterpret_cast<std::uintptr_t>(address) - region;
  return shadow && offset < region_bytes ? shadow + offset : nullptr;
}

}  // namespace

// watched.cpp says true.
__attribute__((weak)) bool has_watched_kernels() { return false; }

bool is_watched(const void* address) { return shadow_of(address) != nullptr; }

void watch_region(const void* begin, std::size_t bytes) {
  if (!has_watched_kernels()) return;
  region = reinterpret_cast<std::uintptr_t>(begin);
  region_bytes = bytes;
  shadow = static_cast<std::byte*>(
      mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
}

void watch_pages(const void* begin, std::size_t bytes) {
  if (std::byte* const at = shadow_of(begin)) mprotect(at, bytes, PROT_READ | PROT_WRITE);
}

void forget_pages(const void* begin, std::size_t bytes) {
  std::byte* const at = shadow_of(begin);
  if (!at) return;
  madvise(at, bytes, MADV_DONTNEED);
  mprotect(at, bytes, PROT_NONE);
}

void mark_written(const void* address, std::size_t bytes) {
  if (std::byte* const at = shadow_of(address)) std::memset(at, 1, bytes);
}

void mark_fresh(const void* address, std::size_t bytes) {
  if (std::byte* const at = shadow_of(address)) std::memset(at, 0, bytes);
}

void expect_written(const void* address, std::size_t bytes, const char* what) {
  const std::byte* const at = shadow_of(address);
  if (!at) return;
  const std::byte* const gap = std::find(at, at + bytes, std::byte{0});
  if (gap == at + bytes || has_trapped()) return;
  trap(cudaErrorIllegalAddress, (what ? what : running_kernel()) + " reads memory that was never written: " +
                                    place_of(static_cast<const std::byte*>(address) + (gap - at)));
}

}  // namespace glia::cuda_double
