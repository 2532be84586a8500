// The callbacks that watch a number, set the rate, or end a fit; and when fit calls whom.
// SPDX-License-Identifier: Apache-2.0
//
// Expected stops, rates and saved epochs of the scripted sequences are those of keras.callbacks 3.15 (torch backend),
// whose on_epoch_end was called with the same numbers.
#include <glia/glia.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <sstream>
#include <stdexcept>

#include "tests/devices.h"

namespace glia {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr double nan = std::numeric_limits<double>::quiet_NaN();
constexpr double inf = std::numeric_limits<double>::infinity();

/// Falls, with setbacks; its best epochs are 0, 1, 3 and 7.
const std::vector<double> falling{1.0, 0.8, 0.9, 0.7, 0.75, 0.72, 0.71, 0.69, 0.7, 0.7, 0.7, 0.7};
/// Falls in steps that last.
const std::vector<double> stairs{1, .9, .9, .9, .9, .8, .8, .8, .8, .8, .8, .8};
const std::vector<double> rising{.5, .6, .55, .62, .61, .6, .7};

Dataset points() { return Dataset(Tensor{{0}, {1}, {2}, {3}}, Tensor{{0}, {1}, {0}, {1}}); }

Sequential line(double rate = 1.0) {
  Sequential model{Dense(1, "sigmoid", {.input_dim = 1})};
  model.compile({.optimizer = SGD{.learning_rate = rate},
                 .loss = "binary_crossentropy",
                 .metrics = "accuracy",
                 .device = test::current_device()});
  return model;
}

/// Puts the next of `values` in the logs of each epoch that validates, and makes the kernel's weight the epoch.
LambdaCallback script(Sequential& model, const std::string& name, std::vector<double> values) {
  return LambdaCallback({.on_epoch_end = [&model, name, values](int epoch, Logs& logs) {
    if (logs.contains("val_loss")) logs.set(name, values.at(static_cast<std::size_t>(epoch)));
    model.set_weights({Tensor{{static_cast<float>(epoch)}}, Tensor{0}});
  }});
}

FitOptions silent(std::size_t epochs, Callbacks callbacks, const Dataset& data) {
  return {.epochs = static_cast<int>(epochs),
          .verbose = 0,
          .validation_data = data,
          .callbacks = std::move(callbacks)};
}

struct Stopped {
  int epochs, stopped, best, weight;  // `weight` is the epoch whose weights the model has
  friend bool operator==(const Stopped&, const Stopped&) = default;
  friend std::ostream& operator<<(std::ostream& out, const Stopped& s) {
    return out << s.epochs << " epochs, stopped " << s.stopped << ", best " << s.best << ", weights of "
               << s.weight;
  }
};

Stopped stopping(const std::vector<double>& values, const EarlyStoppingOptions& options,
                 int validation_freq = 1) {
  Sequential model = line();
  const Dataset data = points();
  LambdaCallback play = script(model, options.monitor, values);
  EarlyStopping early(options);
  FitOptions fit = silent(values.size(), {&play, &early}, data);
  fit.validation_freq = validation_freq;
  const History history = model.fit(data, fit);
  return {static_cast<int>(history.epoch().size()), early.stopped_epoch(), early.best_epoch(),
          static_cast<int>(model.get_weights()[0].item())};
}

TEST(EarlyStopping, Waits_for_as_many_epochs_as_its_patience) {
  EXPECT_EQ(stopping(falling, {.patience = 0}), (Stopped{3, 2, 1, 2}));
  EXPECT_EQ(stopping(falling, {.patience = 1}), (Stopped{3, 2, 1, 2}));
  EXPECT_EQ(stopping(falling, {.patience = 2}), (Stopped{6, 5, 3, 5}));
  EXPECT_EQ(stopping({1, 1, 1, 1}, {.patience = 2}), (Stopped{3, 2, 0, 2}));
  EXPECT_EQ(stopping({5, 4, 3, 2, 1}, {.patience = 1}), (Stopped{5, -1, 4, 4}));
}

TEST(EarlyStopping, Restores_the_best_weights_where_fit_ended_by_itself_too) {
  EXPECT_EQ(stopping(falling, {.patience = 3, .restore_best_weights = true}), (Stopped{7, 6, 3, 3}));
  EXPECT_EQ(stopping(falling, {.patience = 4, .restore_best_weights = true}), (Stopped{12, 11, 7, 7}));
  EXPECT_EQ(stopping(falling, {.patience = 9, .restore_best_weights = true}), (Stopped{12, -1, 7, 7}));
  EXPECT_EQ(stopping({1, 1, 1, 1}, {.patience = 2, .restore_best_weights = true}), (Stopped{3, 2, 0, 0}));
}

TEST(EarlyStopping, Counts_only_what_is_better_by_min_delta) {
  const Stopped stopped{4, 3, 1, 1};
  EXPECT_EQ(stopping(falling, {.min_delta = 0.15, .patience = 2, .restore_best_weights = true}), stopped);
  EXPECT_EQ(stopping(falling, {.min_delta = -0.15, .patience = 2, .restore_best_weights = true}), stopped);
}

TEST(EarlyStopping, Goes_on_waiting_until_the_baseline_is_beaten) {
  for (double baseline : {0.75, 0.5})
    EXPECT_EQ(stopping(falling, {.patience = 3, .baseline = baseline, .restore_best_weights = true}),
              (Stopped{3, 2, 1, 1}));
  EXPECT_EQ(stopping(falling, {.patience = 3, .baseline = 0.95, .restore_best_weights = true}),
            (Stopped{7, 6, 3, 3}));
}

TEST(EarlyStopping, Ignores_epochs_before_start_from_epoch) {
  EXPECT_EQ(stopping(falling, {.patience = 1, .restore_best_weights = true, .start_from_epoch = 4}),
            (Stopped{9, 8, 7, 7}));
  EXPECT_EQ(stopping(falling, {.patience = 1, .restore_best_weights = true, .start_from_epoch = 20}),
            (Stopped{12, -1, 0, 11}));
}

TEST(EarlyStopping, Takes_the_direction_from_the_metric_unless_told) {
  EXPECT_EQ(stopping(rising, {.monitor = "val_accuracy", .patience = 2, .restore_best_weights = true}),
            (Stopped{6, 5, 3, 3}));
  EXPECT_EQ(
      stopping(
          rising,
          {.monitor = "val_accuracy", .patience = 1, .mode = Monitor::min, .restore_best_weights = true}),
      (Stopped{2, 1, 0, 0}));
}

TEST(EarlyStopping, Knows_the_direction_of_a_metric_by_any_name) {
  // "acc" in a name says nothing, and neither does its absence: as in Keras, what is measured counts.
  const Dataset data = points();
  const auto best_of = [&](const char* name, const MetricName& metric) {
    Sequential model{Dense(1, "sigmoid", {.input_dim = 1})};
    model.compile({.loss = "binary_crossentropy", .metrics = {metric}});
    LambdaCallback play = script(model, name, {0.5, 0.4, 0.6, 0.3});
    EarlyStopping early({.monitor = name, .patience = 9});
    model.fit(data, silent(4, {&play, &early}, data));
    return early.best_epoch();
  };
  EXPECT_EQ(best_of("val_quality", {"quality", AUC{}}), 2);
  EXPECT_EQ(best_of("val_accumulated", {"accumulated", MeanSquaredError{}}), 3);
}

TEST(EarlyStopping, Skips_epochs_without_validation) {
  EXPECT_EQ(stopping({0, 1, 0, .5, 0, .6, 0, .7}, {.patience = 1, .restore_best_weights = true}, 2),
            (Stopped{6, 5, 3, 3}));
}

TEST(EarlyStopping, Takes_NaN_and_infinity_for_no_improvement) {
  EXPECT_EQ(stopping({1, nan, .5, nan, nan, .4}, {.patience = 2, .restore_best_weights = true}),
            (Stopped{5, 4, 2, 2}));
  EXPECT_EQ(stopping({inf, inf, 2, 1, 3, 3, 3}, {.patience = 2, .restore_best_weights = true}),
            (Stopped{6, 5, 3, 3}));
  // Keras takes a NaN that comes first for the best there can be, and restores it: (3, 2, 0, 0).
  EXPECT_EQ(stopping({nan, 1, .5, .6, .7}, {.patience = 2, .restore_best_weights = true}),
            (Stopped{5, 4, 2, 2}));
}

TEST(EarlyStopping, Starts_anew_with_each_fit) {
  Sequential model = line();
  const Dataset data = points();
  EarlyStopping early({.patience = 2, .restore_best_weights = true});
  for (const double best : {0.1, 0.5}) {
    LambdaCallback play = script(model, "val_loss", {1, best, 1, 1, 1});
    EXPECT_EQ(model.fit(data, silent(5, {&play, &early}, data)).epoch().size(), 4u);
    EXPECT_EQ(early.best_epoch(), 1);
  }
}

TEST(EarlyStopping, Says_what_it_did_only_when_verbose) {
  const auto printed = [](int verbose) {
    ::testing::internal::CaptureStdout();
    stopping(falling, {.patience = 2, .verbose = verbose, .restore_best_weights = true});
    return ::testing::internal::GetCapturedStdout();
  };
  EXPECT_EQ(printed(0), "");
  EXPECT_EQ(printed(1),
            "Epoch 6: early stopping\nRestoring model weights from the end of the best epoch: 4.\n");
}

std::vector<double> rates(const std::vector<double>& values, const ReduceLROnPlateauOptions& options) {
  Sequential model = line();
  const Dataset data = points();
  LambdaCallback play = script(model, options.monitor, values);
  ReduceLROnPlateau reduce(options);
  const History history = model.fit(data, silent(values.size(), {&play, &reduce}, data));
  std::vector<double> result = history["learning_rate"];
  result.push_back(model.learning_rate());
  return result;
}

TEST(ReduceLROnPlateau, Cuts_the_rate_after_as_many_epochs_as_its_patience) {
  EXPECT_THAT(rates(stairs, {.factor = .5, .patience = 2}),
              ElementsAre(1, 1, 1, 1, .5, .5, .5, .5, .25, .25, .125, .125, .0625));
  EXPECT_THAT(
      rates(stairs, {.factor = .5, .patience = 1}),
      ElementsAre(1, 1, 1, .5, .25, .125, .125, .0625, .03125, .015625, .0078125, .00390625, .001953125));
  EXPECT_THAT(rates({1, 1, .5, .5}, {.factor = .5, .patience = 0}), ElementsAre(1, 1, .5, .5, .25));
}

TEST(ReduceLROnPlateau, Rests_for_the_cooldown) {
  EXPECT_THAT(rates(stairs, {.factor = .5, .patience = 1, .cooldown = 2}),
              ElementsAre(1, 1, 1, .5, .5, .25, .25, .125, .125, .0625, .0625, .03125, .03125));
  EXPECT_THAT(rates(stairs, {.factor = .5, .patience = 2, .cooldown = 1}),
              ElementsAre(1, 1, 1, 1, .5, .5, .5, .5, .25, .25, .125, .125, .0625));
}

TEST(ReduceLROnPlateau, Does_not_go_below_min_lr) {
  EXPECT_THAT(rates(stairs, {.factor = .5, .patience = 1, .min_lr = .3}),
              ElementsAre(1, 1, 1, .5, .3, .3, .3, .3, .3, .3, .3, .3, .3));
}

TEST(ReduceLROnPlateau, Counts_only_what_is_better_by_min_delta) {
  EXPECT_THAT(rates({1, .9, .8, .7, .6, .55, .5}, {.factor = .5, .patience = 2, .min_delta = .15}),
              ElementsAre(1, 1, 1, 1, 1, 1, 1, .5));
  EXPECT_THAT(rates({1, .99995, .9999, .9998, .9997}, {.factor = .5, .patience = 1}),
              ElementsAre(1, 1, .5, .25, .25, .125));
}

TEST(ReduceLROnPlateau, Watches_an_accuracy_the_other_way) {
  EXPECT_THAT(rates({.5, .6, .6, .6, .7, .7, .7}, {.monitor = "val_accuracy", .factor = .5, .patience = 2}),
              ElementsAre(1, 1, 1, 1, .5, .5, .5, .25));
}

TEST(ReduceLROnPlateau, Says_so_only_when_verbose) {
  const auto printed = [](int verbose) {
    ::testing::internal::CaptureStdout();
    rates({1, 1, 1}, {.factor = .5, .patience = 2, .verbose = verbose});
    return ::testing::internal::GetCapturedStdout();
  };
  EXPECT_EQ(printed(0), "");
  EXPECT_EQ(printed(1), "Epoch 3: ReduceLROnPlateau reducing learning rate to 0.5.\n");
}

TEST(LearningRateScheduler, Sets_the_rate_before_each_epoch_from_the_one_so_far) {
  Sequential model = line();
  const Dataset data = points();
  std::vector<int> epochs;
  LearningRateScheduler scheduler([&](int epoch, double rate) {
    epochs.push_back(epoch);
    return epoch < 3 ? rate : rate / 4;
  });
  FitOptions fit = silent(6, {&scheduler}, data);
  fit.initial_epoch = 1;
  EXPECT_THAT(model.fit(data, fit)["learning_rate"], ElementsAre(1, 1, .25, .0625, .015625));
  EXPECT_THAT(epochs, ElementsAre(1, 2, 3, 4, 5));
}

TEST(LearningRateScheduler, Says_so_only_when_verbose) {
  const Dataset data = points();
  for (int verbose : {0, 1}) {
    Sequential model = line();
    ::testing::internal::CaptureStdout();
    model.fit(data, silent(1, {LearningRateScheduler([](int, double) { return 0.25; }, verbose)}, data));
    EXPECT_EQ(::testing::internal::GetCapturedStdout(),
              verbose ? "Epoch 1: LearningRateScheduler setting learning rate to 0.25.\n" : "");
  }
}

TEST(LearningRateScheduler, Refuses_a_rate_that_cannot_be) {
  Sequential model = line();
  const Dataset data = points();
  for (double rate : {-0.1, nan, inf})
    EXPECT_THROW(model.fit(data, silent(1, {LearningRateScheduler([=](int, double) { return rate; })}, data)),
                 ValueError)
        << rate;
  EXPECT_EQ(model.learning_rate(), 1);
}

/// Runs the callback in a fit of one epoch that validates; returns what the ValueError says.
std::string refusal(const Callbacks::Entry& callback) {
  Sequential model = line();
  const Dataset data = points();
  try {
    model.fit(data, silent(1, Callbacks({callback}), data));
  } catch (const ValueError& error) {
    return error.what();
  }
  return "no ValueError";
}

TEST(Callbacks, Name_the_numbers_there_are_for_one_they_do_not_know) {
  const auto says_which =
      AllOf(HasSubstr("unknown number to monitor \"val_los\": did you mean \"val_loss\"?"),
            HasSubstr("loss, accuracy, val_loss, val_accuracy"));
  EXPECT_THAT(refusal(EarlyStopping({.monitor = "val_los"})), says_which);
  EXPECT_THAT(refusal(ReduceLROnPlateau({.monitor = "val_los"})), says_which);
  EXPECT_THAT(refusal(ModelCheckpoint("w", {.monitor = "val_los", .save_best_only = true})), says_which);
  // With a mode it may be one that another callback sets; the first epoch tells.
  EXPECT_THAT(refusal(EarlyStopping({.monitor = "val_los", .mode = Monitor::min})), says_which);
}

TEST(Callbacks, Watch_a_number_that_one_before_them_sets) {
  Sequential model = line();
  const Dataset data = points();
  LambdaCallback play = script(model, "balanced", {.5, .6, .5, .5});
  EarlyStopping early({.monitor = "balanced", .patience = 2, .mode = Monitor::max});
  const History history = model.fit(data, silent(4, {&play, &early}, data));
  EXPECT_EQ(early.best_epoch(), 1);
  EXPECT_THAT(history["balanced"], ElementsAre(.5, .6, .5, .5));
}

TEST(Callbacks, Refuse_options_that_cannot_be) {
  EXPECT_THROW(EarlyStopping({.patience = -1}), ValueError);
  EXPECT_THROW(EarlyStopping({.min_delta = nan}), ValueError);
  EXPECT_THROW(EarlyStopping({.baseline = nan}), ValueError);
  EXPECT_THROW(EarlyStopping({.start_from_epoch = -1}), ValueError);
  for (double factor : {1.0, 1.5, 0.0, -0.5, nan})
    EXPECT_THROW(ReduceLROnPlateau({.factor = factor}), ValueError) << factor;
  EXPECT_THROW(ReduceLROnPlateau({.patience = -1}), ValueError);
  EXPECT_THROW(ReduceLROnPlateau({.cooldown = -1}), ValueError);
  EXPECT_THROW(ReduceLROnPlateau({.min_lr = -1e-9}), ValueError);
  EXPECT_THROW(ReduceLROnPlateau({.min_lr = nan}), ValueError);
  EXPECT_THROW(LearningRateScheduler({}), ValueError);
  EXPECT_THROW(Callbacks::Entry(static_cast<Callback*>(nullptr)), ValueError);
  EXPECT_THROW(Callbacks::Entry(std::shared_ptr<Callback>()), ValueError);
}

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
