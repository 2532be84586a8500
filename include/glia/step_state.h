// StepState: what changes from step to step. It lies on the device and is advanced there, so that a captured
// step stays valid. A model has two: one that training steps use, and one for all else.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/macros.h>
#include <glia/math/philox.h>  // defines: Permutation

#include <cstdint>
#include <type_traits>

namespace GLIA_API glia {

/// Rows that a pass reads, or, in inference, stores: in device memory.
struct Source {
  void* data = nullptr;
  double scale = 1;

  friend bool operator==(const Source&, const Source&) = default;
};

/// What a run is told by its caller in place of its step state: sources by their numbers, in memory of the host, of which it reads
/// and writes the first `rows` rows, in their order.
struct Given {
  const Source* sources = nullptr;
  std::int64_t rows = 0;
};

/// The order in which a pass reads its rows, as the host says it. Row r of a step is row order(cursor + r) of each source, where
/// order is the permutation (count, seed, pass) if shuffled.
struct Feed {
  std::uint64_t shuffled = 0;  ///< 0 or 1
  std::uint64_t count = 0;     ///< rows to shuffle
  std::uint64_t seed = 0;
  std::uint64_t pass = 0;  ///< number of the next pass: each has an order of its own

  friend bool operator==(const Feed&, const Feed&) = default;
};

/// Each member is advanced by a kernel that does not otherwise read it: `order` and feed.pass by Begin, which
/// also zeroes `cursor`, `rows`, `loss` and the counters behind the state; `learning_rate` by Schedule, which reads the iteration;
/// `iteration` and `powers` by Gather, which reads the cursor and `finished`; `cursor`, `finished`, `rows` and `loss` by Advance (alone, or
/// within Optimize or, when all of that have read the cursor, a FewRows), which reads the iteration.
struct StepState {
  Feed feed;
  std::int64_t cursor = 0;     ///< rows consumed of the feed
  Permutation order;           ///< of this pass, where feed.shuffled
  std::int64_t rows = 0;       ///< rows in the loss below (outputs of rank 3 count one for each position)
  double loss = 0;             ///< sum over rows
  std::int64_t iteration = 0;  ///< training steps made, this one included while it runs
  std::int64_t finished = 0;   ///< `iteration` as the step before left it
  double powers[3] = {};       ///< of this update: Powers::at()
  double learning_rate = 0;    ///< of this step
};

/// What there is of each model's own number lies around the state. Before it, its sources: the first right before it, the
/// second before that.
GLIA_HD Source& source_of(StepState* state, std::int64_t number) {
  return *(reinterpret_cast<Source*>(state) - 1 - number);
}
GLIA_HD const Source& source_of(const StepState* state, std::int64_t number) {
  return *(reinterpret_cast<const Source*>(state) - 1 - number);
}

/// Behind it float64 counters, of metrics and of losses.
template <class State>
GLIA_HD auto* counters_of(State* state) {
  if constexpr (std::is_const_v<State>)
    return reinterpret_cast<const double*>(state + 1);
  else
    return reinterpret_cast<double*>(state + 1);
}

}  // namespace glia
