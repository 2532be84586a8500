// The state of a step as it changes: at the beginning of a pass over the rows, before an update, and at the end of a step.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/step_state.h>  // defines: StepState
#include <kernels/block.h>

#include <cmath>

namespace glia::kernels {
inline namespace GLIA_ISA {

/// Cursor and totals to zero, and the order of the pass.
struct BeginKernel {
  StepState* state;
  std::int64_t counters;

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    if (block.index() != 0) return;
    for (std::int64_t i = block.rank(); i < counters; i += block.size()) counters_of(state)[i] = 0;
    if (block.rank() != 0) return;
    state->cursor = state->rows = 0;
    state->loss = 0;
    Feed& feed = state->feed;
    if (feed.shuffled) state->order = Permutation(feed.count, feed.seed, feed.pass);
    feed.pass += 1;
  }
};

/// The learning rate of the next update; Gather counts it afterwards.
template <class Schedule>
struct ScheduleKernel {
  StepState* state;
  Schedule schedule;

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    if (block.index() == 0 && block.rank() == 0) state->learning_rate = schedule.at(state->iteration);
  }
};

/// Folds partials (pieces, 1 + metrics) into the loss's total and the first counters, adds the penalties (penalty_pieces,) to the loss of
/// every row, and moves the cursor. Block 0 does it; others pass through.
struct AdvanceKernel {
  StepState* state;
  const double* partials;   ///< null: only the cursor moves
  const double* penalties;  ///< null: none
  std::int64_t pieces, columns, penalty_pieces;
  std::int64_t batch, loss_rows;

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    if (block.index() != 0 || batch == 0) return;
    for (std::int64_t column = 0; partials && column < columns; ++column) {
      double sum = 0;
      for (std::int64_t b = block.rank(); b < pieces; b += block.size())
        sum += partials[b * columns + column];
      sum = block.sum(sum);
      if (block.rank() == 0) (column == 0 ? state->loss : counters_of(state)[column - 1]) += sum;
    }
    double penalty = 0;
    for (std::int64_t b = block.rank(); penalties && b < penalty_pieces; b += block.size())
      penalty += penalties[b];
    if (penalties) penalty = block.sum(penalty);
    if (block.rank() == 0) {
      // Said, not left to the compiler: alone and within Optimize it would contract differently.
      state->loss = std::fma(penalty, static_cast<double>(loss_rows), state->loss);
      if (partials) state->rows += loss_rows;
      state->cursor += batch;
      state->finished = state->iteration;
    }
  }
};

}  // namespace GLIA_ISA
}  // namespace glia::kernels
