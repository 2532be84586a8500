// From a descriptor to the kernel that does it: the one place where views become addresses and variants
// become types. Both backends use it; each brings a launcher, called as launch(kernel, Work).
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/backend.h>  // defines: Bindings
#include <kernels/gather.h>
#include <kernels/loss.h>
#include <kernels/map.h>
#include <kernels/matmul.h>
#include <kernels/optimize.h>
#include <kernels/softmax.h>

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

inline AdvanceKernel advance_kernel(const op::Advance& d, const Bindings& at) {
  return {at.state,
          at.template address<double>(d.partials),
          d.partials ? d.partials.shape[0] : 0,
          d.partials ? d.partials.shape[1] : 0,
          d.batch,
          d.loss_rows};
}

template <class Launch>
void lower(const op::Begin&, const Bindings& at, Launch&& launch) {
  launch(BeginKernel{at.state}, Work{Work::exactly, 1});
}

template <class Launch>
void lower(const op::Gather& d, const Bindings& at, Launch&& launch) {
  visit_floating(d.x.dtype, [&](auto type) {
    select(
        [&](const auto& schedule) {
          using T = typename decltype(type)::type;
          const bool labels = d.y && d.y.dtype == DType::int32;
          constexpr bool constant = std::is_same_v<std::decay_t<decltype(schedule)>, ConstantRate>;
          GatherKernel<T, std::decay_t<decltype(schedule)>> kernel{
              at.state,
              at.template address<T>(d.x),
              labels ? at.template address<std::int32_t>(d.y) : nullptr,
              labels ? nullptr : at.template address<T>(d.y),
              d.x.shape[0],
              columns_of(d.x),
              columns_of(d.y),
              d.x_from,
              d.y_from,
              d.advance_iteration,
              !constant,
              schedule};
          launch(kernel, Work{Work::rows, d.x.shape[0], columns_of(d.x)});
        },
        d.learning_rate.schedule);
  });
}

template <class Launch>
void lower(const op::Map& d, const Bindings& at, Launch&& launch) {
  visit_floating(d.out.dtype, [&](auto type) {
    select(
        [&](const auto& function) {
          using T = typename decltype(type)::type;
          launch(
              MapKernel<std::decay_t<decltype(function)>, T>{function, at.template address<T>(d.in),
                                                             at.template address<T>(d.out), d.out.elements()},
              Work{Work::elements, d.out.elements()});
        },
        d.function);
  });
}

template <class Launch>
void lower(const op::MapGradient& d, const Bindings& at, Launch&& launch) {
  visit_floating(d.in_gradient.dtype, [&](auto type) {
    select(
        [&](const auto& function) {
          using T = typename decltype(type)::type;
          launch(
              MapGradientKernel<std::decay_t<decltype(function)>, T>{
                  function, at.template address<T>(d.saved), at.template address<T>(d.out_gradient),
                  at.template address<T>(d.in_gradient), d.in_gradient.elements()},
              Work{Work::elements, d.in_gradient.elements()});
        },
        d.function);
  });
}

template <class Launch>
void lower(const op::SoftmaxRows& d, const Bindings& at, Launch&& launch) {
  visit_floating(d.out.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    const std::int64_t columns = last_of(d.out), rows = d.out.elements() / columns;
    launch(SoftmaxKernel<T>{at.template address<T>(d.in), at.template address<T>(d.out), rows, columns},
           Work{Work::rows, rows, columns});
  });
}

template <class Launch>
void lower(const op::SoftmaxGradient& d, const Bindings& at, Launch&& launch) {
  visit_floating(d.out.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    const std::int64_t columns = last_of(d.out), rows = d.out.elements() / columns;
    launch(SoftmaxGradientKernel<T>{at.template address<T>(d.out), at.template address<T>(d.out_gradient),
                                    at.template address<T>(d.in_gradient), rows, columns},
           Work{Work::rows, rows, columns});
  });
}

