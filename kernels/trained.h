// Layers whose forward pass is neither a product nor element-wise, but has weights: PReLU and Embedding.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <kernels/block.h>

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
      T sum = 0;
      for (std::int64_t row = 0; row < rows; ++row) {
        const std::int64_t i = row * columns + c;
        const bool below = x[i] <= T(0);
        if (below) sum += dy[i] * x[i];
        if (dx) dx[i] = below ? alpha[c] * dy[i] : dy[i];
      }
      dalpha[c] = sum;
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

/// dtable (rows, width) = sums of the dy (n, width) of each row's indices. A block has a piece of the table, so
/// that sums come in the order of the indices.
template <class T>
struct LookupGradientKernel {
  const T* indices;
  const T* dy;
  T* dtable;
  std::int64_t n, rows, width;

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    const std::int64_t piece = (rows + block.count() - 1) / block.count();
    const std::int64_t first = block.index() * piece;
    const std::int64_t last = first + piece < rows ? first + piece : rows;
    for (std::int64_t row = first; row < last; ++row)
      for (std::int64_t c = block.rank(); c < width; c += block.size()) dtable[row * width + c] = 0;
    for (std::int64_t i = 0; i < n; ++i) {
      if (!is_row(indices[i], rows)) continue;
      const auto row = static_cast<std::int64_t>(indices[i]);
      if (row < first || row >= last) continue;
      for (std::int64_t c = block.rank(); c < width; c += block.size())
        dtable[row * width + c] += dy[i * width + c];
    }
  }
};

}  // namespace GLIA_ISA
}  // namespace glia::kernels
