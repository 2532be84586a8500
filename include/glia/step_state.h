// StepState: what changes from step to step. It lies on the device and is advanced there, so that a captured
// step stays valid. A model has two: one that training steps use, and one for all else.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/macros.h>
#include <glia/math/metrics.h>  // defines: max_row_metrics
#include <glia/math/philox.h>   // defines: Permutation

#include <cstdint>
#include <type_traits>

namespace glia {

/// The rows a pass reads, as the host says it. Row r of a step is row order(cursor + r) of x and y, where order
/// is the permutation (count, seed, pass) if shuffled.
struct Feed {
  const void* x = nullptr;         ///< device memory
  const void* y = nullptr;         ///< device memory; null in inference
  const float* weights = nullptr;  ///< of each row, device memory; null where all count alike
  void* out = nullptr;             ///< where inference stores its outputs, from row `cursor` on
  double x_scale = 1;
  double y_scale = 1;
  std::uint64_t shuffled = 0;  ///< 0 or 1
  std::uint64_t count = 0;     ///< rows to shuffle
  std::uint64_t seed = 0;
  std::uint64_t pass = 0;  ///< number of the next pass: each has an order of its own

  friend bool operator==(const Feed&, const Feed&) = default;
};

/// Each member is advanced by a kernel that does not otherwise read it: `order` and feed.pass by Begin, which
/// also zeroes the cursor and the totals; `learning_rate` by Schedule, which reads the iteration; `iteration` by
/// Gather, which reads the cursor and `finished`; `cursor`, `finished`, `rows` and the totals by Advance (fused into
/// Optimize), which reads the iteration.
struct StepState {
  Feed feed;
  std::int64_t cursor = 0;  ///< rows consumed of the feed
  Permutation order;        ///< of this pass, where feed.shuffled
  std::int64_t rows = 0;    ///< rows in the totals below (outputs of rank 3 count one for each position)
  double loss = 0;          ///< sum over rows
  double metrics[max_row_metrics] = {};  ///< sums over rows, or of weights times the row's number
  std::int64_t iteration = 0;            ///< training steps made, this one included while it runs
  std::int64_t finished = 0;             ///< `iteration` as the step before left it
  double learning_rate = 0;              ///< of this step
};

/// The float64 counters of metrics that keep more than a sum lie behind the state.
template <class State>
GLIA_HD auto* counters_of(State* state) {
  if constexpr (std::is_const_v<State>)
    return reinterpret_cast<const double*>(state + 1);
  else
    return reinterpret_cast<double*>(state + 1);
}

}  // namespace glia
