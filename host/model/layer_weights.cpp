// Layer: the handle's side of what a layer's model knows and holds, shapes and weights.
// SPDX-License-Identifier: Apache-2.0
#include <glia/layers.h>
#include <host/layers/chain.h>
#include <host/model/model.h>

namespace glia {
namespace {

/// Builds the layer's model where that knows its shape. Throws StateError where it does not.
void expect_built(const LayerNode& node) {
  if (node.built) return;
  const std::shared_ptr<Model> model = node.model.lock();
  GLIA_CHECK(model, StateError, "layer \"", node.name, "\" (", node.type(),
             ") is not built, since it is in no model: put it into one and give that an input shape");
  const Model::Use use(*model);
  model->build_if_declared();
  GLIA_CHECK(node.built, StateError, "layer \"", node.name, "\" (", node.type(),
             ") is not built: give the model an input shape, or fit or predict first");
}

/// A layer's node and those within it.
std::vector<const LayerNode*> nodes_of(const Layer& layer) {
  std::vector<const LayerNode*> nodes;
  for_each_node({layer}, [&](const LayerNode& node) { nodes.push_back(&node); });
  return nodes;
}

std::shared_ptr<Model> model_of(const LayerNode& node) {
  expect_built(node);
  std::shared_ptr<Model> model = node.model.lock();
  GLIA_CHECK(model, StateError, "layer \"", node.name, "\" outlived its model, which held its weights");
  return model;
}

}  // namespace

std::int64_t Layer::count_params() const {
  expect_built(*node_);
  std::int64_t count = 0;
  for (const LayerNode* node : nodes_of(*this))
    for (const Variable& variable : node->variables) count += variable.shape.elements();
  return count;
}

Shape Layer::output_shape() const {
  expect_built(*node_);
  return node_->output_shape;
}

TensorList Layer::get_weights() const {
  const std::shared_ptr<Model> model = model_of(*node_);
  const Model::Use use(*model);
  return model->read(nodes_of(*this));
}

void Layer::set_weights(const std::vector<Tensor>& weights) {
  const std::shared_ptr<Model> model = model_of(*node_);
  const Model::Use use(*model);
  model->write(nodes_of(*this), {weights.begin(), weights.end()});
}
void Layer::set_weights(std::initializer_list<TensorView> weights) {
  const std::shared_ptr<Model> model = model_of(*node_);
  const Model::Use use(*model);
  model->write(nodes_of(*this), weights);
}

}  // namespace glia
