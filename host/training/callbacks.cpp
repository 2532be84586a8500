// The callbacks that Keras's users know; those that write files are in callback_files.cpp. Rules as in
// keras.callbacks.
// SPDX-License-Identifier: Apache-2.0
#include <glia/callbacks.h>
#include <glia/error.h>
#include <glia/named.h>  // defines: unknown_name
#include <glia/sequential.h>
#include <host/base/number_text.h>
#include <host/training/progress.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <iostream>
#include <limits>

namespace glia {

CallbackState Callback::state() const { return {}; }
void Callback::set_state(CallbackState) {}
void Callback::on_epoch_begin(int) {}
void Callback::on_epoch_end(int, Logs&) {}
void Callback::on_batch_begin(std::int64_t) {}
void Callback::on_batch_end(std::int64_t, const Logs&) {}
void Callback::on_test_end(const Logs&) {}
void Callback::on_test_batch_begin(std::int64_t) {}
void Callback::on_test_batch_end(std::int64_t, const Logs&) {}
void Callback::on_predict_batch_begin(std::int64_t) {}
void Callback::on_predict_batch_end(std::int64_t) {}

Callbacks::Entry::Entry(std::shared_ptr<Callback> callback) : callback_(std::move(callback)) {
  GLIA_CHECK(callback_, ValueError, "got a null pointer among the callbacks, expected one to a Callback");
}

Watched::Watched(std::string name, Monitor mode, double min_delta)
    : name_(std::move(name)), mode_(mode), min_delta_(std::abs(min_delta)) {
  GLIA_CHECK(std::isfinite(min_delta), ValueError, "got min_delta ", min_delta, ", expected a finite number");
}

void Watched::expect_in(const TrainingParams& params, const char* callback) {
  const auto has = [](const std::vector<std::string>& names, const std::string& name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  of_fit_ = has(params.keys, name_);
  callback_ = callback;
  GLIA_CHECK(
      of_fit_ || mode_ != Monitor::automatic, ValueError, callback, ": ",
      detail::unknown_name("number to monitor", name_, params.keys),
      " Metrics are named in compile, and val_ ones need validation data in fit; what a callback sets in "
      "the logs needs a mode, glia::Monitor::min or max.");
  direction_ = mode_;
  if (mode_ != Monitor::automatic) return;
  const std::string metric = name_.rfind("val_", 0) == 0 ? name_.substr(4) : name_;
  direction_ = has(params.greater_is_better, metric) ? Monitor::max : Monitor::min;
}

bool Watched::improves(double value, const std::optional<double>& reference) const {
  if (std::isnan(value)) return false;
  if (!reference) return true;
  return direction_ == Monitor::max ? value - min_delta_ > *reference : value + min_delta_ < *reference;
}

std::optional<double> Watched::in(const Logs& logs) const {
  if (logs.contains(name_)) return logs[name_];
  std::vector<std::string> names;
  for (const auto& [name, value] : logs) names.push_back(name);
  GLIA_CHECK(of_fit_, ValueError, callback_, ": ", detail::unknown_name("number to monitor", name_, names),
             " The callback that sets it must stand before.");
  return std::nullopt;
}

namespace {

void put(CallbackState& state, const char* name, const std::optional<double>& value) {
  if (value) state.numbers[name] = *value;
}
void take(const CallbackState& state, const char* name, std::optional<double>& value) {
  const auto found = state.numbers.find(name);
  if (found != state.numbers.end())
    value = found->second;
  else
    value.reset();
}
/// A count of epochs, which is as large as an int at most.
void take(const CallbackState& state, const char* name, int& value) {
  std::optional<double> number;
  take(state, name, number);
  if (number && *number >= -1 && *number <= std::numeric_limits<int>::max())
    value = static_cast<int>(*number);
}

}  // namespace

EarlyStopping::EarlyStopping(const EarlyStoppingOptions& options)
    : options_(options), watched_(options.monitor, options.mode, options.min_delta) {
  GLIA_CHECK(options.patience >= 0, ValueError, "EarlyStopping got patience ", options.patience,
             ", expected at least 0 epochs");
  GLIA_CHECK(options.start_from_epoch >= 0, ValueError, "EarlyStopping got start_from_epoch ",
             options.start_from_epoch, ", expected at least 0");
  GLIA_CHECK(!options.baseline || !std::isnan(*options.baseline), ValueError,
             "EarlyStopping got NaN as baseline, expected a number that can be beaten");
}

/// A copy has the options, not the weights it may hold.
EarlyStopping::EarlyStopping(const EarlyStopping& other) : EarlyStopping(other.options_) {}

void EarlyStopping::on_train_begin() {
  watched_.expect_in(params(), "EarlyStopping");
  best_.reset();
  best_weights_.clear();
  wait_ = 0, stopped_epoch_ = -1, best_epoch_ = 0;
}

void EarlyStopping::on_epoch_end(int epoch, Logs& logs) {
  const std::optional<double> value = watched_.in(logs);
  if (!value || epoch < options_.start_from_epoch) return;
  const bool first_weights = options_.restore_best_weights && best_weights_.empty();
  const bool improved = watched_.improves(*value, best_);
  if (improved || first_weights) best_epoch_ = epoch;
  if (options_.restore_best_weights && (improved || first_weights)) best_weights_ = model().get_weights();
  ++wait_;
  if (improved) {
    best_ = value;
    if (!options_.baseline || watched_.improves(*value, options_.baseline)) wait_ = 0;
    return;
  }
  if (wait_ < options_.patience || epoch == 0) return;
  stopped_epoch_ = epoch;
  model().stop_training();
}

CallbackState EarlyStopping::state() const {
  CallbackState state;
  put(state, "best", best_), put(state, "wait", wait_);
  put(state, "stopped_epoch", stopped_epoch_), put(state, "best_epoch", best_epoch_);
  for (const Tensor& weight : best_weights_) state.tensors.push_back(weight.clone());
  return state;
}

void EarlyStopping::set_state(CallbackState state) {
  take(state, "best", best_), take(state, "wait", wait_);
  take(state, "stopped_epoch", stopped_epoch_), take(state, "best_epoch", best_epoch_);
  best_weights_ = std::move(state.tensors);
  if (stopped_epoch_ >= 0) model().stop_training();
}

void EarlyStopping::on_train_end() {
  if (stopped_epoch_ > 0 && options_.verbose > 0)
    std::cout << detail::concat("Epoch ", stopped_epoch_ + 1, ": early stopping\n");
  if (best_weights_.empty()) return;
  if (options_.verbose > 0)
    std::cout << detail::concat("Restoring model weights from the end of the best epoch: ", best_epoch_ + 1,
                                ".\n");
  model().set_weights(best_weights_);
}

ReduceLROnPlateau::ReduceLROnPlateau(const ReduceLROnPlateauOptions& options)
    : options_(options), watched_(options.monitor, options.mode, options.min_delta) {
  GLIA_CHECK(options.factor > 0 && options.factor < 1, ValueError, "ReduceLROnPlateau got factor ",
             options.factor, ", expected one between 0 and 1: the rate is multiplied by it");
  GLIA_CHECK(options.patience >= 0 && options.cooldown >= 0, ValueError, "ReduceLROnPlateau got patience ",
             options.patience, " and cooldown ", options.cooldown, ", expected at least 0 epochs");
  GLIA_CHECK(options.min_lr >= 0, ValueError, "ReduceLROnPlateau got min_lr ", options.min_lr,
             ", expected at least 0");
}

CallbackState ReduceLROnPlateau::state() const {
  CallbackState state;
  put(state, "best", best_), put(state, "wait", wait_), put(state, "cooldown", cooldown_);
  return state;
}

void ReduceLROnPlateau::set_state(CallbackState state) {
  take(state, "best", best_), take(state, "wait", wait_), take(state, "cooldown", cooldown_);
}

void ReduceLROnPlateau::on_train_begin() {
  watched_.expect_in(params(), "ReduceLROnPlateau");
  best_.reset();
  wait_ = cooldown_ = 0;
}

void ReduceLROnPlateau::on_epoch_end(int epoch, Logs& logs) {
  const double rate = model().learning_rate();
  logs.set("learning_rate", rate);
  const std::optional<double> value = watched_.in(logs);
  if (!value) return;
  if (cooldown_ > 0) --cooldown_, wait_ = 0;
  if (watched_.improves(*value, best_)) {
    best_ = value;
    wait_ = 0;
    return;
  }
  if (cooldown_ > 0 || ++wait_ < options_.patience) return;
  if (rate <= options_.min_lr) return;
  const double reduced = std::max(rate * options_.factor, options_.min_lr);
  model().set_learning_rate(reduced);
  if (options_.verbose > 0)
    std::cout << detail::concat("Epoch ", epoch + 1, ": ReduceLROnPlateau reducing learning rate to ",
                                detail::shortest(reduced), ".\n");
  cooldown_ = options_.cooldown;
  wait_ = 0;
}

LearningRateScheduler::LearningRateScheduler(std::function<double(int, double)> schedule, int verbose)
    : schedule_(std::move(schedule)), verbose_(verbose) {
  GLIA_CHECK(schedule_, ValueError, "LearningRateScheduler got no function, expected one of epoch and rate");
}

void LearningRateScheduler::on_epoch_begin(int epoch) {
  const double rate = schedule_(epoch, model().learning_rate());
  model().set_learning_rate(rate);
  if (verbose_ > 0)
    std::cout << detail::concat("Epoch ", epoch + 1, ": LearningRateScheduler setting learning rate to ",
                                detail::shortest(rate), ".\n");
}

void LearningRateScheduler::on_epoch_end(int, Logs& logs) {
  logs.set("learning_rate", model().learning_rate());
}

void TerminateOnNaN::on_batch_end(std::int64_t batch, const Logs& logs) {
  if (std::isfinite(logs["loss"])) return;
  if (params().verbose > 0)
    std::cout << detail::concat("Batch ", batch, ": Invalid loss, terminating training\n");
  model().stop_training();
}

void LambdaCallback::on_train_begin() {
  if (do_.on_train_begin) do_.on_train_begin();
}
void LambdaCallback::on_train_end() {
  if (do_.on_train_end) do_.on_train_end();
}
void LambdaCallback::on_epoch_begin(int epoch) {
  if (do_.on_epoch_begin) do_.on_epoch_begin(epoch);
}
void LambdaCallback::on_epoch_end(int epoch, Logs& logs) {
  if (do_.on_epoch_end) do_.on_epoch_end(epoch, logs);
}
void LambdaCallback::on_batch_begin(std::int64_t batch) {
  if (do_.on_batch_begin) do_.on_batch_begin(batch);
}
void LambdaCallback::on_batch_end(std::int64_t batch, const Logs& logs) {
  if (do_.on_batch_end) do_.on_batch_end(batch, logs);
}

ProgbarLogger::ProgbarLogger()
    : progress_(std::make_shared<Progress>(std::cout, 1, isatty(STDOUT_FILENO) == 1)) {}
ProgbarLogger::ProgbarLogger(std::ostream& out) : progress_(std::make_shared<Progress>(out, 1, false)) {}

void ProgbarLogger::on_epoch_begin(int epoch) {
  progress_->begin_epoch(epoch, params().epochs, params().steps);
}
void ProgbarLogger::on_batch_end(std::int64_t batch, const Logs& logs) {
  if (progress_->wants_update()) progress_->update(batch + 1, logs);
}
void ProgbarLogger::on_epoch_end(int, Logs& logs) { progress_->end(logs); }

}  // namespace glia
