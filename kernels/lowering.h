// What lowering a descriptor needs, whatever it is; and the epilogue of products.
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

/// What follows a product in the region of `rows` rows and `columns` columns of its output from (row, column) on:
/// bias and activation, or the derivative of the activation before. Launches nothing where there is neither.
template <class Launch>
void lower_epilogue(const op::Epilogue& d, const Bindings& at, std::int64_t row, std::int64_t rows,
                    std::int64_t column, std::int64_t columns, Launch&& launch) {
  visit_floating(d.out.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    const std::int64_t stride = d.stride, first = row * stride + column;
    const Work work{Work::rows, rows, columns};
    select(
        [&](const auto& function) {
          using Function = std::decay_t<decltype(function)>;
          if (!d.bias && std::is_same_v<Function, Linear>) return;
          launch(BiasActivationKernel<Function, T>{function, at.template address<T>(d.out) + first,
                                                   d.bias ? at.template address<T>(d.bias) + column : nullptr,
                                                   rows, columns, stride},
                 work);
        },
        d.activation);
    select(
        [&](const auto& function) {
          using Function = std::decay_t<decltype(function)>;
          if (!d.saved || std::is_same_v<Function, Linear>) return;
          launch(
              DerivativeKernel<Function, T>{function, at.template address<T>(d.out) + first,
                                            at.template address<T>(d.saved) + first, rows, columns, stride},
              work);
        },
        d.derivative);
  });
}

}  // namespace GLIA_ISA
}  // namespace glia::kernels
