// Dropout and its kin: what they draw, when, and that every device draws the same.
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "tests/close.h"
#include "tests/devices.h"

namespace glia {
namespace {

using test::close;

class NoiseOn : public test::DeviceTest {};
INSTANTIATE_TEST_SUITE_P(Devices, NoiseOn, ::testing::ValuesIn(test::test_devices()), test::device_name);

/// Noise layers in front of one unit without bias, in a model that shows what it makes of a row.
class Shown {
 public:
  Shown(const std::vector<Layer>& noise, std::int64_t features, const Device& device, std::uint64_t seed = 0)
      : model_(noise), features_(features) {
    model_.add(Dense(1, {.use_bias = false, .kernel_initializer = "zeros"}));
    model_.set_seed(seed);
    model_.compile({.optimizer = SGD{.learning_rate = 1.0}, .loss = "mse", .device = device});
    model_.build({features});
  }

  /// The row as the unit gets it in the next step of training: with weights of 0 and a target of -1/2 the error's slope
  /// is 1, and SGD with a rate of 1 moves the weights by their inputs.
  std::vector<double> next(const Tensor& row) {
    model_.set_weights({Tensor::zeros({features_, 1})});
    model_.train_on_batch(row, Tensor::full({1}, -0.5));
    return (model_.get_weights()[0] * -1.0).values();
  }
  std::vector<double> next() { return next(Tensor::ones({1, features_})); }
  Sequential& model() { return model_; }

