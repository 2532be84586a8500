// End of a step: the update of all parameters in one pass.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/math/optimizers.h>  // defines: max_slots
#include <kernels/block.h>
#include <kernels/spans.h>
#include <kernels/step.h>  // defines: AdvanceKernel

namespace glia::kernels {
inline namespace GLIA_ISA {

/// parameters, gradients (n,) and slots, `slot_stride` apart: one pass, every steps-th time. Reads
/// state.iteration and state.learning_rate. Parameters that do not lie in one piece are where `spans` say.
template <class Optimizer, class T>
struct OptimizeKernel {
  Optimizer optimizer;
  AdvanceKernel advance;
  T* parameters;
  const T* gradients;
  T* slots;
  std::int64_t n, slot_stride, steps;
  int slot_count;
  double weight_decay;
  const WeightSpan* spans;
  std::int64_t span_count;

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    if (advance.state->iteration % steps == 0) {
      if (weight_decay != 0 || optimizer.clipvalue != 0)
        update_slots<true>(block);
      else
        update_slots<false>(block);
    }
    advance(block);
  }

 private:
  template <bool extras, class Block>
  GLIA_HD void update_slots(Block& block) const {
    constexpr int fewest = Optimizer::fewest_slots, most = Optimizer::most_slots;
    if constexpr (fewest <= 0) {
      if (slot_count == 0) return update_all<0, extras>(block);
    }
    if constexpr (fewest <= 1 && most >= 1) {
      if (slot_count == 1) return update_all<1, extras>(block);
    }
    if constexpr (fewest <= 2 && most >= 2) {
      if (slot_count == 2) return update_all<2, extras>(block);
    }
    if constexpr (most >= 3) update_all<3, extras>(block);
  }

  /// The number of slots is a constant of the loop, so that it touches no more memory than it must and
  /// vectorises.
  template <int used, bool extras, class Block>
  GLIA_HD void update_all(Block& block) const {
    typename Optimizer::template Update<T> update = {};
    const double rate = advance.state->learning_rate;
    if (block.rank() == 0)  // powers and roots in double: once a block is enough
      update = optimizer.template update<T>(advance.state->iteration / steps, rate);
    update = block.broadcast(update);
    const T decay = static_cast<T>(weight_decay * rate);
    const T limit = optimizer.clipvalue > 0 ? static_cast<T>(optimizer.clipvalue) : T(HUGE_VALF);
    for_each_span(block.elements(n), parameters, spans, span_count, [&](T* weights, const auto& range) {
      update_range<used, extras>(weights, range, update, decay, limit);
    });
  }

  template <int used, bool extras, class Range, class Update>
  GLIA_HD void update_range(T* weights, const Range& range, const Update& update, T decay, T limit) const {
    T* const __restrict__ w = weights;
    const T* const __restrict__ g = gradients;
    T* const __restrict__ s0 = slots;
    T* const __restrict__ s1 = slots + slot_stride;
    T* const __restrict__ s2 = slots + 2 * slot_stride;
    for (std::int64_t i = range.begin; i < range.end; i += range.stride) {
      T none = 0;
      T gradient = g[i];
      if constexpr (extras) {
        gradient = math::clip(gradient, -limit, limit);
        w[i] -= w[i] * decay;
      }
      if constexpr (used == 0) update(w[i], gradient, none, none, none);
      if constexpr (used == 1) update(w[i], gradient, s0[i], none, none);
      if constexpr (used == 2) update(w[i], gradient, s0[i], s1[i], none);
      if constexpr (used == 3) update(w[i], gradient, s0[i], s1[i], s2[i]);
    }
  }
};

}  // namespace GLIA_ISA
}  // namespace glia::kernels
