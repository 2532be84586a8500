// Custom training: halves of a step, gradients of inputs, epochs of some steps; and formulas as layers.
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "tests/devices.h"
#include "tests/drawn.h"  // defines: drawn, same_bits
#include "tests/expect_error.h"

namespace glia::test {
namespace {

class Halves : public DeviceTest {};
INSTANTIATE_TEST_SUITE_P(Devices, Halves, ::testing::ValuesIn(test_devices()), device_name);

Sequential model(const OptimizerName& optimizer = "adam") {
  Sequential made{Dense(7, "relu", {.kernel_regularizer = "l2", .input_dim = 5}), BatchNormalization(),
                  Dense(2)};
  made.compile({.optimizer = optimizer, .loss = "mse", .device = current_device()});
  return made;
}

void expect_same(const Sequential& a, const Sequential& b) {
  EXPECT_TRUE(same_bits(a.get_weights(), b.get_weights()));
}

TEST_P(Halves, Gradients_that_are_applied_are_the_update_of_the_whole_step) {
  const Tensor x = drawn(7, {12, 5}), y = drawn(3, {12, 2});
  const std::vector<OptimizerName> optimizers{
      Adam{.learning_rate = LearningRate(ExponentialDecay{0.01, 2, 0.5})},
      SGD{.momentum = 0.9, .global_clipnorm = 0.1}};
  for (const OptimizerName& optimizer : optimizers) {
    // Without what the forward part of a training step moves beside its gradients.
    const auto make = [&] {
      Sequential made{Dense(7, "relu", {.kernel_regularizer = "l2", .input_dim = 5}), Dense(2)};
      made.compile({.optimizer = optimizer, .loss = "mse", .device = current_device()});
      return made;
    };
    Sequential whole = make(), halves = make(), given = make();
    for (int step = 0; step < 5; ++step) {
      const double loss = whole.train_on_batch(x, y)["loss"];
      EXPECT_EQ(halves.backward(x, y)["loss"], loss);
      halves.apply_gradients();
      given.apply_gradients(given.gradients(x, y).weights);
    }
    expect_same(whole, halves);
    expect_same(whole, given);
    EXPECT_EQ(halves.iterations(), 5);
    EXPECT_EQ(halves.learning_rate(), whole.learning_rate());
  }
}

TEST_P(Halves, Without_gradients_or_with_others_are_refused) {
  const Tensor x = drawn(7, {12, 5}), y = drawn(3, {12, 2});
  Sequential made = model();
  expect_error<StateError>([&] { made.apply_gradients(); }, {"apply_gradients", "backward"});
  const std::vector<Tensor> one(1);
  expect_error<ShapeError>([&] { made.apply_gradients(one); }, {"1 gradients", "6"});
  made.backward(x, y);
  made.apply_gradients();
  EXPECT_EQ(made.iterations(), 1);
  expect_error<StateError>([&] { made.apply_gradients(); }, {"backward"});  // once is all
  made.backward(x, y);
  made.train_on_batch(x, y);
  expect_error<StateError>([&] { made.apply_gradients(); }, {"backward"});
}

/// Takes a step of its own behind each batch.
class Steps final : public Callback {
 public:
  Steps(const Tensor& x, const Tensor& y, bool halves) : x_(x), y_(y), halves_(halves) {}
  bool watches_batches() const override { return true; }
  void on_batch_end(std::int64_t, const Logs&) override {
    if (!halves_) {
      model().train_on_batch(x_, y_);
      return;
    }
    model().backward(x_, y_);
    model().apply_gradients();
  }

