// What compile refuses: optimizers and metrics whose options cannot be, and metrics that do not go with the loss.
// SPDX-License-Identifier: Apache-2.0
#include <host/model/compile_checks.h>

#include <algorithm>
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
void check_metric(const MetricName& metric, const std::string& name, Targets targets) {
  if (!metric.metric()) return;
  const MetricTargets wanted = targets_of(*metric.metric());
  const bool sparse = targets == Targets::sparse_labels,
             wants_labels = wanted == MetricTargets::sparse_labels;
  GLIA_CHECK(wanted == MetricTargets::any || wants_labels == sparse, ValueError, "metric \"", name,
             "\" is for ", wants_labels ? "labels" : "dense targets", ", but the loss takes ",
             sparse ? "labels" : "dense targets", ": use \"accuracy\", which fits either, or ",
             sparse ? "to_categorical and the loss for dense targets" : "the sparse loss");
  const std::string reason = invalid_metric(*metric.metric());
  GLIA_CHECK(reason.empty(), ValueError, reason);
}

std::size_t output_named(const std::string& what, const std::string& name,
                         const std::vector<std::string>& outputs) {
  const auto found = std::find(outputs.begin(), outputs.end(), name);
  if (found == outputs.end()) throw ValueError(detail::unknown_name(what, name, outputs));
  return static_cast<std::size_t>(found - outputs.begin());
}

Head head_with(std::size_t output, const std::string& name, const LossName& loss) {
  Head head{output, name, loss.value(), 1, {}, {}};
  head.own = loss.own();
  return head;
}

std::vector<Head> heads_of(const CompileOptions& options, const std::vector<std::string>& outputs) {
  std::vector<Head> heads;
  if (options.loss.all())
    for (std::size_t i = 0; i < outputs.size(); ++i)
      heads.push_back(head_with(i, outputs[i], *options.loss.all()));
  for (const auto& [name, loss] : options.loss.by_output()) {
    const std::size_t output = output_named("output with a loss", name, outputs);
    for (const Head& head : heads)
      GLIA_CHECK(head.output != output, ValueError, "compile got two losses for the output \"", name,
                 "\", expected one");
    heads.push_back(head_with(output, name, loss));
  }
  std::sort(heads.begin(), heads.end(), [](const Head& a, const Head& b) { return a.output < b.output; });
  for (const auto& [name, weight] : options.loss_weights) {
    const std::size_t output = output_named("output with a loss weight", name, outputs);
    GLIA_CHECK(std::isfinite(weight), ValueError, "compile got the loss weight ", weight,
               " for the output \"", name, "\", expected a finite number");
    const auto head =
        std::find_if(heads.begin(), heads.end(), [&](const Head& h) { return h.output == output; });
    GLIA_CHECK(head != heads.end(), ValueError, "compile got a loss weight for the output \"", name,
               "\", which has no loss: give it one in .loss, or leave the weight out");
    head->weight = weight;
  }
  return heads;
}

/// The output that a metric names, or may.
const std::string& output_of(const MetricName& metric) {
  return metric.output().empty() ? metric.label() : metric.output();
}

/// What a metric's numbers are called among those of its head. In a model of one output any name that is not that output's is theirs.
std::string name_of(const MetricName& metric, const Head& head, bool several) {
  const bool is_said = metric.output() == head.name;
  if (!metric.label().empty() && (is_said || !several || metric.label() != head.name)) return metric.label();
  return several || is_said || metric.output().empty() ? metric.name() : metric.output();
}

/// The head whose metric it is.
Head& head_of(const MetricName& metric, std::vector<Head>& heads, const std::vector<std::string>& outputs) {
  if (outputs.size() == 1) {
    if (!metric.label().empty() && !metric.output().empty() && metric.output() != outputs[0])
      throw ValueError(detail::unknown_name("output with a metric", metric.output(), outputs));
    return heads[0];
  }
  const std::string& output = output_of(metric);
  const auto named = [&](const Head& head) { return head.name == output; };
  const auto found = std::find_if(heads.begin(), heads.end(), named);
  if (found != heads.end()) return *found;
  GLIA_CHECK(heads.size() == 1 || !output.empty(), ValueError, "metric \"", metric.name(),
             "\" is of none of the model's ", outputs.size(), " outputs: say which, such as {\"", outputs[0],
             "\", \"", metric.name(), "\"}");
  const bool is_known = std::find(outputs.begin(), outputs.end(), output) != outputs.end();
  if (heads.size() == 1 && !is_known && metric.output().empty()) return heads[0];
  GLIA_CHECK(!is_known, ValueError, "metric \"", metric.name(), "\" is of the output \"", output,
             "\", which has no loss: give it one in .loss");
  throw ValueError(detail::unknown_name("output with a metric", output, outputs));
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

void check_precision(const Precisions& precision, DType dtype) {
  const char* const name = std::visit([](const auto& member) { return member.name; }, precision);
  GLIA_CHECK(dtype == DType::float32 || std::holds_alternative<Float32>(precision), ValueError,
             "precision \"", name, "\" is for models of float32, this one computes in ", dtype,
             ": leave .precision out");
}

std::vector<Head> checked_heads(const CompileOptions& options, const std::vector<std::string>& outputs) {
  if (options.loss.all()) check_options(*options.loss.all());
  for (const auto& [name, loss] : options.loss.by_output()) check_options(loss);
  std::vector<Head> heads = heads_of(options, outputs);
  std::set<std::string> seen{"loss"};
  for (const Head& head : heads)
    if (heads.size() > 1) seen.insert(head.name + "_loss");
  for (const bool weighted : {false, true}) {
    for (const MetricName& metric : weighted ? options.weighted_metrics : options.metrics) {
      GLIA_CHECK(!heads.empty(), ValueError,
                 "compile got metrics but no loss; give .loss as well, such as \"mse\"");
      Head& head = head_of(metric, heads, outputs);
      std::string name = name_of(metric, head, outputs.size() > 1);
      check_metric(metric, name, std::visit([](const auto& l) { return l.targets; }, head.loss));
      if (outputs.size() > 1) name = head.name + '_' + name;
      GLIA_CHECK(seen.insert(name).second, ValueError, "metric \"", name,
                 "\" is named twice, or like the loss: name each once, such as {\"weighted_", name,
                 "\", the metric}");
      head.metrics.push_back({name,
                              metric.metric().value_or(Metrics(BinaryAccuracy{})),
                              weighted,
                              !metric.metric().has_value(),
                              {}});
    }
  }
  return heads;
}

}  // namespace glia
