// Sums over the middle axis of in (outer, reduced, inner), in chunks of it: out (outer, inner, chunks), times scale. Three
// ways, by what gives a GPU's threads the most to do beside each other.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <kernels/patches.h>
#include <kernels/strided.h>
#include <kernels/sum.h>  // defines: Sums

#include <cstdint>

namespace glia::kernels {
inline namespace GLIA_ISA {

/// The sum of n numbers, `step` apart, by one thread: leaves in order, as Sums makes it.
template <class T>
GLIA_HD double sum_apart(const T* x, std::int64_t n, std::int64_t step) {
  double total = 0;
  for (std::int64_t first = 0; first < n; first += leaf_terms) {
    const std::int64_t last = n - first < leaf_terms ? n : first + leaf_terms;
    T leaf = 0;
    stream<4>(
        first, last, 1, [&](std::int64_t i) { return x[i * step]; },
        [&](std::int64_t, T term) { leaf += term; });
    total += static_cast<double>(leaf);
  }
  return total;
}

/// A sum a thread: of `sums`, whose strides are those of a sum's first term in `in`, of the sum in `out`, and of its first
/// term's number on the axis. For short sums, of which there are many.
template <class T, class To, class Places>
struct ReduceColumnsKernel {
  const T* in;
  To* out;
  Places sums;
  std::int64_t reduced, row_step, terms_of_chunk;
  double scale;

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    const std::int64_t in_next = sums.step(0), out_next = sums.step(1), first_next = sums.step(2);
    sums.for_each(block, [&](std::int64_t, const std::int64_t(&at)[3], std::int64_t count) {
      const auto terms = [&](std::int64_t j) {
        const std::int64_t left = reduced - (at[2] + j * first_next);
        return left < terms_of_chunk ? left : terms_of_chunk;
      };
      if constexpr (Block::tile > 1) {
        // Neighbours that lie together have a chunk in common.
        const std::int64_t together = in_next == 1 && first_next == 0 ? Block::tile : 1;
        for (std::int64_t j = 0; j < count; j += together)
          sum_together<Block::tile>(in + at[0] + j * in_next, terms(j),
                                    count - j < together ? count - j : together, out + at[1] + j * out_next,
                                    out_next);
      } else {
        out[at[1]] = static_cast<To>(scale * sum_apart(in + at[0], terms(0), row_step));
      }
    });
  }

 private:
  template <int tile>
  GLIA_HD void sum_together(const T* x, std::int64_t terms, std::int64_t width, To* to,
                            std::int64_t out_next) const {
    Sums<T, tile> sum(width);
    for (std::int64_t term = 0; term < terms; ++term, x += row_step) {
      for (int k = 0; k < width; ++k) sum[k] += x[k];
      sum.next(width);
    }
    for (int k = 0; k < width; ++k) to[k * out_next] = static_cast<To>(scale * sum.wide_total(k));
  }
};

/// The columns of a chunk by patches: for long sums over many neighbours. Rows of `in` are `row_step` elements apart.
template <class T, class To>
struct ReducePatchesKernel {
  Patches<T> pieces;  ///< a row is a chunk, outer * chunks of them, below 2^31
  const T* in;
  To* out;
  std::int64_t reduced, row_step, chunks, terms_of_chunk;
  double scale;

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    // Of several cache lines, that a processor's rows are read on.
    pieces.template each_piece<4 * Block::tile>(
        block, [&](const auto& strip, const Place& piece) { sum(block, strip, piece); });
  }

