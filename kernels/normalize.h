// Normalisations within each row (Ba et al. 2016; without the mean: Zhang and Sennrich 2019), and by numbers given.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <kernels/batch_norm.h>  // defines: ChunkSums
#include <kernels/patches.h>
#include <kernels/sum.h>  // defines: row_sum

namespace glia::kernels {
inline namespace GLIA_ISA {

/// x - mean, the mean in two parts: a rounded one is as far from the true as a row may spread that lies far from 0.
template <class T>
struct Centered {
  const T* x;
  T mean = 0, rest = 0;
  GLIA_HD T operator()(std::int64_t c) const { return (x[c] - mean) - rest; }
};
/// The square of it, in `unit`s.
template <class T>
struct CenteredSquare {
  Centered<T> row;
  T unit = 1;
  GLIA_HD T operator()(std::int64_t c) const {
    const T d = row(c) / unit;
    return d * d;
  }
};

/// A row less its mean: that of the row, and that of what the first leaves.
template <class T, class Block>
GLIA_HD Centered<T> centered(Block& block, const T* x, std::int64_t columns) {
  const T first = row_sum<T>(block, columns, Centered<T>{x}) / static_cast<T>(columns);
  const T more = row_sum<T>(block, columns, Centered<T>{x, first}) / static_cast<T>(columns);
  const T mean = first + more;
  return {x, mean, (first - mean) + more};
}

/// y = (x - mean) / sqrt(variance + epsilon) * gamma + beta of each row, or where !centers y = x / sqrt(mean
/// x^2 + epsilon) * gamma. saved (rows, 3): the mean (0), 1 / deviation and the rest of the mean. A group a row.
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
    const auto range = block.group_rows(rows);
    for (std::int64_t row = range.begin; row < range.end; row += range.stride) {
      const T* const in = x + row * columns;
      const Centered<T> d = centers ? centered(block, in, columns) : Centered<T>{in};
      const T inverse = T(1) / deviation(block, d);
      for (std::int64_t c = block.lane(); c < columns; c += block.lanes())
        y[row * columns + c] = d(c) * inverse * (gamma ? gamma[c] : T(1)) + (beta ? beta[c] : T(0));
      if (block.lane() == 0)
        saved[3 * row] = d.mean, saved[3 * row + 1] = inverse, saved[3 * row + 2] = d.rest;
    }
  }

 private:
  /// sqrt(variance + epsilon); in units of the greatest element where squares are beyond T.
  template <class Block>
  GLIA_HD T deviation(Block& block, const Centered<T>& d) const {
    const T n = static_cast<T>(columns), squares = row_sum<T>(block, columns, CenteredSquare<T>{d});
    if (squares < T(HUGE_VALF)) return math::sqrt(squares / n + epsilon);
    T unit = 0;
    for (std::int64_t c = block.lane(); c < columns; c += block.lanes())
      unit = math::max_nan(unit, math::abs(d(c)));
    unit = block.group_max(unit);
    return unit *
           math::sqrt(row_sum<T>(block, columns, CenteredSquare<T>{d, unit}) / n + epsilon / unit / unit);
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
      const Centered<T> d{x + first, saved[3 * row], saved[3 * row + 2]};
      const T inverse = saved[3 * row + 1];
      const auto slope = [&](std::int64_t c) { return dy[first + c] * (gamma ? gamma[c] : T(1)); };
      const auto product = [&](std::int64_t c) { return slope(c) * (d(c) * inverse); };
      const T sum = centers ? row_sum<T>(block, columns, slope) * share : T(0);
      const T dot = row_sum<T>(block, columns, product) * share;
      for (std::int64_t c = block.lane(); c < columns; c += block.lanes())
        dx[first + c] = (slope(c) - sum - d(c) * inverse * dot) * inverse;
    }
  }
};

/// Of each chunk's rows the sums of dy, and of dy x_hat.
template <class T>
struct LayerNormWeightsKernel {
  ChunkSums<T> to;
  const T* x;
  const T* dy;
  const T* saved;

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    to.chunks.template each_piece<Block::tile>(
        block, [&](const auto& strip, const Place& place) { sum(block, strip, place); });
  }

 private:
  struct SavedRow {
    T mean, inverse, rest;
  };

  template <class Block, class Strip>
  GLIA_HD void sum(Block& block, const Strip& strip, const Place& place) const {
    constexpr int most = Strip::most;
    const std::int64_t columns = to.chunks.columns(), column = place.column;
    double sums[2 * most];
    sum_rows<T, 2>(
        block, strip, place, sums,
        [&](std::int64_t row) {
          const std::int64_t i = row * columns + column;
          const T* const s = saved + 3 * row;
          return Both{Both{strip.load(dy + i), strip.load(x + i)}, SavedRow{s[0], s[1], s[2]}};
        },
        [](auto& leaf, const auto& v, auto j) {
          const T d = (v.first.second[j] - v.second.mean) - v.second.rest;
          leaf[0][j] += v.first.first[j];
          leaf[1][j] += v.first.first[j] * (d * v.second.inverse);
        });
    if (place.writes())
      to.store(
          strip, place, [&](auto j) { return static_cast<T>(sums[j]); },
          [&](auto j) { return static_cast<T>(sums[most + j]); });
  }
};

/// y = (x - mean) / max(sqrt(variance), 1e-7) of each column: Keras's Normalization layer. And dx = dy / that.
template <class T>
struct StandardizeKernel {
  Patches<T> patches;
  const T* x;
  const T* mean;
  const T* variance;
  T* y;
  bool backward;

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    patches.each_place(block, [&](const auto& strip, const Place& place) {
      const std::int64_t columns = patches.columns(), column = place.column;
      const auto m = strip.load(mean + column), v = strip.load(variance + column);
      each_row(
          strip, place, [&](std::int64_t row) { return strip.load(x + row * columns + column); },
          [&](std::int64_t row, const auto& in) {
            strip.store(y + row * columns + column, [&](auto j) {
              const T deviation = math::max_nan(math::sqrt(v[j]), T(1e-7));
              return (backward ? in[j] : in[j] - m[j]) / deviation;
            });
          });
    });
  }
};

}  // namespace GLIA_ISA
}  // namespace glia::kernels
