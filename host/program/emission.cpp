// Model: from layers, loss and optimizer to Programs.
// SPDX-License-Identifier: Apache-2.0
#include <host/layers/chain.h>
#include <host/model/model.h>
#include <host/program/fusion.h>
#include <host/program/mixed_precision.h>
#include <host/program/muon.h>  // defines: emit_muon
#include <host/program/placement.h>

#include <algorithm>
#include <type_traits>
#include <utility>

namespace glia {

/// Programs that a model keeps; the one used longest ago goes first.
constexpr std::size_t max_plans = 16;

TargetSpec Model::target_spec() const {
  const Targets kind = std::visit([](const auto& l) { return l.targets; }, *loss_);
  const Shape& output = output_shape();
  if (kind == Targets::dense) return {kind, output};
  GLIA_CHECK(output.back() >= 2, ShapeError,
             "sparse_categorical_crossentropy needs an output for each class, at least 2, but the model's "
             "output rows have "
             "shape ",
             output, ": for one unit and targets 0 or 1 use binary_crossentropy");
  return {kind, output.slice(0, output.rank() - 1)};
}

std::vector<Descriptor> Model::emit(const ProgramKey& key) const {
  const auto& [mode, batch, x_from, y_from, weighted, flip_average] = key;
  Emitter e(dtype,
            mode == Mode::train      ? Emitter::Phase::training
            : mode == Mode::gradient ? Emitter::Phase::gradient
                                     : Emitter::Phase::inference,
            seed);
  op::Gather gather{e.temporary(input_shape_.prepend(batch)), {}, x_from, y_from};
  if (mode != Mode::infer) {
    const TargetSpec targets = target_spec();
    gather.y = e.temporary(targets.row.prepend(batch),
                           targets.kind == Targets::sparse_labels ? DType::int32 : dtype);
    if (weighted) gather.weights = e.temporary({batch});
  }
  if (mode == Mode::train) {
    gather.advance_iteration = true;
    std::visit(
        [&](const auto& o) {
          if (!o.learning_rate.is_constant()) e.add(op::Schedule{o.learning_rate});
        },
        *optimizer_);
  }
  e.add(gather);

  Emitted layers = emit_layers(e, layers_, gather.x);
  if (flip_average) layers.output = emit_flip_average(e, gather, layers.output);
  if (mode == Mode::infer) {
    e.add(op::Scatter{layers.output});
    e.add(op::Advance{{}, {}, batch, 0});
  } else {
    emit_loss(e, mode, gather, layers);
  }
  std::vector<Descriptor> descriptors = e.take();
  for (Descriptor& descriptor : descriptors)
    std::visit(
        [&](auto& d) {
          if constexpr (requires { d.precision; }) d.precision = precision_;
        },
        descriptor);
  return descriptors;
}

/// The means of `output` and of what the layers say to the same images mirrored.
View Model::emit_flip_average(Emitter& e, const op::Gather& rows, const View& output) const {
  const op::Gather again{e.temporary(rows.x.shape), {}, rows.x_from, rows.y_from};
  e.add(again);
  op::Augment mirror{again.x, e.temporary(again.x.shape), {}};
  AugmentStep& step = mirror.augmentation.steps[mirror.augmentation.count++];
  step.columns = true;
  step.below = std::uint64_t{1} << 32;  // always
  e.add(mirror);
  const View other = emit_layers(e, layers_, mirror.out).output, mean = e.temporary(output.shape);
  e.add(op::Combine{0.5, 0.5, output, other, mean});
  return mean;
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

}  // namespace

void Model::emit_loss(Emitter& e, Mode mode, const op::Gather& rows, const Emitted& layers) const {
  const View& predictions = layers.output;
  op::Loss loss{*loss_, predictions.matrix(), rows.y, {}};
  loss.weights = rows.weights;
  for (const ResolvedMetric& metric : metrics_) {
    if (!metric.row) continue;
    loss.metrics[metric.row_total] = *metric.row;
    loss.metrics[metric.row_total].weighted = metric.weighted && rows.weights;
    loss.metric_count = std::max(loss.metric_count, metric.row_total + 1);
    if (metric.weight_total < 0) continue;
    loss.metrics[metric.weight_total] = {RowMetric::weight, static_cast<bool>(rows.weights), 0};
    loss.metric_count = std::max(loss.metric_count, metric.weight_total + 1);
  }
  loss.partials = loss_partials(e, loss);
  const bool wants_gradients = mode == Mode::train || mode == Mode::gradient;
  if (wants_gradients) loss.gradient = e.temporary(loss.predictions.shape);
  e.add(loss);
  emit_metrics(e, loss);

  if (wants_gradients) layers.backward(e, loss.gradient.reshaped(predictions.shape), false);
  const View penalties = emit_penalties(e, wants_gradients);
  if (mode == Mode::train) emit_update(e);
  e.add(op::Advance{loss.partials, penalties, rows.y.shape[0], loss.predictions.shape[0]});
}

/// The metrics that keep counters of their own.
void Model::emit_metrics(Emitter& e, const op::Loss& loss) const {
  for (const ResolvedMetric& metric : metrics_) {
    if (metric.row) continue;
    const View weights = metric.weighted ? loss.weights : View{};
    const bool is_rmse = std::holds_alternative<RootMeanSquaredError>(metric.metric);
    const auto* of_loss = std::get_if<LossMetric>(&metric.metric);
    if (!is_rmse && !of_loss) {
      op::Tally tally{metric.metric, loss.predictions, loss.targets, weights, metric.first_counter};
      if (auto* matrix = std::get_if<ConfusionMatrix>(&tally.function))
        if (matrix->threshold == ConfusionMatrix::by_loss) matrix->threshold = cut_of(*loss_);
      e.add(tally);
      continue;
    }
    op::Loss own{is_rmse ? Losses(MeanSquaredError{}) : of_loss->loss, loss.predictions, loss.targets, {}};
    own.weights = weights;
    own.partials = loss_partials(e, own);
    e.add(own);
    e.add(op::Fold{own.partials, weights, loss.predictions.shape[0], metric.first_counter});
  }
}

/// Penalties of regularised weights, whose sums the view has; empty where there are none.
View Model::emit_penalties(Emitter& e, bool wants_gradients) const {
  std::vector<op::Penalty> penalties;
  std::int64_t partials = 0;
  for (const LayerNode* node : nodes()) {
    for (const Variable& variable : node->variables) {
      std::visit(
          [&](const auto& regularizer) {
            op::Penalty penalty{};
            if constexpr (requires { regularizer.as_l1_l2(); })
              penalty.function = regularizer.as_l1_l2();
            else if constexpr (requires { regularizer.l1; })
              penalty.function = regularizer;
            else
              return;
            if (penalty.function.l1 == 0 && penalty.function.l2 == 0) return;
            penalty.parameter = variable.value;
            if (wants_gradients) penalty.gradient = variable.gradient;
            penalty.first_partial = partials;
            partials += op::pieces_of(variable.value.elements());
            penalties.push_back(penalty);
          },
          variable.regularizer);
    }
  }
  if (penalties.empty()) return {};
  const View sums = e.temporary({partials}, DType::float64);
  for (op::Penalty& penalty : penalties) {
    penalty.partials = sums;
    e.add(penalty);
  }
  return sums;
}

namespace {

void emit_norm_limit(Emitter& e, const View& values, double limit) {
  const View partials = e.temporary({op::pieces_of(values.elements())}, DType::float64);
  e.add(op::Squares{values, partials});
  e.add(op::RescaleToNorm{values, partials, limit});
}

/// A weight as the matrix whose columns a constraint is about, along the first axis as in Keras: a vector is one
/// column.
View columns_of_weight(const View& weight) {
  const std::int64_t first = weight.shape.front();
  return weight.reshaped({first, weight.elements() / first});
}

}  // namespace

/// From gradients to new weights, in Keras's order: accumulate, clip, update, average, constrain.
void Model::emit_update(Emitter& e) const {
  const View parameters = trained(Buffer::parameters), gradients = trained(Buffer::gradients);
  const std::int64_t n = parameters.elements();
  std::visit(
      [&](const auto& o) {
        const std::int64_t steps = o.gradient_accumulation_steps;
        std::int64_t row = o.slots();
        if (steps > 1) e.add(op::Accumulate{gradients, trained(Buffer::slots, row++), steps});
        if (o.global_clipnorm > 0) emit_norm_limit(e, gradients, o.global_clipnorm);
        for (const LayerNode* node : nodes())
          for (const Variable& variable : node->variables)
            if (variable.trainable && o.clipnorm > 0) emit_norm_limit(e, variable.gradient, o.clipnorm);
        const View slots = o.slots() ? View::contiguous(Buffer::slots, dtype, {o.slots(), n}) : View{};
        const op::Optimize all{*optimizer_, parameters, gradients, slots, steps, o.weight_decay, {}};
        if constexpr (std::is_same_v<std::decay_t<decltype(o)>, Muon>)
          emit_muon(e, o, all, nodes());
        else
          e.add(all);
        if (o.use_ema)
          e.add(op::MovingAverage{parameters, trained(Buffer::slots, row), o.ema_momentum, steps,
                                  o.ema_overwrite_frequency});
      },
      *optimizer_);
  for (const LayerNode* node : nodes())
    for (const Variable& variable : node->variables)
      if (!std::holds_alternative<NoConstraint>(variable.constraint))
        e.add(op::Constrain{variable.constraint, columns_of_weight(variable.value)});
}

std::shared_ptr<const Program> Model::program(const ProgramKey& key) {
  const Mode mode = key.mode;
  for (auto plan = plans_.begin(); plan != plans_.end(); ++plan) {
    if (plan->key != key) continue;
    plans_.splice(plans_.begin(), plans_, plan);
    return {plan->built, &plan->built->program};
  }
  if (mode == Mode::train || mode == Mode::gradient) {
    GLIA_CHECK(trained_parameter_count() > 0, StateError, "model \"", name,
               "\" has no weights to train: add a Dense layer");
    ensure_training_memory();
  }
  std::vector<Descriptor> descriptors = emit(key);
  fuse(descriptors);
  round_factors(descriptors, backend());
  const std::int64_t arena_bytes = place(descriptors);
  // Programs share the largest arena so far; those built on a smaller one keep that until they go.
  if (!arena_ || static_cast<std::int64_t>(arena_->bytes()) < arena_bytes)
    arena_ = backend().allocate(static_cast<std::size_t>(arena_bytes));
  auto built = std::make_shared<Plan::Built>(Plan::Built{
      arena_, Program(backend(), mode, key.batch, std::move(descriptors), bindings(mode), arena_bytes)});
  plans_.push_front({key, built});
  if (plans_.size() > max_plans) plans_.pop_back();
  return {built, &built->program};
}

}  // namespace glia
