// The steps of a recurrent layer, which backends go through: each some stages, of a product and what is done with it by element.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/descriptors.h>

#include <cstdint>
#include <utility>
#include <vector>

namespace glia {

/// A stage: first the product, where there is one, then the kernel of this number, where that is not below 0.
struct RecurrentStage {
  std::int64_t step;  ///< in the order of computation; of a gradient, too, in the order of the forward pass
  int kernel;         ///< begin, main, second, end
  op::Matmul product = {};
  bool has_product = false;

  static constexpr int begin = 0, main = 1, second = 2, end = 3;
};

namespace detail {

/// Which of a time-major view's is that of time i: the only one where not all are kept.
inline std::int64_t kept_at(const View& view, std::int64_t i) { return view.shape[0] == 1 ? 0 : i; }
/// That of a time-major view (steps, rows, width), of those rows.
inline View at_time(const View& view, std::int64_t i, std::int64_t first_row, std::int64_t rows) {
  return view.part(0, kept_at(view, i), 1).matrix_at(0).part(0, first_row, rows);
}

/// Where in time a step is, and the states before and behind it are.
struct StepTimes {
  std::int64_t time, before, behind;
};
template <class Recurrent>
StepTimes times_of(const Recurrent& d, std::int64_t step) {
  const std::int64_t time = d.backwards ? d.steps() - 1 - step : step;
  return {time, d.backwards ? time + 1 : time, d.backwards ? time : time + 1};
}

}  // namespace detail

/// The stages of these rows, in order. Rows do not depend on each other.
inline std::vector<RecurrentStage> stages_of(const op::Recurrent& d, std::int64_t first_row,
                                             std::int64_t rows) {
  using Stage = RecurrentStage;
  const std::int64_t u = d.units();
  const View products = d.products.part(0, first_row, rows);
  std::vector<Stage> stages{{0, Stage::begin}};
  for (std::int64_t step = 0; step < d.steps(); ++step) {
    const detail::StepTimes times = detail::times_of(d, step);
    const View h = d.fed ? detail::at_time(d.fed, times.time, first_row, rows)
                         : detail::at_time(d.h, times.before, first_row, rows);
    const bool has_state = step > 0 || d.initial_h;
    if (d.cell != op::Cell::gru_reset_before) {
      stages.push_back({step, Stage::main, {h, d.kernel, products}, has_state});
      continue;
    }
    stages.push_back(
        {step, Stage::main, {h, d.kernel.part(1, 0, 2 * u), products.part(1, 0, 2 * u)}, has_state});
    stages.push_back({step,
                      Stage::second,
                      {detail::at_time(d.extra, times.time, first_row, rows), d.kernel.part(1, 2 * u, u),
                       products.part(1, 2 * u, u)},
                      has_state});
  }
  return stages;
}

inline std::vector<RecurrentStage> stages_of(const op::RecurrentGradient& d, std::int64_t first_row,
                                             std::int64_t rows) {
  using Stage = RecurrentStage;
  const std::int64_t u = d.units();
  const View products = d.products.part(0, first_row, rows);
  // Products stand behind the kernels whose gradients they multiply: so in the stage that follows.
  std::vector<Stage> stages;
  op::Matmul product;
  bool has_product = false;
  const auto kernel = [&](std::int64_t step, int number) {
    stages.push_back({step, number, product, std::exchange(has_product, false)});
  };
  const auto multiply = [&](const View& gradients, std::int64_t first, std::int64_t columns) {
    product = {gradients.part(1, first, columns), d.kernel.part(1, first, columns).transposed(), products};
    has_product = true;
  };
  for (std::int64_t step = d.steps() - 1; step >= 0; --step) {
    const std::int64_t time = detail::times_of(d, step).time;
    kernel(step, Stage::main);
    const View gates = detail::at_time(d.gates, time, first_row, rows);
    if (d.cell == op::Cell::gru_reset_before) {
      multiply(gates, 2 * u, u);
      kernel(step, Stage::second);
      multiply(gates, 0, 2 * u);
    } else if (d.cell == op::Cell::gru) {
      multiply(detail::at_time(d.recurrent_gradients, time, first_row, rows), 0, 3 * u);
    } else {
      multiply(gates, 0, gates.shape[1]);
    }
  }
  if (d.initial_h_gradient || d.initial_c_gradient) kernel(0, Stage::end);
  return stages;
}

}  // namespace glia
