// Normalisations: BatchNormalization, LayerNormalization, RMSNormalization and Normalization.
// SPDX-License-Identifier: Apache-2.0
#include <glia/layers.h>
#include <host/layers/formulas.h>  // defines: row_axis, contiguous_copy
#include <host/layers/layer_classes.h>
#include <host/layers/layer_node.h>
#include <host/layers/options.h>
#include <host/tensor/elements.h>  // defines: for_each_element

#include <algorithm>
#include <cmath>
#include <functional>

namespace glia {
namespace {

/// The last axis, over which all of them have a number each.
std::int64_t features_of(const LayerNode& node, const Shape& input_shape) {
  GLIA_CHECK(input_shape.rank() >= 1 && input_shape.back() >= 1, ShapeError, "layer \"", node.name, "\" (",
             node.type(), ") needs rows whose last dimension is at least 1, got rows of shape ", input_shape);
  return input_shape.back();
}

void check_epsilon(const char* type, double epsilon) {
  GLIA_CHECK(epsilon > 0 && std::isfinite(epsilon), ValueError, type, " got epsilon ", epsilon,
             ", expected a finite number above 0");
}

class BatchNormalizationNode final : public SimpleLayer {
 public:
  explicit BatchNormalizationNode(const BatchNormalizationOptions& options) : options_(options) {}

  const char* type() const override { return "BatchNormalization"; }
  bool keeps_mask() const override { return true; }
  void describe(Config& config) override { list_weights(config, options_); }
  bool can_train() const override { return options_.scale || options_.center; }
  Shape shape_for(const Shape& input_shape) const override {
    features_of(*this, input_shape);  // for what it throws
    return input_shape;
  }
  std::vector<Variable> weights_for(const Shape& input_shape) const override {
    const Shape shape{input_shape.back()};
    const BatchNormalizationOptions& o = options_;
    std::vector<Variable> weights;
    if (o.scale)
      weights.push_back({"gamma", shape, o.gamma_initializer.value(), o.gamma_regularizer.value(),
                         o.gamma_constraint.value()});
    if (o.center)
      weights.push_back(
          {"beta", shape, o.beta_initializer.value(), o.beta_regularizer.value(), o.beta_constraint.value()});
    weights.push_back({"moving_mean", shape, o.moving_mean_initializer.value(), {}, {}, false});
    weights.push_back({"moving_variance", shape, o.moving_variance_initializer.value(), {}, {}, false});
    return weights;
  }

  Emitted emit(Emitter& e, const View& x) const override { return emit_masked(e, x, {}); }
  Emitted emit_masked(Emitter& e, const View& x, const View& steps) const override {
    GLIA_CHECK(!steps || steps.elements() == x.elements() / x.shape.back(), ShapeError, "layer \"", name,
               "\" (BatchNormalization) got rows of shape ", x.shape.row(), " with a mask of shape ",
               steps.shape.row(), ", expected one of shape ", x.shape.slice(1, x.shape.rank() - 1),
               ": normalise before the dimensions between are made, or end the mask by a Reshape");
    const std::size_t moving = variables.size() - 2;
    const Variable* const gamma = options_.scale ? &variables[0] : nullptr;
    const Variable* const beta = options_.center ? &variables[moving - 1] : nullptr;
    const View scale = gamma ? e.value(*gamma) : View{}, offset = beta ? e.value(*beta) : View{};
    const bool trains = e.trains(*this);
    const View in = x.matrix(), y = e.temporary(x.shape);
    const std::int64_t chunks = op::chunks_of(in.shape[0]);
    const Shape sums{chunks, 2, in.shape[1]};
    const View mask = trains && steps ? steps.reshaped({in.shape[0]}) : View{};
    const std::int64_t numbers = op::BatchNorm::numbers_of_column(static_cast<bool>(mask));
    const View saved = trains ? e.temporary({numbers, in.shape[1]}) : View{};
    const View partials = trains ? e.temporary({chunks, numbers, in.shape[1]}) : View{};
    const View mean = e.value(variables[moving]), variance = e.value(variables[moving + 1]);
    e.add(op::BatchNorm{in, scale, offset, mean, variance, y.matrix(), saved, partials, options_.momentum,
                        options_.epsilon, trains && e.keeps_statistics(), false, mask});
    if (!trains) return {y, frozen_backward(x.shape, scale, mean, variance)};
    return {y, [=, shape = x.shape](Emitter& e, const View& gradient, bool wanted) {
              op::BatchNormGradient back{in, {}, scale, saved, {}, {}, {}, {}, mask};
              if (gamma) back.gamma_gradient = e.gradient(*gamma);
              if (beta) back.beta_gradient = e.gradient(*beta);
              const View dx = wanted ? e.temporary(shape) : View{};
              back.out_gradient = gradient.matrix(), back.partials = e.temporary(sums);
              if (wanted) back.in_gradient = dx.matrix();
              e.add(back);
              return dx;
            }};
  }

