// End of a step: the update of all parameters in one pass, and the bookkeeping that goes along with it.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/math/optimizers.h>  // defines: max_slots
#include <glia/step_state.h>       // defines: StepState
#include <kernels/block.h>

namespace glia::kernels {
inline namespace GLIA_ISA {

/// Folds partials (blocks, 1 + metrics) into the totals and moves the cursor. Block 0 does it; others pass
/// through.
struct AdvanceKernel {
  StepState* state;
  const double* partials;  ///< null: only the cursor moves
  std::int64_t blocks, columns;
  std::int64_t batch, loss_rows;

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    if (block.index() != 0 || batch == 0) return;
    for (std::int64_t column = 0; partials && column < columns; ++column) {
      double sum = 0;
      for (std::int64_t b = block.rank(); b < blocks; b += block.size())
        sum += partials[b * columns + column];
      sum = block.sum(sum);
      if (block.rank() == 0) (column == 0 ? state->loss : state->metrics[column - 1]) += sum;
    }
    if (block.rank() == 0) {
      if (partials) state->rows += loss_rows;
      state->cursor += batch;
    }
  }
};

/// parameters, gradients (n,) and slots (slot_count, n): one pass. Reads state.iteration and
/// state.learning_rate.
template <class Optimizer, class T>
struct OptimizeKernel {
  Optimizer optimizer;
  AdvanceKernel advance;
  T* parameters;
  const T* gradients;
  T* slots;
  int slot_count;
  std::int64_t n;

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    switch (slot_count) {
      case 0:
        update_all<0>(block);
        break;
      case 1:
        update_all<1>(block);
        break;
      case 2:
        update_all<2>(block);
        break;
      default:
        update_all<3>(block);
        break;
    }
    advance(block);
  }

 private:
  /// The number of slots is a constant of the loop, so that it touches no more memory than it must and
  /// vectorises.
  template <int used, class Block>
  GLIA_HD void update_all(Block& block) const {
    typename Optimizer::template Update<T> update = {};
    if (block.rank() == 0)  // powers and roots in double: once a block is enough
      update = optimizer.template update<T>(advance.state->iteration, advance.state->learning_rate);
    update = block.broadcast(update);
    const auto range = block.elements(n);
    T* const __restrict__ w = parameters;
    const T* const __restrict__ g = gradients;
    T* const __restrict__ s0 = slots;
    T* const __restrict__ s1 = slots + n;
    T* const __restrict__ s2 = slots + 2 * n;
    for (std::int64_t i = range.begin; i < range.end; i += range.stride) {
      T none = 0;
      if constexpr (used == 0) update(w[i], g[i], none, none, none);
      if constexpr (used == 1) update(w[i], g[i], s0[i], none, none);
      if constexpr (used == 2) update(w[i], g[i], s0[i], s1[i], none);
      if constexpr (used == 3) update(w[i], g[i], s0[i], s1[i], s2[i]);
    }
  }
};

}  // namespace GLIA_ISA
}  // namespace glia::kernels
