// Losses of an application's own: they train, weigh, average and validate as Glia's do.
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/close.h"
#include "tests/custom_bodies.h"
#include "tests/devices.h"  // CMake looks for it: cases of devices
#include "tests/expect_error.h"
#include "tests/slopes.h"  // defines: Draws

namespace glia::test {
namespace {

class CustomLosses : public CustomTest {};
INSTANTIATE_TEST_SUITE_P(Devices, CustomLosses, ::testing::ValuesIn(test_devices()), device_name);

struct Rows {
  Draws draws{6};
  Tensor x = draws.tensor({45, 4}).cast(DType::float32);
  Tensor y = draws.tensor({45, 3}).cast(DType::float32);
  Tensor weights = draws.tensor({45}, 0, 2).cast(DType::float32);
};

Sequential small_model(const CompileOptions& compile) {
  Sequential model{Dense(6, "tanh"), Dense(3)};
  model.set_seed(2);
  model.compile(compile);
  model.build({4});
  return model;
}
CompileOptions options(const LossNames& loss) {
  return {.optimizer = "adam", .loss = loss, .device = current_device()};
}

void expect_close(const History& got, const History& expected, const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    ASSERT_EQ(got[name].size(), expected[name].size()) << name;
    for (std::size_t i = 0; i < got[name].size(); ++i)
      EXPECT_NEAR(got[name][i], expected[name][i], 1e-4 * expected[name][i] + 1e-6) << name << ' ' << i;
  }
}
void expect_close(const TensorList& got, const TensorList& expected) {
  for (std::size_t i = 0; i < got.size(); ++i)
    EXPECT_TRUE(all_close(got[i], expected[i], 1e-3, 1e-4)) << "weight " << i;
}

TEST_P(CustomLosses, Train_as_the_same_loss_of_Glias_with_metrics_weights_and_validation) {
  const Rows rows;
  for (const bool weighted : {false, true}) {
    std::vector<History> histories;
    std::vector<TensorList> weights;
    for (const LossName& loss : {LossName(OwnMse()), LossName("mse")}) {
      CompileOptions compile = options(loss);
      compile.metrics = {"mae", "binary_accuracy", "rmse"};
      compile.weighted_metrics = {{"weighted_accuracy", "binary_accuracy"}};
      Sequential model = small_model(compile);
      FitOptions fit{.epochs = 4, .batch_size = 7, .verbose = 0, .validation_split = 0.2};
      if (weighted) fit.sample_weight = rows.weights;
      histories.push_back(model.fit(rows.x, rows.y, fit));
      weights.push_back(model.get_weights());
    }
    expect_close(histories[0], histories[1],
                 {"loss", "val_loss", "mae", "binary_accuracy", "rmse", "weighted_accuracy", "val_mae",
                  "val_weighted_accuracy"});
    expect_close(weights[0], weights[1]);
    EXPECT_LT(histories[0]["loss"].back(), histories[0]["loss"].front());
  }
}

TEST_P(CustomLosses, Of_labels_train_as_the_same_loss_of_Glias) {
  const Rows rows;
  Tensor labels = Tensor::zeros({45}, DType::int32);
  for (std::int64_t i = 0; i < 45; ++i) labels.set({i}, static_cast<double>(i * 7 % 3));
  std::vector<History> histories;
  std::vector<TensorList> weights;
  for (const LossName& loss :
       {LossName(OwnCrossentropy()), LossName(SparseCategoricalCrossentropy{.from_logits = true})}) {
    CompileOptions compile = options(loss);
    compile.metrics = "accuracy";
    Sequential model = small_model(compile);
    histories.push_back(model.fit(rows.x, labels, {.epochs = 3, .batch_size = 10, .verbose = 0}));
    weights.push_back(model.get_weights());
  }
  expect_close(histories[0], histories[1], {"loss", "accuracy"});
  expect_close(weights[0], weights[1]);
  expect_error<ValueError>(
      [&] { small_model(options(OwnCrossentropy())).fit(rows.x, labels + 3, {.verbose = 0}); }, {"label"});
}

TEST_P(CustomLosses, Of_several_outputs_count_by_their_weights) {
  const Rows rows;
  const auto trained = [&](const LossName& first, const LossName& second) {
    const Symbol in = Input({4});
    const Symbol hidden = Dense(5, "tanh", {.name = "hidden"})(in);
    Model model({in}, {Dense(3, {.name = "one"})(hidden), Dense(3, {.name = "two"})(hidden)});
    model.set_seed(3);
    CompileOptions compile = options({{"one", first}, {"two", second}});
    compile.loss_weights = {{"two", 0.25}};
    compile.metrics = {{"two", "mae"}};
    model.compile(compile);
    const History history =
        model.fit(rows.x, {{"one", rows.y}, {"two", rows.y}}, {.epochs = 3, .batch_size = 8, .verbose = 0});
    return std::pair(history, model.get_weights());
  };
  const auto [own, own_weights] = trained(OwnMse(), OwnMse());
  const auto [built_in, weights] = trained("mse", "mse");
  expect_close(own, built_in, {"loss", "one_loss", "two_loss", "two_mae"});
  expect_close(own_weights, weights);
}

TEST_P(CustomLosses, Of_positions_are_means_over_them) {
  const Rows rows;
  const Tensor x = rows.x.reshape({15, 3, 4}), y = rows.y.reshape({15, 3, 3});
  std::vector<double> losses;
  for (const LossName& loss : {LossName(OwnMse()), LossName("mse")}) {
    Sequential model{Dense(3, {.input_shape = {3, 4}})};
    CompileOptions compile = options(loss);
    compile.metrics = "mae";
    model.compile(compile);
    model.fit(x, y, {.epochs = 2, .batch_size = 4, .verbose = 0});
    const Logs logs = model.evaluate(x, y, {.verbose = 0});
    losses.push_back(logs["loss"]), losses.push_back(logs["mae"]);
  }
  EXPECT_NEAR(losses[0], losses[2], 1e-5);
  EXPECT_NEAR(losses[1], losses[3], 1e-5);
}

TEST_P(CustomLosses, Go_with_added_losses_and_penalties) {
  const Rows rows;
  std::vector<TensorList> weights;
  for (const LossName& loss : {LossName(OwnMse()), LossName("mse")}) {
    const Symbol in = Input({4});
    const Symbol hidden = Dense(5, {.kernel_regularizer = "l2"})(in);
    Model model({in}, {Dense(3)(hidden)});
    model.add_loss(hidden * hidden * 0.1);
    model.compile(options(loss));
    model.fit(rows.x, rows.y, {.epochs = 2, .batch_size = 16, .verbose = 0});
    weights.push_back(model.get_weights());
  }
  expect_close(weights[0], weights[1]);
}

/// Of a quantile, and a temporary of its own: what it was made with is kept.
class Pinball : public CustomLoss {
 public:
  explicit Pinball(double quantile) : quantile_(quantile) {}
  std::string type() const override { return "pinball"; }
  template <class T>
  void loss(const CpuLoss<T>& call) const {
    const auto p = call.predictions(), y = call.targets();
    const auto losses = call.losses(), gradient = call.gradient();
    const T q = static_cast<T>(quantile_), rows = static_cast<T>(p.shape[0]);
    call.parallel_for(p.shape[0], [&](std::int64_t row) {
      const T error = y[row] - p[row];
      losses[row] = error > 0 ? q * error : (q - 1) * error;
      if (gradient) gradient[row] = (error > 0 ? -q : 1 - q) / rows;
    });
  }

