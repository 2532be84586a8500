// History and Logs: loss and metrics by name.
// SPDX-License-Identifier: Apache-2.0
#include <glia/error.h>
#include <glia/history.h>

#include "host/base/number_text.h"

#include <algorithm>
#include <cmath>
#include <iterator>

namespace glia {
namespace {

std::string listed(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text.empty() ? "nothing" : text;
}

std::string names_of(const Logs& logs) {
  std::vector<std::string> names;
  for (const auto& [name, value] : logs) names.push_back(name);
  return listed(names);
}

}  // namespace

double Logs::operator[](const std::string& name) const {
  for (const auto& [key, value] : values_)
    if (key == name) return value;
  throw ValueError(detail::concat("no \"", name, "\" here; there is ", names_of(*this),
                                  " (a metric must be named in compile)"));
}

double Logs::operator[](int index) const {
  GLIA_CHECK(index >= 0 && static_cast<std::size_t>(index) < size(), ValueError, "no number ", index,
             " here; there are ", size(), ", counted from 0: ", names_of(*this));
  return values_[static_cast<std::size_t>(index)].second;
}

bool Logs::contains(const std::string& name) const {
  return std::any_of(values_.begin(), values_.end(), [&](const auto& value) { return value.first == name; });
}

void Logs::set(const std::string& name, double value) {
  for (auto& [key, old] : values_) {
    if (key != name) continue;
    old = value;
    return;
  }
  values_.emplace_back(name, value);
}

bool greater_is_better(const std::string& key) {
  constexpr const char* greater[] = {"acc",   "auc",   "precision",         "recall", "f1", "fbeta", "r2",
                                     "true_", "top_k", "cosine_similarity", "return"};
  return std::any_of(std::begin(greater), std::end(greater),
                     [&](const char* part) { return key.find(part) != std::string::npos; });
}

std::ostream& operator<<(std::ostream& out, const Logs& logs) {
  std::string text;
  for (const auto& [name, value] : logs)
    text += (text.empty() ? "\"" : ", \"") + name + "\": " + detail::shortest(value);
  return out << '{' + text + '}';
}

const History::Column& History::column(const std::string& key) const {
  const auto found = columns_.find(key);
  if (found != columns_.end()) return found->second;
  throw ValueError(detail::concat("no \"", key, "\" in the history; there is ", listed(keys_),
                                  " (a metric must be named in compile, and val_ needs validation in fit)"));
}

const std::vector<double>& History::operator[](const std::string& key) const { return column(key).values; }

bool History::contains(const std::string& key) const { return columns_.count(key) != 0; }

std::vector<int> History::epoch(const std::string& key) const {
  std::vector<int> numbers;
  for (std::size_t row : column(key).rows) numbers.push_back(epoch_[row]);
  return numbers;
}

int History::best_epoch(const std::string& key) const {
  const auto& [values, rows] = column(key);
  const bool greater = greater_is_better(key);
  std::size_t best = values.size();
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (std::isnan(values[i])) continue;
    if (best == values.size() || (greater ? values[i] > values[best] : values[i] < values[best])) best = i;
  }
  GLIA_CHECK(best < values.size(), ValueError, "best_epoch got \"", key, "\", of which all ", values.size(),
             " values are NaN, expected a number; lower the learning rate or look for NaN in the data");
  return epoch_[rows[best]];
}

void History::append(int epoch, const Logs& logs, double seconds) {
  for (const auto& [name, value] : logs) {
    if (!contains(name)) keys_.push_back(name);
    Column& column = columns_[name];
    column.values.push_back(value);
    column.rows.push_back(epoch_.size());
  }
  epoch_.push_back(epoch);
  seconds_.push_back(seconds);
}

}  // namespace glia
