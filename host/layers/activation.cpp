// Activation, as a layer and as the end of another.
// SPDX-License-Identifier: Apache-2.0
#include <glia/layers.h>
#include <host/layers/activation.h>
#include <host/layers/layer_node.h>

#include <type_traits>
#include <variant>

namespace glia {
namespace {

Emitted emit(Emitter& e, const Linear&, const View& z) {
  static_cast<void>(e);
  return {z, [](Emitter&, const View& gradient, bool) { return gradient; }};
}

Emitted emit(Emitter& e, const Softmax&, const View& z) {
  const View y = e.temporary(z.shape);
  e.add(op::SoftmaxRows{z.matrix(), y.matrix()});
  return {y, [y](Emitter& e, const View& gradient, bool wanted) {
            if (!wanted) return View{};
            const View in_gradient = e.temporary(y.shape);
            e.add(op::SoftmaxGradient{y.matrix(), gradient.matrix(), in_gradient.matrix()});
            return in_gradient;
          }};
}

template <class Function>
Emitted emit(Emitter& e, const Function& function, const View& z) {
  const View y = e.temporary(z.shape);
  e.add(op::Map{function, z, y});
  const View saved = Function::saves == Saves::output ? y : z;
  return {y, [function, saved](Emitter& e, const View& gradient, bool wanted) {
            if (!wanted) return View{};
            const View in_gradient = e.temporary(saved.shape);
            e.add(op::MapGradient{function, saved, gradient, in_gradient});
            return in_gradient;
          }};
}

class ActivationNode final : public LayerNode {
 public:
  explicit ActivationNode(const Activations& function) : function_(function) {}

  const char* type() const override { return "Activation"; }
  Shape build(const Shape& input_shape) override {
    GLIA_CHECK(!std::holds_alternative<Softmax>(function_) || input_shape.rank() > 0, ShapeError, "layer \"",
               name, "\": softmax needs rows with at least one dimension, got ", input_shape);
    return input_shape;
  }
  Emitted emit(Emitter& emitter, const View& x) const override {
    return emit_activation(emitter, function_, x);
  }

 private:
  Activations function_;
};

}  // namespace

Emitted emit_activation(Emitter& emitter, const Activations& function, const View& z) {
  return std::visit([&](const auto& f) { return emit(emitter, f, z); }, function);
}

Activation::Activation(const ActivationName& function, const Shape& input_shape, const std::string& name)
    : Layer(std::make_shared<ActivationNode>(function.value())) {
  node().name = name;
  node().declare_input_shape(input_shape);
}

}  // namespace glia
