// Building and emitting a list of layers.
// SPDX-License-Identifier: Apache-2.0
#include <host/base/memory.h>  // defines: checked_elements
#include <host/layers/chain.h>

namespace glia {

Shape build_layers(const std::vector<Layer>& layers, Shape shape, bool& trained) {
  for (const Layer& layer : layers) {
    LayerNode& node = layer.node();
    GLIA_CHECK(node.gives_input_gradient() || !trained, ShapeError, "layer \"", node.name, "\" (",
               node.type(), ") has no gradient for its input: put it before the layers that are trained");
    GLIA_CHECK(node.declared_input_shape.empty() || node.declared_input_shape == shape, ShapeError,
               "layer \"", node.name, "\" was given input_shape ", node.declared_input_shape,
               ", but its input has rows of shape ", shape, ": correct one of them");
    shape = node.output_shape = node.build(shape);
    checked_elements(shape);  // throws where 64 bits do not hold them
    trained = trained || node.is_trained();
  }
  return shape;
}

Emitted emit_layers(Emitter& e, const std::vector<Layer>& layers, const View& x) {
  std::vector<Emitted> stack;
  View output = x;
  for (const Layer& layer : layers) {
    stack.push_back(layer.node().emit(e, output));
    output = stack.back().output;
  }
  return {output, [layers, stack](Emitter& e, View gradient, bool wanted) {
            std::size_t first = 0;
            while (!wanted && first < layers.size() && !layers[first].node().is_trained()) ++first;
            for (std::size_t i = stack.size(); i-- > first;)
              gradient = stack[i].backward(e, gradient, wanted || i > first);
            return wanted ? gradient : View{};
          }};
}

}  // namespace glia
