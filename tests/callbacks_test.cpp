// The callbacks that watch a number: EarlyStopping and ReduceLROnPlateau; LearningRateScheduler; and what they refuse.
// SPDX-License-Identifier: Apache-2.0
//
// Expected stops, rates and saved epochs of the scripted sequences are those of keras.callbacks 3.15 (torch backend),
// whose on_epoch_end was called with the same numbers.
#include <glia/glia.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "tests/scripted_fits.h"

namespace glia {
namespace {

using test::falling;
using test::line;
using test::points;
using test::rates;
using test::script;
using test::silent;
using test::stairs;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr double nan = std::numeric_limits<double>::quiet_NaN();
constexpr double inf = std::numeric_limits<double>::infinity();

const std::vector<double> rising{.5, .6, .55, .62, .61, .6, .7};

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

}  // namespace
}  // namespace glia
