// Whole algorithms on the device, which CUB has: see cuda/kernels/algorithms.cu.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cuda/gpu.h>

#include <cstddef>
#include <cstdint>
#include <memory>

namespace glia::cuda {

/// Pairs of a key and the place it came from, with room for as many again.
struct Pairs {
  Pairs(Gpu& gpu, std::int64_t count);

  std::int64_t count;
  /// Of memory; which half of it has the pairs.
  std::uint64_t* keys() const { return keys_[now]; }
  std::int64_t* places() const { return places_[now]; }
  int now = 0;

  std::uint64_t* keys_[2];
  std::int64_t* places_[2];

 private:
  std::unique_ptr<Memory> memory_;
};

/// Sorts by the `bits` lowest bits of the keys, which are all that is set; stable. Enqueues, and allocates in order.
void sort(Gpu& gpu, Pairs& pairs, int bits);

/// indices = the i of 0 .. count - 1 where mask[i] is not 0, in order; *found = how many. Likewise.
void select(Gpu& gpu, const std::uint8_t* mask, std::int64_t count, std::int64_t* indices,
            std::int64_t* found);

}  // namespace glia::cuda
