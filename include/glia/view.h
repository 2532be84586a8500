// View: an operand of a descriptor. Where it lies (which flat buffer, which offset), its shape, strides and
// dtype.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/dtype.h>  // defines: DType
#include <glia/shape.h>  // defines: Shape

#include <cstdint>

namespace glia {

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

/// Strides are in elements. A view of the arena is a temporary: `offset` is set when the Plan places it,
/// `temporary` tells temporaries apart before that; views of one temporary (reshaped, transposed) share the
/// number.
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

  /// A matrix with rows and columns exchanged; nothing moves.
  View transposed() const {
    View view = *this;
    view.shape = {shape[1], shape[0]};
    view.strides = {strides[1], strides[0]};
    return view;
  }

  /// Whether both name the same memory (they may differ in shape).
  bool same_place(const View& other) const {
    return buffer == other.buffer && offset == other.offset && temporary == other.temporary &&
           block == other.block && buffer != Buffer::none;
  }
};

}  // namespace glia
