// Random graphs: layers, merging, formulas, shared, nested and frozen layers, several inputs and outputs, with losses, metrics,
// an optimizer and rows to go with them; the same of a seed everywhere. Numbers stay near 1, so that nothing overflows.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/glia.h>

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "tests/opened_model.h"
#include "tests/slopes.h"  // defines: Draws

namespace glia::test {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr std::uint64_t random_graph_count = 20;  // each takes ten times as long
#else
inline constexpr std::uint64_t random_graph_count = 200;
#endif

/// The same of what does not need many of them on each device: one on the double takes as long as thirty on the CPU.
inline std::uint64_t random_graphs_on(const Device& device) {
  return device.is_cpu() ? random_graph_count : random_graph_count / 10 + 2;
}

struct RandomGraph {
  Opened model;
  CompileOptions options;
  std::vector<Tensor> x, y;     ///< of each input, and of each output with a loss
  std::vector<Tensor> weights;  ///< of the rows, for each output with a loss; or none
  bool weighted() const { return !weights.empty(); }
};

/// Whether a layer is a formula, which no file can hold.
inline bool has_lambda(const Model& model) {
  for (const Layer& layer : model.layers())
    if (layer.type() == "Lambda") return true;
  return false;
}

class RandomGraphMaker {
 public:
  static constexpr std::int64_t rows = 17;

  explicit RandomGraphMaker(std::uint64_t seed) : draw_(seed * 7919 + 1) {}

  RandomGraph make() {
    for (std::int64_t n = 1 + draw_.below(3); n > 0; --n) add_input();
    for (std::int64_t n = 3 + draw_.below(8); n > 0; --n) add_step();
    const std::int64_t count = 1 + draw_.below(3);
    std::vector<Symbol> outputs;
    std::vector<Kind> kinds;
    for (std::int64_t i = 0; i < count; ++i) add_output(outputs, kinds, i + 1 == count);
    Opened model(inputs_, outputs);
    model.set_seed(11);
    for (std::int64_t n = draw_.below(3); n > 0; --n) model.add_loss(one_of(values_));
    CompileOptions options;
    std::vector<Tensor> y, weights;
    choose_options(model, kinds, options, y, weights);
    return {std::move(model), options, std::move(x_), std::move(y), std::move(weights)};
  }

 private:
  enum class Kind { values, labels, one_hot, bits, nothing };

  bool chance(std::int64_t one_of) { return draw_.below(one_of) == 0; }
  template <class T>
  const T& one_of(const std::vector<T>& all) {
    return all[static_cast<std::size_t>(draw_.below(static_cast<std::int64_t>(all.size())))];
  }
  std::string activation() {
    return one_of(std::vector<std::string>{"linear", "tanh", "relu", "sigmoid", "elu"});
  }

  void add_input() {
    const std::vector<Shape> shapes{{4}, {6}, {3, 4}, {4, 5, 2}, {4, 4, 1}};
    if (chance(8)) {
      inputs_.push_back(Input({3}));
      Tensor indices = Tensor::uninitialized({rows, 3});
      for (std::int64_t i = 0; i < indices.size(); ++i)
        indices.data<float>()[i] = static_cast<float>(draw_.below(7));
      x_.push_back(std::move(indices));
      return push(Embedding(7, 4)(inputs_.back()), {});
    }
    const Shape shape = one_of(shapes);
    inputs_.push_back(Input(shape));
    x_.push_back(draw_.tensor(shape.prepend(rows)).cast(DType::float32));
    // What the rows go through first goes into what gathers them, where nothing else reads them as they were.
    Symbol x = inputs_.back();
    if (chance(4)) x = x * 0.5 + 0.25;
    if (shape.rank() == 3 && chance(2)) x = augmented(x);
    // No fill is normalised to 0, the kink of many an activation, which float32 may be beside.
    if (chance(5)) x = Normalization({.mean = {0.1}, .variance = {0.3}})(x);
    push(x, {});
    if (chance(5)) push(inputs_.back(), {});
  }

