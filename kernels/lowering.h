// What lowering a descriptor needs, whatever it is.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/backend.h>  // defines: Bindings
#include <kernels/map.h>
#include <kernels/source_at.h>

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

/// The source of this number.
inline SourceAt source_at(const Bindings& at, int number) {
  if (!at.given) return {reinterpret_cast<const Source*>(at.state) - 1 - number, {}};
  return {nullptr, at.given->sources ? at.given->sources[number] : Source{}};
}
/// How many rows of the sources there are, where the caller of the run gives them; else below 0.
inline std::int64_t given_rows(const Bindings& at) { return at.given ? at.given->rows : -1; }

/// A row for each pixel, or whatever it is that has a number for each of the last axis.
inline Work work_by_rows(const View& view) {
  return {Work::rows, view.elements() / last_of(view), last_of(view)};
}

}  // namespace GLIA_ISA
}  // namespace glia::kernels
