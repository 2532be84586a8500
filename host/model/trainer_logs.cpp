// Trainer: its losses and metrics, as compile is told them and as a pass leaves them.
// SPDX-License-Identifier: Apache-2.0
#include <host/model/compile_checks.h>
#include <host/model/trainer.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace glia {

Trainer::Trainer(const CompileOptions& options, const std::vector<std::string>& outputs, DType dtype,
                 const std::vector<Layer>& layers)
    : told_(options),
      optimizer_(options.optimizer.value()),
      precision_(options.precision.value()),
      dtype_(dtype) {
  check_optimizer(optimizer_);
  check_precision(precision_, dtype);
  heads_.all = checked_heads(options, outputs);
  note_frozen(layers, false, frozen_);
  told_.device.reset(), told_.context.reset();
}

namespace {

/// What "accuracy" means for an output, as in Keras.
Metrics accuracy_of(const Head& head) {
  if (std::visit([](const auto& l) { return l.targets; }, head.loss) == Targets::sparse_labels)
    return SparseCategoricalAccuracy{};
  if (head.shape.back() == 1) return BinaryAccuracy{};
  return CategoricalAccuracy{};
}

}  // namespace

void Trainer::resolve(const Shapes& outputs, const std::vector<AddedLoss>& added) {
  Heads resolved = heads_;
  resolved.added = added;
  for (Head& head : resolved.all) {
    head.shape = outputs[head.output];
    const std::int64_t columns = head.shape.back();
    for (ResolvedMetric& metric : head.metrics) {
      if (metric.by_shape) metric.metric = accuracy_of(head);
      std::visit(
          [&](const auto& m) {
            if constexpr (requires { m.class_id; })
              GLIA_CHECK(m.class_id >= all_classes && m.class_id < columns, ValueError, "metric \"",
                         metric.name, "\" got class_id ", m.class_id, ", expected 0 to ", columns - 1,
                         ", or -1 for all");
          },
          metric.metric);
      metric.row = row_metric(metric.metric);
    }
  }
  resolved.lay_out();
  heads_ = std::move(resolved);
}

void Trainer::resolve_masks(const Shapes& masks) {
  for (Head& head : heads_.all) {
    const Shape& mask = masks[head.output];
    head.masked = !mask.empty();
    if (!head.masked) continue;
    const Shape rows = head.shape.slice(0, head.shape.rank() - 1);
    GLIA_CHECK(mask == rows, ShapeError, "output \"", head.name, "\" has rows of shape ", head.shape,
               ", a loss for each of ", rows, ", and a mask of shape ", mask,
               ", which does not say which of these count: end the mask, by a Reshape say, or keep its axes");
    GLIA_CHECK(
        !head.own, ValueError, "output \"", head.name,
        "\" has masked steps, of which a loss of the application's own does not know: end the mask, by a "
        "Reshape say, or use a loss of Glia's");
  }
  heads_.lay_out();
}

std::vector<std::string> Trainer::names() const {
  std::vector<std::string> names;
  if (has_loss()) names.push_back("loss");
  if (heads_.all.size() > 1)
    for (const Head& head : heads_.all) names.push_back(head.name + "_loss");
  for (const Head& head : heads_.all)
    for (const ResolvedMetric& metric : head.metrics) names.push_back(metric.name);
  return names;
}

std::vector<std::string> Trainer::rising_names() const {
  std::vector<std::string> names;
  for (const Head& head : heads_.all)
    for (const ResolvedMetric& metric : head.metrics)
      if (metric.by_shape || greater_is_better(name_of(metric.metric))) names.push_back(metric.name);
  return names;
}

namespace {

/// Without the signs that print as "-0" (of cosines) and "-nan" (of 0 / 0 on x86).
double without_odd_sign(double value) {
  return std::isnan(value) ? std::numeric_limits<double>::quiet_NaN() : value == 0 ? 0 : value;
}

double mean(double sum, double count) { return count == 0 ? 0 : sum / count; }

}  // namespace

Logs Trainer::logs(const PassState& pass) const {
  const StepState& state = pass.state;
  const auto counter = [&](std::int64_t i) { return pass.counters[static_cast<std::size_t>(i)]; };
  const double rows = state.rows > 0 ? static_cast<double>(state.rows) : 1;
  std::vector<std::pair<std::string, double>> values;
  if (heads_.penalty_counter < 0) {
    if (!heads_.all.empty()) values.emplace_back("loss", state.loss / rows);
  } else {
    double sum = mean(counter(heads_.penalty_counter), counter(heads_.penalty_counter + 1));
    values.emplace_back("loss", 0);
    for (const Head& head : heads_.all) {
      const double loss = mean(counter(head.loss_counter), counter(head.rows_counter));
      if (heads_.all.size() > 1) values.emplace_back(head.name + "_loss", loss);
      sum += head.weight * loss;
    }
    for (const AddedLoss& loss : heads_.added)
      sum += mean(counter(loss.sum_counter), counter(loss.sum_counter + 1));
    values[0].second = sum;
  }
  for (const Head& head : heads_.all) {
    for (const ResolvedMetric& metric : head.metrics) {
      if (!metric.row) {
        values.emplace_back(metric.name, result_of(metric.metric, pass.counters.data() + metric.first_counter,
                                                   head.shape.back()));
        continue;
      }
      const double counted = metric.rows_counter < 0 ? rows : counter(metric.rows_counter);
      values.emplace_back(metric.name, mean(counter(metric.first_counter), counted));
    }
  }
  for (auto& [name, value] : values) value = without_odd_sign(value);
  return Logs(std::move(values));
}

const ResolvedMetric* Trainer::metric_that_counts_classes() const {
  for (const Head& head : heads_.all)
    for (const ResolvedMetric& metric : head.metrics)
      if (std::holds_alternative<ConfusionMatrix>(metric.metric)) return &metric;
  return nullptr;
}

}  // namespace glia
