// Element types of tensors and views.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/error.h>  // defines: ValueError
#include <glia/macros.h>

#include <cstddef>
#include <cstdint>
#include <ostream>
#include <type_traits>

namespace GLIA_API glia {

/// Tensors hold all but bfloat16, which only products within a step read.
enum class DType : std::uint8_t { float32, float64, uint8, int32, int64, bfloat16 };

constexpr const char* name_of(DType dtype) {
  switch (dtype) {
    case DType::float32:
      return "float32";
    case DType::float64:
      return "float64";
    case DType::uint8:
      return "uint8";
    case DType::int32:
      return "int32";
    case DType::int64:
      return "int64";
    case DType::bfloat16:
      return "bfloat16";
  }
  return "?";
}

/// Bytes of one element.
GLIA_HD constexpr std::int64_t size_of(DType dtype) {
  switch (dtype) {
    case DType::float32:
    case DType::int32:
      return 4;
    case DType::float64:
    case DType::int64:
      return 8;
    case DType::bfloat16:
      return 2;
    case DType::uint8:
      return 1;
  }
  return 0;
}

constexpr bool is_floating(DType dtype) { return dtype == DType::float32 || dtype == DType::float64; }

inline std::ostream& operator<<(std::ostream& out, DType dtype) { return out << name_of(dtype); }

template <class T>
struct DTypeOf;
template <>
struct DTypeOf<float> : std::integral_constant<DType, DType::float32> {};
template <>
struct DTypeOf<double> : std::integral_constant<DType, DType::float64> {};
template <>
struct DTypeOf<std::uint8_t> : std::integral_constant<DType, DType::uint8> {};
template <>
struct DTypeOf<std::int32_t> : std::integral_constant<DType, DType::int32> {};
template <>
struct DTypeOf<std::int64_t> : std::integral_constant<DType, DType::int64> {};

/// The DType of the C++ type T, e.g. dtype_of<float> == DType::float32.
template <class T>
inline constexpr DType dtype_of = DTypeOf<std::remove_cv_t<T>>::value;

/// A type given as a value: `visit_dtype(dtype, [&](auto type) { using T = typename decltype(type)::type; ...
/// })`.
template <class T>
struct TypeTag {
  using type = T;
};

template <class Visitor>
decltype(auto) visit_dtype(DType dtype, Visitor&& visitor) {
  switch (dtype) {
    case DType::float32:
      return visitor(TypeTag<float>{});
    case DType::float64:
      return visitor(TypeTag<double>{});
    case DType::uint8:
      return visitor(TypeTag<std::uint8_t>{});
    case DType::int32:
      return visitor(TypeTag<std::int32_t>{});
    case DType::int64:
      return visitor(TypeTag<std::int64_t>{});
    case DType::bfloat16:
      throw ValueError(
          "tensors hold no bfloat16: use float32, and .precision = \"mixed_bfloat16\" at compile");
  }
  throw ValueError("a tensor carries an unknown dtype: its memory was overwritten");
}

}  // namespace glia
