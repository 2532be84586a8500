// History: what fit returns. Logs: one set of loss and metrics.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/macros.h>

#include <cstddef>
#include <map>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

namespace GLIA_API glia {

class Context;

/// Loss and metrics by name, in the order of metrics_names(): logs["loss"], logs[0].
class Logs {
 public:
  Logs() = default;
  explicit Logs(std::vector<std::pair<std::string, double>> values) : values_(std::move(values)) {}

  /// Throws ValueError for a name or number that is not there, naming those that are.
  double operator[](const std::string& name) const;
  double operator[](const char* name) const { return (*this)[std::string(name)]; }
  double operator[](int index) const;

  bool contains(const std::string& name) const;
  /// Adds a number, or replaces it.
  void set(const std::string& name, double value);
  std::size_t size() const { return values_.size(); }
  auto begin() const { return values_.begin(); }
  auto end() const { return values_.end(); }

 private:
  std::vector<std::pair<std::string, double>> values_;
};

/// {"loss": 0.4976, "accuracy": 0.8256}, as Python prints a dict.
std::ostream& operator<<(std::ostream& out, const Logs& logs);

/// Whether a number of this name is better the greater it is: accuracies, scores, and what counts right answers;
/// val_ in front does not matter.
bool greater_is_better(const std::string& key);

/// What History::to_json writes beside the epochs.
struct HistoryJsonOptions {
  const Context* context = nullptr;  ///< its device, number of threads and the libraries' versions
  Logs test = {};                    ///< what evaluate returned
};

struct HistoryPlotOptions {
  std::string title = "Training history";
  std::string mark_best = {};  ///< a key whose best epoch a dashed line marks, such as "val_loss"
  int columns = 0;             ///< panels in a row; 0: up to three
};

/// One value an epoch for loss, each metric, and val_ of each where there was validation.
///
///     glia::History history = model.fit(train, {.epochs = 30, .validation_split = 0.2});
///     int best = history.best_epoch("val_loss");  // of epochs 0 to 29
///     history.plot("history.svg");
class History {
 public:
  /// All values of one key; throws ValueError for a key that is not there, naming those that are.
  const std::vector<double>& operator[](const std::string& key) const;
  const std::vector<double>& operator[](const char* key) const { return (*this)[std::string(key)]; }
  bool contains(const std::string& key) const;
  /// In the order of metrics_names(), then the same with val_ in front.
  const std::vector<std::string>& keys() const { return keys_; }
  /// Numbers of the epochs, from 0 as in Keras.
  const std::vector<int>& epoch() const { return epoch_; }
  /// Numbers of the epochs that the values of one key are from, as many as values: with validation_freq = 2,
  /// "val_loss" has epochs 1, 3, 5. Throws ValueError as operator[].
  std::vector<int> epoch(const std::string& key) const;
  std::vector<int> epoch(const char* key) const { return epoch(std::string(key)); }
  /// Wall-clock seconds of each epoch, validation included.
  const std::vector<double>& seconds() const { return seconds_; }

  /// The number of the epoch, counted from 0 as epoch() does, with the best value of `key`: the greatest where
  /// greater_is_better(key), else the least; the first of equal ones. NaN is never best. Throws ValueError for a
  /// key that is not there, as every key is in a history without epochs, and for one that has only NaN.
  int best_epoch(const std::string& key) const;
  int best_epoch(const char* key) const { return best_epoch(std::string(key)); }

  /// Writes a table: a column "epoch" (from 0), one for each key, and "seconds". NA where an epoch has no value of a
  /// key, as CSVLogger writes it; nan, inf and -inf as they are. Whole or not at all; throws FileError.
  void to_csv(const std::string& path) const;
  /// Writes {"epochs": [{"epoch": 0, "loss": 0.5, ..., "seconds": 1.5}, ...]}, and what the options name. JSON has
  /// neither NaN nor infinity: both become null, as does a value that an epoch does not have. Whole or not at all;
  /// throws FileError.
  void to_json(const std::string& path, const HistoryJsonOptions& options = {}) const;
  /// Draws an SVG: a panel for the loss, one for the accuracy, where there is one, and one for each other metric;
  /// epochs from 1, training blue, validation orange. NaN and infinity leave a gap. Throws ValueError where there is
  /// no epoch, or no key `mark_best`, and for negative columns; FileError where the file cannot be written, whole or not at all.
  void plot(const std::string& path, const HistoryPlotOptions& options = {}) const;

  /// Adds one epoch; what fit does.
  void append(int epoch, const Logs& logs, double seconds);

 private:
  struct Column {
    std::vector<double> values;
    std::vector<std::size_t> rows;  // where in epoch_ each value belongs
  };
  const Column& column(const std::string& key) const;
  /// One for each of epoch_; nothing where the epoch has none.
  std::vector<const double*> by_epoch(const std::string& key) const;

  std::vector<std::string> keys_;
  std::map<std::string, Column> columns_;
  std::vector<int> epoch_;
  std::vector<double> seconds_;
};

}  // namespace glia
