// Several inputs and outputs: data by position and by name, in everything that takes data, with the same results; and their
// losses and metrics against those computed one by one.
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/close.h"
#include "tests/devices.h"
#include "tests/drawn.h"  // defines: drawn, same_bits
#include "tests/expect_error.h"

namespace glia::test {
namespace {

void expect_same(const Logs& a, const Logs& b) {
  std::vector<std::pair<std::string, double>> of_a(a.begin(), a.end()), of_b(b.begin(), b.end());
  EXPECT_EQ(of_a, of_b);
}

class FunctionalData : public DeviceTest {
 protected:
  static constexpr std::int64_t rows = 23;
  const Tensor image = drawn(1, {rows, 4, 3, 1}), table = drawn(2, {rows, 5});
  const Tensor sizes = drawn(4, {rows, 2}), ones = Tensor::ones({rows});
  Tensor digit = Tensor::zeros({rows}), weights = Draws(5).tensor({rows}, 0.2, 2).cast(DType::float32);

  FunctionalData() {
    for (std::int64_t i = 0; i < rows; ++i) digit.set({i}, static_cast<double>(i * 7 % 3));
  }

  /// An image and a table to a digit and two sizes, the same at each call.
  Model model(MetricNames metrics = {{"digit", "accuracy"}, {"size", "mae"}}) const {
    Symbol picture = Input({4, 3, 1}, "image"), columns = Input({5}, "table");
    Symbol y = concatenate({Flatten()(Conv2D(2, 2, "tanh")(picture)), Dense(3, "tanh")(columns)});
    Model model({picture, columns},
                {Dense(3, "softmax", {.name = "digit"})(y), Dense(2, {.name = "size"})(y)});
    model.set_seed(9);
    model.compile({.optimizer = Adam{.learning_rate = 0.01},
                   .loss = {{"digit", "sparse_categorical_crossentropy"}, {"size", "mse"}},
                   .metrics = metrics,
                   .loss_weights = {{"size", 0.5}},
                   .device = current_device()});
    return model;
  }
  static FitOptions silent(int epochs = 2) { return {.epochs = epochs, .batch_size = 5, .verbose = 0}; }
};

INSTANTIATE_TEST_SUITE_P(Devices, FunctionalData, ::testing::ValuesIn(test_devices()), device_name);

TEST_P(FunctionalData, By_position_or_by_name_in_any_order_is_the_same) {
  Model a = model(), b = model(), c = model();
  EXPECT_EQ(a.input_names(), (std::vector<std::string>{"image", "table"}));
  EXPECT_EQ(a.output_names(), (std::vector<std::string>{"digit", "size"}));
  const History by_position = a.fit({image, table}, {digit, sizes}, silent());
  const History by_name =
      b.fit({{"table", table}, {"image", image}}, {{"size", sizes}, {"digit", digit}}, silent());
  Dataset data;
  data.xs.push_back({"table", table * 1.0}), data.xs.push_back({"image", image * 1.0});
  data.ys.push_back({"digit", digit * 1.0}), data.ys.push_back({"size", sizes * 1.0});
  const History of_set = c.fit(data, silent());
  EXPECT_EQ(by_position.keys(),
            (std::vector<std::string>{"loss", "digit_loss", "size_loss", "digit_accuracy", "size_mae"}));
  for (const std::string& key : by_position.keys()) {
    EXPECT_EQ(by_position[key], by_name[key]) << key;
    EXPECT_EQ(by_position[key], of_set[key]) << key;
  }
  EXPECT_TRUE(same_bits(a.get_weights(), b.get_weights()));
  EXPECT_TRUE(same_bits(a.get_weights(), c.get_weights()));
  expect_same(a.evaluate({image, table}, {digit, sizes}, {.verbose = 0}), b.evaluate(data, {.verbose = 0}));
  const auto one = a.predict_all({image, table}, {.verbose = 0}),
             two = a.predict_all({{"table", table}, {"image", image}}, {.verbose = 0});
  ASSERT_EQ(one.size(), 2u);
  EXPECT_EQ(one[1].name, "size");
  EXPECT_EQ(&one["size"], &one[1].tensor);
  EXPECT_TRUE(array_equal(a.predict_all({image, table}, {.verbose = 0})["digit"], one[0].tensor));
  expect_error<ValueError>([&] { one["seize"]; }, {"did you mean \"size\"", "Known: digit, size"});
  for (std::size_t i = 0; i < 2; ++i) EXPECT_TRUE(array_equal(one[i].tensor, two[i].tensor));
}

TEST_P(FunctionalData, Rows_held_out_are_those_given_apart) {
  Model split = model(), apart = model();
  FitOptions options = silent(3);
  options.validation_split = 0.3;
  const History a = split.fit({image, table}, {digit, sizes}, options);
  const std::int64_t kept = 16;  // floor(23 * 0.7)
  const auto part = [&](const Tensor& t, bool first) {
    return first ? TensorView(t).rows(0, kept) : TensorView(t).rows(kept, rows);
  };
  FitOptions given = silent(3);
  given.validation_data = {{{"table", part(table, false)}, {"image", part(image, false)}},
                           {part(digit, false), part(sizes, false)}};
  const History b =
      apart.fit({part(image, true), part(table, true)}, {part(digit, true), part(sizes, true)}, given);
  EXPECT_EQ(a.keys().size(), 10u);
  for (const std::string& key : a.keys()) EXPECT_EQ(a[key], b[key]) << key;
  EXPECT_TRUE(same_bits(split.get_weights(), apart.get_weights()));
}

/// Batches of the rows, in order, by name.
class Batches final : public BatchSource {
 public:
  Batches(const Tensor& image, const Tensor& table, const Tensor& digit, const Tensor& sizes)
      : image_(image), table_(table), digit_(digit), sizes_(sizes) {}
  std::int64_t batches() const override { return 5; }
  Dataset batch(std::int64_t, std::int64_t index) override {
    const std::int64_t first = index * 5, last = std::min<std::int64_t>(first + 5, image_.rows());
    const auto part = [&](const Tensor& t) { return t.rows(first, last); };
    Dataset data;
    data.xs.push_back({"table", part(table_)}), data.xs.push_back({"image", part(image_)});
    data.ys.push_back({"size", part(sizes_)}), data.ys.push_back({"digit", part(digit_)});
    return data;
  }

