// Convolutions: Conv2D, Conv1D, DepthwiseConv2D, SeparableConv2D and Conv2DTranspose.
// SPDX-License-Identifier: Apache-2.0
#include <glia/image_layers.h>
#include <host/layers/activation.h>  // defines: emit_activation
#include <host/layers/layer_node.h>
#include <host/layers/windows.h>

#include <utility>

namespace glia {
namespace {

/// A kernel or bias as the options of a layer give it.
Variable variable_of(const char* name, const Shape& shape, const InitializerName& initializer,
                     const RegularizerName& regularizer, const ConstraintName& constraint) {
  return {name, shape, initializer.value(), regularizer.value(), constraint.value()};
}

/// What a convolution's descriptors need beside the images.
struct Parts {
  View weights, weights_gradient;  ///< (window height, window width, channels / groups, filters)
  View bias, bias_gradient;        ///< empty: none
  Window window;
  std::int64_t groups = 1;
};

/// y = activation(convolution of x + bias), y's images of `shape`.
Emitted emit_convolution(Emitter& e, const View& x, const Shape& shape, const Parts& p,
                         const Activations& function) {
  op::Convolution forward{x, p.weights, e.temporary(shape.prepend(x.shape[0])), p.window, p.groups};
  forward.bias = p.bias;
  e.add(forward);
  const Emitted activation = emit_activation(e, function, forward.out);
  return {activation.output, [=](Emitter& e, const View& gradient, bool wants_input_gradient) {
            const View dz = activation.backward(e, gradient, true);
            View dx;
            if (wants_input_gradient) {
              dx = e.temporary(x.shape);
              e.add(op::ConvolutionTranspose{dz, p.weights, dx, p.window, p.groups});
            }
            op::ConvolutionWeights weights{x, dz, p.weights_gradient, p.window, p.groups};
            weights.bias_gradient = p.bias_gradient;
            e.add(weights);
            return dx;
          }};
}

/// The transpose of that.
Emitted emit_transpose(Emitter& e, const View& x, const Shape& shape, const Parts& p,
                       const Activations& function) {
  op::ConvolutionTranspose forward{x, p.weights, e.temporary(shape.prepend(x.shape[0])), p.window, p.groups};
  forward.bias = p.bias;
  e.add(forward);
  const Emitted activation = emit_activation(e, function, forward.out);
  return {activation.output, [=](Emitter& e, const View& gradient, bool wants_input_gradient) {
            const View dz = activation.backward(e, gradient, true);
            View dx;
            if (wants_input_gradient) {
              dx = e.temporary(x.shape);
              e.add(op::Convolution{dz, p.weights, dx, p.window, p.groups});
            }
            e.add(op::ConvolutionWeights{dz, x, p.weights_gradient, p.window, p.groups});
            if (p.bias_gradient) e.add(op::SumRows{dz.matrix(), p.bias_gradient});
            return dx;
          }};
}

void check_sizes(const char* type, Size2D kernel_size, Size2D strides, Size2D dilation) {
  const auto check = [type](const char* what, Size2D size) {
    GLIA_CHECK(size.height >= 1 && size.width >= 1, ValueError, type, " got ", what, " (", size.height, ", ",
               size.width, "), expected at least 1 each");
  };
  check("kernel_size", kernel_size), check("strides", strides), check("dilation_rate", dilation);
  GLIA_CHECK(strides == Size2D(1) || dilation == Size2D(1), ValueError, type, " got strides (",
             strides.height, ", ", strides.width, ") and dilation_rate (", dilation.height, ", ",
             dilation.width, "): one of them must be 1");
}

void check_at_least_one(const char* type, const char* what, int number) {
  GLIA_CHECK(number >= 1, ValueError, type, " got ", what, ' ', number, ", expected at least 1");
}

/// Checks what all these options have.
template <class Options>
void check_all_options(const Options& o) {
  check_options(o.activation), check_options(o.bias_initializer);
  check_options(o.bias_regularizer), check_options(o.bias_constraint);
  if constexpr (requires { o.kernel_initializer; }) {
    check_options(o.kernel_initializer), check_options(o.kernel_regularizer);
    check_options(o.kernel_constraint);
  } else {
    check_options(o.depthwise_initializer), check_options(o.depthwise_regularizer);
    check_options(o.depthwise_constraint);
  }
  if constexpr (requires { o.pointwise_initializer; }) {
    check_options(o.pointwise_initializer), check_options(o.pointwise_regularizer);
    check_options(o.pointwise_constraint);
  }
}

/// Rows (steps, channels) as images of one row. Throws ShapeError for others.
Shape steps_as_image(const LayerNode& node, const Shape& rows) {
  GLIA_CHECK(rows.rank() == 2 && rows.elements() > 0, ShapeError, "layer \"", node.name, "\" (", node.type(),
             ") needs rows of shape (steps, channels), got rows of shape ", rows);
  return {1, rows[0], rows[1]};
}

/// Conv2D, and Conv1D as images of one row.
class ConvolutionNode final : public LayerNode {
 public:
  ConvolutionNode(int filters, Size2D kernel_size, const Conv2DOptions& options, bool is_1d = false)
      : filters_(filters), kernel_size_(kernel_size), options_(options), is_1d_(is_1d) {}

