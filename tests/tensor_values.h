// Numbers and tensors that several tests of Tensor use.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/tensor.h>

#include <cstdint>
#include <limits>
#include <vector>

namespace glia::testing {

inline constexpr double nan = std::numeric_limits<double>::quiet_NaN();
inline constexpr double infinity = std::numeric_limits<double>::infinity();

/// uint8 values that consumers multiply by `scale`.
inline Tensor scaled_bytes(const std::vector<std::uint8_t>& values, double scale) {
  Tensor result(values);
  result.set_scale(scale);
  return result;
}

}  // namespace glia::testing
