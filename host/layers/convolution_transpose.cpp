// Conv2DTranspose: a convolution from its output to its input.
// SPDX-License-Identifier: Apache-2.0
#include <glia/image_layers.h>
#include <host/base/memory.h>        // defines: checked_elements
#include <host/layers/activation.h>  // defines: emit_activation
#include <host/layers/convolution_parts.h>
#include <host/layers/layer_classes.h>
#include <host/layers/layer_node.h>
#include <host/layers/options.h>

#include <vector>

namespace glia {
namespace {

/// y = activation(transpose of the convolution of x + bias), y's images of `shape`.
Emitted emit_transpose(Emitter& e, const View& x, const Shape& shape, const Parts& p,
                       const Activations& function) {
  const View weights = e.value(p.kernel).reshaped(p.weights);
  op::ConvolutionTranspose forward{x, weights, e.temporary(shape.prepend(x.shape[0])), p.window, p.groups};
  if (p.bias) forward.bias = e.value(*p.bias);
  e.add(forward);
  const Emitted activation = emit_activation(e, function, forward.out);
  return {
      activation.output, [=](Emitter& e, const View& gradient, bool wants_input_gradient) {
        const View dz = activation.backward(e, gradient, true);
        View dx;
        if (wants_input_gradient) {
          dx = e.temporary(x.shape);
          e.add(op::Convolution{dz, weights, dx, p.window, p.groups});
        }
        if (!e.trains(p.kernel)) return dx;
        e.add(op::ConvolutionWeights{dz, x, e.gradient(p.kernel).reshaped(p.weights), p.window, p.groups});
        if (p.bias)
          e.add(op::Reduce::of_rows(dz.matrix(), e.gradient(*p.bias),
                                    [&](const Shape& room) { return e.temporary(room, DType::float64); }));
        return dx;
      }};
}

void list(Config& config, int& filters, Size2D& kernel_size, Conv2DTransposeOptions& options) {
  config.needed("filters", filters), config.needed("kernel_size", kernel_size);
  list_window(config, options), list_weights(config, options);
}

class TransposeNode final : public SimpleLayer {
 public:
  TransposeNode(int filters, Size2D kernel_size, const Conv2DTransposeOptions& options)
      : filters_(filters), kernel_size_(kernel_size), options_(options) {}

  const char* type() const override { return "Conv2DTranspose"; }
  void describe(Config& config) override { list(config, filters_, kernel_size_, options_); }
  bool can_train() const override { return true; }

  Shape shape_for(const Shape& input_shape) const override {
    expect_image(*this, input_shape);
    const Conv2DTransposeOptions& o = options_;
    const bool same = std::holds_alternative<SamePadding>(o.padding.value());
    const auto enlarged = [same](std::int64_t in, int kernel, int stride, int dilation) {
      const std::int64_t span = (std::int64_t{kernel} - 1) * dilation + 1;
      checked_elements({in, stride, 2});  // throws where 64 bits do not hold what follows
      return in * stride + (same || span < stride ? 0 : span - stride);
    };
    const Shape output{
        enlarged(input_shape[0], kernel_size_.height, o.strides.height, o.dilation_rate.height),
        enlarged(input_shape[1], kernel_size_.width, o.strides.width, o.dilation_rate.width), filters_};
    window_over(output);  // for what it throws
    return output;
  }

  std::vector<Variable> weights_for(const Shape& input_shape) const override {
    const Conv2DTransposeOptions& o = options_;
    std::vector<Variable> weights{variable_of("kernel", kernel_for(input_shape.back()), o.kernel_initializer,
                                              o.kernel_regularizer, o.kernel_constraint)};
    if (o.use_bias)
      weights.push_back(
          variable_of("bias", {filters_}, o.bias_initializer, o.bias_regularizer, o.bias_constraint));
    return weights;
  }

  Emitted emit(Emitter& e, const View& x) const override {
    const Shape output = shape_for(x.shape.row());
    const Parts parts{variables[0], options_.use_bias ? &variables[1] : nullptr, kernel_for(x.shape.back()),
                      window_over(output), 1};
    return emit_transpose(e, x, output, parts, options_.activation.value());
  }

 private:
  /// The window goes over the output: the convolution of which this is the transpose gives the input.
  Window window_over(const Shape& output) const {
    return place_window(*this, output, kernel_size_, options_.strides, options_.dilation_rate,
                        options_.padding.value());
  }
  Shape kernel_for(std::int64_t channels) const {
    return {kernel_size_.height, kernel_size_.width, filters_, channels};
  }

  int filters_;
  Size2D kernel_size_;
  Conv2DTransposeOptions options_;
};

constexpr LayerClass classes[] = {
    {"Conv2DTranspose",
     [](Config& config) -> Layer {
       int filters = 0;
       Size2D kernel_size = 0;
       Conv2DTransposeOptions options;
       list(config, filters, kernel_size, options);
       return Conv2DTranspose(filters, kernel_size, options);
     }},
};

}  // namespace

LayerClasses transpose_classes() { return classes; }

Conv2DTranspose::Conv2DTranspose(int filters, Size2D kernel_size, const Conv2DTransposeOptions& options)
    : Layer(make_node<TransposeNode>(filters, kernel_size, options)) {
  check_at_least_one("Conv2DTranspose", "filters", filters);
  check_sizes("Conv2DTranspose", kernel_size, options.strides, options.dilation_rate);
  check_all_options(options);
  finish(node(), options);
}

}  // namespace glia
