// Functions of float64 that give the same bits wherever they are compiled. The standard library's differ between a CPU and
// a GPU, and compilers make one instruction of a product and a sum where the processor has it. So there is nothing here but
// operations that IEEE 754 rounds in one way, and each sum of a product says std::fma.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/macros.h>  // defines: GLIA_HD

#include <cmath>
#include <cstdint>
#include <cstring>

namespace glia::math {

/// 2^exponent, for exponents of normal numbers: -1022 to 1023.
GLIA_HD double power_of_two(std::int64_t exponent) {
  const std::int64_t bits = (exponent + 1023) << 52;
  double value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

/// (1 + cos(pi share)) / 2: from 1 at 0 to 0 at 1, exactly both, for a share from 0 to 1. Within 2 ulp: 1 - sin^2 or
/// sin^2 of at most pi / 4, by the Taylor polynomial of degree 17.
GLIA_HD double half_cosine(double share) {
  const bool second_half = share > 0.5;
  const double x = 1.57079632679489661923 * (second_half ? 1 - share : share);
  const double square = x * x;
  double p = 1.0 / 355687428096000;
  p = std::fma(p, square, -1.0 / 1307674368000);
  p = std::fma(p, square, 1.0 / 6227020800);
  p = std::fma(p, square, -1.0 / 39916800);
  p = std::fma(p, square, 1.0 / 362880);
  p = std::fma(p, square, -1.0 / 5040);
  p = std::fma(p, square, 1.0 / 120);
  p = std::fma(p, square, -1.0 / 6);
  const double sine = std::fma(p * square, x, x);
  return second_half ? sine * sine : std::fma(-sine, sine, 1.0);
}

/// Natural logarithm of a positive finite number that is not subnormal. x = m 2^n with m within sqrt(2) of 1;
/// log m = 2 artanh f with f = (m - 1) / (m + 1), by its series up to f^23.
GLIA_HD double log_exact(double x) {
  std::int64_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  std::int64_t exponent = (bits >> 52) - 1023;
  bits = (bits & 0xFFFFFFFFFFFFF) | (std::int64_t{1023} << 52);
  double m;
  std::memcpy(&m, &bits, sizeof m);
  if (m > 1.41421356237309504880) {
    m = m / 2;
    exponent += 1;
  }
  const double f = (m - 1) / (m + 1), square = f * f;
  double p = 1.0 / 23;
  for (int odd = 21; odd >= 3; odd -= 2) p = std::fma(p, square, 1.0 / odd);
  const double log_m = std::fma(p * square, 2 * f, 2 * f);
  return std::fma(static_cast<double>(exponent), 0.693147180559945309417, log_m);
}

/// e^x, 0 below -700 and at most e^700. x = n ln 2 + r; e^r by its Taylor polynomial of degree 13.
GLIA_HD double exp_exact(double x) {
  if (x < -700) return 0;
  if (x > 700) x = 700;
  const double n = std::floor(std::fma(x, 1.44269504088896340736, 0.5));
  double r = std::fma(n, -6.93147180369123816490e-1, x);  // ln 2 in two parts
  r = std::fma(n, -1.90821492927058770002e-10, r);
  double p = 1.0 / 6227020800;
  p = std::fma(p, r, 1.0 / 479001600);
  p = std::fma(p, r, 1.0 / 39916800);
  p = std::fma(p, r, 1.0 / 3628800);
  p = std::fma(p, r, 1.0 / 362880);
  p = std::fma(p, r, 1.0 / 40320);
  p = std::fma(p, r, 1.0 / 5040);
  p = std::fma(p, r, 1.0 / 720);
  p = std::fma(p, r, 1.0 / 120);
  p = std::fma(p, r, 1.0 / 24);
  p = std::fma(p, r, 1.0 / 6);
  p = std::fma(p, r, 0.5);
  p = std::fma(p, r, 1.0);
  p = std::fma(p, r, 1.0);
  return p * power_of_two(static_cast<std::int64_t>(n));
}

/// x^n by squaring; 0 where it is below 1e-290, so that it does not matter whether a processor keeps subnormal numbers, and
/// 1e290 where it is above that.
GLIA_HD double integer_power(double x, std::int64_t n) {
  double result = 1;
  for (; n > 0; n >>= 1) {
    if (n & 1) result *= x;
    x *= x;
  }
  return result < 1e-290 ? 0 : result > 1e290 ? 1e290 : result;
}

/// x^y, x at least 0 and finite, y at least 0: exact where y and the powers on the way are whole numbers. From 1e-290 to
/// 1e290, or 0.
GLIA_HD double power(double x, double y) {
  constexpr double most = 9007199254740992;  // a greater number is whole, and its power 0, 1 or too large
  const double whole = y < most ? std::floor(y) : most;
  const double result = integer_power(x, static_cast<std::int64_t>(whole));
  const double rest = y < most ? y - whole : 0;
  if (rest == 0) return result;
  if (x < 1e-290) return 0;
  const double both = result * exp_exact(rest * log_exact(x));
  return both < 1e-290 ? 0 : both > 1e290 ? 1e290 : both;
}

/// `share` (0 to 1) of the way from `from` to `to`: exactly these at the ends, and never outside of them.
GLIA_HD double between(double from, double to, double share) {
  if (share >= 1) return to;
  const double value = std::fma(to - from, share, from);
  const double low = from < to ? from : to, high = from < to ? to : from;
  return value < low ? low : value > high ? high : value;
}

}  // namespace glia::math
