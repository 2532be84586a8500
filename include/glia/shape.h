// Shape: the dimensions of a tensor, at most eight, held in place (no allocation, trivially copyable).
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/error.h>   // defines: ShapeError
#include <glia/macros.h>  // defines: GLIA_HD

#include <cstdint>
#include <initializer_list>
#include <ostream>
#include <string>

namespace GLIA_API glia {

/// Dimensions, outermost first (row-major). Rank 0 is a scalar with one element.
///
///     glia::Shape shape{60000, 28, 28};
///     shape.rank();      // 3
///     shape.elements();  // 47,040,000
class Shape {
 public:
  static constexpr int max_rank = 8;

  constexpr Shape() = default;
  /// Throws ShapeError for more than eight dimensions.
  constexpr Shape(std::initializer_list<std::int64_t> dimensions) {
    for (std::int64_t dimension : dimensions) push_back(dimension);
  }

  GLIA_HD constexpr int rank() const { return rank_; }
  GLIA_HD constexpr bool empty() const { return rank_ == 0; }
  GLIA_HD constexpr std::int64_t operator[](int axis) const { return dimensions_[axis]; }
  GLIA_HD constexpr std::int64_t& operator[](int axis) { return dimensions_[axis]; }
  GLIA_HD constexpr std::int64_t front() const { return dimensions_[0]; }
  GLIA_HD constexpr std::int64_t back() const { return dimensions_[rank_ - 1]; }

  /// Product of the dimensions; not checked for overflow (readers of files check before they make a Shape).
  GLIA_HD constexpr std::int64_t elements() const {
    std::int64_t product = 1;
    for (int axis = 0; axis < rank_; ++axis) product *= dimensions_[axis];
    return product;
  }

  constexpr const std::int64_t* begin() const { return dimensions_; }
  constexpr const std::int64_t* end() const { return dimensions_ + rank_; }

  /// Appends a dimension; throws ShapeError where there are eight already.
  constexpr void push_back(std::int64_t dimension) {
    if (rank_ == max_rank) throw ShapeError("a shape has at most 8 dimensions; reshape to fewer");
    dimensions_[rank_++] = dimension;
  }

  /// The dimensions from `first` up to, not including, `last`.
  constexpr Shape slice(int first, int last) const {
    Shape result;
    for (int axis = first; axis < last; ++axis) result.push_back(dimensions_[axis]);
    return result;
  }
  /// Without the first dimension: the shape of one row.
  constexpr Shape row() const { return slice(1, rank_); }
  /// With `dimension` in front: the shape of a batch of rows.
  constexpr Shape prepend(std::int64_t dimension) const {
    Shape result{dimension};
    for (std::int64_t d : *this) result.push_back(d);
    return result;
  }

  friend constexpr bool operator==(const Shape& a, const Shape& b) {
    if (a.rank_ != b.rank_) return false;
    for (int axis = 0; axis < a.rank_; ++axis)
      if (a.dimensions_[axis] != b.dimensions_[axis]) return false;
    return true;
  }
  friend constexpr bool operator!=(const Shape& a, const Shape& b) { return !(a == b); }

 private:
  std::int64_t dimensions_[max_rank] = {};
  int rank_ = 0;
};

/// Prints as Python does: (), (5,), (28, 28).
inline std::ostream& operator<<(std::ostream& out, const Shape& shape) {
  std::string text = "(";
  for (int axis = 0; axis < shape.rank(); ++axis) text += (axis ? ", " : "") + std::to_string(shape[axis]);
  return out << text + (shape.rank() == 1 ? ",)" : ")");
}

}  // namespace glia
