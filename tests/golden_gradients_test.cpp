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

std::vector<GradientCase> gradient_cases() {
  std::vector<GradientCase> cases;
  for (const auto& part : {mean_squared_error_cases(), binary_crossentropy_cases(),
                           categorical_crossentropy_cases(), sparse_categorical_crossentropy_cases()})
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
