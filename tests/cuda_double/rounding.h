// How tensor cores round their operands.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <cstring>

namespace glia::cuda_double {

/// Tensor cores read TF32 operands with 10 bits of mantissa, rounded to the nearest, ties away from zero.
inline float to_tf32(float x) {
  std::uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  if ((bits & 0x7f800000u) != 0x7f800000u) bits = (bits + 0x1000u) & ~0x1fffu;
  std::memcpy(&x, &bits, sizeof bits);
  return x;
}

/// bf16 has 7 bits of mantissa; ties go to even.
inline float to_bf16(float x) {
  std::uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  if ((bits & 0x7f800000u) != 0x7f800000u) bits = (bits + 0x7fffu + ((bits >> 16) & 1)) & 0xffff0000u;
  std::memcpy(&x, &bits, sizeof bits);
  return x;
}

/// An element of a bf16 matrix.
struct Bf16 {
  std::uint16_t bits = 0;

  Bf16() = default;
  explicit Bf16(float x) {
    std::uint32_t u;
    x = to_bf16(x);
    std::memcpy(&u, &x, sizeof u);
    bits = static_cast<std::uint16_t>(u >> 16 | (x != x ? 0x40u : 0u));
  }
  explicit operator float() const {
    const std::uint32_t u = std::uint32_t{bits} << 16;
    float x;
    std::memcpy(&x, &u, sizeof x);
    return x;
  }
};

}  // namespace glia::cuda_double
