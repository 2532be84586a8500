// Matrix product by plain loops: the float64 path, and the fallback where a library has no algorithm.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <kernels/sum.h>  // defines: Sums

namespace glia::kernels {
inline namespace GLIA_ISA {

/// out (m, n) = a (m, k) b (k, n), strides in elements, rows of `out` contiguous; and `batch` of that, so many elements apart
/// each. A thread computes Block::tile outputs of a row together, so that the inner loop is a vector's; each is summed over k
/// in ascending order, by leaves.
template <class T>
struct MatmulKernel {
  const T* a;
  const T* b;
  T* out;
  std::int64_t m, n, k;
  std::int64_t a_row, a_column, b_row, b_column, out_row;
  std::int64_t batch = 1, a_matrix = 0, b_matrix = 0, out_matrix = 0;

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    constexpr int tile = Block::tile;
    const auto range = block.rows(batch * m);
    for (std::int64_t i = range.begin; i < range.end; i += range.stride) {
      const std::int64_t matrix = batch > 1 ? i / m : 0, row = i - matrix * m;
      const T* const left = a + matrix * a_matrix + row * a_row;
      const T* const right = b + matrix * b_matrix;
      T* const to = out + matrix * out_matrix + row * out_row;
      for (std::int64_t first = block.rank() * tile; first < n; first += block.size() * tile) {
        const std::int64_t width = n - first < tile ? n - first : tile;
        Sums<T, tile> sum(tile);
        for (std::int64_t l = 0; l < k; ++l) {
          const T x = left[l * a_column];
          const T* const y = right + l * b_row + first * b_column;
          if (width == tile && b_column == 1)
            for (int j = 0; j < tile; ++j) sum[j] += x * y[j];
          else
            for (int j = 0; j < width; ++j) sum[j] += x * y[j * b_column];
          sum.next(width);
        }
        for (int j = 0; j < width; ++j) to[first + j] = sum.total(j);
      }
    }
  }
};

}  // namespace GLIA_ISA
}  // namespace glia::kernels
