// What Keras computes, Glia computes: the weights after 100 steps of every optimizer, what evaluate returns,
// and the history of fit. The tables mirror those of tests/golden/make_keras_training.py.
// SPDX-License-Identifier: Apache-2.0
#include <glia/sequential.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "tests/close.h"
#include "tests/devices.h"
#include "tests/golden.h"

namespace glia::test {
namespace {

std::set<std::string> sorted(const std::vector<std::string>& names) { return {names.begin(), names.end()}; }

// optimizers

struct OptimizerCase {
  std::string name;
  OptimizerName optimizer;

  friend std::ostream& operator<<(std::ostream& out, const OptimizerCase& one) { return out << one.name; }
};

std::vector<OptimizerCase> optimizer_cases() {
  const ExponentialDecay smooth = {.initial_learning_rate = 0.05, .decay_steps = 10, .decay_rate = 0.8};
  ExponentialDecay staircase = smooth;
  staircase.staircase = true;
  const ExponentialDecay slow = {.initial_learning_rate = 0.005, .decay_steps = 20, .decay_rate = 0.7};
  return {
      {"sgd", "sgd"},
      {"sgd_momentum", SGD{.learning_rate = 0.005, .momentum = 0.9}},
      {"sgd_nesterov", SGD{.learning_rate = 0.005, .momentum = 0.8, .nesterov = true}},
      {"sgd_decay", SGD{.learning_rate = smooth}},
      {"sgd_decay_staircase", SGD{.learning_rate = staircase}},
      {"rmsprop", "rmsprop"},
      {"rmsprop_odd", RMSprop{.learning_rate = 0.002, .rho = 0.7, .epsilon = 1e-2}},
      {"rmsprop_momentum", RMSprop{.momentum = 0.8}},
      {"rmsprop_centered", RMSprop{.epsilon = 0.1, .centered = true}},
      {"rmsprop_centered_momentum", RMSprop{.momentum = 0.7, .epsilon = 0.1, .centered = true}},
      {"adam", "adam"},
      {"adam_odd", Adam{.learning_rate = 0.003, .beta_1 = 0.7, .beta_2 = 0.93, .epsilon = 1e-2}},
      {"adam_decay", Adam{.learning_rate = slow}},
      {"adam_amsgrad", Adam{.learning_rate = 0.003, .beta_2 = 0.9, .amsgrad = true}},
      {"adamw", AdamW{.learning_rate = 0.003, .weight_decay = 0.1}},
      {"adamax", Adamax{.learning_rate = 0.003}},
      {"nadam", Nadam{.learning_rate = 0.003}},
      {"adagrad", Adagrad{.learning_rate = 0.01}},
      {"adadelta", Adadelta{.learning_rate = 0.1, .epsilon = 1e-2}},
      {"lion", Lion{.learning_rate = 0.001}},
      {"ftrl", Ftrl{.learning_rate = 0.01,
                    .l1_regularization_strength = 0.01,
                    .l2_regularization_strength = 0.02,
                    .l2_shrinkage_regularization_strength = 0.03,
                    .beta = 0.1}},
      {"muon", Muon{.learning_rate = 0.003}},
      {"adam_accumulated", Adam{.learning_rate = 0.003, .gradient_accumulation_steps = 5}},
      {"sgd_weight_decay", SGD{.learning_rate = 0.005, .weight_decay = 0.05}},
      {"sgd_clipnorm", SGD{.learning_rate = 0.02, .clipnorm = 0.5}},
      {"sgd_global_clipnorm", SGD{.learning_rate = 0.02, .global_clipnorm = 0.7}},
      {"sgd_clipvalue", SGD{.learning_rate = 0.02, .clipvalue = 0.1}},
      {"sgd_ema",
       SGD{.learning_rate = 0.005, .use_ema = true, .ema_momentum = 0.9, .ema_overwrite_frequency = 4}},
      {"sgd_inverse_time", SGD{.learning_rate = InverseTimeDecay{0.01, 10, 0.5}}},
      {"sgd_polynomial", SGD{.learning_rate = PolynomialDecay{0.01, 30, 0.001, 2}}},
      {"sgd_polynomial_cycle", SGD{.learning_rate = PolynomialDecay{0.01, 30, 0.001, 1, true}}},
      {"sgd_piecewise", SGD{.learning_rate = PiecewiseConstantDecay({10, 50}, {0.01, 0.005, 0.001})}},
      {"sgd_cosine", SGD{.learning_rate = CosineDecay{0.01, 60, 0.1}}},
      {"sgd_cosine_warmup", SGD{.learning_rate = CosineDecay{0.001, 60, 0, 0.01, 20}}},
      {"sgd_cosine_restarts", SGD{.learning_rate = CosineDecayRestarts{0.01, 15, 2, 0.8}}},
  };
}

const Golden& optimizer_values() {
  static const Golden golden("optimizer_steps.safetensors");
  return golden;
}

using GoldenOptimizers = GoldenTest<OptimizerCase>;

TEST_P(GoldenOptimizers, A_hundred_steps_are_those_of_Keras) {
  const Golden& golden = optimizer_values();
  const Tensor& x = golden["problem/x"];
  const Tensor& y = golden["problem/y"];
  Sequential model = this->model({Dense(7, "tanh"), Dense(3)}, {5}, golden.list("problem/weights", dtype()),
                                 {.optimizer = one().optimizer, .loss = "mse"});
  std::vector<double> losses;
  for (int step = 1; step <= 100; ++step) {
    losses.push_back(model.train_on_batch(x, y)["loss"]);
    if (step != 1 && step != 10 && step != 100) continue;
    EXPECT_TRUE(close(model.get_weights(), golden.list(one().name + "/" + std::to_string(step)),
                      golden_tolerance(dtype())))
        << one().name << " after step " << step;
  }
  EXPECT_TRUE(close(Tensor(losses), golden[one().name + "/losses"], golden_tolerance(dtype()))) << one().name;
  const int accumulated =
      std::visit([](const auto& o) { return o.gradient_accumulation_steps; }, one().optimizer.value());
  EXPECT_EQ(model.iterations(), 100 / accumulated);
}

INSTANTIATE_TEST_SUITE_P(Golden, GoldenOptimizers,
                         ::testing::Combine(::testing::ValuesIn(optimizer_cases()),
                                            ::testing::ValuesIn(test_runs())),
                         name_of_case<OptimizerCase>);

TEST(GoldenFiles, Every_optimizer_of_the_file_is_tested) {
  std::set<std::string> names = names_of(optimizer_cases());
  names.insert("problem");
  EXPECT_EQ(names, optimizer_values().cases());
}

// evaluate

struct EvaluateCase {
  std::string name;
  int units;
  std::string activation;
  LossName loss;
  std::vector<MetricName> metrics;