template <class Launch>
void lower(const op::Loss& d, const Bindings& at, Launch&& launch) {
  visit_floating(d.predictions.dtype, [&](auto type) {
    select(
        [&](const auto& loss) {
          using T = typename decltype(type)::type;
          const std::int64_t columns = last_of(d.predictions), rows = d.predictions.elements() / columns;
          LossKernel<std::decay_t<decltype(loss)>, T> kernel{loss,
                                                             at.template address<T>(d.predictions),
                                                             at.template address<>(d.targets),
                                                             at.template address<T>(d.gradient),
                                                             at.template address<double>(d.partials),
                                                             rows,
                                                             columns,
                                                             d.metric_count,
                                                             {}};
          for (int m = 0; m < d.metric_count; ++m) {
            kernel.metrics[m].kind = static_cast<std::int64_t>(d.metrics[m].index());
            if (const auto* binary = std::get_if<BinaryAccuracy>(&d.metrics[m]))
              kernel.metrics[m].threshold = binary->threshold;
          }
          launch(kernel, Work{Work::exactly, d.partials.shape[0]});
        },
        d.function);
  });
}

template <class Launch>
void lower(const op::Scatter& d, const Bindings& at, Launch&& launch) {
  visit_floating(d.in.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    launch(ScatterKernel<T>{at.state, at.template address<T>(d.in), d.in.shape[0], columns_of(d.in)},
           Work{Work::rows, d.in.shape[0], columns_of(d.in)});
  });
}

template <class Launch>
void lower(const op::Advance& d, const Bindings& at, Launch&& launch) {
  launch(advance_kernel(d, at), Work{Work::exactly, 1});
}

template <class Launch>
void lower(const op::Optimize& d, const Bindings& at, Launch&& launch) {
  visit_floating(d.parameters.dtype, [&](auto type) {
    select(
        [&](const auto& optimizer) {
          using T = typename decltype(type)::type;
          const std::int64_t n = d.parameters.elements();
          launch(
              OptimizeKernel<std::decay_t<decltype(optimizer)>, T>{
                  optimizer, advance_kernel(d.advance, at), at.template address<T>(d.parameters),
                  at.template address<T>(d.gradients), at.template address<T>(d.slots), optimizer.slots(), n},
              Work{Work::elements, n > 0 ? n : 1});
        },
        d.optimizer);
  });
}

/// A product's plain loops, for the region of `rows` rows and `columns` columns of out from (row, column) on.
template <class Launch>
void lower_product(const op::Matmul& d, const Bindings& at, std::int64_t row, std::int64_t rows,
                   std::int64_t column, std::int64_t columns, Launch&& launch) {
  visit_floating(d.out.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    launch(MatmulKernel<T>{at.template address<T>(d.a) + row * d.a.strides[0],
                           at.template address<T>(d.b) + column * d.b.strides[1],
                           at.template address<T>(d.out) + row * d.out.strides[0] + column, rows, columns,
                           d.a.shape[1], d.a.strides[0], d.a.strides[1], d.b.strides[0], d.b.strides[1],
                           d.out.strides[0]},
           Work{Work::rows, rows, columns});
  });
}

/// What follows a product in the same region: bias and activation, or the derivative of the activation
/// before. Launches nothing where there is neither.
template <class Launch>
void lower_epilogue(const op::Matmul& d, const Bindings& at, std::int64_t row, std::int64_t rows,
                    std::int64_t column, std::int64_t columns, Launch&& launch) {
  visit_floating(d.out.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    const std::int64_t stride = d.out.strides[0], first = row * stride + column;
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

/// The bias gradient that goes with a weight gradient: the sums over the rows of b.
template <class Launch>
void lower_bias_gradient(const op::Matmul& d, const Bindings& at, Launch&& launch) {
  visit_floating(d.out.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    launch(ColumnSumsKernel<T>{at.template address<T>(d.b), at.template address<T>(d.bias_gradient),
                               d.b.shape[0], d.b.shape[1], d.b.strides[0]},
           Work{Work::elements, d.b.shape[1]});
  });
}

}  // namespace GLIA_ISA
}  // namespace glia::kernels