  const char* type() const override { return is_1d_ ? "Conv1D" : "Conv2D"; }

  Shape build(const Shape& input_shape) override {
    const Shape image = is_1d_ ? steps_as_image(*this, input_shape) : input_shape;
    window_ = place_window(*this, image, kernel_size_, options_.strides, options_.dilation_rate,
                           options_.padding.value());
    const std::int64_t channels = image.back(), groups = options_.groups;
    GLIA_CHECK(channels % groups == 0, ShapeError, "layer \"", name, "\" (", type(), ") has ", groups,
               " groups, which do not divide the ", channels, " channels of its input ", input_shape);
    kernel_ = {kernel_size_.height, kernel_size_.width, channels / groups, filters_};
    const Shape kernel = is_1d_ ? kernel_.slice(1, 4) : kernel_;
    variables.clear();
    variables.push_back(variable_of("kernel", kernel, options_.kernel_initializer,
                                    options_.kernel_regularizer, options_.kernel_constraint));
    if (options_.use_bias)
      variables.push_back(variable_of("bias", {filters_}, options_.bias_initializer,
                                      options_.bias_regularizer, options_.bias_constraint));
    image_ = windowed_shape(image, window_, options_.padding.value(), filters_);
    return is_1d_ ? image_.slice(1, 3) : image_;
  }

  Emitted emit(Emitter& e, const View& x) const override {
    const Variable none{};
    const Variable &kernel = variables[0], &bias = options_.use_bias ? variables[1] : none;
    const Parts parts{kernel.value.reshaped(kernel_),
                      kernel.gradient.reshaped(kernel_),
                      bias.value,
                      bias.gradient,
                      window_,
                      options_.groups};
    if (!is_1d_) return emit_convolution(e, x, image_, parts, options_.activation.value());
    const View images = x.reshaped({x.shape[0], 1, x.shape[1], x.shape[2]});
    const Emitted emitted = emit_convolution(e, images, image_, parts, options_.activation.value());
    const Shape steps = output_shape.prepend(x.shape[0]);
    return {emitted.output.reshaped(steps),
            [emitted, shape = x.shape](Emitter& e, const View& gradient, bool wanted) {
              const View dx = emitted.backward(e, gradient.reshaped(emitted.output.shape), wanted);
              return wanted ? dx.reshaped(shape) : View{};
            }};
  }

 private:
  int filters_;
  Size2D kernel_size_;
  Conv2DOptions options_;
  bool is_1d_;
  Window window_;
  Shape kernel_, image_;
};

/// SeparableConv2D, and without its second half DepthwiseConv2D.
class DepthwiseNode final : public LayerNode {
 public:
  /// `filters` 0: depthwise alone.
  DepthwiseNode(int filters, Size2D kernel_size, const SeparableConv2DOptions& options)
      : filters_(filters), kernel_size_(kernel_size), options_(options) {}

  const char* type() const override { return filters_ > 0 ? "SeparableConv2D" : "DepthwiseConv2D"; }

