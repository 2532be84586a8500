// View: an operand of a descriptor. Where it lies (which flat buffer, which offset), its shape, strides and
// dtype.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/dtype.h>  // defines: DType
#include <glia/macros.h>
#include <glia/shape.h>  // defines: Shape

#include <cstdint>

namespace GLIA_API glia {

/// The memory of a model: blocks of parameters, its Trainer's gradients, slots and table of spans, its state, and the arena,
/// which the temporaries of its Programs share.
enum class Buffer : std::uint8_t { none, parameters, gradients, slots, spans, state, arena };
inline constexpr int buffer_count = 7;

constexpr const char* name_of(Buffer buffer) {
  constexpr const char* names[buffer_count] = {"none",  "parameters", "gradients", "slots",
                                               "spans", "state",      "arena"};
  return names[static_cast<int>(buffer)];
}

/// Tensors start at multiples of this many bytes in every buffer.
inline constexpr std::int64_t tensor_alignment = 256;

constexpr std::int64_t align_up(std::int64_t bytes, std::int64_t alignment = tensor_alignment) {
  return (bytes + alignment - 1) / alignment * alignment;
}

/// What a descriptor does with a view.
enum class Access { read, write, update };

/// Strides are in elements, and at least 0; one of 0 repeats what lies there, of views that are only read. A view of the arena
/// is a temporary, or a part of one: before place() gives it memory, `temporary` tells temporaries apart and `offset` is that of the
/// part from the temporary's start; views of one temporary (reshaped, transposed, parts) share the number.
struct View {
  Buffer buffer = Buffer::none;
  DType dtype = DType::float32;
  Shape shape;
  Shape strides;
  std::int64_t offset = 0;  ///< bytes from the start of the buffer
  std::int32_t temporary = -1;
  std::int32_t block = 0;  ///< of parameters: which of the blocks that are bound

  explicit operator bool() const { return buffer != Buffer::none; }

  /// A row-major view.
  static View contiguous(Buffer buffer, DType dtype, const Shape& shape, std::int64_t offset = 0) {
    View view{buffer, dtype, shape, shape, offset, -1, 0};
    std::int64_t stride = 1;
    for (int axis = shape.rank() - 1; axis >= 0; --axis) {
      view.strides[axis] = stride;
      stride *= shape[axis];
    }
    return view;
  }

  std::int64_t elements() const { return shape.elements(); }
  std::int64_t bytes() const { return elements() * size_of(dtype); }
  /// Elements of memory from the first to behind the last.
  std::int64_t span() const {
    std::int64_t last = 0;
    for (int axis = 0; axis < shape.rank(); ++axis) {
      if (shape[axis] == 0) return 0;
      last += (shape[axis] - 1) * strides[axis];
    }
    return last + 1;
  }

  bool is_contiguous() const {
    std::int64_t stride = 1;
    for (int axis = shape.rank() - 1; axis >= 0; --axis) {
      if (shape[axis] != 1 && strides[axis] != stride) return false;
      stride *= shape[axis];
    }
    return true;
  }

  /// The same elements of a contiguous view under another shape.
  View reshaped(const Shape& wanted) const {
    GLIA_CHECK(wanted.elements() == elements() && is_contiguous(), ShapeError, "cannot view ", shape, " as ",
               wanted, ": the view must be contiguous and the counts equal");
    View view = contiguous(buffer, dtype, wanted, offset);
    view.temporary = temporary, view.block = block;
    return view;
  }

  /// A matrix (rows, last axis) of a contiguous view; a vector becomes one row.
  View matrix() const {
    const std::int64_t columns = shape.rank() ? shape.back() : 1;
    return reshaped({columns ? elements() / columns : 0, columns});
  }