 private:
  double quantile_;
};

TEST_P(CustomLosses, Find_the_quantile_that_they_are_asked_for) {
  const Tensor x = Tensor::zeros({400, 1});
  Tensor y = Tensor::zeros({400, 1});
  for (std::int64_t i = 0; i < 400; ++i) y.set({i, 0}, static_cast<double>(i) / 400);
  Sequential model{Dense(1)};
  model.compile({.optimizer = SGD{.learning_rate = 0.02},
                 .loss = LossWithCuda<Pinball>(0.9),
                 .device = current_device()});
  model.fit(x, y, {.epochs = 25, .batch_size = 10, .verbose = 0});
  EXPECT_NEAR(model.predict(x.rows(0, 1)).item(), 0.9, 0.06);
}

TEST(CustomLoss, Is_given_by_name_of_its_class_and_says_so) {
  const LossName loss = Pinball(0.5);
  EXPECT_EQ(loss.name(), "pinball");
  EXPECT_TRUE(loss.own());
  EXPECT_FALSE(LossName("mse").own());
  Sequential model = small_model({.loss = CpuMse(), .device = "cpu"});
  const std::string text = model.explain(8);
  EXPECT_NE(text.find("loss own_mse, loss, (8, 3), (8, 3) -> (8,), (8, 3)"), std::string::npos) << text;
}

}  // namespace
}  // namespace glia::test
