// History::plot: a panel for each metric, training beside validation.
// SPDX-License-Identifier: Apache-2.0
#include <glia/history.h>
#include <glia/plots.h>

#include <algorithm>
#include <string_view>

namespace glia {
namespace {

constexpr const char* training_color = "#1f77b4";
constexpr const char* validation_color = "#ff7f0e";
constexpr std::size_t most_markers = 30;

bool is_validation(const std::string& key) { return key.rfind("val_", 0) == 0; }

/// "val_top_k" and "top_k" are one panel's.
std::string metric_of(const std::string& key) { return is_validation(key) ? key.substr(4) : key; }

/// The loss first, then accuracies, then the others, each in the order of the keys.
std::vector<std::string> metrics_of(const std::vector<std::string>& keys) {
  std::vector<std::string> metrics;
  for (const std::string& key : keys)
    if (std::find(metrics.begin(), metrics.end(), metric_of(key)) == metrics.end())
      metrics.push_back(metric_of(key));
  const auto rank = [](const std::string& metric) {
    return metric == "loss" ? 0 : metric.find("acc") != std::string::npos ? 1 : 2;
  };
  std::stable_sort(metrics.begin(), metrics.end(),
                   [&](const auto& a, const auto& b) { return rank(a) < rank(b); });
  return metrics;
}

std::string in_words(std::string metric) {
  std::replace(metric.begin(), metric.end(), '_', ' ');
  return metric;
}

std::string capitalized(std::string text) {
  if (!text.empty() && text[0] >= 'a' && text[0] <= 'z') text[0] = static_cast<char>(text[0] - 'a' + 'A');
  return text;
}

Series series_of(const History& history, const std::string& key) {
  Series series{.name = is_validation(key) ? "validation" : "training",
                .y = history[key],
                .color = is_validation(key) ? validation_color : training_color,
                .markers = history[key].size() <= most_markers};
  for (int epoch : history.epoch(key)) series.x.push_back(epoch + 1.0);
  return series;
}

Panel panel_of(const History& history, const std::string& metric) {
  Panel panel{.axes = {.title = capitalized(in_words(metric)),
                       .x_label = "epoch",
                       .y_label = in_words(metric),
                       .integer_x = true}};
  for (const std::string& key : {metric, "val_" + metric})
    if (history.contains(key)) panel.series.push_back(series_of(history, key));
  // A learning rate is neither's.
  if (metric == "learning_rate") panel.series[0].name.clear();
  return panel;
}

}  // namespace

void History::plot(const std::string& path, const HistoryPlotOptions& options) const {
  GLIA_CHECK(!epoch_.empty() && !keys_.empty(), ValueError,
             "plot got a history without epochs, expected one or more; call fit with epochs above 0");
  std::vector<Panel> panels;
  for (const std::string& metric : metrics_of(keys_)) panels.push_back(panel_of(*this, metric));
  if (!options.mark_best.empty()) {
    const int best = best_epoch(options.mark_best) + 1;
    for (Panel& panel : panels)
      panel.axes.guides.push_back({.x = static_cast<double>(best), .label = "best: " + std::to_string(best)});
  }
  plot_panels(panels, path, {.title = options.title, .columns = options.columns});
}

}  // namespace glia
