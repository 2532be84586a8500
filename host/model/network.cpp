// Network: layers to a graph, and their names.
// SPDX-License-Identifier: Apache-2.0
#include <host/graph/graph_layer.h>
#include <host/layers/input.h>
#include <host/model/network.h>

#include <algorithm>
#include <utility>

namespace glia {
namespace {

using Builders = std::vector<std::weak_ptr<Builder>>;

void remove_builder(LayerNode& layer, const std::weak_ptr<Builder>& model) {
  Builders& all = layer.builders;
  all.erase(std::remove_if(all.begin(), all.end(),
                           [&](const auto& builder) { return builder.lock() == model.lock(); }),
            all.end());
}

Shapes shapes_of(const Symbols& symbols) {
  Shapes shapes;
  for (const Symbol& symbol : symbols) shapes.push_back(symbol.shape());
  return shapes;
}

}  // namespace

void add_builder(LayerNode& layer, const std::weak_ptr<Builder>& model) {
  Builders& all = layer.builders;
  const auto is_gone_or_it = [&](const auto& builder) {
    return builder.expired() || builder.lock() == model.lock();
  };
  all.erase(std::remove_if(all.begin(), all.end(), is_gone_or_it), all.end());
  all.push_back(model);
}

void Network::connect(const Symbols& inputs, const Symbols& outputs, const std::weak_ptr<Builder>& model) {
  Graph graph = Graph::between(inputs, outputs);
  const std::vector<Layer> layers = graph.layers();
  Shapes input_shapes = shapes_of(inputs);
  graph.shapes(input_shapes);  // for what it throws
  scope_ = Scope(layers);
  layers_ = layers;
  graph_ = std::move(graph);
  is_chain_ = false;
  input_shapes_ = std::move(input_shapes), output_shapes_ = shapes_of(outputs);
  inputs_ = {inputs.begin(), inputs.end()}, outputs_ = {outputs.begin(), outputs.end()};
  input_names_ = names_of(inputs_);
  for (LayerNode* node : all_nodes(layers_)) add_builder(*node, model);
}

void Network::copy(const Network& other, const std::weak_ptr<Builder>& model) {
  LayerCopies copies;
  name = other.name, is_named = other.is_named;
  for (const Layer& layer : other.layers_) {
    copies.of(layer);
    for (LayerNode* node : all_nodes(layer.node())) {
      LayerNode& copy = copies.of(*node);
      copy.name = other.name_of(*node);
      add_builder(copy, model);  // so that names which a model gave are kept
    }
  }
  if (other.is_chain_) {
    for (const Layer& layer : other.layers_) add(copies.of(layer), model);
    known_shapes_ = other.known_input_shapes();
    return;
  }
  // What another graph computes keeps the name of the layer that does.
  for (std::size_t i = 0; i < other.inputs_.size(); ++i) {
    LayerNode& input = copies.of(other.graph_->nodes()[other.graph_->inputs()[i]].layer).node();
    if (!is_input(other.inputs_[i].layer().node())) input.name = other.input_names_[i];
  }
  const Graph& graph = other.graph_of_losses();
  std::vector<std::vector<Symbol>> outputs;  // of each node
  for (const Graph::Node& node : graph.nodes()) {
    const Layer layer = copies.of(node.layer);
    std::vector<Symbol> inputs;
    for (const Graph::Source& source : node.inputs) inputs.push_back(outputs[source.node][source.output]);
    outputs.push_back(inputs.empty() ? std::vector<Symbol>{symbol_of(layer)} : layer.apply(inputs));
  }
  std::vector<Symbol> from, to;
  for (const std::size_t input : graph.inputs()) from.push_back(outputs[input][0]);
  for (const Graph::Source& output : graph.outputs()) to.push_back(outputs[output.node][output.output]);
  connect(from, std::vector(to.begin(), to.begin() + static_cast<std::ptrdiff_t>(other.outputs_.size())),
          model);
  for (const AddedLoss& loss : other.added_losses_) add_loss(to[loss.output], model);
}

void Network::add_loss(const Symbol& value, const std::weak_ptr<Builder>& model) {
  GLIA_CHECK(!is_chain_, StateError, "cannot add a loss to model \"", name,
             "\": it is a chain; make a Model of its inputs() and outputs() first");
  std::vector<Symbol> all = outputs_;
  all.insert(all.end(), loss_values_.begin(), loss_values_.end());
  auto place = std::find(all.begin(), all.end(), value);
  if (place == all.end()) {
    all.push_back(value);
    Graph graph = Graph::between(inputs_, all, *graph_);
    graph.shapes(input_shapes_);  // for what it throws
    std::vector<Layer> layers = layers_;
    for (const Layer& layer : graph.layers())
      if (std::find_if(layers.begin(), layers.end(),
                       [&](const Layer& known) { return &known.node() == &layer.node(); }) == layers.end())
        layers.push_back(layer);
    scope_ = Scope(layers);
    layers_ = std::move(layers);
    with_losses_ = std::move(graph);
    loss_values_.push_back(value);
    for (LayerNode* node : all_nodes(layers_)) add_builder(*node, model);
    place = all.end() - 1;
  }
  added_losses_.push_back({static_cast<std::size_t>(place - all.begin())});
}

void Network::expect_growing(const char* call) const {
  GLIA_CHECK(is_chain_, StateError, "cannot ", call, " model \"", name,
             "\": it is a graph; make a new model of its symbols");
  GLIA_CHECK(!graph_, StateError, "cannot ", call, " model \"", name,
             "\": it is built already; make a new model");
  GLIA_CHECK(!is_sealed_, StateError, "cannot ", call, " model \"", name,
             "\": it is a layer of another model, which could then contain itself; make a new model");
}

void Network::add(const Layer& layer, const std::weak_ptr<Builder>& model) {
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
  for (LayerNode* node : added) add_builder(*node, model);
}

Layer Network::pop(const std::weak_ptr<Builder>& model) {
  expect_growing("take a layer from");
  GLIA_CHECK(!layers_.empty(), StateError, "model \"", name, "\" has no layers to take one from");
  Layer last = layers_.back();
  for (LayerNode* node : all_nodes(last.node())) remove_builder(*node, model);
  layers_.pop_back();
  scope_ = Scope(layers_);
  return last;
}

void Network::specify(const Shapes& inputs) {
  if (is_chain_)
    specify_chain(inputs[0]);
  else
    graph_of_losses().specify(inputs);
}

/// Applies the layers one after another.
void Network::specify_chain(const Shape& input) {
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
  inputs_ = {x}, outputs_ = {y};
  input_shapes_ = {input}, output_shapes_ = {y.shape()};
  input_names_ = names_of(inputs_);
}

void Network::forget_shapes() {
  if (!is_chain_) return;
  graph_.reset();
  inputs_.clear(), outputs_.clear();
  input_shapes_.clear(), output_shapes_.clear();
}

Shape Network::declared_input_shape() const {
  return layers_.empty() ? Shape{} : layers_[0].node().declared_input_shape;
}

void Network::check_declared_shape() const {
  if (!is_chain_ || graph_) return;
  if (const Shape declared = declared_input_shape(); !declared.empty())
    Graph::chain(layers_).shapes({declared});
}

std::optional<Shapes> Network::known_input_shapes() const {
  if (!is_chain_ || graph_) return input_shapes_;
  if (const Shape declared = declared_input_shape(); !declared.empty()) return Shapes{declared};
  if (known_shapes_) return known_shapes_;
  if (as_layer_ && as_layer_->specified) return as_layer_->input_shapes;  // as the model that has it told
  return std::nullopt;
}

std::vector<const LayerNode*> Network::nodes() const {
  const std::vector<LayerNode*> nodes = all_nodes(layers_);
  return {nodes.begin(), nodes.end()};
}

const std::string& Network::name_of(const LayerNode& layer) const {
  return scope_->contains(layer) ? scope_->name_of(layer) : layer.name;
}

Layer Network::as_layer() {
  if (!as_layer_) {
    GLIA_CHECK(!layers_.empty(), StateError, "model \"", name, "\" has no layers: add some");
    as_layer_ =
        make_graph_layer(is_chain_ ? "Sequential" : "Functional", graph_ ? *graph_ : Graph::chain(layers_));
    if (is_named) as_layer_->name = name;
    if (!input_shapes_.empty()) as_layer_->specify(input_shapes_);
    is_sealed_ = true;
  }
  return Layer(as_layer_);
}

void Network::set_name(const std::string& wanted) {
  name = wanted, is_named = true;
  if (as_layer_) as_layer_->name = wanted;
}

void Network::set_trainable(bool trainable) {
  for (LayerNode* node : all_nodes(layers_)) node->trainable = trainable;
  if (as_layer_) as_layer_->trainable = trainable;
}

/// Of the layers whose values these are, the second of one layer with a number.
std::vector<std::string> Network::names_of(const std::vector<Symbol>& symbols) const {
  std::vector<std::string> names;
  for (const Symbol& symbol : symbols) {
    const std::string base = name_of(symbol.layer().node());
    std::string unique = base;
    for (int counter = 1; std::find(names.begin(), names.end(), unique) != names.end(); ++counter)
      unique = base + '_' + std::to_string(counter);
    names.push_back(unique);
  }
  return names;
}

std::vector<std::string> Network::output_names() const {
  if (!is_chain_) return names_of(outputs_);
  return {layers_.empty() ? std::string() : name_of(layers_.back().node())};
}

}  // namespace glia
