// Convolutions: Conv2D, Conv1D, DepthwiseConv2D and SeparableConv2D.
// SPDX-License-Identifier: Apache-2.0
#include <glia/image_layers.h>
#include <host/layers/activation.h>  // defines: emit_activation
#include <host/layers/convolution_parts.h>
#include <host/layers/layer_classes.h>
#include <host/layers/layer_node.h>
#include <host/layers/options.h>

#include <utility>
#include <vector>

namespace glia {
namespace {

/// y = activation(convolution of x + bias), y's images of `shape`.
Emitted emit_convolution(Emitter& e, const View& x, const Shape& shape, const Parts& p,
                         const Activations& function) {
  const View weights = e.value(p.kernel).reshaped(p.weights);
  op::Convolution forward{x, weights, e.temporary(shape.prepend(x.shape[0])), p.window, p.groups};
  if (p.bias) forward.bias = e.value(*p.bias);
  e.add(forward);
  const Emitted activation = emit_activation(e, function, forward.out);
  return {activation.output, [=](Emitter& e, const View& gradient, bool wants_input_gradient) {
            const View dz = activation.backward(e, gradient, true);
            View dx;
            if (wants_input_gradient) {
              dx = e.temporary(x.shape);
              e.add(op::ConvolutionTranspose{dz, weights, dx, p.window, p.groups});
            }
            if (!e.trains(p.kernel)) return dx;
            op::ConvolutionWeights back{x, dz, e.gradient(p.kernel).reshaped(p.weights), p.window, p.groups};
            if (p.bias) back.bias_gradient = e.gradient(*p.bias);
            e.add(back);
            return dx;
          }};
}

/// Rows (steps, channels) as images of one row. Throws ShapeError for others.
Shape steps_as_image(const LayerNode& node, const Shape& rows) {
  GLIA_CHECK(rows.rank() == 2 && rows.elements() > 0, ShapeError, "layer \"", node.name, "\" (", node.type(),
             ") needs rows of shape (steps, channels), got rows of shape ", rows);
  return {1, rows[0], rows[1]};
}

void list(Config& config, int& filters, Size2D& kernel_size, Conv2DOptions& options, bool is_1d) {
  config.one_axis = is_1d;
  config.needed("filters", filters), config.needed("kernel_size", kernel_size);
  list_window(config, options), list_weights(config, options);
}

/// Conv2D, and Conv1D as images of one row.
class ConvolutionNode final : public SimpleLayer {
 public:
  ConvolutionNode(int filters, Size2D kernel_size, const Conv2DOptions& options, bool is_1d = false)
      : filters_(filters), kernel_size_(kernel_size), options_(options), is_1d_(is_1d) {}

  const char* type() const override { return is_1d_ ? "Conv1D" : "Conv2D"; }
  void describe(Config& config) override { list(config, filters_, kernel_size_, options_, is_1d_); }
  bool can_train() const override { return true; }

  Shape shape_for(const Shape& input_shape) const override {
    const Shape image = is_1d_ ? steps_as_image(*this, input_shape) : input_shape;
    const Window window = window_over(image);
    const std::int64_t channels = image.back(), groups = options_.groups;
    GLIA_CHECK(channels % groups == 0, ShapeError, "layer \"", name, "\" (", type(), ") has ", groups,
               " groups, which do not divide the ", channels, " channels of its input ", input_shape);
    const Shape output = windowed_shape(image, window, options_.padding.value(), filters_);
    return is_1d_ ? output.slice(1, 3) : output;
  }

  std::vector<Variable> weights_for(const Shape& input_shape) const override {
    const Shape kernel = kernel_for(input_shape.back());
    std::vector<Variable> weights{variable_of("kernel", is_1d_ ? kernel.slice(1, 4) : kernel,
                                              options_.kernel_initializer, options_.kernel_regularizer,
                                              options_.kernel_constraint)};
    if (options_.use_bias)
      weights.push_back(variable_of("bias", {filters_}, options_.bias_initializer, options_.bias_regularizer,
                                    options_.bias_constraint));
    return weights;
  }

