// History: what fit returns. Logs: one set of loss and metrics.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

namespace glia {

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

/// One value an epoch for loss, each metric, and val_ of each where there was validation.
class History {
 public:
  /// All epochs of one key; throws ValueError for a key that is not there, naming those that are.
  const std::vector<double>& operator[](const std::string& key) const;
  const std::vector<double>& operator[](const char* key) const { return (*this)[std::string(key)]; }
  bool contains(const std::string& key) const;
  /// In the order of metrics_names(), then the same with val_ in front.
  const std::vector<std::string>& keys() const { return keys_; }
  /// Numbers of the epochs, from 0 as in Keras.
  const std::vector<int>& epoch() const { return epoch_; }
  /// Wall-clock seconds of each epoch, validation included.
  const std::vector<double>& seconds() const { return seconds_; }

  /// Adds one epoch; what fit does.
  void append(int epoch, const Logs& logs, double seconds);

 private:
  std::vector<std::string> keys_;
  std::map<std::string, std::vector<double>> values_;
  std::vector<int> epoch_;
  std::vector<double> seconds_;
};

}  // namespace glia
