// Callbacks: what an application, or Keras's well-known ones, do between the epochs of a fit.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/history.h>  // defines: Logs
#include <glia/macros.h>
#include <glia/tensor.h>

#include <cstdint>
#include <fstream>
#include <functional>
#include <initializer_list>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace GLIA_API glia {

class Model;
class Progress;

/// What a fit is going to do; of evaluate and predict only steps and verbose are said.
struct TrainingParams {
  int epochs = 0;
  std::int64_t steps = 0;              ///< of an epoch
  int verbose = 0;                     ///< as given to fit
  std::vector<std::string> keys = {};  ///< of the logs of an epoch, val_ ones among them where it validates
  std::vector<std::string> greater_is_better = {};  ///< those metrics, as compile named them
};

/// What a callback knows at the end of an epoch, for files of models.
struct CallbackState {
  std::map<std::string, double> numbers = {};
  std::vector<Tensor> tensors = {};  ///< on the CPU
};

/// Base of all callbacks. fit, evaluate and predict call them on the caller's thread, in the order they were given; what one throws
/// ends the call and reaches its caller. A callback may look at the model and ask it (evaluate, predict, gradients, get_weights),
/// change its weights and learning rate, and call train_on_batch, which is one more update. compile, another fit, and moving or
/// assigning the model are refused with a StateError.
class Callback {
 public:
  Callback() = default;
  /// What it is attached to is its own.
  Callback(const Callback&) {}
  Callback& operator=(const Callback&) { return *this; }
  virtual ~Callback() = default;

  virtual void on_train_begin() {}
  virtual void on_train_end() {}
  /// `epoch` counts from 0.
  virtual void on_epoch_begin(int epoch);
  /// `logs` are loss, metrics and val_ ones of the epoch; what is set in them goes into the history.
  virtual void on_epoch_end(int epoch, Logs& logs);
  /// Before `batch` (from 0) of an epoch is launched, with those that go along with it.
  virtual void on_batch_begin(std::int64_t batch);
  /// After `batch` (from 0) of an epoch; `logs` are means over the epoch so far. Called once a launch of the device,
  /// which is many batches and may be behind the device by one, unless a callback watches_batches(): then the model
  /// is as that batch left it, and a learning rate set here is the next batch's. A launch under way when fit was stopped is not
  /// told of.
  virtual void on_batch_end(std::int64_t batch, const Logs& logs);
  /// Whether on_batch_begin and on_batch_end must come around every batch: then each is a launch of its own.
  virtual bool watches_batches() const { return false; }

  /// Around an evaluation: evaluate's, or that of fit's validation data. `logs` are its loss and metrics.
  virtual void on_test_begin() {}
  virtual void on_test_end(const Logs& logs);
  /// Around a launch of batches, as on_batch_begin and on_batch_end. `logs` are means over the rows so far.
  virtual void on_test_batch_begin(std::int64_t batch);
  virtual void on_test_batch_end(std::int64_t batch, const Logs& logs);
  /// Around predict, and a launch of its batches.
  virtual void on_predict_begin() {}
  virtual void on_predict_end() {}
  virtual void on_predict_batch_begin(std::int64_t batch);
  virtual void on_predict_batch_end(std::int64_t batch);
  /// As watches_batches(), for those of evaluations and predictions.
  virtual bool watches_test_batches() const { return false; }

  /// The class, where a file of a model that is saved within a fit is to keep state(); else empty. A fit of the loaded model that
  /// goes on from an initial_epoch gives it to the callback of that class, the first to the first, behind on_train_begin.
  virtual std::string type() const { return {}; }
  virtual CallbackState state() const;
  virtual void set_state(CallbackState state);
  /// A place as FitOptions::resume_from, from which fit goes on where it was told none itself; empty: none.
  virtual std::string resumes_from() const { return {}; }

  /// Called by fit, evaluate, predict and confusion_matrix before all else, with detach() at their end: what was attached before,
  /// by a call in whose middle that was made, is attached again.
  void attach(Model& model, const TrainingParams& params) {
    if (running_++ == 0) attached_.clear();
    attached_.push_back({&model, params});
  }
  void detach() {
    if (--running_ > 0) attached_.pop_back();
  }

 protected:
  /// The model in use; its stop_training() ends fit.
  Model& model() const { return *attached_.back().first; }
  const TrainingParams& params() const { return attached_.back().second; }

 private:
  std::vector<std::pair<Model*, TrainingParams>> attached_{{}};  // the innermost call last
  int running_ = 0;                                              // calls
};

/// `.callbacks = {glia::EarlyStopping({.patience = 3}), &mine}`: copies, or pointers to what lives while fit runs.
class Callbacks {
 public:
  class Entry {
   public:
    template <class Kind, std::enable_if_t<std::is_base_of_v<Callback, Kind>, int> = 0>
    Entry(const Kind& callback) : callback_(std::make_shared<Kind>(callback)) {}
    /// These two throw ValueError for a null pointer.
    Entry(Callback* callback) : Entry(std::shared_ptr<Callback>(callback, [](Callback*) {})) {}
    Entry(std::shared_ptr<Callback> callback);
    Callback& get() const { return *callback_; }

