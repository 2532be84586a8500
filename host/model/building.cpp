// Core: from layers to a graph with shapes, weights and step states, and what compile makes.
// SPDX-License-Identifier: Apache-2.0
#include <host/layers/input.h>
#include <host/model/compile_checks.h>
#include <host/model/core.h>

#include <algorithm>
#include <new>

namespace glia {
namespace {

/// Makes layers that a build that fails has specified what they were.
class Specifying {
 public:
  explicit Specifying(const std::vector<Layer>& layers) {
    for (LayerNode* node : all_nodes(layers))
      if (!node->specified) fresh_.push_back(node);
  }
  ~Specifying() {
    for (LayerNode* node : fresh_) node->forget_shapes();
  }
  Specifying(const Specifying&) = delete;
  Specifying& operator=(const Specifying&) = delete;
  void keep() { fresh_.clear(); }

 private:
  std::vector<LayerNode*> fresh_;
};

}  // namespace

/// Applies the layers of a chain one after another.
void Core::apply_chain(const Shape& input) {
  GLIA_CHECK(!layers_.empty(), StateError, "model \"", name, "\" has no layers: add some");
  const bool begins_with_input = is_input(layers_[0].node());
  const Shape& declared = layers_[0].node().declared_input_shape;
  GLIA_CHECK(!begins_with_input || declared == input, ShapeError, "layer \"", layers_[0].node().name,
             "\" was given input_shape ", declared, ", but its input has rows of shape ", input,
             ": correct one of them");
  const Symbol x = begins_with_input ? symbol_of(layers_[0]) : Symbol(Input(input));
  Graph::chain(layers_).shapes({input});  // for what it throws, before a layer keeps anything
  Symbol y = x;
  for (std::size_t i = begins_with_input ? 1 : 0; i < layers_.size(); ++i) y = layers_[i](y);
  graph_ = Graph::between(x, y);
  symbols_of_ = {{x}, {y}};
  input_shapes_ = {input}, output_shapes_ = {y.shape()};
}

void Core::build(const Shapes& inputs) {
  Specifying specifying(layers_);
  if (is_chain())
    apply_chain(inputs[0]);
  else
    graph_->specify(inputs);
  if (trainer_) trainer_->resolve(output_shapes_);
  move_blocks(context());
  make_weights();
  bind_blocks();
  if (trainer_) trainer_->bind(nodes(), places_);
  passes_ = make_passes(trainer_ ? &*trainer_ : nullptr);
  built_ = true;
  reset_optimizer();
  specifying.keep();
}

void Core::build_if_known() {
  if (built()) return;
  if (!is_chain()) return build(input_shapes_);
  if (const Shape declared = declared_input_shape(); !declared.empty()) build({declared});
}

void Core::build_if_declared() {
  const Use use(*this);
  build_if_known();
}

void Core::discard_build() {
  drop_programs();
  passes_ = {};
  for (LayerNode* node : made_) {
    for (Variable& variable : node->variables) variable.block.reset();
    node->forget_shapes();
  }
  made_.clear();
  places_ = {};
  built_ = false;
  if (!is_chain()) return;
  symbols_of_ = {};
  graph_.reset();
}

/// Puts the variables of layers that have none yet into a block, and draws them.
void Core::make_weights() {
  made_.clear();
  std::vector<NumberedVariable> fresh;
  std::uint64_t number = 0;
  for (LayerNode* node : all_nodes(layers_)) {
    const bool is_fresh = !node->has_weights();
    if (is_fresh) made_.push_back(node);
    for (Variable& variable : node->variables) {
      if (is_fresh) fresh.push_back({&variable, number});
      ++number;
    }
  }
  if (!fresh.empty()) make_block(context(), dtype, seed, fresh);
}

void Core::bind_blocks() {
  places_.blocks.clear();
  for (const Variable* variable : variables()) {
    const std::shared_ptr<WeightBlock>& block = variable->block;
    if (std::find(places_.blocks.begin(), places_.blocks.end(), block) != places_.blocks.end()) continue;
    GLIA_CHECK(block->dtype() == dtype, ValueError, "model \"", name, "\" computes in ", dtype,
               ", but layers that it has from another model have weights of ", block->dtype(),
               ": call set_dtype of both models alike");
    places_.blocks.push_back(block);
    block->add_user(shared_from_this());
  }
}

/// Brings the weights to `target`, where they are elsewhere. Those that another model on the same device computes with stay
/// where they are. Throws StateError for those of another device; nothing changes then.
void Core::move_blocks(const Context& target) {
  std::vector<std::shared_ptr<WeightBlock>> moving;
  for (const Variable* variable : variables()) {
    const std::shared_ptr<WeightBlock>& block = variable->block;
    if (!block || &block->context().backend() == &target.backend()) continue;
    if (std::find(moving.begin(), moving.end(), block) != moving.end()) continue;
    const bool is_shared = block->has_users_beside(shared_from_this());
    if (is_shared && block->context().device() == target.device()) continue;
    GLIA_CHECK(!is_shared, StateError, "model \"", name, "\" is to compute on ", target.device(),
               ", but another model computes with its layers' weights on ", block->context().device(),
               ": compile both with one context, that one first");
    moving.push_back(block);
  }
  for (const std::shared_ptr<WeightBlock>& block : moving) block->move_to(target);
}

/// Where weights that are there already lie.
std::optional<Context> Core::context_of_weights() const {
  for (const Variable* variable : variables())
    if (variable->block) return variable->block->context();
  return std::nullopt;
}

const Context& Core::context() const {
  if (!context_) context_ = context_of_weights();
  if (!context_) context_.emplace();
  return *context_;
}

Passes Core::make_passes(const Trainer* trainer) const {
  const std::int64_t heads = trainer ? static_cast<std::int64_t>(trainer->heads().all.size()) : 0;
  const auto inputs = static_cast<std::int64_t>(input_shapes_.size());
  const auto outputs = static_cast<std::int64_t>(output_shapes_.size());
  return Passes(backend(), inputs + std::max(2 * heads, outputs), trainer ? trainer->heads().counters : 0);
}

void Core::drop_programs() {
  plans_.clear();
  arena_.reset();
  if (trainer_) trainer_->release_memory();
}

void Core::reset_optimizer() {
  drop_programs();
  if (built() && compiled()) passes_.set_optimizer(0, trainer_->learning_rate(0));
}

void Core::set_dtype(DType wanted) {
  if (trainer_) check_precision(trainer_->precision(), wanted);
  dtype = wanted;
}

void Core::compile(const CompileOptions& options) {
  expect_no_fit("compile");
  Trainer trainer(options, output_names(), dtype);
  trainer.note_trainable(layers_);
  if (const Shape declared = declared_input_shape(); !built() && !declared.empty())
    Graph::chain(layers_).shapes({declared});  // for what it throws
  if (built() || !is_chain()) trainer.resolve(output_shapes_);
  std::optional<Context> context = options.context;
  if (!context && options.device) {
    if (!context_) context_ = context_of_weights();
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
  const Context before = this->context();  // what its backend made goes before it
  context_ = target;
  try {
    Passes passes = make_passes(&trainer);
    move_blocks(target);
    drop_programs();
    passes_ = std::move(passes);
  } catch (...) {
    context_ = before;
    throw;
  }
  trainer_ = std::move(trainer);
  trainer_->bind(nodes(), places_);
  reset_optimizer();
}

void Core::set_learning_rate(const LearningRate& rate) {
  const bool was_constant = trainer_->has_constant_rate();
  trainer_->set_learning_rate(rate);
  if (!was_constant || !trainer_->has_constant_rate()) plans_.clear();  // a schedule is part of the step
  if (built()) {
    const std::int64_t step = steps();
    passes_.set_optimizer(step, trainer_->learning_rate(step));
  }
}

std::int64_t Core::iterations() const { return compiled() ? steps() / trainer_->steps_of_an_update() : 0; }

}  // namespace glia
