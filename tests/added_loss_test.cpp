// add_loss: values of the graph that are added to a model's loss.
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "tests/close.h"
#include "tests/devices.h"
#include "tests/drawn.h"  // defines: drawn, same_bits
#include "tests/expect_error.h"

namespace glia::test {
namespace {

class AddedLoss : public DeviceTest {
 protected:
  CompileOptions mse() const {
    return {.optimizer = SGD{.learning_rate = 0.1}, .loss = "mse", .device = current_device()};
  }
  const Tensor x = drawn(1, {11, 4}), y = drawn(2, {11, 2});
};

INSTANTIATE_TEST_SUITE_P(Devices, AddedLoss, ::testing::ValuesIn(test_devices()), device_name);

double mean_of(const Tensor& values) {
  double sum = 0;
  const Tensor wide = values.cast(DType::float64);
  for (std::int64_t i = 0; i < wide.size(); ++i) sum += wide.data<double>()[i];
  return sum / static_cast<double>(wide.size());
}

/// A hidden layer, and an output that reads it.
struct Parts {
  Symbol in = Input({4}), hidden = Dense(3, "tanh", {.name = "hidden"})(in),
         out = Dense(2, "linear", {.name = "out"})(hidden);
};

TEST_P(AddedLoss, Is_what_the_same_value_as_an_output_with_a_loss_would_be) {
  const Parts a, b;
  Model added({a.in}, {a.out}),
      several({b.in}, {b.out, Lambda([](const Symbol&h) { return h * h; }, "square")(b.hidden)});
  added.add_loss(a.hidden * a.hidden);
  added.compile(mse());
  CompileOptions options = mse();
  options.loss = {{"out", "mse"}, {"square", "mae"}};
  several.compile(options);
  const Tensor zeros = Tensor::zeros({11, 3});
  for (int epoch = 0; epoch < 3; ++epoch) {
    const Logs got = added.evaluate(x, y, {.batch_size = 4, .verbose = 0});  // the last batch has three rows
    const Logs wanted = several.evaluate(x, {y, zeros}, {.batch_size = 4, .verbose = 0});
    EXPECT_NEAR(got["loss"], wanted["loss"], 1e-6);
    added.fit(x, y, {.batch_size = 4, .verbose = 0, .shuffle = false});
    several.fit(x, {y, zeros}, {.batch_size = 4, .verbose = 0, .shuffle = false});
  }
  EXPECT_TRUE(close(added.get_weights(), several.get_weights(), {.relative = 1e-5, .absolute = 1e-6}));
  EXPECT_EQ(added.metrics_names(), std::vector<std::string>{"loss"});
}

TEST_P(AddedLoss, Alone_is_all_there_is_to_train_by_and_needs_no_targets) {
  const Parts parts;
  Model model({parts.in}, {parts.out});
  const Symbol difference = parts.out - 0.5;
  model.add_loss(difference * difference);
  model.compile({.optimizer = SGD{.learning_rate = 0.5}, .device = current_device()});
  const double before = model.evaluate(x, {}, {.verbose = 0})["loss"];
  const Tensor out = model.predict(x);
  EXPECT_NEAR(before, mean_of((out - 0.5) * (out - 0.5)), 1e-5);
  const History history = model.fit(x, {}, {.epochs = 30, .verbose = 0});
  EXPECT_LT(model.evaluate(x, {}, {.verbose = 0})["loss"], before / 20);
  EXPECT_EQ(history["loss"].size(), 30u);
  EXPECT_EQ(model.train_on_batch(x, {}).begin()->first, "loss");
  expect_error<ValueError>([&] { model.fit(x, y, {.verbose = 0}); }, {"targets"});
}

TEST_P(AddedLoss, Counts_as_often_as_it_is_added_be_it_an_output_or_not) {
  const auto loss_of = [&](int of_output, int of_hidden, const LossNames& loss, bool with_targets) {
    const Parts parts;
    Model model({parts.in}, {parts.out});
    for (int i = 0; i < of_output; ++i) model.add_loss(parts.out);
    for (int i = 0; i < of_hidden; ++i) model.add_loss(parts.hidden);
    CompileOptions options = mse();
    options.loss = loss;
    model.compile(options);
    const double found = model.evaluate(x, with_targets ? Tensors(y) : Tensors(), {.verbose = 0})["loss"];
    const Gradients gradients = model.gradients(x, with_targets ? Tensors(y) : Tensors());
    EXPECT_NEAR(gradients.loss, found, 1e-6);
    return std::pair(found, gradients.weights[0].clone());
  };
  const auto [plain, by_loss] = loss_of(0, 0, "mse", true);
  const auto [out, by_out] = loss_of(1, 0, {}, false);
  const auto [hidden, by_hidden] = loss_of(0, 1, {}, false);
  const auto [all, by_all] = loss_of(2, 1, "mse", true);
  EXPECT_NEAR(all, plain + 2 * out + hidden, 1e-5);
  EXPECT_TRUE(all_close(by_all, by_loss + by_out * 2 + by_hidden, 1e-4, 1e-6));
}

TEST_P(AddedLoss, May_have_layers_of_its_own_that_predict_leaves_out) {
  const Parts parts;
  Model plain({parts.in}, {parts.out}), model({parts.in}, {parts.out});
  const Symbol code = Dense(5, "relu", {.name = "judge"})(parts.hidden);
  model.add_loss(mean(code, {-1}));
  model.compile(mse());
  plain.compile(mse());
  EXPECT_EQ(plain.count_params() + 3 * 5 + 5, model.count_params());
  EXPECT_EQ(model.weight_names().back(), "judge/bias");
  EXPECT_EQ(model.program(Mode::infer, 4).explain(), plain.program(Mode::infer, 4).explain());
  const TensorList before = model.get_weights();
  model.fit(x, y, {.verbose = 0});
  const TensorList after = model.get_weights();
  EXPECT_FALSE(array_equal(before[4], after[4]));  // it learns along
  Model copy = clone_model(model);
  copy.compile(mse());
  copy.set_weights(after);
  EXPECT_EQ(copy.evaluate(x, y, {.verbose = 0})["loss"], model.evaluate(x, y, {.verbose = 0})["loss"]);
}

/// The penalty of a variational autoencoder's code on its distance from the normal distribution.
Symbol kl_divergence(const Symbol& mean, const Symbol& log_variance) {
  return (exp(log_variance) + mean * mean - log_variance - 1) * 0.5;
}

TEST_P(AddedLoss, Has_the_slopes_of_its_formula) {
  if (!current_device().is_cpu()) GTEST_SKIP() << "float64 is for the CPU";
  const Symbol in = Input({4});
  const Symbol center = Dense(3, "linear", {.name = "mean"})(in),
               spread = Dense(3, "linear", {.name = "spread"})(in);
  Model model({in}, {Dense(2)(center)});
  model.set_dtype(DType::float64);
  model.add_loss(kl_divergence(center, spread));
  model.compile(mse());
  const Tensor wide = x.cast(DType::float64), targets = y.cast(DType::float64);
  const Gradients found = model.gradients(wide, targets);
  TensorList weights = model.get_weights();
  for (std::size_t w = 0; w < weights.size(); ++w)
    for (std::int64_t i = 0; i < weights[w].size(); ++i) {
      double& weight = weights[w].data<double>()[i];
      const double was = weight, step = 1e-5;
      double loss[2];
      for (const int side : {0, 1}) {
        weight = was + (side ? step : -step);
        model.set_weights(weights);
        loss[side] = model.gradients(wide, targets).loss;
      }
      weight = was;
      EXPECT_NEAR(found.weights[w].data<double>()[i], (loss[1] - loss[0]) / (2 * step), 1e-8);
    }
}

TEST_P(AddedLoss, Repeats_to_the_bit_and_goes_along_with_penalties_and_weights_of_rows) {
  std::vector<TensorList> ends;
  const Tensor weights = drawn(4, {11}) * 0.5 + 1;
  for (int run = 0; run < 2; ++run) {
    const Symbol in = Input({4});
    const Symbol hidden = Dense(3, "tanh", {.kernel_regularizer = "l2"})(in);
    Model model({in}, {Dense(2)(hidden)});
    model.add_loss(abs(hidden));
    model.compile(mse());
    const double loss = model.test_on_batch(x, y)["loss"],
                 weighted = model.test_on_batch(x, y, weights)["loss"];
    EXPECT_NE(loss, weighted);
    model.fit(x, y, {.batch_size = 4, .verbose = 0, .sample_weight = weights});
    ends.push_back(model.get_weights());
  }
  EXPECT_TRUE(same_bits(ends[0], ends[1]));
}

TEST_P(AddedLoss, Counts_once_whatever_outputs_and_rows_count) {
  const Symbol in = Input({4});
  const Symbol hidden = Dense(3, "tanh", {.name = "hidden"})(in);
  const Symbol a = Dense(2, "linear", {.name = "a"})(hidden), b = Dense(2, "linear", {.name = "b"})(hidden);
  Model model({in}, {a, b});
  model.add_loss(hidden * hidden);
  CompileOptions options = mse();
  options.loss_weights = {{"a", 0.3}, {"b", 2}};
  model.compile(options);
  const Tensor weights = drawn(4, {11}) * 0.25 + 1;
  const Logs logs =
      model.evaluate(x, {y, y}, {.batch_size = 4, .verbose = 0, .sample_weight = {weights, weights}});
  const Tensor value = Model({in}, {hidden}).predict(x);
  EXPECT_NEAR(logs["loss"], 0.3 * logs["a_loss"] + 2 * logs["b_loss"] + mean_of(value * value), 1e-5);
}

TEST_P(AddedLoss, Alone_takes_data_of_inputs_alone_in_any_form) {
  class Inputs final : public BatchSource {
   public:
    explicit Inputs(const Tensor& x) : x_(x) {}
    std::int64_t batches() const override { return 2; }
    Dataset batch(std::int64_t, std::int64_t) override {
      Dataset data;
      data.x = x_.clone();
      return data;
    }

   private:
    const Tensor& x_;
  } source(x);
  const Parts parts;
  Model model({parts.in}, {parts.out});
  model.add_loss(parts.out * parts.out);
  model.compile({.optimizer = "sgd", .device = current_device()});
  Dataset data;
  data.x = x.clone();
  model.fit(data, {.verbose = 0});
  model.fit(source, {.verbose = 0});
  EXPECT_EQ(model.evaluate(data, {.verbose = 0})["loss"], model.evaluate(x, {}, {.verbose = 0})["loss"]);
  expect_error<ValueError>(
      [&] {
        model.fit(x, {}, {.verbose = 0, .class_weight = {{0, 1.0}}});
      },
      {"class_weight", "no targets"});
}

TEST_P(AddedLoss, Of_a_model_whose_input_another_graph_computes) {
  const Parts parts;
  Model rest({parts.hidden}, {parts.out});
  rest.add_loss(parts.out * parts.hidden.shape()[0]);
  rest.add_loss(parts.out * parts.out);
  EXPECT_EQ(rest.layers().size(), 4u);  // its input, the last layer, and two formulas
  rest.compile(mse());
  const Tensor code = drawn(5, {11, 3});
  const Tensor out = rest.predict(code);
  EXPECT_NEAR(rest.evaluate(code, y, {.verbose = 0})["loss"],
              mean_of((out - y) * (out - y)) + 3 * mean_of(out) + mean_of(out * out), 1e-5);
}

TEST_P(AddedLoss, Is_of_the_images_as_they_are_where_outputs_are_averages_over_mirrored_ones) {
  const Symbol in = Input({4, 4, 1});
  const Symbol out = Dense(1, "linear")(Flatten()(in));
  const auto loss_of = [&](const Symbol& value, bool flips) {
    Model model({in}, {out});
    model.add_loss(value);
    model.compile(CompileOptions{.optimizer = "sgd", .device = current_device()});
    return model.evaluate(drawn(6, {5, 4, 4, 1}), {}, {.verbose = 0, .flip_average = flips})["loss"];
  };
  const double plain = loss_of(out, false);
  EXPECT_NEAR(loss_of(out, true), plain, 1e-6);
  EXPECT_NEAR(loss_of(out * 1.0, true), plain, 1e-6);
}

TEST_P(AddedLoss, Has_the_slope_of_a_mean_where_it_is_infinite) {
  const Symbol in = Input({1});
  Model model({in}, {Dense(1)(in)});
  model.add_loss(model.outputs()[0]);
  model.compile({.optimizer = "sgd", .device = current_device()});
  model.set_weights({Tensor::full({1, 1}, INFINITY), Tensor::zeros({1})});
  const Gradients found = model.gradients(Tensor::ones({2, 1}), {});
  EXPECT_TRUE(std::isinf(found.loss));
  EXPECT_EQ(found.weights[1].values(), std::vector<double>{1});
}

TEST_P(AddedLoss, Is_refused_where_it_cannot_be) {
  Sequential chain{Dense(2, "relu", {.input_dim = 4})};
  const Parts parts, other;
  expect_error<StateError>([&] { chain.add_loss(parts.out); }, {"chain", "inputs()"});
  Model model({parts.in}, {parts.out});
  expect_error<ValueError>([&] { model.add_loss(other.hidden); }, {"depends on the input"});
  const Symbol image = Input({4, 4, 1});
  const Symbol found = Conv2D(2, 3)(image);
  Model images({image}, {found});
  expect_error<ShapeError>([&] { images.add_loss(RandomFlip("horizontal")(found)); }, {"RandomFlip"});
  EXPECT_EQ(images.predict(Tensor::zeros({2, 4, 4, 1}), {.verbose = 0}).rows(), 2);
  model.compile(mse());
  expect_error<StateError>([&] { model.add_loss(parts.hidden); }, {"add_loss", "compiled or built"});
  model.fit(x, y, {.verbose = 0});
}

}  // namespace
}  // namespace glia::test
