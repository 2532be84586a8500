// Block: what a kernel sees of the device. A kernel is a functor with `template <class Block> void operator()(Block&) const`;
// indices, shared memory, barriers and reductions go through the Block and nothing else. Here is the one the CPU uses: a
// block is one slice of the work, with a single thread. cuda/ has the GPU's, tests/ has one whose lanes are fibres.
// SPDX-License-Identifier: Apache-2.0
//
// A Block offers
//   index(), count()      which block of the launch this is, and of how many
//   rank(), size()        which thread of the block this is, and of how many
//   lane(), lanes()       the same within the thread's group (a warp); groups work on rows of their own
//   group(), groups()     which group of the block, and of how many
//   elements(n)           the Range of 0..n-1 that falls to this thread in the whole launch
//   rows(n)               the Range of 0..n-1 that falls to this block; group_rows(n): to this group
//   sync()                barrier of the block; every thread must come
//   sum(x)                sum over the block, in an order fixed by its size; every thread must come and gets it
//   group_sum(x), group_max(x), group_first_max(x, i)   the same over the group; the last is the least i of a greatest x
//   group_get(x, lane)    the x of a lane of the group; every thread must come
//   sum_down<most>(x, across)   sums over the threads whose ranks are alike modulo `across`, a power of two of at most 32 / most, of
//                         each of the numbers in the array x, in an order fixed by the block's size; every thread must come and
//                         gets its own in x
//   sum_of<most>(x, across, i)   the same sum, in float64, of the one of those numbers that the thread asks for, which is less
//                         work; those of a group are added in their own type first
//   tile                  how many neighbouring outputs a thread should compute together
#pragma once

#include <glia/macros.h>          // defines: GLIA_HD
#include <glia/math/functions.h>  // defines: math::max_nan

#include <cstdint>

// Kernels are compiled once for each instruction set. The namespace keeps the copies apart: the linker would
// otherwise merge functions of one name, and an old processor would meet new instructions.
#ifndef GLIA_ISA
#define GLIA_ISA portable
#endif

namespace glia::kernels {
inline namespace GLIA_ISA {

/// begin, begin + stride, ... below end.
template <class Stride>
struct Range {
  std::int64_t begin, end;
  Stride stride;
};

/// A stride of one that the compiler sees, so that it can vectorise.
struct UnitStride {
  GLIA_HD constexpr operator std::int64_t() const { return 1; }
};

class SerialBlock {
 public:
  static constexpr int tile = 16;

  GLIA_HD SerialBlock(std::int64_t index, std::int64_t count) : index_(index), count_(count) {}

  GLIA_HD std::int64_t index() const { return index_; }
  GLIA_HD std::int64_t count() const { return count_; }
  GLIA_HD static constexpr std::int64_t rank() { return 0; }
  GLIA_HD static constexpr std::int64_t size() { return 1; }
  GLIA_HD static constexpr std::int64_t lane() { return 0; }
  GLIA_HD static constexpr std::int64_t lanes() { return 1; }
  GLIA_HD static constexpr std::int64_t group() { return 0; }
  GLIA_HD static constexpr std::int64_t groups() { return 1; }

  /// A contiguous piece; pieces start at multiples of 64 elements, so that no two slices write one cache
  /// line.
  GLIA_HD Range<UnitStride> elements(std::int64_t n) const {
    const std::int64_t piece = ((n + count_ - 1) / count_ + 63) / 64 * 64;
    const std::int64_t begin = index_ * piece < n ? index_ * piece : n;
    return {begin, begin + piece < n ? begin + piece : n, {}};
  }

  /// A contiguous piece: a processor reads ahead.
  GLIA_HD Range<UnitStride> rows(std::int64_t n) const {
    const std::int64_t piece = (n + count_ - 1) / count_, begin = index_ * piece < n ? index_ * piece : n;
    return {begin, begin + piece < n ? begin + piece : n, {}};
  }
  GLIA_HD Range<UnitStride> group_rows(std::int64_t n) const { return rows(n); }

  GLIA_HD void sync() const {}
  template <class T>
  GLIA_HD T sum(T x) const {
    return x;
  }
  template <int most, int n>
  GLIA_HD void sum_down(double (&)[n], std::int64_t) const {}
  template <int most, class T, int n>
  GLIA_HD double sum_of(const T (&x)[n], std::int64_t, std::int64_t i) const {
    return static_cast<double>(x[i]);
  }
  template <class T>
  GLIA_HD T group_sum(T x) const {
    return x;
  }
  template <class T>
  GLIA_HD T group_max(T x) const {
    return x;
  }
  template <class T>
  GLIA_HD T group_get(T x, std::int64_t) const {
    return x;
  }
  template <class T>
  GLIA_HD std::int64_t group_first_max(T, std::int64_t i) const {
    return i;
  }

 private:
  std::int64_t index_, count_;
};

/// How much work a launch has, from which a backend chooses its blocks. `exactly` blocks where a kernel ties
/// data to them; `groups` are rows of which each group has one at a time.
struct Work {
  enum Kind { elements, rows, groups, exactly } kind;
  std::int64_t count;        ///< elements, rows or blocks
  std::int64_t columns = 1;  ///< elements in a row
  /// What a GPU is to take, where the kernel knows better: elements of a thread; and, where not 0, blocks, and threads of one.
  std::int64_t elements_of_thread = 1, blocks = 0;
  unsigned threads = 0;
};

}  // namespace GLIA_ISA
}  // namespace glia::kernels