  friend std::ostream& operator<<(std::ostream& out, const EvaluateCase& one) { return out << one.name; }
};

std::vector<EvaluateCase> evaluate_cases() {
  const LossName sparse = "sparse_categorical_crossentropy", binary = "binary_crossentropy";
  const LossName sparse_logits = SparseCategoricalCrossentropy{.from_logits = true};
  const std::vector<MetricName> three = {"accuracy", "binary_accuracy", "categorical_accuracy"};
  const F1Score macro = {.average = Averaging::macro}, micro = {.average = Averaging::micro};
  const F1Score weighted = {.average = Averaging::weighted, .threshold = 0.3};
  return {
      {"sparse", 4, "softmax", sparse, {"accuracy"}},
      {"sparse_column", 4, "softmax", sparse, {"acc"}},
      {"sparse_named", 4, "softmax", sparse, {"sparse_categorical_accuracy", "accuracy"}},
      {"sparse_logits", 4, "linear", sparse_logits, {"accuracy"}},
      {"sparse_rank_3", 4, "softmax", sparse, {"accuracy"}},
      {"one_hot", 4, "softmax", "categorical_crossentropy", three},
      {"multi_label", 3, "sigmoid", binary, three},
      {"one_unit_sigmoid", 1, "sigmoid", binary, {"accuracy", "binary_accuracy"}},
      {"one_unit_linear", 1, "linear", "mse", {"accuracy"}},
      {"one_unit_logits", 1, "linear", BinaryCrossentropy{.from_logits = true}, {"accuracy"}},
      {"no_metrics", 1, "linear", "mse", {}},
      {"counts",
       3,
       "sigmoid",
       binary,
       {"precision", "recall", "auc", "true_positives", "false_positives", "true_negatives",
        "false_negatives"}},
      {"pr_curve", 3, "sigmoid", binary, {AUC{.num_thresholds = 50, .curve = AUCCurve::PR}}},
      {"class_precision",
       4,
       "softmax",
       "categorical_crossentropy",
       {Precision{.threshold = 0.3, .class_id = 2}, Recall{.threshold = 0.3, .class_id = 1}}},
      {"f_scores",
       4,
       "softmax",
       "categorical_crossentropy",
       {{"macro", macro}, {"micro", micro}, {"weighted", weighted}, FBetaScore{.beta = 2}}},
      {"top_k", 4, "softmax", "categorical_crossentropy", {TopKCategoricalAccuracy{.k = 2}, "accuracy"}},
      {"sparse_top_k", 4, "softmax", sparse, {SparseTopKCategoricalAccuracy{.k = 2}}},
      {"regression",
       3,
       "linear",
       "mse",
       {"mae", "mse", "mape", "root_mean_squared_error", "r2_score", "cosine_similarity", "log_cosh"}},
      {"weighted",
       3,
       "sigmoid",
       binary,
       {"binary_accuracy", "precision", "auc", "f1_score", "mae", "root_mean_squared_error", "r2_score"}},
      {"losses",
       3,
       "sigmoid",
       "mse",
       {"binary_crossentropy", "hinge", "kl_divergence", "poisson", "squared_hinge"}},
  };
}

const Golden& evaluate_values() {
  static const Golden golden("evaluate.safetensors");
  return golden;
}

using GoldenEvaluate = GoldenTest<EvaluateCase>;

TEST_P(GoldenEvaluate, Loss_and_metrics_are_those_of_Keras) {
  const Golden& golden = evaluate_values();
  const std::string& name = one().name;
  const Tensor& x = golden[name + "/x"];
  const MetricNames metrics(one().metrics);
  const bool weighted = golden.contains(name + "/sample_weight");
  CompileOptions compile = {.loss = one().loss};
  (weighted ? compile.weighted_metrics : compile.metrics) = metrics;
  Sequential model = this->model({Dense(7, "tanh"), Dense(one().units, one().activation)}, x.shape().row(),
                                 golden.list(name + "/weights", dtype()), compile);
  for (const std::int64_t batch_size : {16, 1, 100}) {  // 45 rows: the last of 16 is partial
    EvaluateOptions options = {.batch_size = batch_size, .verbose = 0};
    if (weighted) options.sample_weight = golden[name + "/sample_weight"];
    const Logs logs = model.evaluate(x, golden[name + "/y"], options);
    EXPECT_EQ(logs.size(), one().metrics.size() + 1) << name;
    for (const std::string& key : golden.below(name + "/logs/"))
      EXPECT_TRUE(close(logs[key], golden[name + "/logs/" + key].item(), golden_tolerance(dtype())))
          << key << " of " << name << ", batch_size " << batch_size;
  }
  std::vector<std::string> in_order = {"loss"};
  for (const MetricName& metric : one().metrics)
    in_order.push_back(metric.label().empty() ? metric.name() : metric.label());
  EXPECT_EQ(model.metrics_names(), in_order);
}

INSTANTIATE_TEST_SUITE_P(Golden, GoldenEvaluate,
                         ::testing::Combine(::testing::ValuesIn(evaluate_cases()),
                                            ::testing::ValuesIn(test_runs())),
                         name_of_case<EvaluateCase>);

TEST(GoldenFiles, Every_evaluation_of_the_file_is_tested) {
  EXPECT_EQ(names_of(evaluate_cases()), evaluate_values().cases());
}

class Ties : public DeviceTest {};

TEST_P(Ties, The_first_of_equal_outputs_is_the_class_as_in_Keras) {
  Sequential model{Dense(3, "softmax", {.kernel_initializer = "zeros", .input_dim = 2})};
  model.compile({.loss = "sparse_categorical_crossentropy", .metrics = "accuracy", .context = context()});
  const Tensor labels(std::vector<std::int32_t>{0, 1, 2, 0});
  EXPECT_EQ(model.evaluate(Tensor::ones({4, 2}), labels, {.verbose = 0})["accuracy"], 0.5);
}

TEST_P(Ties, An_output_of_one_half_is_class_0_as_in_Keras) {
  Sequential model{Dense(1, "sigmoid", {.kernel_initializer = "zeros", .input_dim = 2})};
  model.compile({.loss = "binary_crossentropy", .metrics = "accuracy", .context = context()});
  EXPECT_EQ(model.evaluate(Tensor::ones({4, 2}), Tensor{0, 1, 0, 0}, {.verbose = 0})["accuracy"], 0.75);
}

INSTANTIATE_TEST_SUITE_P(Devices, Ties, ::testing::ValuesIn(test_devices()), device_name);

// fit

struct FitCase {
  std::string name;
  Layers (*layers)();
  std::string loss;
  OptimizerName optimizer;
  FitOptions options;

