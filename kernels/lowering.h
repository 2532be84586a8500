// What lowering a descriptor needs, whatever it is.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/backend.h>  // defines: Bindings
#include <kernels/map.h>

#include <type_traits>
#include <variant>

namespace glia::kernels {
inline namespace GLIA_ISA {

/// Calls f(TypeTag<float>) or f(TypeTag<double>): what a step computes in.
template <class F>
void visit_floating(DType dtype, F&& f) {
  if (dtype == DType::float64)
    f(TypeTag<double>{});
  else
    f(TypeTag<float>{});
}

/// The same for what is only moved: bfloat16 is two bytes.
template <class F>
void visit_moved(DType dtype, F&& f) {
  if (dtype == DType::bfloat16)
    f(TypeTag<std::uint16_t>{});
  else
    visit_floating(dtype, f);
}

/// std::visit without its exception for a valueless variant, which trivially copyable members never make: a
/// throw would put code of the standard library into every copy of the kernels.
template <class F, class... Members>
void select(F&& f, const std::variant<Members...>& variant) {
  static_cast<void>(((std::get_if<Members>(&variant) && (f(*std::get_if<Members>(&variant)), true)) || ...));
}

inline std::int64_t columns_of(const View& view) {
  return view.shape.rank() > 1 ? view.elements() / view.shape[0] : 1;
}
inline std::int64_t last_of(const View& view) { return view.shape.rank() ? view.shape.back() : 1; }

/// The source of this number; its address alone.
inline const Source* source_at(const Bindings& at, int number) {
  return reinterpret_cast<const Source*>(at.state) - 1 - number;
}

/// A row for each pixel, or whatever it is that has a number for each of the last axis.
inline Work work_by_rows(const View& view) {
  return {Work::rows, view.elements() / last_of(view), last_of(view)};
}

}  // namespace GLIA_ISA
}  // namespace glia::kernels
