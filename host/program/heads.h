// Head: an output that has a loss, and where the numbers that a pass adds up lie among the counters behind the step state.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/named.h>  // defines: CustomLossBody
#include <glia/shape.h>
#include <host/layers/emitter.h>
#include <host/program/metrics.h>

#include <cstdint>
#include <memory>
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
  Losses loss;         ///< of one of the application's own: one that takes the same targets, for metrics
  double weight = 1;
  Shape shape;  ///< of one row of the output
  std::vector<ResolvedMetric> metrics;
  /// Where this loss's sum is; behind it the sums that go along with it, and the number of rows.
  /// -1: the state's own loss and rows, and the first counters.
  std::int64_t loss_counter = -1;
  std::int64_t rows_counter = -1;
  std::shared_ptr<const CustomLossBody> own = {};  ///< null for a loss of Glia's
  bool masked = false;  ///< whether layers say which rows of it do not count: steps of sequences

  /// Throws ShapeError for labels where there is one class.
  TargetSpec targets() const;
};

/// What a model adds to its loss: the mean of an output's elements, or of a value that is no output.
struct AddedLoss {
  std::size_t output;  ///< of the graph, which has those that are no outputs of the model behind them
  std::int64_t sum_counter = -1;  ///< of the means of rows; in the next their number
};

/// All heads of a model, and how many counters they take. The loss of an only head of weight 1, with none added, is
/// summed, penalties included, in the step state itself. Else each head has counters of its own for its loss and rows, and two behind them all, from
/// penalty_counter on, take the penalties times the rows, and the rows.
struct Heads {
  std::vector<Head> all;
  std::vector<AddedLoss> added = {};
  std::vector<std::string> names = {};  ///< of the outputs that `all` are of
  std::int64_t counters = 0;
  std::int64_t penalty_counter = -1;

  /// Gives each number its place, and the names. To be called once `all` and `added` are complete.
  void lay_out();
};

/// A batch's targets, and weights of its rows, or an empty view; of a masked head the mask of its output.
struct BatchTargets {
  View targets, weights;
  View mask = {};
};

/// What emit_heads leaves to the end of the step.
struct EmittedHeads {
  std::vector<View> gradients;  ///< of the heads' outputs, weighted; none where they are not wanted
  View partials;                ///< of the only head: what Advance folds
  std::int64_t rows = 0;        ///< of the only head's loss
};

/// Emits the losses and metrics of all heads: predictions (rows, ...), and targets with their weights, one of each a head. Where
/// `wants_gradients` the losses also give the gradients of the predictions, from which the caller emits the backward pass.
EmittedHeads emit_heads(Emitter& emitter, const Heads& heads, const std::vector<View>& predictions,
                        const std::vector<BatchTargets>& batch, bool wants_gradients);

/// The same for an added loss: its value (rows, ...), whose gradient it returns where that is wanted.
View emit_added_loss(Emitter& emitter, const AddedLoss& loss, const View& value, bool wants_gradient);

}  // namespace glia