 private:
  /// A frozen one infers while it trains: dx = gradient * gamma / sqrt(variance + epsilon), which is what it makes of a
  /// gradient by a mean of 0 without beta.
  std::function<View(Emitter&, const View&, bool)> frozen_backward(const Shape& shape, const View& gamma,
                                                                   const View& mean,
                                                                   const View& variance) const {
    return [=, this](Emitter& e, const View& gradient, bool wanted) {
      if (!wanted) return View{};
      const View zeros = e.temporary(mean.shape), dx = e.temporary(shape);
      e.add(op::Fill{zeros, 0});
      e.add(op::BatchNorm{gradient.matrix(),
                          gamma,
                          {},
                          zeros,
                          variance,
                          dx.matrix(),
                          {},
                          {},
                          options_.momentum,
                          options_.epsilon,
                          false});
      return dx;
    };
  }

  BatchNormalizationOptions options_;
};

void list_layer_normalization(Config& config, LayerNormalizationOptions& options) {
  config.field("axis", options.axis);
  list_weights(config, options);
}

/// LayerNormalization, and without a mean RMSNormalization.
class LayerNormalizationNode final : public SimpleLayer {
 public:
  LayerNormalizationNode(const char* type, const LayerNormalizationOptions& options, bool centers)
      : type_(type), options_(options), centers_(centers) {}

  const char* type() const override { return type_; }
  bool keeps_mask() const override { return true; }
  void describe(Config& config) override {
    if (centers_)
      list_layer_normalization(config, options_);
    else
      config.field("epsilon", options_.epsilon);
  }
  bool can_train() const override { return options_.scale || options_.center; }
  Shape shape_for(const Shape& input_shape) const override {
    features_of(*this, input_shape);  // for what it throws
    axes_of(input_shape);
    return input_shape;
  }
  std::vector<Variable> weights_for(const Shape& input_shape) const override {
    Shape shape;
    for (const int axis : axes_of(input_shape)) shape.push_back(input_shape[axis]);
    std::vector<Variable> weights;
    if (options_.scale)
      weights.push_back({centers_ ? "gamma" : "scale", shape, options_.gamma_initializer.value()});
    if (options_.center) weights.push_back({"beta", shape, options_.beta_initializer.value()});
    return weights;
  }

  Emitted emit(Emitter& e, const View& x) const override {
    const Variable* const gamma = options_.scale ? &variables.front() : nullptr;
    const Variable* const beta = options_.center ? &variables.back() : nullptr;
    const auto flat = [](const View& v) { return v ? v.reshaped({v.elements()}) : v; };
    const View scale = flat(gamma ? e.value(*gamma) : View{}), offset = flat(beta ? e.value(*beta) : View{});
    const Order order = order_of(x.shape);
    const View in = to_matrix(e, x, order), y = e.temporary(in.shape), saved = e.temporary({in.shape[0], 3});
    e.add(op::LayerNorm{in, scale, offset, y, saved, options_.epsilon, centers_});
    const op::LayerNormGradient gradients{in, {}, scale, saved, {}, centers_};
    return {from_matrix(e, y, x.shape, order),
            [=, shape = x.shape](Emitter& e, const View& gradient, bool wanted) {
              const View dy = to_matrix(e, gradient, order);
              const View dgamma = flat(gamma ? e.gradient(*gamma) : View{});
              const View dbeta = flat(beta ? e.gradient(*beta) : View{});
              if (dgamma || dbeta) {
                const View partials = e.temporary({op::chunks_of(in.shape[0]), 2, in.shape[1]});
                e.add(op::LayerNormWeights{in, dy, saved, partials, dgamma, dbeta});
              }
              if (!wanted) return View{};
              op::LayerNormGradient back = gradients;
              const View dx = e.temporary(in.shape);
              back.out_gradient = dy, back.in_gradient = dx;
              e.add(back);
              return from_matrix(e, dx, shape, order);
            }};
  }

 private:
  /// The axes of a batch with those that are normalised behind the others, and how many elements these have.
  struct Order {
    Shape axes;
    std::int64_t width = 1;
    bool is_as_it_lies = true;
  };