  friend std::ostream& operator<<(std::ostream& out, const FitCase& one) { return out << one.name; }
};

Layers classifier() { return {Dense(7, "relu"), Dense(4, "softmax")}; }
Layers decider() { return {Dense(7, "tanh"), Dense(1, "sigmoid")}; }
Layers normalized() { return {Dense(7, "relu"), BatchNormalization({.momentum = 0.8}), Dense(4, "softmax")}; }
Layers constrained() {
  return {
      Dense(7, "tanh", {.kernel_constraint = MaxNorm{0.8}, .bias_constraint = "non_neg"}),
      Dense(6, "tanh", {.kernel_constraint = "unit_norm"}),
      Dense(4, "softmax", {.kernel_constraint = MinMaxNorm{.min_value = 0.5, .max_value = 0.9, .rate = 0.7}}),
  };
}
Layers regularized() {
  return {Dense(7, "tanh", {.kernel_regularizer = "l2"}), Dense(4, "softmax", {.kernel_regularizer = "l1"})};
}

std::vector<FitCase> fit_cases() {
  const std::string sparse = "sparse_categorical_crossentropy", binary = "binary_crossentropy";
  const Adam adam = {.learning_rate = 0.01};
  const SGD momentum = {.learning_rate = 0.05, .momentum = 0.5}, plain = {.learning_rate = 0.1};
  const SGD averaged = {.learning_rate = 0.1, .use_ema = true};
  const FitOptions split = {.batch_size = 8, .validation_split = 0.2};
  FitOptions by_class = split;
  by_class.class_weight = {{0, 2.0}, {2, 0.5}};
  return {
      {"split", classifier, sparse, adam, {.batch_size = 8, .validation_split = 0.2}},
      {"partial", classifier, sparse, adam, {.batch_size = 16, .validation_split = 0.2}},
      {"no_validation", decider, binary, SGD{.learning_rate = 0.1}, {.batch_size = 8}},
      {"one_batch", decider, binary, RMSprop{.learning_rate = 0.01}, {.batch_size = 64}},
      {"batch_1", classifier, sparse, momentum, {.batch_size = 1}},
      {"class_weight", classifier, sparse, adam, by_class},
      {"class_weight_binary", decider, binary, adam, {.batch_size = 8, .class_weight = {{1, 3.0}}}},
      {"sample_weight", classifier, sparse, adam, split},
      {"batch_normalization", normalized, sparse, plain, split},
      {"constrained", constrained, sparse, plain, {.batch_size = 8}},
      {"ema", classifier, sparse, averaged, {.batch_size = 8}},
      {"regularized", regularized, sparse, plain, split},
  };
}

const Golden& fit_values() {
  static const Golden golden("fit.safetensors");
  return golden;
}

using GoldenFit = GoldenTest<FitCase>;

TEST_P(GoldenFit, Five_epochs_are_those_of_Keras) {
  const Golden& golden = fit_values();
  const std::string& name = one().name;
  CompileOptions compile = {.optimizer = one().optimizer, .loss = one().loss, .metrics = "accuracy"};
  FitOptions options = one().options;
  if (golden.contains(name + "/sample_weight")) {
    options.sample_weight = golden[name + "/sample_weight"];
    compile.weighted_metrics = {{"weighted", SparseCategoricalAccuracy{}}};
  }
  Sequential model = this->model(one().layers(), {5}, golden.list(name + "/weights", dtype()), compile);
  options.epochs = 5;
  options.shuffle = false;
  options.verbose = 0;
  const History history = model.fit(golden[name + "/x"], golden[name + "/y"], options);

  EXPECT_EQ(sorted(history.keys()), sorted(golden.below(name + "/history/")));
  for (const std::string& key : history.keys())
    EXPECT_TRUE(close(Tensor(history[key]), golden[name + "/history/" + key], golden_tolerance(dtype())))
        << key << " of " << name;
  EXPECT_TRUE(close(model.get_weights(), golden.list(name + "/after"), golden_tolerance(dtype())))
      << "weights after " << name;
}

INSTANTIATE_TEST_SUITE_P(Golden, GoldenFit,
                         ::testing::Combine(::testing::ValuesIn(fit_cases()),
                                            ::testing::ValuesIn(test_runs())),
                         name_of_case<FitCase>);

TEST(GoldenFiles, Every_fit_of_the_file_is_tested) { EXPECT_EQ(names_of(fit_cases()), fit_values().cases()); }

}  // namespace
}  // namespace glia::test
