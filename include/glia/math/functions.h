// Elementary functions, the same on both devices. The float forms are branch-free so that compilers vectorise
// them; the double forms, which only gradient checks use, are the standard library's.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/macros.h>  // defines: GLIA_HD

#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace glia::math {

/// a < b ? b : a, but NaN where either is NaN (std::fmax would hide it).
template <class T>
GLIA_HD T max_nan(T a, T b) {
  return a < b || b != b ? b : a;
}

/// The same of the smaller.
template <class T>
GLIA_HD T min_nan(T a, T b) {
  return b < a || b != b ? b : a;
}

GLIA_HD float float_from_bits(std::int32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

GLIA_HD std::uint32_t bits_of(float value) {
  std::uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}

/// x = n ln 2 + r with |r| <= ln 2 / 2, for |x| < 2^20: e^x = 2^n e^r. Of NaN r is NaN, and n anything.
struct ExpParts {
  float r;
  std::uint32_t n;  ///< modulo 2^32

  GLIA_HD explicit ExpParts(float x) {
    const float rounding =
        12582912.0f;  // 1.5 * 2^23: what it is added to is rounded, and lies in the lowest bits
    const float shifted = x * 1.44269504f + rounding, whole = shifted - rounding;
    r = (x - whole * 0.693359375f) + whole * 2.12194440e-4f;  // ln 2 in two parts
    n = bits_of(shifted) - bits_of(rounding);
  }
  /// e^r - 1 - r by Taylor's series up to r^7, whose error here is below 2^-27.
  GLIA_HD float beyond_the_line() const {
    float p = 1.98412698e-4f;
    p = p * r + 1.38888889e-3f;
    p = p * r + 8.33333333e-3f;
    p = p * r + 4.16666667e-2f;
    p = p * r + 1.66666667e-1f;
    p = p * r + 0.5f;
    return p * (r * r);
  }
};

/// 2^n of n from -126 to 127, modulo 2^32.
GLIA_HD float power_of_2(std::uint32_t n) {
  return float_from_bits(static_cast<std::int32_t>((n + 127u) << 23));
}

/// e^x within 1.5 ulp, 2^n in two factors so that results may be subnormal or overflow to Inf. NaN passes.
GLIA_HD float exp(float x) {
  const ExpParts parts(x > 89.0f ? 89.0f : (x < -104.0f ? -104.0f : x));  // NaN stays
  const auto low = static_cast<std::uint32_t>(static_cast<std::int32_t>(parts.n) >> 1);
  return (parts.beyond_the_line() + (parts.r + 1.0f)) * power_of_2(low) * power_of_2(parts.n - low);
}
GLIA_HD double exp(double x) { return std::exp(x); }

GLIA_HD float log(float x) { return std::log(x); }
GLIA_HD double log(double x) { return std::log(x); }
GLIA_HD float log1p(float x) { return std::log1p(x); }
GLIA_HD double log1p(double x) { return std::log1p(x); }
GLIA_HD float sqrt(float x) { return std::sqrt(x); }
GLIA_HD double sqrt(double x) { return std::sqrt(x); }

/// |x|, of which compilers make one instruction without -ffast-math.
template <class T>
GLIA_HD T abs(T x) {
  return std::fabs(x);
}

/// e^x of x <= 0 within 1.5 ulp; 0 below -87, where it is hardly a normal number. NaN passes.
GLIA_HD float exp_below_0(float x) {
  const float least = -87.0f;
  const ExpParts parts(x < least ? least : x);
  const float result = (parts.beyond_the_line() + (parts.r + 1.0f)) * power_of_2(parts.n);
  return x < least ? 0.0f : result;
}
GLIA_HD double exp_below_0(double x) { return std::exp(x); }

/// 1 / (1 + e^-x), without overflow: of e^-|x|.
template <class T>
GLIA_HD T sigmoid(T x) {
  const T e = exp_below_0(-abs(x));
  const T positive = T(1) / (T(1) + e);
  return x < T(0) ? e * positive : positive;
}

/// tanh x within 3 ulp, of 1 - e^-2|x| in parts that do not cancel near 0: m / (2 - m) with that for m.
GLIA_HD float tanh(float x) {
  const float size = abs(x) > 20.0f ? 20.0f : abs(x);  // from 10 on it is 1
  const ExpParts parts(-2.0f * size);
  const float power = power_of_2(parts.n);
  const float m = (1.0f - power) - (parts.beyond_the_line() + parts.r) * power;
  const float positive = m / (2.0f - m);
  return x < 0.0f ? -positive : positive;
}
GLIA_HD double tanh(double x) { return std::tanh(x); }

GLIA_HD float expm1(float x) { return std::expm1(x); }
GLIA_HD double expm1(double x) { return std::expm1(x); }
GLIA_HD float pow(float x, float y) { return std::pow(x, y); }
GLIA_HD double pow(double x, double y) { return std::pow(x, y); }
GLIA_HD float erf(float x) { return std::erf(x); }
GLIA_HD double erf(double x) { return std::erf(x); }
GLIA_HD float cos(float x) { return std::cos(x); }
GLIA_HD double cos(double x) { return std::cos(x); }

/// -1, 0 or 1; NaN stays.
template <class T>
GLIA_HD T sign(T x) {
  return x > T(0) ? T(1) : (x < T(0) ? T(-1) : x * T(0));
}

/// x in [low, high]; NaN stays.
template <class T>
GLIA_HD T clip(T x, T low, T high) {
  return x < low ? low : (x > high ? high : x);
}

/// log(1 + e^x), without overflow: e = e^-|x| is at most 1, and log(1 + e) = 2 artanh(s) with s = e / (2 + e) at most 1/3, whose
/// series up to s^17 has an error below 1e-9 of it.
GLIA_HD float softplus(float x) {
  const float e = exp_below_0(-abs(x));
  const float s = e / (2.0f + e);
  const float z = s * s;
  float p = 1.0f / 17;
  p = p * z + 1.0f / 15;
  p = p * z + 1.0f / 13;
  p = p * z + 1.0f / 11;
  p = p * z + 1.0f / 9;
  p = p * z + 1.0f / 7;
  p = p * z + 1.0f / 5;
  p = p * z + 1.0f / 3;
  return (x < 0.0f ? 0.0f : x) + (2.0f * s + 2.0f * s * z * p);
}
GLIA_HD double softplus(double x) { return (x < 0.0 ? 0.0 : x) + log1p(exp_below_0(-abs(x))); }

}  // namespace glia::math
