// From the descriptors of sequences to the kernels that do them; of recurrent layers, a stage at a time.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/recurrent_steps.h>
#include <kernels/lowering.h>
#include <kernels/masks.h>
#include <kernels/recurrent_gradient.h>

#include <type_traits>

namespace glia::kernels {
inline namespace GLIA_ISA {

template <class Launch>
void lower(const op::Fill& d, const Bindings& at, Launch&& launch) {
  visit_floating(d.out.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    T* const out = at.template address<T>(d.out);
    const bool packed = are_aligned(out);
    const int rank = d.out.shape.rank();
    launch(FillKernel<T>{out, d.out.elements(), static_cast<T>(d.value), packed,
                         d.below ? d.out.shape[rank - 2] : 0, d.below ? d.out.shape[rank - 1] : 0},
           elements_work<T>(d.out.elements(), packed));
  });
}

template <class Launch>
void lower(const op::Mask& d, const Bindings& at, Launch&& launch) {
  visit_floating(d.out.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    const std::int64_t rows = d.out.elements();
    launch(MaskKernel<T>{at.template address<T>(d.in), at.template address<T>(d.out), rows, d.in.shape[1],
                         static_cast<T>(d.value)},
           Work{Work::elements, rows});
  });
}

/// Some rows of a recurrent layer's.
struct RowRange {
  std::int64_t first, count;
};

/// Where views of a recurrent layer lie: those of a step, from the first of its rows on. Null for views that are not there.
template <class T>
class StepAddresses {
 public:
  StepAddresses(const Bindings& at, const RowRange& rows) : at_(at), first_(rows.first) {}

  /// Of a view (rows, ...).
  T* rows_of(const View& view) const {
    return view ? at_.template address<T>(view) + first_ * view.strides[0] : nullptr;
  }
  /// Of a time-major view, at a time.
  T* at_time(const View& view, std::int64_t time) const {
    if (!view) return nullptr;
    return at_.template address<T>(view) + glia::detail::kept_at(view, time) * view.strides[0] +
           first_ * view.strides[1];
  }
  /// Of a view (rows, steps, ...) at a step, or of one (rows, ...) where that step is the only one it is of.
  T* at_step(const View& view, std::int64_t step, bool is_only) const {
    if (!view) return nullptr;
    if (view.shape.rank() == 3)
      return at_.template address<T>(view) + first_ * view.strides[0] + step * view.strides[1];
    return is_only ? rows_of(view) : nullptr;
  }

 private:
  const Bindings& at_;
  std::int64_t first_;
};

/// f(activation, gate): as types where they are what most layers have, and compute in float32.
template <class T, class D, class F>
void visit_activations(const D& d, F&& f) {
  const bool plain = std::holds_alternative<Tanh>(d.activation) &&
                     (d.cell == op::Cell::simple || std::holds_alternative<Sigmoid>(d.recurrent_activation));
  if constexpr (sizeof(T) == sizeof(float))
    if (plain) return f(KnownActivation<Tanh>{}, KnownActivation<Sigmoid>{});
  f(AnyActivation{AnyOf<ElementwiseActivation>(d.activation)},
    AnyActivation{AnyOf<ElementwiseActivation>(d.recurrent_activation)});
}

/// f(the cell as a type).
template <class F>
void visit_cell(op::Cell cell, F&& f) {
  using op::Cell;
  switch (cell) {
    case Cell::simple:
      return f(std::integral_constant<Cell, Cell::simple>{});
    case Cell::lstm:
      return f(std::integral_constant<Cell, Cell::lstm>{});
    case Cell::gru:
      return f(std::integral_constant<Cell, Cell::gru>{});
    case Cell::gru_reset_before:
      return f(std::integral_constant<Cell, Cell::gru_reset_before>{});
  }
}

template <class T>
Patches<T> patches_of_units(const RowRange& rows, std::int64_t units) {
  return Patches<T>::of_threads(rows.count, units, 1, false);
}

