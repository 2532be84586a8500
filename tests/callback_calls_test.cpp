// When fit calls its callbacks, and what they may do to it; those that end a fit, print, or do what they are given.
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/devices.h"
#include "tests/scripted_fits.h"

namespace glia {
namespace {

using test::falling;
using test::line;
using test::points;
using test::rates;
using test::silent;
using test::stairs;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr double nan = std::numeric_limits<double>::quiet_NaN();
constexpr double inf = std::numeric_limits<double>::infinity();

/// Writes down each call, and does `at` in each.
class Recorder : public Callback {
 public:
  Recorder(std::string name, std::vector<std::string>& calls, bool watches = true)
      : name_(std::move(name)), calls_(calls), watches_(watches) {}
  std::function<void(const std::string& call, Model& model)> at = [](const auto&, auto&) {};

  void on_train_begin() override { called("train_begin"); }
  void on_train_end() override { called("train_end"); }
  void on_epoch_begin(int epoch) override { called("epoch_begin " + std::to_string(epoch)); }
  void on_epoch_end(int epoch, Logs&) override { called("epoch_end " + std::to_string(epoch)); }
  void on_batch_end(std::int64_t batch, const Logs&) override { called("batch " + std::to_string(batch)); }
  bool watches_batches() const override { return watches_; }

 private:
  void called(const std::string& call) {
    calls_.push_back(name_ + call);
    at(call, model());
  }

