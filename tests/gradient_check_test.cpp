// Gradients against central differences in float64: every activation, before every kind of loss; batch 1 and odd sizes.
// SPDX-License-Identifier: Apache-2.0
#include <glia/sequential.h>
#include <gtest/gtest.h>

#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "tests/slopes.h"

namespace glia::test {
namespace {

using Layers = std::vector<Layer>;

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
      EXPECT_TRUE(close(got.weights, slopes(model, [&] { return loss_of(model, x, y); }), slope_tolerance))
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

/// Every activation, as the variant has them; a new one is among them by itself. Step's slope is 0, and it trains
/// nothing.
template <std::size_t... index>
std::vector<ActivationName> every_activation(std::index_sequence<index...>) {
  std::vector<ActivationName> all;
  const auto add = [&](const auto& function) {
    if constexpr (!std::is_same_v<std::decay_t<decltype(function)>, Step>) all.push_back(function);
  };
  (add(std::variant_alternative_t<index, Activations>{}), ...);
  for (const ActivationName& with_options :
       {ActivationName(LeakyRelu{0.7}), ActivationName(Elu{0.4}), ActivationName(Celu{2.5}),
        ActivationName(Gelu{.approximate = true})})
    all.push_back(with_options);
  return all;
}

class EveryActivation : public ::testing::TestWithParam<ActivationName> {};
INSTANTIATE_TEST_SUITE_P(
    Float64, EveryActivation,
    ::testing::ValuesIn(every_activation(std::make_index_sequence<std::variant_size_v<Activations>>())),
    [](const auto& info) { return info.param.name() + '_' + std::to_string(info.index); });

/// As an argument and as a layer, behind a layer and before one, and last; near 0, and over all its pieces.
TEST_P(EveryActivation, Has_the_slope_that_its_gradient_says) {
  const ActivationName& f = GetParam();
  const std::vector<std::vector<Layer> (*)(const ActivationName&)> models = {
      [](const ActivationName& f) {
        return Layers{Dense(5, f), Rescaling(0.1), Dense(3)};
      },
      [](const ActivationName& f) {
        return Layers{Dense(5), Activation(f), Dense(3)};
      },
      [](const ActivationName& f) {
        return Layers{Dense(4), Dense(3, f)};
      },
      [](const ActivationName& f) {
        return Layers{Dense(3), Reshape({-1, 3}), Activation(f)};
      },
  };
  std::uint64_t seed = 11;
  for (const auto& layers : models) {
    for (const Shape& row : {Shape{3}, Shape{3, 3}}) {
      for (const double reach : {1.0, 5.0}) {
        for (const std::int64_t batch : {1, 7}) {
          Draws draws(seed++);
          Sequential model(layers(f));
          model.set_dtype(DType::float64);
          model.compile({.loss = "mse", .device = "cpu"});
          model.build(row);
          std::vector<Tensor> weights = model.get_weights();
          for (Tensor& weight : weights) weight = draws.tensor(weight.shape());
          weights[0] = weights[0] * reach;
          model.set_weights(weights);
          const Tensor x = draws.tensor(row.prepend(batch));
          const Tensor y = draws.tensor(model(x).shape());
          const Gradients got = model.gradients(x, y);
          EXPECT_TRUE(close(got.loss, loss_of(model, x, y), Tolerance{.relative = 1e-12, .absolute = 1e-14}));
          EXPECT_TRUE(close(got.weights, slopes(model, [&] { return loss_of(model, x, y); }),
                            reach > 1 ? wide_slope_tolerance : slope_tolerance))
              << "rows of " << row << ", reach " << reach << ", batch " << batch << ", seed " << seed - 1;
        }
      }
    }
  }
}

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
    EXPECT_TRUE(close(model.gradients(x, y).weights.at(1), expected.row(0), slope_tolerance)) << activation;
  }
}

}  // namespace
}  // namespace glia::test
