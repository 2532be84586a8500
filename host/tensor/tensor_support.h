// What the tensor's sources share: checks of device, axis and index, and conversion of one element.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/tensor.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <type_traits>
#include <utility>

namespace glia::detail {

/// float32, and uint8 that is scaled, which is float32 in every respect but storage.
inline bool reads_as_float32(const Tensor& tensor) {
  return tensor.dtype() == DType::float32 || (tensor.dtype() == DType::uint8 && tensor.scale() != 1);
}

inline bool reads_as_integer(const Tensor& tensor) {
  return !is_floating(tensor.dtype()) && !reads_as_float32(tensor);
}

/// An axis counted from the front. Throws ShapeError where there is no such axis.
inline int resolve_axis(int axis, const Shape& shape, const char* what) {
  GLIA_CHECK(axis >= -shape.rank() && axis < shape.rank(), ShapeError, what, " got axis ", axis,
             ", but a tensor of shape ", shape, " has ", shape.rank(),
             shape.rank() == 1 ? " dimension" : " dimensions", "; axes count from 0, or from -1 at the end");
  return axis < 0 ? axis + shape.rank() : axis;
}

/// An index counted from the front. Throws ShapeError where it is outside -length .. length - 1.
inline std::int64_t resolve_index(std::int64_t index, std::int64_t length, int axis, const Shape& shape) {
  GLIA_CHECK(index >= -length && index < length, ShapeError, "index ", index, " is out of range for axis ",
             axis, " of shape ", shape, ": expected ", -length, " to ", length - 1);
  return index < 0 ? index + length : index;
}

/// Converts one element. A real number loses its fraction, as in C; what the target cannot hold, NaN
/// included, throws ValueError instead of becoming some other number.
template <class To, class From>
To convert(From value) {
  if constexpr (std::is_floating_point_v<To> || std::is_same_v<To, From>) {
    return static_cast<To>(value);
  } else {
    using Limits = std::numeric_limits<To>;
    bool fits = false;
    if constexpr (std::is_floating_point_v<From>) {
      const double whole = std::trunc(static_cast<double>(value));
      fits = whole >= static_cast<double>(Limits::min()) && whole < static_cast<double>(Limits::max()) + 1.0;
    } else {
      fits = std::in_range<To>(value);
    }
    GLIA_CHECK(fits, ValueError, "the element ", +value, " does not fit ", name_of(dtype_of<To>), " (",
               +Limits::min(), " to ", +Limits::max(), "); use a wider dtype, such as float64");
    return static_cast<To>(value);
  }
}

/// NaN; never true for integers.
template <class T>
bool is_nan(T value) {
  if constexpr (std::is_floating_point_v<T>) return std::isnan(value);
  return false;
}

/// memcpy that takes null for nothing.
inline void copy_bytes(void* to, const void* from, std::int64_t bytes) {
  if (bytes > 0) std::memcpy(to, from, static_cast<std::size_t>(bytes));
}

/// An uninitialised tensor on the CPU with the dtype and scale of `tensor`.
inline Tensor empty_like(const Tensor& tensor, const Shape& shape) {
  Tensor result = Tensor::uninitialized(shape, tensor.dtype());
  if (tensor.dtype() == DType::uint8) result.set_scale(tensor.scale());
  return result;
}

}  // namespace glia::detail
