// Grid and random search: which combinations are tried, and how each is judged.
// SPDX-License-Identifier: Apache-2.0
#include <glia/interrupt.h>
#include <glia/math/philox.h>
#include <glia/preprocessing.h>  // defines: KFold
#include <glia/search.h>
#include <host/base/number_text.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <exception>
#include <limits>
#include <set>

namespace glia {

std::string ParameterValue::print() const {
  if (!is_number()) return text();
  const double value = number();
  const bool whole = value == std::floor(value) && std::abs(value) < 1e15;
  return whole ? std::to_string(static_cast<std::int64_t>(value)) : detail::shortest(value);
}

ParameterRange uniform(double low, double high) {
  GLIA_CHECK(std::isfinite(low) && std::isfinite(high) && low < high, ValueError, "uniform got ", low, " to ",
             high, ", expected two finite numbers, the lower first");
  return {ParameterRange::Scale::linear, low, high};
}

ParameterRange log_uniform(double low, double high) {
  GLIA_CHECK(low > 0 && std::isfinite(high) && low < high, ValueError, "log_uniform got ", low, " to ", high,
             ", expected two finite numbers above 0, the lower first");
  return {ParameterRange::Scale::logarithmic, low, high};
}

ParameterRange integers(std::int64_t low, std::int64_t high) {
  constexpr std::int64_t limit = std::numeric_limits<std::int32_t>::max();
  GLIA_CHECK(low <= high && low >= -limit && high <= limit, ValueError, "integers got ", low, " to ", high,
             ", expected two of at most ", limit, ", the lower first");
  return {ParameterRange::Scale::integer, static_cast<double>(low), static_cast<double>(high)};
}

SearchParameter::SearchParameter(std::string name, std::vector<ParameterValue> values)
    : name_(std::move(name)), values_(std::move(values)) {
  GLIA_CHECK(!name_.empty(), ValueError, "a search's parameter needs a name, such as \"learning_rate\"");
  GLIA_CHECK(!values_.empty(), ValueError, "parameter \"", name_,
             "\" of the search got no values, expected at least one");
  for (std::size_t i = 0; i < values_.size(); ++i)
    for (std::size_t j = 0; j < i; ++j)
      GLIA_CHECK(!(values_[i] == values_[j]), ValueError, "parameter \"", name_, "\" of the search got ",
                 values_[i].print(), " twice: name each value once");
}

SearchParameter::SearchParameter(std::string name, const ParameterRange& range)
    : name_(std::move(name)), range_(range) {
  GLIA_CHECK(!name_.empty(), ValueError, "a search's parameter needs a name, such as \"learning_rate\"");
}

const ParameterValue& Trial::find(const std::string& name) const {
  std::vector<std::string> known;
  for (const auto& [key, value] : parameters_) {
    if (key == name) return value;
    known.push_back(key);
  }
  throw ValueError(detail::unknown_name("parameter of the search", name, known));
}

bool Trial::has(const std::string& name) const {
  return std::any_of(parameters_.begin(), parameters_.end(), [&](const auto& p) { return p.first == name; });
}

double Trial::number(const std::string& name) const {
  const ParameterValue& value = find(name);
  GLIA_CHECK(value.is_number(), ValueError, "parameter \"", name, "\" of the search is the text \"",
             value.print(), "\", not a number: ask for it with text()");
  return value.number();
}

int Trial::integer(const std::string& name) const {
  const double value = number(name);
  GLIA_CHECK(value == std::floor(value) && std::abs(value) <= std::numeric_limits<int>::max(), ValueError,
             "parameter \"", name, "\" of the search is ", find(name).print(),
             ", expected a whole number: search glia::integers(low, high), or ask for it with number()");
  return static_cast<int>(value);
}

const std::string& Trial::text(const std::string& name) const {
  const ParameterValue& value = find(name);
  GLIA_CHECK(!value.is_number(), ValueError, "parameter \"", name, "\" of the search is the number ",
             value.print(), ", not a text: ask for it with number()");
  return value.text();
}

OptimizerName Trial::optimizer() const {
  OptimizerName optimizer(has("optimizer") ? text("optimizer") : std::string("adam"));
  if (has("learning_rate")) {
    const double rate = number("learning_rate");
    std::visit([&](auto& o) { o.learning_rate = rate; }, optimizer.value());
  }
  return optimizer;
}

std::string Trial::print() const {
  std::string result;
  for (const auto& [name, value] : parameters_)
    result += (result.empty() ? "" : ", ") + name + ' ' + value.print();
  return result;
}

namespace {

void check_space(const SearchSpace& space) {
  GLIA_CHECK(!space.empty(), ValueError,
             "the search got no parameters, expected some, such as {\"learning_rate\", {0.01, 0.001}}");
  std::set<std::string> names;
  for (const SearchParameter& parameter : space)
    GLIA_CHECK(names.insert(parameter.name()).second, ValueError, "parameter \"", parameter.name(),
               "\" of the search is named twice: give all its values in one place");
}

/// How many combinations a space of lists has; infinitely many with a range of real numbers.
double combinations(const SearchSpace& space) {
  double count = 1;
  for (const SearchParameter& parameter : space) {
    const ParameterRange& range = parameter.range();
    if (!parameter.is_range())
      count *= static_cast<double>(parameter.values().size());
    else if (range.scale == ParameterRange::Scale::integer)
      count *= range.high - range.low + 1;
    else
      return std::numeric_limits<double>::infinity();
  }
  return count;
}

std::vector<Trial> all_trials(const SearchSpace& space) {
  std::vector<std::vector<std::pair<std::string, ParameterValue>>> rows(1);
  for (const SearchParameter& parameter : space) {
    GLIA_CHECK(!parameter.is_range(), ValueError, "parameter \"", parameter.name(),
               "\" of grid_search is a range: give a list of values, or use random_search");
    std::vector<std::vector<std::pair<std::string, ParameterValue>>> longer;
    for (const auto& row : rows) {
      for (const ParameterValue& value : parameter.values()) {
        longer.push_back(row);
        longer.back().emplace_back(parameter.name(), value);
      }
    }
    rows = std::move(longer);
  }
  return {rows.begin(), rows.end()};
}

/// A value by a number of [0, 1).
ParameterValue drawn(const SearchParameter& parameter, double share) {
  if (!parameter.is_range()) {
    const std::vector<ParameterValue>& values = parameter.values();
    return values[static_cast<std::size_t>(share * static_cast<double>(values.size()))];
  }
  const auto& [scale, low, high] = parameter.range();
  switch (scale) {
    case ParameterRange::Scale::linear:
      return low + share * (high - low);
    case ParameterRange::Scale::logarithmic:
      return std::exp(std::log(low) + share * (std::log(high) - std::log(low)));
    case ParameterRange::Scale::integer:
      return std::floor(low + share * (high - low + 1));
  }
  return low;
}

std::vector<Trial> random_trials(const SearchSpace& space, int wanted, std::uint64_t seed) {
  const double count = std::min(combinations(space), static_cast<double>(wanted));
  std::vector<Trial> trials;
  for (std::uint64_t draw = 0; static_cast<double>(trials.size()) < count; ++draw) {
    std::vector<std::pair<std::string, ParameterValue>> parameters;
    for (std::size_t p = 0; p < space.size(); ++p) {
      const Philox philox{seed, Purpose::search, draw};
      parameters.emplace_back(space[p].name(),
                              drawn(space[p], static_cast<double>(philox.word(p)) * 0x1p-32));
    }
    const bool known = std::any_of(trials.begin(), trials.end(),
                                   [&](const Trial& trial) { return trial.parameters() == parameters; });
    if (!known) trials.emplace_back(std::move(parameters));
  }
  return trials;
}

/// The objective after a fit's last epoch.
double last_of(const History& history, const std::string& objective) {
  const std::vector<double>& values = history[objective];  // throws, naming those there are
  GLIA_CHECK(!values.empty(), ValueError, "the search's fit ran no epoch: give .fit = {.epochs = ...}");
  return values.back();
}

std::vector<double> scores_of(const Trial& trial, const ModelBuilder& build, const Dataset& data,
                              const SearchOptions& options, const std::vector<Fold>& folds) {
  FitOptions fit = options.fit;
  if (trial.has("batch_size")) fit.batch_size = trial.integer("batch_size");
  if (trial.has("epochs")) fit.epochs = trial.integer("epochs");
  if (folds.empty()) {
    Sequential model = build(trial);
    return {last_of(model.fit(data, fit), options.objective)};
  }
  std::vector<double> scores;
  for (const Fold& fold : folds) {
    Sequential model = build(trial);
    const Dataset train = data.rows(fold.train), test = data.rows(fold.test);
    fit.validation_split = 0;
    fit.validation_data = test;
    scores.push_back(last_of(model.fit(train, fit), options.objective));
  }
  return scores;
}

double mean_of(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

SearchResult search(const std::vector<Trial>& trials, const ModelBuilder& build, const Dataset& data,
                    const SearchOptions& options) {
  GLIA_CHECK(options.folds == 0 || data.is_plain(), ValueError, "a search with folds got a Dataset of ",
             data.xs.size(), " xs and ", data.ys.size(), " ys, expected x and y alone: leave folds out");
  GLIA_CHECK(build, ValueError, "the search got no function that builds a model of a trial");
  GLIA_CHECK(options.folds == 0 || options.folds >= 2, ValueError, "the search got ", options.folds,
             " folds, expected at least 2, or 0 for a validation as .fit says");
  std::vector<Fold> folds;
  if (options.folds > 0)
    folds =
        KFold{.n_splits = options.folds, .shuffle = true, .random_state = options.seed & 0xffffffffu}.split(
            data.x.rows());
  std::vector<TrialResult> results;
  for (const Trial& trial : trials) {
    const auto start = std::chrono::steady_clock::now();
    try {
      const std::vector<double> scores = scores_of(trial, build, data, options, folds);
      const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
      results.push_back({trial, mean_of(scores), scores, took.count()});
    } catch (const Interrupted&) {
      throw;
    } catch (const std::exception& error) {
      std::throw_with_nested(
          ValueError(detail::concat("the search's trial of ", trial.print(), " failed: ", error.what())));
    }
  }
  const bool greatest = options.mode == Monitor::max ||
                        (options.mode == Monitor::automatic && greater_is_better(options.objective));
  std::stable_sort(results.begin(), results.end(), [&](const TrialResult& a, const TrialResult& b) {
    if (std::isnan(a.score) || std::isnan(b.score)) return std::isnan(b.score) && !std::isnan(a.score);
    return greatest ? a.score > b.score : a.score < b.score;
  });
  return {options.objective, std::move(results)};
}

}  // namespace

SearchResult grid_search(const SearchSpace& space, const ModelBuilder& build, const Dataset& data,
                         const SearchOptions& options) {
  check_space(space);
  GLIA_CHECK(combinations(space) <= 1e6, ValueError, "the grid has ", combinations(space),
             " combinations, at most a million are tried: use random_search");
  return search(all_trials(space), build, data, options);
}

SearchResult random_search(const SearchSpace& space, int trials, const ModelBuilder& build,
                           const Dataset& data, const SearchOptions& options) {
  check_space(space);
  GLIA_CHECK(trials >= 1, ValueError, "random_search got ", trials, " trials, expected at least 1");
  return search(random_trials(space, trials, options.seed), build, data, options);
}

}  // namespace glia
