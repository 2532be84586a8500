// Heads: their counters, and what computes their losses and metrics.
// SPDX-License-Identifier: Apache-2.0
#include <host/layers/formulas.h>  // defines: emit_binary
#include <host/program/custom_loss.h>
#include <host/program/heads.h>

#include <algorithm>
#include <optional>
#include <string>
#include <type_traits>

namespace glia {

TargetSpec Head::targets() const {
  const Targets kind = std::visit([](const auto& l) { return l.targets; }, loss);
  if (kind == Targets::dense) return {kind, shape};
  GLIA_CHECK(shape.back() >= 2, ShapeError,
             "sparse_categorical_crossentropy needs an output for each class, at least 2, but the model's "
             "output rows have shape ",
             shape, ": for one unit and targets 0 or 1 use binary_crossentropy");
  return {kind, shape.slice(0, shape.rank() - 1)};
}

namespace {

/// Row-wise metrics go along with a loss as many at a time; one more column sums weights.
constexpr std::size_t metrics_of_a_pass = max_row_metrics - 1;

/// Metrics that go along with one pass over the outputs.
struct Group {
  std::vector<std::size_t> metrics;  ///< of the head's
  bool sums_weights = false;
  bool weighted = false;  ///< of a masked head: by the rows' weights, too
};

/// The first goes along with the loss itself, even where it is empty; with one of the application's own nothing does, nor with that
/// of a masked head, whose metrics are weighted otherwise.
std::vector<Group> groups_of(const Head& head) {
  std::vector<Group> groups(1);
  const auto add = [&](std::size_t m) {
    if (groups.back().metrics.size() == metrics_of_a_pass)
      groups.push_back({{}, false, groups.back().weighted});
    groups.back().metrics.push_back(m);
    groups.back().sums_weights = groups.back().sums_weights || head.masked || head.metrics[m].weighted;
  };
  const auto count = [&](const auto& wanted) {
    return std::count_if(head.metrics.begin(), head.metrics.end(),
                         [&](const ResolvedMetric& metric) { return metric.row && wanted(metric); });
  };
  if (!head.masked) {
    if (head.own && count([](const ResolvedMetric&) { return true; }) > 0) groups.emplace_back();
    for (std::size_t m = 0; m < head.metrics.size(); ++m)
      if (head.metrics[m].row) add(m);
    return groups;
  }
  for (const bool weighted : {false, true}) {
    if (count([&](const ResolvedMetric& metric) { return metric.weighted == weighted; }) == 0) continue;
    groups.push_back({{}, true, weighted});
    for (std::size_t m = 0; m < head.metrics.size(); ++m)
      if (head.metrics[m].row && head.metrics[m].weighted == weighted) add(m);
  }
  return groups;
}

}  // namespace

void Heads::lay_out() {
  names.clear();
  for (const Head& head : all) names.push_back(head.name);
  const bool several = all.size() > 1 || (all.size() == 1 && all[0].weight != 1) || !added.empty();
  counters = 0, penalty_counter = -1;
  for (Head& head : all) {
    const std::vector<Group> groups = groups_of(head);
    for (std::size_t g = 0; g < groups.size(); ++g) {
      const bool counts_rows = several || g > 0;  // else Advance does
      if (several && g == 0) head.loss_counter = counters++;
      const std::int64_t first = counters;
      counters += static_cast<std::int64_t>(groups[g].metrics.size()) + groups[g].sums_weights;
      const std::int64_t rows = counts_rows ? counters++ : -1;
      if (several && g == 0) head.rows_counter = rows;
      for (std::size_t m = 0; m < groups[g].metrics.size(); ++m) {
        ResolvedMetric& metric = head.metrics[groups[g].metrics[m]];
        metric.first_counter = first + static_cast<std::int64_t>(m), metric.counters = 1;
        metric.rows_counter = metric.weighted || head.masked
                                  ? first + static_cast<std::int64_t>(groups[g].metrics.size())
                                  : rows;
      }
    }
    for (ResolvedMetric& metric : head.metrics) {
      if (metric.row) continue;
      metric.first_counter = counters;
      counters += metric.counters = counter_count(metric.metric, head.shape.back());
    }
  }
  for (AddedLoss& loss : added) loss.sum_counter = counters, counters += 2;
  if (several) penalty_counter = counters, counters += 2;
}

namespace {

/// Partial sums of a loss: one a block of rows for the loss and each row-wise metric.
View loss_partials(Emitter& e, const op::Loss& loss) {
  const std::int64_t rows = loss.predictions.shape[0];
  const std::int64_t blocks = (rows + op::Loss::rows_per_block - 1) / op::Loss::rows_per_block;
  return e.temporary({blocks, 1 + loss.metric_count}, DType::float64);
}

/// Where the one output of a model with this loss tells two classes apart.
double cut_of(const Losses& loss) {
  return std::visit(
      [](const auto& l) {
        using Loss = std::decay_t<decltype(l)>;
        if constexpr (requires { l.from_logits; }) return l.from_logits ? 0.0 : 0.5;
        return std::is_same_v<Loss, Hinge> || std::is_same_v<Loss, SquaredHinge> ? 0.0 : 0.5;
      },
      loss);
}

/// What a row of a masked output counts for: its mask, times the weight of the row of the batch that it is of.
View emit_masked_weights(Emitter& e, const View& mask, const View& weights) {
  if (!weights) return mask;
  const Shape shape{weights.shape[0], mask.elements() / weights.shape[0]};
  return emit_binary(e, binary::Multiply{}, mask.reshaped(shape), weights.reshaped({shape[0], 1}), shape)
      .reshaped(mask.shape);
}

/// The weights of a masked loss: its mean is over the rows that are not masked, so these count for the others. 0 where all are.
/// Source: keras.losses, apply_mask.
View emit_loss_weights(Emitter& e, const View& mask, const View& weights) {
  const std::int64_t n = mask.elements();
  const View count = e.temporary({1}), least = e.temporary({1}), share = e.temporary(mask.shape);
  e.add(op::Reduce::of_rows(mask.reshaped({n, 1}), count,
                            [&](const Shape& room) { return e.temporary(room, DType::float64); }));
  e.add(op::Fill{least, 1});
  const View rows = emit_binary(e, binary::Maximum{}, count, least, {1});
  e.add(op::Map{Rescale{static_cast<double>(n), 0}, emit_binary(e, binary::Divide{}, mask, rows, mask.shape),
                share});
  return emit_masked_weights(e, share, weights);
}

/// The loss with a group of metrics beside it, its partial sums to come.
op::Loss loss_of(Emitter& e, const Head& head, const Group& group, const View& predictions,
                 const BatchTargets& batch) {
  op::Loss loss{head.loss, predictions.matrix(), batch.targets, {}};
  loss.weights = batch.weights;
  if (head.masked)
    loss.weights = group.metrics.empty()
                       ? emit_loss_weights(e, batch.mask, batch.weights)
                       : emit_masked_weights(e, batch.mask, group.weighted ? batch.weights : View{});
  const bool has_weights = static_cast<bool>(loss.weights);
  for (const std::size_t m : group.metrics) {
    const ResolvedMetric& metric = head.metrics[m];
    loss.metrics[loss.metric_count] = *metric.row;
    loss.metrics[loss.metric_count++].weighted = (metric.weighted || head.masked) && has_weights;
  }
  if (group.sums_weights) loss.metrics[loss.metric_count++] = {RowMetric::weight, has_weights, 0};
  return loss;
}

/// The metrics that keep counters of their own.
void emit_metrics(Emitter& e, const Head& head, const op::Loss& loss, const BatchTargets& batch) {
  for (const ResolvedMetric& metric : head.metrics) {
    if (metric.row) continue;
    View weights = metric.weighted ? batch.weights : View{};
    const bool is_rmse = std::holds_alternative<RootMeanSquaredError>(metric.metric);
    const auto* of_loss = std::get_if<LossMetric>(&metric.metric);
    if (!is_rmse && !of_loss) {
      op::Tally tally{metric.metric, loss.predictions, loss.targets, weights, metric.first_counter};
      if (auto* matrix = std::get_if<ConfusionMatrix>(&tally.function))
        if (matrix->threshold == ConfusionMatrix::by_loss) matrix->threshold = cut_of(head.loss);
      e.add(tally);
      continue;
    }
    op::Loss own{is_rmse ? Losses(MeanSquaredError{}) : of_loss->loss, loss.predictions, loss.targets, {}};
    if (head.masked && of_loss)
      weights = emit_masked_weights(e, batch.mask, weights);  // Keras's others know no masks
    own.weights = weights;
    own.partials = loss_partials(e, own);
    e.add(own);
    e.add(op::Fold{own.partials, weights, loss.predictions.shape[0], metric.first_counter});
  }
}

/// The gradient of an output whose loss counts `weight` times.
View weighted(Emitter& e, const View& gradient, double weight) {
  if (weight == 1) return gradient;
  const View result = e.temporary(gradient.shape);
  e.add(op::Map{Rescale{weight, 0}, gradient, result});
  return result;
}

}  // namespace

EmittedHeads emit_heads(Emitter& e, const Heads& heads, const std::vector<View>& predictions,
                        const std::vector<BatchTargets>& batch, bool wants_gradients) {
  EmittedHeads result;
  for (std::size_t h = 0; h < heads.all.size(); ++h) {
    const Head& head = heads.all[h];
    const std::string of_head = heads.all.size() > 1 ? '/' + head.name : std::string();
    const std::vector<Group> groups = groups_of(head);
    for (std::size_t g = 0; g < groups.size(); ++g) {
      std::optional<Emitter::Of> of(std::in_place, e, (g == 0 ? "loss" : "metrics") + of_head);
      op::Loss loss = loss_of(e, head, groups[g], predictions[h], batch[h]);
      std::int64_t rows = loss.predictions.shape[0];
      if (head.own && g == 0) {
        rows = predictions[h].shape[0];
        const EmittedLoss own = emit_custom_loss(e, *head.own, predictions[h], batch[h].targets,
                                                 batch[h].weights, wants_gradients);
        loss.partials = own.partials, loss.gradient = own.gradient;
      } else {
        loss.partials = loss_partials(e, loss);
        if (wants_gradients && g == 0) loss.gradient = e.temporary(loss.predictions.shape);
        e.add(loss);
      }
      if (g == 0 && head.loss_counter < 0)
        result.partials = loss.partials, result.rows = rows;
      else
        e.add(op::Fold{loss.partials,
                       {},
                       rows,
                       g == 0 ? head.loss_counter : head.metrics[groups[g].metrics[0]].first_counter,
                       g == 0 ? 0 : 1});
      if (g > 0) continue;
      of.emplace(e, "metrics" + of_head);
      emit_metrics(e, head, loss, batch[h]);
      of.emplace(e, "loss" + of_head);
      if (wants_gradients)
        result.gradients.push_back(weighted(e, loss.gradient.reshaped(predictions[h].shape), head.weight));
    }
  }
  return result;
}

View emit_added_loss(Emitter& e, const AddedLoss& loss, const View& value, bool wants_gradient) {
  const Emitter::Of of(e, "loss");
  const std::int64_t rows = value.shape[0], elements = value.elements();
  const View partials = e.temporary({op::pieces_of(elements), 1}, DType::float64);
  const View gradient = wants_gradient ? e.temporary(value.shape) : View{};
  e.add(
      op::Sums{value, partials.reshaped({partials.elements()}), gradient, 1 / static_cast<double>(elements)});
  op::Fold fold{partials, {}, rows, loss.sum_counter};
  fold.scale = static_cast<double>(rows) / static_cast<double>(elements);
  e.add(fold);
  return gradient;
}

}  // namespace glia
