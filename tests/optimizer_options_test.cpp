// Every option that optimizers share acts on every weight, whatever the optimizer and the layer.
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "tests/devices.h"

namespace glia {
namespace {

/// All optimizers, each with an option set by `set`.
template <class Set>
std::vector<Optimizers> optimizers(const Set& set) {
  std::vector<Optimizers> all;
  const auto add = [&](auto optimizer) {
    optimizer.learning_rate = 0.05;
    set(optimizer);
    all.emplace_back(optimizer);
  };
  add(SGD{}), add(SGD{.momentum = 0.9}), add(SGD{.momentum = 0.9, .nesterov = true}), add(RMSprop{});
  add(RMSprop{.momentum = 0.9, .centered = true}), add(Adam{}), add(Adam{.amsgrad = true}), add(AdamW{});
  add(Adamax{}), add(Nadam{}), add(Adagrad{}), add(Adadelta{}), add(Lion{}), add(Ftrl{}), add(Muon{});
  add(Muon{.nesterov = false});
  return all;
}

std::string name_of(const Optimizers& optimizer) {
  return std::visit([](const auto& o) { return std::string(o.name); }, optimizer);
}

OptimizerName named(const Optimizers& optimizer) {
  return std::visit([](const auto& o) { return OptimizerName(o); }, optimizer);
}

/// Weights of every rank from 1 to 4.
Sequential network(const Optimizers& optimizer, const Device& device) {
  Sequential model{Conv2D(3, 2, {.activation = "tanh", .input_shape = {4, 4, 2}}),
                   PReLU(),
                   Flatten(),
                   Dense(5, "tanh"),
                   LayerNormalization(),
                   Dense(2)};
  model.set_seed(3);
  model.compile({.optimizer = named(optimizer), .loss = "mae", .device = device});
  return model;
}

Tensor numbers(const Shape& shape, double offset) {
  Tensor tensor = Tensor::zeros(shape);
  for (std::int64_t i = 0; i < tensor.size(); ++i)
    tensor.data<float>()[i] = static_cast<float>(offset + std::sin(1.3 * static_cast<double>(i * i + 1)));
  return tensor;
}

class OptimizerOptionsOn : public test::DeviceTest {};
INSTANTIATE_TEST_SUITE_P(Devices, OptimizerOptionsOn, ::testing::ValuesIn(test::test_devices()),
                         test::device_name);

/// What four batches in a fit make of the weights.
TensorList trained(const Optimizers& optimizer, const Device& device) {
  Sequential model = network(optimizer, device);
  model.fit(numbers({8, 4, 4, 2}, 0), numbers({8, 2}, 3), {.batch_size = 2, .verbose = 0, .shuffle = false});
  return model.get_weights();
}

TEST_P(OptimizerOptionsOn, Each_option_acts_on_every_weight) {
  const auto without = optimizers([](auto& o) { o.weight_decay = 0; });
  const std::vector<std::pair<const char*, std::vector<Optimizers>>> options = {
      {"clipvalue", optimizers([](auto& o) { o.weight_decay = 0, o.clipvalue = 1e-6; })},
      {"clipnorm", optimizers([](auto& o) { o.weight_decay = 0, o.clipnorm = 1e-6; })},
      {"global_clipnorm", optimizers([](auto& o) { o.weight_decay = 0, o.global_clipnorm = 1e-6; })},
      {"weight_decay", optimizers([](auto& o) {
         o.weight_decay = 0.3;
         if constexpr (requires { o.adam_weight_decay; }) o.adam_weight_decay = 0.3;
       })},
      {"use_ema", optimizers([](auto& o) { o.weight_decay = 0, o.use_ema = true; })},
      {"gradient_accumulation_steps",
       optimizers([](auto& o) { o.weight_decay = 0, o.gradient_accumulation_steps = 2; })}};
  for (std::size_t i = 0; i < without.size(); ++i) {
    const TensorList plain = trained(without[i], GetParam());
    for (const auto& [option, set] : options) {
      // Lion takes signs alone, which no limit changes.
      if (std::holds_alternative<Lion>(without[i]) && std::string(option).find("clip") != std::string::npos)
        continue;
      const TensorList changed = trained(set[i], GetParam());
      for (std::size_t w = 0; w < plain.size(); ++w) {
        const std::string what = name_of(without[i]) + ' ' + option + ", weight " + std::to_string(w);
        EXPECT_FALSE(array_equal(plain[w], changed[w])) << what;
      }
    }
  }
}

/// All elements of a gradient are beyond the limit, so only their signs are left: other gradients of the same signs train to
/// the same bits.
TEST_P(OptimizerOptionsOn, Clipped_gradients_of_the_same_signs_train_alike) {
  for (const double clipvalue : {0.1, 1e-3}) {
    for (const Optimizers& optimizer : optimizers([&](auto& o) { o.clipvalue = clipvalue; })) {
      std::vector<TensorList> weights;
      for (const Tensor& y : {Tensor{{1000, 5000}, {3000, 2000}}, Tensor{{9000, 1000}, {1000, 7000}}}) {
        Sequential model{Input({3}), Dense(2), Dense(2, {.use_bias = false})};
        model.set_seed(3);
        model.compile({.optimizer = named(optimizer), .loss = "mse", .device = GetParam()});
        model.set_weights(
            {Tensor{{0.1, 0.2}, {0.3, 0.4}, {0.5, 0.6}}, Tensor{0.1, 0.2}, Tensor{{0.7, 0.8}, {0.9, 0.5}}});
        for (int step = 0; step < 3; ++step) model.train_on_batch(Tensor{{1, 2, 3}, {3, 2, 5}}, y);
        weights.push_back(model.get_weights());
      }
      for (std::size_t w = 0; w < weights[0].size(); ++w)
        EXPECT_TRUE(array_equal(weights[0][w], weights[1][w]))
            << name_of(optimizer) << ", clipvalue " << clipvalue << ", weight " << w << ":\n"
            << weights[0][w] << '\n'
            << weights[1][w];
    }
  }
}

TEST_P(OptimizerOptionsOn, A_limit_that_nothing_reaches_changes_nothing) {
  const auto without = optimizers([](auto&) {});
  const auto wide = optimizers([](auto& o) { o.clipvalue = 1e30; });
  for (std::size_t i = 0; i < without.size(); ++i) {
    const TensorList plain = trained(without[i], GetParam()), limited = trained(wide[i], GetParam());
    for (std::size_t w = 0; w < plain.size(); ++w)
      EXPECT_TRUE(all_close(plain[w], limited[w], 1e-6, 1e-7)) << name_of(without[i]) << ", weight " << w;
  }
}

/// Keras's factors of L1L2 are 0 unless given.
TEST_P(OptimizerOptionsOn, A_regularizer_penalises_by_what_it_is_given_alone) {
  const auto loss = [&](const RegularizerName& regularizer) {
    Sequential model{Input({2}), Dense(2, {.use_bias = false, .kernel_regularizer = regularizer})};
    model.compile({.optimizer = "sgd", .loss = "mse", .device = GetParam()});
    model.set_weights({Tensor{{1, -2}, {3, 4}}});
    return model.evaluate(Tensor{{0, 0}}, Tensor{{0, 0}}, {.verbose = 0})["loss"];
  };
  EXPECT_EQ(loss("l1_l2"), 0);
  EXPECT_EQ(loss(L1L2{}), 0);
  EXPECT_NEAR(loss(L1L2{.l1 = 0.02}), 0.02 * 10, 1e-6);
  EXPECT_NEAR(loss(L1L2{.l2 = 0.02}), 0.02 * 30, 1e-6);
  EXPECT_NEAR(loss("l1"), 0.01 * 10, 1e-6);
  EXPECT_NEAR(loss("l2"), 0.01 * 30, 1e-6);
}

/// Keras counts updates.
TEST_P(OptimizerOptionsOn, Iterations_count_updates) {
  for (const int steps : {1, 2, 3, 5}) {
    for (const Optimizers& optimizer : optimizers([&](auto& o) { o.gradient_accumulation_steps = steps; })) {
      Sequential model = network(optimizer, GetParam());
      EXPECT_EQ(model.iterations(), 0);
      TensorList before = model.get_weights();
      std::int64_t updates = 0;
      for (int batch = 1; batch <= 7; ++batch) {
        model.train_on_batch(numbers({2, 4, 4, 2}, batch), numbers({2, 2}, 3));
        TensorList after = model.get_weights();
        if (!array_equal(before[0], after[0])) ++updates;
        before = std::move(after);
        ASSERT_EQ(model.iterations(), updates) << name_of(optimizer) << ", " << steps << ", batch " << batch;
      }
      EXPECT_EQ(updates, 7 / steps);
      model.compile({.optimizer = named(optimizer), .loss = "mae", .device = GetParam()});
      EXPECT_EQ(model.iterations(), 0);
    }
  }
}

}  // namespace
}  // namespace glia
