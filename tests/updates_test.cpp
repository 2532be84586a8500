// What surrounds an optimizer's update, on every device: constraints, regularizers, clipping, averages, accumulation; and
// every optimizer's numbers on a device against the CPU's.
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "tests/close.h"
#include "tests/devices.h"

namespace glia {
namespace {

using test::close;
constexpr test::Tolerance tolerance = {.relative = 1e-5, .absolute = 1e-6};

class UpdatesOn : public test::DeviceTest {};
INSTANTIATE_TEST_SUITE_P(Devices, UpdatesOn, ::testing::ValuesIn(test::test_devices()), test::device_name);

Tensor numbers(const Shape& shape, double offset = 0) {
  Tensor tensor = Tensor::zeros(shape);
  for (std::int64_t i = 0; i < tensor.size(); ++i)
    tensor.data<float>()[i] = static_cast<float>(offset + 2 * std::sin(1.3 * static_cast<double>(i * i + 1)));
  return tensor;
}

void compile(Sequential& model, const OptimizerName& optimizer, const Device& device) {
  model.compile({.optimizer = optimizer, .loss = "mse", .device = device});
}

/// A small network that every optimizer can train, and weights of every rank.
Sequential network(const OptimizerName& optimizer, const Device& device = test::current_device()) {
  Sequential model{Dense(6, "tanh", {.input_dim = 4}), PReLU(), Dense(3)};
  model.set_seed(4);
  compile(model, optimizer, device);
  return model;
}

double norm_of(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value * value;
  return std::sqrt(sum);
}

TEST_P(UpdatesOn, Constraints_hold_after_every_update) {
  for (const OptimizerName& optimizer :
       {OptimizerName(SGD{.learning_rate = 0.5}), OptimizerName(Adam{.learning_rate = 0.3}),
        OptimizerName(RMSprop{.learning_rate = 0.3, .weight_decay = 0.1})}) {
    Sequential model{
        Dense(5, "tanh",
              {.kernel_constraint = MaxNorm{0.8}, .bias_constraint = MaxNorm{0.1}, .input_dim = 4}),
        Dense(4, "tanh", {.kernel_constraint = "non_neg", .bias_constraint = "unit_norm"}),
        Dense(3, {.kernel_constraint = MinMaxNorm{0.5, 0.7}})};
    compile(model, optimizer, test::current_device());
    bool cut[4] = {};
    for (int step = 0; step < 6; ++step) {
      model.train_on_batch(numbers({8, 4}, step), numbers({8, 3}, 3));
      const std::vector<Tensor> w = model.get_weights();
      for (int unit = 0; unit < 5; ++unit) {
        const double norm = norm_of(w[0].column(unit).values());
        EXPECT_LE(norm, 0.8 + 1e-5);
        cut[0] = cut[0] || norm > 0.799;
      }
      EXPECT_LE(norm_of(w[1].values()), 0.1 + 1e-5);
      cut[1] = cut[1] || norm_of(w[1].values()) > 0.0999;
      EXPECT_GE(w[2].min(), 0);
      cut[2] = cut[2] || w[2].min() == 0;
      EXPECT_NEAR(norm_of(w[3].values()), 1, 1e-5);
      for (int unit = 0; unit < 3; ++unit) {
        const double norm = norm_of(w[4].column(unit).values());
        EXPECT_GE(norm, 0.5 - 1e-5);
        EXPECT_LE(norm, 0.7 + 1e-5);
        cut[3] = cut[3] || norm > 0.699 || norm < 0.501;
      }
    }
    for (int i = 0; i < 4; ++i) EXPECT_TRUE(cut[i]) << "constraint " << i << " never had anything to do";
  }
}

TEST_P(UpdatesOn, Min_max_norm_goes_by_its_rate) {
  Sequential model{Dense(1, {.use_bias = false, .kernel_constraint = MinMaxNorm{0, 1, 0.25}})};
  compile(model, SGD{.learning_rate = 1e-30}, test::current_device());
  model.build({2});
  model.set_weights({Tensor{{3}, {4}}});
  model.train_on_batch(Tensor::ones({1, 2}), Tensor::ones({1, 1}));
  EXPECT_NEAR(norm_of(model.get_weights()[0].values()), 0.25 * 1 + 0.75 * 5, 1e-5);
}

/// Keras's constraints are over the first axis, whatever the rank.
TEST_P(UpdatesOn, Constraints_of_weights_of_rank_3_are_over_their_first_axis) {
  Sequential model{PReLU({.alpha_initializer = "random_uniform", .alpha_constraint = "unit_norm"})};
  compile(model, SGD{}, test::current_device());
  model.train_on_batch(numbers({2, 3, 2, 4}), numbers({2, 3, 2, 4}, 1));
  const Tensor alpha = model.get_weights()[0].clone();
  for (int b = 0; b < 2; ++b)
    for (int c = 0; c < 4; ++c)
      EXPECT_NEAR(norm_of({alpha(0, b, c), alpha(1, b, c), alpha(2, b, c)}), 1, 1e-5) << b << ' ' << c;
}

TEST_P(UpdatesOn, Regularizers_are_in_the_loss_of_training_and_evaluation_alike) {
  Sequential model{Dense(3, {.kernel_regularizer = "l2", .bias_regularizer = L1{0.5}}), Dense(2)};
  Sequential plain{Dense(3), Dense(2)};
  for (Sequential* each : {&model, &plain}) {
    compile(*each, SGD{.learning_rate = 1e-30}, test::current_device());
    each->build({4});
  }
  std::vector<Tensor> weights = model.get_weights();
  weights[1] = Tensor{0.5, -1, 2};
  model.set_weights(weights), plain.set_weights(weights);
  double penalty = 0.5 * 3.5;
  for (const double w : weights[0].values()) penalty += 0.01 * w * w;
  const Tensor x = numbers({10, 4}), y = numbers({10, 2}, 1);
  const double data_loss = plain.evaluate(x, y, {.verbose = 0})["loss"];
  for (const std::int64_t batch : {10, 3}) {  // a partial last batch counts by its rows
    EXPECT_NEAR(model.evaluate(x, y, {.batch_size = batch, .verbose = 0})["loss"], data_loss + penalty, 1e-5);
    const History history = model.fit(x, y, {.batch_size = batch, .verbose = 0, .validation_data = {x, y}});
    EXPECT_NEAR(history["loss"][0], data_loss + penalty, 1e-5);
    EXPECT_NEAR(history["val_loss"][0], data_loss + penalty, 1e-5);
  }
  EXPECT_NEAR(model.train_on_batch(x, y)["loss"], data_loss + penalty, 1e-5);
  // And not weighted by the rows' weights.
  const Tensor none = Tensor::zeros({10});
  EXPECT_NEAR(model.evaluate(x, y, {.verbose = 0, .sample_weight = none})["loss"], penalty, 1e-5);
}

/// How far one step with SGD and a rate of 1 moves each weight, and the gradients it had.
std::pair<std::vector<Tensor>, std::vector<Tensor>> moved(const SGD& sgd) {
  SGD with_rate_1 = sgd;
  with_rate_1.learning_rate = 1.0;
  Sequential model = network(with_rate_1);
  const Tensor x = numbers({7, 4}), y = numbers({7, 3}, 2);
  std::vector<Tensor> gradients = model.gradients(x, y).weights, result;
  const std::vector<Tensor> before = model.get_weights();
  model.train_on_batch(x, y);
  const std::vector<Tensor> after = model.get_weights();
  for (std::size_t i = 0; i < before.size(); ++i) result.push_back(before[i] - after[i]);
  return {std::move(result), std::move(gradients)};
}

TEST_P(UpdatesOn, Gradients_are_clipped_each_all_together_or_element_by_element) {
  std::vector<double> norms;
  for (const Tensor& gradient : moved({}).second) norms.push_back(norm_of(gradient.values()));
  const double all = norm_of(norms);
  std::sort(norms.begin(), norms.end());
  const double limit = (norms[1] + norms[2]) / 2;  // some gradients pass it, some do not
  ASSERT_LT(norms[1], norms[2]);
  const auto by_norm = moved({.clipnorm = limit});
  const auto globally = moved({.global_clipnorm = limit});
  const auto by_value = moved({.clipvalue = 0.1});
  for (std::size_t i = 0; i < by_norm.first.size(); ++i) {
    const Tensor& gradient = by_norm.second[i];
    const double norm = norm_of(gradient.values());
    EXPECT_TRUE(close(by_norm.first[i], gradient * std::min(1.0, limit / norm), tolerance)) << i;
    EXPECT_TRUE(close(globally.first[i], gradient * std::min(1.0, limit / all), tolerance)) << i;
    Tensor clipped = gradient.clone();
    for (std::int64_t e = 0; e < clipped.size(); ++e)
      clipped.data<float>()[e] = std::clamp(clipped.data<float>()[e], -0.1f, 0.1f);
    EXPECT_TRUE(close(by_value.first[i], clipped, tolerance)) << i;
  }
}

/// The weights after each step of an epoch, in order.
std::vector<std::vector<Tensor>> trajectory(const OptimizerName& optimizer, const Tensor& x, const Tensor& y,
                                            std::int64_t batch) {
  Sequential model = network(optimizer);
  std::vector<std::vector<Tensor>> weights;
  for (std::int64_t first = 0; first < x.rows(); first += batch) {
    model.train_on_batch(x.rows(first, first + batch), y.rows(first, first + batch));
    weights.push_back(model.get_weights());
  }
  return weights;
}

TEST_P(UpdatesOn, Averages_of_weights_take_their_place_at_the_end_of_fit) {
  const Tensor x = numbers({20, 4}), y = numbers({20, 3}, 1);
  const auto steps = trajectory(SGD{.learning_rate = 0.1}, x, y, 4);
  std::vector<Tensor> average;
  for (const Tensor& weight : steps[0]) average.push_back(weight.clone());
  for (std::size_t s = 1; s < steps.size(); ++s)
    for (std::size_t i = 0; i < average.size(); ++i) average[i] = average[i] * 0.8 + steps[s][i] * (1 - 0.8);
  Sequential model = network(SGD{.learning_rate = 0.1, .use_ema = true, .ema_momentum = 0.8});
  model.fit(x, y, {.batch_size = 4, .verbose = 0, .shuffle = false});
  EXPECT_TRUE(close(model.get_weights(), average, tolerance));
}

TEST_P(UpdatesOn, Averages_overwrite_the_weights_as_often_as_told) {
  const Tensor x = numbers({16, 4}), y = numbers({16, 3}, 1);
  const auto steps = trajectory(SGD{.learning_rate = 0.1}, x, y, 4);
  Sequential model =
      network(SGD{.learning_rate = 0.1, .use_ema = true, .ema_momentum = 0.5, .ema_overwrite_frequency = 2});
  model.train_on_batch(x.rows(0, 4), y.rows(0, 4));
  EXPECT_TRUE(close(model.get_weights(), steps[0], tolerance));
  model.train_on_batch(x.rows(4, 8), y.rows(4, 8));
  std::vector<Tensor> expected;
  for (std::size_t i = 0; i < steps[0].size(); ++i) expected.push_back(steps[0][i] * 0.5 + steps[1][i] * 0.5);
  EXPECT_TRUE(close(model.get_weights(), expected, tolerance));
}

TEST_P(UpdatesOn, Accumulated_gradients_of_small_batches_are_those_of_a_large_one) {
  const Tensor x = numbers({24, 4}), y = numbers({24, 3}, 1);
  const auto trained = [&](auto optimizer, std::int64_t batch, int accumulated) {
    optimizer.gradient_accumulation_steps = accumulated;
    Sequential model = network(optimizer);
    model.fit(x, y, {.epochs = 3, .batch_size = batch, .verbose = 0, .shuffle = false});
    EXPECT_EQ(model.iterations(), 3 * 24 / batch / accumulated);
    return model.get_weights();
  };
  const auto expect_alike = [&](const auto& optimizer) {
    EXPECT_TRUE(
        close(trained(optimizer, 4, 3), trained(optimizer, 12, 1), {.relative = 1e-4, .absolute = 1e-5}))
        << optimizer.name;
  };
  expect_alike(SGD{.momentum = 0.9});
  expect_alike(Adam{});
  expect_alike(AdamW{.global_clipnorm = 0.5});
  expect_alike(RMSprop{.centered = true});
  expect_alike(Nadam{.clipnorm = 0.3});
  expect_alike(Muon{});
}

TEST_P(UpdatesOn, Between_updates_accumulation_moves_nothing) {
  Sequential model = network(AdamW{.weight_decay = 0.5, .gradient_accumulation_steps = 3});
  const std::vector<Tensor> before = model.get_weights();
  const Tensor x = numbers({5, 4}), y = numbers({5, 3});
  for (int step = 0; step < 2; ++step) {
    model.train_on_batch(x, y);
    for (std::size_t i = 0; i < before.size(); ++i)
      EXPECT_TRUE(array_equal(model.get_weights()[i], before[i]));
  }
  model.train_on_batch(x, y);
  EXPECT_FALSE(array_equal(model.get_weights()[0], before[0]));
}

/// Every optimizer of the variant with its defaults (a new one is among them by itself), and some with options.
template <std::size_t... index>
std::vector<OptimizerName> optimizers(std::index_sequence<index...>) {
  std::vector<OptimizerName> all{OptimizerName(std::variant_alternative_t<index, Optimizers>{})...};
  for (const OptimizerName& with_options :
       {OptimizerName(SGD{.momentum = 0.9, .nesterov = true, .weight_decay = 0.01, .clipnorm = 0.5}),
        OptimizerName(RMSprop{.momentum = 0.5, .centered = true, .clipvalue = 0.2}),
        OptimizerName(Adam{.amsgrad = true, .use_ema = true, .ema_momentum = 0.9}),
        OptimizerName(AdamW{.global_clipnorm = 0.3, .gradient_accumulation_steps = 4}),
        OptimizerName(Ftrl{.l1_regularization_strength = 0.001, .l2_regularization_strength = 0.01}),
        OptimizerName(SGD{.learning_rate = CosineDecay{.initial_learning_rate = 0.1, .decay_steps = 20}})})
    all.push_back(with_options);
  return all;
}

TEST_P(UpdatesOn, Every_optimizer_trains_to_the_cpus_numbers) {
  const Tensor x = numbers({40, 4}), y = numbers({40, 3}, 1);
  for (const OptimizerName& optimizer :
       optimizers(std::make_index_sequence<std::variant_size_v<Optimizers>>())) {
    const auto trained = [&](const Device& device) {
      Sequential model = network(optimizer, device);
      model.fit(x, y, {.epochs = 4, .batch_size = 8, .verbose = 0});
      const int accumulated =
          std::visit([](const auto& o) { return o.gradient_accumulation_steps; }, optimizer.value());
      EXPECT_EQ(model.iterations(), 20 / accumulated);
      return model.get_weights();
    };
    EXPECT_TRUE(
        close(trained(test::current_device()), trained(Device::cpu()), {.relative = 1e-5, .absolute = 1e-5}))
        << optimizer.name();
  }
}

TEST_P(UpdatesOn, Every_optimizer_lowers_the_loss) {
  const Tensor x = numbers({40, 4}), y = numbers({40, 3}, 1);
  for (const OptimizerName& optimizer :
       optimizers(std::make_index_sequence<std::variant_size_v<Optimizers>>())) {
    Sequential model = network(optimizer);
    const History history = model.fit(x, y, {.epochs = 15, .batch_size = 8, .verbose = 0});
    // Ftrl's first update forgets the initial weights: so from the second epoch on.
    EXPECT_LT(history["loss"].back(), history["loss"][1]) << optimizer.name();
  }
}

}  // namespace
}  // namespace glia
