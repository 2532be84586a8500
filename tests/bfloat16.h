// bfloat16 by its definition, in float64.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/tensor.h>

#include <algorithm>
#include <cmath>

namespace glia::test {

/// The nearest number of 8 significant bits between 2^-126 and 2^128, below that a multiple of 2^-133; ties to even.
inline double to_bfloat16(double x) {
  if (!std::isfinite(x) || x == 0) return x;
  int exponent;
  std::frexp(x, &exponent);  // x = m 2^exponent, 1/2 <= |m| < 1
  const double unit = std::ldexp(1.0, std::max(exponent - 8, -133));
  const double nearest = std::nearbyint(x / unit) * unit;
  return std::abs(nearest) < std::ldexp(1.0, 128) ? nearest : std::copysign(INFINITY, x);
}

inline Tensor to_bfloat16(const Tensor& tensor) {
  Tensor result = tensor.cast(DType::float64);
  for (std::int64_t i = 0; i < result.size(); ++i)
    result.data<double>()[i] = to_bfloat16(result.data<double>()[i]);
  return result;
}

}  // namespace glia::test
