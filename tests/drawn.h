// Data drawn for a test, and lists of tensors that are to be the same.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/tensor.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "tests/slopes.h"  // defines: Draws

namespace glia::test {

inline Tensor drawn(std::uint64_t seed, const Shape& shape) {
  return Draws(seed).tensor(shape).cast(DType::float32);
}

inline bool same_bits(const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
  bool same = a.size() == b.size();
  for (std::size_t i = 0; same && i < a.size(); ++i) same = array_equal(a[i], b[i]);
  return same;
}

}  // namespace glia::test
