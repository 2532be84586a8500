// Sums, extremes and searches of tensors, in rounds: each folds pieces of an axis, and the next one what came of these.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cuda/kernels/order.cuh>
#include <cuda/kernels/read.cuh>

#include <cmath>
#include <cstdint>
#include <type_traits>

namespace glia::cuda {

using tensor_work::Find;
using tensor_work::Fold;

/// A tensor (before, length, after), folded along the middle to (before, pieces, after).
struct Extent {
  std::int64_t before, length, after, piece, pieces;
};

/// A group folds neighbours, where after is 1. A term is what one element gives, and how two are joined: terms that are out of
/// order come from lanes that are, so joining does not depend on it, or is of a fixed order.
template <class Term>
struct FoldRowsKernel {
  Term term;
  Extent extent;

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    const auto range = block.group_rows(extent.before * extent.pieces);
    for (std::int64_t i = range.begin; i < range.end; i += range.stride) {
      const std::int64_t row = i / extent.pieces, first = (i - row * extent.pieces) * extent.piece;
      const std::int64_t last = first + extent.piece < extent.length ? first + extent.piece : extent.length;
      auto value = term.nothing();
      for (std::int64_t k = first + block.lane(); k < last; k += block.lanes())
        value = term.joined(value, term.at(row, k, 0));
      value = term.joined_by_group(block, value);
      if (block.lane() == 0) term.store(row, i, 0, value);
    }
  }
};

/// A thread folds what lies `after` elements apart, and its neighbour what lies beside that.
template <class Term>
struct FoldColumnsKernel {
  Term term;
  Extent extent;
  kernels::WideDivider after, pieces;

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    const auto range = block.elements(extent.before * extent.pieces * extent.after);
    for (std::int64_t i = range.begin; i < range.end; i += range.stride) {
      const std::int64_t outer = after.quotient(i), column = i - outer * extent.after;
      const std::int64_t row = pieces.quotient(outer), first = (outer - row * extent.pieces) * extent.piece;
      const std::int64_t last = first + extent.piece < extent.length ? first + extent.piece : extent.length;
      auto value = term.nothing();
      for (std::int64_t k = first; k < last; ++k) value = term.joined(value, term.at(row, k, column));
      term.store(row, i, column, value);
    }
  }
};

/// Sums of T, or of sums: in float64, or exactly in int64.
template <class T, class Total>
struct SumTerm {
  const T* in;
  std::int64_t length, after;
  double scale, divisor;
  void* out;
  bool last;

  GLIA_HD Total nothing() const { return 0; }
  GLIA_HD Total at(std::int64_t row, std::int64_t k, std::int64_t column) const {
    return static_cast<Total>(in[(row * length + k) * after + column]);
  }
  GLIA_HD Total joined(Total a, Total b) const { return a + b; }
  template <class Block>
  GLIA_HD Total joined_by_group(Block& block, Total value) const {
    return block.group_sum(value);
  }
  GLIA_HD void store(std::int64_t, std::int64_t i, std::int64_t, Total total) const {
    if (last)
      static_cast<double*>(out)[i] = static_cast<double>(total) * scale / divisor;
    else
      static_cast<Total*>(out)[i] = total;
  }
};

/// The first NaN, else the first of the largest or smallest, by its index on the axis.
template <class T>
struct ExtremeTerm {
  const T* in;
  const std::int64_t* partial;  ///< indices of the round before
  std::int64_t length, partial_length, after;
  double scale;
  void* out;
  bool least, last, wants_index;

  struct Place {
    std::uint64_t key;
    std::int64_t k;
  };

  GLIA_HD Place nothing() const { return {0, INT64_MAX}; }
  GLIA_HD Place at(std::int64_t row, std::int64_t k, std::int64_t column) const {
    if (partial) k = partial[(row * partial_length + k) * after + column];
    const T x = in[(row * length + k) * after + column];
    const std::uint64_t key = ordered(x);
    if constexpr (std::is_floating_point_v<T>)
      if (x != x) return {~std::uint64_t{0}, k};
    return {least ? ~key : key, k};
  }
  GLIA_HD Place joined(Place a, Place b) const {
    return b.key > a.key || (b.key == a.key && b.k < a.k) ? b : a;
  }
  template <class Block>
  GLIA_HD Place joined_by_group(Block& block, Place place) const {
    return {0, block.group_first_max(place.key, place.k)};
  }
  GLIA_HD void store(std::int64_t row, std::int64_t i, std::int64_t column, Place place) const {
    if (!last || wants_index)
      static_cast<std::int64_t*>(out)[i] = place.k;
    else
      static_cast<double*>(out)[i] =
          static_cast<double>(in[(row * length + place.k) * after + column]) * scale;
  }
};

/// The first element that passes a test, by its place.
struct FindTerm {
  Find::Test test;
  Reading a, b;
  bool integers, last;
  double rtol, atol, least, end;
  std::int64_t least_integer, most_integer, count;
  const std::int64_t* partial;
  std::int64_t* out;

  GLIA_HD std::int64_t nothing() const { return INT64_MAX; }
  GLIA_HD std::int64_t at(std::int64_t, std::int64_t i, std::int64_t) const {
    if (partial) return partial[i];
    return (integers ? passes(a.integer(i), i) : passes(a.number(i), i)) ? i : INT64_MAX;
  }
  GLIA_HD std::int64_t joined(std::int64_t i, std::int64_t j) const { return i < j ? i : j; }
  template <class Block>
  GLIA_HD std::int64_t joined_by_group(Block& block, std::int64_t i) const {
    return -block.group_max(-i);
  }
  GLIA_HD void store(std::int64_t, std::int64_t piece, std::int64_t, std::int64_t i) const {
    out[piece] = last && i == INT64_MAX ? count : i;
  }

 private:
  GLIA_HD bool passes(std::int64_t x, std::int64_t i) const {
    if (test == Find::Test::outside) return x < least_integer || x > most_integer;
    return x != b.integer(i);
  }
  GLIA_HD bool passes(double x, std::int64_t i) const {
    if (test == Find::Test::outside) return !(std::trunc(x) >= least && std::trunc(x) < end);
    const double y = b.number(i);
    if (test == Find::Test::differ) return !(x == y || (x != x && y != y));
    const double size = std::fabs(y);
    // Infinities are close to themselves only; the formula alone would call any number close to one.
    return !(x == y || (size <= 1.7976931348623157e308 && std::fabs(x - y) <= std::fma(rtol, size, atol)));
  }
};

}  // namespace glia::cuda
