// What bad parameters get, of layers, losses, optimizers, metrics, weights of rows and callbacks: one typed error that says
// what was got and what was expected; and the model stays as it was.
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "tests/devices.h"
#include "tests/expect_error.h"

namespace glia {
namespace {

using test::expect_error;

class LayerErrorsOn : public test::DeviceTest {};
INSTANTIATE_TEST_SUITE_P(Devices, LayerErrorsOn, ::testing::ValuesIn(test::test_devices()),
                         test::device_name);

const double inf = std::numeric_limits<double>::infinity();

/// Three classes of rows of four numbers, trained for a step: an optimizer has state to lose.
class Trained {
 public:
  Trained() : model_{Dense(5, "relu", {.input_dim = 4}), Dense(3, "softmax")} {
    model_.compile({.optimizer = "adam",
                    .loss = "sparse_categorical_crossentropy",
                    .metrics = "accuracy",
                    .device = test::current_device()});
    model_.train_on_batch(x(), labels());
    before_ = model_.get_weights();
  }

  Sequential& model() { return model_; }
  static const Tensor& x() {
    static const Tensor tensor = Tensor::arange(24).reshape({6, 4}) * 0.1;
    return tensor;
  }
  static const Tensor& labels() {
    static const Tensor tensor(std::vector<std::int64_t>{0, 1, 2, 0, 1, 2});
    return tensor;
  }

  /// Expects `action` to fail so, and the model to be as before: weights, updates, what it was compiled with.
  template <class ErrorType>
  void expect(const std::function<void(Sequential&)>& action, const std::vector<std::string>& parts) {
    expect_error<ErrorType>([&] { action(model_); }, parts);
    const std::vector<Tensor> after = model_.get_weights();
    for (std::size_t i = 0; i < before_.size(); ++i) EXPECT_TRUE(array_equal(after[i], before_[i])) << i;
    EXPECT_EQ(model_.iterations(), 1);
    EXPECT_EQ(model_.metrics_names(), (std::vector<std::string>{"loss", "accuracy"}));
    EXPECT_EQ(model_.learning_rate(), 0.001);
  }

