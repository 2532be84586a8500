// CUB's algorithms as work on a stream. What is read must have been written, and temporary memory must be the device's and as large
// as was asked for: it is overwritten.
// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstring>
#include <numeric>
#include <utility>
#include <vector>

#include "tests/cuda_double/cccl/cub/device/device_radix_sort.cuh"
#include "tests/cuda_double/cccl/cub/device/device_select.cuh"
#include "tests/cuda_double/double.h"

using namespace glia::cuda_double;

namespace {

std::size_t bytes_of(std::int64_t count) { return static_cast<std::size_t>(count) * sizeof(std::int64_t); }

/// Whether all that an algorithm names is the device's memory. Else it traps.
bool reaches(const char* name, std::initializer_list<std::pair<const void*, std::size_t>> all) {
  for (const auto& [address, bytes] : all) {
    if (is_device_memory(address, bytes)) continue;
    trap(cudaErrorIllegalAddress, std::string(name) + " met memory that is not the device's");
    return false;
  }
  return true;
}

void spoil(void* temporary, std::size_t bytes) {
  std::memset(temporary, 0xFF, bytes);
  mark_fresh(temporary, bytes);
}

}  // namespace

namespace cub {

// Stable, by the bits that are named; CUB leaves the results in whichever buffers it likes, and anything in the others.
cudaError_t DeviceRadixSort::SortPairs(void* temporary, std::size_t& bytes, DoubleBuffer<std::uint64_t>& keys,
                                       DoubleBuffer<std::int64_t>& values, std::int64_t count, int first_bit,
                                       int end_bit, cudaStream_t stream) {
  GLIA_DOUBLE_ENTER();
  const std::size_t needed = 1024 + static_cast<std::size_t>(count) / 16;
  if (!temporary) {
    bytes = needed;
    return cudaSuccess;
  }
  if (bytes < needed || first_bit < 0 || first_bit >= end_bit || end_bit > 64)
    return report(cudaErrorInvalidValue);
  const bool swapped = random_order()() % 2 == 0;
  std::uint64_t *const from_keys = keys.Current(), *const other_keys = keys.Alternate();
  std::int64_t *const from_values = values.Current(), *const other_values = values.Alternate();
  if (swapped) keys.selector = 1 - keys.selector, values.selector = 1 - values.selector;
  return report(enqueue(stream, Kind::kernel, "cub::DeviceRadixSort", [=] {
    if (launch_fails()) return;
    const std::size_t all = bytes_of(count);
    if (!reaches("cub::DeviceRadixSort", {{temporary, needed},
                                          {from_keys, all},
                                          {other_keys, all},
                                          {from_values, all},
                                          {other_values, all}}))
      return;
    expect_written(from_keys, all, "cub::DeviceRadixSort");
    expect_written(from_values, all, "cub::DeviceRadixSort");
    const std::uint64_t mask =
        (end_bit == 64 ? 0 : std::uint64_t{1} << end_bit) - (std::uint64_t{1} << first_bit);
    const std::vector<std::uint64_t> old_keys(from_keys, from_keys + count);
    const std::vector<std::int64_t> old_values(from_values, from_values + count);
    std::vector<std::size_t> order(old_keys.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
      return (old_keys[a] & mask) < (old_keys[b] & mask);
    });
    std::uint64_t *const to_keys = swapped ? other_keys : from_keys, *const spoilt_keys =
                                                                         swapped ? from_keys : other_keys;
    std::int64_t *const to_values = swapped ? other_values : from_values, *const spoilt_values =
                                                                              swapped ? from_values
                                                                                      : other_values;
    mark_written(to_keys, all);
    mark_written(to_values, all);
    for (std::size_t i = 0; i < order.size(); ++i)
      to_keys[i] = old_keys[order[i]], to_values[i] = old_values[order[i]];
    spoil(spoilt_keys, all);
    spoil(spoilt_values, all);
    spoil(temporary, needed);
  }));
}

cudaError_t DeviceSelect::Flagged(void* temporary, std::size_t& bytes,
                                  thrust::counting_iterator<std::int64_t> numbers, const std::uint8_t* flags,
                                  std::int64_t* out, std::int64_t* selected, std::int64_t count,
                                  cudaStream_t stream) {
  GLIA_DOUBLE_ENTER();
  const std::size_t needed = 512 + static_cast<std::size_t>(count) / 64;
  if (!temporary) {
    bytes = needed;
    return cudaSuccess;
  }
  if (bytes < needed) return report(cudaErrorInvalidValue);
  return report(enqueue(stream, Kind::kernel, "cub::DeviceSelect", [=] {
    if (launch_fails()) return;
    const auto all = static_cast<std::size_t>(count);
    if (!reaches("cub::DeviceSelect", {{temporary, needed}, {flags, all}, {selected, sizeof *selected}}))
      return;
    expect_written(flags, all, "cub::DeviceSelect");
    const std::int64_t chosen =
        std::count_if(flags, flags + count, [](std::uint8_t flag) { return flag != 0; });
    if (!reaches("cub::DeviceSelect", {{out, bytes_of(chosen)}})) return;
    mark_written(out, bytes_of(chosen));
    for (std::int64_t i = 0, at = 0; i < count; ++i)
      if (flags[i] != 0) out[at++] = numbers.first + i;
    mark_written(selected, sizeof *selected);
    *selected = chosen;
    spoil(temporary, needed);
  }));
}

}  // namespace cub
