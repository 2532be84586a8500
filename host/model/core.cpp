// Core: from layers to weights and step states, what compile makes, and who may use it. Its steps are in core_steps.cpp.
// SPDX-License-Identifier: Apache-2.0
#include <host/model/compile_checks.h>
#include <host/model/core.h>
#include <host/program/custom_loss.h>

#include <algorithm>
#include <exception>
#include <utility>

namespace glia {
/// Discards a build that fails.
class Core::Undo {
 public:
  explicit Undo(Core& core) : core_(core) {}
  ~Undo() {
    if (std::uncaught_exceptions() > exceptions_) core_.discard_build();
  }
  Undo(const Undo&) = delete;
  Undo& operator=(const Undo&) = delete;

 private:
  Core& core_;
  int exceptions_ = std::uncaught_exceptions();
};

void Core::pop() {
  const Layer last = network_.pop(weak_from_this());
  for (const LayerNode* node : all_nodes(last.node()))
    if (trainer_) trainer_->forget(*node);
}

void Core::build(const Shapes& inputs, WeightsCheck* check) {
  const Undo undo(*this);
  specified_.clear();
  for (LayerNode* node : all_nodes(network_.layers()))
    if (!node->specified) specified_.push_back(node);
  network_.specify(inputs);
  if (trainer_) trainer_->resolve(network_.output_shapes(), network_.added_losses());
  weights_.expect_dtype(dtype);
  if (check) check->check(weights_);
  expect_computes(context().device(), trainer_ ? &*trainer_ : nullptr);
  weights_.move(context(), shared_from_this(), [this] { drop_programs(); });
  weights_.make(context(), dtype, seed);
  weights_.bind(shared_from_this(), context());
  if (trainer_) {
    trainer_->bind(network_.layers(), dtype, weights_.places());
    trainer_->resolve_masks(masks_of_outputs(parts()));
  }
  passes_ = make_passes(trainer_ ? &*trainer_ : nullptr);
  built_ = true;
  reset_optimizer();
}

void Core::build_if_known() {
  if (built()) return;
  if (const std::optional<Shapes> shapes = network_.known_input_shapes()) build(*shapes);
}

void Core::build_if_declared() {
  const Use use(*this);
  build_if_known();
}

void Core::discard_build() {
  drop_programs();
  passes_ = {};
  weights_.release(shared_from_this());
  for (LayerNode* node : specified_) node->forget_shapes();
  specified_.clear();
  built_ = false;
  network_.forget_shapes();
}

/// Throws DeviceError where a layer or loss of the application's own has no body for the device.
void Core::expect_computes(const Device& device, const Trainer* trainer) const {
  for (const LayerNode* node : all_nodes(network_.layers())) node->expect_computes(device, dtype);
  if (!trainer) return;
  for (const Head& head : trainer->heads().all)
    if (head.own) head.own->expect(op::Custom::Part::loss, device, dtype);
}

/// Where no context was given, that of weights which are there.
void Core::find_context() const {
  if (!context_) context_ = weights_.context();
}

const Context& Core::context() const {
  find_context();
  if (!context_) context_.emplace();
  return *context_;
}

Passes Core::make_passes(const Trainer* trainer) const {
  StepParts parts = this->parts();
  parts.trainer = trainer;
  return Passes(backend(), parts.sources().count(), trainer ? trainer->heads().counters : 0);
}

void Core::drop_programs() {
  has_gradients_ = false;
  programs_.release();
  if (trainer_) trainer_->release_memory();
}

void Core::reset_optimizer() {
  drop_programs();
  if (built() && compiled()) passes_.set_optimizer(0, trainer_->learning_rate(0));
}

void Core::compute_on(const CompileOptions& where) {
  if (where.context)
    context_ = where.context;
  else if (where.device)
    context_.emplace(ContextOptions{.device = *where.device});
}

void Core::set_dtype(DType wanted) {
  if (trainer_) check_precision(trainer_->precision(), wanted);
  dtype = wanted;
}

void Core::compile(const CompileOptions& options) {
  expect_no_run("compile");
  Trainer trainer(options, network_.output_names(), dtype, network_.layers());
  network_.check_declared_shape();
  if (built() || !network_.is_chain()) trainer.resolve(network_.output_shapes(), network_.added_losses());
  if (built()) trainer.resolve_masks(masks_of_outputs(parts()));
  std::optional<Context> context = options.context;
  if (!context && options.device) {
    find_context();
    if (!context_ || context_->device() != *options.device)
      context.emplace(ContextOptions{.device = *options.device});
  }
  std::optional<detail::InUse::Hold> mark;
  if (context) mark.emplace(context->backend().in_use(), Backend::in_use_elsewhere);
  if (!built()) {
    if (context) context_ = context;
    trainer_ = std::move(trainer);
    return;
  }
  const Context target = context ? *context : this->context();
  expect_computes(target.device(), &trainer);
  const Context before = this->context();  // what its backend made goes before it
  context_ = target;
  try {
    Passes passes = make_passes(&trainer);
    weights_.move(target, shared_from_this(), [this] { drop_programs(); });
    drop_programs();
    passes_ = std::move(passes);
  } catch (...) {
    context_ = before;
    throw;
  }
  trainer_ = std::move(trainer);
  weights_.bind(shared_from_this(), target);
  trainer_->bind(network_.layers(), dtype, weights_.places());
  reset_optimizer();
}

Core::Use::Use(Core& core, Stream stream)
    : core_(core.in_use_, [&core] {
        return detail::concat(
            "model \"", core.network_.name,
            "\" is in use by another thread: one thread at a time may use a model; take turns with a "
            "std::mutex, or give each thread a model of its own");
      }) {
  if (core.context_) hold(*core.context_);
  if (core.built())
    for (const std::shared_ptr<WeightBlock>& block : core.weights_.places().blocks) hold(block->context());
  else
    for (const Variable* variable : core.weights_.variables())  // of layers that another model built
      if (variable->block) hold(variable->block->context());
  if (stream == Stream::home) {
    if (first_) first_->context.backend().enqueue_on({});
    for (const Held& other : others_) other.context.backend().enqueue_on({});
  }
  if (others_.empty()) return;
  // What other models still do with weights that are shared comes first.
  first_->context.backend().synchronize();
  for (const Held& other : others_) other.context.backend().synchronize();
}

void Core::Use::hold(const Context& context) {
  const auto is_it = [&](const Held& held) { return &held.context.backend() == &context.backend(); };
  if (!first_) {
    first_.emplace(context);
  } else if (!is_it(*first_) && std::none_of(others_.begin(), others_.end(), is_it)) {
    others_.emplace_back(context);
  }
}

void Core::expect_no_run(const char* call) const {
  GLIA_CHECK(!running_, StateError, call, " was called while ", running_, " runs model \"", network_.name,
             "\", from a callback: leave this to after it, and end a fit first, with stop_training(); "
             "evaluate, predict, train_on_batch, gradients and set_weights may be called meanwhile");
}

Core::Interlude::Interlude(Core& core, Mode mode) : core_(core) {
  if (core.passes_.any_under_way()) aside_ = core.passes_.put_aside(mode);
}
Core::Interlude::~Interlude() {
  if (aside_) core_.passes_.put_back(std::move(*aside_));
}

}  // namespace glia
