// Metrics on the host: where each keeps its numbers on the device, and what they come to.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/math/metrics.h>
#include <glia/step_state.h>

#include <cstdint>
#include <optional>
#include <string>

namespace glia {

/// A metric of a model that is built.
struct ResolvedMetric {
  std::string name;
  Metrics metric;
  bool weighted = false;
  std::optional<RowMetric> row;    ///< where it goes along with the loss
  int row_total = 0;               ///< then, which of StepState::metrics is its sum
  int weight_total = -1;           ///< and which the sum of weights; -1: rows count alike
  std::int64_t first_counter = 0;  ///< else, its counters
  std::int64_t counters = 0;
};

/// How the loss's kernel computes it; nothing where it keeps counters of its own.
std::optional<RowMetric> row_metric(const Metrics& metric);
/// How many counters it keeps for rows of `columns` outputs.
std::int64_t counter_count(const Metrics& metric, std::int64_t columns);
/// What counters come to. Sources: keras.metrics.
double result_of(const Metrics& metric, const double* counters, std::int64_t columns);

}  // namespace glia