  /// Of a row, ascending. Throws ValueError.
  std::vector<int> axes_of(const Shape& row) const {
    std::vector<int> axes;
    for (const int axis : options_.axis) axes.push_back(row_axis(*this, axis, row));
    std::sort(axes.begin(), axes.end());
    GLIA_CHECK(!axes.empty() && std::adjacent_find(axes.begin(), axes.end()) == axes.end(), ValueError,
               "layer \"", name, "\" (", type_, ") got ", axes.empty() ? "no axis" : "an axis twice",
               ", expected each axis that is to be normalised over once");
    return axes;
  }
  Order order_of(const Shape& batch) const {
    const std::vector<int> axes = axes_of(batch.row());
    Order order;
    for (int axis = 0; axis < batch.rank(); ++axis)
      if (std::find(axes.begin(), axes.end(), axis - 1) == axes.end()) order.axes.push_back(axis);
    for (const int axis : axes) {
      order.axes.push_back(axis + 1);
      order.width *= batch[axis + 1];
    }
    for (int i = 0; i < batch.rank(); ++i) order.is_as_it_lies = order.is_as_it_lies && order.axes[i] == i;
    return order;
  }
  static View to_matrix(Emitter& e, const View& x, const Order& order) {
    const View ordered = order.is_as_it_lies ? x : contiguous_copy(e, x.permuted(order.axes));
    return ordered.reshaped({order.width ? x.elements() / order.width : 0, order.width});
  }
  static View from_matrix(Emitter& e, const View& matrix, const Shape& batch, const Order& order) {
    if (order.is_as_it_lies) return matrix.reshaped(batch);
    Shape ordered = batch, back = batch;
    for (int i = 0; i < batch.rank(); ++i) {
      ordered[i] = batch[static_cast<int>(order.axes[i])];
      back[static_cast<int>(order.axes[i])] = i;
    }
    return contiguous_copy(e, matrix.reshaped(ordered).permuted(back));
  }

  const char* type_;
  LayerNormalizationOptions options_;
  bool centers_;
};

class NormalizationNode final : public SimpleLayer {
 public:
  const char* type() const override { return "Normalization"; }
  bool keeps_mask() const override { return true; }
  void describe(Config& config) override {
    std::vector<double> means(mean.begin(), mean.end()), variances(variance.begin(), variance.end());
    bool adapted = !given && !mean.empty();
    config.field("mean", means), config.field("variance", variances), config.field("adapted", adapted);
  }
  Shape shape_for(const Shape& input_shape) const override {
    const std::int64_t features = features_of(*this, input_shape);
    GLIA_CHECK(mean.empty() || is_for_all() || static_cast<std::int64_t>(mean.size()) == features, ShapeError,
               "layer \"", name, "\" (Normalization) ",
               given ? "was given mean and variance of " : "was adapted to ", mean.size(),
               " features, but its input has ", features);
    return input_shape;
  }
  std::vector<Variable> weights_for(const Shape& input_shape) const override {
    const Shape shape{input_shape.back()};
    return {{"mean", shape, Zeros{}, {}, {}, false, mean},
            {"variance", shape, Ones{}, {}, {}, false, variance}};
  }
  Emitted emit(Emitter& e, const View& x) const override {
    op::Standardize forward{x.matrix(), e.value(variables[0]), e.value(variables[1]), {}, false};
    const View y = e.temporary(x.shape);
    forward.out = y.matrix();
    e.add(forward);
    return {y, [forward](Emitter& e, const View& gradient, bool wanted) {
              if (!wanted) return View{};
              op::Standardize back = forward;
              const View dx = e.temporary(gradient.shape);
              back.in = gradient.matrix(), back.out = dx.matrix(), back.backward = true;
              e.add(back);
              return dx;
            }};
  }

  std::vector<float> mean, variance;  // as adapted, or as given: then also one for all features
  bool given = false;

