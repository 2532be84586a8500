// Dense: y = activation(x kernel + bias) along the last axis.
// SPDX-License-Identifier: Apache-2.0
#include <glia/layers.h>
#include <host/layers/activation.h>  // defines: emit_activation
#include <host/layers/layer_classes.h>
#include <host/layers/layer_node.h>
#include <host/layers/options.h>

namespace glia {
namespace {

void list(Config& config, int& units, DenseOptions& options) {
  config.needed("units", units);
  list_weights(config, options);
}

class DenseNode final : public SimpleLayer {
 public:
  DenseNode(int units, const DenseOptions& options) : units_(units), options_(options) {}

  const char* type() const override { return "Dense"; }
  bool keeps_mask() const override { return true; }
  void describe(Config& config) override { list(config, units_, options_); }
  bool can_train() const override { return true; }

  Shape shape_for(const Shape& input_shape) const override {
    GLIA_CHECK(input_shape.rank() >= 1 && input_shape.back() >= 1, ShapeError, "layer \"", name,
               "\" (Dense) needs rows whose last dimension is at least 1, got rows of shape ", input_shape,
               ": give input_shape, or data of shape (rows, features)");
    Shape output = input_shape;
    output[output.rank() - 1] = units_;
    return output;
  }

  std::vector<Variable> weights_for(const Shape& input_shape) const override {
    std::vector<Variable> weights{{"kernel",
                                   {input_shape.back(), units_},
                                   options_.kernel_initializer.value(),
                                   options_.kernel_regularizer.value(),
                                   options_.kernel_constraint.value()}};
    if (options_.use_bias)
      weights.push_back({"bias",
                         {units_},
                         options_.bias_initializer.value(),
                         options_.bias_regularizer.value(),
                         options_.bias_constraint.value()});
    return weights;
  }

  /// x (..., in), kernel (in, units), bias (units,) -> (..., units).
  Emitted emit(Emitter& e, const View& x) const override {
    const View kernel = e.value(variables[0]);
    Shape shape = x.shape;
    shape[shape.rank() - 1] = units_;
    const View z = e.temporary(shape);
    op::Matmul product{x.matrix(), kernel, z.matrix()};
    if (options_.use_bias) product.bias = e.value(variables[1]);
    e.add(product);
    const Emitted activation = emit_activation(e, options_.activation.value(), z);
    return {activation.output, [=, this](Emitter& e, const View& gradient, bool wants_input_gradient) {
              const View dz = activation.backward(e, gradient, true);
              View dx;
              if (wants_input_gradient) {  // dx = dz kernel^T
                dx = e.temporary(x.shape);
                e.add(op::Matmul{dz.matrix(), kernel.transposed(), dx.matrix()});
              }
              if (!e.trains(variables[0])) return dx;
              // dkernel = x^T dz, dbias = sum over rows of dz
              op::Matmul weights{x.matrix().transposed(), dz.matrix(), e.gradient(variables[0])};
              if (options_.use_bias) weights.bias_gradient = e.gradient(variables[1]);
              e.add(weights);
              return dx;
            }};
  }

 private:
  int units_;
  DenseOptions options_;
};

Shape input_shape_of(const DenseOptions& options) {
  if (options.input_dim == 0) return options.input_shape;
  GLIA_CHECK(options.input_dim > 0, ValueError, "Dense got input_dim ", options.input_dim,
             ", expected at least 1");
  GLIA_CHECK(options.input_shape.empty() || options.input_shape == Shape{options.input_dim}, ValueError,
             "Dense got input_dim ", options.input_dim, " and input_shape ", options.input_shape,
             ", which differ: give one of them");
  return {options.input_dim};
}

constexpr LayerClass classes[] = {{"Dense", [](Config& config) -> Layer {
                                     int units = 0;
                                     DenseOptions options;
                                     list(config, units, options);
                                     config.field("input_dim", options.input_dim);
                                     return Dense(units, options);
                                   }}};

}  // namespace

LayerClasses dense_classes() { return classes; }

Dense::Dense(int units, const DenseOptions& options) : Layer(make_node<DenseNode>(units, options)) {
  GLIA_CHECK(units >= 1, ValueError, "Dense got ", units, " units, expected at least 1");
  check_options(options.activation), check_options(options.kernel_initializer);
  check_options(options.bias_initializer), check_options(options.kernel_regularizer);
  check_options(options.bias_regularizer), check_options(options.kernel_constraint);
  check_options(options.bias_constraint);
  node().name = options.name, node().trainable = options.trainable;
  node().declare_input_shape(input_shape_of(options));
}

}  // namespace glia
