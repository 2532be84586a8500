// NumPy's legacy RandomState, as far as scikit-learn shuffles with it: the same seed gives the same rows.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/error.h>  // defines: ValueError

#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <optional>
#include <random>
#include <utility>
#include <vector>

namespace glia::detail {

class RandomState {
 public:
  /// Without a seed, one of the system's. Throws ValueError for a seed that NumPy does not take either.
  explicit RandomState(const std::optional<std::uint64_t>& seed) : words_(checked(seed)) {}

  /// Fisher-Yates from the end, as RandomState.shuffle.
  template <class T>
  void shuffle(std::vector<T>& values) {
    for (std::size_t i = values.size(); i-- > 1;) std::swap(values[i], values[interval(i)]);
  }

  /// 0 .. count - 1, shuffled.
  std::vector<std::int64_t> permutation(std::int64_t count) {
    std::vector<std::int64_t> result(static_cast<std::size_t>(count));
    std::iota(result.begin(), result.end(), 0);
    shuffle(result);
    return result;
  }

 private:
  static std::mt19937::result_type checked(const std::optional<std::uint64_t>& seed) {
    if (!seed) return std::random_device{}();
    GLIA_CHECK(*seed <= std::numeric_limits<std::uint32_t>::max(), ValueError, "random_state got ", *seed,
               ", expected 0 to 4294967295; take the seed modulo 2^32");
    return static_cast<std::mt19937::result_type>(*seed);
  }

  std::uint64_t word() { return static_cast<std::uint64_t>(words_()); }

  /// Uniform in 0 .. most: words cut to as many bits, until one is not above.
  std::size_t interval(std::uint64_t most) {
    std::uint64_t mask = most;
    for (int shift = 1; shift < 64; shift *= 2) mask |= mask >> shift;
    const bool wide = most > std::numeric_limits<std::uint32_t>::max();
    for (;;) {
      std::uint64_t value = word();
      if (wide) value = value << 32 | word();
      if ((value & mask) <= most) return static_cast<std::size_t>(value & mask);
    }
  }

  std::mt19937 words_;
};

}  // namespace glia::detail