  /// Of images: more layers at times than one kernel does.
  Symbol augmented(Symbol x) {
    for (std::int64_t n = 1 + draw_.below(5); n > 0; --n) switch (draw_.below(4)) {
        case 0:
          x = RandomFlip(
              one_of(std::vector<std::string>{"horizontal", "vertical", "horizontal_and_vertical"}))(x);
          break;
        case 1:
          x = RandomTranslation(
              0.3, {-0.2, 0.4},
              {.fill_mode = one_of(std::vector<std::string>{"reflect", "constant", "nearest", "wrap"})})(x);
          break;
        case 2:
          x = RandomErasing({.factor = {0.2, 0.9}, .fill_value = 0.3})(x);
          break;
        default:
          x = Cutout(2)(x);
      }
    return x;
  }

  /// A new value, made of those of these places.
  void push(const Symbol& symbol, const std::vector<std::size_t>& from) {
    for (const std::size_t i : from) read_[i] = true;
    values_.push_back(symbol), read_.push_back(false);
  }

  std::size_t any() {
    return static_cast<std::size_t>(draw_.below(static_cast<std::int64_t>(values_.size())));
  }
  /// One that fits, another than i where there is one.
  template <class Fits>
  std::size_t partner(std::size_t i, const Fits& fits) {
    for (std::size_t tried = 0, j = any(); tried < values_.size(); ++tried, j = (j + 1) % values_.size())
      if (j != i && fits(values_[j].shape())) return j;
    return i;
  }

  void add_step() {
    const std::size_t i = any();
    const Symbol x = values_[i];
    switch (draw_.below(8)) {
      case 0:
        return merge(i);
      case 1:
        return push(formula(x), {i});
      case 2:
        return push(rearranged(x), {i});
      case 3:
        return push(shared(x), {i});
      case 4:
        return push(nested(x), {i});
      case 5:
        return push(regularizing(x), {i});
      default:
        return push(layer(x), {i});
    }
  }

  Layer dense(int units) {
    DenseOptions options{.activation = activation(), .use_bias = !chance(4)};
    if (chance(5)) options.kernel_regularizer = "l2";
    if (chance(8)) options.kernel_constraint = "max_norm";
    options.trainable = !chance(5);
    return Dense(units, options);
  }

  Symbol layer(const Symbol& x) {
    if (x.shape().rank() == 3 && !chance(4)) return image_layer(x);
    if (x.shape().rank() == 2 && chance(2))
      return Conv1D(3, 2, {.strides = 1 + chance(3), .padding = "same", .activation = activation()})(x);
    return dense(static_cast<int>(2 + draw_.below(5)))(x);
  }

  Symbol image_layer(const Symbol& x) {
    const Shape& shape = x.shape();
    const bool small = shape[0] * shape[1] <= 40;  // else it is not enlarged
    const PaddingName padding = chance(2) && shape[0] >= 3 && shape[1] >= 3 ? "valid" : "same";
    const Size2D strides = chance(2) ? Size2D(1 + chance(2), 1 + chance(2)) : Size2D(1);
    const bool trainable = !chance(5);
    switch (draw_.below(small ? 14 : 11)) {
      case 0:
        return MaxPooling2D(2, {.strides = chance(2) ? 1 : 2, .padding = "same"})(x);
      case 1:
        return AveragePooling2D(2, {.strides = chance(2) ? 1 : 2, .padding = "same"})(x);
      case 2:
        return chance(2) ? Symbol(GlobalMaxPooling2D()(x)) : GlobalAveragePooling2D({.keepdims = true})(x);
      case 3:
        return Cropping2D({shape[0] > 1, shape[1] > 2, 0, 0})(x);
      case 4:
      case 5:
        return DepthwiseConv2D(3, {.strides = chance(3) ? 2 : 1,
                                   .padding = padding,
                                   .depth_multiplier = 1 + chance(3),
                                   .activation = activation(),
                                   .trainable = trainable})(x);
      case 6:
        return SeparableConv2D(3, 3,
                               {.strides = chance(3) ? 2 : 1,
                                .padding = padding,
                                .activation = activation(),
                                .trainable = trainable})(x);
      case 7:
        return Conv2D(4, 3,
                      {.padding = "same",
                       .dilation_rate = 1 + chance(2),
                       .groups = shape[2] % 2 == 0 ? 2 : 1,
                       .trainable = trainable})(x);
      case 11:
        return UpSampling2D(2, {.interpolation = chance(2) ? "bilinear" : "nearest"})(x);
      case 12:
        return ZeroPadding2D({1, 0, 0, 2})(x);
      case 13:
        return Conv2DTranspose(2, 3,
                               {.strides = strides,
                                .padding = padding,
                                .activation = activation(),
                                .use_bias = !chance(4),
                                .trainable = trainable})(x);
      default:
        return Conv2D(3, 3,
                      {.strides = strides,
                       .padding = padding,
                       .activation = activation(),
                       .use_bias = !chance(4),
                       .trainable = trainable})(x);
    }
  }