   private:
    std::shared_ptr<Callback> callback_;
  };

  Callbacks() = default;
  Callbacks(std::initializer_list<Entry> entries) : entries_(entries) {}
  Callbacks(std::vector<Entry> entries) : entries_(std::move(entries)) {}

  auto begin() const { return entries_.begin(); }
  auto end() const { return entries_.end(); }

 private:
  std::vector<Entry> entries_;
};

/// Which way a monitored number gets better: as its name says, or told.
enum class Monitor { automatic, min, max };

/// A number of the logs that is watched, and its best so far.
class Watched {
 public:
  Watched(std::string name, Monitor mode, double min_delta);
  /// Throws ValueError for a name that fit's logs will not have, naming those they will. One that a callback of the
  /// application sets in the logs is taken with Monitor::min or Monitor::max.
  void expect_in(const TrainingParams& params, const char* callback);
  /// Whether `value` is better than `reference` by more than min_delta. Anything is better than none, but for NaN,
  /// which is better than nothing (in Keras a NaN that comes first is never improved on).
  bool improves(double value, const std::optional<double>& reference) const;
  /// The number in these logs, if it is there: with validation_freq above 1 not every epoch has it. Throws ValueError
  /// where neither fit nor a callback set it.
  std::optional<double> in(const Logs& logs) const;
  const std::string& name() const { return name_; }

 private:
  std::string name_;
  Monitor mode_;
  Monitor direction_ = Monitor::min;  // min or max
  double min_delta_;
  bool of_fit_ = true;  // else a callback's
  std::string callback_;
};

struct EarlyStoppingOptions {
  std::string monitor = "val_loss";
  double min_delta = 0;
  int patience = 0;
  int verbose = 0;
  Monitor mode = Monitor::automatic;
  std::optional<double> baseline = {};
  bool restore_best_weights = false;
  int start_from_epoch = 0;
};

/// Ends fit when `monitor` has not got better for `patience` epochs.
class EarlyStopping : public Callback {
 public:
  /// Throws ValueError for options that cannot be.
  explicit EarlyStopping(const EarlyStoppingOptions& options = {});
  EarlyStopping(const EarlyStopping& other);

  void on_train_begin() override;
  void on_epoch_end(int epoch, Logs& logs) override;
  void on_train_end() override;

  std::string type() const override { return "EarlyStopping"; }
  CallbackState state() const override;
  void set_state(CallbackState state) override;

  /// The epoch (from 0) after which fit ended, or -1.
  int stopped_epoch() const { return stopped_epoch_; }
  int best_epoch() const { return best_epoch_; }

 private:
  EarlyStoppingOptions options_;
  Watched watched_;
  std::optional<double> best_;
  int wait_ = 0, stopped_epoch_ = -1, best_epoch_ = 0;
  std::vector<Tensor> best_weights_;
};

struct ModelCheckpointOptions {
  std::string monitor = "val_loss";
  bool save_best_only = false;
  bool save_weights_only = true;  ///< false: the whole model, to go on from; see Model::save
  Monitor mode = Monitor::automatic;
  int verbose = 0;
  std::optional<double> initial_value_threshold = {};  ///< what the first saved must beat
  /// Of the files that `filepath` stands for, {epoch} among them in the file's name, those of the last so many epochs stay: others,
  /// of epochs before this one, are deleted when a new one is written. 0: all stay.
  int keep_last = 0;
};

/// Saves the weights, or the model, after each epoch, or each that is the best so far; that lasts over several fits, where the fits
/// are given a pointer. `filepath` may have {epoch:02d}, counted from 1, and numbers of the logs, such as
/// {val_loss:.2f}: "weights-{epoch:02d}.safetensors". A field is {name}, {name:4d} for the epoch, {name:.3f} or
/// {name:8.2e} for others, zeros in front of the width as in Python; {{ and }} are braces. Folders are made. With
/// save_best_only an epoch without the number, as validation_freq makes them, saves nothing.
class ModelCheckpoint : public Callback {
 public:
  /// Throws ValueError for options and fields that cannot be; fit does for a field that its logs will not have, and
  /// FileError where a file cannot be written.
  explicit ModelCheckpoint(std::string filepath, const ModelCheckpointOptions& options = {});

  void on_train_begin() override;
  void on_epoch_end(int epoch, Logs& logs) override;
  std::string type() const override { return "ModelCheckpoint"; }
  CallbackState state() const override;
  void set_state(CallbackState state) override;

 private:
  std::string path_of(int epoch, const Logs& logs) const;
  void delete_older(const std::string& written, int epoch) const;

  std::string filepath_;
  ModelCheckpointOptions options_;
  Watched watched_;
  std::optional<double> best_;
};

