// From the descriptors of a step's state and of the update of the parameters to the kernels that do them.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <kernels/lowering.h>
#include <kernels/optimize.h>
#include <kernels/step.h>
#include <kernels/update.h>

namespace glia::kernels {
inline namespace GLIA_ISA {

template <class Launch>
void lower(const op::Begin& d, const Bindings& at, Launch&& launch) {
  launch(BeginKernel{at.state, d.counters}, Work{Work::exactly, 1});
}

template <class Launch>
void lower(const op::Schedule& d, const Bindings& at, Launch&& launch) {
  select(
      [&](const auto& schedule) {
        launch(ScheduleKernel<std::decay_t<decltype(schedule)>>{at.state, schedule}, Work{Work::exactly, 1});
      },
      d.learning_rate.schedule);
}

inline AdvanceKernel advance_kernel(const op::Advance& d, const Bindings& at) {
  return {at.state,
          at.template address<double>(d.partials),
          at.template address<double>(d.penalties),
          d.partials ? d.partials.shape[0] : 0,
          d.partials ? d.partials.shape[1] : 0,
          d.penalties ? d.penalties.elements() : 0,
          d.batch,
          d.loss_rows};
}

template <class Launch>
void lower(const op::Advance& d, const Bindings& at, Launch&& launch) {
  launch(advance_kernel(d, at), Work{Work::exactly, 1});
}

template <class Launch>
void lower(const op::Penalty& d, const Bindings& at, Launch&& launch) {
  visit_floating(d.parameter.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    const std::int64_t n = d.parameter.elements();
    launch(PenaltyKernel<T>{at.template address<T>(d.parameter), at.template address<T>(d.gradient),
                            at.template address<double>(d.partials) + d.first_partial, n, d.function.l1,
                            d.function.l2},
           Work{Work::exactly, op::pieces_of(n)});
  });
}

template <class Launch>
void lower(const op::Accumulate& d, const Bindings& at, Launch&& launch) {
  visit_floating(d.gradients.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    const std::int64_t n = d.gradients.elements();
    T* const gradients = at.template address<T>(d.gradients);
    T* const sums = at.template address<T>(d.sums);
    const bool packed = are_aligned(gradients, sums);
    launch(AccumulateKernel<T>{at.state, gradients, sums, n, d.steps, packed}, elements_work<T>(n, packed));
  });
}

template <class Launch>
void lower(const op::Squares& d, const Bindings& at, Launch&& launch) {
  visit_floating(d.in.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    const std::int64_t n = d.in.elements();
    launch(SquaresKernel<T>{at.template address<T>(d.in), at.template address<double>(d.partials), n},
           Work{Work::exactly, op::pieces_of(n)});
  });
}

template <class Launch>
void lower(const op::Sums& d, const Bindings& at, Launch&& launch) {
  visit_floating(d.in.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    const std::int64_t n = d.in.elements();
    launch(SumsKernel<T>{at.template address<T>(d.in), at.template address<T>(d.gradient),
                         at.template address<double>(d.partials), n, static_cast<T>(d.slope)},
           Work{Work::exactly, op::pieces_of(n)});
  });
}

template <class Launch>
void lower(const op::RescaleToNorm& d, const Bindings& at, Launch&& launch) {
  visit_floating(d.values.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    const std::int64_t n = d.values.elements();
    T* const values = at.template address<T>(d.values);
    const bool packed = are_aligned(values);
    launch(RescaleToNormKernel<T>{values, at.template address<double>(d.partials), n, d.partials.elements(),
                                  d.limit, packed},
           elements_work<T>(n, packed));
  });
}

