// Layers on every device: normalisations and what they keep, Embedding, Reshape, PReLU; initial weights and shuffles.
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "tests/close.h"
#include "tests/devices.h"

namespace glia {
namespace {

using test::close;
constexpr test::Tolerance tolerance = {.relative = 2e-6, .absolute = 1e-6};

class LayersOn : public test::DeviceTest {};
INSTANTIATE_TEST_SUITE_P(Devices, LayersOn, ::testing::ValuesIn(test::test_devices()), test::device_name);

/// Numbers between -2 and 2 that no formula makes simple.
Tensor numbers(const Shape& shape, double offset = 0) {
  Tensor tensor = Tensor::zeros(shape);
  for (std::int64_t i = 0; i < tensor.size(); ++i)
    tensor.data<float>()[i] = static_cast<float>(offset + 2 * std::sin(1.3 * static_cast<double>(i * i + 1)));
  return tensor;
}

void compile(Sequential& model, const OptimizerName& optimizer = SGD{}) {
  model.compile({.optimizer = optimizer, .loss = "mse", .device = test::current_device()});
}

/// Mean and variance (of all rows, divided by their number) of a column.
struct Moments {
  double mean = 0, variance = 0;
};
Moments moments_of(const Tensor& x, std::int64_t column) {
  const std::int64_t columns = x.shape().back(), rows = x.size() / columns;
  const std::vector<double> values = x.values();
  Moments m;
  for (std::int64_t r = 0; r < rows; ++r) m.mean += values[static_cast<std::size_t>(r * columns + column)];
  m.mean /= static_cast<double>(rows);
  for (std::int64_t r = 0; r < rows; ++r) {
    const double d = values[static_cast<std::size_t>(r * columns + column)] - m.mean;
    m.variance += d * d;
  }
  m.variance /= static_cast<double>(rows);
  return m;
}

TEST_P(LayersOn, Initial_weights_are_the_same_numbers_on_every_device) {
  const auto weights_on = [](const Device& device) {
    Sequential model{Embedding(9, 5), PReLU({.alpha_initializer = "he_normal"}),
                     BatchNormalization({.gamma_initializer = RandomNormal{.mean = 1}}),
                     Dense(7, {.kernel_initializer = "orthogonal", .bias_initializer = "random_uniform"}),
                     Dense(7, {.kernel_initializer = "lecun_normal"})};
    model.set_seed(8);
    model.compile({.loss = "mse", .device = device});
    model.build({3});
    return model.get_weights();
  };
  const std::vector<Tensor> here = weights_on(test::current_device()), cpu = weights_on(Device::cpu());
  ASSERT_EQ(here.size(), cpu.size());
  for (std::size_t i = 0; i < here.size(); ++i) EXPECT_TRUE(array_equal(here[i], cpu[i])) << i;
}

/// One-hot rows through weights of 0: the step that sees row i moves weight i alone, by its learning rate, which a
/// schedule makes another one in every step.
TEST_P(LayersOn, Shuffled_rows_come_in_the_same_order_on_every_device) {
  constexpr std::int64_t rows = 37;
  const auto rates_on = [](const Device& device, bool shuffle) {
    Tensor x = Tensor::zeros({rows, rows});
    for (std::int64_t r = 0; r < rows; ++r) x.set({r, r}, 1);
    Sequential model{Dense(1, {.use_bias = false, .kernel_initializer = "zeros"})};
    model.set_seed(3);
    model.compile({.optimizer = SGD{.learning_rate = ExponentialDecay{1.0, 1, 0.875}},
                   .loss = "mse",
                   .device = device});
    model.fit(x, Tensor::full({rows, 1}, -0.5), {.batch_size = 1, .verbose = 0, .shuffle = shuffle});
    return model.get_weights()[0].values();
  };
  const std::vector<double> here = rates_on(test::current_device(), true);
  const std::vector<double> cpu = rates_on(Device::cpu(), true);
  EXPECT_TRUE(close(here, cpu, {rows}, {.relative = 1e-6}));
  std::vector<double> in_order = rates_on(test::current_device(), false), sorted = here;
  EXPECT_NE(here, in_order);
  std::sort(sorted.begin(), sorted.end());
  std::sort(in_order.begin(), in_order.end());
  EXPECT_TRUE(close(sorted, in_order, {rows}, {.relative = 1e-6}));  // every row once
}

TEST_P(LayersOn, Batch_normalisation_moves_its_statistics_as_keras_does) {
  for (const double momentum : {0.99, 0.5}) {
    Sequential model{BatchNormalization({.momentum = momentum})};
    compile(model);
    model.build({3});
    double mean[3] = {0, 0, 0}, variance[3] = {1, 1, 1};
    for (int step = 0; step < 4; ++step) {
      const Tensor x = numbers({5, 3}, step);
      model.train_on_batch(x, Tensor::zeros({5, 3}));
      for (int c = 0; c < 3; ++c) {
        const Moments batch = moments_of(x, c);
        mean[c] = mean[c] * momentum + batch.mean * (1 - momentum);
        variance[c] = variance[c] * momentum + batch.variance * (1 - momentum);  // biased: divided by 5
      }
      const std::vector<Tensor> weights = model.get_weights();
      for (int c = 0; c < 3; ++c) {
        EXPECT_NEAR(weights[2](c), mean[c], 1e-5) << step;
        EXPECT_NEAR(weights[3](c), variance[c], 1e-5) << step;
      }
    }
  }
}

TEST_P(LayersOn, Batch_normalisation_of_rank_3_has_one_statistic_for_each_feature) {
  Sequential model{BatchNormalization({.momentum = 0})};
  compile(model);
  const Tensor x = numbers({4, 6, 2});
  model.train_on_batch(x, Tensor::zeros({4, 6, 2}));
  const std::vector<Tensor> weights = model.get_weights();
  for (int c = 0; c < 2; ++c) {
    EXPECT_NEAR(weights[2](c), moments_of(x, c).mean, 1e-5);
    EXPECT_NEAR(weights[3](c), moments_of(x, c).variance, 1e-5);
  }
}

TEST_P(LayersOn, Batch_normalisation_predicts_with_the_moving_statistics_and_trains_with_the_batchs) {
  const Tensor x = numbers({7, 2});
  Sequential model{BatchNormalization({.epsilon = 0.01})};
  compile(model, SGD{.learning_rate = 1e-30});
  model.build({2});
  const Tensor gamma{2, -0.5}, beta{0.25, 3}, mean{0.5, -1}, variance{4, 0.25};
  model.set_weights({gamma, beta, mean, variance});
  const Tensor out = model(x);
  for (int r = 0; r < 7; ++r)
    for (int c = 0; c < 2; ++c)
      EXPECT_NEAR(out(r, c), (x(r, c) - mean(c)) / std::sqrt(variance(c) + 0.01) * gamma(c) + beta(c), 1e-5);

  double moving = 0, batch = 0;
  for (int r = 0; r < 7; ++r) {
    for (int c = 0; c < 2; ++c) {
      const Moments m = moments_of(x, c);
      const double trained = (x(r, c) - m.mean) / std::sqrt(m.variance + 0.01) * gamma(c) + beta(c);
      moving += out(r, c) * out(r, c) / 14, batch += trained * trained / 14;
    }
  }
  const Tensor y = Tensor::zeros({7, 2});
  EXPECT_NEAR(model.evaluate(x, y, {.verbose = 0})["loss"], moving, 1e-4);
  EXPECT_TRUE(array_equal(model.get_weights()[2], mean));  // evaluate, predict and gradients leave them
  EXPECT_NEAR(model.gradients(x, y).loss, batch, 1e-4);
  EXPECT_TRUE(array_equal(model.get_weights()[3], variance));
  EXPECT_NEAR(model.train_on_batch(x, y)["loss"], batch, 1e-4);
  EXPECT_FALSE(array_equal(model.get_weights()[2], mean));
}

TEST_P(LayersOn, Weights_that_are_not_trained_are_left_by_optimizer_decay_averages_and_clipping) {
  for (const OptimizerName& optimizer :
       {OptimizerName(SGD{.learning_rate = 0.02, .momentum = 0.9, .weight_decay = 0.5}),
        OptimizerName(AdamW{.weight_decay = 0.5, .use_ema = true, .ema_overwrite_frequency = 1}),
        OptimizerName(Muon{.weight_decay = 0.5}), OptimizerName(Adagrad{.global_clipnorm = 0.1}),
        OptimizerName(Ftrl{.gradient_accumulation_steps = 2})}) {
    Normalization adapted;
    adapted.adapt(numbers({20, 3}, 1));
    Sequential model{adapted, Dense(4), BatchNormalization({.momentum = 1}), Dense(1)};
    compile(model, optimizer);
    model.build({3});
    const std::vector<Tensor> before = model.get_weights();
    model.fit(numbers({16, 3}), numbers({16, 1}), {.epochs = 2, .batch_size = 4, .verbose = 0});
    const std::vector<Tensor> after = model.get_weights();
    ASSERT_EQ(after.size(), 10u);
    for (const std::size_t fixed : {0, 1, 6, 7})
      EXPECT_TRUE(array_equal(after[fixed], before[fixed]))
          << fixed << " with " << optimizer.name() << ": " << ::testing::PrintToString(after[fixed].values());
    for (const std::size_t trained : {2, 4, 8}) EXPECT_FALSE(array_equal(after[trained], before[trained]));
  }
}

TEST_P(LayersOn, Normalization_adapts_to_means_and_variances) {
  const Tensor data = numbers({50, 3}, 4);
  Normalization layer;
  layer.adapt(data);
  Sequential model{layer};
  compile(model);
  const Tensor out = model(data);
  for (int c = 0; c < 3; ++c) {
    const Moments m = moments_of(out, c);
    EXPECT_NEAR(m.mean, 0, 1e-5);
    EXPECT_NEAR(m.variance, 1, 1e-5);
  }
  layer.adapt(data * 10.0);  // in a model that is built
  EXPECT_TRUE(close(model(data * 10.0), out, tolerance));
  EXPECT_THROW(layer.adapt(Tensor::ones({4, 2})), ShapeError);
  EXPECT_TRUE(close(model(data * 10.0), out, tolerance));
}

TEST_P(LayersOn, Normalization_takes_rank_3_and_bytes_and_columns_of_one_value) {
  Normalization layer;
  layer.adapt(numbers({4, 5, 2}));
  Sequential model{layer};
  const Tensor out = model(numbers({4, 5, 2}));
  for (int c = 0; c < 2; ++c) EXPECT_NEAR(moments_of(out, c).variance, 1, 1e-5);

  Tensor bytes = Tensor::zeros({2, 2}, DType::uint8);
  bytes.set({0, 0}, 100);
  bytes.set_scale(0.5);  // 50, 0
  Normalization of_bytes;
  of_bytes.adapt(bytes);
  Sequential second{of_bytes};
  // The second column is constant: its deviation counts as 1e-7, and 0 / 1e-7 is 0.
  EXPECT_TRUE(close(second(bytes), Tensor{{1, 0}, {-1, 0}}, tolerance));
}

TEST_P(LayersOn, Layer_and_rms_normalisation_act_within_rows) {
  const Tensor x = numbers({6, 5}, 3);
  Sequential layer{LayerNormalization({.epsilon = 0.001})}, rms{RMSNormalization(0.001)};
  const Tensor a = layer(x), b = rms(x);
  for (int r = 0; r < 6; ++r) {
    double mean = 0, square = 0, variance = 0;
    for (int c = 0; c < 5; ++c) mean += x(r, c) / 5, square += x(r, c) * x(r, c) / 5;
    for (int c = 0; c < 5; ++c) variance += (x(r, c) - mean) * (x(r, c) - mean) / 5;
    for (int c = 0; c < 5; ++c) {
      EXPECT_NEAR(a(r, c), (x(r, c) - mean) / std::sqrt(variance + 0.001), 1e-5);
      EXPECT_NEAR(b(r, c), x(r, c) / std::sqrt(square + 0.001), 1e-5);
    }
  }
}

TEST_P(LayersOn, Embedding_gives_the_rows_that_numbers_name) {
  Sequential model{Embedding(4, 3)};
  compile(model);
  const Tensor ints(std::vector<std::int32_t>{3, 0, 1, 1, 2, 3}, {2, 3});
  const Tensor out = model(ints);
  EXPECT_EQ(out.shape(), (Shape{2, 3, 3}));
  const Tensor table = model.get_weights()[0].clone();
  for (int r = 0; r < 2; ++r)
    for (int p = 0; p < 3; ++p)
      for (int c = 0; c < 3; ++c) EXPECT_EQ(out(r, p, c), table(ints(r, p), c));
}

TEST_P(LayersOn, Embedding_trains_the_rows_that_were_named_and_no_other) {
  Sequential model{Embedding(6, 2), Flatten(), Dense(1)};
  compile(model);
  model.build({2});
  const Tensor before = model.get_weights()[0].clone();
  const Tensor x(std::vector<std::int64_t>{0, 3, 3, 5}, {2, 2});
  model.train_on_batch(x, Tensor::ones({2, 1}));
  const Tensor after = model.get_weights()[0].clone();
  for (int row = 0; row < 6; ++row) {
    const bool named = row == 0 || row == 3 || row == 5;
    EXPECT_EQ(array_equal(after.row(row), before.row(row)), !named) << row;
  }
}

TEST_P(LayersOn, Numbers_that_an_embedding_has_no_row_for_are_refused_with_their_row) {
  const auto expect_refused = [](const Tensor& x, const std::string& number) {
    Sequential model{Embedding(4, 2), Flatten(), Dense(1)};
    compile(model);
    model.build({2});
    const std::vector<Tensor> before = model.get_weights();
    const Tensor y = Tensor::ones({3, 1});
    const std::function<void()> calls[] = {
        [&] { model.predict(x, {.verbose = 0}); },
        [&] { model.evaluate(x, y, {.verbose = 0}); },
        [&] { model.fit(x, y, {.verbose = 0}); },
        [&] { model.train_on_batch(x, y); },
        [&] { model.gradients(x, y); },
        [&] {
          model.fit(Tensor::zeros({3, 2}), y, {.verbose = 0, .validation_data = {x, y}});
        }};
    for (const auto& call : calls) {
      try {
        call();
        ADD_FAILURE() << "nothing was thrown";
      } catch (const ValueError& error) {
        const std::string message = error.what();
        EXPECT_NE(message.find(number + " in row 2"), std::string::npos) << message;
        EXPECT_NE(message.find("0 to 3"), std::string::npos) << message;
      }
    }
    for (std::size_t i = 0; i < before.size(); ++i)
      EXPECT_TRUE(array_equal(model.get_weights()[i], before[i]));
  };
  expect_refused(Tensor{{0, 1}, {2, 3}, {0, 4}}, "4");
  expect_refused(Tensor{{0, 1}, {2, 3}, {-1, 0}}, "-1");
  expect_refused(Tensor{{0, 1}, {2, 3}, {0.5, 0}}, "0.5");
  expect_refused(Tensor{{0, 1}, {2, 3}, {0, NAN}}, "nan");
  expect_refused(Tensor(std::vector<std::int64_t>{0, 1, 2, 3, 0, std::int64_t{1} << 40}, {3, 2}),
                 "1.09951e+12");
}

TEST_P(LayersOn, Reshape_keeps_the_elements_and_finds_the_dimension_that_is_left) {
  const Tensor x = numbers({3, 12});
  const struct {
    Shape target, row;
  } cases[] = {
      {{12}, {12}},       {{-1}, {12}},       {{3, 4}, {3, 4}}, {{-1, 2}, {6, 2}}, {{2, -1, 3}, {2, 2, 3}},
      {{1, -1}, {1, 12}}, {{12, -1}, {12, 1}}};
  for (const auto& [target, row] : cases) {
    Sequential model{Reshape(target)};
    const Tensor out = model(x);
    EXPECT_EQ(out.shape(), row.prepend(3)) << target;
    EXPECT_EQ(out.values(), x.values()) << target;
    EXPECT_EQ(model.layer(0).output_shape(), row);
  }
}

TEST_P(LayersOn, Prelu_has_a_slope_for_each_element_of_a_row) {
  Sequential model{PReLU({.alpha_initializer = "random_uniform"})};
  compile(model);
  const Tensor x = numbers({4, 2, 3});
  const Tensor out = model(x), alpha = model.get_weights()[0].clone();
  EXPECT_EQ(alpha.shape(), (Shape{2, 3}));
  for (int r = 0; r < 4; ++r)
    for (int a = 0; a < 2; ++a)
      for (int b = 0; b < 3; ++b)
        EXPECT_NEAR(out(r, a, b), x(r, a, b) < 0 ? alpha(a, b) * x(r, a, b) : x(r, a, b), 1e-6);
}

TEST_P(LayersOn, Activation_layers_have_keras_defaults_and_options) {
  const Tensor x{{-3, -1, 0, 0.5, 2, 9}};
  const auto out = [&](const Layer& layer) { return Sequential{layer}(x); };
  EXPECT_TRUE(close(out(LeakyReLU()), Tensor{{-0.9, -0.3, 0, 0.5, 2, 9}}, tolerance));
  EXPECT_TRUE(close(out(Activation("leaky_relu")), Tensor{{-0.6, -0.2, 0, 0.5, 2, 9}}, tolerance));
  EXPECT_TRUE(close(out(ReLU()), Tensor{{0, 0, 0, 0.5, 2, 9}}, tolerance));
  EXPECT_TRUE(close(out(ReLU({.max_value = 6})), Tensor{{0, 0, 0, 0.5, 2, 6}}, tolerance));
  EXPECT_TRUE(close(out(ReLU({.negative_slope = 0.5, .threshold = 1})), Tensor{{-2, -1, -0.5, -0.25, 2, 9}},
                    tolerance));
  EXPECT_TRUE(
      close(out(ELU(2)), Tensor{{2 * std::expm1(-3.0), 2 * std::expm1(-1.0), 0, 0.5, 2, 9}}, tolerance));
  EXPECT_TRUE(close(out(Rescaling(0.5, 1)), Tensor{{-0.5, 0.5, 1, 1.25, 2, 5.5}}, tolerance));
  EXPECT_TRUE(close(out(Activation("step")), Tensor{{0, 0, 1, 1, 1, 1}}, tolerance));
}

}  // namespace
}  // namespace glia
