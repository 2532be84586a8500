// Gradients against central differences in float64: every layer, activation and loss, batch 1 and odd sizes.
// SPDX-License-Identifier: Apache-2.0
#include <glia/sequential.h>
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <tuple>
#include <vector>

#include "tests/close.h"

namespace glia::test {
namespace {

using Layers = std::vector<Layer>;

/// Differences of float64 losses over 1e-6 are good to about 1e-10; 1e-3 and 1e-5, the usual bounds, would
/// let wrong gradients of small weights pass.
constexpr double step = 1e-6;
constexpr Tolerance tolerance = {.relative = 1e-5, .absolute = 1e-8};

/// The model's last activation, its loss, and the targets that the loss takes.
struct Ending {
  enum Targets { real, binary, one_hot, distribution, labels };
  /// Where a loss takes probabilities and no sigmoid or softmax makes them, outputs are kept in (0, 1).
  enum Outputs { anywhere, inside };

  std::string name;
  std::string activation;
  LossName loss;
  Targets targets;
  Outputs outputs = anywhere;

  friend std::ostream& operator<<(std::ostream& out, const Ending& ending) { return out << ending.name; }
};

std::vector<Ending> endings() {
  const LossName bce = "binary_crossentropy", cce = "categorical_crossentropy";
  const LossName scce = "sparse_categorical_crossentropy";
  const LossName bce_logits = BinaryCrossentropy{.from_logits = true};
  const LossName cce_logits = CategoricalCrossentropy{.from_logits = true};
  const LossName scce_logits = SparseCategoricalCrossentropy{.from_logits = true};
  return {
      {"mse_linear", "linear", "mse", Ending::real},
      {"mse_relu", "relu", "mse", Ending::real},
      {"mse_sigmoid", "sigmoid", "mse", Ending::real},
      {"mse_tanh", "tanh", "mse", Ending::real},
      {"mse_softmax", "softmax", "mse", Ending::real},
      {"bce_linear", "linear", bce, Ending::binary, Ending::inside},
      {"bce_relu", "relu", bce, Ending::binary, Ending::inside},
      {"bce_sigmoid", "sigmoid", bce, Ending::binary},
      {"bce_tanh", "tanh", bce, Ending::binary, Ending::inside},
      {"bce_softmax", "softmax", bce, Ending::distribution},
      {"bce_logits_linear", "linear", bce_logits, Ending::binary},
      {"bce_logits_tanh", "tanh", bce_logits, Ending::binary},
      {"cce_linear", "linear", cce, Ending::one_hot, Ending::inside},
      {"cce_relu", "relu", cce, Ending::one_hot, Ending::inside},
      {"cce_sigmoid", "sigmoid", cce, Ending::one_hot},
      {"cce_tanh", "tanh", cce, Ending::one_hot, Ending::inside},
      {"cce_softmax", "softmax", cce, Ending::distribution},
      {"cce_logits_linear", "linear", cce_logits, Ending::distribution},
      {"cce_logits_relu", "relu", cce_logits, Ending::one_hot},
      {"scce_linear", "linear", scce, Ending::labels, Ending::inside},
      {"scce_relu", "relu", scce, Ending::labels, Ending::inside},
      {"scce_sigmoid", "sigmoid", scce, Ending::labels},
      {"scce_tanh", "tanh", scce, Ending::labels, Ending::inside},
      {"scce_softmax", "softmax", scce, Ending::labels},
      {"scce_logits_linear", "linear", scce_logits, Ending::labels},
      {"scce_logits_sigmoid", "sigmoid", scce_logits, Ending::labels},
  };
}

/// The layers in front, by what they test.
struct Front {
  const char* name;
  Shape input_shape;
  Layers (*layers)(const std::string& activation);
  std::vector<std::int64_t> batches = {1, 5};
};

const std::vector<Front> fronts = {
    {"dense", {3}, [](const std::string& f) { return Layers{Dense(4, f)}; }, {1, 5, 33}},
    {"dense without bias",
     {3},
     [](const std::string& f) { return Layers{Dense(4, f, {.use_bias = false})}; }},
    {"dense of rank 3", {2, 3}, [](const std::string& f) { return Layers{Dense(3, f)}; }},
    {"flatten",
     {2, 2},
     [](const std::string& f) {
       return Layers{Flatten(), Dense(3, f)};
     }},
    {"activation",
     {3},
     [](const std::string& f) {
       return Layers{Dense(4), Activation(f)};
     }},
    {"activation of the input", {3}, [](const std::string& f) { return Layers{Activation(f)}; }},
    {"stack",
     {3},
     [](const std::string& f) {
       return Layers{Dense(2, f), Dense(3, f), Dense(2, f)};
     }},
    {"flatten between",
     {2, 2},
     [](const std::string& f) {
       return Layers{Dense(2, f), Flatten()};
     }},
};

/// The same numbers with every compiler: in (-1, 1). A seed whose relus stood at a kink would fail
/// everywhere.
class Draws {
 public:
  explicit Draws(std::uint64_t seed) : engine_(seed) {}
  double operator()() { return static_cast<double>(engine_() >> 11) * 0x1p-52 - 1; }
  std::int64_t below(std::int64_t n) { return static_cast<std::int64_t>(engine_() % n); }
  Tensor tensor(const Shape& shape) {
    Tensor tensor = Tensor::uninitialized(shape, DType::float64);
    for (std::int64_t i = 0; i < tensor.size(); ++i) tensor.data<double>()[i] = (*this)();
    return tensor;
  }