  Symbol regularizing(const Symbol& x) {
    switch (draw_.below(9)) {
      case 0:
        return Dropout(0.3)(x);
      case 1:
        return GaussianNoise(0.1)(x);
      case 2:
        return LayerNormalization()(x);
      case 3:
        return PReLU({.alpha_initializer = "glorot_uniform"})(x);
      case 4:
        return x.shape().rank() == 3 ? Symbol(SpatialDropout2D(0.3)(x)) : GaussianDropout(0.2)(x);
      case 5:
        return chance(2) ? Symbol(AlphaDropout(0.2)(x)) : RMSNormalization(1e-3)(x);
      default:
        const Symbol y = BatchNormalization({.momentum = 0.9, .trainable = !chance(4)})(x);
        return chance(2) ? Activation("relu")(y) : y;
    }
  }

  Symbol formula(const Symbol& x) {
    switch (draw_.below(12)) {
      case 0:
        return exp(Activation("tanh")(x));
      case 1:
        return log(1.0 + square(x));
      case 2:
        return sqrt(1.0 + square(x));
      case 3:
        return x / (1.0 + abs(x));
      case 4:
        return 2.0 / pow(1.5 + square(x), 2) - x * 0.5;
      case 5:
        return Activation("tanh")(sum(x));
      case 6:
        return mean(x, {-1}, true);
      case 7:
        return stop_gradient(x) * 0.3 + x * 0.7;
      case 8:
        return Lambda([](const Symbol& z) { return z * exp(-square(z)); })(x);
      case 9:
        return LeakyReLU(0.2)(x);
      case 10:
        return chance(2) ? Symbol(ReLU({.max_value = 2, .negative_slope = 0.1})(x)) : ELU(0.5)(x);
      default:
        return Activation("tanh")(x * x - mean(x));
    }
  }

  Symbol rearranged(const Symbol& x) {
    const Shape& shape = x.shape();
    if (chance(3)) return reshape(x, {shape.elements()});
    if (shape.rank() >= 2 && chance(2))
      return transpose(x, shape.rank() == 2 ? std::vector{2, 1} : std::vector{2, 1, 3});
    if (shape.rank() == 2 && chance(2)) return Activation("tanh")(matmul(x, transpose(x, {2, 1})));
    const int axis = 1 + static_cast<int>(draw_.below(shape.rank()));
    const std::int64_t length = shape[axis - 1], first = draw_.below(length);
    return slice(x, axis, first, 1 + draw_.below(length - first));
  }

  /// A layer that may be in the graph already, with weights for such rows.
  Symbol shared(const Symbol& x) {
    const std::int64_t columns = x.shape().back();
    const auto found = shared_.find(columns);
    if (found != shared_.end()) return found->second(x);
    return shared_.emplace(columns, dense(static_cast<int>(columns))).first->second(x);
  }

