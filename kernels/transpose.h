// The transpose of a matrix, for a library that wants weights the other way round.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <kernels/patches.h>

namespace glia::kernels {
inline namespace GLIA_ISA {

/// out (columns, rows) = in (rows, columns) transposed, on a GPU: a thread turns a square of as many rows as its strip has columns.
template <class T>
struct TransposeKernel {
  Patches<T> squares;  ///< a row is one of squares
  const T* in;
  T* out;
  std::int64_t rows, columns;

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    squares.template each_strip<Block::tile>(
        block, [&](const auto& strip, std::int64_t row_of_squares, std::int64_t column) {
          constexpr int side = std::decay_t<decltype(strip)>::most;
          const std::int64_t row = row_of_squares * side;
          decltype(strip.load(in)) square[side];
          GLIA_UNROLL
          for (int k = 0; k < side; ++k) square[k] = strip.load(in + (row + k) * columns + column);
          GLIA_UNROLL
          for (int j = 0; j < side; ++j)
            strip.store(out + (column + j) * rows + row, [&](auto k) { return square[k][j]; });
        });
  }
};

}  // namespace GLIA_ISA
}  // namespace glia::kernels