 private:
  std::mt19937_64 engine_;
};

/// Targets for outputs of `shape`.
Tensor make_targets(Ending::Targets kind, const Shape& shape, Draws& draws) {
  if (kind == Ending::real) return draws.tensor(shape);
  const std::int64_t classes = shape.back(), rows = shape.elements() / classes;
  std::vector<std::int32_t> labels;
  Tensor dense = Tensor::zeros(shape, DType::float64);
  for (std::int64_t row = 0; row < rows; ++row) {
    double* values = dense.data<double>() + row * classes;
    labels.push_back(static_cast<std::int32_t>(draws.below(classes)));
    if (kind == Ending::one_hot) values[labels.back()] = 1;
    for (std::int64_t i = 0; i < classes; ++i) {
      if (kind == Ending::binary) values[i] = static_cast<double>(draws.below(2));
      if (kind == Ending::distribution)
        values[i] = (1.0 + static_cast<double>(i)) / (classes * (classes + 1) / 2);
    }
  }
  return kind == Ending::labels ? Tensor(labels, shape.slice(0, shape.rank() - 1)) : std::move(dense);
}

Sequential make_model(Layers layers, const Shape& input_shape, const Ending& ending, Draws& draws) {
  layers.push_back(Dense(3, ending.activation));
  Sequential model(layers);
  model.set_dtype(DType::float64);
  model.compile({.loss = ending.loss, .device = "cpu"});
  model.build(input_shape);
  std::vector<Tensor> weights = model.get_weights();
  for (Tensor& weight : weights) weight = draws.tensor(weight.shape());
  if (ending.outputs == Ending::inside) {
    weights[weights.size() - 2] = weights[weights.size() - 2] * 0.1;
    weights.back() = weights.back() * 0.1 + 0.5;
  }
  model.set_weights(weights);
  return model;
}

/// (f(value + step) - f(value - step)) / (2 step) for each element of `tensor`, which is left as it was.
template <class Function>
Tensor central_differences(Tensor& tensor, Function&& f) {
  Tensor differences = Tensor::uninitialized(tensor.shape(), DType::float64);
  for (std::int64_t i = 0; i < tensor.size(); ++i) {
    double& value = tensor.data<double>()[i];
    const double original = value;
    value = original + step;
    const double above = f();
    value = original - step;
    const double below = f();
    value = original;
    differences.data<double>()[i] = (above - below) / (2 * step);
  }
  return differences;
}

double loss_of(Sequential& model, const Tensor& x, const Tensor& y) {
  return model.evaluate(x, y, {.batch_size = x.rows(), .verbose = 0})["loss"];
}

std::vector<Tensor> numerical_gradients(Sequential& model, const Tensor& x, const Tensor& y) {
  std::vector<Tensor> weights = model.get_weights();
  std::vector<Tensor> gradients;
  for (Tensor& weight : weights)
    gradients.push_back(central_differences(weight, [&] {
      model.set_weights(weights);
      return loss_of(model, x, y);
    }));
  model.set_weights(weights);
  return gradients;
}

using Case = std::tuple<Ending, std::string>;  // and the activation of the layers in front

class GradientCheck : public ::testing::TestWithParam<Case> {};

TEST_P(GradientCheck, Gradients_are_the_slopes_of_the_loss) {
  const auto& [ending, activation] = GetParam();
  std::uint64_t seed = 1;
  for (const Front& front : fronts) {
    for (const std::int64_t batch : front.batches) {
      Draws draws(seed++);
      Sequential model = make_model(front.layers(activation), front.input_shape, ending, draws);
      const Tensor x = draws.tensor(front.input_shape.prepend(batch));
      const Tensor y = make_targets(ending.targets, model.predict(x).shape(), draws);
      const Gradients got = model.gradients(x, y);
      EXPECT_NEAR(got.loss, loss_of(model, x, y), 1e-12);
      EXPECT_TRUE(close(got.weights, numerical_gradients(model, x, y), tolerance))
          << front.name << " with " << activation << ", then " << ending.name << ", batch " << batch;
    }
  }
}

std::string name_of_case(const ::testing::TestParamInfo<Case>& info) {
  return std::get<1>(info.param) + "_then_" + std::get<0>(info.param).name;
}

INSTANTIATE_TEST_SUITE_P(Float64, GradientCheck,
                         ::testing::Combine(::testing::ValuesIn(endings()),
                                            ::testing::Values("linear", "relu", "sigmoid", "tanh",
                                                              "softmax")),
                         name_of_case);

/// Behind a first layer that is the identity, the gradient of its bias for one row is the gradient of the
/// input.
TEST(InputGradient, Through_stacked_layers_is_the_slope_of_the_loss) {
  for (const char* activation : {"linear", "relu", "sigmoid", "tanh", "softmax"}) {
    Draws draws(7);
    const Ending ending = {"mse", "tanh", "mse", Ending::real};
    Sequential model = make_model({Dense(5), Dense(4, activation), Dense(7, activation), Dense(2, "sigmoid")},
                                  {5}, ending, draws);
    std::vector<Tensor> weights = model.get_weights();
    weights[0] = Tensor::zeros({5, 5}, DType::float64);
    for (int i = 0; i < 5; ++i) weights[0].set({i, i}, 1);
    model.set_weights(weights);

    Tensor x = draws.tensor({1, 5});
    const Tensor y = draws.tensor({1, 3});
    const Tensor expected = central_differences(x, [&] { return loss_of(model, x, y); });
    EXPECT_TRUE(close(model.gradients(x, y).weights.at(1), expected.row(0), tolerance)) << activation;
  }
}

}  // namespace
}  // namespace glia::test
