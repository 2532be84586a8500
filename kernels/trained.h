// Layers whose forward pass is neither a product nor element-wise, but has weights: PReLU and Embedding.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <kernels/sum.h>  // defines: Sums

namespace glia::kernels {
inline namespace GLIA_ISA {

/// out = x above 0, else alpha x; x (rows, columns), alpha (columns,).
template <class T>
struct PreluKernel {
  const T* x;
  const T* alpha;
  T* out;
  std::int64_t rows, columns;

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    const auto range = block.elements(rows * columns);
    for (std::int64_t i = range.begin; i < range.end; i += range.stride)
      out[i] = x[i] < T(0) ? alpha[i % columns] * x[i] : x[i];
  }
};

/// dx = dy above 0, else alpha dy (null: not wanted), and dalpha (columns,) = sum over rows of dy x below 0. A
/// thread has whole columns.
template <class T>
struct PreluGradientKernel {
  const T* x;
  const T* alpha;
  const T* dy;
  T* dx;
  T* dalpha;
  std::int64_t rows, columns;

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    const auto range = block.elements(columns);
    for (std::int64_t c = range.begin; c < range.end; c += range.stride) {
      Sums<T> sum(1);
      for (std::int64_t row = 0; row < rows; ++row) {
        const std::int64_t i = row * columns + c;
        const bool below = x[i] <= T(0);
        sum.add(below ? dy[i] * x[i] : T(0));
        if (dx) dx[i] = below ? alpha[c] * dy[i] : dy[i];
      }
      dalpha[c] = sum.total();
    }
  }
};

/// Whether a stored index names a row of a table; NaN and fractions do not.
template <class T>
GLIA_HD bool is_row(T index, std::int64_t rows) {
  return index >= T(0) && index < static_cast<T>(rows) &&
         index == static_cast<T>(static_cast<std::int64_t>(index));
}

/// out (n, width) = rows of table (rows, width) named by indices (n,); one that names none gives NaN.
template <class T>
struct LookupKernel {
  const T* indices;
  const T* table;
  T* out;
  std::int64_t n, rows, width;

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    const auto range = block.rows(n);
    for (std::int64_t i = range.begin; i < range.end; i += range.stride) {
      const bool there = is_row(indices[i], rows);
      const T* const row = table + (there ? static_cast<std::int64_t>(indices[i]) * width : 0);
      for (std::int64_t c = block.rank(); c < width; c += block.size())
        out[i * width + c] = there ? row[c] : static_cast<T>(NAN);
    }
  }
};

/// Strings the indices (n,) of each row of a table together, in links (rows + n,): of each row where it is first named, or n
/// where nowhere, and behind them of each index where its row is named next, or n. A thread has a piece of the rows.
template <class T>
struct LinkKernel {
  const T* indices;
  std::int32_t* links;
  std::int64_t n, rows;

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    const std::int64_t threads = block.count() * block.size(), piece = (rows + threads - 1) / threads;
    const std::int64_t first = (block.index() * block.size() + block.rank()) * piece;
    const std::int64_t last = first + piece < rows ? first + piece : rows;
    const auto none = static_cast<std::int32_t>(n);
    for (std::int64_t row = first; row < last; ++row) links[row] = none;
    for (std::int64_t i = n - 1; i >= 0; --i) {
      if (!is_row(indices[i], rows)) continue;
      const auto row = static_cast<std::int64_t>(indices[i]);
      if (row < first || row >= last) continue;
      links[rows + i] = links[row];
      links[row] = static_cast<std::int32_t>(i);
    }
  }
};

/// dtable (rows, width) = sums of the dy (n, width) of each row's indices, in their order, which `links` has strung together.
template <class T>
struct LookupGradientKernel {
  const std::int32_t* links;
  const T* dy;
  T* dtable;
  std::int64_t n, rows, width;

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    constexpr int tile = Block::tile;
    const auto range = block.rows(rows);
    for (std::int64_t row = range.begin; row < range.end; row += range.stride)
      for (std::int64_t c = block.rank() * tile; c < width; c += block.size() * tile)
        sum_row<tile>(row, c, static_cast<int>(width - c < tile ? width - c : tile));
  }

 private:
  template <int tile>
  GLIA_HD void sum_row(std::int64_t row, std::int64_t c, int together) const {
    T* const out = dtable + row * width + c;
    if (links[row] == n) {
      for (int j = 0; j < together; ++j) out[j] = 0;
      return;
    }
    Sums<T, tile> sum(together);
    for (std::int64_t i = links[row]; i < n; i = links[rows + i]) {
      for (int j = 0; j < together; ++j) sum[j] += dy[i * width + c + j];
      sum.next(together);
    }
    for (int j = 0; j < together; ++j) out[j] = sum.total(j);
  }
};

}  // namespace GLIA_ISA
}  // namespace glia::kernels
