// Model: from layers, loss and optimizer to Programs.
// SPDX-License-Identifier: Apache-2.0
#include <host/fusion.h>
#include <host/model.h>
#include <host/placement.h>

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

/// "accuracy" by shape, as Keras resolves it.
std::vector<Metrics> Model::resolved_metrics() const {
  const TargetSpec targets = target_spec();
  const bool sparse = targets.kind == Targets::sparse_labels;
  std::vector<Metrics> result;
  for (const MetricName& metric : metric_names_) {
    if (!metric.metric()) {
      if (sparse)
        result.push_back(SparseCategoricalAccuracy{});
      else if (output_shape().back() == 1)
        result.push_back(BinaryAccuracy{});
      else
        result.push_back(CategoricalAccuracy{});
      continue;
    }
    result.push_back(*metric.metric());
  }
  return result;
}

std::vector<Descriptor> Model::emit(Mode mode, std::int64_t batch, DType x_from, DType y_from) const {
  Emitter e(dtype);
  op::Gather gather{e.temporary(input_shape_.prepend(batch)), {}, x_from, y_from};
  if (mode != Mode::infer) {
    const TargetSpec targets = target_spec();
    gather.y = e.temporary(targets.row.prepend(batch),
                           targets.kind == Targets::sparse_labels ? DType::int32 : dtype);
  }
  if (mode == Mode::train) {
    gather.advance_iteration = true;
    std::visit(
        [&](const auto& o) {
          if (!o.learning_rate.is_constant()) gather.learning_rate = o.learning_rate;
        },
        *optimizer_);
  }
  e.add(gather);

  std::vector<Emitted> stack;
  View x = gather.x;
  for (const Layer& layer : layers_) {
    stack.push_back(layer.node().emit(e, x));
    x = stack.back().output;
  }
  if (mode == Mode::infer) {
    e.add(op::Scatter{x});
    e.add(op::Advance{{}, batch, 0});
  } else {
    emit_loss(e, mode, x, gather.y, stack);
  }
  std::vector<Descriptor> descriptors = e.take();
  for (Descriptor& descriptor : descriptors)
    if (auto* product = std::get_if<op::Matmul>(&descriptor)) product->precision = precision_;
  return descriptors;
}

void Model::emit_loss(Emitter& e, Mode mode, const View& predictions, const View& targets,
                      const std::vector<Emitted>& stack) const {
  const std::vector<Metrics> metrics = resolved_metrics();
  op::Loss loss{*loss_, predictions.matrix(), targets, {}};
  const std::int64_t rows = loss.predictions.shape[0];
  const std::int64_t blocks = (rows + op::Loss::rows_per_block - 1) / op::Loss::rows_per_block;
  loss.metric_count = static_cast<int>(metrics.size());
  std::copy(metrics.begin(), metrics.end(), loss.metrics);
  loss.partials = e.temporary({blocks, 1 + loss.metric_count}, DType::float64);
  const bool wants_gradients = mode == Mode::train || mode == Mode::gradient;
  if (wants_gradients) loss.gradient = e.temporary(loss.predictions.shape);
  e.add(loss);

  if (wants_gradients) {
    std::size_t first_trained = 0;
    while (layers_[first_trained].node().variables.empty()) ++first_trained;
    View gradient = loss.gradient.reshaped(predictions.shape);
    for (std::size_t i = stack.size(); i-- > first_trained;)
      gradient = stack[i].backward(e, gradient, i > first_trained);
  }
  if (mode == Mode::train) {
    const std::int64_t n = parameter_bytes_ / size_of(dtype);
    const int slots = std::visit([](const auto& o) { return o.slots(); }, *optimizer_);
    e.add(op::Optimize{*optimizer_, View::contiguous(Buffer::parameters, dtype, {n}),
                       View::contiguous(Buffer::gradients, dtype, {n}),
                       slots ? View::contiguous(Buffer::slots, dtype, {slots, n}) : View{}});
  }
  e.add(op::Advance{loss.partials, targets.shape[0], rows});
}

std::shared_ptr<const Program> Model::program(Mode mode, std::int64_t batch, DType x_from, DType y_from) {
  for (auto plan = plans_.begin(); plan != plans_.end(); ++plan) {
    if (plan->mode != mode || plan->batch != batch || plan->x_from != x_from || plan->y_from != y_from)
      continue;
    plans_.splice(plans_.begin(), plans_, plan);
    return {plan->built, &plan->built->program};
  }
  if (mode == Mode::train || mode == Mode::gradient) {
    GLIA_CHECK(parameter_count() > 0, StateError, "model \"", name,
               "\" has no weights to train: add a Dense layer");
    ensure_training_memory();
  }
  std::vector<Descriptor> descriptors = emit(mode, batch, x_from, y_from);
  fuse(descriptors);
  const std::int64_t arena_bytes = place(descriptors);
  // Programs share the largest arena so far; those built on a smaller one keep that until they go.
  if (!arena_ || static_cast<std::int64_t>(arena_->bytes()) < arena_bytes)
    arena_ = backend().allocate(static_cast<std::size_t>(arena_bytes));
  auto built = std::make_shared<Plan::Built>(Plan::Built{
      arena_, Program(backend(), mode, batch, std::move(descriptors), bindings(mode), arena_bytes)});
  plans_.push_front({mode, batch, x_from, y_from, built});
  if (plans_.size() > max_plans) plans_.pop_back();
  return {built, &built->program};
}

}  // namespace glia
