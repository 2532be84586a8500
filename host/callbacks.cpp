// The callbacks that Keras's users know. Rules as in keras.callbacks.
// SPDX-License-Identifier: Apache-2.0
#include <glia/callbacks.h>
#include <glia/error.h>
#include <glia/named.h>  // defines: unknown_name
#include <glia/sequential.h>
#include <host/number_text.h>
#include <host/progress.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <iostream>

namespace glia {

void Callback::on_epoch_begin(int) {}
void Callback::on_epoch_end(int, Logs&) {}
void Callback::on_batch_end(std::int64_t, const Logs&) {}

Watched::Watched(std::string name, Monitor mode, double min_delta)
    : name_(std::move(name)), mode_(mode), min_delta_(std::abs(min_delta)) {
  GLIA_CHECK(std::isfinite(min_delta), ValueError, "got min_delta ", min_delta, ", expected a finite number");
}

void Watched::expect_in(const TrainingParams& params, const char* callback) {
  const bool there = std::find(params.keys.begin(), params.keys.end(), name_) != params.keys.end();
  GLIA_CHECK(there, ValueError, callback, ": ", detail::unknown_name("number to monitor", name_, params.keys),
             " Metrics are named in compile, and val_ ones need validation data in fit.");
  if (mode_ == Monitor::automatic) mode_ = greater_is_better(name_) ? Monitor::max : Monitor::min;
}

bool Watched::improves(double value, const std::optional<double>& reference) const {
  if (std::isnan(value)) return false;
  if (!reference) return true;
  return mode_ == Monitor::max ? value - min_delta_ > *reference : value + min_delta_ < *reference;
}

std::optional<double> Watched::in(const Logs& logs) const {
  if (!logs.contains(name_)) return std::nullopt;
  return logs[name_];
}

EarlyStopping::EarlyStopping(const EarlyStoppingOptions& options)
    : options_(options), watched_(options.monitor, options.mode, options.min_delta) {
  GLIA_CHECK(options.patience >= 0, ValueError, "EarlyStopping got patience ", options.patience,
             ", expected at least 0 epochs");
  GLIA_CHECK(options.start_from_epoch >= 0, ValueError, "EarlyStopping got start_from_epoch ",
             options.start_from_epoch, ", expected at least 0");
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

void EarlyStopping::on_train_end() {
  if (stopped_epoch_ > 0 && options_.verbose > 0)
    std::cout << "Epoch " << stopped_epoch_ + 1 << ": early stopping\n";
  if (best_weights_.empty()) return;
  if (options_.verbose > 0)
    std::cout << "Restoring model weights from the end of the best epoch: " << best_epoch_ + 1 << ".\n";
  model().set_weights(best_weights_);
}

ModelCheckpoint::ModelCheckpoint(std::string filepath, const ModelCheckpointOptions& options)
    : filepath_(std::move(filepath)),
      options_(options),
      watched_(options.monitor, options.mode, 0),
      best_(options.initial_value_threshold) {
  GLIA_CHECK(!filepath_.empty(), ValueError,
             "ModelCheckpoint got an empty filepath, expected that of a file");
}

void ModelCheckpoint::on_train_begin() {
  if (options_.save_best_only) watched_.expect_in(params(), "ModelCheckpoint");
  Logs sample;
  for (const std::string& key : params().keys) sample.set(key, 0);
  path_of(0, sample);  // throws for a name that the logs will not have
}

/// {name:.2f} and {epoch:02d} replaced.
std::string ModelCheckpoint::path_of(int epoch, const Logs& logs) const {
  std::string path;
  for (std::size_t i = 0; i < filepath_.size(); ++i) {
    const std::size_t close = filepath_[i] == '{' ? filepath_.find('}', i) : std::string::npos;
    if (close == std::string::npos) {
      path += filepath_[i];
      continue;
    }
    const std::string field = filepath_.substr(i + 1, close - i - 1);
    const std::size_t colon = field.find(':');
    const std::string name = field.substr(0, colon);
    const std::string format = colon == std::string::npos ? "" : field.substr(colon + 1);
    if (name == "epoch") {
      std::string number = std::to_string(epoch + 1);
      const std::size_t width =
          format.size() > 1 && format[0] == '0' ? std::strtoul(format.c_str(), nullptr, 10) : 0;
      if (number.size() < std::min<std::size_t>(width, 20)) number.insert(0, width - number.size(), '0');
      path += number;
    } else {
      const std::size_t point = format.find('.');
      const double value = logs[name];
      path +=
          point == std::string::npos
              ? detail::shortest(value)
              : detail::fixed(value, static_cast<int>(std::strtol(format.c_str() + point + 1, nullptr, 10)));
    }
    i = close;
  }
  return path;
}

void ModelCheckpoint::on_epoch_end(int epoch, Logs& logs) {
  const std::optional<double> value = watched_.in(logs);
  if (options_.save_best_only) {
    if (!value || !watched_.improves(*value, best_)) return;
    best_ = value;
  }
  const std::string path = path_of(epoch, logs);
  model().save_weights(path);
  if (options_.verbose > 0) std::cout << "Epoch " << epoch + 1 << ": saving weights to " << path << '\n';
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
    std::cout << "Epoch " << epoch + 1 << ": ReduceLROnPlateau reducing learning rate to "
              << detail::shortest(reduced) << ".\n";
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
    std::cout << "Epoch " << epoch + 1 << ": LearningRateScheduler setting learning rate to "
              << detail::shortest(rate) << ".\n";
}

void LearningRateScheduler::on_epoch_end(int, Logs& logs) {
  logs.set("learning_rate", model().learning_rate());
}

CSVLogger::CSVLogger(std::string filename, char separator, bool append)
    : filename_(std::move(filename)), separator_(separator), append_(append) {}

void CSVLogger::write(const std::string& line, bool from_start) {
  std::ofstream file(filename_, from_start ? std::ios::trunc : std::ios::app);
  if (file) file << line << '\n' << std::flush;
  GLIA_CHECK(file, FileError, "CSVLogger could not write ", filename_, ": ", std::strerror(errno),
             "; check the folder, its permissions and the disk's space");
}

void CSVLogger::on_train_begin() {
  keys_ = params().keys;
  started_ = false;
}

void CSVLogger::on_epoch_end(int epoch, Logs& logs) {
  if (!started_) {
    for (const auto& [name, value] :
         logs)  // such as the learning rate, which a callback before this one adds
      if (std::find(keys_.begin(), keys_.end(), name) == keys_.end()) keys_.push_back(name);
    std::sort(keys_.begin(), keys_.end());
    std::string header = "epoch";
    for (const std::string& key : keys_) header += separator_ + key;
    const bool there = append_ && std::ifstream(filename_).peek() != std::ifstream::traits_type::eof();
    if (!there) write(header, true);
    started_ = true;
  }
  std::string line = std::to_string(epoch);
  for (const std::string& key : keys_)
    line += separator_ + (logs.contains(key) ? detail::shortest(logs[key]) : std::string("NA"));
  write(line, false);
}

void TerminateOnNaN::on_batch_end(std::int64_t batch, const Logs& logs) {
  if (std::isfinite(logs["loss"])) return;
  std::cout << "Batch " << batch << ": Invalid loss, terminating training\n";
  model().stop_training();
}
/// The last launch of an epoch is not shown to on_batch_end before the epoch ends.
void TerminateOnNaN::on_epoch_end(int, Logs& logs) {
  if (!std::isfinite(logs["loss"])) model().stop_training();
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
