// What Keras computes, Glia computes: loss and gradients of every loss, fused with its activation and not.
// The table mirrors that of tests/golden/make_keras.py.
// SPDX-License-Identifier: Apache-2.0
#include <glia/sequential.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "tests/close.h"
#include "tests/devices.h"
#include "tests/golden.h"

namespace glia::test {
namespace {

struct GradientCase {
  std::string name;
  std::function<Layers()> layers;
  LossName loss;
  std::vector<int> batches = {1, 7, 31, 67};

  friend std::ostream& operator<<(std::ostream& out, const GradientCase& one) { return out << one.name; }
};

/// Dense(7, "tanh"), Dense(units, activation).
std::function<Layers()> two_layers(int units, const std::string& activation = "linear") {
  return [=] { return Layers{Dense(7, "tanh"), Dense(units, activation)}; };
}

/// The activation as a layer of its own.
std::function<Layers()> three_layers(int units, const std::string& activation) {
  return [=] { return Layers{Dense(7, "tanh"), Dense(units), Activation(activation)}; };
}

std::vector<GradientCase> mean_squared_error_cases() {
  const DenseOptions no_bias = {.use_bias = false};
  return {
      {"mse_linear", two_layers(3), "mse"},
      {"mse_relu",
       [] {
         return Layers{Dense(7, "relu"), Dense(3, "relu")};
       },
       "mse"},
      {"mse_sigmoid",
       [] {
         return Layers{Dense(7, "sigmoid"), Dense(3, "sigmoid")};
       },
       "mse"},
      {"mse_tanh", two_layers(3, "tanh"), "mse"},
      {"mse_softmax", two_layers(3, "softmax"), "mse"},
      {"mse_vector_targets", two_layers(1), "mse"},
      {"mse_no_bias",
       [=] {
         return Layers{Dense(7, "tanh", no_bias), Dense(3, no_bias)};
       },
       "mse"},
      {"mse_flatten",
       [] {
         return Layers{Flatten(), Dense(7, "relu"), Dense(3)};
       },
       "mse"},
      {"mse_activation_layers",
       [] {
         return Layers{Dense(7),           Activation("tanh"), Dense(5),
                       Activation("relu"), Dense(3),           Activation("sigmoid")};
       },
       "mse"},
      {"mse_hidden_softmax",
       [] {
         return Layers{Dense(7, "softmax"), Dense(3)};
       },
       "mse"},
      {"mse_rank_3", two_layers(2), "mse"},
      {"mse_rank_3_flatten",
       [] {
         return Layers{Dense(4, "tanh"), Flatten(), Dense(2)};
       },
       "mse"},
  };
}

std::vector<GradientCase> binary_crossentropy_cases() {
  const LossName bce = "binary_crossentropy";
  return {
      {"bce_sigmoid", two_layers(3, "sigmoid"), bce},
      {"bce_sigmoid_soft", two_layers(3, "sigmoid"), bce},
      {"bce_sigmoid_one_unit", two_layers(1, "sigmoid"), bce},
      {"bce_sigmoid_layer", three_layers(3, "sigmoid"), bce},
      {"bce_linear", two_layers(3), bce},
      {"bce_clipped", two_layers(3), bce},
      {"bce_softmax", two_layers(3, "softmax"), bce},
      {"bce_logits", two_layers(3), BinaryCrossentropy{.from_logits = true}},
      {"bce_rank_3", two_layers(2, "sigmoid"), bce},
  };
}

std::vector<GradientCase> categorical_crossentropy_cases() {
  const LossName cce = "categorical_crossentropy";
  return {
      {"cce_softmax", two_layers(4, "softmax"), cce},
      {"cce_softmax_layer", three_layers(4, "softmax"), cce},
      {"cce_softmax_soft", two_layers(4, "softmax"), cce},
      {"cce_softmax_unnormalised", two_layers(4, "softmax"), cce},
      {"cce_logits", two_layers(4), CategoricalCrossentropy{.from_logits = true}},
      {"cce_sigmoid", two_layers(4, "sigmoid"), cce},
      {"cce_clipped", two_layers(4, "relu"), cce},
      {"cce_rank_3", two_layers(4, "softmax"), cce},
  };
}

std::vector<GradientCase> sparse_categorical_crossentropy_cases() {
  const LossName scce = "sparse_categorical_crossentropy";
  return {
      {"scce_softmax", two_layers(4, "softmax"), scce},
      {"scce_softmax_layer", three_layers(4, "softmax"), scce},
      {"scce_label_column", two_layers(4, "softmax"), scce},
      {"scce_logits", two_layers(4), SparseCategoricalCrossentropy{.from_logits = true}},
      {"scce_sigmoid", two_layers(4, "sigmoid"), scce},
      {"scce_clipped", two_layers(4, "relu"), scce},
      {"scce_rank_3", two_layers(4, "softmax"), scce},
      {"scce_wide",
       [] {
         return Layers{Dense(67, "relu"), Dense(10, "softmax")};
       },
       scce,
       {67}},
  };
}

std::vector<GradientCase> activation_cases() {
  std::vector<GradientCase> cases;
  for (const std::string name : {"log_softmax", "relu6", "leaky_relu", "elu", "selu", "celu", "hard_sigmoid",
                                 "softplus", "softsign", "silu", "hard_silu", "gelu", "mish", "exponential"})
    cases.push_back({name + "_hidden", [name] { return Layers{Dense(7, name), Dense(3)}; }, "mse", {7, 31}});
  return cases;
}

std::vector<GradientCase> more_loss_cases() {
  const std::vector<int> batches = {7, 31};
  const SparseCategoricalCrossentropy ignore_1 = {.ignore_class = 1}, ignore_2 = {.ignore_class = 2};
  return {
      {"mae", two_layers(3), "mae", batches},
      {"mape", two_layers(3), "mape", batches},
      {"msle", two_layers(3, "softplus"), "msle", batches},
      {"huber", two_layers(3), "huber", batches},
      {"huber_delta", two_layers(3), Huber{.delta = 0.3}, batches},
      {"log_cosh", two_layers(3), "log_cosh", batches},
      {"bce_smoothed", two_layers(3, "sigmoid"), BinaryCrossentropy{.label_smoothing = 0.2}, batches},
      {"bce_linear_smoothed", two_layers(3, "softmax"), BinaryCrossentropy{.label_smoothing = 0.2}, batches},
      {"bfce", two_layers(3, "sigmoid"), "binary_focal_crossentropy", batches},
      {"bfce_balanced", two_layers(3),
       BinaryFocalCrossentropy{.apply_class_balancing = true,
                               .alpha = 0.3,
                               .gamma = 1.5,
                               .from_logits = true,
                               .label_smoothing = 0.1},
       batches},
      {"cce_smoothed", two_layers(4, "softmax"), CategoricalCrossentropy{.label_smoothing = 0.2}, batches},
      {"cce_sigmoid_smoothed", two_layers(4, "sigmoid"), CategoricalCrossentropy{.label_smoothing = 0.2},
       batches},
      {"cfce", two_layers(4, "softmax"), "categorical_focal_crossentropy", batches},
      {"cfce_sigmoid", two_layers(4, "sigmoid"),
       CategoricalFocalCrossentropy{.alpha = 0.5, .gamma = 1.5, .label_smoothing = 0.1}, batches},
      {"cfce_logits", two_layers(4), CategoricalFocalCrossentropy{.from_logits = true}, batches},
      {"scce_ignore", two_layers(4, "softmax"), ignore_1, batches},
      {"scce_ignore_sigmoid", two_layers(4, "sigmoid"), ignore_2, batches},
      {"kld", two_layers(4, "softmax"), "kl_divergence", batches},
      {"poisson", two_layers(3, "softplus"), "poisson", batches},
      {"hinge", two_layers(3), "hinge", batches},
      {"squared_hinge", two_layers(3), "squared_hinge", batches},
      {"categorical_hinge", two_layers(4), "categorical_hinge", batches},
      {"cosine_similarity", two_layers(4), "cosine_similarity", batches},
  };
}

/// `layer` between two Dense layers.
template <class MakeLayer>
GradientCase between(const std::string& name, int units, int outputs, const std::string& activation,
                     const MakeLayer& layer) {
  return {name, [=] { return Layers{Dense(units, activation), layer(), Dense(outputs)}; }, "mse", {7, 31}};
}

std::vector<GradientCase> layer_cases() {
  return {
      between("relu_layer", 7, 3, "linear",
              [] { return ReLU({.max_value = 2, .negative_slope = 0.1, .threshold = 0.25}); }),
      between("prelu", 7, 3, "linear", [] { return PReLU(); }),
      between("batch_normalization", 7, 3, "tanh", [] { return BatchNormalization(); }),
      between("batch_normalization_rank_3", 4, 2, "tanh",
              [] { return BatchNormalization({.epsilon = 0.1, .center = false}); }),
      between("layer_normalization", 7, 3, "linear", [] { return LayerNormalization(); }),
      between("rms_normalization", 7, 3, "linear", [] { return RMSNormalization(); }),
      between("rescaling", 7, 3, "linear", [] { return Rescaling(0.5, 1); }),
      between("reshape", 4, 3, "linear",
              [] {
                return Reshape({2, -1});
              }),
      {"regularized",
       [] {
         return Layers{
             Dense(7, "tanh", {.kernel_regularizer = "l2", .bias_regularizer = L1{0.05}}),
             Dense(3, {.kernel_regularizer = L1L2{.l1 = 0.02, .l2 = 0.03}}),
         };
       },
       "mse",
       {7, 31}},
  };
}

std::vector<GradientCase> gradient_cases() {
  std::vector<GradientCase> cases;
  for (const auto& part :
       {mean_squared_error_cases(), binary_crossentropy_cases(), categorical_crossentropy_cases(),
        sparse_categorical_crossentropy_cases(), activation_cases(), more_loss_cases(), layer_cases()})
    cases.insert(cases.end(), part.begin(), part.end());
  return cases;
}

const Golden& gradient_values() {
  static const Golden golden("gradients.safetensors");
  return golden;
}

using GoldenGradients = GoldenTest<GradientCase>;

TEST_P(GoldenGradients, Loss_and_gradients_are_those_of_Keras) {
  const Golden& golden = gradient_values();
  const std::vector<Tensor> weights = golden.list(one().name + "/weights", dtype());
  for (const int batch : one().batches) {
    const std::string name = one().name + "/" + std::to_string(batch);
    const Tensor& x = golden[name + "/x"];
    Sequential model = this->model(one().layers(), x.shape().row(), weights, {.loss = one().loss});
    const Gradients got = model.gradients(x, golden[name + "/y"]);
    EXPECT_TRUE(close(got.loss, golden[name + "/loss"].item(), golden_tolerance(dtype())))
        << "loss of " << name;
    EXPECT_TRUE(close(got.weights, golden.list(name + "/gradients"), golden_tolerance(dtype())))
        << "gradients of " << name;
  }
}

INSTANTIATE_TEST_SUITE_P(Golden, GoldenGradients,
                         ::testing::Combine(::testing::ValuesIn(gradient_cases()),
                                            ::testing::ValuesIn(test_runs())),
                         name_of_case<GradientCase>);

TEST(GoldenFiles, Every_gradient_case_of_the_file_is_tested) {
  EXPECT_EQ(names_of(gradient_cases()), gradient_values().cases());
}

}  // namespace
}  // namespace glia::test
