// What bad input gets: one typed error that says what was got, what was expected and what to do; and nothing changes.
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/devices.h"
#include "tests/expect_error.h"
#include "tests/temporary_folder.h"

namespace glia {
namespace {

class ErrorsOn : public test::DeviceTest {};
INSTANTIATE_TEST_SUITE_P(Devices, ErrorsOn, ::testing::ValuesIn(test::test_devices()), test::device_name);

using test::expect_error;

Sequential classifier() {
  Sequential model{Dense(8, "relu", {.input_dim = 4}), Dense(3, "softmax")};
  model.compile({.optimizer = "adam",
                 .loss = "sparse_categorical_crossentropy",
                 .metrics = "accuracy",
                 .device = test::current_device()});
  return model;
}

const Tensor& x() {
  static const Tensor tensor = Tensor::ones({6, 4});
  return tensor;
}
const Tensor& labels() {
  static const Tensor tensor(std::vector<std::int64_t>{0, 1, 2, 0, 1, 2});
  return tensor;
}

TEST(Errors, Unknown_names_suggest_the_nearest) {
  expect_error<ValueError>([] { Dense(3, "relux"); }, {"relux", "did you mean \"relu\"?"});
  expect_error<ValueError>([] { classifier().compile({.optimizer = "adm", .loss = "mse"}); },
                           {"adm", "\"adam\""});
  expect_error<ValueError>([] { classifier().compile({.loss = "sparse_crossentropy"}); },
                           {"sparse_crossentropy"});
  expect_error<ValueError>([] { classifier().compile({.loss = "mse", .metrics = "acuracy"}); },
                           {"acuracy", "accuracy"});
  expect_error<ValueError>([] { Dense(3, {.kernel_initializer = "he_norml"}); }, {"he_norml", "he_normal"});
  expect_error<ValueError>([] { classifier().layer("dens"); }, {"dens", "dense"});
  expect_error<ValueError>([] { Device("gpu"); }, {"gpu", "cuda"});
}

TEST_P(ErrorsOn, Shapes_that_do_not_fit_at_build) {
  expect_error<ShapeError>(
      [] {
        Sequential model{Dense(2, {.input_dim = 3}), Dense(2, {.input_dim = 5})};
        model.build({3});
      },
      {"(5,)", "(2,)", "dense_1"});
  expect_error<ValueError>([] { Dense(0); }, {"0 units", "at least 1"});
  expect_error<ShapeError>([] { Flatten({28, 0}); }, {"(28, 0)"});
  expect_error<ValueError>([] { Dense(1, {.input_shape = {3}, .input_dim = 4}); }, {"4", "(3,)"});
  expect_error<ShapeError>([] { Sequential{Dense(1)}.build({}); }, {"()"});
}

TEST_P(ErrorsOn, Data_that_do_not_fit_the_model) {
  expect_error<ShapeError>(
      [] {
        classifier().fit(Tensor::ones({6, 5}), labels(), {.verbose = 0});
      },
      {"(6, 5)", "(4,)"});
  expect_error<ShapeError>(
      [] {
        classifier().predict(Tensor::ones({2, 2, 2}));
      },
      {"predict", "(2, 2, 2)", "(4,)"});
  expect_error<ShapeError>(
      [] {
        Sequential model{Flatten({28, 28}), Dense(1)};
        model.predict(Tensor::ones({28, 28}));
      },
      {"(28, 28)", "reshape it to (1, ...)"});
  expect_error<ShapeError>([] { classifier().fit(x(), Tensor::ones({5}), {.verbose = 0}); },
                           {"6 rows", "(5,)"});
  expect_error<ShapeError>(
      [] {
        classifier().fit(x(), Tensor::ones({6, 3}), {.verbose = 0});
      },
      {"one-hot", "categorical_crossentropy"});
  expect_error<ShapeError>(
      [] {
        Sequential model{Dense(3, "softmax")};
        model.compile({.loss = "categorical_crossentropy", .device = test::current_device()});
        model.fit(x(), labels(), {.verbose = 0});
      },
      {"(6, 3)", "(6,)", "sparse_categorical_crossentropy"});
  expect_error<ShapeError>(
      [] {
        Sequential model{Dense(1, "sigmoid")};
        model.compile({.loss = "sparse_categorical_crossentropy", .device = test::current_device()});
        model.fit(x(), labels(), {.verbose = 0});
      },
      {"binary_crossentropy"});
}

TEST_P(ErrorsOn, Labels_outside_the_classes) {
  const auto with = [](double label) {
    Tensor y = Tensor::zeros({6}, DType::float64);
    y.set({4}, label);
    return y;
  };
  expect_error<ValueError>([&] { classifier().fit(x(), with(3), {.verbose = 0}); },
                           {"label 3", "row 4", "0 to 2"});
  expect_error<ValueError>([&] { classifier().evaluate(x(), with(-1), {.verbose = 0}); }, {"label -1"});
  expect_error<ValueError>([&] { classifier().train_on_batch(x(), with(0.5)); }, {"label 0.5"});
  expect_error<ValueError>([&] { classifier().train_on_batch(x(), with(NAN)); }, {"label nan"});
  expect_error<ValueError>(
      [] {
        Sequential model{Dense(3, "softmax", {.input_shape = {2, 4}})};
        model.compile({.loss = "sparse_categorical_crossentropy", .device = test::current_device()});
        model.evaluate(Tensor::ones({2, 2, 4}), Tensor{{0, 1}, {2, 9}}, {.verbose = 0});
      },
      {"label 9", "row 1"});
}

TEST_P(ErrorsOn, Numbers_that_cannot_be) {
  expect_error<ValueError>(
      [] { classifier().compile({.optimizer = Adam{.learning_rate = NAN}, .loss = "mse"}); },
      {"learning rate nan"});
  expect_error<ValueError>(
      [] { classifier().compile({.optimizer = SGD{.learning_rate = -1.0}, .loss = "mse"}); }, {"-1"});
  expect_error<ValueError>([] { classifier().compile({.optimizer = SGD{.momentum = 1.5}, .loss = "mse"}); },
                           {"momentum"});
  expect_error<ValueError>([] { classifier().compile({.optimizer = Adam{.beta_1 = 1.0}, .loss = "mse"}); },
                           {"beta_1"});
  expect_error<ValueError>(
      [] { classifier().compile({.optimizer = RMSprop{.epsilon = 0.0}, .loss = "mse"}); }, {"epsilon"});
  expect_error<ValueError>([] { classifier().set_learning_rate(INFINITY); }, {"inf"});
  expect_error<ValueError>([] { classifier().fit(x(), labels(), {.batch_size = 0}); }, {"batch_size 0"});
  expect_error<ValueError>([] { classifier().evaluate(x(), labels(), {.batch_size = -3}); },
                           {"batch_size -3"});
  expect_error<ValueError>([] { classifier().predict(x(), {.batch_size = 0}); }, {"batch_size 0"});
  expect_error<ValueError>([] { classifier().fit(x(), labels(), {.epochs = -1}); }, {"epochs -1"});
  expect_error<ValueError>([] { classifier().fit(x(), labels(), {.verbose = 3}); }, {"verbose 3"});
  expect_error<ValueError>([] { classifier().fit(x(), labels(), {.validation_split = 1.0}); },
                           {"validation_split 1"});
  expect_error<ValueError>([] { classifier().fit(x(), labels(), {.verbose = 0, .validation_split = 0.99}); },
                           {"leaves 0"});
  expect_error<ValueError>([] { Context({.device = "cpu", .threads = -2}); }, {"-2 threads"});
}

TEST_P(ErrorsOn, Schedules_thresholds_scales_and_batches_that_cannot_be) {
  const auto compile_with = [](const LearningRate& rate) {
    classifier().compile({.optimizer = Adam{.learning_rate = rate}, .loss = "mse"});
  };
  expect_error<ValueError>([&] { compile_with(ExponentialDecay{.decay_rate = NAN}); }, {"decay_rate"});
  expect_error<ValueError>([&] { compile_with(ExponentialDecay{.decay_rate = -0.5}); }, {"decay_rate"});
  expect_error<ValueError>([&] { compile_with(ExponentialDecay{.decay_steps = 0}); }, {"decay_steps"});
  expect_error<ValueError>(
      [] { classifier().compile({.loss = "mse", .metrics = {BinaryAccuracy{.threshold = 1.5}}}); }, {"1.5"});
  expect_error<ValueError>(
      [] { classifier().compile({.loss = "mse", .metrics = "sparse_categorical_accuracy"}); },
      {"\"accuracy\""});
  const float numbers[4] = {};
  expect_error<ValueError>([&] { TensorView::of(numbers, {4}, DType::float32, Device::cpu(), 10); },
                           {"scale 10"});
  Tensor scaled = Tensor::zeros({6}, DType::uint8);
  scaled.set_scale(0.5);
  expect_error<ValueError>([&] { classifier().train_on_batch(x(), scaled); }, {"scale 0.5"});
  expect_error<OutOfMemoryError>([] { classifier().program(Mode::infer, std::int64_t{1} << 62); }, {});
}

TEST_P(ErrorsOn, A_call_that_fails_does_not_fix_the_shape_of_the_model) {
  Sequential model{Dense(3, "softmax")};
  model.compile({.loss = "sparse_categorical_crossentropy", .device = test::current_device()});
  expect_error<ShapeError>(
      [&] {
        model.fit(Tensor::ones({6, 9}), Tensor::ones({5}), {.verbose = 0});
      },
      {"(5,)"});
  EXPECT_FALSE(model.built());
  model.fit(x(), labels(), {.verbose = 0});
  EXPECT_EQ(model.get_weights()[0].shape(), (Shape{4, 3}));
}

TEST_P(ErrorsOn, A_model_that_was_moved_from_says_so) {
  Sequential model{Dense(3)};
  const Sequential other = std::move(model);
  expect_error<StateError>([&] { model.built(); }, {"moved"});
  EXPECT_EQ(other.layers().size(), 1u);
}

TEST_P(ErrorsOn, Empty_data) {
  expect_error<ValueError>(
      [] {
        classifier().fit(Tensor::zeros({0, 4}), Tensor::zeros({0}), {.verbose = 0});
      },
      {"no rows"});
  expect_error<ValueError>(
      [] {
        classifier().evaluate(Tensor::zeros({0, 4}), Tensor::zeros({0}), {.verbose = 0});
      },
      {"no rows"});
  expect_error<ShapeError>([] { Sequential{Dense(1)}.predict(Tensor::zeros({3, 0})); }, {"(3, 0)"});
  expect_error<StateError>([] { Sequential{}.predict(x()); }, {"no layers"});
}

TEST_P(ErrorsOn, A_model_too_large_for_memory_leaves_a_typed_error) {
  // 2^62 elements fit no count of bytes; 2^45 bytes fit no memory.
  expect_error<OutOfMemoryError>(
      [] {
        Sequential{Dense(1 << 30)}.predict(TensorView::of("", {0, std::int64_t{1} << 32}));
      },
      {});
  expect_error<OutOfMemoryError>([] { Sequential{Dense(1 << 30)}.build({1 << 13}); }, {"bytes"});
}

TEST_P(ErrorsOn, Calls_in_the_wrong_order) {
  expect_error<StateError>([] { Sequential{Dense(3)}.fit(x(), labels(), {.verbose = 0}); },
                           {"fit", "compile"});
  expect_error<StateError>(
      [] {
        Sequential model{Dense(3)};
        model.compile({.optimizer = "sgd", .device = test::current_device()});
        model.evaluate(x(), labels());
      },
      {"evaluate", "loss"});
  expect_error<ValueError>([] { Sequential{Dense(3)}.compile({.metrics = "accuracy"}); },
                           {"metrics", "loss"});
  expect_error<StateError>([] { Sequential{Dense(3)}.get_weights(); }, {"input_shape"});
  expect_error<StateError>([] { Dense(3).get_weights(); }, {"not built"});
  expect_error<StateError>([] { Sequential{Dense(3)}.learning_rate(); }, {"compile"});
  expect_error<StateError>(
      [] {
        Sequential model{Dense(3)};
        model.predict(x());
        model.set_seed(4);
      },
      {"set_seed"});
  expect_error<StateError>(
      [] {
        Sequential model{Dense(3)};
        model.predict(x());
        model.add(Dense(2));
      },
      {"built already"});
  expect_error<StateError>(
      [] {
        Sequential model{Flatten()};
        model.compile({.loss = "mse", .device = test::current_device()});
        model.fit(x(), x(), {.verbose = 0});
      },
      {"no weights to train"});
}

TEST(Errors, Layers_twice_in_a_model_or_named_twice) {
  Dense layer(3);
  Sequential model{layer};
  expect_error<ValueError>([&] { model.add(layer); }, {"in the model already"});
  expect_error<ValueError>([] { Sequential({Dense(1, {.name = "a"}), Dense(1, {.name = "a"})}); }, {"\"a\""});
}

TEST(Errors, Layers_that_outlive_an_unbuilt_model_say_so) {
  Dense layer(3);
  { Sequential model{layer}; }
  expect_error<StateError>([&] { layer.get_weights(); }, {"in no model"});
}

TEST_P(ErrorsOn, Metrics_that_do_not_go_with_the_loss) {
  expect_error<ValueError>(
      [] {
        Sequential model{Dense(3, "softmax")};
        model.compile(
            {.loss = "mse", .metrics = "sparse_categorical_accuracy", .device = test::current_device()});
        model.fit(x(), Tensor::ones({6, 3}), {.verbose = 0});
      },
      {"sparse_categorical_accuracy", "\"accuracy\""});
  expect_error<ValueError>(
      [] {
        classifier().compile({.loss = "mse", .metrics = {"accuracy", "accuracy"}});
      },
      {"twice"});
}

TEST_P(ErrorsOn, Weights_that_do_not_fit_leave_the_model_as_it_was) {
  Sequential model = classifier();
  const std::vector<Tensor> before = model.get_weights();
  const auto weights = [](const Shape& last) {
    std::vector<Tensor> result;
    result.push_back(Tensor::ones({4, 8}));
    result.push_back(Tensor::ones({8}));
    result.push_back(Tensor::ones({8, 3}));
    result.push_back(Tensor::ones(last));
    return result;
  };
  expect_error<ShapeError>([&] { model.set_weights(weights({4})); }, {"dense_1/bias", "(3,)", "(4,)"});
  expect_error<ShapeError>([&] { model.set_weights({}); }, {"0 weights", "expected 4"});
  const testing::TemporaryFolder folder;
  const std::string path = folder / "weights";
  Sequential other{Dense(8, {.input_dim = 5}), Dense(3)};
  other.save_weights(path);
  expect_error<ShapeError>([&] { model.load_weights(path); }, {"dense/kernel", "(4, 8)", "(5, 8)"});
  Sequential smaller{Dense(8, {.input_dim = 4})};
  smaller.save_weights(path);
  expect_error<ShapeError>([&] { model.load_weights(path); }, {"dense_1/kernel"});
  expect_error<ShapeError>([&] { smaller.load_weights((other.save_weights(path), path)); },
                           {"4 weights", "2"});
  std::remove((path + ".safetensors").c_str());
  expect_error<FileError>([&] { model.load_weights(path); }, {path + ".safetensors"});
  for (std::size_t w = 0; w < 4; ++w) EXPECT_TRUE(array_equal(before[w], model.get_weights()[w]));
}

TEST_P(ErrorsOn, A_batch_source_that_contradicts_itself) {
  struct Source : BatchSource {
    std::int64_t batches() const override { return 3; }
    Dataset batch(std::int64_t, std::int64_t index) override {
      return Dataset(Tensor::ones({index == 1 ? 5 : 4, 4}), Tensor::zeros({index == 1 ? 5 : 4}));
    }
  } source;
  expect_error<ShapeError>([&] { classifier().fit(source, {.verbose = 0}); },
                           {"batch 1", "5 rows", "expected 4"});
  expect_error<ValueError>([&] { classifier().fit(source, {.verbose = 0, .validation_split = 0.1}); },
                           {"validation_data"});
}

TEST(Errors, A_cuda_device_asked_for_where_there_is_none) {
  if (Device::automatic().is_cuda()) GTEST_SKIP() << "this machine has a CUDA device";
  expect_error<DeviceError>([] { classifier().compile({.loss = "mse", .device = "cuda"}); },
                            {"cuda:0", "\"cpu\"", "\"auto\""});
  expect_error<DeviceError>([] { Context({.device = "cuda:3"}); }, {"cuda:3"});
  EXPECT_NE(device_report().find("cuda: not available: "), std::string::npos) << device_report();
  EXPECT_EQ(Context().device(), Device::cpu());
}

TEST(Errors, History_and_logs_name_what_they_have) {
  const Logs score = classifier().evaluate(x(), labels(), {.verbose = 0});
  expect_error<ValueError>([&] { score["acc"]; }, {"acc", "accuracy"});
  expect_error<ValueError>([&] { score[2]; }, {"2"});
}

TEST(Errors, All_are_of_one_family) {
  EXPECT_THROW(classifier().fit(x(), labels(), {.batch_size = 0}), Error);
  EXPECT_THROW(Dense(0), std::runtime_error);
}

}  // namespace
}  // namespace glia