  /// A matrix, or each of a batch of matrices, with rows and columns exchanged; nothing moves.
  View transposed() const {
    const int rows = shape.rank() - 2, columns = shape.rank() - 1;
    View view = *this;
    view.shape[rows] = shape[columns], view.shape[columns] = shape[rows];
    view.strides[rows] = strides[columns], view.strides[columns] = strides[rows];
    return view;
  }

  /// The i-th matrix of a batch (n, rows, columns); of a matrix itself, as its only one.
  View matrix_at(std::int64_t i) const {
    if (shape.rank() == 2) return *this;
    View view = part(0, i, 1);
    view.shape = shape.row(), view.strides = strides.row();
    return view;
  }

  /// The elements from `first` on of an axis, `count` of them, `step` apart: x[:, first:first + count * step:step].
  View part(int axis, std::int64_t first, std::int64_t count, std::int64_t step = 1) const {
    GLIA_CHECK(axis >= 0 && axis < shape.rank() && first >= 0 && count >= 0 && step >= 1 &&
                   (count == 0 || first + (count - 1) * step < shape[axis]),
               ShapeError, "cannot take ", count, " elements from ", first, " on, ", step, " apart, of axis ",
               axis, " of ", shape);
    View view = *this;
    view.offset += first * strides[axis] * size_of(dtype);
    view.shape[axis] = count, view.strides[axis] *= step;
    return view;
  }

  /// The same elements with axis axes[i] as the i-th: of (2, 0, 1) the last comes first.
  View permuted(const Shape& axes) const {
    View view = *this;
    int found[Shape::max_rank] = {};
    for (const std::int64_t axis : axes)
      if (axis >= 0 && axis < shape.rank()) ++found[axis];
    for (int i = 0; i < shape.rank(); ++i) {
      GLIA_CHECK(axes.rank() == shape.rank() && found[i] == 1, ShapeError, "cannot order the axes of ", shape,
                 " as ", axes, ": each must be named once");
      view.shape[i] = shape[static_cast<int>(axes[i])], view.strides[i] = strides[static_cast<int>(axes[i])];
    }
    return view;
  }

  /// As NumPy does it: axes are added in front, and those of one element are repeated, by strides of 0.
  View broadcast_to(const Shape& wanted) const {
    View view = *this;
    view.shape = view.strides = wanted;
    const int added = wanted.rank() - shape.rank();
    for (int i = 0; i < wanted.rank(); ++i) {
      const bool there = i >= added && shape[i - added] != 1;
      view.strides[i] = there ? strides[i - added] : 0;
      GLIA_CHECK(added >= 0 && (!there || shape[i - added] == wanted[i]), ShapeError, "cannot broadcast ",
                 shape, " to ", wanted, ": axes, from the last on, must be equal or 1");
    }
    GLIA_CHECK(added >= 0, ShapeError, "cannot broadcast ", shape, " to ", wanted, ", which has fewer axes");
    return view;
  }

  /// Whether both start at the same place (they may differ in shape).
  bool same_place(const View& other) const {
    return buffer == other.buffer && offset == other.offset && temporary == other.temporary &&
           block == other.block && buffer != Buffer::none;
  }

  /// Whether both are the same elements in the same order (they may differ in shape).
  bool same_elements(const View& other) const {
    if (!same_place(other) || dtype != other.dtype || elements() != other.elements()) return false;
    return (shape == other.shape && strides == other.strides) || (is_contiguous() && other.is_contiguous());
  }

  /// Whether what lies from the first element to the last of one meets what does of the other: so a part overlaps its whole,
  /// and of two parts also those that lie between each other's elements. Not of temporaries that are placed to share memory.
  bool overlaps(const View& other) const {
    const std::int64_t bytes = span() * size_of(dtype), other_bytes = other.span() * size_of(other.dtype);
    return buffer == other.buffer && buffer != Buffer::none && temporary == other.temporary &&
           block == other.block && bytes > 0 && other_bytes > 0 && offset < other.offset + other_bytes &&
           other.offset < offset + bytes;
  }
};

}  // namespace glia