  std::string name_;
  std::vector<std::string>& calls_;
  bool watches_;
};

class CallbackCalls : public test::DeviceTest {};
INSTANTIATE_TEST_SUITE_P(Devices, CallbackCalls, ::testing::ValuesIn(test::test_devices()),
                         test::device_name);

TEST_P(CallbackCalls, Come_in_the_order_given_and_after_every_single_batch) {
  Sequential model = line();
  std::vector<std::string> calls;
  Recorder a("a ", calls), b("b ", calls, false);
  model.fit(points(), {.epochs = 2, .batch_size = 3, .verbose = 0, .callbacks = {&a, &b}});
  EXPECT_THAT(calls,
              ElementsAre("a train_begin", "b train_begin", "a epoch_begin 0", "b epoch_begin 0", "a batch 0",
                          "b batch 0", "a batch 1", "b batch 1", "a epoch_end 0", "b epoch_end 0",
                          "a epoch_begin 1", "b epoch_begin 1", "a batch 0", "b batch 0", "a batch 1",
                          "b batch 1", "a epoch_end 1", "b epoch_end 1", "a train_end", "b train_end"));
}

TEST_P(CallbackCalls, Find_the_model_as_the_batch_left_it_and_set_the_rate_of_the_next) {
  const Dataset data = points();
  std::vector<double> seen, expected;
  Sequential model = line();
  LambdaCallback watch({.on_batch_end = [&](std::int64_t batch, const Logs&) {
    seen.push_back(model.get_weights()[0].item());
    model.set_learning_rate(1.0 / static_cast<double>(batch + 2));
  }});
  model.fit(data, {.batch_size = 1, .verbose = 0, .shuffle = false, .callbacks = {&watch}});
  Sequential by_hand = line();
  for (int row = 0; row < 4; ++row) {
    by_hand.set_learning_rate(1.0 / (row + 1));
    by_hand.train_on_batch(data.x.rows(row, row + 1), data.y.rows(row, row + 1));
    expected.push_back(by_hand.get_weights()[0].item());
  }
  EXPECT_EQ(seen, expected);
}

TEST_P(CallbackCalls, End_with_the_batch_that_stop_training_was_called_in) {
  Sequential model = line();
  const Dataset data = points();
  std::vector<std::string> calls;
  Recorder stopper("", calls);
  stopper.at = [](const std::string& call, Model& trained) {
    if (call == "batch 1") trained.stop_training();
  };
  FitOptions fit = silent(3, {&stopper}, data);
  fit.batch_size = 1;
  const History history = model.fit(data, fit);
  EXPECT_THAT(calls,
              ElementsAre("train_begin", "epoch_begin 0", "batch 0", "batch 1", "epoch_end 0", "train_end"));
  EXPECT_EQ(model.iterations(), 2);
  EXPECT_EQ(history["val_loss"].size(), 1u);
  // The next fit is whole again.
  stopper.at = [](const std::string&, Model&) {};
  EXPECT_EQ(model.fit(data, fit)["loss"].size(), 3u);
}

TEST_P(CallbackCalls, Bring_exceptions_to_the_caller_and_leave_a_model_that_goes_on) {
  const Dataset data = points();
  for (const std::string where : {"train_begin", "epoch_begin 1", "batch 2", "epoch_end 0", "train_end"}) {
    Sequential model = line();
    const std::vector<Tensor> start = model.get_weights();
    std::vector<std::string> calls;
    Recorder thrower("", calls);
    thrower.at = [&](const std::string& call, Model&) {
      if (call == where) throw std::runtime_error("at " + call);
    };
    const FitOptions fit{.epochs = 2, .batch_size = 1, .verbose = 0, .callbacks = {&thrower}};
    try {
      model.fit(data, fit);
      ADD_FAILURE() << "nothing was thrown at " << where;
    } catch (const std::runtime_error& error) {
      EXPECT_EQ(error.what(), "at " + where);
    }
    EXPECT_EQ(calls.back(), where);
    model.set_weights(start);
    const FitOptions plain{.epochs = 2, .batch_size = 1, .verbose = 0, .shuffle = false};
    Sequential fresh = line();
    fresh.set_weights(start);
    EXPECT_EQ(model.fit(data, plain)["loss"], fresh.fit(data, plain)["loss"]) << where;
  }
}

TEST_P(CallbackCalls, Put_what_they_set_into_the_history) {
  Sequential model = line();
  LambdaCallback add({.on_epoch_end = [](int epoch, Logs& logs) {
    logs.set("twice", 2 * epoch);
    logs.set("loss", 7);
  }});
  const History history = model.fit(points(), {.epochs = 3, .verbose = 0, .callbacks = {&add}});
  EXPECT_THAT(history["twice"], ElementsAre(0, 2, 4));
  EXPECT_THAT(history["loss"], ElementsAre(7, 7, 7));
}

TEST_P(CallbackCalls, Know_what_fit_is_going_to_do) {
  struct Asks : Callback {
    TrainingParams told;
    void on_train_begin() override { told = params(); }
  } asks;
  Sequential model = line();
  const Dataset data = points();
  FitOptions fit = silent(3, {&asks}, data);
  fit.batch_size = 3;
  model.fit(data, fit);
  EXPECT_EQ(asks.told.epochs, 3);
  EXPECT_EQ(asks.told.steps, 2);
  EXPECT_EQ(asks.told.verbose, 0);
  EXPECT_THAT(asks.told.keys, ElementsAre("loss", "accuracy", "val_loss", "val_accuracy"));
  EXPECT_THAT(asks.told.greater_is_better, ElementsAre("accuracy"));
}

TEST_P(CallbackCalls, Restore_the_best_weights_bit_by_bit) {
  Sequential model = line(0.1);
  const Dataset data = points();
  std::vector<std::vector<Tensor>> after;
  LambdaCallback play({.on_epoch_end = [&](int epoch, Logs& logs) {
    after.push_back(model.get_weights());
    logs.set("val_loss", falling[static_cast<std::size_t>(epoch)]);
  }});
  EarlyStopping early({.patience = 3, .restore_best_weights = true});
  model.fit(data, silent(12, {&play, &early}, data));
  ASSERT_EQ(after.size(), 7u);
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(model.get_weights()[i].values(), after[3][i].values());
    EXPECT_NE(model.get_weights()[i].values(), after[6][i].values());
  }
}

TEST_P(CallbackCalls, Train_with_the_rates_they_set) {
  // At a batch an epoch, SGD at the scheduled rates is gradient descent written by hand.
  const Dataset data = points();
  Sequential scheduled = line(), by_hand = line();
  scheduled.fit(data,
                {.epochs = 3,
                 .verbose = 0,
                 .shuffle = false,
                 .callbacks = {LearningRateScheduler([](int epoch, double) { return 0.5 / (epoch + 1); })}});
  for (int epoch = 0; epoch < 3; ++epoch) {
    by_hand.set_learning_rate(0.5 / (epoch + 1));
    by_hand.train_on_batch(data.x, data.y);
  }
  EXPECT_EQ(scheduled.get_weights()[0].values(), by_hand.get_weights()[0].values());
}

TEST_P(CallbackCalls, Reduce_the_rate_on_a_plateau) {
  EXPECT_THAT(rates(stairs, {.factor = .5, .patience = 2}),
              ElementsAre(1, 1, 1, 1, .5, .5, .5, .5, .25, .25, .125, .125, .0625));
}

TEST_P(CallbackCalls, Terminate_on_NaN_within_the_epoch) {
  Sequential model = line();
  Dataset data(Tensor::zeros({100, 1}), Tensor::zeros({100, 1}));
  data.x.set({3, 0}, nan);
  std::vector<std::string> calls;
  Recorder watch("", calls);
  ::testing::internal::CaptureStdout();
  const History history = model.fit(data, {.epochs = 5,
                                           .batch_size = 1,
                                           .verbose = 2,
                                           .shuffle = false,
                                           .callbacks = {TerminateOnNaN(), &watch}});
  EXPECT_THAT(::testing::internal::GetCapturedStdout(),
              HasSubstr("Batch 3: Invalid loss, terminating training\n"));
  EXPECT_EQ(history["loss"].size(), 1u);
  EXPECT_TRUE(std::isnan(history["loss"][0]));
  EXPECT_EQ(model.iterations(), 4);
}

TEST(TerminateOnNaN, Ends_a_fit_whose_batches_nobody_watches_and_is_silent_with_it) {
  Sequential model = line();
  Dataset data(Tensor::zeros({100, 1}), Tensor::zeros({100, 1}));
  data.x.set({99, 0}, inf);
  ::testing::internal::CaptureStdout();
  const History history =
      model.fit(data, {.epochs = 5, .batch_size = 1, .verbose = 0, .callbacks = {TerminateOnNaN()}});
  EXPECT_EQ(::testing::internal::GetCapturedStdout(), "");
  EXPECT_EQ(history["loss"].size(), 1u);
}

TEST(TerminateOnNaN, Lets_a_finite_fit_be) {
  Sequential model = line();
  EXPECT_EQ(model.fit(points(), {.epochs = 3, .verbose = 0, .callbacks = {TerminateOnNaN()}})["loss"].size(),
            3u);
}

TEST(LambdaCallback, Does_what_it_was_given_at_each_moment) {
  Sequential model = line();
  std::string calls;
  model.fit(points(), {.epochs = 2,
                       .batch_size = 2,
                       .verbose = 0,
                       .callbacks = {LambdaCallback(
                           {.on_epoch_begin = [&](int epoch) { calls += "<" + std::to_string(epoch); },
                            .on_epoch_end = [&](int epoch, Logs&) { calls += std::to_string(epoch) + ">"; },
                            .on_batch_end = [&](std::int64_t batch, const Logs&) { calls += "b"[batch / 9]; },
                            .on_train_begin = [&] { calls += "["; },
                            .on_train_end = [&] { calls += "]"; }})}});
  EXPECT_EQ(calls, "[<0bb0><1bb1>]");
  EXPECT_EQ(model.fit(points(), {.verbose = 0, .callbacks = {LambdaCallback({})}})["loss"].size(), 1u);
}

TEST(ProgbarLogger, Prints_what_a_verbose_fit_prints) {
  Sequential model = line();
  std::ostringstream out;
  model.fit(points(), {.epochs = 2, .batch_size = 2, .verbose = 0, .callbacks = {ProgbarLogger(out)}});
  EXPECT_THAT(out.str(), AllOf(HasSubstr("Epoch 1/2"), HasSubstr("Epoch 2/2"), HasSubstr("2/2"),
                               HasSubstr("accuracy: "), HasSubstr("loss: ")));
}

}  // namespace
}  // namespace glia
