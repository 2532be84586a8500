// Grid and random search over whatever a model is made with: learning rate, batch size, units, optimizer.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/callbacks.h>  // defines: Monitor
#include <glia/datasets.h>   // defines: Dataset
#include <glia/macros.h>
#include <glia/named.h>  // defines: OptimizerName
#include <glia/sequential.h>

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <iosfwd>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace GLIA_API glia {

/// A number or a text that a trial tries.
class ParameterValue {
 public:
  ParameterValue(double number) : value_(number) {}
  ParameterValue(int number) : value_(static_cast<double>(number)) {}
  ParameterValue(const char* text) : value_(std::string(text)) {}
  ParameterValue(std::string text) : value_(std::move(text)) {}

  bool is_number() const { return std::holds_alternative<double>(value_); }
  double number() const { return std::get<double>(value_); }
  const std::string& text() const { return std::get<std::string>(value_); }
  /// The number in its fewest digits, or the text.
  std::string print() const;

  friend bool operator==(const ParameterValue&, const ParameterValue&) = default;

 private:
  std::variant<double, std::string> value_;
};

/// Numbers from `low` to `high` for a random search; made by the functions below.
struct ParameterRange {
  enum class Scale { linear, logarithmic, integer } scale;
  double low, high;
};
/// Every number alike, `high` left out. Throws ValueError unless both are finite and low < high.
ParameterRange uniform(double low, double high);
/// Every ratio alike: 1e-4 to 1e-3 is as likely as 1e-3 to 1e-2. Throws ValueError unless 0 < low < high.
ParameterRange log_uniform(double low, double high);
/// Whole numbers, both ends among them. Throws ValueError unless low <= high.
ParameterRange integers(std::int64_t low, std::int64_t high);

/// A name and what is tried for it: {"units", {16, 64}}, {"learning_rate", glia::log_uniform(1e-4, 1e-1)}.
class SearchParameter {
 public:
  SearchParameter(std::string name, std::initializer_list<ParameterValue> values)
      : SearchParameter(std::move(name), std::vector<ParameterValue>(values)) {}
  /// Throws ValueError for an empty name, no values, or a value that is there twice.
  SearchParameter(std::string name, std::vector<ParameterValue> values);
  SearchParameter(std::string name, const ParameterRange& range);

  const std::string& name() const { return name_; }
  /// Empty for a range.
  const std::vector<ParameterValue>& values() const { return values_; }
  const ParameterRange& range() const { return range_; }
  bool is_range() const { return values_.empty(); }

 private:
  std::string name_;
  std::vector<ParameterValue> values_;
  ParameterRange range_{ParameterRange::Scale::linear, 0, 0};
};

using SearchSpace = std::vector<SearchParameter>;

/// One value for each parameter of a search. Asking for a parameter that is not there, or is of the other kind, is a
/// ValueError that names those there are.
class Trial {
 public:
  explicit Trial(std::vector<std::pair<std::string, ParameterValue>> parameters)
      : parameters_(std::move(parameters)) {}

  bool has(const std::string& name) const;
  double number(const std::string& name) const;
  /// A whole number; ValueError for another.
  int integer(const std::string& name) const;
  const std::string& text(const std::string& name) const;
  /// The optimizer named by "optimizer" ("adam" where the search has none), with "learning_rate" where it has that.
  OptimizerName optimizer() const;
  /// In the order of the space.
  const std::vector<std::pair<std::string, ParameterValue>>& parameters() const { return parameters_; }
  /// "units 16, optimizer adam".
  std::string print() const;

 private:
  const ParameterValue& find(const std::string& name) const;

  std::vector<std::pair<std::string, ParameterValue>> parameters_;
};

struct SearchOptions {
  /// Of each trial's fit; validation as its validation_split or validation_data say, where there are no folds. A
  /// trial's "batch_size" and "epochs" take the place of these. Silent unless .verbose is given.
  FitOptions fit = {.verbose = 0};
  /// A number of the history, as it is after the last epoch.
  std::string objective = "val_loss";
  Monitor mode = Monitor::automatic;  ///< whether the least or the greatest is best
  /// 0, or a k-fold cross-validation of so many folds, shuffled by `seed`, the same for all trials; the score is the mean.
  int folds = 0;
  std::uint64_t seed = 0;  ///< of random trials and folds
};

/// A trial with what it reached.
struct TrialResult {
  Trial trial;
  double score = 0;            ///< the objective, or its mean over folds
  std::vector<double> scores;  ///< of each fold, or the one
  double seconds = 0;          ///< wall-clock, of building and fitting
};

/// All trials, the best first; those without a number (NaN) last.
class SearchResult {
 public:
  SearchResult(std::string objective, std::vector<TrialResult> trials)
      : objective_(std::move(objective)), trials_(std::move(trials)) {}

  const std::vector<TrialResult>& trials() const { return trials_; }
  const TrialResult& best() const { return trials_.front(); }
  const std::string& objective() const { return objective_; }
  /// A table: rank, parameters, score, where there are folds its deviation, and seconds.
  void print(std::ostream& out) const;
  /// The same as comma-separated values, written whole or not at all. Throws FileError.
  void to_csv(const std::string& path) const;

 private:
  std::vector<std::vector<std::string>> table(bool exact) const;

  std::string objective_;
  std::vector<TrialResult> trials_;
};

/// Makes a compiled model of a trial. Models start from the same seed unless it sets another, so that trials differ by
/// their parameters alone.
using ModelBuilder = std::function<Sequential(const Trial&)>;

/// Tries every combination, the last parameter changing fastest.
///
///     const glia::SearchSpace space = {{"optimizer", {"sgd", "adam"}}, {"learning_rate", {1e-2, 1e-3}}, {"units", {16, 64}}};
///     const auto build = [](const glia::Trial& trial) {
///       glia::Sequential model{glia::Dense(trial.integer("units"), "relu"), glia::Dense(10, "softmax")};
///       model.compile({.optimizer = trial.optimizer(), .loss = "sparse_categorical_crossentropy", .metrics = "accuracy"});
///       return model;
///     };
///     glia::SearchResult result = glia::grid_search(space, build, train,
///         {.fit = {.epochs = 3, .verbose = 0, .validation_split = 0.2}, .objective = "val_accuracy"});
///     result.print(std::cout);
///
/// Throws ValueError for a space without parameters, with one named twice or with a range, for an objective that the
/// history does not have, and for fewer than two folds. An exception of a trial ends the search and reaches the caller
/// nested (std::rethrow_if_nested) in a ValueError that names the trial's parameters. Synchronous.
SearchResult grid_search(const SearchSpace& space, const ModelBuilder& build, const Dataset& data,
                         const SearchOptions& options = {});
/// Tries `trials` combinations drawn at random, each once; fewer where the space has fewer. The same seed draws the
/// same. Errors as grid_search's, except that ranges are welcome, and ValueError for fewer than one trial.
SearchResult random_search(const SearchSpace& space, int trials, const ModelBuilder& build,
                           const Dataset& data, const SearchOptions& options = {});

}  // namespace glia
