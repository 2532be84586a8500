// Core: from its graph, losses and optimizer to Programs.
// SPDX-License-Identifier: Apache-2.0
#include <host/model/core.h>
#include <host/program/fusion.h>
#include <host/program/mixed_precision.h>
#include <host/program/placement.h>

#include <algorithm>
#include <unordered_set>
#include <utility>

namespace glia {

/// Programs that a model keeps; the one used longest ago goes first.
constexpr std::size_t max_plans = 16;

std::int64_t Core::target_source(std::size_t head) const {
  return static_cast<std::int64_t>(input_shapes_.size() + head);
}
std::int64_t Core::weights_source(std::size_t head) const {
  return static_cast<std::int64_t>(input_shapes_.size() + trainer_->heads().all.size() + head);
}
std::int64_t Core::output_source(std::size_t output) const {
  return static_cast<std::int64_t>(input_shapes_.size() + output);
}

std::int64_t Core::input_gradient_source(std::size_t input) const {
  return static_cast<std::int64_t>(input_shapes_.size() + 2 * trainer_->heads().all.size() + input);
}

ProgramKey Core::plain_key(Mode mode, std::int64_t batch) const {
  const std::size_t heads = has_loss() && mode != Mode::infer ? trainer_->heads().all.size() : 0;
  return {mode, batch, std::vector<DType>(input_shapes_.size(), DType::float32),
          std::vector<DType>(heads, DType::float32), std::vector<bool>(heads)};
}

Bindings Core::bindings(Mode mode) const {
  Bindings result;
  result.state = passes_.state(mode);
  for (const std::shared_ptr<WeightBlock>& block : places_.blocks) {
    if (block == places_.blocks.front())
      result.base[static_cast<std::size_t>(Buffer::parameters)] = block->data();
    else
      result.more_blocks.push_back(block->data());
  }
  if (trainer_) trainer_->bind_memory(result);
  if (arena_) result.base[static_cast<std::size_t>(Buffer::arena)] = arena_->data();
  return result;
}

namespace {

Emitter::Phase phase_of(Mode mode) {
  return mode == Mode::train || mode == Mode::update ? Emitter::Phase::training
         : mode == Mode::gradient                    ? Emitter::Phase::gradient
                                                     : Emitter::Phase::inference;
}

}  // namespace

namespace {

/// What evaluates the schedule of the learning rate, where it is none of one number.
void emit_schedule(Emitter& e, const Optimizers& optimizer) {
  std::visit(
      [&](const auto& o) {
        if (!o.learning_rate.is_constant()) e.add(op::Schedule{o.learning_rate});
      },
      optimizer);
}

}  // namespace

/// The end of a training step, with what counts it.
void Core::emit_update_alone(Emitter& e) const {
  emit_schedule(e, trainer_->optimizer());
  op::Gather count{{}, {}, dtype, dtype};
  count.updates = count.advance_iteration = true;
  e.add(count);
  emit_update(e, trainer_->update(places_));
  e.add(op::Advance{{}, {}, 1, 0});
}

std::vector<Descriptor> Core::emit(const ProgramKey& key) const {
  Emitter e(dtype, phase_of(key.mode), seed, places_);
  if (key.mode == Mode::update)
    emit_update_alone(e);
  else
    emit_step(e, key);
  std::vector<Descriptor> descriptors = e.take();
  for (Descriptor& descriptor : descriptors)
    std::visit(
        [&](auto& d) {
          if constexpr (requires { d.precision; })
            if (trainer_) d.precision = trainer_->precision();
        },
        descriptor);
  return descriptors;
}

/// Weights that no loss depends on are not trained, as in Keras: not decayed either. What is emitted tells which.
void Core::leave_out_unreached() {
  Emitter e(dtype, Emitter::Phase::gradient, seed, places_);
  emit_step(e, plain_key(Mode::gradient, 1));
  std::unordered_set<const Variable*> unreached;
  for (const auto& [variable, place] : places_.gradients)
    if (!e.has_gradient(*variable)) unreached.insert(variable);
  if (!unreached.empty()) trainer_->bind(layers_, dtype, places_, unreached);
}

void Core::emit_step(Emitter& e, const ProgramKey& key) const {
  const Mode mode = key.mode;
  const std::size_t heads = mode == Mode::infer ? 0 : trainer_->heads().all.size();
  if (mode == Mode::train) emit_schedule(e, trainer_->optimizer());
  std::vector<Operand> inputs;
  std::vector<BatchTargets> batch;
  std::vector<op::Gather> gathers(std::max(input_shapes_.size(), heads));
  for (std::size_t i = 0; i < gathers.size(); ++i) {
    op::Gather& gather = gathers[i];
    if (i < input_shapes_.size()) {
      gather.x = e.temporary(input_shapes_[i].prepend(key.batch));
      gather.x_from = key.x_from[i], gather.x_source = static_cast<int>(i);
      inputs.push_back({gather.x});
    }
    if (i < heads) {
      const TargetSpec targets = trainer_->heads().all[i].targets();
      gather.y = e.temporary(targets.row.prepend(key.batch),
                             targets.kind == Targets::sparse_labels ? DType::int32 : dtype);
      gather.y_from = key.y_from[i], gather.y_source = static_cast<int>(target_source(i));
      if (i < key.weighted.size() && key.weighted[i]) {
        gather.weights = e.temporary({key.batch});
        gather.weights_source = static_cast<int>(weights_source(i));
      }
      batch.push_back({gather.y, gather.weights});
    }
    gather.updates = mode == Mode::train;
    gather.advance_iteration = mode == Mode::train && i == 0;
    e.add(gather);
  }

  Emission layers = graph_->emit(e, inputs);
  if (key.flip_average) layers.outputs[0].view = emit_flip_average(e, gathers[0], layers.outputs[0].view);
  if (mode == Mode::infer) {
    for (std::size_t i = 0; i < layers.outputs.size(); ++i)
      e.add(op::Scatter{layers.outputs[i].view, static_cast<int>(output_source(i))});
    e.add(op::Advance{{}, {}, key.batch, 0});
  } else {
    emit_training(e, key, batch, layers);
  }
}

/// The means of `output` and of what the layers say to the same images mirrored.
View Core::emit_flip_average(Emitter& e, const op::Gather& rows, const View& output) const {
  op::Gather again = rows;
  again.x = e.temporary(rows.x.shape), again.y = {}, again.weights = {}, again.advance_iteration = false;
  e.add(again);
  op::Augment mirror{again.x, e.temporary(again.x.shape), {}};
  AugmentStep& step = mirror.augmentation.steps[mirror.augmentation.count++];
  step.columns = true;
  step.below = std::uint64_t{1} << 32;  // always
  e.add(mirror);
  const View other = graph_->emit(e, {{mirror.out}}).outputs[0].view, mean = e.temporary(output.shape);
  e.add(op::Combine{0.5, 0.5, output, other, mean});
  return mean;
}

/// Losses and metrics and, where they are wanted, gradients and the update.
void Core::emit_training(Emitter& e, const ProgramKey& key, const std::vector<BatchTargets>& batch,
                         const Emission& layers) const {
  const Mode mode = key.mode;
  const Heads& heads = trainer_->heads();
  std::vector<View> predictions;
  for (const Head& head : heads.all) predictions.push_back(layers.outputs[head.output].view);
  const bool wants_gradients = mode == Mode::train || mode == Mode::gradient;
  const EmittedHeads losses = emit_heads(e, heads, predictions, batch, wants_gradients);
  const UpdateOf update = trainer_->update(places_);
  if (wants_gradients) {
    std::vector<View> gradients(layers.outputs.size());
    for (std::size_t h = 0; h < heads.all.size(); ++h) gradients[heads.all[h].output] = losses.gradients[h];
    const std::vector<View> of_inputs =
        layers.backward(e, gradients, std::vector<bool>(input_shapes_.size(), key.of_inputs));
    for (std::size_t i = 0; key.of_inputs && i < of_inputs.size(); ++i)
      if (of_inputs[i]) e.add(op::Scatter{of_inputs[i], static_cast<int>(input_gradient_source(i))});
    e.finish_gradients();
  }
  const View penalties = emit_penalties(e, update.weights, wants_gradients);
  if (mode == Mode::train) emit_update(e, update);
  const std::int64_t rows = batch[0].targets.shape[0];
  if (heads.penalty_counter < 0) return e.add(op::Advance{losses.partials, penalties, rows, losses.rows});
  if (penalties) {
    op::Fold fold{penalties.reshaped({penalties.elements(), 1}), {}, rows, heads.penalty_counter};
    fold.scale = static_cast<double>(rows);
    e.add(fold);
  }
  e.add(op::Advance{{}, {}, rows, 0});
}

void Core::apply_gradients() {
  const Interlude interlude(*this, Mode::train);  // the cursor of a fit that is running stays
  GLIA_CHECK(has_gradients_, StateError,
             "apply_gradients has no gradients to apply: call backward first, or give some");
  program({Mode::update, 1, {}, {}})->run(1);
  has_gradients_ = false;  // what clips or accumulates them has changed them
  backend().synchronize();
}

void Core::set_gradients(const std::vector<Tensor>& gradients) {
  program({Mode::update, 1, {}, {}});  // which finds out what is trained
  trainer_->set_gradients(backend(), gradients);
  has_gradients_ = true;
}

std::shared_ptr<const Program> Core::program(const ProgramKey& key) {
  const Mode mode = key.mode;
  if (mode == Mode::train) has_gradients_ = false;  // it computes others
  for (auto plan = plans_.begin(); plan != plans_.end(); ++plan) {
    if (plan->key != key) continue;
    plans_.splice(plans_.begin(), plans_, plan);
    return {plan->built, &plan->built->program};
  }
  if (mode == Mode::train || mode == Mode::gradient || mode == Mode::update) {
    if (!trainer_->has_memory()) leave_out_unreached();
    GLIA_CHECK(trainer_->trained_count() > 0, StateError, "model \"", name,
               "\" has no weights to train: add a Dense layer, or set_trainable(true) and compile");
    trainer_->ensure_memory(backend(), places_);
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
