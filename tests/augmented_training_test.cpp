// Training on augmented images: the same bits on any number of threads, captured or op by op, resident or streamed,
// in one fit or two. Means over mirrored images. Errors.
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "tests/devices.h"
#include "tests/expect_error.h"
#include "tests/shown_images.h"

namespace glia {
namespace {

using test::expect_error;

class AugmentedTrainingOn : public test::DeviceTest {};
INSTANTIATE_TEST_SUITE_P(Devices, AugmentedTrainingOn, ::testing::ValuesIn(test::test_devices()),
                         test::device_name);

constexpr std::int64_t rows = 210;
const Shape image{8, 7, 3};

Dataset data() {
  Tensor x = Tensor::zeros(image.prepend(rows), DType::uint8), y = Tensor::zeros({rows}, DType::int64);
  for (std::int64_t i = 0; i < x.size(); ++i)
    x.data<std::uint8_t>()[i] = static_cast<std::uint8_t>(i * i % 251);
  x.set_scale(1 / 255.0);
  for (std::int64_t r = 0; r < rows; ++r) y.set({r}, static_cast<double>(r * 7 % 5));
  return Dataset(std::move(x), std::move(y));
}

Sequential fresh_model(int threads = 2, std::uint64_t seed = 1) {
  Sequential model{RandomFlip("horizontal"),
                   RandomTranslation(0.25, 0.25, {.fill_mode = "constant"}),
                   RandomErasing({.fill_value = 0.5}),
                   Normalization({.mean = {0.5, 0.4, 0.6}, .variance = {0.1, 0.08, 0.09}}),
                   Cutout(3),
                   Flatten(),
                   Dropout(0.1),
                   Dense(23, "relu"),
                   Dense(5, "softmax")};
  model.set_seed(seed);
  model.compile({.optimizer = "adam",
                 .loss = "sparse_categorical_crossentropy",
                 .metrics = "accuracy",
                 .context = Context({.device = test::current_device(), .threads = threads})});
  return model;
}

void expect_same_bits(const std::vector<Tensor>& got, const std::vector<Tensor>& expected,
                      const std::string& what) {
  ASSERT_EQ(got.size(), expected.size());
  for (std::size_t i = 0; i < got.size(); ++i)
    EXPECT_TRUE(array_equal(got[i], expected[i])) << what << ", " << i;
}

std::vector<Tensor> trained(int threads, const FitOptions& options, std::uint64_t seed = 1) {
  Sequential model = fresh_model(threads, seed);
  const History history = model.fit(data(), options);
  EXPECT_TRUE(std::isfinite(history["loss"].back()));
  return model.get_weights();
}

TEST_P(AugmentedTrainingOn, One_two_and_five_threads_give_the_same_bits) {
  const FitOptions options{.epochs = 2, .batch_size = 64, .verbose = 0};
  const std::vector<Tensor> one = trained(1, options);
  expect_same_bits(trained(1, options), one, "again");
  if (test::current_device().is_cpu())
    for (const int threads : {2, 5})
      expect_same_bits(trained(threads, options), one, std::to_string(threads));
  EXPECT_FALSE(array_equal(trained(1, options, 2)[2], one[2])) << "another seed";
}

TEST_P(AugmentedTrainingOn, Streamed_rows_give_the_bits_of_resident_ones) {
  const std::vector<Tensor> resident = trained(2, {.epochs = 2, .batch_size = 32, .verbose = 0});
  for (const std::int64_t budget : {1, 176 * 100})
    expect_same_bits(trained(2, {.epochs = 2, .batch_size = 32, .verbose = 0, .memory_budget = budget}),
                     resident, std::to_string(budget) + " bytes");
}

TEST_P(AugmentedTrainingOn, Two_fits_go_on_where_one_would_be) {
  Sequential model = fresh_model();
  model.fit(data(), {.epochs = 2, .batch_size = 32, .verbose = 0});
  model.evaluate(data(), {.verbose = 0});  // draws nothing and counts nothing
  model.gradients(data().x, data().y);
  model.fit(data(), {.epochs = 3, .batch_size = 32, .verbose = 0, .initial_epoch = 2});
  expect_same_bits(model.get_weights(), trained(2, {.epochs = 3, .batch_size = 32, .verbose = 0}), "resumed");
}

TEST_P(AugmentedTrainingOn, A_sequence_of_steps_equals_the_same_steps_run_op_by_op) {
  const Dataset set = data();
  const Tensor x = set.x.cast(DType::float32).to(test::current_device()),
               y = set.y.cast(DType::float32).to(test::current_device());
  std::vector<std::vector<Tensor>> results;
  for (const bool eager : {false, true}) {
    Sequential model = fresh_model();
    // Leaves a feed over x and y, with the cursor at row 30.
    model.train_on_batch(TensorView(x).rows(0, 30), TensorView(y).rows(0, 30));
    const std::int64_t before = model.iterations();
    const Program* program = &model.program(Mode::train, 30);
    for (int step = 0; eager && step < 4; ++step) program->run_eagerly();
    if (!eager) program->run(4);
    EXPECT_EQ(model.iterations(), before + 4);
    results.push_back(model.get_weights());
  }
  expect_same_bits(results[1], results[0], "eager");
}

TEST_P(AugmentedTrainingOn, Compiling_again_draws_again_from_the_first_step_on) {
  test::ShownImages shown({RandomTranslation(0.5, 0.5)}, image, 4, test::current_device());
  const Tensor images = test::numbered_images(4, image), first = shown.next(images),
               second = shown.next(images);
  EXPECT_FALSE(array_equal(first, second));
  shown.model().compile(
      {.optimizer = SGD{.learning_rate = 1.0}, .loss = "mse", .device = test::current_device()});
  EXPECT_TRUE(array_equal(shown.next(images), first));
  shown.model().set_learning_rate(1.0);  // writes the iteration too
  EXPECT_TRUE(array_equal(shown.next(images), second));
}

Tensor mirrored(const Tensor& images) {
  Tensor result = images.clone();
  const Shape& s = images.shape();
  for (std::int64_t n = 0; n < s[0]; ++n)
    for (std::int64_t r = 0; r < s[1]; ++r)
      for (std::int64_t c = 0; c < s[2]; ++c)
        for (std::int64_t channel = 0; channel < s[3]; ++channel)
          result.set({n, r, c, channel}, images(n, r, s[2] - 1 - c, channel));
  return result;
}

TEST_P(AugmentedTrainingOn, A_flip_average_is_the_mean_of_what_is_said_of_images_and_mirrored_images) {
  const Dataset set = data();
  Sequential model = fresh_model();
  model.fit(set, {.epochs = 1, .verbose = 0});
  Tensor other = mirrored(set.x);
  other.set_scale(set.x.scale());
  for (const std::int64_t batch : {1, 32, 210}) {
    const PredictOptions plain{.batch_size = batch, .verbose = 0};
    const Tensor mean = model.predict(set.x, {.batch_size = batch, .verbose = 0, .flip_average = true});
    EXPECT_TRUE(array_equal(mean, model.predict(set.x, plain) * 0.5 + model.predict(other, plain) * 0.5))
        << batch;
    EXPECT_FALSE(array_equal(mean, model.predict(set.x, plain)));
  }
  EXPECT_EQ(model.predict(TensorView(set.x).rows(0, 0), {.verbose = 0, .flip_average = true}).shape(),
            (Shape{0, 5}));
}

TEST_P(AugmentedTrainingOn, Evaluation_with_a_flip_average_judges_the_means) {
  const Dataset set = data();
  Sequential model = fresh_model();
  model.fit(set, {.epochs = 3, .verbose = 0});
  const Tensor means = model.predict(set.x, {.verbose = 0, .flip_average = true});
  double loss = 0, right = 0;
  for (std::int64_t r = 0; r < rows; ++r) {
    const auto label = static_cast<std::int64_t>(set.y(r));
    loss -= std::log(means(r, label)) / rows;
    std::int64_t best = 0;
    for (std::int64_t c = 1; c < 5; ++c)
      if (means(r, c) > means(r, best)) best = c;
    right += best == label;
  }
  const Logs logs = model.evaluate(set, {.verbose = 0, .flip_average = true});
  EXPECT_NEAR(logs["loss"], loss, 1e-5);
  EXPECT_NEAR(logs["accuracy"], right / rows, 1e-6);
  EXPECT_NE(logs["loss"], model.evaluate(set, {.verbose = 0})["loss"]);
}

TEST(AugmentationErrors, Options_out_of_range_are_refused) {
  constexpr double inf = std::numeric_limits<double>::infinity();
  expect_error<ValueError>([] { RandomFlip("sideways"); }, {"flip mode", "sideways", "horizontal"});
  expect_error<ValueError>([] { RandomTranslation(1.5, 0); }, {"height_factor", "-1.5 to 1.5", "-1"});
  expect_error<ValueError>([] { RandomTranslation(0, {-2, 0}); }, {"width_factor", "-2 to 0"});
  expect_error<ValueError>([] { RandomTranslation({0.5, 0.25}, 0); }, {"height_factor", "0.5 to 0.25"});
  expect_error<ValueError>([] { RandomTranslation(NAN, 0); }, {"height_factor", "nan"});
  expect_error<ValueError>([] { RandomTranslation(0.1, 0.1, {.fill_mode = "mirror"}); },
                           {"fill_mode", "mirror", "reflect"});
  expect_error<ValueError>([] { RandomTranslation(0.1, 0.1, {.fill_value = inf}); }, {"fill_value", "inf"});
  expect_error<ValueError>([] { RandomErasing({.factor = 1.1}); }, {"RandomErasing", "factor", "1.1"});
  expect_error<ValueError>([] { RandomErasing({.factor = {-0.5, 0.25}}); }, {"factor", "-0.5"});
  expect_error<ValueError>([] { RandomErasing({.scale = {0.5, 0.25}}); }, {"scale", "0.5 to 0.25"});
  expect_error<ValueError>([] { RandomErasing({.scale = {0.5, 2}}); }, {"scale", "0.5 to 2"});
  expect_error<ValueError>([] { RandomErasing({.scale = 0}); }, {"scale 0", "erases nothing"});
  expect_error<ValueError>([] { RandomErasing({.scale = NAN}); }, {"scale", "nan"});
  expect_error<ValueError>([] { RandomErasing({.fill_value = NAN}); }, {"fill_value", "nan"});
  expect_error<ValueError>([] { Cutout(0); }, {"Cutout", "0 x 0"});
  expect_error<ValueError>([] { Cutout({3, -1}); }, {"3 x -1"});
  expect_error<ValueError>([] { Cutout(2, {.fill_value = -inf}); }, {"fill_value", "-inf"});
  expect_error<ValueError>([] { Normalization({.mean = {1}}); }, {"1 numbers as mean", "0 as variance"});
  expect_error<ValueError>(
      [] {
        Normalization({.mean = {1, 2}, .variance = {1}});
      },
      {"2 numbers", "1 as variance"});
  expect_error<ValueError>([] { Normalization({.mean = {1}, .variance = {-1}}); }, {"variance -1"});
  expect_error<ValueError>([] { Normalization({.mean = {NAN}, .variance = {1}}); }, {"mean nan"});
}

TEST(AugmentationErrors, Rows_that_are_no_images_are_refused) {
  for (const Layer& layer :
       {Layer(RandomFlip()), Layer(RandomTranslation(0.1, 0.1)), Layer(RandomErasing()), Layer(Cutout(1))}) {
    Sequential model{layer, Flatten(), Dense(1)};
    expect_error<ShapeError>([&] { model.build({28, 28}); }, {layer.type(), "(28, 28)", "Reshape"});
    EXPECT_FALSE(model.built());
    expect_error<ShapeError>([&] { model.build({70000, 1, 1}); }, {layer.type(), "70000", "65535"});
    model.build({4, 4, 1});  // the mistakes changed nothing
  }
  expect_error<ShapeError>(
      [] {
        Sequential model{Cutout(5), Flatten()};
        model.build({4, 6, 1});
      },
      {"5 x 5", "4 x 6"});
  expect_error<ShapeError>(
      [] {
        Sequential model{Normalization({.mean = {1, 2}, .variance = {1, 1}}), Flatten()};
        model.build({4, 6, 3});
      },
      {"given", "2 features", "3"});
}

TEST(AugmentationErrors, Behind_trained_layers_there_is_no_gradient) {
  Sequential model{Dense(3), RandomFlip(), Flatten(), Dense(1)};
  expect_error<ShapeError>(
      [&] {
        model.build({4, 4, 3});
      },
      {"random_flip", "no gradient", "before the layers"});
  // Behind layers that are not trained they may stand.
  Sequential fine{Rescaling(2), GaussianNoise(0.1), RandomFlip(), Flatten(), Dense(1)};
  fine.compile({.loss = "mse", .device = Device::cpu()});
  EXPECT_TRUE(std::isfinite(fine.train_on_batch(Tensor::ones({3, 4, 4, 1}), Tensor::ones({3, 1}))["loss"]));
}

TEST(AugmentationErrors, A_flip_average_needs_images) {
  Sequential model{Dense(1)};
  model.compile({.loss = "mse", .device = Device::cpu()});
  const Tensor x = Tensor::ones({2, 3}), y = Tensor::ones({2, 1});
  expect_error<ShapeError>([&] { model.predict(x, {.verbose = 0, .flip_average = true}); },
                           {"flip_average", "(3,)"});
  expect_error<ShapeError>([&] { model.evaluate(x, y, {.verbose = 0, .flip_average = true}); },
                           {"flip_average", "(3,)"});
}

TEST(AugmentationErrors, Adapting_to_data_what_was_given_is_refused) {
  Normalization given({.mean = {1}, .variance = {2}});
  expect_error<StateError>([&] { given.adapt(Tensor::ones({3, 2})); }, {"given mean and variance"});
}

}  // namespace
}  // namespace glia
