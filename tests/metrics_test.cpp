// Metrics that are counted on the device: by hand, in any batches, streamed or resident, during fit as in evaluate.
// SPDX-License-Identifier: Apache-2.0
#include <glia/sequential.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "tests/close.h"
#include "tests/devices.h"

namespace glia::test {
namespace {

using ::testing::HasSubstr;

class MetricsOn : public DeviceTest {
 protected:
  /// Softmax of x itself: what a row predicts is its greatest element.
  Sequential classifier(const MetricNames& metrics, const MetricNames& weighted = {}) {
    return made(Sequential{Activation("softmax", {3}), Dense(3)}, metrics, weighted);
  }
  Sequential made(Sequential model, const MetricNames& metrics, const MetricNames& weighted = {}) {
    model.compile({.optimizer = SGD{.learning_rate = 0},
                   .loss = "sparse_categorical_crossentropy",
                   .metrics = metrics,
                   .weighted_metrics = weighted,
                   .context = context()});
    model.set_weights({Tensor{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}, Tensor{0, 0, 0}});
    return model;
  }
  const Tensor x_{{5, 0, 1}, {0, 5, 1}, {0, 1, 5}, {5, 1, 0}, {1, 5, 0}, {9, 1, 2}, {1, 2, 9}};
  const Tensor labels_ = Tensor(std::vector<std::int32_t>{0, 1, 2, 1, 1, 2, 2});
  // predicted:                                           0, 1, 2, 0, 1, 0, 2
};

TEST_P(MetricsOn, The_confusion_matrix_counts_rows_by_true_and_predicted_class) {
  Sequential model = classifier({"confusion_matrix", "accuracy"});
  for (const std::int64_t batch_size : {1, 3, 32}) {
    const Tensor counts = model.confusion_matrix(x_, labels_, {.batch_size = batch_size, .verbose = 0});
    EXPECT_EQ(counts.dtype(), DType::int64);
    EXPECT_TRUE(array_equal(counts, Tensor{{1, 0, 0}, {1, 2, 0}, {1, 0, 2}}.cast(DType::int64))) << counts;
    const Logs logs = model.evaluate(x_, labels_, {.batch_size = batch_size, .verbose = 0});
    EXPECT_DOUBLE_EQ(logs["confusion_matrix"], 5.0 / 7);
    EXPECT_DOUBLE_EQ(logs["accuracy"], 5.0 / 7);
  }
}

TEST_P(MetricsOn, One_output_is_two_classes_cut_at_a_half) {
  Sequential model{Activation("linear", {1}), Dense(1)};
  model.compile({.loss = "mse", .metrics = {"confusion_matrix"}, .context = context()});
  model.set_weights({Tensor{{1}}, Tensor{0}});
  const Tensor x{{0.5}, {0.51}, {1}, {0}, {0.2}};
  const Tensor counts = model.confusion_matrix(x, Tensor{0, 0, 1, 1, 0}, {.verbose = 0});
  EXPECT_TRUE(array_equal(counts, Tensor{{2, 1}, {1, 1}}.cast(DType::int64))) << counts;
}

TEST_P(MetricsOn, A_confusion_matrix_that_was_not_compiled_is_told_how) {
  Sequential model = classifier({"accuracy"});
  try {
    model.confusion_matrix(x_, labels_, {.verbose = 0});
    FAIL();
  } catch (const StateError& error) {
    EXPECT_THAT(error.what(), HasSubstr(".metrics = {..., \"confusion_matrix\"}"));
  }
}

TEST_P(MetricsOn, The_metrics_of_an_epoch_are_those_of_evaluate_for_weights_that_stay) {
  const MetricNames metrics = {
      "accuracy", "confusion_matrix", "mean", {"top_2", SparseTopKCategoricalAccuracy{.k = 2}}};
  Sequential model = classifier(metrics);
  const Logs logs = model.evaluate(x_, labels_, {.verbose = 0});
  EXPECT_GT(logs["top_2"], logs["accuracy"]);
  for (const std::int64_t budget : {std::int64_t{0}, std::int64_t{60}}) {  // resident, and streamed
    const History history = model.fit(x_, labels_,
                                      {.epochs = 2,
                                       .batch_size = 2,
                                       .verbose = 0,
                                       .validation_data = {x_, labels_},
                                       .memory_budget = budget});
    for (const auto& [name, value] : logs) {
      for (const std::string& key : {name, "val_" + name}) {
        ASSERT_EQ(history[key].size(), 2u);
        EXPECT_NEAR(history[key][0], value, 1e-6) << key;
        EXPECT_NEAR(history[key][1], value, 1e-6) << key << ": an epoch starts at zero";
      }
    }
  }
}

TEST_P(MetricsOn, The_mean_is_that_of_the_outputs) {
  Sequential model = classifier({"mean"});
  const Tensor out = model.predict(x_, {.verbose = 0});
  EXPECT_NEAR(model.evaluate(x_, labels_, {.verbose = 0})["mean"], out.mean(), 1e-6);
}

TEST_P(MetricsOn, Weighted_metrics_count_rows_by_weight_and_others_count_all_alike) {
  Sequential model = classifier({"accuracy"}, {{"weighted_accuracy", SparseCategoricalAccuracy{}}});
  // Only the rows that are right count, and then only those that are wrong.
  const Tensor right{1, 2, 0.5, 0, 3, 0, 1}, wrong{0, 0, 0, 2, 0, 1, 0};
  const Logs of_right = model.evaluate(x_, labels_, {.verbose = 0, .sample_weight = right});
  EXPECT_DOUBLE_EQ(of_right["weighted_accuracy"], 1);
  EXPECT_DOUBLE_EQ(of_right["accuracy"], 5.0 / 7);
  const Logs of_wrong = model.evaluate(x_, labels_, {.verbose = 0, .sample_weight = wrong});
  EXPECT_DOUBLE_EQ(of_wrong["weighted_accuracy"], 0);
  EXPECT_DOUBLE_EQ(of_wrong["accuracy"], 5.0 / 7);
  EXPECT_GT(of_wrong["loss"], of_right["loss"]);
}

/// The logits of a cross-entropy are fused away from the activation; metrics still see probabilities.
TEST_P(MetricsOn, Metrics_judge_outputs_whatever_the_loss_was_fused_with) {
  Sequential model{Dense(1, "sigmoid", {.input_dim = 1})};
  model.compile({.loss = "binary_crossentropy",
                 .metrics = {"precision", "recall", "mean", "mse", "binary_accuracy"},
                 .context = context()});
  model.set_weights({Tensor{{1}}, Tensor{0}});
  const Tensor x{{-2}, {-0.1}, {0.1}, {2}}, y{0, 1, 0, 1};
  const Tensor p = model.predict(x, {.verbose = 0});
  double squares = 0;
  for (int i = 0; i < 4; ++i) squares += std::pow(p(i, 0) - y(i), 2) / 4;
  const Logs logs = model.evaluate(x, y, {.verbose = 0});
  EXPECT_DOUBLE_EQ(logs["precision"], 0.5);
  EXPECT_DOUBLE_EQ(logs["recall"], 0.5);
  EXPECT_DOUBLE_EQ(logs["binary_accuracy"], 0.5);
  EXPECT_NEAR(logs["mean"], 0.5, 1e-6);
  EXPECT_NEAR(logs["mse"], squares, 1e-6);
}

TEST_P(MetricsOn, NaN_reaches_the_metrics_that_are_means) {
  Sequential model{Dense(1, {.input_dim = 1})};
  model.compile({.loss = "mse", .metrics = {"mae", "rmse", "r2_score", "mean"}, .context = context()});
  model.set_weights({Tensor{{1}}, Tensor{0}});
  const Logs logs = model.evaluate(Tensor{{1}, {std::nan("")}, {2}}, Tensor{1, 2, 3}, {.verbose = 0});
  for (const auto& [name, value] : logs) EXPECT_TRUE(std::isnan(value)) << name;
}

TEST_P(MetricsOn, Counts_without_a_positive_are_0_and_no_division_by_it) {
  Sequential model{Dense(1, "sigmoid", {.kernel_initializer = "zeros", .input_dim = 1})};
  model.compile({.loss = "binary_crossentropy",
                 .metrics = {"precision", "recall", "f1_score", "auc"},
                 .context = context()});
  const Logs logs = model.evaluate(Tensor::ones({5, 1}), Tensor::zeros({5}), {.verbose = 0});
  for (const char* name : {"precision", "recall", "f1_score", "auc"}) EXPECT_EQ(logs[name], 0) << name;
}

std::string complaint(const std::function<void()>& call) {
  try {
    call();
  } catch (const ValueError& error) {
    return error.what();
  }
  return "no ValueError";
}

TEST_P(MetricsOn, What_cannot_be_counted_is_told_at_compile) {
  const auto compile = [&](const MetricNames& metrics, const LossName& loss) {
    Sequential model{Dense(3, "softmax", {.input_dim = 2})};
    model.compile({.loss = loss, .metrics = metrics, .context = context()});
    model.build({2});
  };
  const LossName dense = "categorical_crossentropy", sparse = "sparse_categorical_crossentropy";
  EXPECT_THAT(complaint([&] { compile({"precision"}, sparse); }), HasSubstr("to_categorical"));
  EXPECT_THAT(complaint([&] { compile({Precision{.class_id = 3}}, dense); }),
              HasSubstr("got class_id 3, expected 0 to 2"));
  EXPECT_THAT(complaint([&] { compile({AUC{.num_thresholds = 1}}, dense); }), HasSubstr("num_thresholds"));
  EXPECT_THAT(complaint([&] { compile({TopKCategoricalAccuracy{.k = 0}}, dense); }), HasSubstr("at least 1"));
  EXPECT_THAT(complaint([&] { compile({"mae", "mae"}, dense); }), HasSubstr("named twice"));
  EXPECT_THAT(complaint([&] { compile({F1Score{.threshold = 2}}, dense); }), HasSubstr("threshold"));
  const MetricNames nine = {"mae", "mse", "mape", "msle", "auc", "precision", "recall", "f1_score", "kld"};
  compile(nine, dense);  // there is no limit
}

INSTANTIATE_TEST_SUITE_P(Devices, MetricsOn, ::testing::ValuesIn(test_devices()), device_name);

}  // namespace
}  // namespace glia::test
