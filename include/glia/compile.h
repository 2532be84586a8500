// What compile is told: optimizer, losses, metrics, device.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/context.h>
#include <glia/device.h>
#include <glia/macros.h>
#include <glia/named.h>

#include <cstddef>
#include <initializer_list>
#include <map>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace GLIA_API glia {

/// The name a metric's numbers get where it is given as an object: "auc"; a loss's own.
std::string name_of(const Metrics& metric);

/// The name of an output. A type of its own: of two addresses of characters a std::string could be made, too.
struct OutputName {
  std::string text;
  OutputName(const char* name) : text(name) {}
  OutputName(const std::string& name) : text(name) {}
};

/// A metric: by name ("auc", or any loss, "mae"), or as an object (glia::AUC{.curve = glia::AUCCurve::PR}). "accuracy" and
/// "acc" resolve by shape to binary, sparse or categorical accuracy and keep the name they were given under.
///
/// A label may stand before it. In a model of one output it is the name that the metric's numbers are to have, {"pr_auc",
/// glia::AUC{...}}. In a model of several it is the output whose metric it is, {"digit", "accuracy"}, and needed where several
/// have losses; logs then say "digit_accuracy"; both are said by {"digit", {{"pr_auc", glia::AUC{...}}}}. Where only one output has a loss, a label that
/// is no output's name names the numbers: "digit_pr_auc".
class MetricName {
 public:
  MetricName(const char* name) : MetricName(std::string(name)) {}
  MetricName(const std::string& name);
  template <class Member,
            std::enable_if_t<std::is_constructible_v<Metrics, std::in_place_type_t<Member>, Member>, int> = 0>
  MetricName(const Member& member) : name_(name_of(Metrics(member))), metric_(member) {}
  template <class Loss,
            std::enable_if_t<std::is_constructible_v<Losses, std::in_place_type_t<Loss>, Loss>, int> = 0>
  MetricName(const Loss& loss) : MetricName(LossMetric{loss}) {}
  template <class Member, std::enable_if_t<!std::is_convertible_v<Member, std::string>, int> = 0>
  MetricName(const std::string& label, const Member& member) : MetricName(member) {
    label_ = label;
  }
  MetricName(const std::string& label, const std::string& name) : MetricName(name) { label_ = label; }
  MetricName(const char* label, const char* name) : MetricName(std::string(label), std::string(name)) {}

  /// The same of an output of this name.
  MetricName of(const std::string& output) const {
    MetricName metric = *this;
    metric.output_ = output;
    return metric;
  }

  /// What the metric itself is called.
  const std::string& name() const { return name_; }
  /// The first of two: an output's name, or that of the numbers; else empty.
  const std::string& label() const { return label_; }
  /// The output it was said to be of, by of(); else empty.
  const std::string& output() const { return output_; }
  /// The metric; nothing while it is "accuracy", which shapes resolve.
  const std::optional<Metrics>& metric() const { return metric_; }
  std::optional<Metrics>& metric() { return metric_; }

 private:
  std::string name_, label_, output_;
  std::optional<Metrics> metric_;
};

/// `.metrics = {"accuracy"}` or the bare `.metrics = "accuracy"`.
class MetricNames {
 public:
  /// A metric, or those of an output: {"digit", "accuracy"}, {"digit", {"accuracy", "mae"}}.
  class Entry {
   public:
    template <class T, std::enable_if_t<std::is_convertible_v<const T&, MetricName>, int> = 0>
    Entry(const T& metric) : metrics_{MetricName(metric)} {}
    template <class Label, class T>
    Entry(const Label& label, const T& metric) : metrics_{MetricName(label, metric)} {}
    Entry(const OutputName& output, std::initializer_list<MetricName> metrics) {
      for (const MetricName& metric : metrics) metrics_.push_back(metric.of(output.text));
    }
    const std::vector<MetricName>& metrics() const { return metrics_; }

   private:
    std::vector<MetricName> metrics_;
  };

  MetricNames() = default;
  MetricNames(const char* name) : names_{MetricName(name)} {}
  MetricNames(const std::string& name) : names_{MetricName(name)} {}
  MetricNames(std::initializer_list<Entry> entries) {
    for (const Entry& entry : entries)
      names_.insert(names_.end(), entry.metrics().begin(), entry.metrics().end());
  }
  MetricNames(std::vector<MetricName> names) : names_(std::move(names)) {}

  auto begin() const { return names_.begin(); }
  auto end() const { return names_.end(); }
  std::size_t size() const { return names_.size(); }

 private:
  std::vector<MetricName> names_;
};

/// A loss for each output of a model: `.loss = "mse"` for all of them, or by their names,
/// `.loss = {{"digit", "sparse_categorical_crossentropy"}, {"even", "binary_crossentropy"}}`. An output that is not named has
/// none. Empty where nothing is given.
class LossNames {
 public:
  using ByOutput = std::pair<OutputName, LossName>;

  LossNames() = default;
  LossNames(const char* name) : all_(LossName(name)) {}
  LossNames(const std::string& name) : all_(LossName(name)) {}
  LossNames(const LossName& loss) : all_(loss) {}
  template <class Loss,
            std::enable_if_t<std::is_constructible_v<Losses, std::in_place_type_t<Loss>, Loss>, int> = 0>
  LossNames(const Loss& loss) : all_(LossName(loss)) {}
  template <class Own, std::enable_if_t<std::is_base_of_v<CustomLoss, Own>, bool> = true>
  LossNames(const Own& loss) : all_(LossName(loss)) {}
  LossNames(std::initializer_list<ByOutput> losses) {
    for (const auto& [output, loss] : losses) by_output_.emplace_back(output.text, loss);
  }
  LossNames(std::vector<std::pair<std::string, LossName>> losses) : by_output_(std::move(losses)) {}

  explicit operator bool() const { return all_ || !by_output_.empty(); }
  /// The one for all outputs, or nothing.
  const std::optional<LossName>& all() const { return all_; }
  const std::vector<std::pair<std::string, LossName>>& by_output() const { return by_output_; }

 private:
  std::optional<LossName> all_;
  std::vector<std::pair<std::string, LossName>> by_output_;
};

struct CompileOptions {
  OptimizerName optimizer = "rmsprop";
  LossNames loss = {};                ///< needed for fit and evaluate
  MetricNames metrics = {};           ///< of rows as they are
  MetricNames weighted_metrics = {};  ///< of rows by their class_weight or sample_weight
  std::map<std::string, double> loss_weights =
      {};                               ///< what each output's loss counts in the sum; 1 where not named
  std::optional<Device> device = {};    ///< default: the model's context, or the automatic device
  std::optional<Context> context = {};  ///< takes precedence over device
  PrecisionName precision =
      "float32";  ///< or "tf32", "mixed_bfloat16": see glia/math/precision.h; float32 models only
};

}  // namespace glia
