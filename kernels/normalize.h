// Normalisations within each row (Ba et al. 2016; without the mean: Zhang and Sennrich 2019), and by numbers given.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <kernels/block.h>

namespace glia::kernels {
inline namespace GLIA_ISA {

/// sums[j] of f(row, j) over all rows; a thread has rows rank, rank + size, ... Every thread gets them.
template <class T, int tile, class Block, class F>
GLIA_HD void sum_columns(Block& block, std::int64_t rows, std::int64_t width, T (&sums)[tile], const F& f) {
  for (int j = 0; j < tile; ++j) sums[j] = 0;
  for (std::int64_t row = block.rank(); row < rows; row += block.size())
    for (int j = 0; j < width; ++j) sums[j] += f(row, j);
  for (int j = 0; j < tile; ++j) sums[j] = block.sum(sums[j]);
}

template <class T>
struct ColumnElement {
  const T* x;
  std::int64_t columns;
  GLIA_HD T operator()(std::int64_t row, int j) const { return x[row * columns + j]; }
};
/// out (columns,) = sums over the rows of x (rows, columns).
template <class T>
struct SumRowsKernel {
  const T* x;
  T* out;
  std::int64_t rows, columns;

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    constexpr int tile = Block::tile;
    for (std::int64_t first = block.index() * tile; first < columns; first += block.count() * tile) {
      const std::int64_t width = columns - first < tile ? columns - first : tile;
      T sum[tile];
      sum_columns(block, rows, width, sum, ColumnElement<T>{x + first, columns});
      if (block.rank() == 0)
        for (int j = 0; j < width; ++j) out[first + j] = sum[j];
    }
  }
};

/// y = (x - mean) / sqrt(variance + epsilon) * gamma + beta of each row, or where !centers y = x / sqrt(mean
/// x^2 + epsilon) * gamma. saved (rows, 2): the mean (0) and 1 / deviation. A group a row.
template <class T>
struct LayerNormKernel {
  const T* x;
  const T* gamma;
  const T* beta;
  T* y;
  T* saved;
  std::int64_t rows, columns;
  T epsilon;
  bool centers;

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    const T share = T(1) / static_cast<T>(columns);
    const auto range = block.group_rows(rows);
    for (std::int64_t row = range.begin; row < range.end; row += range.stride) {
      const T* const in = x + row * columns;
      T sum = 0, squares = 0;
      for (std::int64_t c = block.lane(); centers && c < columns; c += block.lanes()) sum += in[c];
      const T mean = centers ? block.group_sum(sum) * share : T(0);
      for (std::int64_t c = block.lane(); c < columns; c += block.lanes())
        squares += (in[c] - mean) * (in[c] - mean);
      const T inverse = T(1) / math::sqrt(block.group_sum(squares) * share + epsilon);
      for (std::int64_t c = block.lane(); c < columns; c += block.lanes())
        y[row * columns + c] = (in[c] - mean) * inverse * (gamma ? gamma[c] : T(1)) + (beta ? beta[c] : T(0));
      if (block.lane() == 0) saved[2 * row] = mean, saved[2 * row + 1] = inverse;
    }
  }
};

/// dx = (g - mean(g) - x_hat mean(g x_hat)) / deviation, g = dy gamma; the mean of g falls out where !centers.
template <class T>
struct LayerNormGradientKernel {
  const T* x;
  const T* dy;
  const T* gamma;
  const T* saved;
  T* dx;
  std::int64_t rows, columns;
  bool centers;

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    const T share = T(1) / static_cast<T>(columns);
    const auto range = block.group_rows(rows);
    for (std::int64_t row = range.begin; row < range.end; row += range.stride) {
      const std::int64_t first = row * columns;
      const T mean = saved[2 * row], inverse = saved[2 * row + 1];
      T sum = 0, dot = 0;
      for (std::int64_t c = block.lane(); c < columns; c += block.lanes()) {
        const T g = dy[first + c] * (gamma ? gamma[c] : T(1));
        sum += g;
        dot += g * (x[first + c] - mean) * inverse;
      }
      sum = centers ? block.group_sum(sum) * share : T(0);
      dot = block.group_sum(dot) * share;
      for (std::int64_t c = block.lane(); c < columns; c += block.lanes()) {
        const T g = dy[first + c] * (gamma ? gamma[c] : T(1));
        dx[first + c] = (g - sum - (x[first + c] - mean) * inverse * dot) * inverse;
      }
    }
  }
};

/// dgamma = sum over rows of dy x_hat, dbeta = sum of dy (=); each null where not wanted.
template <class T>
struct LayerNormWeightsKernel {
  const T* x;
  const T* dy;
  const T* saved;
  T* dgamma;
  T* dbeta;
  std::int64_t rows, columns;

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    constexpr int tile = Block::tile;
    for (std::int64_t first = block.index() * tile; first < columns; first += block.count() * tile) {
      const std::int64_t width = columns - first < tile ? columns - first : tile;
      T dot[tile], sum[tile];
      sum_columns(block, rows, width, dot, Product{x + first, dy + first, saved, columns});
      sum_columns(block, rows, width, sum, ColumnElement<T>{dy + first, columns});
      if (block.rank() != 0) continue;
      for (int j = 0; j < width; ++j) {
        if (dgamma) dgamma[first + j] = dot[j];
        if (dbeta) dbeta[first + j] = sum[j];
      }
    }
  }

 private:
  struct Product {
    const T* x;
    const T* dy;
    const T* saved;
    std::int64_t columns;
    GLIA_HD T operator()(std::int64_t row, int j) const {
      return dy[row * columns + j] * (x[row * columns + j] - saved[2 * row]) * saved[2 * row + 1];
    }
  };
};

/// y = (x - mean) / max(sqrt(variance), 1e-7) of each column: Keras's Normalization layer. And dx = dy / that.
template <class T>
struct StandardizeKernel {
  const T* x;
  const T* mean;
  const T* variance;
  T* y;
  std::int64_t rows, columns;
  bool backward;

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    const auto range = block.elements(rows * columns);
    for (std::int64_t i = range.begin; i < range.end; i += range.stride) {
      const std::int64_t c = i % columns;
      const T deviation = math::max_nan(math::sqrt(variance[c]), T(1e-7));
      y[i] = (backward ? x[i] : x[i] - mean[c]) / deviation;
    }
  }
};

}  // namespace GLIA_ISA
}  // namespace glia::kernels
