// What compile refuses: optimizers and metrics whose options cannot be, and metrics that do not go with the loss.
// SPDX-License-Identifier: Apache-2.0
#include <host/model/compile_checks.h>

#include <cmath>
#include <set>
#include <string>

namespace glia {
namespace {

/// The options that all optimizers have: the reason why they cannot be taken, or nothing.
template <class Optimizer>
std::string invalid_common(const Optimizer& o) {
  for (const double option : {o.weight_decay, o.clipnorm, o.global_clipnorm, o.clipvalue})
    if (!(option >= 0 && std::isfinite(option)))
      return "weight_decay, clipnorm, global_clipnorm and clipvalue must be finite and at least 0";
  if ((o.clipnorm > 0) + (o.global_clipnorm > 0) + (o.clipvalue > 0) > 1)
    return "only one of clipnorm, global_clipnorm and clipvalue can be set";
  if (!(o.ema_momentum >= 0 && o.ema_momentum <= 1)) return "ema_momentum must lie in [0, 1]";
  if (o.ema_overwrite_frequency < 0) return "ema_overwrite_frequency must be at least 1, or 0 for never";
  return o.gradient_accumulation_steps >= 1 ? "" : "gradient_accumulation_steps must be at least 1";
}

/// What a metric wants as targets.
MetricTargets targets_of(const Metrics& metric) {
  return std::visit(
      [](const auto& m) {
        if constexpr (requires { m.loss; })
          return std::visit([](const auto& l) { return l.targets; }, m.loss) == Targets::sparse_labels
                     ? MetricTargets::sparse_labels
                     : MetricTargets::dense;
        else
          return m.targets;
      },
      metric);
}

/// The reason why a loss's options cannot be taken, or nothing.
template <class Loss>
std::string invalid_of(const Loss& loss) {
  if constexpr (requires { loss.invalid(); }) return loss.invalid();
  return "";
}

std::string invalid_metric(const Metrics& metric) {
  return std::visit(
      [](const auto& m) -> std::string {
        if constexpr (requires { m.invalid(); }) return m.invalid();
        if constexpr (requires { m.loss; })
          return std::visit([](const auto& l) { return invalid_of(l); }, m.loss);
        return "";
      },
      metric);
}

/// A metric named in full goes with targets of its own kind.
void check_metric(const MetricName& metric, Targets targets) {
  if (!metric.metric()) return;
  const MetricTargets wanted = targets_of(*metric.metric());
  const bool sparse = targets == Targets::sparse_labels,
             wants_labels = wanted == MetricTargets::sparse_labels;
  GLIA_CHECK(wanted == MetricTargets::any || wants_labels == sparse, ValueError, "metric \"", metric.name(),
             "\" is for ", wants_labels ? "labels" : "dense targets", ", but the loss takes ",
             sparse ? "labels" : "dense targets", ": use \"accuracy\", which fits either, or ",
             sparse ? "to_categorical and the loss for dense targets" : "the sparse loss");
  const std::string reason = invalid_metric(*metric.metric());
  GLIA_CHECK(reason.empty(), ValueError, reason);
}

}  // namespace

void check_optimizer(const Optimizers& optimizer) {
  std::visit(
      [](const auto& o) {
        const std::string reason = o.invalid();
        GLIA_CHECK(reason.empty(), ValueError, reason);
        const std::string common = invalid_common(o);
        GLIA_CHECK(common.empty(), ValueError, "optimizer \"", o.name, "\": ", common);
        const std::string rate =
            std::visit([](const auto& schedule) { return schedule.invalid(); }, o.learning_rate.schedule);
        GLIA_CHECK(rate.empty(), ValueError, "optimizer \"", o.name, "\" got learning rate ",
                   o.learning_rate.at(0), ": ", rate, "; 0.001 is a common start");
      },
      optimizer);
}

std::vector<MetricName> checked_metrics(const CompileOptions& options) {
  std::vector<MetricName> all(options.metrics.begin(), options.metrics.end());
  all.insert(all.end(), options.weighted_metrics.begin(), options.weighted_metrics.end());
  GLIA_CHECK(options.loss || all.empty(), ValueError,
             "compile got metrics but no loss; give .loss as well, such as \"mse\"");
  GLIA_CHECK(all.size() <= static_cast<std::size_t>(max_metrics), ValueError, "got ", all.size(),
             " metrics, at most ", max_metrics, " are possible");
  std::set<std::string> seen{"loss"};
  for (const MetricName& metric : all) {
    check_metric(metric, std::visit([](const auto& l) { return l.targets; }, options.loss->value()));
    GLIA_CHECK(seen.insert(metric.name()).second, ValueError, "metric \"", metric.name(),
               "\" is named twice, or like the loss: name each once, such as {\"weighted_", metric.name(),
               "\", the metric}");
  }
  return all;
}

}  // namespace glia
