// Learner: steps on rows where they lie, one by one, and what is read of them.
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "tests/devices.h"
#include "tests/expect_error.h"
#include "tests/predictor_models.h"

namespace glia {
namespace {

using test::classifier_of_six;
using test::expect_error;
using test::waves;

void expect_equal(const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) EXPECT_TRUE(array_equal(a[i], b[i])) << i;
}

class Learners : public test::DeviceTest {
 protected:
  Tensor here(const Tensor& x) { return x.to(context()); }
  /// What a view shows, on the CPU.
  Tensor read(const TensorView& view) {
    Tensor copy = Tensor::zeros(view.shape(), view.dtype()).to(context());
    context().backend().copy(copy.raw(), view.raw(), static_cast<std::size_t>(copy.bytes()));
    return copy.to("cpu");
  }
};
INSTANTIATE_TEST_SUITE_P(Devices, Learners, ::testing::ValuesIn(test::test_devices()), test::device_name);

Sequential noisy(const Context& context) {
  Sequential model{Input({6}), Dense(16, "relu"), Dropout(0.3), BatchNormalization(), Dense(3, "softmax")};
  model.set_seed(11);
  model.compile({.optimizer = Adam{.learning_rate = LearningRate(ExponentialDecay{0.01, 5, 0.5})},
                 .loss = "sparse_categorical_crossentropy",
                 .metrics = "accuracy",
                 .context = context});
  model.build({6});
  return model;
}

const std::vector<std::int64_t> batches{4, 8, 4, 1, 8};

TEST_P(Learners, Train_as_train_on_batch_does_bit_for_bit) {
  Sequential one = noisy(context()), other = noisy(context());
  Learner learner = other.learner();
  for (std::size_t b = 0; b < batches.size(); ++b) {
    const Tensor x = here(waves({batches[b], 6}, static_cast<double>(b)));
    Tensor labels = Tensor::zeros({batches[b]}, DType::int32);
    for (std::int64_t i = 0; i < batches[b]; ++i) labels.set({i}, static_cast<double>(i % 3));
    const Tensor classes = here(labels);
    one.train_on_batch(x, classes);
    learner.enqueue_train(x, classes);
  }
  learner.synchronize();
  expect_equal(one.get_weights(), other.get_weights());
  EXPECT_EQ(one.iterations(), other.iterations());
  EXPECT_EQ(one.learning_rate(), other.learning_rate());
}

TEST_P(Learners, Logs_are_means_since_they_were_asked_for_last) {
  Sequential one = noisy(context()), other = noisy(context());
  Learner learner = other.learner();
  const Tensor x = here(waves({8, 6})), y = here(Tensor{0, 1, 2, 0, 1, 2, 0, 1});
  expect_error<StateError>([&] { learner.enqueue_logs(); }, {"enqueue_train"});
  for (int round = 0; round < 2; ++round) {
    double loss = 0, accuracy = 0;
    for (int step = 0; step < 3; ++step) {
      const Logs logs = one.train_on_batch(x, y);
      loss += logs["loss"] / 3, accuracy += logs["accuracy"] / 3;
      learner.enqueue_train(x, y);
    }
    learner.enqueue_logs();
    learner.enqueue_train(x, y), one.train_on_batch(x, y);  // which they do not count
    const Logs logs = learner.logs();
    EXPECT_NEAR(logs["loss"], loss, 1e-6);
    EXPECT_NEAR(logs["accuracy"], accuracy, 1e-6);
    expect_error<StateError>([&] { learner.logs(); }, {"enqueue_logs first"});
    learner.enqueue_logs();  // from here on
    learner.logs();
  }
}

TEST_P(Learners, Logs_come_when_they_are_there) {
  Sequential model = noisy(context());
  Learner learner = model.learner();
  const Tensor x = here(waves({8, 6})), y = here(Tensor{0, 1, 2, 0, 1, 2, 0, 1});
  learner.enqueue_train(x, y);
  learner.enqueue_logs();
  std::optional<Logs> logs;
  while (!logs) logs = learner.logs_if_ready();
  EXPECT_GT((*logs)["loss"], 0);
}

TEST_P(Learners, A_compile_for_another_context_ends_what_was_asked_for) {
  Sequential model = noisy(context());
  Learner learner = model.learner();
  const Tensor x = here(waves({8, 6})), y = here(Tensor{0, 1, 2, 0, 1, 2, 0, 1});
  {
    const Context other({.device = context().device(), .threads = 1});
    model.compile({.loss = "sparse_categorical_crossentropy", .metrics = "accuracy", .context = other});
    learner.enqueue_train(x, y);
    learner.enqueue_logs();
    EXPECT_GT(learner.logs()["loss"], 0);
    learner.enqueue_train(x, y);
    learner.enqueue_logs();
  }
  model.compile({.loss = "sparse_categorical_crossentropy",
                 .metrics = {"accuracy", "sparse_top_k_categorical_accuracy"},
                 .context = context()});
  expect_error<StateError>([&] { learner.logs(); }, {"after a compile again"});
  learner.enqueue_train(x, y);
  learner.enqueue_logs();
  EXPECT_GT(learner.logs()["loss"], 0);
}

TEST_P(Learners, Weights_of_rows_count_as_they_do_elsewhere) {
  Sequential one = noisy(context()), other = noisy(context());
  Learner learner = other.learner();
  const Tensor x = waves({4, 6}), y{0, 1, 2, 0}, weights{1, 0, 2, 0.5};
  one.train_on_batch(x, y, weights);
  const Tensor x_there = here(x), y_there = here(y), weights_there = here(weights);
  learner.enqueue_train(x_there, y_there, weights_there);
  learner.synchronize();
  expect_equal(one.get_weights(), other.get_weights());
}

TEST_P(Learners, Backward_and_apply_are_one_step_in_two_halves) {
  Sequential one = noisy(context()), other = noisy(context());
  Learner learner = other.learner();
  const Tensor x = here(waves({4, 6})), y = here(Tensor{0, 1, 2, 0});
  for (int step = 0; step < 3; ++step) {
    one.backward(x, y), one.apply_gradients();
    learner.enqueue_backward(x, y), learner.enqueue_apply_gradients();
  }
  learner.synchronize();
  expect_equal(one.get_weights(), other.get_weights());
}

TEST_P(Learners, Gradients_of_weights_and_inputs_are_those_that_gradients_gives) {
  Sequential model{Input({6}), Dense(5, "tanh"), Dense(3, "softmax")};
  model.compile({.loss = "sparse_categorical_crossentropy", .context = context()});
  Learner learner = model.learner();
  const Tensor x = here(waves({4, 6})), y = here(Tensor{0, 1, 2, 0});
  const Gradients expected = model.gradients(x, y, {.inputs = true});
  Tensor dx = here(Tensor::zeros({4, 6}));
  learner.enqueue_backward(x, y, {}, {dx});
  learner.enqueue_logs();
  EXPECT_NEAR(learner.logs()["loss"], expected.loss, 1e-6);
  EXPECT_TRUE(array_equal(dx.to("cpu"), expected.inputs[0]));
  const std::vector<MutableTensorView> gradients = learner.gradients();
  ASSERT_EQ(gradients.size(), expected.weights.size());
  for (std::size_t i = 0; i < gradients.size(); ++i)
    EXPECT_TRUE(array_equal(read(gradients[i]), expected.weights[i]));
}

/// Halves them where they lie, as an application would that averages over two replicas.
TEST_P(Learners, Gradients_of_the_application_are_applied) {
  const auto make = [&] {
    Sequential model{Input({6}), Dense(3)};
    model.compile({.optimizer = SGD{.learning_rate = 1}, .loss = "mse", .context = context()});
    model.build({6});
    return model;
  };
  Sequential model = make();
  Learner learner = model.learner();
  const TensorList before = model.get_weights();
  const std::vector<MutableTensorView> gradients = learner.gradients();
  ASSERT_EQ(gradients.size(), 2u);
  const Tensor kernel = waves({6, 3}), bias = waves({3}, 1);
  context().backend().upload(gradients[0].raw(), kernel.raw(), static_cast<std::size_t>(kernel.bytes()));
  context().backend().upload(gradients[1].raw(), bias.raw(), static_cast<std::size_t>(bias.bytes()));
  learner.enqueue_apply_gradients();
  learner.synchronize();
  const TensorList after = model.get_weights();
  EXPECT_TRUE(all_close(after[0], before[0] - kernel, 1e-6, 1e-6));
  EXPECT_TRUE(all_close(after[1], before[1] - bias, 1e-6, 1e-6));
  Sequential other = make();
  other.set_weights(before);
  std::vector<Tensor> given;
  given.push_back(here(kernel)), given.push_back(here(bias));
  other.apply_gradients(given);
  expect_equal(other.get_weights(), after);
}

TEST_P(Learners, Views_of_weights_are_the_weights) {
  Sequential model = noisy(context());
  Learner learner = model.learner();
  const std::vector<MutableTensorView> views = learner.weights();
  const TensorList weights = model.get_weights();
  ASSERT_EQ(views.size(), weights.size());
  for (std::size_t i = 0; i < views.size(); ++i) {
    EXPECT_EQ(views[i].device(), context().device());
    EXPECT_TRUE(array_equal(read(views[i]), weights[i]));
  }
}

TEST_P(Learners, Fit_and_evaluate_take_rows_that_lie_there) {
  const Tensor x = waves({20, 6});
  Tensor labels = Tensor::zeros({20}, DType::uint8);
  for (std::int64_t i = 0; i < 20; ++i) labels.set({i}, static_cast<double>(i % 3));
  Sequential one = noisy(context()), other = noisy(context());
  const Tensor x_there = here(x), labels_there = here(labels);
  const FitOptions options{.epochs = 2, .batch_size = 6, .verbose = 0};
  EXPECT_EQ(one.fit(x, labels, options)["loss"], other.fit(x_there, labels_there, options)["loss"]);
  EXPECT_EQ(one.evaluate(x, labels, {.verbose = 0})["loss"],
            other.evaluate(x_there, labels_there, {.verbose = 0})["loss"]);
  expect_equal(one.get_weights(), other.get_weights());
}

TEST_P(Learners, Steps_and_the_models_own_calls_follow_each_other) {
  const Tensor x = waves({8, 6}), y{0, 1, 2, 0, 1, 2, 0, 1};
  const Tensor x_there = here(x), y_there = here(y);
  Sequential one = noisy(context()), other = noisy(context());
  Learner learner = other.learner();
  for (int round = 0; round < 2; ++round) {
    one.train_on_batch(x, y), learner.enqueue_train(x_there, y_there);
    EXPECT_TRUE(array_equal(one.predict(x, {.verbose = 0}), other.predict(x, {.verbose = 0})));
    one.fit(x, y, {.epochs = 1, .batch_size = 3, .verbose = 0});
    other.fit(x, y, {.epochs = 1, .batch_size = 3, .verbose = 0});
  }
  expect_equal(one.get_weights(), other.get_weights());
}

TEST_P(Learners, Predictors_see_each_step) {
  Sequential model = noisy(context());
  Learner learner = model.learner();
  Predictor predictor = model.predictor({.max_batch = 8});
  const Tensor x = here(waves({8, 6})), y = here(Tensor{0, 1, 2, 0, 1, 2, 0, 1});
  for (int step = 0; step < 3; ++step) {
    learner.enqueue_train(x, y);
    const Tensor seen = test::predicted(predictor, x, context());
    EXPECT_TRUE(all_close(seen, model.predict(x, {.verbose = 0}).to("cpu"), 1e-5, 1e-6)) << step;
  }
}

TEST_P(Learners, Allocate_nothing_at_the_second_step) {
  Sequential model = noisy(context());
  Learner learner = model.learner();
  const Tensor x = here(waves({8, 6})), y = here(Tensor{0, 1, 2, 0, 1, 2, 0, 1});
  learner.enqueue_train(x, y);
  learner.enqueue_logs();
  const BackendCounters before = context().backend().counters();
  for (int step = 0; step < 5; ++step) learner.enqueue_train(x, y), learner.enqueue_logs();
  EXPECT_EQ(context().backend().counters().allocations, before.allocations);
  EXPECT_EQ(context().backend().counters().synchronizations, before.synchronizations);
}

TEST_P(Learners, Refuse_what_they_cannot_train_on_and_go_on) {
  Sequential model = noisy(context());
  Learner learner = model.learner();
  const Tensor x = here(waves({4, 6})), y = here(Tensor{0, 1, 2, 0}), narrow = here(waves({4, 5}));
  const TensorList before = model.get_weights();
  expect_error<ShapeError>([&] { learner.enqueue_train(narrow, y); }, {"enqueue_train", "(4, 5)"});
  expect_error<ShapeError>([&] { learner.enqueue_train(x, y, narrow); }, {"sample_weight", "(4,)"});
  Tensor dx = here(Tensor::zeros({4, 5}));
  expect_error<ShapeError>([&] { learner.enqueue_backward(x, y, {}, {dx}); }, {"input 0", "(4, 6)"});
  if (context().device().is_cuda()) {
    expect_error<DeviceError>(
        [&] {
          learner.enqueue_train(waves({4, 6}), Tensor{0, 1, 2, 0});
        },
        {"enqueue_train", "cpu", "train_on_batch"});
  } else {
    expect_error<StateError>([&] { learner.enqueue_train(x, y, {}, nullptr); }, {"stream", "CPU"});
  }
  Sequential plain{Input({6}), Dense(3)};
  Learner without = plain.learner();
  expect_error<StateError>([&] { without.enqueue_train(x, y); }, {"enqueue_train", "compile"});
  expect_equal(model.get_weights(), before);
  Learner moved = std::move(learner);
  expect_error<StateError>([&] { learner.synchronize(); }, {"moved from"});
  moved.enqueue_train(x, y);
}

}  // namespace
}  // namespace glia