  Shape build(const Shape& input_shape) override {
    const SeparableConv2DOptions& o = options_;
    window_ = place_window(*this, input_shape, kernel_size_, o.strides, o.dilation_rate, o.padding.value());
    channels_ = input_shape.back();
    const std::int64_t depth = channels_ * o.depth_multiplier, filters = filters_ > 0 ? filters_ : depth;
    variables.clear();
    variables.push_back(variable_of(filters_ > 0 ? "depthwise_kernel" : "kernel",
                                    {kernel_size_.height, kernel_size_.width, channels_, o.depth_multiplier},
                                    o.depthwise_initializer, o.depthwise_regularizer,
                                    o.depthwise_constraint));
    if (filters_ > 0)
      variables.push_back(variable_of("pointwise_kernel", {1, 1, depth, filters}, o.pointwise_initializer,
                                      o.pointwise_regularizer, o.pointwise_constraint));
    if (o.use_bias)
      variables.push_back(
          variable_of("bias", {filters}, o.bias_initializer, o.bias_regularizer, o.bias_constraint));
    depthwise_shape_ = windowed_shape(input_shape, window_, o.padding.value(), depth);
    return windowed_shape(input_shape, window_, o.padding.value(), filters);
  }

  Emitted emit(Emitter& e, const View& x) const override {
    const Variable none{};
    const Variable &kernel = variables.front(), &bias = options_.use_bias ? variables.back() : none;
    // Each channel is a group, whose filters follow each other.
    const Shape shape{kernel_size_.height, kernel_size_.width, 1, depthwise_shape_.back()};
    Parts depthwise{
        kernel.value.reshaped(shape), kernel.gradient.reshaped(shape), {}, {}, window_, channels_};
    if (filters_ == 0) {
      depthwise.bias = bias.value, depthwise.bias_gradient = bias.gradient;
      return emit_convolution(e, x, depthwise_shape_, depthwise, options_.activation.value());
    }
    const Parts pointwise{variables[1].value, variables[1].gradient, bias.value, bias.gradient, Window{}, 1};
    const Emitted first = emit_convolution(e, x, depthwise_shape_, depthwise, Linear{});
    const Emitted second =
        emit_convolution(e, first.output, output_shape, pointwise, options_.activation.value());
    return {second.output, [first, second](Emitter& e, const View& gradient, bool wanted) {
              return first.backward(e, second.backward(e, gradient, true), wanted);
            }};
  }

 private:
  int filters_;
  Size2D kernel_size_;
  SeparableConv2DOptions options_;
  Window window_;
  std::int64_t channels_ = 0;
  Shape depthwise_shape_;
};

class TransposeNode final : public LayerNode {
 public:
  TransposeNode(int filters, Size2D kernel_size, const Conv2DTransposeOptions& options)
      : filters_(filters), kernel_size_(kernel_size), options_(options) {}

  const char* type() const override { return "Conv2DTranspose"; }

  Shape build(const Shape& input_shape) override {
    expect_image(*this, input_shape);
    const Conv2DTransposeOptions& o = options_;
    const bool same = std::holds_alternative<SamePadding>(o.padding.value());
    const auto enlarged = [same](std::int64_t in, int kernel, int stride, int dilation) {
      const std::int64_t span = (std::int64_t{kernel} - 1) * dilation + 1;
      return in * stride + (same || span < stride ? 0 : span - stride);
    };
    const Shape output{
        enlarged(input_shape[0], kernel_size_.height, o.strides.height, o.dilation_rate.height),
        enlarged(input_shape[1], kernel_size_.width, o.strides.width, o.dilation_rate.width), filters_};
    // The window goes over the output: the convolution of which this is the transpose gives the input.
    window_ = place_window(*this, output, kernel_size_, o.strides, o.dilation_rate, o.padding.value());
    variables.clear();
    variables.push_back(variable_of("kernel",
                                    {kernel_size_.height, kernel_size_.width, filters_, input_shape.back()},
                                    o.kernel_initializer, o.kernel_regularizer, o.kernel_constraint));
    if (o.use_bias)
      variables.push_back(
          variable_of("bias", {filters_}, o.bias_initializer, o.bias_regularizer, o.bias_constraint));
    return output;
  }

  Emitted emit(Emitter& e, const View& x) const override {
    const Variable none{};
    const Variable &kernel = variables[0], &bias = options_.use_bias ? variables[1] : none;
    return emit_transpose(e, x, output_shape,
                          {kernel.value, kernel.gradient, bias.value, bias.gradient, window_, 1},
                          options_.activation.value());
  }

