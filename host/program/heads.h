// Head: an output that has a loss, and where the numbers that a pass adds up lie among the counters behind the step state.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/shape.h>
#include <host/layers/emitter.h>
#include <host/program/metrics.h>

#include <cstdint>
#include <string>
#include <vector>

namespace glia {

/// Whether targets are labels or dense, and of which shape a batch's are.
struct TargetSpec {
  Targets kind = Targets::dense;
  Shape row;  ///< of one row: () or (positions,) for labels, else the output's
};

struct Head {
  std::size_t output;  ///< which of the graph's
  std::string name;    ///< of that output
  Losses loss;
  double weight = 1;
  Shape shape;  ///< of one row of the output
  std::vector<ResolvedMetric> metrics;
  /// Where losses have counters of their own, where this one's sum is; behind it the sums that go along with it, and the number
  /// of rows.
  /// -1: the state's own loss and rows, and the first counters.
  std::int64_t loss_counter = -1;
  std::int64_t rows_counter = -1;

  /// Throws ShapeError for labels where there is one class.
  TargetSpec targets() const;
};

/// All heads of a model, and how many counters they take; the sum of the penalties, and of the steps, is in two behind theirs
/// where losses have counters of their own.
struct Heads {
  std::vector<Head> all;
  /// Whether the loss is a weighted sum, which the state does not have.
  bool weighs() const { return all.size() > 1 || (all.size() == 1 && all[0].weight != 1); }
  std::int64_t counters = 0;
  std::int64_t penalty_counter = -1;

  /// Gives each number its place. To be called once `all` is complete.
  void lay_out();
};

/// A batch's targets, and weights of its rows, or an empty view.
struct BatchTargets {
  View targets, weights;
};

/// What emit_heads leaves to the end of the step.
struct EmittedHeads {
  std::vector<View> gradients;  ///< of the heads' outputs, weighted; none where they are not wanted
  View partials;                ///< of the only head: what Advance folds
  std::int64_t rows = 0;        ///< of the only head's loss
};

/// Losses and metrics of predictions (rows, ...), a batch for each head. Where `wants_gradients`, `backward` is called behind
/// the heads' losses with their gradients.
EmittedHeads emit_heads(Emitter& emitter, const Heads& heads, const std::vector<View>& predictions,
                        const std::vector<BatchTargets>& batch, bool wants_gradients);

}  // namespace glia
