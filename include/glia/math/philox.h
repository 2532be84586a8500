// Philox4x32-10, the counter-based generator of Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as
// easy as 1, 2, 3" (SC 2011), and a shuffle made of it. The same numbers on every device, in any order of
// calls.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/macros.h>  // defines: GLIA_HD

#include <cstdint>

namespace GLIA_API glia {

/// What a draw is for: draws for different purposes never share a key and counter.
enum class Purpose : std::uint32_t {
  initial_weights = 1,
  shuffle = 2,
  dropout = 3,
  augmentation = 4,
  search = 5,
  environment = 6,  ///< what an environment draws, and the seeds of its episodes
  exploration = 7,
  replay = 8
};

struct PhiloxBlock {
  std::uint32_t word[4];
};

/// One block of four 32-bit words for (key, counter).
GLIA_HD PhiloxBlock philox4x32_10(std::uint32_t key0, std::uint32_t key1, PhiloxBlock counter) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t product0 = std::uint64_t{0xD2511F53u} * counter.word[0];
    const std::uint64_t product1 = std::uint64_t{0xCD9E8D57u} * counter.word[2];
    counter = {{static_cast<std::uint32_t>(product1 >> 32) ^ counter.word[1] ^ key0,
                static_cast<std::uint32_t>(product1),
                static_cast<std::uint32_t>(product0 >> 32) ^ counter.word[3] ^ key1,
                static_cast<std::uint32_t>(product0)}};
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
  return counter;
}

/// Draws keyed by (seed, purpose, step, index): `step` is the optimizer's iteration, the epoch, or the number
/// of a variable.
struct Philox {
  std::uint64_t seed = 0;
  Purpose purpose = Purpose::initial_weights;
  std::uint64_t step = 0;

  /// Words 4 * index ... 4 * index + 3 of the sequence. The counter holds 64 bits of step, 40 of index and 24
  /// of purpose.
  GLIA_HD PhiloxBlock block(std::uint64_t index) const {
    return philox4x32_10(
        static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32),
        {{static_cast<std::uint32_t>(index),
          static_cast<std::uint32_t>(index >> 32) | (static_cast<std::uint32_t>(purpose) << 8),
          static_cast<std::uint32_t>(step), static_cast<std::uint32_t>(step >> 32)}});
  }
  GLIA_HD std::uint32_t word(std::uint64_t index) const { return block(index / 4).word[index % 4]; }
  /// Uniform in [0, 1), a multiple of 2^-24: exact in float on every device.
  GLIA_HD float uniform(std::uint64_t index) const {
    return static_cast<float>(word(index) >> 8) * (1.0f / 16777216.0f);
  }
};

/// A pseudo-random permutation of 0 .. count-1 that is computed, not stored: a Feistel network of six rounds
/// over the smallest even number of bits that holds count - 1, walked along its cycle until it lands below
/// count (four steps at most on average).
struct Permutation {
  std::uint64_t count = 0;
  std::uint32_t half_bits = 1;
  std::uint32_t keys[6] = {};

  Permutation() = default;
  /// The permutation of `count` rows for this seed and epoch.
  GLIA_HD Permutation(std::uint64_t count_, std::uint64_t seed, std::uint64_t epoch) : count(count_) {
    while (half_bits < 32 && (std::uint64_t{1} << (2 * half_bits)) < count) ++half_bits;
    const Philox philox{seed, Purpose::shuffle, epoch};
    for (unsigned round = 0; round < 6; ++round) keys[round] = philox.word(round);
  }

  GLIA_HD std::uint64_t operator()(std::uint64_t index) const {
    const std::uint64_t mask = (std::uint64_t{1} << half_bits) - 1;
    do {
      std::uint64_t left = index >> half_bits, right = index & mask;
      for (std::uint32_t key : keys) {
        std::uint32_t mixed = (static_cast<std::uint32_t>(right) ^ key) * 0x9E3779B1u;
        mixed = (mixed ^ (mixed >> 15)) * 0x85EBCA77u;
        mixed ^= mixed >> 13;
        const std::uint64_t next = (left ^ mixed) & mask;
        left = right;
        right = next;
      }
      index = (left << half_bits) | right;
    } while (index >= count);
    return index;
  }
};

}  // namespace glia
