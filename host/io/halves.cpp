// float16 and bfloat16 to float32 and back.
// SPDX-License-Identifier: Apache-2.0
#include <glia/math/bfloat16.h>
#include <host/io/halves.h>
#include <host/tensor/elements.h>  // defines: for_each_element

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

namespace glia::io {
namespace {

/// binary16 of IEEE 754: 5 bits of exponent, 10 of significand.
std::uint16_t to_float16(double x) {
  const std::uint16_t sign = std::signbit(x) ? 0x8000 : 0;
  const double size = std::fabs(x);
  if (std::isnan(x)) return static_cast<std::uint16_t>(sign | 0x7e00);
  if (size >= 65520)
    return static_cast<std::uint16_t>(sign | 0x7c00);  // half way to the next above the greatest
  // In steps of the last place, 2^-24 below 2^-14, there is a whole number of them, and it carries into the exponent.
  int exponent = 0;
  std::frexp(size, &exponent);
  const int place = size == 0 ? -24 : std::max(exponent - 11, -24);
  const double exact = std::ldexp(size, -place), below = std::floor(exact);  // whatever the rounding mode is
  auto steps = static_cast<std::uint32_t>(below);
  if (exact - below > 0.5 || (exact - below == 0.5 && steps % 2 == 1)) ++steps;
  const std::uint32_t bits = place == -24 ? steps : (static_cast<std::uint32_t>(place + 24) << 10) + steps;
  return static_cast<std::uint16_t>(sign | bits);
}

float from_float16(std::uint16_t bits) {
  const int exponent = bits >> 10 & 0x1f;
  const std::uint32_t sign = std::uint32_t{bits} << 16 & 0x80000000u, fraction = bits & 0x3ffu;
  if (exponent == 0x1f) return std::bit_cast<float>(sign | 0x7f800000u | fraction << 13);
  const float size = exponent == 0 ? std::ldexp(static_cast<float>(fraction), -24)
                                   : std::ldexp(static_cast<float>(fraction + 0x400u), exponent - 25);
  return sign != 0 ? -size : size;
}

template <class T>
void put(std::byte* bytes, std::int64_t i, T value) {
  std::memcpy(bytes + i * static_cast<std::int64_t>(sizeof value), &value, sizeof value);
}

}  // namespace

std::vector<std::byte> stored_bytes(const TensorView& tensor, const StoredDType& stored) {
  std::vector<std::byte> bytes(static_cast<std::size_t>(tensor.shape().elements() * stored.bytes));
  detail::for_each_element(tensor, [&](std::int64_t i, double x) {
    if (&stored == &stored_float16)
      put(bytes.data(), i, to_float16(x));
    else if (&stored == &stored_bfloat16)
      put(bytes.data(), i, BFloat16(static_cast<float>(x)).bits);
    else if (stored.dtype == DType::float64)
      put(bytes.data(), i, x);
    else
      put(bytes.data(), i, static_cast<float>(x));
  });
  return bytes;
}

void widen(Tensor& tensor, const std::byte* raw, const StoredDType& stored) {
  auto* const out = static_cast<std::byte*>(tensor.raw());
  for (std::int64_t i = 0; i < tensor.shape().elements(); ++i) {
    std::uint16_t bits;
    std::memcpy(&bits, raw + i * 2, sizeof bits);
    BFloat16 upper;
    upper.bits = bits;
    put(out, i, &stored == &stored_float16 ? from_float16(bits) : static_cast<float>(upper));
  }
}

}  // namespace glia::io
