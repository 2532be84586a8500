// Core: its graph, and who may use it. What is made of it is in building.cpp, core_weights.cpp and programs.cpp.
// SPDX-License-Identifier: Apache-2.0
#include <host/graph/graph_layer.h>
#include <host/layers/application.h>
#include <host/layers/input.h>
#include <host/model/core.h>

#include <algorithm>

namespace glia {

void Core::make_graph(const Symbols& inputs, const Symbols& outputs) {
  Graph graph = Graph::between(inputs, outputs);
  const std::vector<Layer> layers = graph.layers();
  Shapes input_shapes, output_shapes;
  for (const Symbol& input : inputs) input_shapes.push_back(input.shape());
  for (const Symbol& output : outputs) output_shapes.push_back(output.shape());
  graph.shapes(input_shapes);  // for what it throws
  scope_ = Scope(layers);
  layers_ = layers;
  graph_ = std::move(graph);
  symbols_.emplace(inputs, outputs);
  input_shapes_ = std::move(input_shapes), output_shapes_ = std::move(output_shapes);
  symbols_of_ = {{inputs.begin(), inputs.end()}, {outputs.begin(), outputs.end()}};
  input_names_ = names_of(inputs);
  for (LayerNode* node : all_nodes(layers_)) add_builder(*node);
}

/// And forgets models that are gone.
void Core::add_builder(LayerNode& layer) {
  auto& all = layer.builders;
  all.erase(std::remove_if(all.begin(), all.end(), [](const auto& builder) { return builder.expired(); }),
            all.end());
  all.push_back(weak_from_this());
}

void Core::expect_growing(const char* call) const {
  GLIA_CHECK(is_chain(), StateError, "cannot ", call, " model \"", name,
             "\": it is a graph; make a new model of its symbols");
  GLIA_CHECK(!built(), StateError, "cannot ", call, " model \"", name,
             "\": it is built already; make a new model");
  GLIA_CHECK(!sealed_, StateError, "cannot ", call, " model \"", name,
             "\": it is a layer of another model, which could then contain itself; make a new model");
}

void Core::add(const Layer& layer) {
  expect_growing("add a layer to");
  const std::vector<LayerNode*> mine = all_nodes(layers_), added = all_nodes(layer.node());
  for (const LayerNode* node : added)
    GLIA_CHECK(std::find(mine.begin(), mine.end(), node) == mine.end(), ValueError, "layer \"", node->name,
               "\" (", node->type(),
               ") is in the model already: make another layer, or a Model, in which one can be "
               "applied several times");
  std::vector<Layer> layers = layers_;
  layers.push_back(layer);
  scope_ = Scope(layers);
  layers_ = std::move(layers);
  for (LayerNode* node : added) add_builder(*node);
}

void Core::pop() {
  expect_growing("take a layer from");
  GLIA_CHECK(!layers_.empty(), StateError, "model \"", name, "\" has no layers to take one from");
  for (LayerNode* node : all_nodes(layers_.back().node())) {
    if (trainer_) trainer_->forget(*node);
    auto& all = node->builders;
    all.erase(std::remove_if(all.begin(), all.end(),
                             [this](const auto& builder) { return builder.lock().get() == this; }),
              all.end());
  }
  layers_.pop_back();
  scope_ = Scope(layers_);
}

std::vector<const LayerNode*> Core::nodes() const {
  const std::vector<LayerNode*> nodes = all_nodes(layers_);
  return {nodes.begin(), nodes.end()};
}

const std::string& Core::name_of(const LayerNode& layer) const {
  return scope_->contains(layer) ? scope_->name_of(layer) : layer.name;
}

Layer Core::as_layer() {
  if (!as_layer_) {
    GLIA_CHECK(!layers_.empty(), StateError, "model \"", name, "\" has no layers: add some");
    as_layer_ = make_graph_layer(is_chain() ? "Sequential" : "Functional",
                                 built() || !is_chain() ? *graph_ : Graph::chain(layers_));
    if (is_named) as_layer_->name = name;
    if (!input_shapes_.empty()) as_layer_->specify(input_shapes_);
    sealed_ = true;
  }
  return Layer(as_layer_);
}

void Core::set_name(const std::string& wanted) {
  name = wanted, is_named = true;
  if (as_layer_) as_layer_->name = wanted;
}

void Core::set_trainable(bool trainable) {
  for (LayerNode* node : all_nodes(layers_)) node->trainable = trainable;
  if (as_layer_) as_layer_->trainable = trainable;
}

/// Of the layers whose values these are, the second of one layer with a number.
std::vector<std::string> Core::names_of(const Symbols& symbols) const {
  std::vector<std::string> names;
  for (const Symbol& symbol : symbols) {
    const std::string base = name_of(symbol.layer().node());
    std::string name = base;
    for (int counter = 1; std::find(names.begin(), names.end(), name) != names.end(); ++counter)
      name = base + '_' + std::to_string(counter);
    names.push_back(name);
  }
  return names;
}

std::vector<std::string> Core::output_names() const {
  if (!is_chain()) return names_of(outputs());
  return {layers_.empty() ? std::string() : name_of(layers_.back().node())};
}

Shape Core::declared_input_shape() const {
  return !is_chain() || layers_.empty() ? Shape{} : layers_[0].node().declared_input_shape;
}

Core::Use::Use(Core& core)
    : core_(core.in_use_, [&core] {
        return detail::concat(
            "model \"", core.name,
            "\" is in use by another thread: one thread at a time may use a model; take turns with a "
            "std::mutex, or give each thread a model of its own");
      }) {
  const auto hold = [this](const Context& context) {
    for (const Context& held : contexts_)
      if (&held.backend() == &context.backend()) return;
    contexts_.push_back(context);
    marks_.emplace_back(context.backend().in_use(), Backend::in_use_elsewhere);
  };
  if (core.context_) hold(*core.context_);
  if (core.built())
    for (const std::shared_ptr<WeightBlock>& block : core.places_.blocks) hold(block->context());
  else
    for (const Variable* variable : core.variables())  // of layers that another model built
      if (variable->block) hold(variable->block->context());
  if (contexts_.size() > 1)  // what other models still do with weights that are shared comes first
    for (const Context& context : contexts_) context.backend().synchronize();
}

void Core::expect_no_fit(const char* call) const {
  GLIA_CHECK(!fitting_, StateError, call, " was called while fit trains model \"", name,
             "\", from a callback: end the fit first, with stop_training(), or leave this to after it; "
             "evaluate, predict, train_on_batch, gradients and set_weights may be called meanwhile");
}

Core::Fit::Fit(Core& core) : core_(core) {
  core.expect_no_fit("fit");
  core.fitting_ = true;
}

Core::Interlude::Interlude(Core& core, Mode mode) : core_(core) {
  if (core.fitting_ && core.built()) aside_ = core.passes_.put_aside(mode);
}
Core::Interlude::~Interlude() {
  if (core_.fitting_ && aside_) core_.passes_.put_back(std::move(*aside_));
}

}  // namespace glia