 private:
  const Tensor &image_, &table_, &digit_, &sizes_;
};

TEST_P(FunctionalData, Streamed_rows_and_batches_of_a_source_train_as_rows_that_are_there) {
  Model all = model(), streamed = model(), sourced = model();
  FitOptions options = silent(3);
  options.shuffle = false;
  const History a = all.fit({image, table}, {digit, sizes}, options);
  Batches source(image, table, digit, sizes);
  FitOptions of_source = silent(3);
  const History c = sourced.fit(source, of_source);
  options.memory_budget = 20 * 11 * 4;  // of 20 numbers a row, 23 rows
  const History b = streamed.fit({image, table}, {digit, sizes}, options);
  for (const std::string& key : a.keys()) {
    EXPECT_EQ(a[key], b[key]) << key;
    EXPECT_EQ(a[key], c[key]) << key;
  }
  EXPECT_TRUE(same_bits(all.get_weights(), streamed.get_weights()));
  EXPECT_TRUE(same_bits(all.get_weights(), sourced.get_weights()));
}

TEST_P(FunctionalData, Shuffled_streams_train_as_shuffled_rows) {
  Model all = model(), streamed = model();
  FitOptions options = silent(3);
  options.sample_weight = {{"size", weights}};
  all.fit({image, table}, {digit, sizes}, options);
  options.memory_budget = 21 * 11 * 4;
  streamed.fit({image, table}, {digit, sizes}, options);
  EXPECT_TRUE(same_bits(all.get_weights(), streamed.get_weights()));
}

TEST_P(FunctionalData, Weights_of_rows_for_some_outputs_or_for_all) {
  Model a = model(), b = model(), c = model();
  FitOptions by_name = silent(), by_position = silent(), twice = silent();
  by_name.sample_weight = {{"size", weights}};
  by_position.sample_weight = {ones, weights};
  a.fit({image, table}, {digit, sizes}, by_name);
  b.fit({image, table}, {digit, sizes}, by_position);
  c.fit({image, table}, {digit, sizes}, twice);
  EXPECT_TRUE(same_bits(a.get_weights(), b.get_weights()));
  EXPECT_FALSE(same_bits(a.get_weights(), c.get_weights()));
  // The loss of the output that has them is weighted, the other is not.
  const Logs plain = a.test_on_batch({image, table}, {digit, sizes}),
             weighed = a.test_on_batch({image, table}, {digit, sizes}, {{"size", weights}});
  EXPECT_EQ(plain["digit_loss"], weighed["digit_loss"]);
  EXPECT_EQ(plain["size_mae"], weighed["size_mae"]);
  const std::vector<NamedTensor> said = a.predict_all({image, table}, {.verbose = 0});
  const Tensor& p = said[1].tensor;
  double loss = 0;
  for (std::int64_t r = 0; r < rows; ++r)
    for (int c = 0; c < 2; ++c)
      loss += weights(r) * (p(r, c) - sizes(r, c)) * (p(r, c) - sizes(r, c)) / 2 / rows;
  EXPECT_NEAR(weighed["size_loss"], loss, 1e-5);
  EXPECT_NEAR(weighed["loss"], weighed["digit_loss"] + 0.5 * weighed["size_loss"], 1e-6);
}

TEST_P(FunctionalData, Single_batches_by_name_and_by_position) {
  Model a = model(), b = model();
  expect_same(a.train_on_batch({image, table}, {digit, sizes}, {ones, weights}),
              b.train_on_batch({{"table", table}, {"image", image}}, {{"size", sizes}, {"digit", digit}},
                               {{"size", weights}, {"digit", ones}}));
  EXPECT_TRUE(same_bits(a.get_weights(), b.get_weights()));
  expect_same(a.test_on_batch({image, table}, {digit, sizes}),
              b.test_on_batch({image, table}, {digit, sizes}));
  expect_same(a.test_on_batch({image, table}, {digit, sizes}),
              a.evaluate({image, table}, {digit, sizes}, {.batch_size = rows, .verbose = 0}));
  const Gradients one = a.gradients({image, table}, {digit, sizes}),
                  two = a.gradients({{"table", table}, {"image", image}}, {digit, sizes});
  EXPECT_EQ(one.loss, two.loss);
  EXPECT_TRUE(same_bits(one.weights, two.weights));
  Symbol x = Input({5}, "table");
  Model single({x}, {Dense(2)(x)});
  EXPECT_TRUE(
      array_equal(single.predict_on_batch({{"table", table}}), single.predict(table, {.verbose = 0})));
}

TEST_P(FunctionalData, An_output_without_a_loss_is_predicted_and_takes_no_targets) {
  Model model = this->model();
  model.compile({.optimizer = "sgd",
                 .loss = {{"size", "mse"}},
                 .loss_weights = {{"size", 0.25}},
                 .device = current_device()});
  model.fit({image, table}, {sizes}, silent());
  model.fit({image, table}, {{"size", sizes}}, silent());
  EXPECT_EQ(model.predict_all({image, table}, {.verbose = 0}).size(), 2u);
  const std::vector<NamedTensor> said = model.predict_all({image, table}, {.verbose = 0});
  const Tensor& p = said[1].tensor;
  double loss = 0;
  for (std::int64_t r = 0; r < rows; ++r)
    for (int c = 0; c < 2; ++c) loss += (p(r, c) - sizes(r, c)) * (p(r, c) - sizes(r, c)) / 2 / rows;
  // What it counts in the sum, as its gradient does.
  EXPECT_NEAR(model.evaluate({image, table}, {sizes}, {.verbose = 0})["loss"], 0.25 * loss, 1e-5);
  EXPECT_NEAR(model.gradients({image, table}, {sizes}).loss, 0.25 * loss, 1e-5);
}

TEST_P(FunctionalData, A_weighted_loss_of_a_model_with_one_output_counts_along_with_penalties) {
  Symbol x = Input({5});
  Model model({x}, {Dense(2, {.kernel_regularizer = L2{0.1}, .name = "out"})(x)});
  const auto loss = [&](std::map<std::string, double> weights) {
    model.compile({.optimizer = "sgd",
                   .loss = "mse",
                   .metrics = "mae",
                   .loss_weights = std::move(weights),
                   .device = current_device()});
    const Logs logs = model.evaluate(table, sizes, {.batch_size = 7, .verbose = 0});
    EXPECT_EQ(model.metrics_names(), (std::vector<std::string>{"loss", "mae"}));
    EXPECT_NEAR(model.gradients(table, sizes).loss, logs["loss"], 1e-5);
    return std::pair{logs["loss"], logs["mae"]};
  };
  const auto whole = loss({}), none = loss({{"out", 0}}), half = loss({{"out", 0.5}});
  EXPECT_GT(none.first, 0.001) << "the penalty";
  EXPECT_NEAR(half.first, (whole.first + none.first) / 2, 1e-5);
  EXPECT_EQ(whole.second, half.second);
}

TEST_P(FunctionalData, Metrics_of_several_outputs_and_more_than_a_pass_takes_are_those_one_by_one) {
  const std::vector<std::string> of_size{
      "mae",   "mse",           "mape",         "msle", "huber", "log_cosh", "cosine_similarity",
      "hinge", "squared_hinge", "kl_divergence"};
  const std::vector<std::string> of_digit{"accuracy", "sparse_top_k_categorical_accuracy"};
  const auto metrics = [](const std::vector<std::pair<std::string, std::string>>& pairs) {
    std::vector<MetricName> names;
    for (const auto& [output, name] : pairs) names.push_back(MetricName(name).of(output));
    return MetricNames(names);
  };
  std::vector<std::pair<std::string, std::string>> all;
  for (const std::string& name : of_digit) all.emplace_back("digit", name);
  for (const std::string& name : of_size) all.emplace_back("size", name);
  Model together = model(metrics(all));
  const Logs logs = together.evaluate({image, table}, {digit, sizes}, {.batch_size = 7, .verbose = 0});
  EXPECT_EQ(logs.size(), 3 + all.size());
  for (const auto& one : all) {
    Model alone = model(metrics({one}));
    const std::string key = one.first + '_' + one.second;
    const double expected =
        alone.evaluate({image, table}, {digit, sizes}, {.batch_size = 7, .verbose = 0})[key];
    EXPECT_EQ(logs[key], expected) << key;
  }
}

TEST_P(FunctionalData, Metrics_of_an_output_may_have_names_of_their_own) {
  Model two = model({{"size", {{"low", MeanAbsoluteError{}}, {"lower", MeanAbsoluteError{}}, "mse"}}});
  EXPECT_EQ(two.metrics_names(), (std::vector<std::string>{"loss", "digit_loss", "size_loss", "size_low",
                                                           "size_lower", "size_mse"}));
  Sequential one{Dense(2, "linear", {.input_dim = 3, .name = "size"})};
  one.compile({.loss = "mse", .metrics = {{"size", {{"low", MeanAbsoluteError{}}, "mse"}}}});
  EXPECT_EQ(one.metrics_names(), (std::vector<std::string>{"loss", "low", "mse"}));
  EXPECT_THROW(one.compile({.loss = "mse", .metrics = {{"even", {{"low", MeanAbsoluteError{}}}}}}),
               ValueError);
}

TEST_P(FunctionalData, A_fit_that_callbacks_interrupt_learns_what_it_would_alone) {
  class Interrupts final : public Callback {
   public:
    Interrupts(const Tensors& x, const Tensors& y) : x_(x), y_(y) {}
    void on_batch_end(std::int64_t, const Logs&) override {
      model().evaluate(x_, y_, {.batch_size = 4, .verbose = 0});
      model().predict_all(x_, {.batch_size = 3, .verbose = 0});
      model().test_on_batch(x_, y_);
      model().gradients(x_, y_);
      ++*calls;
    }
    bool watches_batches() const override { return true; }
    std::shared_ptr<int> calls = std::make_shared<int>(0);  // of the copy that fit calls, too

   private:
    Tensors x_, y_;
  };
  for (const std::int64_t budget : {0, 20 * 11 * 4}) {
    SCOPED_TRACE(budget);
    Model alone = model(), interrupted = model();
    FitOptions options = silent(3);
    options.validation_split = 0.2, options.memory_budget = budget;
    const History a = alone.fit({image, table}, {digit, sizes}, options);
    Interrupts callback({image, table}, {digit, sizes});
    options.callbacks = {callback};
    const History b = interrupted.fit({image, table}, {digit, sizes}, options);
    EXPECT_GT(*callback.calls, 3);
    for (const std::string& key : a.keys()) EXPECT_EQ(a[key], b[key]) << key;
    EXPECT_TRUE(same_bits(alone.get_weights(), interrupted.get_weights()));
  }
}

}  // namespace
}  // namespace glia::test
