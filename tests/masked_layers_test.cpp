// Layers that know masks beyond recurrent ones and attention: batch normalisation, whose mean and variance are of the steps that
// count, and products, maxima and minima, which are of the inputs in which a step counts.
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>
#include <gtest/gtest.h>

#include <cmath>
#include <iterator>
#include <string>
#include <vector>

#include "tests/close.h"
#include "tests/devices.h"
#include "tests/expect_error.h"
#include "tests/slopes.h"

namespace glia::test {
namespace {

/// Of float32, beside what float64 gives.
constexpr Tolerance rounding = {.relative = 1e-5, .absolute = 2e-6};

/// (rows, steps, features), drawn, with masked steps (0) where a letter of `steps` is '.': "xx. x.." are two rows.
Tensor rows_of(const std::string& steps, std::int64_t features, std::uint64_t seed,
               DType dtype = DType::float64) {
  std::vector<std::vector<bool>> counts(1);
  for (const char step : steps)
    if (step == ' ')
      counts.emplace_back();
    else
      counts.back().push_back(step == 'x');
  Draws draws(seed);
  const auto rows = static_cast<std::int64_t>(counts.size()),
             length = static_cast<std::int64_t>(counts[0].size());
  Tensor x = draws.tensor({rows, length, features});
  for (std::int64_t row = 0; row < rows; ++row)
    for (std::int64_t step = 0; step < length; ++step)
      for (std::int64_t f = 0; f < features; ++f)
        if (!counts[static_cast<std::size_t>(row)][static_cast<std::size_t>(step)])
          x.data<double>()[(row * length + step) * features + f] = 0;
  return x.cast(dtype);
}

const char* const some_masks[] = {
    "xx.x. .xx.. xxxxx", "..... ..... .....", "xxx", "x.x", "x x . x", ".", "x"};

/// Of all weights, with mean squares over all steps, masked ones too: what comes out goes through a Reshape, which ends the mask.
void expect_slopes(Model& model, const std::vector<Tensor>& inputs, const Tensor& y, const std::string& of) {
  model.set_dtype(DType::float64);
  model.compile({.loss = "mse", .device = "cpu"});
  Draws draws(31);
  std::vector<Tensor> weights = model.get_weights();
  const std::vector<std::string> names = model.weight_names();
  for (std::size_t i = 0; i < weights.size(); ++i)
    weights[i] = draws.tensor(weights[i].shape(), names[i].ends_with("variance") ? 0.5 : -1, 1);
  model.set_weights(weights);
  const Gradients got = model.gradients(inputs, y);
  std::size_t next = 0;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    if (names[i].find("/moving_") != std::string::npos) continue;
    const Tensor slope = central_differences(weights[i], [&] {
      model.set_weights(weights);
      return model.gradients(inputs, y).loss;
    });
    EXPECT_TRUE(close(got.weights[next++], slope, wide_slope_tolerance)) << names[i] << " of " << of;
  }
  EXPECT_EQ(next, got.weights.size());
}

Symbol without_mask(const Symbol& x, std::int64_t steps, std::int64_t features) {
  return Reshape({steps, features})(x);
}

TEST(MaskedLayers, Gradients_of_masked_batch_normalisations_are_slopes) {
  for (const std::string mask : some_masks)
    for (const bool affine : {true, false}) {
      std::vector<Tensor> inputs;
      inputs.push_back(rows_of(mask, 3, 5));
      const std::int64_t rows = inputs[0].rows(), steps = inputs[0].shape()[1];
      const Symbol in = Input({steps, 3});
      // What the first layer makes of masked steps is not 0, and has a gradient.
      Symbol y = Dense(4, "tanh")(Masking()(in));
      y = BatchNormalization({.center = affine, .scale = affine})(y);
      y = Activation("sigmoid")(y);
      Model model({in}, {without_mask(y, steps, 4)});
      expect_slopes(model, inputs, Draws(6).tensor({rows, steps, 4}), mask);
    }
}

template <class Merging>
void expect_slopes_of_merging() {
  const std::string masks[] = {"xx.x. .xx.. .x.xx", "x.... xxx.. .xx..", "..xx. .x.x. xx..x"};
  for (const int masked : {1, 2, 3, 5, 7}) {  // bits: of which inputs
    std::vector<Symbol> inputs, parts;
    std::vector<Tensor> x;
    for (int i = 0; i < 3; ++i) {
      x.push_back(rows_of(masks[i], 2, 40 + static_cast<std::uint64_t>(i)));
      inputs.push_back(Input({5, 2}));
      parts.push_back(Dense(3, "tanh")((masked >> i & 1) != 0 ? Masking()(inputs.back()) : inputs.back()));
    }
    Model model(inputs, {without_mask(Merging()(parts), 5, 3)});
    expect_slopes(model, x, Draws(7).tensor({3, 5, 3}), std::to_string(masked));
  }
}

TEST(MaskedLayers, Gradients_of_masked_products_maxima_and_minima_are_slopes) {
  expect_slopes_of_merging<Multiply>();
  expect_slopes_of_merging<Maximum>();
  expect_slopes_of_merging<Minimum>();
}

class MaskedLayersOnDevices : public DeviceTest {};
INSTANTIATE_TEST_SUITE_P(Devices, MaskedLayersOnDevices, ::testing::ValuesIn(test_devices()), device_name);

/// y, moving mean and moving variance of a batch normalisation by this batch alone, said once more.
struct Normalized {
  Tensor y, mean, variance;
};
Normalized normalized(const Tensor& x, double epsilon) {
  const std::int64_t features = x.shape().back(), rows = x.size() / features;
  const double* const from = x.data<double>();
  const auto counts = [&](std::int64_t row) {
    for (std::int64_t f = 0; f < features; ++f)
      if (from[row * features + f] != 0) return true;
    return false;
  };
  Normalized result{Tensor::zeros(x.shape(), DType::float64), Tensor::zeros({features}, DType::float64),
                    Tensor::zeros({features}, DType::float64)};
  double n = 1e-7;
  for (std::int64_t row = 0; row < rows; ++row) n += counts(row) ? 1 : 0;
  for (std::int64_t f = 0; f < features; ++f) {
    double &mean = result.mean.data<double>()[f], &variance = result.variance.data<double>()[f];
    for (std::int64_t row = 0; row < rows; ++row)
      if (counts(row)) mean += from[row * features + f] / n;
    for (std::int64_t row = 0; row < rows; ++row)
      if (counts(row)) variance += std::pow(from[row * features + f] - mean, 2) / n;
    for (std::int64_t row = 0; row < rows; ++row)
      result.y.data<double>()[row * features + f] =
          (from[row * features + f] - mean) / std::sqrt(variance + epsilon);
  }
  return result;
}

TEST_P(MaskedLayersOnDevices, Moving_averages_are_of_the_steps_that_count) {
  std::string long_mask;  // of more rows than are summed in a piece, the first of which has none that count
  for (int row = 0; row < 60; ++row)
    long_mask += row < 40 ? "......... " : row % 3 == 0 ? "xxxxx.... " : "xx.x.xx.x ";
  long_mask.pop_back();
  std::vector<std::string> masks(std::begin(some_masks), std::end(some_masks));
  masks.push_back(long_mask);
  for (const std::string& mask : masks)
    for (const std::int64_t features : {1, 3, 8}) {
      const Tensor x = rows_of(mask, features, 9);
      const std::int64_t steps = x.shape()[1];
      const Symbol in = Input({steps, features});
      const BatchNormalization norm({.momentum = 0, .epsilon = 0.01});
      const Symbol out = norm(Masking()(in));
      Model model({in}, {without_mask(out, steps, features)});
      model.compile({.optimizer = SGD{.learning_rate = 0}, .loss = "mse", .device = current_device()});
      model.train_on_batch(x.cast(DType::float32), Tensor::zeros(x.shape()));
      const Normalized expected = normalized(x, 0.01);
      TensorList weights = model.get_weights();  // gamma, beta, and
      weights.erase(weights.begin(), weights.begin() + 2);
      EXPECT_TRUE(close(weights[0], expected.mean, rounding)) << mask << ", " << features;
      EXPECT_TRUE(close(weights[1], expected.variance, rounding)) << mask << ", " << features;
      // By them a prediction normalises all steps as the training did.
      EXPECT_TRUE(close(model.predict(x.cast(DType::float32), {.verbose = 0}), expected.y,
                        {.relative = 1e-4, .absolute = 1e-4}))
          << mask << ", " << features;
    }
}

/// What a layer makes of inputs of these words (steps,), each of which stands for a number of its own table; words 0 are masked,
/// but for those of the last input where it has no mask.
Tensor merged(const Layer& layer, bool last_masked) {
  const std::vector<std::vector<float>> words = {{1, 0, 2, 0}, {0, 1, 2, 0}, {1, 1, 1, 0}};
  const std::vector<std::vector<float>> tables = {{50, 2, 5}, {NAN, 3, 4}, {-INFINITY, -6, 0}};
  std::vector<Symbol> inputs, parts;
  std::vector<Tensor> x, weights;
  for (std::size_t i = 0; i < words.size(); ++i) {
    inputs.push_back(Input({4}));
    parts.push_back(Embedding(3, 1, {.mask_zero = i < 2 || last_masked})(inputs.back()));
    x.push_back(Tensor(words[i]).reshape({1, 4})), weights.push_back(Tensor(tables[i]).reshape({3, 1}));
  }
  Model model(inputs, {layer(parts)});
  model.compile({.loss = "mse", .device = current_device()});
  model.set_weights(weights);
  return model.predict(x, {.verbose = 0});
}

TEST_P(MaskedLayersOnDevices, What_is_masked_of_one_input_is_not_seen_beside_the_others) {
  const auto expect = [](const Layer& layer, bool last_masked, const std::vector<float>& expected) {
    EXPECT_TRUE(array_equal(merged(layer, last_masked), Tensor(expected).reshape({1, 4, 1})))
        << layer.type() << ", " << last_masked << '\n'
        << merged(layer, last_masked);
  };
  expect(Multiply(), true, {-12, -18, -120, 0});
  expect(Multiply(), false, {-12, -18, -120, -INFINITY});
  expect(Maximum(), true, {2, 3, 5, 50});
  expect(Maximum(), false, {2, 3, 5, -INFINITY});
  expect(Minimum(), true, {-6, -6, -6, 50});
  expect(Minimum(), false, {-6, -6, -6, -INFINITY});
}

TEST_P(MaskedLayersOnDevices, What_is_in_masked_steps_moves_no_average) {
  const Symbol x = Input({4});
  Model model({x}, {without_mask(BatchNormalization()(Embedding(3, 2, {.mask_zero = true})(x)), 4, 2)});
  model.compile({.optimizer = SGD{.learning_rate = 0}, .loss = "mse", .device = current_device()});
  TensorList weights = model.get_weights();
  std::vector<Tensor> averages[2];
  for (const float masked : {0.0f, NAN}) {
    weights[0] = Tensor(std::vector<float>{masked, masked, 1, 2, 3, -4}).reshape({3, 2});
    model.set_weights(weights);
    model.train_on_batch(Tensor(std::vector<float>{1, 2, 0, 0, 2, 0, 0, 0}).reshape({2, 4}),
                         Tensor::zeros({2, 4, 2}));
    const TensorList after = model.get_weights();
    for (std::size_t i : {3u, 4u}) averages[std::isnan(masked)].push_back(after[i].clone());
  }
  for (std::size_t i = 0; i < 2; ++i) EXPECT_TRUE(array_equal(averages[0][i], averages[1][i])) << i;
}

TEST(MaskedLayers, A_batch_normalisation_refuses_a_mask_of_other_steps_than_it_normalises) {
  const Symbol x = Input({3, 4});
  const Symbol pixels = TimeDistributed(Reshape({2, 2}))(Masking()(x));
  expect_error<ShapeError>(
      [&] {
        Model model({x}, {BatchNormalization()(pixels)});
        model.compile({.loss = "mse", .device = "cpu"});
        model.count_params();
      },
      {"(BatchNormalization)", "mask of shape (3,)", "(3, 2, 2)", "expected one of shape (3, 2)", "Reshape"});
}

}  // namespace
}  // namespace glia::test
