// Elements as unsigned integers in the same order: numbers of any dtype are compared and sorted as these.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/macros.h>  // defines: GLIA_HD

#include <cstdint>
#include <cstring>
#include <type_traits>

namespace glia::cuda {

/// In as many bits as T has. Both zeros are one, and all NaN are one above infinity.
template <class T>
GLIA_HD std::uint64_t ordered(T x) {
  if constexpr (std::is_floating_point_v<T>) {
    using Bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
    constexpr Bits sign = Bits{1} << (8 * sizeof(T) - 1);
    if (x != x) return static_cast<Bits>(~Bits{0});
    if (x == 0) return sign;
    Bits bits;
    memcpy(&bits, &x, sizeof x);
    return bits & sign ? static_cast<Bits>(~bits) : bits | sign;
  } else if constexpr (std::is_signed_v<T>) {
    using Bits = std::make_unsigned_t<T>;
    return static_cast<Bits>(static_cast<Bits>(x) ^ (Bits{1} << (8 * sizeof(T) - 1)));
  } else {
    return x;
  }
}

}  // namespace glia::cuda
