// Metrics on the host: where each keeps its numbers on the device, and what they come to.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/math/metrics.h>

#include <cstdint>
#include <optional>
#include <string>

namespace glia {

/// A metric of a model that is built.
struct ResolvedMetric {
  std::string name;
  Metrics metric;
  bool weighted = false;
  bool by_shape = false;           ///< given as "accuracy", which the output's shape resolves
  std::optional<RowMetric> row;    ///< where it is a number for each row, and goes along with a loss
  std::int64_t first_counter = 0;  ///< where its counters begin; of one for each row, where their sum is
  std::int64_t counters = 0;
  std::int64_t rows_counter =
      -1;  ///< of one for each row: what counts the rows, or sums their weights; -1: the state's rows
};

/// How the loss's kernel computes it; nothing where it keeps counters of its own.
std::optional<RowMetric> row_metric(const Metrics& metric);
/// How many counters it keeps for rows of `columns` outputs.
std::int64_t counter_count(const Metrics& metric, std::int64_t columns);
/// What counters come to. Sources: keras.metrics.
double result_of(const Metrics& metric, const double* counters, std::int64_t columns);

}  // namespace glia
