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
/// state.iteration, state.powers and state.learning_rate. Parameters that do not lie in one piece are where `spans` say.
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
  bool packed;

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    if (steps == 1 || advance.state->iteration % steps == 0) {
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

  template <int used, bool extras, class Block>
  GLIA_HD void update_all(Block& block) const {
    const double rate = advance.state->learning_rate;
    const auto update = optimizer.template update<T>(advance.state->powers, rate);
    const T decay = static_cast<T>(weight_decay * rate);
    const T limit = optimizer.clipvalue > 0 ? static_cast<T>(optimizer.clipvalue) : T(HUGE_VALF);
    const auto load = [&](const auto& strip, T* weights, std::int64_t i) {
      return loaded<used>(strip, weights, i);
    };
    const auto use = [&](const auto& strip, T* weights, std::int64_t i, auto& v) {
      strip.for_each([&](auto j) {
        [[maybe_unused]] T none = 0;
        T gradient = v.gradient[j];
        if constexpr (extras) {
          gradient = math::clip(gradient, -limit, limit);
          v.weight[j] -= v.weight[j] * decay;
        }
        if constexpr (used == 0) update(v.weight[j], gradient, none, none, none);
        if constexpr (used == 1) update(v.weight[j], gradient, v.slots[0][j], none, none);
        if constexpr (used == 2) update(v.weight[j], gradient, v.slots[0][j], v.slots[1][j], none);
        if constexpr (used == 3) update(v.weight[j], gradient, v.slots[0][j], v.slots[1][j], v.slots[2][j]);
      });
      strip.put(weights + i, v.weight);
      for (int s = 0; s < used; ++s) strip.put(slots + s * slot_stride + i, v.slots[s]);
    };
    each_weight<T, used <= 1 ? 2 : 1>(block, n, packed, parameters, spans, span_count, load, use);
  }

  /// The number of slots is a constant, so that no more memory is touched than must be.
  template <class W, class G, int used>
  struct Element {
    W weight;
    G gradient;
    W slots[used == 0 ? 1 : used];
  };
  template <int used, class Strip>
  GLIA_HD auto loaded(const Strip& strip, T* weights, std::int64_t i) const {
    const T* const g = gradients + i;
    Element<decltype(strip.load(weights)), decltype(strip.load(g)), used> v = {
        strip.load(weights + i), strip.load(g), {}};
    for (int s = 0; s < used; ++s) v.slots[s] = strip.load(slots + s * slot_stride + i);
    return v;
  }
};

}  // namespace GLIA_ISA
}  // namespace glia::kernels
