// Sorting and selecting by CUB, on the backend's stream and in its memory. CUB asks for no memory itself and waits for nothing. It is
// instantiated for one type of pairs and one of selections, whatever the dtype, since each costs a build of every architecture. Its ranges
// for profilers would have the process open a library that an environment variable names: they are off.
// SPDX-License-Identifier: Apache-2.0
#define CCCL_DISABLE_NVTX
#define NVTX_DISABLE
#include <cuda/algorithms.h>
#include <cuda/check.h>

#include <thrust/iterator/counting_iterator.h>
#include <cub/device/device_radix_sort.cuh>
#include <cub/device/device_select.cuh>

namespace glia::cuda {
namespace {

/// CUB is called twice: for the bytes it needs, and with them.
template <class Call>
void with_temporary(Gpu& gpu, const char* name, const Call& call) {
  std::size_t bytes = 0;
  check(call(nullptr, bytes), name);
  const std::unique_ptr<Memory> memory = gpu.allocate(bytes > 0 ? bytes : 1);
  check(call(memory->data(), bytes), name);
}

}  // namespace

void sort(Gpu& gpu, Pairs& pairs, int bits) {
  cub::DoubleBuffer<std::uint64_t> keys(pairs.keys_[pairs.now], pairs.keys_[1 - pairs.now]);
  cub::DoubleBuffer<std::int64_t> places(pairs.places_[pairs.now], pairs.places_[1 - pairs.now]);
  with_temporary(gpu, "cub::DeviceRadixSort::SortPairs", [&](void* memory, std::size_t& bytes) {
    return cub::DeviceRadixSort::SortPairs(memory, bytes, keys, places, pairs.count, 0, bits, gpu.target());
  });
  if (keys.selector == 1) pairs.now = 1 - pairs.now;
}

void select(Gpu& gpu, const std::uint8_t* mask, std::int64_t count, std::int64_t* indices,
            std::int64_t* found) {
  with_temporary(gpu, "cub::DeviceSelect::Flagged", [&](void* memory, std::size_t& bytes) {
    return cub::DeviceSelect::Flagged(memory, bytes, thrust::counting_iterator<std::int64_t>(0), mask,
                                      indices, found, count, gpu.target());
  });
}

}  // namespace glia::cuda
