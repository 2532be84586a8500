// The double of CUB's radix sort, for the pairs that Glia sorts: cub.cpp.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <cstdint>

namespace cub {

template <class T>
struct DoubleBuffer {
  DoubleBuffer(T* current, T* alternate) : d_buffers{current, alternate} {}
  T* Current() { return d_buffers[selector]; }
  T* Alternate() { return d_buffers[1 - selector]; }

  T* d_buffers[2];
  int selector = 0;
};

struct DeviceRadixSort {
  static cudaError_t SortPairs(void* temporary, std::size_t& bytes, DoubleBuffer<std::uint64_t>& keys,
                               DoubleBuffer<std::int64_t>& values, std::int64_t count, int first_bit,
                               int end_bit, cudaStream_t stream);
};

}  // namespace cub