  Symbol nested(const Symbol& x) {
    const Shape& shape = x.shape();
    const std::string key = detail::concat(shape);
    if (const auto found = nested_.find(key); found != nested_.end()) return found->second(x);
    const int units = static_cast<int>(shape.back());
    if (chance(3)) return nested_.emplace(key, residual(shape, units)).first->second(x);
    if (chance(2)) return nested_.emplace(key, Layer(Sequential{dense(3), dense(units)})).first->second(x);
    const Symbol inside = Input(shape);
    Symbol y = BatchNormalization({.momentum = 0.9})(dense(units)(inside));
    Model block({inside}, {add({y, inside})});
    if (chance(4)) block.set_trainable(false);
    return nested_.emplace(key, Layer(block)).first->second(x);
  }

  Layer residual(const Shape& shape, int units) {
    std::vector<Layer> layers, shortcut;
    if (shape.rank() == 3) {
      layers.push_back(Conv2D(units, 3, {.padding = "same", .activation = activation()}));
      if (chance(2)) shortcut.push_back(Conv2D(units, 1, {.padding = "same"}));
    } else {
      layers.push_back(dense(3)), layers.push_back(dense(units));
      if (chance(2)) shortcut.push_back(dense(units));
    }
    layers.push_back(BatchNormalization({.momentum = 0.9}));
    if (chance(3)) layers.push_back(Dropout(0.2));
    return Residual(layers, {.shortcut = shortcut});
  }

  void merge(std::size_t i) {
    const Symbol& x = values_[i];
    const Shape shape = x.shape();
    if (chance(4)) {
      const std::size_t j = partner(i, [&](const Shape& s) {
        return s.rank() == shape.rank() && s.slice(0, s.rank() - 1) == shape.slice(0, shape.rank() - 1);
      });
      return push(concatenate({x, values_[j]}), {i, j});
    }
    if (chance(5)) {
      const std::size_t j =
          partner(i, [&](const Shape& s) { return s.back() == shape.back() && s.rank() + shape.rank() < 5; });
      if (shape.rank() + values_[j].shape().rank() < 5)
        return push(Activation("tanh")(dot({x, values_[j]}, {.normalize = chance(2)})), {i, j});
    }
    // Equal shapes, or one that is repeated along the other's rows.
    const std::size_t j =
        partner(i, [&](const Shape& s) { return s == shape || s == Shape{shape.back()} || s == Shape{1}; });
    const Symbol& y = values_[j];
    switch (draw_.below(7)) {
      case 0:
        return push(Activation("tanh")(x * y), {i, j});
      case 1:
        return push(x - y, {i, j});
      case 2:
        return push(average({x, y, x}), {i, j});
      case 3:
        return push(maximum({x, y}), {i, j});
      case 4:
        return push(minimum({x, y}), {i, j});
      case 5:
        return push(x / (1.0 + abs(y)), {i, j});
      default:
        return push(add({x, y}), {i, j});
    }
  }

  /// Of some values, the last of all that nothing else has read.
  void add_output(std::vector<Symbol>& outputs, std::vector<Kind>& kinds, bool last) {
    std::vector<Symbol> parts;
    for (std::size_t i = 0; i < values_.size(); ++i) {
      if (read_[i] || (!last && !chance(3))) continue;
      read_[i] = true;
      parts.push_back(values_[i].shape().rank() == 1 ? values_[i] : Symbol(Flatten()(values_[i])));
    }
    if (parts.empty()) parts.push_back(Flatten()(values_[any()]));
    const Symbol x = parts.size() == 1 ? parts[0] : concatenate(parts);
    const std::string name = "out_" + std::to_string(outputs.size());
    const auto head = [&](int units, const char* activation, Kind kind) {
      outputs.push_back(Dense(units, activation, {.name = name})(x)), kinds.push_back(kind);
    };
    switch (draw_.below(9)) {
      case 0:
        return head(4, "softmax", Kind::labels);
      case 1:
        return head(3, "softmax", Kind::one_hot);
      case 2:
        return head(1, "sigmoid", Kind::bits);
      case 3:
        return head(3, "sigmoid", Kind::bits);
      case 4:
        return head(3, "softmax", Kind::values);
      case 5:
        if (outputs.empty() || last) return head(2, "tanh", Kind::values);
        return head(2, "tanh", Kind::nothing);
      default:
        return head(3, "linear", Kind::values);
    }
  }

