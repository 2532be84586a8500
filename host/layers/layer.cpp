// Layer: the handle's side of what a layer knows by itself.
// SPDX-License-Identifier: Apache-2.0
#include <glia/layers.h>
#include <host/layers/layer_node.h>

namespace glia {

void LayerNode::declare_input_shape(const Shape& shape) {
  for (std::int64_t dimension : shape)
    GLIA_CHECK(dimension >= 1, ShapeError, type(), " got input_shape ", shape,
               ", expected dimensions of at least 1 (the number of rows is not part of it)");
  declared_input_shape = shape;
}

const std::string& Layer::name() const { return node_->name; }
std::string Layer::type() const { return node_->type(); }

}  // namespace glia
