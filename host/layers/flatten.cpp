// Flatten and Input: layers that only say shapes.
// SPDX-License-Identifier: Apache-2.0
#include <glia/layers.h>
#include <host/layers/layer_node.h>
#include <host/memory.h>  // defines: checked_elements

namespace glia {
namespace {

class FlattenNode final : public LayerNode {
 public:
  const char* type() const override { return "Flatten"; }
  Shape build(const Shape& input_shape) override { return {checked_elements(input_shape)}; }

  Emitted emit(Emitter&, const View& x) const override {
    return {x.reshaped({x.shape[0], x.elements() / x.shape[0]}),
            [shape = x.shape](Emitter&, const View& gradient, bool wanted) {
              return wanted ? gradient.reshaped(shape) : View{};
            }};
  }
};

class InputNode final : public LayerNode {
 public:
  const char* type() const override { return "InputLayer"; }
  Shape build(const Shape& input_shape) override { return input_shape; }
  bool is_listed() const override { return false; }

  Emitted emit(Emitter&, const View& x) const override {
    return {x, [](Emitter&, const View& gradient, bool) { return gradient; }};
  }
};

}  // namespace

Flatten::Flatten(const Shape& input_shape, const std::string& name) : Layer(std::make_shared<FlattenNode>()) {
  node().name = name;
  node().declare_input_shape(input_shape);
}

Input::Input(const Shape& shape) : Layer(std::make_shared<InputNode>()) {
  GLIA_CHECK(!shape.empty(), ShapeError, "Input got the shape (), expected that of one row, such as (784,)");
  node().declare_input_shape(shape);
}

}  // namespace glia