 private:
  bool is_for_all() const { return given && mean.size() == 1; }
};

constexpr LayerClass classes[] = {
    {"BatchNormalization",
     [](Config& config) -> Layer {
       BatchNormalizationOptions options;
       list_weights(config, options);
       return BatchNormalization(options);
     }},
    {"LayerNormalization",
     [](Config& config) -> Layer {
       LayerNormalizationOptions options;
       list_layer_normalization(config, options);
       return LayerNormalization(options);
     }},
    {"RMSNormalization",
     [](Config& config) -> Layer {
       double epsilon = 1e-6;
       config.field("epsilon", epsilon);
       return RMSNormalization(epsilon);
     }},
    {"Normalization",
     [](Config& config) -> Layer {
       NormalizationOptions options;
       bool adapted = false;
       config.field("mean", options.mean), config.field("variance", options.variance);
       config.field("adapted", adapted);
       const Normalization layer(options);
       if (adapted) static_cast<NormalizationNode&>(layer.node()).given = false;
       return layer;
     }},
};

}  // namespace

LayerClasses normalization_classes() { return classes; }

BatchNormalization::BatchNormalization(const BatchNormalizationOptions& o)
    : Layer(make_node<BatchNormalizationNode>(o)) {
  check_epsilon("BatchNormalization", o.epsilon);
  GLIA_CHECK(o.momentum >= 0 && o.momentum <= 1, ValueError, "BatchNormalization got momentum ", o.momentum,
             ", expected one in [0, 1]");
  check_options(o.beta_initializer), check_options(o.gamma_initializer);
  check_options(o.moving_mean_initializer), check_options(o.moving_variance_initializer);
  check_options(o.beta_regularizer), check_options(o.gamma_regularizer);
  check_options(o.beta_constraint), check_options(o.gamma_constraint);
  node().name = o.name, node().trainable = o.trainable;
}

LayerNormalization::LayerNormalization(const LayerNormalizationOptions& options)
    : Layer(make_node<LayerNormalizationNode>("LayerNormalization", options, true)) {
  check_epsilon("LayerNormalization", options.epsilon);
  check_options(options.beta_initializer), check_options(options.gamma_initializer);
  node().name = options.name, node().trainable = options.trainable;
}

RMSNormalization::RMSNormalization(double epsilon, const std::string& name)
    : Layer(make_node<LayerNormalizationNode>(
          "RMSNormalization", LayerNormalizationOptions{.epsilon = epsilon, .center = false}, false)) {
  check_epsilon("RMSNormalization", epsilon);
  node().name = name;
}

Normalization::Normalization(const NormalizationOptions& o) : Layer(make_node<NormalizationNode>()) {
  node().name = o.name;
  GLIA_CHECK(o.mean.size() == o.variance.size(), ValueError, "Normalization got ", o.mean.size(),
             " numbers as mean and ", o.variance.size(), " as variance, expected as many of both");
  for (std::size_t i = 0; i < o.mean.size(); ++i)
    GLIA_CHECK(std::isfinite(o.mean[i]) && std::isfinite(o.variance[i]) && o.variance[i] >= 0, ValueError,
               "Normalization got the mean ", o.mean[i], " and the variance ", o.variance[i],
               ", expected finite numbers and no variance below 0");
  auto& normalization = static_cast<NormalizationNode&>(node());
  normalization.mean.assign(o.mean.begin(), o.mean.end());
  normalization.variance.assign(o.variance.begin(), o.variance.end());
  normalization.given = !o.mean.empty();
}

void Normalization::adapt(const TensorView& data) {
  GLIA_CHECK(!static_cast<NormalizationNode&>(node()).given, StateError,
             "adapt came to a Normalization that was given mean and variance: leave one of the two out");
  GLIA_CHECK(data.shape().rank() >= 2 && data.shape().back() >= 1, ShapeError, "adapt got data of shape ",
             data.shape(), ", expected (rows, ..., features)");
  GLIA_CHECK(data.rows() >= 1, ValueError, "adapt got no rows, expected at least one to measure");
  detail::expect_cpu(data, "adapt");
  const std::int64_t features = data.shape().back(), rows = data.shape().elements() / features;
  std::vector<double> values(static_cast<std::size_t>(data.shape().elements()));
  detail::for_each_element(data, [&](std::int64_t i, double x) { values[static_cast<std::size_t>(i)] = x; });
  auto& normalization = static_cast<NormalizationNode&>(node());
  std::vector<float> mean, variance;
  for (std::int64_t f = 0; f < features; ++f) {
    double sum = 0, squares = 0;
    for (std::int64_t row = 0; row < rows; ++row) sum += values[static_cast<std::size_t>(row * features + f)];
    const double average = sum / static_cast<double>(rows);
    for (std::int64_t row = 0; row < rows; ++row) {
      const double deviation = values[static_cast<std::size_t>(row * features + f)] - average;
      squares += deviation * deviation;
    }
    mean.push_back(static_cast<float>(average));
    variance.push_back(static_cast<float>(squares / static_cast<double>(rows)));
  }
  if (normalization.has_weights()) set_weights({Tensor(mean), Tensor(variance)});
  normalization.mean = std::move(mean), normalization.variance = std::move(variance);
  if (normalization.has_weights()) return;
  normalization.forget_shapes();
  normalization.declare_input_shape(data.shape().row());
}

}  // namespace glia
