// Input: where a graph begins.
// SPDX-License-Identifier: Apache-2.0
#include <glia/layers.h>
#include <host/base/memory.h>  // defines: checked_elements
#include <host/layers/application.h>
#include <host/layers/config.h>
#include <host/layers/input.h>
#include <host/layers/layer_classes.h>

#include <memory>

namespace glia {
namespace {

class InputNode final : public SimpleLayer {
 public:
  const char* type() const override { return "InputLayer"; }
  bool keeps_mask() const override { return true; }
  void describe(Config& config) override { config.batch_shape("batch_shape", declared_input_shape); }
  bool is_listed() const override { return false; }
  Shape shape_for(const Shape& input_shape) const override { return input_shape; }

  Emitted emit(Emitter&, const View& x) const override {
    return {x, [](Emitter&, const View& gradient, bool) { return gradient; }};
  }
};

Layer read_input(Config& config) {
  Shape shape;
  config.batch_shape("batch_shape", shape);
  config.field("shape", shape);
  const Input input(shape);
  checked_elements(shape.prepend(8));  // throws where 64 bits do not hold a few rows
  return input;
}

constexpr LayerClass classes[] = {{"InputLayer", read_input}, {"Input", read_input}};

}  // namespace

LayerClasses input_classes() { return classes; }

bool is_input(const LayerNode& layer) { return dynamic_cast<const InputNode*>(&layer) != nullptr; }

Symbol symbol_of(const Layer& input) {
  LayerNode& node = input.node();
  for (const std::weak_ptr<const Application>& each : node.applications)
    if (auto application = each.lock()) return {std::move(application), 0};
  node.specify({node.declared_input_shape});
  const auto application = std::make_shared<Application>(Application{input, {}, {node.declared_input_shape}});
  node.applications = {application};
  return {application, 0};
}

Input::Input(const Shape& shape, const std::string& name) : Layer(make_node<InputNode>()) {
  GLIA_CHECK(!shape.empty(), ShapeError, "Input got the shape (), expected that of one row, such as (784,)");
  node().name = name;
  node().declare_input_shape(shape);
}

Input::operator Symbol() const { return symbol_of(*this); }

}  // namespace glia
