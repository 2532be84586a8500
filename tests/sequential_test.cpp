// The Sequential driver: the forms textbooks use, how steps are counted, what comes back.
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <sstream>

#include "tests/devices.h"
#include "tests/temporary_folder.h"

namespace glia {
namespace {

class SequentialModel : public test::DeviceTest {};
INSTANTIATE_TEST_SUITE_P(Devices, SequentialModel, ::testing::ValuesIn(test::test_devices()),
                         test::device_name);

/// Rows of four features in three classes that a line can tell apart.
Dataset three_classes(std::int64_t rows) {
  Tensor x = Tensor::zeros({rows, 4}), y = Tensor::zeros({rows}, DType::int64);
  for (std::int64_t r = 0; r < rows; ++r) {
    const std::int64_t label = r * 7 % 3;
    for (std::int64_t c = 0; c < 4; ++c)
      x.set({r, c}, std::sin(static_cast<double>(r * 4 + c)) * 0.3 + (c == label ? 1.0 : 0.0));
    y.set({r}, static_cast<double>(label));
  }
  return Dataset(std::move(x), std::move(y));
}

Sequential classifier(const char* optimizer = "adam") {
  Sequential model{Dense(16, "relu", {.input_dim = 4}), Dense(3, "softmax")};
  model.compile({.optimizer = optimizer,
                 .loss = "sparse_categorical_crossentropy",
                 .metrics = "accuracy",
                 .device = test::current_device()});
  return model;
}

TEST_P(SequentialModel, Forty_rows_at_batch_eight_for_seven_epochs_are_thirty_five_updates) {
  Sequential model = classifier();
  const History history = model.fit(three_classes(40), {.epochs = 7, .batch_size = 8, .verbose = 0});
  EXPECT_EQ(model.iterations(), 35);
  EXPECT_EQ(history["loss"].size(), 7u);
  EXPECT_EQ(history.epoch(), (std::vector<int>{0, 1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(history.seconds().size(), 7u);
}

TEST_P(SequentialModel, Fit_on_420_rows_at_64_shows_seven_of_seven) {
  Sequential model = classifier();
  ::testing::internal::CaptureStdout();
  model.fit(three_classes(420), {.epochs = 2, .batch_size = 64});
  const std::string out = ::testing::internal::GetCapturedStdout();
  EXPECT_NE(out.find("7/7"), std::string::npos) << out;
  EXPECT_EQ(std::count(out.begin(), out.end(), '\n'), 2) << out;  // not a terminal: a line an epoch
  EXPECT_EQ(model.iterations(), 14);
}

class BatchSizes : public ::testing::TestWithParam<std::int64_t> {};
INSTANTIATE_TEST_SUITE_P(Sizes, BatchSizes, ::testing::Values(1, 16, 64, 100, 1000));

TEST_P(BatchSizes, Every_batch_size_trains_and_partial_batches_count) {
  Sequential model = classifier();
  const Dataset data = three_classes(100);
  const History history = model.fit(data, {.epochs = 30, .batch_size = GetParam(), .verbose = 0});
  const std::int64_t batch = std::min<std::int64_t>(GetParam(), 100);
  EXPECT_EQ(model.iterations(), 30 * ((100 + batch - 1) / batch));
  EXPECT_LT(history["loss"].back(), history["loss"].front());
  // Loss and accuracy of evaluate do not depend on how rows are batched.
  const Logs one = model.evaluate(data, {.batch_size = 100, .verbose = 0});
  const Logs many = model.evaluate(data, {.batch_size = GetParam(), .verbose = 0});
  EXPECT_NEAR(one["loss"], many["loss"], 1e-6);
  EXPECT_DOUBLE_EQ(one["accuracy"], many["accuracy"]);
}

TEST_P(SequentialModel, A_partial_last_batch_is_trained_on) {
  // With the last row alone different, training without it would leave the weights as if it were not there.
  Dataset data = three_classes(9);
  Sequential with = classifier("sgd"), changed = classifier("sgd");
  with.fit(data, {.batch_size = 4, .verbose = 0, .shuffle = false});
  data.x.set({8, 0}, 5);
  changed.fit(data, {.batch_size = 4, .verbose = 0, .shuffle = false});
  EXPECT_FALSE(array_equal(with.get_weights()[0], changed.get_weights()[0]));
}

TEST_P(SequentialModel, Validation_split_takes_the_last_rows) {
  Dataset data = three_classes(50);
  for (std::int64_t r = 40; r < 50; ++r) data.y.set({r}, 2);
  Sequential model = classifier();
  const History history =
      model.fit(data, {.epochs = 1, .batch_size = 8, .verbose = 0, .validation_split = 0.2});
  EXPECT_EQ(model.iterations(), 5);
  const Logs expected =
      model.evaluate(TensorView(data.x).rows(40, 50), TensorView(data.y).rows(40, 50), {.verbose = 0});
  EXPECT_NEAR(history["val_loss"][0], expected["loss"], 1e-6);
  EXPECT_DOUBLE_EQ(history["val_accuracy"][0], expected["accuracy"]);
}

TEST_P(SequentialModel, Validation_data_overrides_the_split_and_validation_freq_skips_epochs) {
  const Dataset data = three_classes(48), held_out = three_classes(12);
  Sequential model = classifier();
  const History history = model.fit(data, {.epochs = 4,
                                           .batch_size = 16,
                                           .verbose = 0,
                                           .validation_split = 0.5,
                                           .validation_data = held_out,
                                           .validation_freq = 2});
  EXPECT_EQ(model.iterations(), 12);
  EXPECT_EQ(history["val_loss"].size(), 2u);
  const History again =
      model.fit(data.x, data.y, {.verbose = 0, .validation_data = {held_out.x, held_out.y}});
  EXPECT_EQ(again["val_loss"][0], model.evaluate(held_out, {.verbose = 0})["loss"]);
}

TEST_P(SequentialModel, Keras_2_forms_build_and_train) {
  const Tensor x{{1}, {2}, {3}, {4}}, y{{3}, {5}, {7}, {9}};
  // A single layer, kept in a variable, no metrics; its weights are read through the variable.
  Dense layer(1, {.input_shape = {1}});
  Sequential line{layer};
  line.compile({.optimizer = SGD{.learning_rate = 0.05},
                .loss = "mean_squared_error",
                .device = test::current_device()});
  line.fit(x, y, {.epochs = 500, .verbose = 0});
  EXPECT_NEAR(layer.get_weights()[0].item(), 2, 0.05);
  EXPECT_NEAR(layer.get_weights()[1].item(), 1, 0.1);
  // No shape at all: built by the first fit; no optimizer: rmsprop.
  Sequential unknown;
  unknown.add(Dense(3, "relu"));
  unknown.add(Dense(1));
  unknown.compile({.loss = "mse", .device = test::current_device()});
  EXPECT_FALSE(unknown.built());
  unknown.fit(x, y, {.verbose = 0});
  EXPECT_TRUE(unknown.built());
  EXPECT_DOUBLE_EQ(unknown.learning_rate(), 0.001);
  // Built by the first predict, without compile.
  Sequential bare{Dense(2), Activation("softmax")};
  EXPECT_EQ(bare.predict(x).shape(), (Shape{4, 2}));
  // A vector of numbers is rows of one number each.
  EXPECT_EQ(line.predict(Tensor{1, 2, 3}).shape(), (Shape{3, 1}));
  EXPECT_NEAR(line.predict({{10}})(0, 0), 21, 0.5);
}

TEST_P(SequentialModel, Acc_is_accuracy_under_its_own_name) {
  Sequential model{Dense(3, "softmax", {.input_dim = 4})};
  model.compile(
      {.loss = "sparse_categorical_crossentropy", .metrics = {"acc"}, .device = test::current_device()});
  const Dataset data = three_classes(30);
  const History history = model.fit(data, {.verbose = 0, .validation_split = 0.2});
  EXPECT_EQ(history.keys(), (std::vector<std::string>{"loss", "acc", "val_loss", "val_acc"}));
  EXPECT_EQ(model.metrics_names(), (std::vector<std::string>{"loss", "acc"}));
  const Logs score = model.evaluate(data, {.verbose = 0});
  EXPECT_EQ(score["acc"], score[1]);
  EXPECT_EQ(score["loss"], score[0]);
}

TEST_P(SequentialModel, A_one_unit_output_is_cut_at_a_half_even_when_linear) {
  Sequential model{Dense(1, {.input_dim = 1})};
  model.compile({.loss = "mse", .metrics = "accuracy", .device = test::current_device()});
  const Tensor kernel{{1}}, bias{0};
  model.set_weights({kernel, bias});
  // 0.4 -> 0 and 0.6 -> 1 are right, 0.5 -> 0 (not above), 0.9 -> 1 against a target of 0 is wrong.
  const Logs score = model.evaluate(Tensor{{0.4}, {0.6}, {0.5}, {0.9}}, Tensor{0, 1, 0, 0}, {.verbose = 0});
  EXPECT_DOUBLE_EQ(score["accuracy"], 0.75);
}

TEST_P(SequentialModel, Dense_acts_along_the_last_axis_of_higher_ranks) {
  Sequential model{Dense(2, {.input_shape = {3, 4}})}, flat{Dense(2, {.input_dim = 4})};
  flat.set_weights(model.get_weights());
  const Tensor x = Tensor::arange(5 * 3 * 4).reshape({5, 3, 4}) * 0.1;
  const Tensor y = model.predict(x);
  EXPECT_EQ(y.shape(), (Shape{5, 3, 2}));
  EXPECT_TRUE(all_close(y.reshape({15, 2}), flat.predict(x.reshape({15, 4})), 1e-5, 1e-6));
}

TEST_P(SequentialModel, One_seed_governs_weights_and_shuffle) {
  const Dataset data = three_classes(64);
  const auto train = [&](std::uint64_t seed, std::optional<std::uint64_t> shuffle_seed) {
    Sequential model{Dense(8, "relu", {.input_dim = 4}), Dense(3, "softmax")};
    model.set_seed(seed);
    model.compile({.loss = "sparse_categorical_crossentropy", .device = test::current_device()});
    model.fit(data, {.epochs = 2, .batch_size = 8, .verbose = 0, .seed = shuffle_seed});
    return model.get_weights().at(0);
  };
  EXPECT_TRUE(array_equal(train(1, {}), train(1, {})));
  EXPECT_FALSE(array_equal(train(1, {}), train(2, {})));
  EXPECT_FALSE(array_equal(train(1, {}), train(1, 5)));
  EXPECT_TRUE(array_equal(train(1, 5), train(1, 5)));
}

TEST_P(SequentialModel, Shuffles_differ_from_epoch_to_epoch_and_from_fit_to_fit) {
  const Dataset data = three_classes(64);
  Sequential at_once = classifier(), in_parts = classifier(), unshuffled = classifier();
  at_once.fit(data, {.epochs = 4, .batch_size = 8, .verbose = 0});
  in_parts.fit(data, {.epochs = 2, .batch_size = 8, .verbose = 0});
  in_parts.fit(data, {.epochs = 2, .batch_size = 8, .verbose = 0});
  unshuffled.fit(data, {.epochs = 4, .batch_size = 8, .verbose = 0, .shuffle = false});
  EXPECT_TRUE(array_equal(at_once.get_weights()[0], in_parts.get_weights()[0]));
  EXPECT_FALSE(array_equal(at_once.get_weights()[0], unshuffled.get_weights()[0]));
}

TEST_P(SequentialModel, Train_on_batch_is_one_update_and_gradients_is_none) {
  const Dataset data = three_classes(10);
  Sequential model = classifier("sgd");
  const std::vector<Tensor> before = model.get_weights();
  const Gradients g = model.gradients(data.x, data.y);
  EXPECT_TRUE(array_equal(before[0], model.get_weights()[0]));
  const Logs logs = model.train_on_batch(data.x, data.y);
  EXPECT_NEAR(logs["loss"], g.loss, 1e-6);
  EXPECT_EQ(model.iterations(), 1);
  EXPECT_TRUE(all_close(model.get_weights()[0], before[0] - g.weights[0] * 0.01, 1e-5, 1e-7));
}

TEST_P(SequentialModel, Learning_rate_can_be_read_changed_and_scheduled) {
  const Dataset data = three_classes(10);
  Sequential model = classifier("sgd");
  EXPECT_DOUBLE_EQ(model.learning_rate(), 0.01);
  model.set_learning_rate(0.0);
  const std::vector<Tensor> before = model.get_weights();
  model.train_on_batch(data.x, data.y);
  EXPECT_TRUE(array_equal(before[0], model.get_weights()[0]));
  model.set_learning_rate(ExponentialDecay{0.5, 1, 0.5, false});
  EXPECT_DOUBLE_EQ(model.learning_rate(), 0.25);  // one update was made
  model.train_on_batch(data.x, data.y);
  EXPECT_DOUBLE_EQ(model.learning_rate(), 0.125);
  EXPECT_FALSE(array_equal(before[0], model.get_weights()[0]));
}

TEST_P(SequentialModel, Compile_again_keeps_weights_and_forgets_the_optimizer) {
  const Dataset data = three_classes(10);
  Sequential model = classifier();
  model.train_on_batch(data.x, data.y);
  const std::vector<Tensor> before = model.get_weights();
  model.compile({.optimizer = "sgd",
                 .loss = "mse",
                 .context = Context({.device = test::current_device(), .threads = 1})});
  EXPECT_TRUE(array_equal(before[0], model.get_weights()[0]));
  EXPECT_EQ(model.iterations(), 0);
  EXPECT_EQ(model.context().threads(), 1);
}

TEST_P(SequentialModel, Weights_survive_a_file_with_or_without_extension) {
  const testing::TemporaryFolder folder;
  const std::string path = folder / "weights";
  Sequential saved = classifier(), loaded = classifier();
  loaded.train_on_batch(three_classes(5).x, three_classes(5).y);
  saved.save_weights(path);
  loaded.load_weights(path + ".safetensors");
  for (std::size_t w = 0; w < 4; ++w)
    EXPECT_TRUE(array_equal(saved.get_weights()[w], loaded.get_weights()[w]));
}

TEST_P(SequentialModel, Summary_predict_and_weights_need_only_an_input_shape) {
  Sequential model{Flatten({2, 2}), Dense(3)};
  std::ostringstream out;
  model.summary(out);
  EXPECT_NE(out.str().find("(None, 4)"), std::string::npos) << out.str();
  EXPECT_EQ(model.get_weights().size(), 2u);
  EXPECT_EQ(model.count_params(), 15);
  EXPECT_EQ(model.predict(Tensor::ones({5, 2, 2})).shape(), (Shape{5, 3}));
}

TEST_P(SequentialModel, Layers_are_named_as_in_keras_and_found_by_name_and_place) {
  Sequential model{Input({4}), Dense(2), Dense(3, {.name = "last"})};
  model.add(Dense(4));
  EXPECT_EQ(model.layers().size(), 3u);
  EXPECT_EQ(model.layer(0).name(), "dense");
  EXPECT_EQ(model.layer(-1).name(), "dense_1");
  EXPECT_EQ(model.layer("last").type(), "Dense");
  model.build({4});
  EXPECT_EQ(model.layer("last").output_shape(), Shape{3});
  EXPECT_EQ(model.layer("last").count_params(), 9);
}

TEST(LayerNames, Are_keras_s_whatever_the_case_of_the_class) {
  const std::vector<std::pair<Layer, std::string>> layers = {{ReLU(), "re_lu"},
                                                             {PReLU(), "p_re_lu"},
                                                             {ELU(), "elu"},
                                                             {LeakyReLU(), "leaky_re_lu"},
                                                             {RMSNormalization(), "rms_normalization"},
                                                             {AlphaDropout(0.1), "alpha_dropout"}};
  Sequential model;
  for (const auto& [layer, name] : layers) {
    model.add(layer);
    EXPECT_EQ(layer.name(), name);
  }
}

TEST_P(SequentialModel, Layers_of_a_model_that_is_gone_are_named_anew) {
  Dense hidden(4), output(1);
  { Sequential first{hidden}; }
  { Sequential second{output}; }
  Sequential both{hidden, output};
  EXPECT_EQ(both.layer(0).name(), "dense");
  EXPECT_EQ(both.layer(1).name(), "dense_1");
}

TEST_P(SequentialModel, Targets_may_lack_or_have_a_last_dimension_of_one) {
  Sequential model{Dense(1, {.input_shape = {3, 2}})};
  model.compile({.loss = "mse", .device = test::current_device()});
  const Tensor x = Tensor::ones({4, 3, 2});
  const double loss = model.evaluate(x, Tensor::ones({4, 3, 1}), {.verbose = 0})["loss"];
  EXPECT_DOUBLE_EQ(model.evaluate(x, Tensor::ones({4, 3}), {.verbose = 0})["loss"], loss);
}

TEST_P(SequentialModel, Predictions_of_nothing_are_nothing_and_of_float64_are_float64) {
  Sequential model{Dense(2, {.input_dim = 3})};
  EXPECT_EQ(model.predict(Tensor::zeros({0, 3})).shape(), (Shape{0, 2}));
  Sequential wide{Dense(2, {.input_dim = 3})};
  wide.set_dtype(DType::float64);
  EXPECT_EQ(wide.predict(Tensor::ones({1, 3})).dtype(), DType::float64);
  EXPECT_TRUE(all_close(wide.predict(Tensor::ones({1, 3})).cast(DType::float32),
                        model.predict(Tensor::ones({1, 3})), 1e-6));
}

TEST_P(SequentialModel, NaN_reaches_the_loss_and_the_weights) {
  Sequential model = classifier("sgd");
  Dataset data = three_classes(4);
  data.x.set({1, 2}, NAN);
  EXPECT_TRUE(std::isnan(model.train_on_batch(data.x, data.y)["loss"]));
  EXPECT_TRUE(std::isnan(model.get_weights()[0].sum()));
  EXPECT_TRUE(std::isnan(model.predict(data.x)(1, 0)));
}

}  // namespace
}  // namespace glia
