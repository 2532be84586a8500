// Activation, as a layer and as the end of another.
// SPDX-License-Identifier: Apache-2.0
#include <glia/layers.h>
#include <host/layers/activation.h>
#include <host/layers/layer_classes.h>
#include <host/layers/layer_node.h>
#include <host/layers/options.h>

#include <cmath>
#include <type_traits>
#include <variant>

namespace glia {
namespace {

Emitted emit_function(Emitter& e, const Linear&, const View& z) {
  static_cast<void>(e);
  return {z, [](Emitter&, const View& gradient, bool) { return gradient; }};
}

Emitted emit_function(Emitter& e, const Step& step, const View& z) {
  const View y = e.temporary(z.shape);
  e.add(op::Map{step, z, y});
  return {y, [](Emitter&, const View&, bool wanted) {
            GLIA_CHECK(
                !wanted, StateError,
                "the activation \"step\" has a slope of 0 everywhere, so nothing before it can be trained: "
                "use \"sigmoid\" while training, or set the weights with set_weights and predict");
            return View{};
          }};
}

Emitted emit_softmax(Emitter& e, const View& z, bool logarithm) {
  const View y = e.temporary(z.shape);
  e.add(op::SoftmaxRows{z.matrix(), y.matrix(), logarithm});
  return {y, [y, logarithm](Emitter& e, const View& gradient, bool wanted) {
            if (!wanted) return View{};
            const View in_gradient = e.temporary(y.shape);
            e.add(op::SoftmaxGradient{y.matrix(), gradient.matrix(), in_gradient.matrix(), logarithm});
            return in_gradient;
          }};
}
Emitted emit_function(Emitter& e, const Softmax&, const View& z) { return emit_softmax(e, z, false); }
Emitted emit_function(Emitter& e, const LogSoftmax&, const View& z) { return emit_softmax(e, z, true); }

template <class Function>
Emitted emit_function(Emitter& e, const Function& function, const View& z) {
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

/// A function as a layer; `Functions` is a family that has it.
template <class Functions>
class ActivationNode final : public SimpleLayer {
 public:
  ActivationNode(const char* type, const Functions& function) : type_(type), function_(function) {}

  const char* type() const override { return type_; }
  bool keeps_mask() const override { return true; }
  void describe(Config& config) override {
    if constexpr (std::is_same_v<Functions, Activations>) {
      ActivationName function("linear");
      function.value() = function_;
      config.field("activation", function);
    } else {
      std::visit([&](auto& function) { list_function(config, function); }, function_);
    }
  }
  Shape shape_for(const Shape& input_shape) const override {
    const bool by_row = std::visit(
        [](const auto& f) {
          return std::is_same_v<std::decay_t<decltype(f)>, Softmax> ||
                 std::is_same_v<std::decay_t<decltype(f)>, LogSoftmax>;
        },
        function_);
    GLIA_CHECK(!by_row || input_shape.rank() > 0, ShapeError, "layer \"", name,
               "\": softmax needs rows with at least one dimension, got ", input_shape);
    return input_shape;
  }
  Emitted emit(Emitter& emitter, const View& x) const override {
    return std::visit([&](const auto& f) { return emit_function(emitter, f, x); }, function_);
  }

 private:
  const char* type_;
  Functions function_;
};

template <class Function>
std::shared_ptr<LayerNode> function_layer(const char* type, const Function& function,
                                          const std::string& name) {
  if constexpr (requires { function.invalid(); }) {
    const std::string reason = function.invalid();
    GLIA_CHECK(reason.empty(), ValueError, reason);
  }
  auto node = make_node<ActivationNode<ElementwiseActivation>>(type, function);
  node->name = name;
  return node;
}

class PReLUNode final : public SimpleLayer {
 public:
  explicit PReLUNode(const PReLUOptions& options) : options_(options) {}

  const char* type() const override { return "PReLU"; }
  bool keeps_mask() const override { return true; }
  void describe(Config& config) override { list_weights(config, options_); }
  bool can_train() const override { return true; }
  Shape shape_for(const Shape& input_shape) const override { return input_shape; }
  std::vector<Variable> weights_for(const Shape& input_shape) const override {
    return {{"alpha", input_shape, options_.alpha_initializer.value(), options_.alpha_regularizer.value(),
             options_.alpha_constraint.value()}};
  }
  Emitted emit(Emitter& e, const View& x) const override {
    const View in = x.reshaped({x.shape[0], x.elements() / x.shape[0]}), y = e.temporary(x.shape);
    const View alpha = e.value(variables[0]);
    e.add(op::Prelu{in, alpha, y.reshaped(in.shape)});
    return {y, [=, this, shape = x.shape](Emitter& e, const View& gradient, bool wanted) {
              const View alpha_gradient = e.gradient(variables[0]);
              if (!wanted && !alpha_gradient) return View{};
              const View dx = wanted ? e.temporary(shape) : View{};
              e.add(op::PreluGradient{in, alpha, gradient.reshaped(in.shape),
                                      wanted ? dx.reshaped(in.shape) : View{}, alpha_gradient});
              return dx;
            }};
  }

 private:
  PReLUOptions options_;
};

/// A formula's.
template <class Function>
Layer element_class(Config& config, const char* type) {
  Function function;
  list_function(config, function);
  return element_layer(type, function);
}

constexpr LayerClass classes[] = {
    {"Activation",
     [](Config& config) -> Layer {
       ActivationName function("linear");
       config.needed("activation", function);
       return Activation(function);
     }},
    {"ReLU",
     [](Config& config) -> Layer {
       ReLUOptions options;
       list_function(config, options);
       return ReLU(options);
     }},
    {"LeakyReLU",
     [](Config& config) -> Layer {
       LeakyRelu function{0.3};
       list_function(config, function);
       return LeakyReLU(function.negative_slope);
     }},
    {"ELU",
     [](Config& config) -> Layer {
       Elu function;
       list_function(config, function);
       return ELU(function.alpha);
     }},
    {"PReLU",
     [](Config& config) -> Layer {
       PReLUOptions options;
       list_weights(config, options);
       return PReLU(options);
     }},
    {"Rescaling",
     [](Config& config) -> Layer {
       double scale = 1, offset = 0;
       config.needed("scale", scale), config.field("offset", offset);
       return Rescaling(scale, offset);
     }},
    {"Exp", [](Config& config) { return element_class<Exponential>(config, "Exp"); }},
    {"Log", [](Config& config) { return element_class<Log>(config, "Log"); }},
    {"Sqrt", [](Config& config) { return element_class<Sqrt>(config, "Sqrt"); }},
    {"Abs", [](Config& config) { return element_class<Abs>(config, "Abs"); }},
    {"Square", [](Config& config) { return element_class<Square>(config, "Square"); }},
    {"Power", [](Config& config) { return element_class<Power>(config, "Power"); }},
};

}  // namespace

LayerClasses activation_classes() { return classes; }

Emitted emit_activation(Emitter& emitter, const Activations& function, const View& z) {
  return std::visit([&](const auto& f) { return emit_function(emitter, f, z); }, function);
}

Layer element_layer(const char* type, const ElementwiseActivation& function) {
  return Layer(make_node<ActivationNode<ElementwiseActivation>>(type, function));
}

Activation::Activation(const ActivationName& function, const Shape& input_shape, const std::string& name)
    : Layer(make_node<ActivationNode<Activations>>("Activation", function.value())) {
  check_options(function);
  node().name = name;
  node().declare_input_shape(input_shape);
}

ReLU::ReLU(const ReLUOptions& o)
    : Layer(o.max_value == HUGE_VAL && o.negative_slope == 0 && o.threshold == 0
                ? function_layer("ReLU", Relu{}, o.name)
                : function_layer("ReLU", BoundedRelu{o.max_value, o.negative_slope, o.threshold}, o.name)) {}

LeakyReLU::LeakyReLU(double negative_slope, const std::string& name)
    : Layer(function_layer("LeakyReLU", LeakyRelu{negative_slope}, name)) {}

ELU::ELU(double alpha, const std::string& name) : Layer(function_layer("ELU", Elu{alpha}, name)) {}

PReLU::PReLU(const PReLUOptions& options) : Layer(make_node<PReLUNode>(options)) {
  check_options(options.alpha_initializer), check_options(options.alpha_regularizer);
  check_options(options.alpha_constraint);
  node().name = options.name, node().trainable = options.trainable;
}

Rescaling::Rescaling(double scale, double offset, const std::string& name)
    : Layer(function_layer("Rescaling", Rescale{scale, offset}, name)) {
  GLIA_CHECK(std::isfinite(scale) && std::isfinite(offset), ValueError, "Rescaling got scale ", scale,
             " and offset ", offset, ", expected finite numbers");
}

}  // namespace glia
