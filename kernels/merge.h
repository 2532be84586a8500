// Copies between strides, functions of two tensors, and sums over an axis.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <kernels/strided.h>
#include <kernels/sum.h>  // defines: Sums

#include <cstdint>

namespace glia::kernels {
inline namespace GLIA_ISA {

/// Sixteen bytes, which a thread moves at once.
struct alignas(16) Bytes16 {
  std::uint64_t low, high;
};

/// out = in of each place of `items`, whose strides are those of in and out; and of the `length` elements from there on,
/// in_step and out_step apart. Where one of these is 1 and the other step that of the innermost axis, it transposes tiles:
/// neighbouring threads have neighbouring addresses on one side, and a thread has a sector of its own on the other.
template <class T, class Items>
struct CopyKernel {
  const T* in;
  T* out;
  Items items;
  std::int64_t length, in_step, out_step;

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    const std::int64_t in_next = items.step(0), out_next = items.step(1);
    items.for_each(block, [&](std::int64_t, const std::int64_t(&at)[2], std::int64_t count) {
      const T* const from = in + at[0];
      T* const to = out + at[1];
      if (length == 1 && in_next == 1 && out_next == 1)
        for (std::int64_t j = 0; j < count; ++j) to[j] = from[j];
      else
        for (std::int64_t j = 0; j < count; ++j)
          for (std::int64_t k = 0; k < length; ++k)
            to[j * out_next + k * out_step] = from[j * in_next + k * in_step];
    });
  }
};

/// out = function(a, b); out contiguous, `places` has the strides of a and b.
template <class Function, class T, class Places>
struct BinaryKernel {
  Function function;
  const T* a;
  const T* b;
  T* out;
  Places places;

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    const std::int64_t a_next = places.step(0), b_next = places.step(1);
    places.for_each(block, [&](std::int64_t i, const std::int64_t(&at)[2], std::int64_t count) {
      const T* const x = a + at[0];
      const T* const y = b + at[1];
      T* const to = out + i;
      // The strides of most, where they are seen, so that these are a vector's.
      if (a_next == 1 && b_next == 1)
        for (std::int64_t j = 0; j < count; ++j) to[j] = function.forward(x[j], y[j]);
      else if (a_next == 1 && b_next == 0)
        for (std::int64_t j = 0; j < count; ++j) to[j] = function.forward(x[j], *y);
      else if (a_next == 0 && b_next == 1)
        for (std::int64_t j = 0; j < count; ++j) to[j] = function.forward(*x, y[j]);
      else
        for (std::int64_t j = 0; j < count; ++j) to[j] = function.forward(x[j * a_next], y[j * b_next]);
    });
  }
};

/// Sums of a chunk each of the middle axis of in (outer, reduced, inner), times scale, a thread each: of `sums`, whose strides
/// are those of a sum's first term in `in`, of the sum in `out`, and of its first term's number on the axis.
template <class T, class To, class Places>
struct ReduceColumnsKernel {
  const T* in;
  To* out;
  Places sums;
  std::int64_t reduced, inner, terms_of_chunk;
  double scale;

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    constexpr int tile = Block::tile;
    const std::int64_t in_next = sums.step(0), out_next = sums.step(1), first_next = sums.step(2);
    sums.for_each(block, [&](std::int64_t, const std::int64_t(&at)[3], std::int64_t count) {
      // Neighbours that lie together have a chunk in common.
      const std::int64_t together = in_next == 1 && first_next == 0 ? tile : 1;
      for (std::int64_t j = 0; j < count; j += together) {
        const int width = static_cast<int>(count - j < together ? count - j : together);
        const std::int64_t left = reduced - (at[2] + j * first_next);
        const std::int64_t terms = left < terms_of_chunk ? left : terms_of_chunk;
        const T* x = in + at[0] + j * in_next;
        Sums<T, tile> sum(width);
        for (std::int64_t term = 0; term < terms; ++term, x += inner) {
          for (int k = 0; k < width; ++k) sum[k] += x[k];
          sum.next(width);
        }
        for (int k = 0; k < width; ++k)
          out[at[1] + (j + k) * out_next] = static_cast<To>(scale * sum.wide_total(k));
      }
    });
  }
};

/// The same, out (outer, inner, chunks), a group each: for an inner axis of at most sixteen, of which no group would be full.
/// The slab that a chunk is lies in memory as rows of up to 32 numbers, whose columns are summed by a lane each.
template <class T, class To>
struct ReduceRowsKernel {
  static constexpr int most_columns = 32;
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
      const std::int64_t o = row / chunks, chunk = row % chunks, first = chunk * terms_of_chunk;
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
    const int width = columns();
    Sums<T> sum(1);
    for (std::int64_t at = c; at < n; at += width) sum.add(slab[at]);
    return sum.wide_total();
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
