// Long sums. Added one by one in float32, 10^7 equal numbers give anything: beyond 2^24 ones, nothing is added any more, and
// long before that each addition is rounded the same way. So every kernel that may sum many numbers sums leaves of sixteen
// in their order, and adds those in float64: the relative error of equal addends stays below 3e-7, however many they are.
// A leaf is the same numbers however a launch is cut; where one thread has a whole sum, so are the sum's bits. Where the
// threads of a block share it, the block's size orders the leaves' addition, which float64 has 29 bits to spare for.
// Sums below sixteen numbers are what plain loops make of them; Sums adds float64 plainly.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <kernels/block.h>

namespace glia::kernels {
inline namespace GLIA_ISA {

constexpr int leaf_terms = 16;

/// The sums of up to `tile` neighbouring columns, of which one thread adds a term each at a time:
///
///     Sums<T, tile> sums(width);
///     for (row...) {
///       for (int j = 0; j < width; ++j) sums[j] += x[row * columns + j];
///       sums.next(width);
///     }
///     for (int j = 0; j < width; ++j) out[j] = sums.total(j);
template <class T, int tile = 1>
class Sums {
 public:
  GLIA_HD explicit Sums(std::int64_t width) {
    for (int j = 0; j < (tile == 1 ? 1 : width); ++j) leaf_[j] = 0;
    if constexpr (tile <= 16)  // of more the first fold does it, which costs short sums nothing
      for (int j = 0; j < (tile == 1 ? 1 : width); ++j) total_[j] = 0;
  }

  GLIA_HD T& operator[](int j) { return leaf_[at(j)]; }
  /// After the terms of all columns; a term that was left out counts as 0.
  GLIA_HD void next(std::int64_t width) {
    if constexpr (sizeof(T) < sizeof(double)) {
      if (++terms_ == leaf_terms) fold(width);
    }
  }
  /// Of one column: its next term.
  GLIA_HD void add(T term) {
    leaf_[0] += term;
    next(1);
  }
  GLIA_HD T total(int j = 0) const {
    return folded_ ? static_cast<T>(total_[at(j)] + static_cast<double>(leaf_[at(j)])) : leaf_[at(j)];
  }
  /// The same before it is rounded to T.
  GLIA_HD double wide_total(int j = 0) const {
    return (folded_ ? total_[at(j)] : 0) + static_cast<double>(leaf_[at(j)]);
  }

 private:
  /// One column is in registers, which cannot be indexed.
  GLIA_HD static constexpr int at(int j) { return tile == 1 ? 0 : j; }
  GLIA_HD void fold(std::int64_t width) {
    for (int j = 0; j < (tile == 1 ? 1 : width); ++j) {
      total_[j] = (folded_ ? total_[j] : 0) + static_cast<double>(leaf_[j]);
      leaf_[j] = 0;
    }
    folded_ = true;
    terms_ = 0;
  }

  T leaf_[tile];
  double total_[tile];
  int terms_ = 0;
  bool folded_ = false;
};

/// The sum of f(c) over the columns of a row; every lane of the group gets it. A lane asks for c = lane, lane + lanes, ...
/// and sums tiles of leaves, so that long rows are a vector's.
template <class T, class Block, class F>
GLIA_HD T row_sum(Block& block, std::int64_t columns, const F& f) {
  constexpr std::int64_t tile = Block::tile;
  const std::int64_t lane = block.lane(), lanes = block.lanes(), step = tile * lanes;
  if (columns <= leaf_terms * lanes) {
    T sum = 0;
    for (std::int64_t c = lane; c < columns; c += lanes) sum += f(c);
    return block.group_sum(sum);
  }
  double total = 0;
  for (std::int64_t first = 0; first < columns; first += leaf_terms * step) {
    const std::int64_t last = columns - first < leaf_terms * step ? columns : first + leaf_terms * step;
    T leaves[tile] = {};
    std::int64_t c = first + lane;
    for (; c - lane + step <= last; c += step)
      for (std::int64_t j = 0; j < tile; ++j) leaves[j] += f(c + j * lanes);
    for (std::int64_t j = 0; j < tile && c + j * lanes < last; ++j) leaves[j] += f(c + j * lanes);
    for (std::int64_t j = 0; j < tile; ++j) total += static_cast<double>(leaves[j]);
  }
  return static_cast<T>(block.group_sum(total));
}

/// totals (n,) += part, or = with `first`: leaves that a library summed.
inline void add_to_totals(double* __restrict totals, const float* __restrict part, std::int64_t n,
                          bool first) {
  if (first)
    for (std::int64_t i = 0; i < n; ++i) totals[i] = static_cast<double>(part[i]);
  else
    for (std::int64_t i = 0; i < n; ++i) totals[i] += static_cast<double>(part[i]);
}

/// out, of rows of `columns` numbers `stride` apart, = the sums of the parts' totals (parts, n), in their order.
inline void store_totals(double* totals, std::int64_t parts, std::int64_t n, std::int64_t columns, float* out,
                         std::int64_t stride) {
  for (std::int64_t part = 1; part < parts; ++part)
    for (std::int64_t i = 0; i < n; ++i) totals[i] += totals[part * n + i];
  for (std::int64_t row = 0; row < n / columns; ++row)
    for (std::int64_t c = 0; c < columns; ++c)
      out[row * stride + c] = static_cast<float>(totals[row * columns + c]);
}

}  // namespace GLIA_ISA
}  // namespace glia::kernels
