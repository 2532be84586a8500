// From a network, losses and an optimizer to the descriptors of a step.
// SPDX-License-Identifier: Apache-2.0
#include <host/model/step.h>

#include <algorithm>
#include <utility>

namespace glia {

std::int64_t SourceNumbers::count() const { return inputs + std::max(2 * heads + inputs, outputs); }

SourceNumbers StepParts::sources() const {
  const std::size_t heads = trainer ? trainer->heads().all.size() : 0;
  return {static_cast<std::int64_t>(network.input_shapes().size()), static_cast<std::int64_t>(heads),
          static_cast<std::int64_t>(network.output_shapes().size())};
}

ProgramKey plain_key(const StepParts& parts, Mode mode, std::int64_t batch) {
  const std::size_t heads = parts.trainer && mode != Mode::infer ? parts.trainer->heads().all.size() : 0;
  return {mode, batch, std::vector<DType>(parts.network.input_shapes().size(), DType::float32),
          std::vector<DType>(heads, DType::float32), std::vector<bool>(heads)};
}

namespace {

Emitter::Phase phase_of(Mode mode) {
  return mode == Mode::train || mode == Mode::update ? Emitter::Phase::training
         : mode == Mode::gradient                    ? Emitter::Phase::gradient
                                                     : Emitter::Phase::inference;
}

/// What evaluates the schedule of the learning rate, where it is none of one number.
void emit_schedule(Emitter& e, const Optimizers& optimizer) {
  const Emitter::Of of(e, "optimizer");
  std::visit(
      [&](const auto& o) {
        if (!o.learning_rate.is_constant()) e.add(op::Schedule{o.learning_rate});
      },
      optimizer);
}

/// Makes a Gather count the step, and compute what the update wants of its number.
void count_step(op::Gather& gather, const Optimizers& optimizer) {
  gather.advance_iteration = true;
  std::visit(
      [&](const auto& o) { gather.powers = powers_of(o), gather.steps = o.gradient_accumulation_steps; },
      optimizer);
}

/// The end of a training step, with what counts it.
void emit_update_alone(Emitter& e, const StepParts& parts) {
  emit_schedule(e, parts.trainer->optimizer());
  const Emitter::Of of(e, "optimizer");
  op::Gather count{{}, {}, parts.dtype, parts.dtype};
  count.updates = true;
  count_step(count, parts.trainer->optimizer());
  e.add(count);
  emit_update(e, parts.trainer->update(parts.places));
  e.add(op::Advance{{}, {}, 1, 0});
}

/// The rows of a batch: what layers read, and what losses compare with.
struct Batch {
  std::vector<Operand> inputs;
  std::vector<BatchTargets> targets;  ///< of each head
  op::Gather first;
};

Batch emit_gathers(Emitter& e, const StepParts& parts, const ProgramKey& key) {
  const Shapes& inputs = parts.network.input_shapes();
  const SourceNumbers sources = parts.sources();
  const std::size_t heads = key.mode == Mode::infer ? 0 : parts.trainer->heads().all.size();
  Batch batch;
  const Emitter::Of of(e, "input");
  for (std::size_t i = 0; i < std::max(inputs.size(), heads); ++i) {
    op::Gather gather;
    if (i < inputs.size()) {
      gather.x = e.temporary(inputs[i].prepend(key.batch));
      gather.x_from = key.x_from[i], gather.x_source = static_cast<int>(i);
      batch.inputs.push_back({gather.x});
    }
    if (i < heads) {
      const TargetSpec targets = parts.trainer->heads().all[i].targets();
      gather.y = e.temporary(targets.row.prepend(key.batch),
                             targets.kind == Targets::sparse_labels ? DType::int32 : parts.dtype);
      gather.y_from = key.y_from[i], gather.y_source = static_cast<int>(sources.target(i));
      if (i < key.weighted.size() && key.weighted[i]) {
        gather.weights = e.temporary({key.batch});
        gather.weights_source = static_cast<int>(sources.weights(i));
      }
      batch.targets.push_back({gather.y, gather.weights});
    }
    gather.updates = key.mode == Mode::train;
    if (key.mode == Mode::train && i == 0) count_step(gather, parts.trainer->optimizer());
    if (i == 0) batch.first = gather;
    e.add(gather);
  }
  return batch;
}

/// The means of `output` and of what the layers say to the same images mirrored.
View emit_flip_average(Emitter& e, const StepParts& parts, const op::Gather& rows, const View& output) {
  op::Gather again = rows;
  again.x = e.temporary(rows.x.shape), again.y = {}, again.weights = {}, again.advance_iteration = false;
  const Emitter::Of of(e, "flip_average");
  e.add(again);
  op::Augment mirror{again.x, e.temporary(again.x.shape), {}};
  AugmentStep& step = mirror.augmentation.steps[mirror.augmentation.count++];
  step.columns = true;
  step.below = std::uint64_t{1} << 32;  // always
  e.add(mirror);
  const View other = parts.network.graph().emit(e, {{mirror.out}}).outputs[0].view;
  const View mean = e.temporary(output.shape);
  e.add(op::Combine{0.5, 0.5, output, other, mean});
  return mean;
}

/// From the losses' gradients to those of the weights and, where the key says so, of the inputs.
void emit_backward(Emitter& e, const StepParts& parts, const ProgramKey& key, const Emission& layers,
                   const std::vector<std::pair<std::size_t, View>>& of_losses) {
  std::vector<View> gradients(layers.outputs.size());
  for (const auto& [output, gradient] : of_losses) {
    View& all = gradients[output];
    if (all) {
      const Emitter::Of of(e, "loss");
      const View sum = e.temporary(all.shape);
      e.add(op::Combine{1, 1, all, gradient, sum});
      all = sum;
    } else {
      all = gradient;
    }
  }
  const std::vector<View> of_inputs =
      layers.backward(e, gradients, std::vector<bool>(parts.network.input_shapes().size(), key.of_inputs));
  const Emitter::Of of(e, "output");
  for (std::size_t i = 0; key.of_inputs && i < of_inputs.size(); ++i)
    if (of_inputs[i]) e.add(op::Scatter{of_inputs[i], static_cast<int>(parts.sources().input_gradient(i))});
  e.finish_gradients();
}

/// Losses and metrics of these outputs and, where they are wanted, gradients and the update.
void emit_training(Emitter& e, const StepParts& parts, const ProgramKey& key,
                   const std::vector<BatchTargets>& batch, const Emission& layers,
                   const std::vector<View>& outputs) {
  const Heads& heads = parts.trainer->heads();
  std::vector<View> predictions;
  for (const Head& head : heads.all) predictions.push_back(outputs[head.output]);
  const bool wants_gradients = key.mode == Mode::train || key.mode == Mode::gradient;
  std::vector<BatchTargets> targets = batch;
  for (std::size_t h = 0; h < heads.all.size(); ++h)
    if (const View& mask = layers.outputs[heads.all[h].output].mask; heads.all[h].masked)
      targets[h].mask = mask.reshaped({mask.elements()});
  const EmittedHeads losses = emit_heads(e, heads, predictions, targets, wants_gradients);
  std::vector<std::pair<std::size_t, View>> gradients;  // of an output, by a loss
  for (std::size_t h = 0; wants_gradients && h < heads.all.size(); ++h)
    gradients.emplace_back(heads.all[h].output, losses.gradients[h]);
  for (const AddedLoss& loss : heads.added) {
    const View gradient = emit_added_loss(e, loss, layers.outputs[loss.output].view, wants_gradients);
    if (wants_gradients) gradients.emplace_back(loss.output, gradient);
  }
  const UpdateOf update = parts.trainer->update(parts.places);
  if (wants_gradients) emit_backward(e, parts, key, layers, gradients);
  const View penalties = emit_penalties(e, update.weights, wants_gradients);
  if (key.mode == Mode::train) {
    const Emitter::Of of(e, "optimizer");
    emit_update(e, update);
  }
  const Emitter::Of of(e, "loss");
  if (heads.penalty_counter < 0)
    return e.add(op::Advance{losses.partials, penalties, key.batch, losses.rows});
  if (penalties) {
    op::Fold fold{penalties.reshaped({penalties.elements(), 1}), {}, key.batch, heads.penalty_counter};
    fold.scale = static_cast<double>(key.batch);
    e.add(fold);
  }
  e.add(op::Advance{{}, {}, key.batch, 0});
}

/// A step over a batch of rows.
void emit_rows(Emitter& e, const StepParts& parts, const ProgramKey& key) {
  if (key.mode == Mode::train) emit_schedule(e, parts.trainer->optimizer());
  const Batch batch = emit_gathers(e, parts, key);
  const Graph& graph = key.mode == Mode::infer ? parts.network.graph() : parts.network.graph_of_losses();
  const Emission layers = graph.emit(e, batch.inputs);
  std::vector<View> outputs;
  for (const Operand& output : layers.outputs) outputs.push_back(output.view);
  if (key.flip_average) outputs[0] = emit_flip_average(e, parts, batch.first, outputs[0]);
  if (key.mode != Mode::infer) return emit_training(e, parts, key, batch.targets, layers, outputs);
  const Emitter::Of of(e, "output");
  for (std::size_t i = 0; i < outputs.size(); ++i)
    e.add(op::Scatter{outputs[i], static_cast<int>(parts.sources().output(i))});
  if (!key.given) e.add(op::Advance{{}, {}, key.batch, 0});
}

}  // namespace

std::vector<Descriptor> emit_step(const StepParts& parts, const ProgramKey& key) {
  Emitter e(parts.dtype, phase_of(key.mode), parts.seed, parts.places);
  if (key.mode == Mode::update)
    emit_update_alone(e, parts);
  else
    emit_rows(e, parts, key);
  std::vector<Descriptor> descriptors = e.take();
  for (Descriptor& descriptor : descriptors)
    std::visit(
        [&](auto& d) {
          if constexpr (requires { d.precision; })
            if (parts.trainer) d.precision = parts.trainer->precision();
        },
        descriptor);
  return descriptors;
}

namespace {

/// As many rows as layers take, where a step is only looked at: those that keep states have a number of their own.
std::int64_t some_batch(const StepParts& parts) {
  for (const LayerNode* node : parts.network.nodes())
    for (const Variable& variable : node->variables)
      if (variable.is_state) return variable.shape[0];
  return 1;
}

}  // namespace

Shapes masks_of_outputs(const StepParts& parts) {
  Emitter e(parts.dtype, Emitter::Phase::inference, parts.seed, parts.places);
  std::vector<Operand> inputs;
  for (const Shape& input : parts.network.input_shapes())
    inputs.push_back({e.temporary(input.prepend(some_batch(parts)))});
  Shapes masks;
  for (const Operand& output : parts.network.graph().emit(e, inputs).outputs)
    masks.push_back(output.mask ? output.mask.shape.row() : Shape{});
  return masks;
}

std::unordered_set<const Variable*> unreached_weights(const StepParts& parts) {
  Emitter e(parts.dtype, Emitter::Phase::gradient, parts.seed, parts.places);
  emit_rows(e, parts, plain_key(parts, Mode::gradient, some_batch(parts)));
  std::unordered_set<const Variable*> unreached;
  for (const auto& [variable, place] : parts.places.gradients)
    if (!e.has_gradient(*variable)) unreached.insert(variable);
  return unreached;
}

}  // namespace glia
