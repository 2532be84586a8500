// LayerNode: what all layers have in common.
// SPDX-License-Identifier: Apache-2.0
#include <host/layers/layer_node.h>

#include <algorithm>
#include <unordered_set>
#include <utility>

namespace glia {

std::vector<Variable> LayerNode::variables_for(const Shapes&) const { return {}; }

void LayerNode::specify(const Shapes& inputs) {
  std::vector<Variable> wanted = variables_for(inputs);
  if (!specified) {
    variables = std::move(wanted);
    input_shapes = inputs, output_shape = output_shapes(inputs)[0];
    specified = true;
    return;
  }
  for (std::size_t i = 0; i < wanted.size(); ++i)
    GLIA_CHECK(i < variables.size() && wanted[i].shape == variables[i].shape, ShapeError, "layer \"", name,
               "\" (", type(), ") has a ", wanted[i].name, " of shape ", variables[i].shape,
               ", but an input with rows of shape ", inputs[0], " needs one of shape ", wanted[i].shape,
               ": apply it to rows such as it was built for, or make another layer");
}

bool LayerNode::gives_input_gradient() const {
  return std::all_of(children.begin(), children.end(),
                     [](const Layer& layer) { return layer.node().gives_input_gradient(); });
}

bool LayerNode::can_train() const {
  return std::any_of(children.begin(), children.end(),
                     [](const Layer& layer) { return layer.node().can_train(); });
}

bool LayerNode::is_trained(const Emitter& e) const {
  return std::any_of(variables.begin(), variables.end(), [&](const Variable& v) { return e.trains(v); }) ||
         std::any_of(children.begin(), children.end(),
                     [&](const Layer& layer) { return layer.node().is_trained(e); });
}

void LayerNode::declare_input_shape(const Shape& shape) {
  for (std::int64_t dimension : shape)
    GLIA_CHECK(dimension >= 1, ShapeError, type(), " got input_shape ", shape,
               ", expected dimensions of at least 1 (the number of rows is not part of it)");
  declared_input_shape = shape;
}

void LayerNode::forget_shapes() {
  if (!variables.empty() && variables[0].block) return;
  specified = false;
  variables.clear();
}

void LayerNode::copy_within(LayerCopies& copies) {
  for (Layer& child : children) child = copies.of(child);
}

Layer LayerCopies::of(const Layer& layer) {
  std::shared_ptr<LayerNode>& copy = copies_[&layer.node()];
  if (!copy) {
    GLIA_CHECK(layer.node().copy, StateError, "layer \"", layer.node().name, "\" (", layer.node().type(),
               ") cannot be copied: its node was not made by make_node");
    copy = layer.node().copy(layer.node());
    copy->specified = false, copy->variables.clear();
    copy->builders.clear(), copy->applications.clear();
    copy->copy_within(*this);
  }
  return Layer(copy);
}

const Shape& SimpleLayer::only(const Shapes& inputs) const {
  GLIA_CHECK(inputs.size() == 1, ShapeError, "layer \"", name, "\" (", type(), ") takes one input, got ",
             inputs.size(), ": join them first, as Concatenate does");
  return inputs[0];
}

Emission SimpleLayer::emit(Emitter& emitter, const std::vector<Operand>& inputs) const {
  const Operand& in = inputs[0];
  const View mask = emit_mask(emitter, in.view, in.mask);
  const Emitted one = in.mask ? emit_masked(emitter, in.view, in.mask) : emit(emitter, in.view);
  return {{{one.output, mask}},
          [one](Emitter& e, const std::vector<View>& gradients, const std::vector<bool>& wanted) {
            return std::vector<View>{one.backward(e, gradients[0], wanted[0])};
          }};
}

namespace {

/// Nodes, each behind the one it is within.
class Collection {
 public:
  void add(LayerNode& node) {
    if (!seen_.insert(&node).second) return;
    nodes.push_back(&node);
    for (const Layer& layer : node.children) add(layer.node());
  }
  std::vector<LayerNode*> nodes;

 private:
  std::unordered_set<const LayerNode*> seen_;
};

}  // namespace

std::vector<LayerNode*> all_nodes(const std::vector<Layer>& layers) {
  Collection all;
  for (const Layer& layer : layers) all.add(layer.node());
  return all.nodes;
}
std::vector<LayerNode*> all_nodes(LayerNode& layer) {
  Collection all;
  all.add(layer);
  return all.nodes;
}
std::vector<const LayerNode*> all_nodes(const LayerNode& layer) {
  const std::vector<LayerNode*> nodes = all_nodes(const_cast<LayerNode&>(layer));
  return {nodes.begin(), nodes.end()};
}

}  // namespace glia
