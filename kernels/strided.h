// Elements of tensors that lie with strides of their own: where the i-th of them is in each. On a GPU a thread asks for one
// element after another, which takes a division for each axis but the last; where there are fewer than 2^31 elements, these
// are multiplications. A processor has a contiguous piece, and goes along the innermost axis without any.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/shape.h>     // defines: Shape::max_rank
#include <kernels/block.h>  // defines: UnitStride

#include <cstdint>
#include <type_traits>

namespace glia::kernels {
inline namespace GLIA_ISA {

/// Division of numbers below 2^31 by one of them (0 counts as 1: of nothing), as Granlund and Montgomery 1994 do it: a multiplication and a shift.
class Divider {
 public:
  using Number = std::uint32_t;
  Divider() = default;
  GLIA_HD explicit Divider(std::int64_t divisor)
      : divisor_(divisor > 0 ? static_cast<Number>(divisor) : 1), shift_(0) {
    while ((Number{1} << shift_) < divisor_) ++shift_;
    const std::uint64_t rest = (std::uint64_t{1} << shift_) - divisor_;
    factor_ = static_cast<Number>((rest << 32) / divisor_ + 1);
  }
  GLIA_HD Number divisor() const { return divisor_; }
  GLIA_HD Number quotient(Number n) const {
    return (static_cast<Number>(std::uint64_t{n} * factor_ >> 32) + n) >> shift_;
  }

 private:
  Number divisor_, factor_, shift_;
};

/// The same of numbers below 2^63.
class WideDivider {
  __extension__ typedef unsigned __int128 Wide;

 public:
  using Number = std::int64_t;
  WideDivider() = default;
  GLIA_HD explicit WideDivider(std::int64_t divisor) : divisor_(divisor > 0 ? divisor : 1), shift_(0) {
    while (std::uint64_t{1} << shift_ < static_cast<std::uint64_t>(divisor_)) ++shift_;
    const Wide rest = (Wide{1} << shift_) - static_cast<Wide>(divisor_);
    factor_ = static_cast<std::uint64_t>((rest << 64) / static_cast<Wide>(divisor_) + 1);
  }
  GLIA_HD Number divisor() const { return divisor_; }
  GLIA_HD Number quotient(Number n) const {
    const auto number = static_cast<std::uint64_t>(n);
    return static_cast<Number>((upper(number) + number) >> shift_);
  }

 private:
  /// The upper half of n times the factor.
  GLIA_HD std::uint64_t upper(std::uint64_t n) const {
#if defined(__CUDA_ARCH__)
    return __umul64hi(n, factor_);
#else
    return static_cast<std::uint64_t>(static_cast<Wide>(n) * factor_ >> 64);
#endif
  }

  Number divisor_;
  int shift_;
  std::uint64_t factor_;
};

/// An axis that `views` tensors have in common: its size, and the elements from one of its steps to the next in each.
template <int views>
struct Axis {
  std::int64_t size;
  std::int64_t strides[views];
};

/// Axes, the innermost first. Plain data, made on the host and cut to what a kernel has to know.
template <int views>
struct AxisList {
  int rank = 0;
  std::int64_t elements = 1;
  Axis<views> axes[Shape::max_rank];

  /// The next axis outwards. One of a single step is none, and one that goes on where the last ends is part of that.
  void push(const Axis<views>& axis) {
    elements *= axis.size;
    if (axis.size == 1) return;
    bool goes_on = rank > 0;
    for (int v = 0; v < views && goes_on; ++v)
      goes_on = axis.strides[v] == axes[rank - 1].strides[v] * axes[rank - 1].size;
    if (goes_on)
      axes[rank - 1].size *= axis.size;
    else
      axes[rank++] = axis;
  }
  /// Makes the i-th axis the innermost.
  void to_front(int i) {
    const Axis<views> axis = axes[i];
    for (; i > 0; --i) axes[i] = axes[i - 1];
    axes[0] = axis;
  }
  void remove(int i) {
    elements /= axes[i].size;
    for (--rank; i < rank; ++i) axes[i] = axes[i + 1];
  }
};

/// What a kernel knows of an AxisList.
template <int views, class Divide>
class Strided {
 public:
  explicit Strided(const AxisList<views>& list)
      : elements_(list.elements), rank_(list.rank > 0 && list.elements > 0 ? list.rank : 1) {
    for (int i = 0; i < rank_; ++i) {
      const bool there = i < list.rank && list.elements > 0;
      sizes_[i] = Divide(there ? list.axes[i].size : 1);
      for (int v = 0; v < views; ++v) strides_[v][i] = there ? list.axes[i].strides[v] : 0;
    }
  }

  GLIA_HD std::int64_t elements() const { return elements_; }
  /// Along the innermost axis.
  GLIA_HD std::int64_t step(int view) const { return strides_[view][0]; }

  /// Calls run(i, at, count) for the elements that fall to this thread: for `count` neighbours on the innermost axis, of which
  /// the i-th lies at at[v] in each tensor.
  template <class Block, class Run>
  GLIA_HD void for_each(Block& block, const Run& run) const {
    const auto range = block.elements(elements_);
    if constexpr (std::is_same_v<std::decay_t<decltype(range.stride)>, UnitStride>) {
      if (range.begin < range.end) for_each_run(range.begin, range.end, run);
    } else {
      std::int64_t at[views];
      for (std::int64_t i = range.begin; i < range.end; i += range.stride) {
        place(i, at);
        run(i, at, std::int64_t{1});
      }
    }
  }

 private:
  using Number = typename Divide::Number;

  GLIA_HD void place(std::int64_t i, std::int64_t (&at)[views]) const {
    Number rest = static_cast<Number>(i);
    for (int v = 0; v < views; ++v) at[v] = 0;
    for (int axis = 0; axis + 1 < rank_; ++axis) {
      const Number outer = sizes_[axis].quotient(rest), step = rest - outer * sizes_[axis].divisor();
      for (int v = 0; v < views; ++v) at[v] += static_cast<std::int64_t>(step) * strides_[v][axis];
      rest = outer;
    }
    for (int v = 0; v < views; ++v) at[v] += static_cast<std::int64_t>(rest) * strides_[v][rank_ - 1];
  }

  template <class Run>
  GLIA_HD void for_each_run(std::int64_t i, std::int64_t end, const Run& run) const {
    std::int64_t at[views], step[Shape::max_rank], rest = i;
    place(i, at);
    for (int axis = 0; axis + 1 < rank_; ++axis) {
      step[axis] = rest % size(axis);
      rest /= size(axis);
    }
    step[rank_ - 1] = rest;
    while (i < end) {
      const std::int64_t left = rank_ > 1 ? size(0) - step[0] : end - i;
      const std::int64_t count = left < end - i ? left : end - i;
      run(i, at, count);
      i += count, step[0] += count;
      for (int v = 0; v < views; ++v) at[v] += count * strides_[v][0];
      for (int axis = 0; axis + 1 < rank_ && step[axis] == size(axis); ++axis) {
        step[axis] = 0, ++step[axis + 1];
        for (int v = 0; v < views; ++v) at[v] += strides_[v][axis + 1] - size(axis) * strides_[v][axis];
      }
    }
  }
  GLIA_HD std::int64_t size(int axis) const { return static_cast<std::int64_t>(sizes_[axis].divisor()); }

  std::int64_t elements_;
  int rank_;
  Divide sizes_[Shape::max_rank];
  std::int64_t strides_[views][Shape::max_rank];
};

/// Calls f(Strided) with the cheapest division that the list allows.
template <int views, class F>
void visit_strided(const AxisList<views>& list, const F& f) {
  if (list.elements < std::int64_t{1} << 31)
    f(Strided<views, Divider>(list));
  else
    f(Strided<views, WideDivider>(list));
}

}  // namespace GLIA_ISA
}  // namespace glia::kernels
