// Memory of the double. Device memory is one reserved region: every allocation has pages and addresses of its own that
// are never used again, guard bytes around it, and is out of reach while no work runs (pages.h).
// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <map>

#include "tests/cuda_double/double.h"
#include "tests/cuda_double/pages.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(address, bytes) static_cast<void>(address)
#define ASAN_UNPOISON_MEMORY_REGION(address, bytes) static_cast<void>(address)
#endif

/// Bytes: what is given out, and what it has of the device, which it keeps until it is trimmed.
struct CUmemPoolHandle_st {
  std::uint64_t used = 0, reserved = 0;
  int allocations = 0;
  bool is_destroyed = false;  // goes with its last allocation, as in CUDA
};

namespace glia::cuda_double {
namespace {

constexpr std::size_t region_bytes = std::size_t{1} << 38;  // of addresses, not of memory
constexpr std::size_t guard = 256;  // bytes before and after, and what addresses are aligned to
constexpr unsigned char guard_byte = 0xA5, fresh_byte = 0xFF;  // four or eight 0xFF are a NaN

struct Allocation {
  std::byte* pages;
  std::size_t page_bytes, bytes;
  bool freed;  // a release is in the queue
  cudaMemPool_t pool = nullptr;
  int on = 0;  // which device
};

std::byte* region = nullptr;
std::size_t region_used = 0, device_used = 0;
// By address. Never destroyed: what a test left is to be found by a search for leaks as memory that is still known.
using Allocations = std::map<std::uintptr_t, Allocation>;
Allocations &device = *new Allocations, &host = *new Allocations;

std::uintptr_t number(const void* address) { return reinterpret_cast<std::uintptr_t>(address); }

/// The allocation that [address, address + bytes) lies within; null where there is none.
const Allocation* find(const Allocations& all, const void* address, std::size_t bytes) {
  auto next = all.upper_bound(number(address));
  if (next == all.begin()) return nullptr;
  const auto& [begin, allocation] = *--next;
  const std::size_t offset = number(address) - begin;
  return offset <= allocation.bytes && bytes <= allocation.bytes - offset ? &allocation : nullptr;
}
bool contains(const Allocations& all, const void* address, std::size_t bytes) {
  return find(all, address, bytes) != nullptr;
}

/// Guards, with the bytes between them left alone.
void write_guards(std::byte* address, const Allocation& a) {
  std::byte* const end = address + a.bytes;
  std::memset(a.pages, guard_byte, static_cast<std::size_t>(address - a.pages));
  std::memset(end, guard_byte, static_cast<std::size_t>(a.pages + a.page_bytes - end));
  ASAN_POISON_MEMORY_REGION(a.pages, static_cast<std::size_t>(address - a.pages));
  ASAN_POISON_MEMORY_REGION(end, static_cast<std::size_t>(a.pages + a.page_bytes - end));
}

bool are_guards(const std::byte* from, const std::byte* to) {
  return std::all_of(from, to, [](std::byte b) { return b == std::byte{guard_byte}; });
}

bool guards_are_whole(const std::byte* address, const Allocation& a) {
  ASAN_UNPOISON_MEMORY_REGION(a.pages, a.page_bytes);
  return are_guards(a.pages, address) && are_guards(address + a.bytes, a.pages + a.page_bytes);
}

/// Of all allocations that these bytes are of: what guards of them lie there.
void check_guards_within([[maybe_unused]] const std::byte* begin, [[maybe_unused]] const std::byte* end) {
#if !defined(__SANITIZE_ADDRESS__)  // which watches the guards itself
  auto next = device.upper_bound(number(begin));
  if (next != device.begin()) --next;
  for (; next != device.end() && next->second.pages < end; ++next) {
    const Allocation& a = next->second;
    const std::byte* const address = a.pages + guard;
    const auto are_whole = [&](const std::byte* from, const std::byte* to) {
      return are_guards(std::max(from, begin), std::max(std::max(from, begin), std::min(to, end)));
    };
    if (!are_whole(a.pages, address) || !are_whole(address + a.bytes, a.pages + a.page_bytes))
      trap(cudaErrorIllegalAddress, "memory beside an allocation was written");
  }
#endif
}

/// Pages between two that stay out of reach.
void* allocate_on_device(std::size_t bytes, cudaMemPool_t pool = nullptr) {
  if (!region) {
    region = reserve_pages(region_bytes);
    watch_region(region, region_bytes);
  }
  const std::size_t most = settings().device_bytes;
  if (bytes > most || device_used > most - bytes) return nullptr;
  Allocation a{region + region_used + page,
               (bytes + 2 * guard + page - 1) / page * page,
               bytes,
               false,
               pool,
               current_device()};
  if (region_used + a.page_bytes + 2 * page > region_bytes) return nullptr;
  region_used += a.page_bytes + page;
  device_used += bytes;
  std::byte* const address = a.pages + guard;
  add_pages(a.pages, a.page_bytes);
  watch_pages(a.pages, a.page_bytes);
  const bool was_open = pages_are_open();
  open_device_memory();
  write_guards(address, a);
  if (!was_open) close_device_memory();
  device.emplace(number(address), a);
  if (pool) {
    ++pool->allocations;
    pool->reserved = std::max(pool->reserved, pool->used += bytes);
  }
  return address;
}

void release_on_device(std::byte* address) {
  const auto found = device.find(number(address));
  const Allocation a = found->second;
  if (!guards_are_whole(address, a)) trap(cudaErrorIllegalAddress, "memory beside an allocation was written");
  remove_pages(a.pages, a.page_bytes);
  forget_pages(a.pages, a.page_bytes);
  ASAN_POISON_MEMORY_REGION(a.pages, a.page_bytes);
  device_used -= a.bytes;
  if (a.pool) {
    a.pool->used -= a.bytes;
    if (--a.pool->allocations == 0 && a.pool->is_destroyed) delete a.pool;
  }
  device.erase(found);
}

/// The address is known at once, the memory is there in the stream's order: until then, and on other streams that do not
/// wait, what is written is overwritten by fresh NaN.
cudaError_t take_in_order(void** address, std::size_t bytes, cudaMemPool_t pool, cudaStream_t stream) {
  touch_device();
  if (!(stream = known_stream(stream))) return report(cudaErrorInvalidResourceHandle);
  if (stream->capture)
    return report(forbidden_in_capture());  // CUDA would make it part of the graph; Glia never asks
  void* const memory = allocate_on_device(bytes, pool);
  if (!memory) return report(cudaErrorMemoryAllocation);
  *address = memory;
  return report(enqueue(stream, Kind::allocate, "cudaMallocFromPoolAsync", [memory, bytes] {
    open_all_of(static_cast<std::byte*>(memory), bytes);
    std::memset(memory, fresh_byte, bytes);
    mark_fresh(memory, bytes);
  }));
}

}  // namespace

bool is_device_memory(const void* address, std::size_t bytes) { return contains(device, address, bytes); }
bool is_page_locked(const void* address, std::size_t bytes) { return contains(host, address, bytes); }

void open_device_memory() { open_pages(); }
void close_device_memory() { close_pages(check_guards_within); }

std::int64_t live_device_allocations() {
  return std::count_if(device.begin(), device.end(), [](const auto& entry) { return !entry.second.freed; });
}
std::int64_t live_host_allocations() { return static_cast<std::int64_t>(host.size()); }

std::string place_of(const void* address) {
  for (const auto& [begin, a] : device) {
    const std::ptrdiff_t at = static_cast<const std::byte*>(address) - (a.pages + guard);
    if (at < -static_cast<std::ptrdiff_t>(guard) || number(address) >= number(a.pages + a.page_bytes))
      continue;
    return "byte " + std::to_string(at) + " of an allocation of " + std::to_string(a.bytes);
  }
  return "beside every allocation";
}

}  // namespace glia::cuda_double

