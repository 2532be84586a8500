// What Keras computes, Glia computes: outputs of every layer and activation, and what textbooks say of them.
// The table mirrors that of tests/golden/make_keras.py.
// SPDX-License-Identifier: Apache-2.0
#include <glia/sequential.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "tests/close.h"
#include "tests/devices.h"
#include "tests/golden.h"

namespace glia::test {
namespace {

const std::vector<std::string> activations = {"linear", "relu", "sigmoid", "tanh", "softmax"};
const std::vector<std::string> more_activations = {
    "log_softmax", "relu6",    "leaky_relu", "elu",       "selu", "celu", "hard_sigmoid",
    "softplus",    "softsign", "silu",       "hard_silu", "gelu", "mish", "exponential"};

// forward

struct ForwardCase {
  std::string name;
  std::function<Layers()> layers;

  friend std::ostream& operator<<(std::ostream& out, const ForwardCase& one) { return out << one.name; }
};

/// Layers that are neither Dense nor Flatten, while a model predicts.
std::vector<ForwardCase> layer_cases() {
  return {
      {"activation_gelu_tanh", [] { return Layers{Activation(Gelu{.approximate = true})}; }},
      {"relu_layer", [] { return Layers{ReLU({.max_value = 2, .negative_slope = 0.1, .threshold = 0.5})}; }},
      {"leaky_relu_layer", [] { return Layers{LeakyReLU()}; }},
      {"elu_layer", [] { return Layers{ELU(0.7)}; }},
      {"prelu", [] { return Layers{PReLU()}; }},
      {"batch_normalization",
       [] {
         return Layers{Dense(7), BatchNormalization()};
       }},
      {"batch_normalization_rank_3",
       [] { return Layers{BatchNormalization({.epsilon = 0.1, .center = false})}; }},
      {"layer_normalization", [] { return Layers{LayerNormalization()}; }},
      {"layer_normalization_rank_3", [] { return Layers{LayerNormalization({.scale = false})}; }},
      {"rms_normalization", [] { return Layers{RMSNormalization()}; }},
      {"rescaling", [] { return Layers{Rescaling(0.25, -1)}; }},
      {"reshape",
       [] {
         return Layers{Reshape({2, -1}), Dense(5)};
       }},
      {"dropout_predicts",
       [] {
         return Layers{Dropout(0.5), GaussianNoise(1), AlphaDropout(0.3)};
       }},
  };
}

std::vector<ForwardCase> forward_cases() {
  std::vector<ForwardCase> cases = {
      {"dense_one_row", [] { return Layers{Dense(7, "tanh")}; }},
      {"dense_one_unit", [] { return Layers{Dense(1, "sigmoid")}; }},
      {"dense_no_bias", [] { return Layers{Dense(7, "relu", {.use_bias = false})}; }},
      {"flatten", [] { return Layers{Flatten()}; }},
      {"flatten_dense",
       [] {
         return Layers{Flatten(), Dense(4, "sigmoid")};
       }},
      {"dense_flatten_dense",
       [] {
         return Layers{Dense(4, "tanh"), Flatten(), Dense(2)};
       }},
      {"wide",
       [] {
         return Layers{Dense(67, "relu"), Dense(10, "softmax")};
       }},
  };
  for (const std::string& name : activations) {
    cases.push_back({"dense_" + name, [name] { return Layers{Dense(7, name)}; }});
    cases.push_back({"dense_rank_3_" + name, [name] { return Layers{Dense(7, name)}; }});
    cases.push_back({"activation_" + name, [name] { return Layers{Activation(name)}; }});
    cases.push_back({"activation_rank_3_" + name, [name] { return Layers{Activation(name)}; }});
  }
  for (const std::string& name : more_activations) {
    cases.push_back({"dense_" + name, [name] { return Layers{Dense(7, name)}; }});
    cases.push_back({"activation_" + name, [name] { return Layers{Activation(name)}; }});
  }
  for (const ForwardCase& one : layer_cases()) cases.push_back(one);
  return cases;
}

const Golden& forward_values() {
  static const Golden golden("forward.safetensors");
  return golden;
}

using GoldenForward = GoldenTest<ForwardCase>;

TEST_P(GoldenForward, Outputs_are_those_of_Keras) {
  const Golden& golden = forward_values();
  const Tensor& x = golden[one().name + "/x"];
  Sequential model =
      this->model(one().layers(), x.shape().row(), golden.list(one().name + "/weights", dtype()));
  for (const std::int64_t batch_size : {4, 64}) {
    const Tensor out = model.predict(x, {.batch_size = batch_size});
    EXPECT_EQ(out.dtype(), dtype());
    EXPECT_TRUE(close(out, golden[one().name + "/out"], golden_tolerance(dtype())))
        << "case " << one().name << ", batch_size " << batch_size;
  }
}

INSTANTIATE_TEST_SUITE_P(Golden, GoldenForward,
                         ::testing::Combine(::testing::ValuesIn(forward_cases()),
                                            ::testing::ValuesIn(test_runs())),
                         name_of_case<ForwardCase>);

TEST(GoldenFiles, Every_forward_case_of_the_file_is_tested) {
  EXPECT_EQ(names_of(forward_cases()), forward_values().cases());
}

// what textbooks say

class Textbook : public DeviceTest {};

TEST_P(Textbook, Softmax_of_the_logits_of_9_8_and_7_tenths_is_59_26_and_15_hundredths) {
  Sequential model{Activation("softmax", {3})};
  model.compile({.context = context()});
  const auto logit = [](double p) { return std::log(p / (1 - p)); };
  const Tensor out = model.predict(Tensor{{logit(0.9), logit(0.8), logit(0.7)}});
  EXPECT_TRUE(close(out, Tensor{{27.0 / 46, 12.0 / 46, 7.0 / 46}}, {.relative = 1e-6}));
  EXPECT_TRUE(array_equal(out.round(2), Tensor{{0.59, 0.26, 0.15}}.round(2))) << out;
}

/// For one row, the gradient of the bias is dL/dz, and that of the kernel is x dL/dz.
void expect_output_minus_target(Context& context, const std::string& activation, const LossName& loss,
                                int units, const Tensor& target, const Tensor& target_values) {
  const Tensor x{{0.5, -1.5, 2, 0.25, -3}};
  Sequential model{Dense(units, activation, {.bias_initializer = "ones", .input_dim = 5})};
  model.compile({.loss = loss, .context = context});
  const Gradients got = model.gradients(x, target);
  const Tensor dz = model.predict(x) - target_values;
  EXPECT_TRUE(close(got.weights.at(1), dz.row(0), {.relative = 1e-5, .absolute = 1e-7})) << activation;
  for (int i = 0; i < 5; ++i)
    EXPECT_TRUE(close(got.weights.at(0).row(i), dz.row(0) * x(0, i), {.relative = 1e-5, .absolute = 1e-7}))
        << activation << ", row " << i;
}

TEST_P(Textbook, The_gradient_of_softmax_and_crossentropy_is_output_minus_target) {
  const Tensor one_hot{{0, 0, 1, 0}};
  expect_output_minus_target(context(), "softmax", "categorical_crossentropy", 4, one_hot, one_hot);
  const Tensor label(std::vector<std::int32_t>{2});
  expect_output_minus_target(context(), "softmax", "sparse_categorical_crossentropy", 4, label, one_hot);
}

TEST_P(Textbook, The_gradient_of_sigmoid_and_binary_crossentropy_is_output_minus_target) {
  const Tensor target{{1}};
  expect_output_minus_target(context(), "sigmoid", "binary_crossentropy", 1, target, target);
}

TEST_P(Textbook, Crossentropy_of_logits_far_from_0_is_their_distance) {
  Sequential model{Dense(2, "linear", {.kernel_initializer = "zeros", .input_dim = 1})};
  model.compile({.loss = SparseCategoricalCrossentropy{.from_logits = true}, .context = context()});
  std::vector<Tensor> weights = model.get_weights();
  weights[1] = Tensor{1000, 0};
  model.set_weights(weights);
  const Gradients got = model.gradients(Tensor{{1}}, Tensor(std::vector<std::int32_t>{1}));
  EXPECT_EQ(got.loss, 1000);
  EXPECT_TRUE(array_equal(got.weights.at(1), Tensor{1, -1})) << got.weights.at(1);

  model.compile({.loss = BinaryCrossentropy{.from_logits = true}, .context = context()});
  const Gradients binary = model.gradients(Tensor{{1}}, Tensor{{0, 1}});
  EXPECT_NEAR(binary.loss, (1000 + std::log(2)) / 2, 1e-4);
  EXPECT_TRUE(close(binary.weights.at(1), Tensor{0.5, -0.25}, {.relative = 1e-6})) << binary.weights.at(1);
}

INSTANTIATE_TEST_SUITE_P(Devices, Textbook, ::testing::ValuesIn(test_devices()), device_name);

}  // namespace
}  // namespace glia::test