template <class Launch>
void lower(const op::Optimize& d, const Bindings& at, Launch&& launch) {
  visit_floating(d.parameters.dtype, [&](auto type) {
    select(
        [&](const auto& optimizer) {
          using T = typename decltype(type)::type;
          const std::int64_t n = d.gradients.elements(), slot_stride = d.slots ? d.slots.strides[0] : 0;
          T* const parameters = at.template address<T>(d.parameters);
          const T* const gradients = at.template address<T>(d.gradients);
          T* const slots = at.template address<T>(d.slots);
          const bool packed = slot_stride % pack_size<T> == 0 && are_aligned(parameters, gradients, slots);
          launch(
              OptimizeKernel<std::decay_t<decltype(optimizer)>, T>{
                  optimizer, advance_kernel(d.advance, at), parameters, gradients, slots, n, slot_stride,
                  d.steps, optimizer.slots(), d.weight_decay, at.template address<WeightSpan>(d.spans),
                  d.spans ? d.spans.shape[0] : 0, packed},
              elements_work<T>(n > 0 ? n : 1, packed));
        },
        d.optimizer);
  });
}

template <class Launch>
void lower(const op::MovingAverage& d, const Bindings& at, Launch&& launch) {
  visit_floating(d.parameters.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    const std::int64_t n = d.averages.elements();
    T* const parameters = at.template address<T>(d.parameters);
    T* const averages = at.template address<T>(d.averages);
    const bool packed = are_aligned(parameters, averages);
    launch(AverageKernel<T>{at.state, parameters, averages, n, d.steps, d.overwrite_every, d.momentum,
                            at.template address<WeightSpan>(d.spans), d.spans ? d.spans.shape[0] : 0, packed},
           elements_work<T>(n, packed));
  });
}

template <class T, class Constraint, class Launch>
void lower_constraint(const Constraint& constraint, const op::Constrain& d, const Bindings& at,
                      Launch&& launch) {
  if constexpr (!std::is_same_v<Constraint, NoConstraint>) {
    const std::int64_t rows = d.weight.shape[0], columns = d.weight.shape[1];
    T* const weight = at.template address<T>(d.weight);
    const bool packed = are_aligned(weight);
    if constexpr (std::is_same_v<Constraint, NonNeg>) {
      launch(NonNegKernel<T>{weight, rows * columns, packed}, elements_work<T>(rows * columns, packed));
    } else {
      const Patches<T> patches(rows, columns, rows, packed);
      launch(ConstrainKernel<Constraint, T>{constraint, patches, weight}, patches.pieces_work(rows));
    }
  }
}

template <class Launch>
void lower(const op::Constrain& d, const Bindings& at, Launch&& launch) {
  visit_floating(d.weight.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    select([&](const auto& constraint) { lower_constraint<T>(constraint, d, at, launch); }, d.function);
  });
}

template <class Launch>
void lower(const op::Momentum& d, const Bindings& at, Launch&& launch) {
  visit_floating(d.out.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    const std::int64_t n = d.out.elements();
    const T* const gradients = at.template address<T>(d.gradients);
    T* const momentum = at.template address<T>(d.momentum);
    T* const out = at.template address<T>(d.out);
    const bool packed = are_aligned(gradients, momentum, out);
    launch(MomentumKernel<T>{at.state, gradients, momentum, out, n, d.steps, d.mu, d.clipvalue, d.nesterov,
                             packed},
           elements_work<T>(n, packed));
  });
}

template <class Launch>
void lower(const op::Combine& d, const Bindings& at, Launch&& launch) {
  visit_floating(d.out.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    const std::int64_t n = d.out.elements();
    const T* const a = at.template address<T>(d.a);
    const T* const b = at.template address<T>(d.b);
    T* const out = at.template address<T>(d.out);
    const bool packed = are_aligned(a, b, out);
    launch(CombineKernel<T>{a, b, out, n, d.alpha, d.beta, packed}, elements_work<T>(n, packed));
  });
}

template <class Launch>
void lower(const op::Descend& d, const Bindings& at, Launch&& launch) {
  visit_floating(d.parameters.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    const std::int64_t n = d.parameters.elements();
    T* const parameters = at.template address<T>(d.parameters);
    const T* const step = at.template address<T>(d.step);
    const bool packed = are_aligned(parameters, step);
    launch(DescendKernel<T>{at.state, parameters, step, n, d.steps, d.scale, d.decay, packed},
           elements_work<T>(n, packed));
  });
}

}  // namespace GLIA_ISA
}  // namespace glia::kernels