 private:
  Sequential model_;
  std::int64_t features_;
};

std::vector<double> shown(const Layer& noise, std::int64_t features, const Device& device,
                          std::uint64_t seed = 0) {
  return Shown({noise}, features, device, seed).next();
}

double mean_of(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}
double deviation_of(const std::vector<double>& values) {
  const double mean = mean_of(values);
  double sum = 0;
  for (const double value : values) sum += (value - mean) * (value - mean);
  return std::sqrt(sum / static_cast<double>(values.size()));
}
double share_of(double wanted, const std::vector<double>& values) {
  std::int64_t count = 0;
  for (const double value : values) count += value == wanted ? 1 : 0;
  return static_cast<double>(count) / static_cast<double>(values.size());
}

TEST_P(NoiseOn, Dropout_zeroes_its_share_and_divides_the_rest_by_what_is_kept) {
  for (const double rate : {0.1, 0.3, 0.5, 0.9}) {
    const std::int64_t n = 20011;
    const std::vector<double> values = shown(Dropout(rate), n, test::current_device());
    const double deviation = std::sqrt(rate * (1 - rate) / static_cast<double>(n));
    EXPECT_NEAR(share_of(0, values), rate, 4.5 * deviation) << rate;
    const double kept = static_cast<float>(1 / (1 - rate));
    EXPECT_NEAR(share_of(0, values) + share_of(kept, values), 1, 1e-12) << rate;
  }
}

TEST_P(NoiseOn, Every_device_draws_the_same_numbers) {
  for (const std::int64_t n : {1, 2, 3, 5, 1001}) {
    for (int step = 0; step < 3; ++step) {
      const auto both = [&](const Layer& here, const Layer& there) {
        Shown device({here}, n, test::current_device(), 5), cpu({there}, n, Device::cpu(), 5);
        for (int before = 0; before < step; ++before) device.next(), cpu.next();
        return std::pair(device.next(), cpu.next());
      };
      const auto dropped = both(Dropout(0.4), Dropout(0.4));
      EXPECT_EQ(dropped.first, dropped.second) << n << " features, step " << step;
      const auto alpha = both(AlphaDropout(0.4), AlphaDropout(0.4));
      EXPECT_TRUE(close(alpha.first, alpha.second, {n}, {.relative = 1e-6}));
      // A GPU's logarithm and cosine may end in another bit.
      const auto added = both(GaussianNoise(0.5), GaussianNoise(0.5));
      EXPECT_TRUE(close(added.first, added.second, {n}, {.relative = 1e-5, .absolute = 1e-6}));
      const auto multiplied = both(GaussianDropout(0.5), GaussianDropout(0.5));
      EXPECT_TRUE(close(multiplied.first, multiplied.second, {n}, {.relative = 1e-5, .absolute = 1e-6}));
    }
  }
}

TEST_P(NoiseOn, A_mask_is_another_in_every_step_and_layer_and_seed_and_the_same_for_the_same) {
  const std::int64_t n = 64;
  const auto three_steps = [&](const std::vector<Layer>& noise, std::uint64_t seed) {
    Shown shown(noise, n, test::current_device(), seed);
    return std::vector<std::vector<double>>{shown.next(), shown.next(), shown.next()};
  };
  const auto first = three_steps({Dropout(0.5)}, 1);
  EXPECT_EQ(three_steps({Dropout(0.5)}, 1), first);
  std::set<std::vector<double>> masks(first.begin(), first.end());
  // Noise too small to see takes the first layer's draws: what shows are the second's.
  for (const auto& mask : three_steps({GaussianNoise(1e-30), Dropout(0.5)}, 1)) masks.insert(mask);
  for (const auto& mask : three_steps({Dropout(0.5)}, 2)) masks.insert(mask);
  EXPECT_EQ(masks.size(), 9u);
}

TEST_P(NoiseOn, Rows_of_a_batch_and_batches_have_masks_of_their_own) {
  // 40 rows of one feature, weights of 0: the step moves the weight by the mean of the rows' inputs.
  Sequential model{Dropout(0.5), Dense(1, {.use_bias = false, .kernel_initializer = "zeros"})};
  model.compile({.optimizer = SGD{.learning_rate = 1.0}, .loss = "mse", .device = test::current_device()});
  std::set<double> sums;
  for (int step = 0; step < 8; ++step) {
    model.build({1});
    model.set_weights({Tensor::zeros({1, 1})});
    model.train_on_batch(Tensor::ones({40, 1}), Tensor::full({40, 1}, -0.5));
    const double kept = -model.get_weights()[0].item() * 20;  // of 40, each counts 2 / 40
    EXPECT_NEAR(kept, std::round(kept), 1e-4);
    EXPECT_GT(kept, 5);
    EXPECT_LT(kept, 35);
    sums.insert(std::round(kept));
  }
  EXPECT_GT(sums.size(), 2u);
}

TEST_P(NoiseOn, Prediction_evaluation_and_validation_know_no_noise) {
  const Tensor x = Tensor::arange(30).reshape({10, 3}) * 0.1;
  for (const Layer& noise : {Layer(Dropout(0.9)), Layer(GaussianNoise(5)), Layer(GaussianDropout(0.9)),
                             Layer(AlphaDropout(0.9))}) {
    Sequential model{noise, Dense(2)}, plain{Dense(2)};
    for (Sequential* each : {&model, &plain})
      each->compile(
          {.optimizer = SGD{.learning_rate = 1e-30}, .loss = "mse", .device = test::current_device()});
    model.build({3}), plain.build({3});
    plain.set_weights(model.get_weights());
    const Tensor y = Tensor::ones({10, 2});
    EXPECT_TRUE(array_equal(model(x), plain(x))) << noise.type();
    const double clean = plain.evaluate(x, y, {.verbose = 0})["loss"];
    EXPECT_EQ(model.evaluate(x, y, {.verbose = 0})["loss"], clean);
    const History history = model.fit(x, y, {.verbose = 0, .validation_data = {x, y}});
    EXPECT_EQ(history["val_loss"][0], clean);
    EXPECT_GT(std::abs(history["loss"][0] - clean), 1e-3) << noise.type() << " did nothing in training";
  }
}

/// Inputs of 1 through weights of 1 into the noise, then through weights of 1 into one unit: the gradient of the first
/// weights is what the backward pass makes of the unit's, that of the second what the forward pass made of 1.
TEST_P(NoiseOn, The_backward_pass_has_the_mask_of_the_forward_pass) {
  const std::int64_t n = 203;
  for (const Layer& noise : {Layer(Dropout(0.5)), Layer(GaussianDropout(0.4)), Layer(AlphaDropout(0.5))}) {
    Sequential model{Dense(static_cast<int>(n), {.use_bias = false, .kernel_initializer = "ones"}), noise,
                     Dense(1, {.use_bias = false, .kernel_initializer = "ones"})};
    model.compile({.optimizer = SGD{.learning_rate = 1.0}, .loss = "mae", .device = test::current_device()});
    model.build({1});
    for (int step = 0; step < 3; ++step) {
      model.set_weights({Tensor::ones({1, n}), Tensor::ones({n, 1})});
      model.train_on_batch(Tensor::ones({1, 1}), Tensor::full({1, 1}, -1e6));  // a slope of 1
      const std::vector<double> backward = (Tensor::ones({1, n}) - model.get_weights()[0]).values();
      const std::vector<double> forward = (Tensor::ones({n, 1}) - model.get_weights()[1]).values();
      double dropped = 0;
      for (std::int64_t i = 0; i < n; ++i) {
        const auto at = static_cast<std::size_t>(i);
        if (noise.type() == "AlphaDropout") {  // y = a x + b has the slope a
          EXPECT_EQ(backward[at] == 0, forward[at] < 0.5) << i << ": " << forward[at];
        } else {
          EXPECT_NEAR(backward[at], forward[at], 1e-6) << noise.type() << ' ' << i;
        }
        dropped += backward[at] == 0;
      }
      if (noise.type() != "GaussianDropout") {
        EXPECT_NEAR(dropped / static_cast<double>(n), 0.5, 0.18);
      }
    }
  }
}

TEST_P(NoiseOn, Gaussian_noise_has_the_mean_and_deviation_that_it_says) {
  const std::int64_t n = 20000;
  const std::vector<double> added = shown(GaussianNoise(0.7), n, test::current_device());
  EXPECT_NEAR(mean_of(added), 1, 4.5 * 0.7 / std::sqrt(n));
  EXPECT_NEAR(deviation_of(added), 0.7, 4.5 * 0.7 / std::sqrt(2.0 * n));
  const double stddev = std::sqrt(0.2 / 0.8);
  const std::vector<double> multiplied =
      Shown({GaussianDropout(0.2)}, n, test::current_device()).next(Tensor::full({1, n}, 3));
  EXPECT_NEAR(mean_of(multiplied), 3, 4.5 * 3 * stddev / std::sqrt(n));
  EXPECT_NEAR(deviation_of(multiplied), 3 * stddev, 4.5 * 3 * stddev / std::sqrt(2.0 * n));
}

TEST_P(NoiseOn, Alpha_dropout_keeps_mean_and_variance) {
  const std::int64_t n = 40000;
  Tensor x = Tensor::zeros({1, n});
  std::mt19937 engine(3);
  std::normal_distribution<double> normal;
  for (std::int64_t i = 0; i < n; ++i) x.data<float>()[i] = static_cast<float>(normal(engine));
  for (const double rate : {0.1, 0.5}) {
    const std::vector<double> out = Shown({AlphaDropout(rate)}, n, test::current_device()).next(x);
    EXPECT_NEAR(mean_of(out), 0, 0.03) << rate;
    EXPECT_NEAR(deviation_of(out), 1, 0.03) << rate;
    // Klambauer et al.: dropped elements are all one number, a alpha' + b.
    const double least = -1.7580993408473766, a = 1 / std::sqrt((1 - rate) * (1 + rate * least * least));
    const double dropped = a * least - a * least * rate;
    std::int64_t count = 0;
    for (const double value : out) count += std::abs(value - dropped) < 1e-5 ? 1 : 0;
    EXPECT_NEAR(static_cast<double>(count) / static_cast<double>(n), rate, 0.02);
  }
}

TEST_P(NoiseOn, A_rate_or_deviation_of_0_does_nothing_and_draws_nothing) {
  const std::int64_t n = 50;
  const std::vector<double> ones(n, 1.0);
  for (const Layer& noise :
       {Layer(Dropout(0)), Layer(GaussianNoise(0)), Layer(GaussianDropout(0)), Layer(AlphaDropout(0))})
    EXPECT_EQ(shown(noise, n, test::current_device()), ones) << noise.type();
}

}  // namespace
}  // namespace glia