 private:
  template <class Block, class Strip>
  GLIA_HD void sum(Block& block, const Strip& strip, const Place& piece) const {
    const std::int64_t outer = static_cast<std::uint32_t>(piece.piece) / static_cast<std::uint32_t>(chunks);
    const std::int64_t chunk = piece.piece - outer * chunks;
    Place terms = piece;
    terms.begin = chunk * terms_of_chunk, terms.end = terms.begin;
    if (piece.is_inside)
      terms.end = reduced - terms.begin < terms_of_chunk ? reduced : terms.begin + terms_of_chunk;
    const T* const x = in + outer * reduced * row_step + piece.column;
    double sums[Strip::most];
    sum_rows<T, 1>(
        block, strip, terms, sums, [&](std::int64_t row) { return strip.load(x + row * row_step); },
        [](auto& leaf, const auto& v, auto j) { leaf[0][j] += v[j]; });
    if (!piece.writes()) return;
    To* const to = out + (outer * pieces.columns() + piece.column) * chunks + chunk;
    if (chunks == 1)
      strip.store(to, [&](auto j) { return static_cast<To>(scale * sums[j]); });
    else
      strip.for_each([&](auto j) { to[j * chunks] = static_cast<To>(scale * sums[j]); });
  }
};

/// A chunk a group, below 2^31 of them: for an inner axis of at most sixteen, of which no group would be full. The slab that a chunk is lies in memory as rows of up to 32 numbers, whose columns are summed by a lane each.
template <class T, class To>
struct ReduceRowsKernel {
  static constexpr int widest = 16, most_columns = 32;  ///< inner axis, and columns of a slab
  const T* in;
  To* out;
  std::int64_t outer, reduced;
  int inner;
  std::int64_t chunks, terms_of_chunk;
  double scale;

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    const auto range = block.group_rows(outer * chunks);
    for (std::int64_t row = range.begin; row < range.end; row += range.stride) {
      const std::int64_t o = static_cast<std::uint32_t>(row) / static_cast<std::uint32_t>(chunks);
      const std::int64_t chunk = row - o * chunks, first = chunk * terms_of_chunk;
      const std::int64_t terms = reduced - first < terms_of_chunk ? reduced - first : terms_of_chunk;
      const T* const slab = in + (o * reduced + first) * inner;
      To* const to = out + o * inner * chunks + chunk;
      if constexpr (Block::tile > 1)
        sum_alone(slab, terms * inner, to);
      else
        sum_together(block, slab, terms * inner, to);
    }
  }

 private:
  GLIA_HD int columns() const { return most_columns / inner * inner; }

  /// One thread has all columns.
  GLIA_HD void sum_alone(const T* slab, std::int64_t n, To* to) const {
    const int width = columns();
    Sums<T, most_columns> sums(width);
    std::int64_t at = 0;
    if (width == most_columns)
      for (; at + most_columns <= n; at += most_columns) {
        for (int c = 0; c < most_columns; ++c) sums[c] += slab[at + c];
        sums.next(most_columns);
      }
    else
      for (; at + width <= n; at += width) {
        for (int c = 0; c < width; ++c) sums[c] += slab[at + c];
        sums.next(width);
      }
    for (int c = 0; at + c < n; ++c) sums[c] += slab[at + c];
    for (int i = 0; i < inner; ++i) {
      double total = 0;
      for (int c = i; c < width; c += inner) total += sums.wide_total(c);
      to[i * chunks] = static_cast<To>(scale * total);
    }
  }

  GLIA_HD double column(const T* slab, std::int64_t n, int c) const {
    return sum_apart(slab + c, (n - c + columns() - 1) / columns(), columns());
  }
  template <class Block>
  GLIA_HD void sum_together(Block& block, const T* slab, std::int64_t n, To* to) const {
    const int width = columns(), lane = static_cast<int>(block.lane()),
              lanes = static_cast<int>(block.lanes());
    const double mine = lane < width ? column(slab, n, lane) : 0;
    for (int i = 0; i < inner; ++i) {
      double total = lane % inner == i ? mine : 0;
      for (int c = lane + lanes; c < width; c += lanes)  // of narrower groups than a GPU's
        if (c % inner == i) total += column(slab, n, c);
      total = block.group_sum(total);
      if (block.lane() == 0) to[i * chunks] = static_cast<To>(scale * total);
    }
  }
};

}  // namespace GLIA_ISA
}  // namespace glia::kernels
