// bfloat16: the upper half of a float32, with its range and 8 bits of significand.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/macros.h>  // defines: GLIA_HD

#include <cstdint>
#include <cstring>

namespace GLIA_API glia {

/// A number for products alone; arithmetic is in float.
struct BFloat16 {
  std::uint16_t bits = 0;

  BFloat16() = default;
  /// The nearest, of two as near the even one. What is too large becomes infinite; a NaN stays one, with its sign.
  GLIA_HD explicit BFloat16(float x) {
    std::uint32_t u;
    std::memcpy(&u, &x, sizeof u);
    const std::uint32_t nearest = u + 0x7fffu + (u >> 16 & 1u);
    const bool is_nan = (u & 0x7fffffffu) > 0x7f800000u;
    bits = static_cast<std::uint16_t>((is_nan ? u | 0x400000u : nearest) >> 16);
  }
  GLIA_HD explicit operator float() const {
    const std::uint32_t u = std::uint32_t{bits} << 16;
    float x;
    std::memcpy(&x, &u, sizeof x);
    return x;
  }
};

}  // namespace glia
