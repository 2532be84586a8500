// Random bytes for data that only its size matters of.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

/// `count` numbers below `limit`.
inline std::vector<std::uint8_t> random_bytes(std::int64_t count, int limit, unsigned seed) {
  std::mt19937 generator(seed);
  std::uniform_int_distribution<int> number(0, limit - 1);
  std::vector<std::uint8_t> bytes(static_cast<std::size_t>(count));
  for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(number(generator));
  return bytes;
}