 private:
  const Tensor &x_, &y_;
  bool halves_;
};

TEST_P(Halves, In_a_callback_leave_the_rows_of_the_fit_alone) {
  const Tensor x = drawn(7, {20, 5}), y = drawn(3, {20, 2});
  const auto make = [] {
    Sequential made{Dense(7, "relu", {.input_dim = 5}), Dense(2)};
    made.compile({.optimizer = "adam", .loss = "mse", .device = current_device()});
    return made;
  };
  Sequential whole = make(), halves = make();
  Steps in_one(x, y, false), in_two(x, y, true);
  const History a = whole.fit(x, y, {.epochs = 2, .batch_size = 4, .verbose = 0, .callbacks = {&in_one}});
  const History b = halves.fit(x, y, {.epochs = 2, .batch_size = 4, .verbose = 0, .callbacks = {&in_two}});
  EXPECT_EQ(a["loss"], b["loss"]);
  expect_same(whole, halves);
}

TEST_P(Halves, Gradients_of_inputs_are_slopes) {
  Tensor x = drawn(7, {4, 5});
  const Tensor y = drawn(3, {4, 2});
  Sequential made{Dense(6, "tanh", {.input_dim = 5}), Dense(2)};
  made.compile({.loss = "mse", .device = current_device()});
  const Gradients got = made.gradients(x, y, {.inputs = true});
  ASSERT_EQ(got.inputs.size(), 1u);
  ASSERT_EQ(got.inputs[0].shape(), x.shape());
  constexpr float h = 1e-2f;
  for (std::int64_t i = 0; i < x.size(); ++i) {
    const float kept = x.data<float>()[i];
    x.data<float>()[i] = kept + h;
    const double above = made.gradients(x, y).loss;
    x.data<float>()[i] = kept - h;
    const double below = made.gradients(x, y).loss;
    x.data<float>()[i] = kept;
    EXPECT_NEAR(got.inputs[0].data<float>()[i], (above - below) / (2 * h), 1e-3) << i;
  }
  EXPECT_TRUE(made.gradients(x, y).inputs.empty());
}

TEST_P(Halves, Epochs_of_some_steps_go_on_where_the_one_before_ended) {
  const Tensor x = drawn(7, {20, 5}), y = drawn(3, {20, 2});
  for (const std::int64_t budget : {std::int64_t{0}, std::int64_t{200}}) {  // held, and streamed
    for (const bool shuffle : {false, true}) {
      // 20 rows are 5 batches of 4: three epochs of 5 steps are five of 3.
      Sequential whole = model(), parts = model();
      const FitOptions options{.batch_size = 4, .verbose = 0, .shuffle = shuffle, .memory_budget = budget};
      FitOptions all = options, some = options;
      all.epochs = 3;
      some.epochs = 5, some.steps_per_epoch = 3;
      whole.fit(x, y, all);
      EXPECT_EQ(parts.fit(x, y, some)["loss"].size(), 5u);
      EXPECT_EQ(parts.iterations(), 15);
      expect_same(whole, parts);
    }
  }
  Sequential made = model();
  expect_error<ValueError>([&] { made.fit(x, y, {.verbose = 0, .steps_per_epoch = -1}); },
                           {"steps_per_epoch -1"});
}

TEST_P(Halves, Validation_of_some_steps_is_that_of_the_first_rows) {
  const Tensor x = drawn(7, {20, 5}), y = drawn(3, {20, 2});
  Sequential made = model();
  FitOptions options{.batch_size = 4, .verbose = 0};
  options.validation_data = {x, y}, options.validation_steps = 2, options.epochs = 2;
  const History history = made.fit(x, y, options);
  const double first = made.evaluate(TensorView(x).rows(0, 8), TensorView(y).rows(0, 8),
                                     {.batch_size = 4, .verbose = 0})["loss"];
  EXPECT_EQ(history["val_loss"].back(), first);
}

TEST_P(Halves, A_Lambda_is_its_formula) {
  const Tensor x = drawn(7, {6, 5}), y = drawn(3, {6, 4});
  Sequential named{Dense(4, "silu", {.input_dim = 5})};
  Sequential formula{Dense(4, {.input_dim = 5}), Lambda([](const Symbol& z) { return z / (1.0 + exp(-z)); })};
  for (Sequential* each : {&named, &formula}) {
    each->compile({.optimizer = "sgd", .loss = "mse", .device = current_device()});
    each->fit(x, y, {.epochs = 3, .verbose = 0, .shuffle = false});
  }
  EXPECT_TRUE(all_close(named.predict(x, {.verbose = 0}), formula.predict(x, {.verbose = 0}), 1e-5, 1e-5));
  expect_error<ValueError>([] { Sequential{Lambda([](const Symbol& z) { return Dense(3)(z); })}.build({5}); },
                           {"Lambda", "weights"});
}

}  // namespace
}  // namespace glia::test
