// Graph: chains, shapes and emission. How one is found between symbols is in between.cpp.
// SPDX-License-Identifier: Apache-2.0
#include <host/base/memory.h>  // defines: checked_elements
#include <host/graph/graph.h>
#include <host/layers/input.h>

#include <algorithm>
#include <memory>
#include <utility>

namespace glia {

Graph Graph::chain(const std::vector<Layer>& layers) {
  Graph graph;
  if (layers.empty() || !is_input(layers[0].node())) graph.nodes_.push_back({Input({1}), {}});
  for (const Layer& layer : layers) {
    std::vector<Source> inputs;
    if (!graph.nodes_.empty()) inputs.push_back({graph.nodes_.size() - 1});
    graph.nodes_.push_back({layer, std::move(inputs)});
  }
  for (const Node& node : graph.nodes_) graph.layers_.push_back(node.layer);
  graph.inputs_ = {0};
  graph.outputs_ = {{graph.nodes_.size() - 1}};
  return graph;
}

Shapes Graph::inputs_of(const Node& node, const std::vector<Shapes>& shapes) const {
  Shapes inputs;
  for (const Source& source : node.inputs) inputs.push_back(shapes[source.node][source.output]);
  return inputs;
}

void Graph::copy_layers(LayerCopies& copies) {
  for (Node& node : nodes_) node.layer = copies.of(node.layer);
  for (Layer& layer : layers_) layer = copies.of(layer);
}

std::vector<Shapes> Graph::shapes(const Shapes& inputs) const {
  std::vector<Shapes> shapes(nodes_.size());
  std::vector<bool> trained(nodes_.size());  // it, or something before it
  for (std::size_t i = 0; i < inputs_.size(); ++i) shapes[inputs_[i]] = {inputs[i]};
  for (std::size_t n = 0; n < nodes_.size(); ++n) {
    const Node& node = nodes_[n];
    const LayerNode& layer = node.layer.node();
    if (node.inputs.empty()) continue;
    const Shapes in = inputs_of(node, shapes);
    const bool behind = std::any_of(node.inputs.begin(), node.inputs.end(),
                                    [&](const Source& source) { return trained[source.node]; });
    GLIA_CHECK(layer.gives_input_gradient() || !behind, ShapeError, "layer \"", layer.name, "\" (",
               layer.type(), ") has no gradient for its input: put it before the layers that are trained");
    GLIA_CHECK(layer.declared_input_shape.empty() || layer.declared_input_shape == in[0], ShapeError,
               "layer \"", layer.name, "\" was given input_shape ", layer.declared_input_shape,
               ", but its input has rows of shape ", in[0], ": correct one of them");
    shapes[n] = layer.output_shapes(in);
    for (const Shape& shape : shapes[n]) checked_elements(shape);  // throws where 64 bits do not hold them
    trained[n] = behind || layer.can_train();
  }
  return shapes;
}

void Graph::specify(const Shapes& inputs) const {
  const std::vector<Shapes> all = shapes(inputs);
  for (std::size_t n = 0; n < nodes_.size(); ++n) {
    const Node& node = nodes_[n];
    node.layer.node().specify(node.inputs.empty() ? all[n] : inputs_of(node, all));
  }
}

/// What was emitted of each node.
struct Graph::Emissions {
  Graph graph;
  std::vector<Emission> of;  // none for inputs
};

Emission Graph::emit(Emitter& e, const std::vector<Operand>& inputs) const {
  const auto emissions = std::make_shared<Emissions>(Emissions{*this, std::vector<Emission>(nodes_.size())});
  for (std::size_t i = 0; i < inputs_.size(); ++i) emissions->of[inputs_[i]].outputs = {inputs[i]};
  for (std::size_t n = 0; n < nodes_.size(); ++n) {
    const Node& node = nodes_[n];
    if (node.inputs.empty()) continue;
    std::vector<Operand> operands;
    for (const Source& source : node.inputs)
      operands.push_back(emissions->of[source.node].outputs[source.output]);
    const Emitter::Of of_layer(e, node.layer.node().name);
    emissions->of[n] = node.layer.node().emit(e, operands);
  }
  Emission result;
  for (const Source& output : outputs_)
    result.outputs.push_back(emissions->of[output.node].outputs[output.output]);
  result.backward = [emissions](Emitter& e, const std::vector<View>& gradients,
                                const std::vector<bool>& wanted) {
    return emit_backward(*emissions, e, gradients, wanted);
  };
  return result;
}

namespace {

/// The sum of gradients, in the order of those who read; they came last first. Empty for none.
View sum_of(Emitter& e, std::vector<View>& gradients) {
  View sum;
  for (auto gradient = gradients.rbegin(); gradient != gradients.rend(); ++gradient) {
    if (!sum) {
      sum = *gradient;
      continue;
    }
    const View more = e.temporary(sum.shape);
    e.add(op::Combine{1, 1, sum, *gradient, more});
    sum = more;
  }
  gradients.clear();
  return sum;
}

}  // namespace

std::vector<View> Graph::emit_backward(const Emissions& emissions, Emitter& e,
                                       const std::vector<View>& output_gradients,
                                       const std::vector<bool>& wanted) {
  const std::vector<Node>& nodes = emissions.graph.nodes_;
  const std::vector<std::size_t>& inputs = emissions.graph.inputs_;
  std::vector<bool> needed(nodes.size());  // whether the gradient of what it gives is
  for (std::size_t i = 0; i < inputs.size(); ++i) needed[inputs[i]] = wanted[i];
  for (std::size_t n = 0; n < nodes.size(); ++n)
    needed[n] = needed[n] || nodes[n].layer.node().is_trained(e) ||
                std::any_of(nodes[n].inputs.begin(), nodes[n].inputs.end(),
                            [&](const Source& source) { return needed[source.node]; });

  std::vector<std::vector<std::vector<View>>> gradients(nodes.size());  // node, output, readers
  for (std::size_t n = 0; n < nodes.size(); ++n) gradients[n].resize(emissions.of[n].outputs.size());
  for (std::size_t i = 0; i < output_gradients.size(); ++i) {
    const Source& output = emissions.graph.outputs_[i];
    if (output_gradients[i]) gradients[output.node][output.output].push_back(output_gradients[i]);
  }
  std::vector<View> of_inputs(inputs.size());
  for (std::size_t n = nodes.size(); n-- > 0;) {
    if (!needed[n]) continue;
    const Emitter::Of of_layer(e, nodes[n].layer.node().name);
    std::vector<View> sums;
    for (std::vector<View>& readers : gradients[n]) sums.push_back(sum_of(e, readers));
    if (nodes[n].inputs.empty()) {
      of_inputs[static_cast<std::size_t>(std::find(inputs.begin(), inputs.end(), n) - inputs.begin())] =
          sums[0];
      continue;
    }
    if (std::none_of(sums.begin(), sums.end(), [](const View& sum) { return static_cast<bool>(sum); }))
      continue;
    std::vector<bool> wants;
    for (const Source& source : nodes[n].inputs) wants.push_back(needed[source.node]);
    const std::vector<View> back = emissions.of[n].backward(e, sums, wants);
    for (std::size_t i = 0; i < back.size(); ++i) {
      const Source& source = nodes[n].inputs[i];
      if (wants[i] && back[i]) gradients[source.node][source.output].push_back(back[i]);
    }
  }
  return of_inputs;
}

}  // namespace glia