  Emitted emit(Emitter& e, const View& x) const override {
    const View images = is_1d_ ? x.reshaped({x.shape[0], 1, x.shape[1], x.shape[2]}) : x;
    const Shape image = images.shape.row();
    const Parts parts{variables[0], options_.use_bias ? &variables[1] : nullptr, kernel_for(image.back()),
                      window_over(image), options_.groups};
    const Emitted emitted =
        emit_convolution(e, images, windowed_shape(image, parts.window, options_.padding.value(), filters_),
                         parts, options_.activation.value());
    if (!is_1d_) return emitted;
    return {emitted.output.reshaped(shape_for(x.shape.row()).prepend(x.shape[0])),
            [emitted, shape = x.shape](Emitter& e, const View& gradient, bool wanted) {
              const View dx = emitted.backward(e, gradient.reshaped(emitted.output.shape), wanted);
              return wanted ? dx.reshaped(shape) : View{};
            }};
  }

 private:
  Window window_over(const Shape& image) const {
    return place_window(*this, image, kernel_size_, options_.strides, options_.dilation_rate,
                        options_.padding.value());
  }
  Shape kernel_for(std::int64_t channels) const {
    return {kernel_size_.height, kernel_size_.width, channels / options_.groups, filters_};
  }

  int filters_;
  Size2D kernel_size_;
  Conv2DOptions options_;
  bool is_1d_;
};

/// Of SeparableConv2D the `filters`, which DepthwiseConv2D has not: null.
void list(Config& config, int* filters, Size2D& kernel_size, SeparableConv2DOptions& options) {
  if (filters) config.needed("filters", *filters);
  config.needed("kernel_size", kernel_size);
  list_window(config, options);
  if (filters) {
    config.field("pointwise_initializer", options.pointwise_initializer);
    config.field("pointwise_regularizer", options.pointwise_regularizer);
    config.field("pointwise_constraint", options.pointwise_constraint);
  }
  list_weights(config, options);
}

/// SeparableConv2D, and without its second half DepthwiseConv2D.
class DepthwiseNode final : public SimpleLayer {
 public:
  /// `filters` 0: depthwise alone.
  DepthwiseNode(int filters, Size2D kernel_size, const SeparableConv2DOptions& options)
      : filters_(filters), kernel_size_(kernel_size), options_(options) {}

  const char* type() const override { return filters_ > 0 ? "SeparableConv2D" : "DepthwiseConv2D"; }
  void describe(Config& config) override {
    list(config, filters_ > 0 ? &filters_ : nullptr, kernel_size_, options_);
  }
  bool can_train() const override { return true; }

  Shape shape_for(const Shape& input_shape) const override {
    return windowed(input_shape, filters_ > 0 ? filters_ : depth_of(input_shape));
  }

  std::vector<Variable> weights_for(const Shape& input_shape) const override {
    const SeparableConv2DOptions& o = options_;
    const std::int64_t depth = depth_of(input_shape), filters = filters_ > 0 ? filters_ : depth;
    std::vector<Variable> weights{
        variable_of(filters_ > 0 ? "depthwise_kernel" : "kernel",
                    {kernel_size_.height, kernel_size_.width, input_shape.back(), o.depth_multiplier},
                    o.depthwise_initializer, o.depthwise_regularizer, o.depthwise_constraint)};
    if (filters_ > 0)
      weights.push_back(variable_of("pointwise_kernel", {1, 1, depth, filters}, o.pointwise_initializer,
                                    o.pointwise_regularizer, o.pointwise_constraint));
    if (o.use_bias)
      weights.push_back(
          variable_of("bias", {filters}, o.bias_initializer, o.bias_regularizer, o.bias_constraint));
    return weights;
  }

  Emitted emit(Emitter& e, const View& x) const override {
    const Shape image = x.shape.row();
    const std::int64_t depth = depth_of(image);
    const Variable* const bias = options_.use_bias ? &variables.back() : nullptr;
    // Each channel is a group, whose filters follow each other.
    const Parts depthwise{variables.front(),
                          filters_ == 0 ? bias : nullptr,
                          {kernel_size_.height, kernel_size_.width, 1, depth},
                          window_over(image),
                          image.back()};
    const Shape between = windowed(image, depth);
    if (filters_ == 0) return emit_convolution(e, x, between, depthwise, options_.activation.value());
    const Parts pointwise{variables[1], bias, {1, 1, depth, filters_}, Window{}, 1};
    const Emitted first = emit_convolution(e, x, between, depthwise, Linear{});
    const Emitted second =
        emit_convolution(e, first.output, shape_for(image), pointwise, options_.activation.value());
    return {second.output, [first, second](Emitter& e, const View& gradient, bool wanted) {
              return first.backward(e, second.backward(e, gradient, true), wanted);
            }};
  }