using namespace glia::cuda_double;

extern "C" {

cudaError_t cudaMemPoolCreate(cudaMemPool_t* pool, const cudaMemPoolProps* properties) {
  GLIA_DOUBLE_ENTER();
  if (!settings().has_pools) return report(cudaErrorNotSupported);
  if (properties->allocType != cudaMemAllocationTypePinned ||
      properties->location.type != cudaMemLocationTypeDevice)
    return report(cudaErrorInvalidValue);
  *pool = new CUmemPoolHandle_st;
  count_object("pool", 1);
  return cudaSuccess;
}

cudaError_t cudaMemPoolDestroy(cudaMemPool_t pool) {
  GLIA_DOUBLE_ENTER_TO_DESTROY();
  pool->is_destroyed = true;
  if (pool->allocations == 0) delete pool;
  count_object("pool", -1);
  return report(before);
}

cudaError_t cudaMemPoolSetAttribute(cudaMemPool_t, cudaMemPoolAttr, void*) {
  GLIA_DOUBLE_ENTER();
  return cudaSuccess;
}

cudaError_t cudaMemPoolGetAttribute(cudaMemPool_t pool, cudaMemPoolAttr attribute, void* value) {
  GLIA_DOUBLE_ENTER();
  const bool of_used = attribute == cudaMemPoolAttrUsedMemCurrent;
  if (!of_used && attribute != cudaMemPoolAttrReservedMemCurrent) return report(cudaErrorInvalidValue);
  const std::uint64_t bytes = of_used ? pool->used : pool->reserved;
  std::memcpy(value, &bytes, sizeof bytes);
  return cudaSuccess;
}

// Gives back what is free: a number only, since no memory of the double is used again.
cudaError_t cudaMemPoolTrimTo(cudaMemPool_t pool, std::size_t least) {
  GLIA_DOUBLE_ENTER();
  pool->reserved = std::max<std::uint64_t>(pool->used, std::min<std::uint64_t>(pool->reserved, least));
  return cudaSuccess;
}

cudaError_t cudaMallocFromPoolAsync(void** address, std::size_t bytes, cudaMemPool_t pool,
                                    cudaStream_t stream) {
  GLIA_DOUBLE_ENTER();
  return take_in_order(address, bytes, pool, stream);
}

// What an application allocates in the order of a stream; Glia has a pool of its own.
cudaError_t cudaMallocAsync(void** address, std::size_t bytes, cudaStream_t stream) {
  GLIA_DOUBLE_ENTER();
  return take_in_order(address, bytes, nullptr, stream);
}

cudaError_t cudaFreeAsync(void* address, cudaStream_t stream) {
  GLIA_DOUBLE_ENTER_TO_DESTROY();
  if (before != cudaSuccess) return report(before);
  const auto found = device.find(number(address));
  if (found == device.end() || found->second.freed) return report(cudaErrorInvalidValue);
  if (!(stream = known_stream(stream))) return report(cudaErrorInvalidResourceHandle);
  found->second.freed = true;
  return report(enqueue(stream, Kind::release, __func__,
                        [address] { release_on_device(static_cast<std::byte*>(address)); }));
}

// Without a pool. Freeing waits for all work on the device, and so does this double's allocating.
cudaError_t cudaMalloc(void** address, std::size_t bytes) {
  GLIA_DOUBLE_ENTER();
  touch_device();
  if (const cudaError_t error = forbidden_in_capture(); error != cudaSuccess) return report(error);
  void* const memory = allocate_on_device(bytes);
  if (!memory) return report(cudaErrorMemoryAllocation);
  run_all();
  open_device_memory();
  open_all_of(static_cast<std::byte*>(memory), bytes);
  std::memset(memory, fresh_byte, bytes);
  close_device_memory();
  *address = memory;
  return cudaSuccess;
}

cudaError_t cudaFree(void* address) {
  GLIA_DOUBLE_ENTER_TO_DESTROY();
  if (const cudaError_t error = forbidden_in_capture(); error != cudaSuccess) return report(error);
  const auto found = device.find(number(address));
  if (found == device.end() || found->second.freed) return report(cudaErrorInvalidValue);
  run_all();
  open_device_memory();
  release_on_device(static_cast<std::byte*>(address));
  close_device_memory();
  return report(before);
}

cudaError_t cudaMemGetInfo(std::size_t* free, std::size_t* total) {
  GLIA_DOUBLE_ENTER();
  touch_device();
  *total = settings().device_bytes;
  *free = *total - std::min(*total, device_used);
  return cudaSuccess;
}

// As CUDA since 11: what it does not know is no error.
cudaError_t cudaPointerGetAttributes(cudaPointerAttributes* attributes, const void* address) {
  GLIA_DOUBLE_ENTER();
  touch_device();
  *attributes = {};
  attributes->type = cudaMemoryTypeUnregistered;
  attributes->device = cudaInvalidDeviceId;
  if (const Allocation* found = find(device, address, 1)) {
    attributes->type = cudaMemoryTypeDevice;
    attributes->device = found->on;
    attributes->devicePointer = const_cast<void*>(address);
  } else if (contains(host, address, 1)) {
    attributes->type = cudaMemoryTypeHost;
    attributes->device = current_device();
    attributes->devicePointer = attributes->hostPointer = const_cast<void*>(address);
  } else if (settings().managed.count(address) != 0) {
    attributes->type = cudaMemoryTypeManaged;
    attributes->device = current_device();
    attributes->devicePointer = attributes->hostPointer = const_cast<void*>(address);
  }
  return cudaSuccess;
}

// Page-locks memory of the host.
cudaError_t cudaMallocHost(void** address, std::size_t bytes) {
  GLIA_DOUBLE_ENTER();
  touch_device();
  if (const cudaError_t error = forbidden_in_capture(); error != cudaSuccess) return report(error);
  const std::size_t all = (bytes + 2 * guard + page - 1) / page * page;
  Allocation a{static_cast<std::byte*>(std::aligned_alloc(page, all)), all, bytes, false};
  if (!a.pages) return report(cudaErrorMemoryAllocation);
  std::byte* const memory = a.pages + guard;
  std::memset(memory, fresh_byte, bytes);
  write_guards(memory, a);
  host.emplace(number(memory), a);
  *address = memory;
  return cudaSuccess;
}

// Copies that still read or write it find it gone: overwritten, and under ASan out of reach.
cudaError_t cudaFreeHost(void* address) {
  GLIA_DOUBLE_ENTER_TO_DESTROY();
  if (const cudaError_t error = forbidden_in_capture(); error != cudaSuccess) return report(error);
  const auto found = host.find(number(address));
  if (found == host.end()) return report(cudaErrorInvalidValue);
  const Allocation a = found->second;
  host.erase(found);
  if (!guards_are_whole(static_cast<std::byte*>(address), a))
    trap(cudaErrorIllegalAddress, "memory beside page-locked memory was written");
  std::memset(a.pages, fresh_byte, a.page_bytes);
  std::free(a.pages);
  return report(before);
}

}  // extern "C"
