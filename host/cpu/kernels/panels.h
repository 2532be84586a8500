// Products of some rows with weights that are used again and again: a recurrent layer's in each step. The weights are packed once, in
// panels of as many columns as two registers hold; a tile of rows stays in registers while it goes down a panel. Each number is summed
// in the order of k, in blocks: it has the same bits however many rows there are.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <kernels/block.h>  // defines: GLIA_ISA

#include <cstdint>
#include <type_traits>

namespace glia::cpu {
inline namespace GLIA_ISA {
namespace panels {

#if defined(__AVX512F__)
constexpr int vector_bytes = 64, tile_rows = 12;
#elif defined(__AVX__)
constexpr int vector_bytes = 32, tile_rows = 6;
#else
constexpr int vector_bytes = 16, tile_rows = 6;
#endif
constexpr int width = 2 * vector_bytes / 4;  ///< columns of a panel
constexpr std::int64_t block_k = 512;        ///< of k, summed before it is added to what there is
using Vector = float __attribute__((vector_size(vector_bytes)));

/// Of any address: types of less alignment are lost on the way, by clang 14 of an alias, by g++ of what `auto` stands for.
[[gnu::always_inline]] inline Vector load(const float* from) {
  Vector vector;
  __builtin_memcpy(&vector, from, sizeof vector);
  return vector;
}
[[gnu::always_inline]] inline void store(const Vector& vector, float* to) {
  __builtin_memcpy(to, &vector, sizeof vector);
}

inline std::int64_t packed_size(std::int64_t k, std::int64_t n) {
  return (n + width - 1) / width * width * k;
}

/// The panels from `first` on, of b (k, n) with these strides: each (k, width), with zeros behind the last column.
inline void pack(const float* b, std::int64_t row_stride, std::int64_t column_stride, std::int64_t k,
                 std::int64_t n, std::int64_t first, std::int64_t count, float* packed) {
  for (std::int64_t panel = first; panel < first + count; ++panel) {
    const std::int64_t column = panel * width, columns = n - column < width ? n - column : width;
    float* const to = packed + column * k;
    for (std::int64_t l = 0; l < k; ++l)
      for (std::int64_t j = 0; j < width; ++j)
        to[l * width + j] = j < columns ? b[l * row_stride + (column + j) * column_stride] : 0.0f;
  }
}

/// A left factor (rows, k): its numbers of a row lie together, or, transposed, those of a column.
struct Left {
  const float* data;
  std::int64_t stride;
  bool transposed = false;

  const float* at(std::int64_t row, std::int64_t l) const {
    return transposed ? data + l * stride + row : data + row * stride + l;
  }
};

/// out (rows, columns) = or += a (rows, k) times a block of a panel.
template <int rows, bool transposed>
[[gnu::always_inline]] inline void multiply_tile(const float* a, std::int64_t a_stride, const float* panel,
                                                 std::int64_t k, float* out, std::int64_t out_stride,
                                                 std::int64_t columns, bool adds) {
  Vector sums[rows][2] = {};
  for (std::int64_t l = 0; l < k; ++l) {
    const Vector left = load(panel + l * width), right = load(panel + l * width + width / 2);
    GLIA_UNROLL
    for (int r = 0; r < rows; ++r) {
      const float x = transposed ? a[l * a_stride + r] : a[r * a_stride + l];
      sums[r][0] += x * left, sums[r][1] += x * right;
    }
  }
  GLIA_UNROLL
  for (int r = 0; r < rows; ++r) {
    float* const to = out + r * out_stride;
    if (columns == width) {
      store(adds ? load(to) + sums[r][0] : sums[r][0], to);
      store(adds ? load(to + width / 2) + sums[r][1] : sums[r][1], to + width / 2);
      continue;
    }
    float part[width];
    store(sums[r][0], part), store(sums[r][1], part + width / 2);
    for (std::int64_t j = 0; j < columns; ++j) to[j] = adds ? to[j] + part[j] : part[j];
  }
}

/// What was packed, of so many rows.
struct Packed {
  const float* data;
  std::int64_t k;
};

/// out (rows, n) = or += a (rows, k) times the first k rows and n columns of b.
template <bool transposed>
void multiply(const Left& a, std::int64_t rows, const Packed& b, std::int64_t k, std::int64_t n, float* out,
              std::int64_t out_stride, bool adds) {
  for (std::int64_t first = 0; first < k; first += block_k) {
    const std::int64_t depth = k - first < block_k ? k - first : block_k;
    for (std::int64_t column = 0; column < n; column += width) {
      const float* const panel = b.data + column * b.k + first * width;
      const std::int64_t columns = n - column < width ? n - column : width;
      const auto tile = [&](std::int64_t row, auto height) {
        multiply_tile<decltype(height)::value, transposed>(a.at(row, first), a.stride, panel, depth,
                                                           out + row * out_stride + column, out_stride,
                                                           columns, adds || first > 0);
      };
      std::int64_t row = 0;
      for (; row + tile_rows <= rows; row += tile_rows) tile(row, std::integral_constant<int, tile_rows>{});
      for (; row + 4 <= rows; row += 4) tile(row, std::integral_constant<int, 4>{});
      for (; row < rows; ++row) tile(row, std::integral_constant<int, 1>{});
    }
  }
}
inline void multiply(const Left& a, std::int64_t rows, const Packed& b, std::int64_t k, std::int64_t n,
                     float* out, std::int64_t out_stride, bool adds = false) {
  if (a.transposed)
    multiply<true>(a, rows, b, k, n, out, out_stride, adds);
  else
    multiply<false>(a, rows, b, k, n, out, out_stride, adds);
}

/// The same of b (k, n) as it lies, row-major: for so few rows that packing would take longer than multiplying.
inline void multiply_unpacked(const float* a, std::int64_t a_stride, std::int64_t rows, const float* b,
                              std::int64_t b_stride, std::int64_t k, std::int64_t n, float* out,
                              std::int64_t out_stride) {
  constexpr std::int64_t most = 512;
  float sums[most];
  for (std::int64_t row = 0; row < rows; ++row)
    for (std::int64_t column = 0; column < n; column += most) {
      const std::int64_t columns = n - column < most ? n - column : most;
      float* const to = out + row * out_stride + column;
      for (std::int64_t first = 0; first < k; first += block_k) {
        const std::int64_t last = k - first < block_k ? k : first + block_k;
        for (std::int64_t j = 0; j < columns; ++j) sums[j] = 0;
        const float* const x = a + row * a_stride;
        const float* const from = b + column;
        std::int64_t l = first;
        for (; l + 4 <= last; l += 4) {
          const float* const b0 = from + l * b_stride;
          const float *const b1 = b0 + b_stride, *const b2 = b1 + b_stride, *const b3 = b2 + b_stride;
          const float x0 = x[l], x1 = x[l + 1], x2 = x[l + 2], x3 = x[l + 3];
          for (std::int64_t j = 0; j < columns; ++j) {
            float sum = sums[j] + x0 * b0[j];
            sum = sum + x1 * b1[j];
            sum = sum + x2 * b2[j];
            sums[j] = sum + x3 * b3[j];
          }
        }
        for (; l < last; ++l)
          for (std::int64_t j = 0; j < columns; ++j) sums[j] += x[l] * from[l * b_stride + j];
        for (std::int64_t j = 0; j < columns; ++j) to[j] = first > 0 ? to[j] + sums[j] : sums[j];
      }
    }
}

}  // namespace panels
}  // namespace GLIA_ISA
}  // namespace glia::cpu