 private:
  Window window_over(const Shape& image) const {
    return place_window(*this, image, kernel_size_, options_.strides, options_.dilation_rate,
                        options_.padding.value());
  }
  Shape windowed(const Shape& image, std::int64_t channels) const {
    return windowed_shape(image, window_over(image), options_.padding.value(), channels);
  }
  std::int64_t depth_of(const Shape& image) const { return image.back() * options_.depth_multiplier; }

  int filters_;
  Size2D kernel_size_;
  SeparableConv2DOptions options_;
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

std::shared_ptr<LayerNode> convolution(int filters, Size2D kernel_size, const Conv2DOptions& options,
                                       bool is_1d) {
  const char* const type = is_1d ? "Conv1D" : "Conv2D";
  check_at_least_one(type, "filters", filters);
  check_sizes(type, kernel_size, options.strides, options.dilation_rate);
  check_groups(type, filters, options.groups);
  check_all_options(options);
  return make_node<ConvolutionNode>(filters, kernel_size, options, is_1d);
}

std::shared_ptr<LayerNode> depthwise(const char* type, int filters, Size2D kernel_size,
                                     const SeparableConv2DOptions& options) {
  check_at_least_one(type, "depth_multiplier", options.depth_multiplier);
  check_sizes(type, kernel_size, options.strides, options.dilation_rate);
  check_all_options(options);
  return make_node<DepthwiseNode>(filters, kernel_size, options);
}

std::shared_ptr<LayerNode> separable(int filters, Size2D kernel_size, const SeparableConv2DOptions& options) {
  check_at_least_one("SeparableConv2D", "filters", filters);
  return depthwise("SeparableConv2D", filters, kernel_size, options);
}

Layer read_convolution(Config& config, bool is_1d) {
  int filters = 0;
  Size2D kernel_size = 0;
  Conv2DOptions options;
  list(config, filters, kernel_size, options, is_1d);
  return Layer(convolution(filters, kernel_size, options, is_1d));
}

Layer read_depthwise(Config& config, bool is_separable) {
  int filters = 0;
  Size2D kernel_size = 0;
  SeparableConv2DOptions options;
  list(config, is_separable ? &filters : nullptr, kernel_size, options);
  return Layer(is_separable ? separable(filters, kernel_size, options)
                            : depthwise("DepthwiseConv2D", 0, kernel_size, options));
}

constexpr LayerClass classes[] = {
    {"Conv1D", [](Config& config) { return read_convolution(config, true); }},
    {"Conv2D", [](Config& config) { return read_convolution(config, false); }},
    {"DepthwiseConv2D", [](Config& config) { return read_depthwise(config, false); }},
    {"SeparableConv2D", [](Config& config) { return read_depthwise(config, true); }},
};

}  // namespace

LayerClasses convolution_classes() { return classes; }

Conv2D::Conv2D(int filters, Size2D kernel_size, const Conv2DOptions& options)
    : Layer(convolution(filters, kernel_size, options, false)) {
  finish(node(), options);
}

Conv1D::Conv1D(int filters, int kernel_size, const Conv1DOptions& options)
    : Layer(convolution(filters, Size2D(1, kernel_size), along_rows(options), true)) {
  finish(node(), options);
}

DepthwiseConv2D::DepthwiseConv2D(Size2D kernel_size, const DepthwiseConv2DOptions& options)
    : Layer(depthwise("DepthwiseConv2D", 0, kernel_size, without_pointwise(options))) {
  finish(node(), options);
}

SeparableConv2D::SeparableConv2D(int filters, Size2D kernel_size, const SeparableConv2DOptions& options)
    : Layer(separable(filters, kernel_size, options)) {
  finish(node(), options);
}

}  // namespace glia