struct BackupAndRestoreOptions {
  int save_freq = 1;              ///< epochs from one file to the next
  bool delete_checkpoint = true;  ///< when fit came to its end
};

/// Saves the whole model in `backup_dir`, and lets a fit that finds one there go on from it: a program that is begun anew after it
/// was killed comes to the bits of one that was not. Give it behind the other callbacks, whose states are in the file.
class BackupAndRestore : public Callback {
 public:
  /// Throws ValueError for an empty folder or a save_freq below 1.
  explicit BackupAndRestore(std::string backup_dir, const BackupAndRestoreOptions& options = {});

  void on_epoch_end(int epoch, Logs& logs) override;
  void on_train_end() override;
  std::string resumes_from() const override;

 private:
  std::string path() const;

  std::string backup_dir_;
  BackupAndRestoreOptions options_;
};

struct ReduceLROnPlateauOptions {
  std::string monitor = "val_loss";
  double factor = 0.1;
  int patience = 10;
  int verbose = 0;
  Monitor mode = Monitor::automatic;
  double min_delta = 1e-4;
  int cooldown = 0;
  double min_lr = 0;
};

/// Multiplies the learning rate by `factor` when `monitor` has not got better for `patience` epochs. Adds
/// "learning_rate" to the logs.
class ReduceLROnPlateau : public Callback {
 public:
  /// Throws ValueError for a factor of 1 or more and other options that cannot be.
  explicit ReduceLROnPlateau(const ReduceLROnPlateauOptions& options = {});

  void on_train_begin() override;
  void on_epoch_end(int epoch, Logs& logs) override;
  std::string type() const override { return "ReduceLROnPlateau"; }
  CallbackState state() const override;
  void set_state(CallbackState state) override;

 private:
  ReduceLROnPlateauOptions options_;
  Watched watched_;
  std::optional<double> best_;
  int wait_ = 0, cooldown_ = 0;
};

/// Sets the learning rate before each epoch to schedule(epoch, rate so far). Adds "learning_rate" to the logs.
class LearningRateScheduler : public Callback {
 public:
  explicit LearningRateScheduler(std::function<double(int epoch, double rate)> schedule, int verbose = 0);

  void on_epoch_begin(int epoch) override;
  void on_epoch_end(int epoch, Logs& logs) override;

 private:
  std::function<double(int, double)> schedule_;
  int verbose_;
};

/// A line of comma-separated values for each epoch: epoch (from 0), then the logs in alphabetical order; "NA" where a
/// number is missing. fit throws FileError where the file cannot be written, or, to append to, has other columns. What a
/// process that was killed left of a last line is cut off.
class CSVLogger : public Callback {
 public:
  /// Throws ValueError for a separator that numbers or names may have in them.
  explicit CSVLogger(std::string filename, char separator = ',', bool append = false);

  void on_train_begin() override;
  void on_epoch_end(int epoch, Logs& logs) override;

 private:
  void write(const std::string& text, std::ios::openmode how);
  void begin(const Logs& logs);

  std::string filename_;
  char separator_;
  bool append_, begun_ = false;
  std::vector<std::string> keys_;
};

/// Ends fit as soon as the loss is NaN or infinite, and says so unless fit is silent (.verbose = 0).
class TerminateOnNaN : public Callback {
 public:
  void on_batch_end(std::int64_t batch, const Logs& logs) override;
};

struct LambdaCallbackOptions {
  std::function<void(int epoch)> on_epoch_begin = {};
  std::function<void(int epoch, Logs& logs)> on_epoch_end = {};
  std::function<void(std::int64_t batch)> on_batch_begin = {};                  ///< makes each batch a launch
  std::function<void(std::int64_t batch, const Logs& logs)> on_batch_end = {};  ///< makes each batch a launch
  std::function<void()> on_train_begin = {};
  std::function<void()> on_train_end = {};
};

/// Functions for the moments of a fit.
class LambdaCallback : public Callback {
 public:
  explicit LambdaCallback(LambdaCallbackOptions options) : do_(std::move(options)) {}

  void on_train_begin() override;
  void on_train_end() override;
  void on_epoch_begin(int epoch) override;
  void on_epoch_end(int epoch, Logs& logs) override;
  void on_batch_begin(std::int64_t batch) override;
  void on_batch_end(std::int64_t batch, const Logs& logs) override;
  bool watches_batches() const override { return do_.on_batch_begin || do_.on_batch_end; }

 private:
  LambdaCallbackOptions do_;
};

/// The progress that fit prints with .verbose = 1, to stdout, or to a stream: for fits with .verbose = 0.
class ProgbarLogger : public Callback {
 public:
  ProgbarLogger();
  explicit ProgbarLogger(std::ostream& out);

  void on_epoch_begin(int epoch) override;
  void on_batch_end(std::int64_t batch, const Logs& logs) override;
  void on_epoch_end(int epoch, Logs& logs) override;

 private:
  std::shared_ptr<Progress> progress_;
};

}  // namespace glia
