// Core: the Programs of its steps, and what changes between them.
// SPDX-License-Identifier: Apache-2.0
#include <host/model/core.h>

#include <unordered_set>

namespace glia {

Bindings bind_blocks(const VariablePlaces& places) {
  Bindings result;
  for (const std::shared_ptr<WeightBlock>& block : places.blocks) {
    if (block == places.blocks.front())
      result.base[static_cast<std::size_t>(Buffer::parameters)] = block->data();
    else
      result.more_blocks.push_back(block->data());
  }
  return result;
}

Bindings Core::bindings(Mode mode) const {
  Bindings result = bind_blocks(weights_.places());
  result.state = passes_.state(mode);
  if (trainer_) trainer_->bind_memory(result);
  return result;
}

void Core::find_unreached() {
  if (trainer_->has_memory()) return;
  const std::unordered_set<const Variable*> unreached = unreached_weights(parts());
  if (!unreached.empty()) trainer_->bind(network_.layers(), dtype, weights_.places(), unreached);
}

/// Gradients and what the optimizer keeps, where they are not there yet.
void Core::make_training_memory() {
  find_unreached();
  GLIA_CHECK(trainer_->trained_count() > 0, StateError, "model \"", network_.name,
             "\" has no weights to train: add a Dense layer, or set_trainable(true) and compile");
  trainer_->ensure_memory(backend(), weights_.places());
}

std::shared_ptr<const Program> Core::program(const ProgramKey& key) {
  const Mode mode = key.mode;
  if (mode == Mode::train) has_gradients_ = false;  // it computes others
  if (std::shared_ptr<const Program> kept = programs_.find(key)) return kept;
  if (mode == Mode::train || mode == Mode::gradient || mode == Mode::update) make_training_memory();
  return programs_.add(key, emit_step(parts(), key), backend(), bindings(mode));
}

void Core::run(const Program& program, std::int64_t steps) {
  if (program.mode() != Mode::train && program.mode() != Mode::update)
    return run_watched(profile_, program, steps);
  const WritingBlocks writing(weights_.places().blocks, backend(), WeightGate::IfRead::wait);
  run_watched(profile_, program, steps);
}

void Core::run_given(const Program& program, const Given& given) {
  if (program.mode() != Mode::train) return run_watched(profile_, program, given);
  const WritingBlocks writing(weights_.places().blocks, backend(), WeightGate::IfRead::wait);
  run_watched(profile_, program, given);
}

void Core::watch(std::shared_ptr<Profile> profile) { glia::watch(profile_, std::move(profile), "model"); }

void Core::set_learning_rate(const LearningRate& rate) {
  const bool was_constant = trainer_->has_constant_rate();
  trainer_->set_learning_rate(rate);
  if (!was_constant || !trainer_->has_constant_rate()) programs_.clear();  // a schedule is part of the step
  if (built()) {
    const std::int64_t step = steps();
    passes_.set_optimizer(step, trainer_->learning_rate(step));
  }
}

std::vector<Trainer::Kept> Core::kept() const {
  std::vector<Trainer::Kept> kept = trainer_->listed_kept();
  if (trainer_->has_memory()) trainer_->read_kept(backend(), kept);
  return kept;
}

void Core::restore(std::int64_t steps, const std::vector<Trainer::Kept>& kept) {
  if (kept.empty()) {
    drop_programs();  // and what the optimizer kept of this model's own steps
  } else {
    make_training_memory();
    trainer_->write_kept(backend(), kept);
  }
  passes_.set_optimizer(steps, trainer_->learning_rate(steps));
}

void Core::apply_gradients() {
  enqueue_apply_gradients();
  backend().synchronize();
}

std::vector<MutableTensorView> Core::gradient_views() {
  make_training_memory();
  return trainer_->gradient_views(context().device());
}

void Core::enqueue_apply_gradients() {
  const Interlude interlude(*this, Mode::train);  // the cursor of a fit that is running stays
  GLIA_CHECK(has_gradients_, StateError,
             "apply_gradients has no gradients to apply: call backward first, or give some");
  run(*program({Mode::update, 1, {}, {}}), 1);
  has_gradients_ = false;  // what clips or accumulates them has changed them
}

void Core::set_gradients(const std::vector<Tensor>& gradients) {
  program({Mode::update, 1, {}, {}});  // which finds out what is trained
  trainer_->set_gradients(backend(), gradients);
  has_gradients_ = true;
}

void Core::take_averages() {
  if (steps() == 0) return;
  const std::vector<Descriptor> copies = trainer_->averages_to_weights(weights_.places());
  if (copies.empty()) return;
  const std::unique_ptr<Sequence> sequence = backend().prepare(copies, bindings(Mode::train));
  const WritingBlocks writing(weights_.places().blocks, backend(), WeightGate::IfRead::wait);
  sequence->run(1);
  backend().synchronize();
}

}  // namespace glia