  Tensor targets(Kind kind, const Shape& row) {
    if (kind == Kind::values) return draw_.tensor(row.prepend(rows)).cast(DType::float32);
    const std::int64_t classes = row.back();
    Tensor y = Tensor::zeros(kind == Kind::labels ? Shape{rows} : row.prepend(rows));
    for (std::int64_t r = 0; r < rows; ++r) {
      const std::int64_t c = draw_.below(classes);
      if (kind == Kind::labels) y.data<float>()[r] = static_cast<float>(c);
      if (kind == Kind::one_hot) y.data<float>()[r * classes + c] = 1;
      for (std::int64_t i = 0; kind == Kind::bits && i < classes; ++i)
        y.data<float>()[r * classes + i] = static_cast<float>(draw_.below(2));
    }
    return y;
  }

  OptimizerName optimizer() {
    switch (draw_.below(10)) {
      case 0:
        return Adam{.learning_rate = 0.01};
      case 1:
        return AdamW{.learning_rate = 0.01, .weight_decay = 0.01};
      case 2:
        return RMSprop{.learning_rate = 0.003};
      case 3:
        return SGD{.learning_rate = 0.03, .global_clipnorm = 0.5};
      case 4:
        return Adam{.learning_rate = 0.01, .clipnorm = 0.3};
      case 5:
        return SGD{.learning_rate = 0.02, .use_ema = true, .ema_momentum = 0.9, .ema_overwrite_frequency = 2};
      case 6:
        return SGD{.learning_rate = 0.02, .gradient_accumulation_steps = 2};
      case 7:
        return Muon{.learning_rate = 0.01};
      case 8:
        return SGD{.learning_rate = LearningRate(InverseTimeDecay{0.03, 3, 0.5})};
      default:
        return SGD{.learning_rate = 0.02, .momentum = 0.9};
    }
  }

  void choose_options(Opened& model, const std::vector<Kind>& kinds, CompileOptions& options,
                      std::vector<Tensor>& y, std::vector<Tensor>& weights) {
    const std::vector<std::string> names = model.output_names();
    const bool weighted = chance(4);
    std::vector<std::pair<std::string, LossName>> losses;
    std::vector<MetricName> metrics;
    for (std::size_t i = 0; i < kinds.size(); ++i) {
      if (kinds[i] == Kind::nothing) continue;
      const std::map<Kind, std::vector<std::string>> fitting{
          {Kind::values, {"mse", "mae", "huber", "log_cosh"}},
          {Kind::labels, {"sparse_categorical_crossentropy"}},
          {Kind::one_hot, {"categorical_crossentropy", "categorical_focal_crossentropy", "kl_divergence"}},
          {Kind::bits, {"binary_crossentropy", "binary_focal_crossentropy", "mse"}}};
      losses.emplace_back(names[i], one_of(fitting.at(kinds[i])));
      if (chance(2))
        metrics.push_back(MetricName(chance(2)                  ? "accuracy"
                                     : kinds[i] == Kind::labels ? "accuracy"
                                                                : "mae")
                              .of(names.size() > 1 ? names[i] : ""));
      if (chance(3)) options.loss_weights[names[i]] = 0.4;
      y.push_back(targets(kinds[i], model.outputs()[i].shape()));
      if (weighted) weights.push_back(draw_.tensor({rows}, 0.2, 2).cast(DType::float32));
    }
    options.optimizer = optimizer(), options.loss = losses, options.metrics = metrics;
  }

  Draws draw_;
  std::vector<Symbol> inputs_, values_;
  std::vector<bool> read_;
  std::vector<Tensor> x_;
  std::map<std::int64_t, Layer> shared_;
  std::map<std::string, Layer> nested_;
};

inline RandomGraph random_graph(std::uint64_t seed) { return RandomGraphMaker(seed).make(); }

}  // namespace glia::test
