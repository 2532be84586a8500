// Gradients of every layer that trains or that gradients pass, in training mode, and of regularizers, against central
// differences in float64.
// SPDX-License-Identifier: Apache-2.0
#include <glia/sequential.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "tests/slopes.h"

namespace glia::test {
namespace {

/// A model that has the layer, and which of its weights (in get_weights()'s order) are not trained.
struct Case {
  std::string name;
  std::vector<Layer> (*layers)();
  Shape row = {3};
  std::vector<std::size_t> fixed = {};
  std::int64_t numbers = 0;  ///< above 0: the input is whole numbers below it

  friend std::ostream& operator<<(std::ostream& out, const Case& c) { return out << c.name; }
};

/// Between two Dense layers: gradients come in from the second, and go out to the first.
#define GLIA_BETWEEN(...) [] { return std::vector<Layer>{Dense(4), __VA_ARGS__, Dense(3, "sigmoid")}; }

Layer adapted_normalization() {
  Normalization layer;
  layer.adapt(Tensor{{1, 2, 3}, {2, -4, 4}, {0, 0.5, 9}, {1.5, 2, 0}});
  return layer;
}

std::vector<Case> cases() {
  return {
      {"prelu", GLIA_BETWEEN(PReLU())},
      {"prelu_of_rank_3", GLIA_BETWEEN(PReLU()), {2, 3}},
      {"prelu_first",
       [] {
         return std::vector<Layer>{PReLU(), Dense(3)};
       }},
      {"batch_normalization", GLIA_BETWEEN(BatchNormalization()), {3}, {4, 5}},
      {"batch_normalization_of_rank_3", GLIA_BETWEEN(BatchNormalization()), {2, 3}, {4, 5}},
      {"batch_normalization_without_scale", GLIA_BETWEEN(BatchNormalization({.scale = false})), {3}, {3, 4}},
      {"batch_normalization_without_center",
       GLIA_BETWEEN(BatchNormalization({.center = false})),
       {3},
       {3, 4}},
      {"batch_normalization_without_either",
       GLIA_BETWEEN(BatchNormalization({.epsilon = 0.1, .center = false, .scale = false})),
       {3},
       {2, 3}},
      {"batch_normalization_first",
       [] {
         return std::vector<Layer>{BatchNormalization(), Dense(3)};
       },
       {3},
       {2, 3}},
      {"batch_normalization_of_relu",
       [] {
         return std::vector<Layer>{Dense(4, "relu"),     BatchNormalization(), Dense(4),
                                   BatchNormalization(), Activation("tanh"),   Dense(2)};
       },
       {3},
       {4, 5, 10, 11}},
      {"layer_normalization", GLIA_BETWEEN(LayerNormalization())},
      {"layer_normalization_of_rank_3", GLIA_BETWEEN(LayerNormalization({.epsilon = 0.05})), {2, 3}},
      {"layer_normalization_without_scale", GLIA_BETWEEN(LayerNormalization({.scale = false}))},
      {"layer_normalization_without_center", GLIA_BETWEEN(LayerNormalization({.center = false}))},
      {"layer_normalization_without_either",
       GLIA_BETWEEN(LayerNormalization({.center = false, .scale = false}))},
      {"layer_normalization_first",
       [] {
         return std::vector<Layer>{LayerNormalization(), Dense(3)};
       }},
      {"rms_normalization", GLIA_BETWEEN(RMSNormalization())},
      {"rms_normalization_of_rank_3", GLIA_BETWEEN(RMSNormalization(0.2)), {2, 3}},
      {"embedding",
       [] {
         return std::vector<Layer>{Embedding(5, 3), Flatten(), Dense(2, "tanh")};
       },
       {4},
       {},
       5},
      {"embedding_of_rank_3",
       [] {
         return std::vector<Layer>{Embedding(7, 2), Dense(2, "tanh")};
       },
       {2, 3},
       {},
       7},
      {"embedding_of_reshaped_numbers",
       [] {
         return std::vector<Layer>{Reshape({3, 2}), Embedding(4, 2), LayerNormalization(), Flatten(),
                                   Dense(2)};
       },
       {6},
       {},
       4},
      {"normalization_first",
       [] {
         return std::vector<Layer>{adapted_normalization(), Dense(3, "tanh")};
       },
       {3},
       {0, 1}},
      {"normalization_between",
       [] {
         return std::vector<Layer>{Dense(3), adapted_normalization(), Dense(3, "tanh")};
       },
       {3},
       {2, 3}},
      {"rescaling", GLIA_BETWEEN(Rescaling(-1.7, 0.3))},
      {"rescaling_by_0", GLIA_BETWEEN(Rescaling(0, 0.3))},
      {"reshape", GLIA_BETWEEN(Reshape({2, 2}), LayerNormalization(), Reshape({-1}))},
      {"reshape_to_rank_4", GLIA_BETWEEN(Reshape({2, 1, -1}), Dense(2, "tanh"), Flatten()), {2, 3}},
      {"relu", GLIA_BETWEEN(ReLU())},
      {"relu_with_options", GLIA_BETWEEN(ReLU({.max_value = 0.9, .negative_slope = 0.3, .threshold = 0.2}))},
      {"leaky_relu", GLIA_BETWEEN(LeakyReLU())},
      {"elu", GLIA_BETWEEN(ELU(0.6))},
      {"dropout", GLIA_BETWEEN(Dropout(0.4))},
      {"dropout_of_rank_3", GLIA_BETWEEN(Activation("relu"), Dropout(0.4)), {2, 3}},
      {"two_dropouts", GLIA_BETWEEN(Dropout(0.3), Dense(5, "tanh"), Dropout(0.3))},
      {"gaussian_noise", GLIA_BETWEEN(GaussianNoise(0.7))},
      {"gaussian_dropout", GLIA_BETWEEN(GaussianDropout(0.3))},
      {"alpha_dropout", GLIA_BETWEEN(Activation("selu"), AlphaDropout(0.3))},
      {"all_kinds",
       [] {
         return std::vector<Layer>{Dense(4, "gelu"),   BatchNormalization(), PReLU(),
                                   Dropout(0.2),       LayerNormalization(), Dense(3),
                                   RMSNormalization(), GaussianNoise(0.1),   Dense(2, "sigmoid")};
       },
       {3},
       {4, 5}},
  };
}
#undef GLIA_BETWEEN

Sequential make_model(const Case& c, Draws& draws, const std::vector<Layer>& layers, const LossName& loss) {
  Sequential model(layers);
  model.set_dtype(DType::float64);
  model.compile({.loss = loss, .device = "cpu"});
  model.build(c.row);
  std::vector<Tensor> weights = model.get_weights();
  for (std::size_t i = 0; i < weights.size(); ++i)
    if (std::count(c.fixed.begin(), c.fixed.end(), i) == 0) weights[i] = draws.tensor(weights[i].shape());
  model.set_weights(weights);
  return model;
}

Tensor make_input(const Case& c, std::int64_t batch, Draws& draws) {
  Tensor x = draws.tensor(c.row.prepend(batch));
  for (std::int64_t i = 0; c.numbers > 0 && i < x.size(); ++i)
    x.data<double>()[i] = static_cast<double>(draws.below(c.numbers));
  return x;
}

class EveryLayer : public ::testing::TestWithParam<Case> {};
INSTANTIATE_TEST_SUITE_P(Float64, EveryLayer, ::testing::ValuesIn(cases()),
                         [](const auto& info) { return info.param.name; });

/// The loss in training mode is what gradients() says it is: with the batch's statistics, and with noise that is the
/// same in every call. So the noise of the backward pass must be that of the forward pass.
TEST_P(EveryLayer, Has_the_slope_that_its_gradient_says) {
  const Case& c = GetParam();
  std::uint64_t seed = 301;
  for (const std::int64_t batch : {1, 2, 7, 33}) {
    Draws draws(seed++);
    Sequential model = make_model(c, draws, c.layers(), "mse");
    const Tensor x = make_input(c, batch, draws);
    const Tensor y = draws.tensor(model(x).shape());
    const Gradients got = model.gradients(x, y);
    const auto loss = [&] { return model.gradients(x, y).loss; };
    EXPECT_EQ(loss(), got.loss);
    const auto is_trained = [&](std::size_t i) { return std::count(c.fixed.begin(), c.fixed.end(), i) == 0; };
    const std::vector<Tensor> before = model.get_weights();
    EXPECT_TRUE(close(got.weights, slopes(model, loss, is_trained), wide_slope_tolerance))
        << "batch " << batch << ", seed " << seed - 1;
    for (const std::size_t i : c.fixed)
      EXPECT_TRUE(array_equal(model.get_weights()[i], before[i])) << "gradients() moved weight " << i;
  }
}

/// With the loss's kernel that takes rows, and softmax fused into it.
TEST_P(EveryLayer, Has_the_slope_that_its_gradient_says_before_a_softmax) {
  Case c = GetParam();
  std::uint64_t seed = 401;
  for (const std::int64_t batch : {1, 9}) {
    Draws draws(seed++);
    std::vector<Layer> layers = c.layers();
    layers.push_back(Dense(3, "softmax"));
    Sequential model = make_model(c, draws, layers, "categorical_crossentropy");
    const Tensor x = make_input(c, batch, draws);
    const Shape shape = model(x).shape();
    Tensor y = Tensor::zeros(shape, DType::float64);
    for (std::int64_t r = 0; r < shape.elements() / 3; ++r) y.data<double>()[3 * r + draws.below(3)] = 1;
    const Gradients got = model.gradients(x, y);
    const auto loss = [&] { return model.gradients(x, y).loss; };
    const auto is_trained = [&](std::size_t i) { return std::count(c.fixed.begin(), c.fixed.end(), i) == 0; };
    EXPECT_TRUE(close(got.weights, slopes(model, loss, is_trained), wide_slope_tolerance))
        << "batch " << batch << ", seed " << seed - 1;
  }
}

TEST(Regularizers, Are_in_the_loss_and_in_the_gradient_of_every_weight_that_can_have_one) {
  std::uint64_t seed = 501;
  for (const RegularizerName& r : {RegularizerName("l1"), RegularizerName("l2"), RegularizerName("l1_l2"),
                                   RegularizerName(L1{0.3}), RegularizerName(L1L2{0.2, 0.7})}) {
    Draws draws(seed++);
    Sequential model{
        Embedding(4, 3, {.embeddings_regularizer = r}),
        Dense(3, {.kernel_regularizer = r, .bias_regularizer = r}),
        PReLU({.alpha_regularizer = r}),
        LayerNormalization(),
        BatchNormalization({.beta_regularizer = r, .gamma_regularizer = r}),
        Dense(2, {.kernel_regularizer = r}),
    };
    model.set_dtype(DType::float64);
    model.compile({.loss = "mse", .device = "cpu"});
    model.build({5});
    std::vector<Tensor> weights = model.get_weights();
    for (std::size_t i = 0; i < weights.size(); ++i)
      if (i != 8 && i != 9) weights[i] = draws.tensor(weights[i].shape());
    model.set_weights(weights);
    Tensor x = Tensor::zeros({6, 5}, DType::float64);
    for (std::int64_t i = 0; i < x.size(); ++i) x.data<double>()[i] = static_cast<double>(draws.below(4));
    const Tensor y = draws.tensor({6, 5, 2});
    const Gradients got = model.gradients(x, y);
    EXPECT_TRUE(close(got.weights,
                      slopes(
                          model, [&] { return model.gradients(x, y).loss; },
                          [](std::size_t i) { return i != 8 && i != 9; }),
                      slope_tolerance))
        << r.name();
  }
}

TEST(Regularizers, Add_their_sum_to_what_evaluate_and_gradients_say) {
  Draws draws(9);
  Sequential plain{Dense(70, {.input_dim = 80}), Dense(1)};
  Sequential regularized{
      Dense(70, {.kernel_regularizer = L1L2{0.01, 0.02}, .bias_regularizer = L1{0.5}, .input_dim = 80}),
      Dense(1, {.kernel_regularizer = "l2"})};
  for (Sequential* model : {&plain, &regularized}) {
    model->set_dtype(DType::float64);
    model->compile({.loss = "mse", .device = "cpu"});
  }
  std::vector<Tensor> weights = plain.get_weights();
  for (Tensor& weight : weights) weight = draws.tensor(weight.shape());
  plain.set_weights(weights), regularized.set_weights(weights);
  double penalty = 0;
  for (const double w : weights[0].values()) penalty += 0.01 * std::abs(w) + 0.02 * w * w;
  for (const double w : weights[1].values()) penalty += 0.5 * std::abs(w);
  for (const double w : weights[2].values()) penalty += 0.01 * w * w;
  const Tensor x = draws.tensor({10, 80}), y = draws.tensor({10, 1});
  EXPECT_NEAR(regularized.gradients(x, y).loss - plain.gradients(x, y).loss, penalty, 1e-10 * penalty);
  // Batches of 4, 4 and 2: each has the penalty once.
  const EvaluateOptions options{.batch_size = 4, .verbose = 0};
  EXPECT_NEAR(regularized.evaluate(x, y, options)["loss"] - plain.evaluate(x, y, options)["loss"], penalty,
              1e-10 * penalty);
}

}  // namespace
}  // namespace glia::test
