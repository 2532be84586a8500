// Frozen layers: their weights keep their bits, and which pieces of the weights are trained changes nothing in how.
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>
#include <gtest/gtest.h>

#include <sstream>
#include <string>
#include <vector>

#include "tests/devices.h"
#include "tests/drawn.h"  // defines: drawn, same_bits
#include "tests/expect_error.h"

namespace glia::test {
namespace {

/// Optimizers that move weights without a gradient, too.
std::vector<std::pair<std::string, OptimizerName>> optimizers() {
  return {
      {"adam", Adam{.learning_rate = 0.01}},
      {"decay", AdamW{.learning_rate = 0.01, .weight_decay = 0.1}},
      {"momentum", SGD{.learning_rate = 0.1, .momentum = 0.9, .weight_decay = 0.05}},
      {"averages",
       SGD{.learning_rate = 0.1, .use_ema = true, .ema_momentum = 0.5, .ema_overwrite_frequency = 2}},
      {"accumulated", Adam{.learning_rate = 0.01, .global_clipnorm = 0.5, .gradient_accumulation_steps = 2}},
      {"clipped", SGD{.learning_rate = 0.1, .clipnorm = 0.2}},
      {"muon", Muon{.learning_rate = 0.01}},
      {"adagrad", Adagrad{.learning_rate = 0.05, .initial_accumulator_value = 0.2}}};
}

class Freezing : public DeviceTest {
 protected:
  CompileOptions options(const OptimizerName& optimizer) const {
    return {.optimizer = optimizer, .loss = "mse", .device = current_device()};
  }
  const Tensor x = drawn(1, {24, 5}), y = drawn(2, {24, 3});
};

INSTANTIATE_TEST_SUITE_P(Devices, Freezing, ::testing::ValuesIn(test_devices()), device_name);

TEST_P(Freezing, Keeps_the_bits_of_frozen_weights_whatever_the_optimizer) {
  for (const auto& [name, optimizer] : optimizers()) {
    SCOPED_TRACE(name);
    Symbol in = Input({5});
    Dense first(6, "tanh", {.kernel_regularizer = "l2", .kernel_constraint = "max_norm"}),
        frozen(4, "tanh", {.kernel_regularizer = "l2", .kernel_constraint = "unit_norm", .trainable = false});
    BatchNormalization norm({.momentum = 0.5, .trainable = false}), trained_norm({.momentum = 0.5});
    Dense last(3);
    Model model({in}, {last(trained_norm(norm(frozen(first(in)))))});
    model.compile(options(optimizer));
    const TensorList before = frozen.get_weights(), before_norm = norm.get_weights(),
                     before_first = first.get_weights(), before_trained = trained_norm.get_weights();
    model.fit(x, y, {.epochs = 3, .batch_size = 5, .verbose = 0});
    for (std::size_t i = 0; i < 2; ++i) EXPECT_TRUE(array_equal(frozen.get_weights()[i], before[i])) << i;
    for (std::size_t i = 0; i < 4; ++i) EXPECT_TRUE(array_equal(norm.get_weights()[i], before_norm[i])) << i;
    EXPECT_FALSE(array_equal(first.get_weights()[0], before_first[0]));
    for (std::size_t i = 0; i < 4; ++i)
      EXPECT_FALSE(array_equal(trained_norm.get_weights()[i], before_trained[i])) << i;
    EXPECT_EQ(model.gradients(x, y).weights.size(), 6u);
  }
}

/// Two layers in blocks of their own, or in one: where the weights lie is all that differs.
std::vector<Tensor> trained(const CompileOptions& options, int blocks, const Tensor& x, const Tensor& y,
                            std::size_t* spans) {
  Dense first(6, "tanh"), middle(4, "tanh"), last(3);
  Symbol in = Input({5});
  Symbol a = first(in), b = middle(a), c = last(b);
  std::vector<Model> parts;  // each makes the weights of what it has first
  if (blocks > 1) parts.emplace_back(Symbols{in}, Symbols{a});
  if (blocks > 2) parts.emplace_back(Symbols{in}, Symbols{b});
  for (Model& part : parts) part.compile(options), part.count_params();
  Model model({in}, {c});
  model.compile(options);
  std::vector<Tensor> weights;
  std::uint64_t seed = 20;
  for (const Tensor& weight : model.get_weights()) weights.push_back(drawn(seed++, weight.shape()) * 0.5);
  model.set_weights(weights);
  model.fit(x, y, {.epochs = 3, .batch_size = 5, .verbose = 0});
  *spans = 1;
  for (const Descriptor& descriptor : model.program(Mode::train, 5).descriptors())
    if (const auto* optimize = std::get_if<op::Optimize>(&descriptor))
      if (optimize->spans) *spans = static_cast<std::size_t>(optimize->spans.shape[0]);
  return model.get_weights();
}

TEST_P(Freezing, Weights_in_several_pieces_are_trained_as_in_one_bit_for_bit) {
  for (const auto& [name, optimizer] : optimizers()) {
    SCOPED_TRACE(name);
    std::size_t spans = 0;
    const std::vector<Tensor> one = trained(options(optimizer), 1, x, y, &spans);
    EXPECT_EQ(spans, 1u);
    for (const int blocks : {2, 3}) {
      const std::vector<Tensor> several = trained(options(optimizer), blocks, x, y, &spans);
      EXPECT_EQ(spans, name == "muon" ? 1u : static_cast<std::size_t>(blocks));
      for (std::size_t i = 0; i < one.size(); ++i)
        EXPECT_TRUE(array_equal(one[i], several[i])) << blocks << ' ' << i;
    }
  }
}

TEST_P(Freezing, A_frozen_layer_between_trained_ones_makes_two_pieces_that_learn_as_one_would) {
  for (const auto& [name, optimizer] : optimizers()) {
    SCOPED_TRACE(name);
    const auto learned = [&, &optimizer = optimizer](bool frozen_elsewhere) {
      Symbol in = Input({5}), six = Input({6});
      Dense a(6, "tanh"), frozen(6, {.trainable = false}), b(3);
      Model alone({six}, {frozen(six)});
      if (frozen_elsewhere)
        alone.compile(options(optimizer)), alone.count_params();  // then a and b lie side by side
      Model model({in}, {b(frozen(a(in)))});
      model.compile(options(optimizer));
      std::vector<Tensor> weights;
      for (const Tensor& weight : model.get_weights())
        weights.push_back(drawn(40 + weights.size(), weight.shape()) * 0.5);
      model.set_weights(weights);
      model.fit(x, y, {.epochs = 3, .batch_size = 5, .verbose = 0});
      for (const Descriptor& descriptor : model.program(Mode::train, 5).descriptors())
        if (const auto* optimize = std::get_if<op::Optimize>(&descriptor); optimize && name != "muon") {
          EXPECT_EQ(static_cast<bool>(optimize->spans), !frozen_elsewhere);
        }
      return model.get_weights();
    };
    const std::vector<Tensor> one = learned(true), two = learned(false);
    for (std::size_t i = 0; i < one.size(); ++i) EXPECT_TRUE(array_equal(one[i], two[i])) << i;
  }
}

TEST_P(Freezing, Counts_and_summaries_tell_trained_weights_from_frozen) {
  Symbol in = Input({5});
  Sequential block{Dense(4), BatchNormalization()};
  Model model({in}, {Dense(3)(block(in))});
  EXPECT_EQ(model.count_params(), 24 + 16 + 15);
  std::ostringstream all, some;
  model.summary(all);
  EXPECT_NE(all.str().find("Trainable params: 47"), std::string::npos) << all.str();
  EXPECT_NE(all.str().find("Non-trainable params: 8"), std::string::npos) << all.str();
  block.set_trainable(false);
  model.summary(some);
  EXPECT_EQ(model.count_params(), 55);
  EXPECT_NE(some.str().find("Trainable params: 15"), std::string::npos) << some.str();
  EXPECT_NE(some.str().find("Non-trainable params: 40"), std::string::npos) << some.str();
  EXPECT_FALSE(block.layer(0).trainable());
}

TEST_P(Freezing, Thawing_needs_compile_and_a_model_without_trained_weights_says_so) {
  Symbol in = Input({5});
  Model model({in}, {Dense(3, {.name = "only"})(in)});
  model.set_trainable(false);
  model.compile(options("sgd"));
  expect_error<StateError>([&] { model.train_on_batch(x, y); },
                           {"no weights to train", "set_trainable(true)"});
  EXPECT_GE(model.evaluate(x, y, {.verbose = 0})["loss"], 0);
  model.set_trainable(true);
  expect_error<StateError>([&] { model.train_on_batch(x, y); }, {"no weights to train", "compile"});
  model.compile(options("sgd"));
  const Tensor before = model.get_weights()[0];
  model.train_on_batch(x, y);
  EXPECT_FALSE(array_equal(before, model.get_weights()[0]));
}

TEST_P(Freezing, Gradients_stop_where_a_formula_says_so) {
  Symbol in = Input({5});
  Dense before(4, "tanh"), after(3);
  Model model({in}, {after(stop_gradient(before(in)))});
  model.compile(options(SGD{.learning_rate = 0.1}));
  const TensorList kept = before.get_weights(), moved = after.get_weights();
  const Gradients gradients = model.gradients(x, y);
  ASSERT_EQ(gradients.weights.size(), 4u);
  EXPECT_TRUE(array_equal(gradients.weights[0], Tensor::zeros({5, 4})));
  EXPECT_FALSE(array_equal(gradients.weights[2], Tensor::zeros({4, 3})));
  model.fit(x, y, {.verbose = 0});
  EXPECT_TRUE(array_equal(before.get_weights()[0], kept[0]));
  EXPECT_FALSE(array_equal(after.get_weights()[0], moved[0]));
}

}  // namespace
}  // namespace glia::test