 private:
  Sequential model_;
  std::vector<Tensor> before_;
};

TEST(LayerErrors, Rates_and_deviations_of_noise) {
  for (const double rate : {1.5, 1.0, -0.1, static_cast<double>(NAN)}) {
    const std::string got = detail::concat("rate ", rate);
    expect_error<ValueError>([&] { Dropout{rate}; }, {"Dropout", got, "at least 0 and below 1"});
    expect_error<ValueError>([&] { GaussianDropout{rate}; }, {"GaussianDropout", got, "below 1"});
    expect_error<ValueError>([&] { AlphaDropout{rate}; }, {"AlphaDropout", got, "below 1"});
  }
  for (const double stddev : {-1.0, inf, static_cast<double>(NAN)})
    expect_error<ValueError>([&] { GaussianNoise{stddev}; },
                             {"GaussianNoise", detail::concat("stddev ", stddev), "at least 0"});
}

TEST(LayerErrors, Options_of_normalisations) {
  for (const double epsilon : {0.0, -1e-3, inf, static_cast<double>(NAN)}) {
    const std::string got = detail::concat("epsilon ", epsilon);
    expect_error<ValueError>([&] { BatchNormalization({.epsilon = epsilon}); }, {got, "above 0"});
    expect_error<ValueError>([&] { LayerNormalization({.epsilon = epsilon}); }, {got, "above 0"});
    expect_error<ValueError>([&] { RMSNormalization{epsilon}; }, {got, "above 0"});
  }
  for (const double momentum : {2.0, -0.5, static_cast<double>(NAN)})
    expect_error<ValueError>([&] { BatchNormalization({.momentum = momentum}); },
                             {detail::concat("momentum ", momentum), "[0, 1]"});
  expect_error<ValueError>([] { BatchNormalization({.gamma_initializer = "oens"}); }, {"\"ones\""});
  expect_error<ValueError>([] { BatchNormalization({.gamma_regularizer = L2{-1}}); }, {"-1"});
  expect_error<ShapeError>([] { Normalization().adapt(Tensor::ones({5})); },
                           {"(5,)", "(rows, ..., features)"});
  expect_error<ValueError>([] { Normalization().adapt(Tensor::ones({0, 5})); }, {"no rows"});
  expect_error<ShapeError>(
      [] {
        Normalization layer;
        layer.adapt(Tensor::ones({4, 5}));
        Sequential{layer}.predict(Tensor::ones({2, 3}), {.verbose = 0});
      },
      {"(2, 3)", "(5,)"});
  expect_error<ShapeError>(
      [] {
        Normalization layer;
        layer.adapt(Tensor::ones({4, 5}));
        Sequential{Dense(3, {.input_dim = 2}), layer}.build({2});
      },
      {"(5,)", "(3,)"});
}

TEST(LayerErrors, Dimensions_of_embedding_and_reshape) {
  expect_error<ValueError>([] { Embedding(0, 3); }, {"input_dim 0", "at least 1"});
  expect_error<ValueError>([] { Embedding(3, -2); }, {"output_dim -2", "at least 1"});
  expect_error<ValueError>([] { Embedding(1 << 25, 1); }, {"33554432", "16777216"});
  expect_error<ShapeError>([] { Embedding(3, 2, {.input_length = -4}); }, {"-4"});
  expect_error<ShapeError>(
      [] {
        Sequential{Dense(3), Embedding(4, 2)}.build({2});
      },
      {"embedding", "no gradient"});
  expect_error<ShapeError>([] { Reshape({}); }, {"()", "at least one"});
  expect_error<ShapeError>([] { Reshape({3, 0}); }, {"(3, 0)", "at least 1"});
  expect_error<ShapeError>([] { Reshape({-2}); }, {"(-2,)"});
  expect_error<ShapeError>([] { Reshape({-1, -1}); }, {"(-1, -1)", "at most one -1"});
  expect_error<ShapeError>([] { Sequential{Reshape({3, 3})}.build({8}); }, {"(3, 3)", "(8,)", "8 elements"});
  expect_error<ShapeError>([] { Sequential{Reshape({3, -1})}.build({8}); }, {"(3, -1)", "(8,)"});
  expect_error<ShapeError>([] { Sequential{Reshape({16, -1})}.build({8}); }, {"(16, -1)", "(8,)"});
}

/// Whose product no 64 bits hold, and is 0 in them.
TEST(LayerErrors, A_reshape_to_more_elements_than_can_be_counted) {
  const std::int64_t many = std::int64_t{1} << 32;
  expect_error<ShapeError>([&] { Sequential{Reshape({many, many, -1})}.build({8}); }, {"(8,)"});
  expect_error<ShapeError>([&] { Sequential{Reshape({many, many})}.build({8}); }, {"(8,)"});
  expect_error<ShapeError>([&] { Sequential{Reshape({many, many, 8, -1})}.build({8}); }, {"(8,)"});
}

TEST(LayerErrors, Options_of_activations) {
  expect_error<ValueError>([] { LeakyReLU{-0.1}; }, {"negative_slope", "-0.1"});
  expect_error<ValueError>([] { LeakyReLU{NAN}; }, {"negative_slope", "nan"});
  expect_error<ValueError>([] { ELU{0}; }, {"alpha", "0"});
  expect_error<ValueError>([] { ReLU({.max_value = -1}); }, {"max_value", "-1"});
  expect_error<ValueError>([] { ReLU({.negative_slope = -1}); }, {"negative_slope", "-1"});
  expect_error<ValueError>([] { ReLU({.threshold = -1}); }, {"threshold", "-1"});
  expect_error<ValueError>([] { Dense(3, Celu{.alpha = -2}); }, {"alpha", "-2"});
  expect_error<ValueError>([] { Activation{LeakyRelu{-3}}; }, {"negative_slope", "-3"});
  expect_error<ValueError>([] { Rescaling{inf}; }, {"Rescaling", "inf"});
  expect_error<ValueError>([] { Rescaling(1, NAN); }, {"Rescaling", "nan"});
}

TEST(LayerErrors, Initializers_regularizers_and_constraints) {
  expect_error<ShapeError>([] { Sequential{Dense(3, {.bias_initializer = "orthogonal"})}.build({2}); },
                           {"orthogonal", "(3,)"});
  expect_error<ShapeError>(
      [] {
        Sequential{PReLU({.alpha_initializer = "identity"})}.build({2, 3, 4});
      },
      {"identity", "(2, 3, 4)"});
  expect_error<ValueError>([] { Dense(3, {.kernel_initializer = RandomNormal{.stddev = -1}}); }, {"stddev"});
  expect_error<ValueError>([] { Dense(3, {.kernel_initializer = RandomUniform{1, 0}}); }, {"minval"});
  expect_error<ValueError>([] { Dense(3, {.kernel_initializer = VarianceScaling{.scale = 0}}); }, {"scale"});
  expect_error<ValueError>([] { Dense(3, {.kernel_regularizer = L1{-0.5}}); }, {"-0.5", "at least 0"});
  expect_error<ValueError>([] { Dense(3, {.bias_regularizer = L1L2{0, inf}}); }, {"inf", "finite"});
  expect_error<ValueError>([] { Dense(3, {.kernel_regularizer = "l3"}); }, {"l3", "did you mean"});
  expect_error<ValueError>([] { Dense(3, {.kernel_constraint = MaxNorm{-1}}); }, {"max_value", "-1"});
  expect_error<ValueError>([] { Dense(3, {.bias_constraint = MaxNorm{NAN}}); }, {"max_value", "nan"});
  expect_error<ValueError>([] { PReLU({.alpha_constraint = MinMaxNorm{2, 1}}); }, {"min_max_norm", "2"});
  expect_error<ValueError>([] { PReLU({.alpha_constraint = MinMaxNorm{.rate = 1.5}}); }, {"rate", "1.5"});
  expect_error<ValueError>([] { Embedding(3, 3, {.embeddings_constraint = "max_norn"}); }, {"max_norm"});
}

/// A model whose weights cannot be drawn is not built: the next call says so again, or takes other data.
TEST_P(LayerErrorsOn, A_build_that_fails_leaves_a_model_that_is_not_built) {
  Sequential model{Dense(3, {.bias_initializer = "identity", .input_dim = 2})};
  model.compile({.loss = "mse", .device = test::current_device()});
  for (int again = 0; again < 2; ++again)
    expect_error<ShapeError>(
        [&] {
          model.predict(Tensor::ones({1, 2}), {.verbose = 0});
        },
        {"identity", "(3,)"});
  EXPECT_FALSE(model.built());
}

TEST_P(LayerErrorsOn, Options_of_losses) {
  Trained trained;
  const auto refuse = [&](const LossName& loss, const std::vector<std::string>& parts) {
    trained.expect<ValueError>([&](Sequential& m) { m.compile({.loss = loss}); }, parts);
  };
  refuse(BinaryCrossentropy{.label_smoothing = 2}, {"label_smoothing", "2", "[0, 1]"});
  refuse(CategoricalCrossentropy{.label_smoothing = -0.1}, {"label_smoothing", "-0.1"});
  refuse(CategoricalFocalCrossentropy{.label_smoothing = NAN}, {"label_smoothing", "nan"});
  refuse(Huber{.delta = 0}, {"delta", "0", "above 0"});
  refuse(Huber{.delta = NAN}, {"delta", "nan"});
  refuse(BinaryFocalCrossentropy{.gamma = -1}, {"gamma", "-1"});
  refuse(BinaryFocalCrossentropy{.alpha = 1.5}, {"alpha", "1.5"});
  refuse(CategoricalFocalCrossentropy{.gamma = -2}, {"gamma", "-2"});
  refuse(CategoricalFocalCrossentropy{.alpha = -1}, {"alpha", "-1"});
}

TEST_P(LayerErrorsOn, Options_of_optimizers) {
  Trained trained;
  const auto refuse = [&](const OptimizerName& optimizer, const std::vector<std::string>& parts) {
    trained.expect<ValueError>([&](Sequential& m) { m.compile({.optimizer = optimizer, .loss = "mse"}); },
                               parts);
  };
  refuse(SGD{.momentum = 2}, {"momentum", "2", "[0, 1]"});
  refuse(RMSprop{.rho = 1}, {"rho", "1"});
  refuse(RMSprop{.momentum = -1}, {"momentum", "-1"});
  refuse(Adam{.beta_2 = -0.5}, {"beta_2", "-0.5"});
  refuse(AdamW{.epsilon = 0}, {"AdamW", "epsilon", "0"});
  refuse(AdamW{.weight_decay = -1}, {"weight_decay", "at least 0"});
  refuse(Adamax{.beta_1 = 1}, {"beta_1", "1"});
  refuse(Nadam{.epsilon = -1}, {"epsilon", "-1"});
  refuse(Adagrad{.initial_accumulator_value = -1}, {"initial_accumulator_value", "-1"});
  refuse(Adadelta{.rho = 1.5}, {"rho", "1.5"});
  refuse(Lion{.beta_1 = 0}, {"beta_1", "0"});
  refuse(Ftrl{.learning_rate_power = 0.5}, {"learning_rate_power", "0.5"});
  refuse(Ftrl{.l1_regularization_strength = -1}, {"strengths"});
  refuse(Ftrl{.beta = -1}, {"beta", "-1"});
  refuse(Muon{.momentum = 2}, {"momentum", "2"});
  refuse(Muon{.ns_steps = 0}, {"ns_steps", "0"});
  refuse(Adam{.clipnorm = 1, .clipvalue = 1}, {"only one", "clipnorm", "clipvalue"});
  refuse(Adam{.global_clipnorm = -1}, {"global_clipnorm", "at least 0"});
  refuse(SGD{.clipvalue = NAN}, {"clipvalue"});
  refuse(Adam{.ema_momentum = 1.5}, {"ema_momentum", "[0, 1]"});
  refuse(Adam{.ema_overwrite_frequency = -1}, {"ema_overwrite_frequency"});
  refuse(Adam{.gradient_accumulation_steps = 0}, {"gradient_accumulation_steps", "at least 1"});
}

TEST_P(LayerErrorsOn, Options_of_schedules) {
  Trained trained;
  const auto refuse = [&](const LearningRate& rate, const std::vector<std::string>& parts) {
    trained.expect<ValueError>([&](Sequential& m) { m.set_learning_rate(rate); }, parts);
    trained.expect<ValueError>(
        [&](Sequential& m) { m.compile({.optimizer = Adam{.learning_rate = rate}, .loss = "mse"}); }, parts);
  };
  refuse(-1.0, {"-1"});
  refuse(InverseTimeDecay{.decay_steps = 0}, {"decay_steps"});
  refuse(InverseTimeDecay{.decay_rate = -2}, {"decay_rate"});
  refuse(PolynomialDecay{.end_learning_rate = -1}, {"end_learning_rate"});
  refuse(PolynomialDecay{.power = 0}, {"power"});
  refuse(CosineDecay{.alpha = 2}, {"alpha"});
  refuse(CosineDecay{.warmup_target = NAN}, {"warmup_target"});
  refuse(CosineDecay{.warmup_steps = -1}, {"warmup_steps"});
  refuse(CosineDecayRestarts{.t_mul = 0.5}, {"t_mul"});
  refuse(CosineDecayRestarts{.m_mul = -1}, {"m_mul"});
  refuse(OneCycle{.total_steps = 1}, {"total_steps"});
  refuse(OneCycle{.pct_start = 1}, {"pct_start"});
  refuse(PiecewiseConstantDecay({100, 50}, {1, 0.5, 0.1}), {"ascend"});
  refuse(PiecewiseConstantDecay({100}, {1}), {"one more than boundaries"});
}

TEST_P(LayerErrorsOn, Options_of_metrics) {
  Trained trained;
  const auto refuse = [&](const MetricNames& metrics, const std::vector<std::string>& parts) {
    trained.expect<ValueError>([&](Sequential& m) { m.compile({.loss = "mse", .metrics = metrics}); }, parts);
  };
  refuse({BinaryAccuracy{.threshold = -0.5}}, {"threshold", "-0.5"});
  refuse({TopKCategoricalAccuracy{.k = 0}}, {"k must be at least 1", "0"});
  refuse({AUC{.num_thresholds = 1}}, {"num_thresholds", "1"});
  refuse({FBetaScore{.beta = 0}}, {"beta", "0"});
  refuse({F1Score{.threshold = 2}}, {"threshold", "2"});
  refuse({Precision{.class_id = 3}}, {"class_id 3", "0 to 2"});
  refuse({Recall{.class_id = -2}}, {"class_id -2"});
  refuse({Precision{.threshold = 1.5}}, {"precision", "threshold", "1.5"});
  refuse({FalseNegatives{.threshold = NAN}}, {"false_negatives", "threshold", "nan"});
  refuse({Huber{.delta = 0}}, {"delta", "0"});
  refuse({BinaryCrossentropy{.label_smoothing = 2}}, {"label_smoothing", "2"});
  refuse({{"loss", AUC{}}}, {"\"loss\""});
  trained.expect<ValueError>(
      [](Sequential& m) { m.compile({.loss = "mse", .metrics = {"mae"}, .weighted_metrics = {"mae"}}); },
      {"mae", "weighted_mae"});
  trained.expect<StateError>([](Sequential& m) { m.confusion_matrix(Trained::x(), Trained::labels()); },
                             {"confusion_matrix", "compile"});
}

TEST_P(LayerErrorsOn, Weights_of_rows) {
  Trained trained;
  const auto refuse = [&](const Tensor& weights, auto error, const std::vector<std::string>& parts) {
    using ErrorType = typename decltype(error)::type;
    trained.expect<ErrorType>(
        [&](Sequential& m) {
          m.fit(Trained::x(), Trained::labels(), {.verbose = 0, .sample_weight = weights});
        },
        parts);
    trained.expect<ErrorType>(
        [&](Sequential& m) {
          m.evaluate(Trained::x(), Trained::labels(), {.verbose = 0, .sample_weight = weights});
        },
        parts);
    trained.expect<ErrorType>(
        [&](Sequential& m) {
          m.fit(Trained::x(), Trained::labels(),
                {.verbose = 0, .validation_data = {Trained::x(), Trained::labels(), weights}});
        },
        parts);
  };
  const TypeTag<ShapeError> shape;
  const TypeTag<ValueError> value;
  refuse(Tensor::ones({5}), shape, {"sample_weight", "(5,)", "(6,)"});
  refuse(Tensor::ones({6, 2}), shape, {"sample_weight", "(6, 2)", "(6,)"});
  refuse(Tensor::full({}, 1), shape, {"sample_weight", "()"});
  Tensor nan = Tensor::ones({6});
  nan.set({4}, NAN);
  refuse(nan, value, {"sample_weight nan", "row 4", "finite"});
  nan.set({4}, inf);
  refuse(nan, value, {"sample_weight inf", "row 4"});
}

TEST_P(LayerErrorsOn, Weights_of_rows_that_float32_cannot_hold) {
  Trained trained;
  const Tensor weights = Tensor::full({6}, 1e300, DType::float64);
  trained.expect<ValueError>(
      [&](Sequential& m) {
        m.fit(Trained::x(), Trained::labels(), {.verbose = 0, .sample_weight = weights});
      },
      {"sample_weight", "1e+300", "row 0"});
  trained.expect<ValueError>(
      [](Sequential& m) {
        m.fit(Trained::x(), Trained::labels(), {.verbose = 0, .class_weight = {{1, 1e300}}});
      },
      {"class_weight", "1e+300"});
}

TEST_P(LayerErrorsOn, Weights_of_classes) {
  Trained trained;
  const auto refuse = [&](const std::map<int, double>& weights, const std::vector<std::string>& parts) {
    trained.expect<ValueError>(
        [&](Sequential& m) {
          m.fit(Trained::x(), Trained::labels(), {.verbose = 0, .class_weight = weights});
        },
        parts);
  };
  refuse({{-1, 2.0}}, {"class -1", "0 to 2"});
  refuse({{0, 1.0}, {3, 2.0}}, {"class 3", "0 to 2"});
  refuse({{0, NAN}}, {"nan", "class 0"});
  refuse({{2, -1.0}}, {"-1", "class 2", "at least 0"});
  trained.expect<ValueError>(
      [](Sequential& m) {
        const Tensor ones = Tensor::ones({6});
        m.fit(Trained::x(), Trained::labels(),
              {.verbose = 0, .class_weight = {{0, 2.0}}, .sample_weight = ones});
      },
      {"sample_weight and class_weight", "one of them"});
  expect_error<ShapeError>(
      [] {
        Sequential model{Dense(3, "softmax", {.input_shape = {2, 4}})};
        model.compile({.loss = "sparse_categorical_crossentropy", .device = test::current_device()});
        model.fit(Tensor::ones({2, 2, 4}), Tensor::zeros({2, 2}), {.verbose = 0, .class_weight = {{0, 2.0}}});
      },
      {"class_weight", "(2,)", "sample_weight"});
}

TEST_P(LayerErrorsOn, Options_of_a_fit_that_fail_do_not_fix_the_shape_of_the_model) {
  const Tensor x = Tensor::ones({6, 9}), five = Tensor::ones({5});
  const std::function<void(Sequential&)> calls[] = {
      [&](Sequential& m) { m.fit(x, Trained::labels(), {.verbose = 0, .sample_weight = five}); },
      [&](Sequential& m) { m.evaluate(x, Trained::labels(), {.verbose = 0, .sample_weight = five}); },
      [&](Sequential& m) {
        m.fit(x, Trained::labels(), {.verbose = 0, .class_weight = {{7, 1.0}}});
      },
      [&](Sequential& m) { m.fit(x, Trained::labels(), {.verbose = 0, .validation_split = 0.99}); },
      [&](Sequential& m) {
        m.fit(x, Trained::labels(), {.verbose = 0, .validation_data = {x, five}});
      },
      [&](Sequential& m) {
        m.fit(x, Trained::labels(),
              {.verbose = 0, .callbacks = {EarlyStopping({.monitor = "val_loss", .patience = 1})}});
      },
  };
  for (std::size_t i = 0; i < std::size(calls); ++i) {
    Sequential model{Dense(3, "softmax")};
    model.compile({.loss = "sparse_categorical_crossentropy", .device = test::current_device()});
    EXPECT_THROW(calls[i](model), Error) << i;
    EXPECT_FALSE(model.built()) << i;
    model.fit(Trained::x(), Trained::labels(), {.verbose = 0});
    EXPECT_EQ(model.get_weights()[0].shape(), (Shape{4, 3})) << i;
  }
}

TEST_P(LayerErrorsOn, A_step_function_is_for_prediction_and_says_so_where_it_is_trained) {
  for (const bool as_layer : {false, true}) {
    std::vector<Layer> layers{Dense(1, as_layer ? "linear" : "step")};
    if (as_layer) layers.push_back(Activation("step"));
    Sequential model(layers);
    model.compile({.loss = "mse", .device = test::current_device()});
    const Tensor y = Tensor::ones({6, 1});
    const auto refuse = [&](const std::function<void()>& call) {
      expect_error<StateError>(call, {"step", "slope"});
    };
    refuse([&] { model.fit(Trained::x(), y, {.verbose = 0}); });
    refuse([&] { model.train_on_batch(Trained::x(), y); });
    refuse([&] { model.gradients(Trained::x(), y); });
    EXPECT_EQ(model(Trained::x()).shape(), (Shape{6, 1}));
    EXPECT_GE(model.evaluate(Trained::x(), y, {.verbose = 0})["loss"], 0);
  }
}

TEST_P(LayerErrorsOn, Options_of_callbacks) {
  Trained trained;
  const auto refuse = [&](const std::function<Callbacks()>& callbacks,
                          const std::vector<std::string>& parts) {
    trained.expect<ValueError>(
        [&](Sequential& m) {
          m.fit(Trained::x(), Trained::labels(), {.verbose = 0, .callbacks = callbacks()});
        },
        parts);
  };
  refuse([] { return Callbacks{EarlyStopping({.monitor = "loss", .patience = -1})}; }, {"patience -1"});
  refuse([] { return Callbacks{EarlyStopping({.monitor = "loss", .min_delta = NAN})}; }, {"min_delta nan"});
  refuse([] { return Callbacks{EarlyStopping({.start_from_epoch = -1})}; }, {"start_from_epoch -1"});
  refuse([] { return Callbacks{EarlyStopping({.monitor = "acc"})}; }, {"acc", "accuracy"});
  refuse([] { return Callbacks{EarlyStopping()}; }, {"val_loss", "validation data"});
  refuse([] { return Callbacks{ReduceLROnPlateau({.monitor = "loss", .factor = 1})}; }, {"factor 1"});
  refuse([] { return Callbacks{ReduceLROnPlateau({.patience = -1})}; }, {"patience -1"});
  refuse([] { return Callbacks{ReduceLROnPlateau({.cooldown = -2})}; }, {"cooldown -2"});
  refuse([] { return Callbacks{ReduceLROnPlateau({.min_lr = -1})}; }, {"min_lr -1"});
  refuse([] { return Callbacks{ModelCheckpoint("")}; }, {"empty filepath"});
  refuse([] { return Callbacks{LearningRateScheduler(nullptr)}; }, {"no function"});
  refuse([] { return Callbacks{LearningRateScheduler([](int, double) { return NAN; })}; },
         {"learning rate nan"});
}

}  // namespace
}  // namespace glia
