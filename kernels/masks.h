// Masks of steps, and memory filled with a number.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <kernels/strip.h>

#include <cstdint>

namespace glia::kernels {
inline namespace GLIA_ISA {

/// out = value, n elements; where there are rows, of matrices (rows, columns) 0 above the diagonal.
template <class T>
struct FillKernel {
  T* out;
  std::int64_t n;
  T value;
  bool packed;
  std::int64_t rows, columns;

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    each_element<T>(
        block, n, packed, [](const auto&, std::int64_t) { return 0; },
        [&](const auto& strip, std::int64_t i, int) {
          if (rows == 0)
            strip.store(out + i, [&](auto) { return value; });
          else
            strip.store(out + i, [&](auto j) {
              const std::int64_t place = i + j;
              return place % columns <= place / columns % rows ? value : T(0);
            });
        });
  }
};

/// out (rows,) = whether any element of a row of in (rows, width) is not `value`, as 1 or 0.
template <class T>
struct MaskKernel {
  const T* in;
  T* out;
  std::int64_t rows, width;
  T value;

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    const auto range = block.elements(rows);
    for (std::int64_t row = range.begin; row < range.end; row += range.stride) {
      bool any = false;
      for (std::int64_t j = 0; j < width; ++j) any |= in[row * width + j] != value;
      out[row] = any ? T(1) : T(0);
    }
  }
};

}  // namespace GLIA_ISA
}  // namespace glia::kernels
