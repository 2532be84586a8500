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

/// e^x within 1.5 ulp. x = n ln 2 + r with |r| <= ln 2 / 2; e^r by its Taylor polynomial of degree 7, whose
/// error there is below 2^-27; 2^n through the exponent bits, in two factors so that results may be subnormal
/// or overflow to Inf. NaN passes.
GLIA_HD float exp(float x) {
  const float bounded = x > 89.0f ? 89.0f : (x < -104.0f ? -104.0f : x);  // NaN stays
  const float shifted = bounded * 1.44269504f + 12582912.0f;  // adding 1.5 * 2^23 rounds to nearest
  const float n = shifted - 12582912.0f;
  const float r = (bounded - n * 0.693359375f) + n * 2.12194440e-4f;  // ln 2 in two parts
  float p = 1.98412698e-4f;
  p = p * r + 1.38888889e-3f;
  p = p * r + 8.33333333e-3f;
  p = p * r + 4.16666667e-2f;
  p = p * r + 1.66666667e-1f;
  p = p * r + 0.5f;
  p = p * (r * r) + (r + 1.0f);
  const float exponent = n == n ? n : 0.0f;  // NaN has no integer
  const std::int32_t low = static_cast<std::int32_t>(exponent) >> 1;
  const std::int32_t high = static_cast<std::int32_t>(exponent) - low;
  return p * float_from_bits((low + 127) << 23) * float_from_bits((high + 127) << 23);
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

/// 1 / (1 + e^-x), without overflow: of e^-|x|.
template <class T>
GLIA_HD T sigmoid(T x) {
  const T e = exp(-abs(x));
  const T positive = T(1) / (T(1) + e);
  return x < T(0) ? e * positive : positive;
}

/// tanh x. Near 0, where (1 - e) / (1 + e) would cancel, the Taylor series up to x^9 (error below 1e-8 of x
/// for |x| < 0.25).
GLIA_HD float tanh(float x) {
  const float e = exp(-2.0f * abs(x));
  const float far = (1.0f - e) / (1.0f + e);
  const float s = x * x;
  const float near =
      x +
      x * s *
          (-1.0f / 3 + s * (2.0f / 15 + s * (-17.0f / 315 + s * (62.0f / 2835 - s * (1382.0f / 155925)))));
  return abs(x) < 0.25f ? near : (x < 0.0f ? -far : far);
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
  const float e = exp(-abs(x));
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
GLIA_HD double softplus(double x) { return (x < 0.0 ? 0.0 : x) + log1p(exp(-abs(x))); }

}  // namespace glia::math