/// The kernel of a stage; rows as of the stage.
template <class Launch>
void lower_stage(const op::Recurrent& d, const RecurrentStage& stage, const RowRange& rows,
                 const Bindings& bindings, Launch&& launch) {
  visit_floating(d.gates.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    const StepAddresses<T> at(bindings, rows);
    const Patches<T> patches = patches_of_units<T>(rows, d.units());
    const glia::detail::StepTimes times = glia::detail::times_of(d, stage.step);
    if (stage.kernel == RecurrentStage::begin)
      return launch(
          RecurrentBeginKernel<T>{patches, at.rows_of(d.initial_h), at.rows_of(d.initial_c),
                                  at.rows_of(d.noise), at.at_time(d.h, times.before),
                                  at.at_time(d.c, times.before), at.at_time(d.fed, times.time),
                                  d.initial_h ? nullptr : at.rows_of(d.products), op::gates_of(d.cell)},
          patches.rows_work());
    const bool is_last = stage.step == d.steps() - 1;
    const std::int64_t next = d.backwards ? times.time - 1 : times.time + 1;
    const StepOperands<T> step{
        at.at_time(d.gates, times.time),
        at.rows_of(d.products),
        bindings.template address<T>(d.bias),
        d.mask ? at.rows_of(d.mask) + times.time * d.mask.strides[1] : nullptr,
        d.mask ? d.mask.strides[0] : 0,
        at.at_time(d.h, times.before),
        at.at_time(d.c, times.before),
        at.at_time(d.h, times.behind),
        at.at_time(d.c, times.behind),
        at.at_time(d.extra, times.time),
        at.rows_of(d.noise),
        d.fed ? at.at_time(d.fed, times.time) : at.at_time(d.h, times.before),
        is_last ? nullptr : at.at_time(d.fed, next),
        at.at_step(d.out, d.reverses_out ? d.steps() - 1 - times.time : times.time, is_last),
        d.out ? d.out.strides[0] : 0,
        d.zero_masked};
    visit_cell(d.cell, [&](auto cell) {
      visit_activations<T>(d, [&](const auto& activation, const auto& gate) {
        launch(RecurrentKernel<decltype(cell)::value, std::decay_t<decltype(activation)>,
                               std::decay_t<decltype(gate)>, T>{patches, step, activation, gate,
                                                                stage.kernel == RecurrentStage::second},
               patches.rows_work());
      });
    });
  });
}

template <class Launch>
void lower_stage(const op::RecurrentGradient& d, const RecurrentStage& stage, const RowRange& rows,
                 const Bindings& bindings, Launch&& launch) {
  visit_floating(d.gates.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    const StepAddresses<T> at(bindings, rows);
    const Patches<T> patches = patches_of_units<T>(rows, d.units());
    if (stage.kernel == RecurrentStage::end)
      return launch(RecurrentEndKernel<T>{patches, at.rows_of(d.products), at.rows_of(d.noise),
                                          at.rows_of(d.carried_h), at.rows_of(d.carried_c),
                                          at.rows_of(d.initial_h_gradient), at.rows_of(d.initial_c_gradient)},
                    patches.rows_work());
    const glia::detail::StepTimes times = glia::detail::times_of(d, stage.step);
    const bool is_last = stage.step == d.steps() - 1;
    const StepGradientOperands<T> step{
        at.at_time(d.gates, times.time),
        d.mask ? at.rows_of(d.mask) + times.time * d.mask.strides[1] : nullptr,
        d.mask ? d.mask.strides[0] : 0,
        at.at_time(d.h, times.before),
        at.at_time(d.c, times.before),
        at.at_time(d.c, times.behind),
        at.at_time(d.extra, times.time),
        at.rows_of(d.noise),
        d.fed ? at.at_time(d.fed, times.time) : at.at_time(d.h, times.before),
        at.at_step(d.out_gradient, d.reverses_out ? d.steps() - 1 - times.time : times.time, is_last),
        d.out_gradient ? d.out_gradient.strides[0] : 0,
        at.rows_of(d.last_h_gradient),
        at.rows_of(d.last_c_gradient),
        at.at_time(d.recurrent_gradients, times.time),
        at.rows_of(d.products),
        at.rows_of(d.carried_h),
        at.rows_of(d.carried_c),
        is_last,
        d.zero_masked};
    visit_cell(d.cell, [&](auto cell) {
      visit_activations<T>(d, [&](const auto& activation, const auto& gate) {
        launch(
            RecurrentGradientKernel<decltype(cell)::value, std::decay_t<decltype(activation)>,
                                    std::decay_t<decltype(gate)>, T>{patches, step, activation, gate,
                                                                     stage.kernel == RecurrentStage::second},
            patches.rows_work());
      });
    });
  });
}

}  // namespace GLIA_ISA
}  // namespace glia::kernels