 private:
  int filters_;
  Size2D kernel_size_;
  Conv2DTransposeOptions options_;
  Window window_;
};

/// The options of Conv1D as those of a Conv2D over images of one row.
Conv2DOptions along_rows(const Conv1DOptions& o) {
  Conv2DOptions options;
  options.strides = {1, o.strides}, options.dilation_rate = {1, o.dilation_rate};
  options.padding = o.padding, options.groups = o.groups, options.activation = o.activation;
  options.use_bias = o.use_bias;
  options.kernel_initializer = o.kernel_initializer, options.bias_initializer = o.bias_initializer;
  options.kernel_regularizer = o.kernel_regularizer, options.bias_regularizer = o.bias_regularizer;
  options.kernel_constraint = o.kernel_constraint, options.bias_constraint = o.bias_constraint;
  return options;
}

/// The options of DepthwiseConv2D as those of a SeparableConv2D.
SeparableConv2DOptions without_pointwise(const DepthwiseConv2DOptions& o) {
  SeparableConv2DOptions options;
  options.strides = o.strides, options.padding = o.padding, options.dilation_rate = o.dilation_rate;
  options.depth_multiplier = o.depth_multiplier;
  options.activation = o.activation, options.use_bias = o.use_bias;
  options.depthwise_initializer = o.depthwise_initializer, options.bias_initializer = o.bias_initializer;
  options.depthwise_regularizer = o.depthwise_regularizer, options.bias_regularizer = o.bias_regularizer;
  options.depthwise_constraint = o.depthwise_constraint, options.bias_constraint = o.bias_constraint;
  return options;
}

void check_groups(const char* type, int filters, int groups) {
  check_at_least_one(type, "groups", groups);
  GLIA_CHECK(filters % groups == 0, ValueError, type, " got ", filters, " filters and ", groups,
             " groups, which do not divide them");
}

}  // namespace

Conv2D::Conv2D(int filters, Size2D kernel_size, const Conv2DOptions& options)
    : Layer(std::make_shared<ConvolutionNode>(filters, kernel_size, options)) {
  check_at_least_one("Conv2D", "filters", filters);
  check_sizes("Conv2D", kernel_size, options.strides, options.dilation_rate);
  check_groups("Conv2D", filters, options.groups);
  check_all_options(options);
  node().name = options.name;
  node().declare_input_shape(options.input_shape);
}

Conv1D::Conv1D(int filters, int kernel_size, const Conv1DOptions& options)
    : Layer(std::make_shared<ConvolutionNode>(filters, Size2D(1, kernel_size), along_rows(options), true)) {
  check_at_least_one("Conv1D", "filters", filters);
  check_sizes("Conv1D", kernel_size, options.strides, options.dilation_rate);
  check_groups("Conv1D", filters, options.groups);
  check_all_options(options);
  node().name = options.name;
  node().declare_input_shape(options.input_shape);
}

Conv2DTranspose::Conv2DTranspose(int filters, Size2D kernel_size, const Conv2DTransposeOptions& options)
    : Layer(std::make_shared<TransposeNode>(filters, kernel_size, options)) {
  check_at_least_one("Conv2DTranspose", "filters", filters);
  check_sizes("Conv2DTranspose", kernel_size, options.strides, options.dilation_rate);
  check_all_options(options);
  node().name = options.name;
  node().declare_input_shape(options.input_shape);
}

DepthwiseConv2D::DepthwiseConv2D(Size2D kernel_size, const DepthwiseConv2DOptions& options)
    : Layer(std::make_shared<DepthwiseNode>(0, kernel_size, without_pointwise(options))) {
  check_at_least_one("DepthwiseConv2D", "depth_multiplier", options.depth_multiplier);
  check_sizes("DepthwiseConv2D", kernel_size, options.strides, options.dilation_rate);
  check_all_options(options);
  node().name = options.name;
  node().declare_input_shape(options.input_shape);
}

SeparableConv2D::SeparableConv2D(int filters, Size2D kernel_size, const SeparableConv2DOptions& options)
    : Layer(std::make_shared<DepthwiseNode>(filters, kernel_size, options)) {
  check_at_least_one("SeparableConv2D", "filters", filters);
  check_at_least_one("SeparableConv2D", "depth_multiplier", options.depth_multiplier);
  check_sizes("SeparableConv2D", kernel_size, options.strides, options.dilation_rate);
  check_all_options(options);
  node().name = options.name;
  node().declare_input_shape(options.input_shape);
}

}  // namespace glia
