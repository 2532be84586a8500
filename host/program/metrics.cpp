// Results of metrics from their counters.
// SPDX-License-Identifier: Apache-2.0
#include <host/program/metrics.h>

#include <algorithm>
#include <cmath>
#include <type_traits>
#include <vector>

namespace glia {
namespace {

/// Keras's epsilon, where it divides so.
constexpr double epsilon = 1e-7;

/// 0 where nothing was counted.
double quotient(double a, double b) { return b == 0 ? 0 : a / b; }

RowMetric of_kind(RowMetric::Kind kind, double parameter = 0) { return {kind, 0, parameter}; }

std::optional<RowMetric> row_of(const BinaryAccuracy& m) {
  return of_kind(RowMetric::binary_accuracy, m.threshold);
}
std::optional<RowMetric> row_of(const CategoricalAccuracy&) { return of_kind(RowMetric::accuracy); }
std::optional<RowMetric> row_of(const SparseCategoricalAccuracy&) { return of_kind(RowMetric::accuracy); }
std::optional<RowMetric> row_of(const TopKCategoricalAccuracy& m) { return of_kind(RowMetric::top_k, m.k); }
std::optional<RowMetric> row_of(const SparseTopKCategoricalAccuracy& m) {
  return of_kind(RowMetric::top_k, m.k);
}
std::optional<RowMetric> row_of(const Mean&) { return of_kind(RowMetric::mean_output); }
template <class Metric>
std::optional<RowMetric> row_of(const Metric&) {
  return std::nullopt;
}

// PositivesKernel's four: true positives, false positives, true negatives, false negatives.
double result(const Precision&, const double* c, std::int64_t) { return quotient(c[0], c[0] + c[1]); }
double result(const Recall&, const double* c, std::int64_t) { return quotient(c[0], c[0] + c[3]); }
double result(const TruePositives&, const double* c, std::int64_t) { return c[0]; }
double result(const FalsePositives&, const double* c, std::int64_t) { return c[1]; }
double result(const TrueNegatives&, const double* c, std::int64_t) { return c[2]; }
double result(const FalseNegatives&, const double* c, std::int64_t) { return c[3]; }

double f_score(double beta, double true_positives, double false_positives, double false_negatives) {
  const double precision = true_positives / (true_positives + false_positives + epsilon);
  const double recall = true_positives / (true_positives + false_negatives + epsilon);
  const double squared = beta * beta;
  return (1 + squared) * precision * recall / (squared * precision + recall + epsilon);
}

/// counters (4, columns): true positives, false positives, false negatives, targets.
double result(const FBetaScore& metric, const double* c, std::int64_t columns) {
  if (metric.average == Averaging::micro) {
    double sums[3] = {};
    for (std::int64_t i = 0; i < 3 * columns; ++i) sums[i / columns] += c[i];
    return f_score(metric.beta, sums[0], sums[1], sums[2]);
  }
  double score = 0, targets = 0;
  for (std::int64_t i = 0; i < columns; ++i) targets += c[3 * columns + i];
  for (std::int64_t i = 0; i < columns; ++i) {
    const double weight = metric.average == Averaging::weighted ? c[3 * columns + i] / (targets + epsilon)
                                                                : 1 / static_cast<double>(columns);
    score += weight * f_score(metric.beta, c[i], c[columns + i], c[2 * columns + i]);
  }
  return score;
}
double result(const F1Score& metric, const double* c, std::int64_t columns) {
  return result(FBetaScore{metric.average, 1, metric.threshold}, c, columns);
}

/// Area under true over false positive rate: trapezia between thresholds.
double area_under_roc(const double* positives, const double* negatives, int n) {
  double area = 0;
  for (int i = 0; i + 1 < n; ++i)
    area += (quotient(negatives[i], negatives[0]) - quotient(negatives[i + 1], negatives[0])) *
            (quotient(positives[i], positives[0]) + quotient(positives[i + 1], positives[0])) / 2;
  return area;
}

/// Area under precision over recall, true positives interpolated between thresholds (Davis and Goadrich 2006).
double area_under_pr(const double* positives, const double* negatives, int n) {
  double area = 0;
  for (int i = 0; i + 1 < n; ++i) {
    const double here = positives[i] + negatives[i], next = positives[i + 1] + negatives[i + 1];
    const double slope = quotient(positives[i] - positives[i + 1], std::max(here - next, 0.0));
    const double intercept = positives[i + 1] - slope * next;
    const double ratio = here > 0 && next > 0 ? here / next : 1;
    area += quotient(slope * (positives[i] - positives[i + 1] + intercept * std::log(ratio)), positives[0]);
  }
  return area;
}

double result(const AUC& metric, const double* c, std::int64_t) {
  const int n = metric.num_thresholds;
  return metric.curve == AUCCurve::ROC ? area_under_roc(c, c + n, n) : area_under_pr(c, c + n, n);
}

/// counters (4, columns): mean of y, sums of (y - mean)^2, (y - p)^2 and the weights.
double result(const R2Score&, const double* c, std::int64_t columns) {
  double sum = 0;
  for (std::int64_t i = 0; i < columns; ++i) {
    const double spread = c[columns + i], errors = c[2 * columns + i];
    if (spread != 0 || std::isnan(errors))
      sum += 1 - errors / spread;
    else
      sum += errors == 0 && c[3 * columns + i] > 0 ? 1 : 0;  // scikit-learn's
  }
  return sum / static_cast<double>(columns);
}

double result(const RootMeanSquaredError&, const double* c, std::int64_t) {
  return std::sqrt(quotient(c[0], c[1]));
}

double result(const ConfusionMatrix&, const double* c, std::int64_t columns) {
  const std::int64_t classes = columns == 1 ? 2 : columns;
  double right = 0, all = 0;
  for (std::int64_t i = 0; i < classes * classes; ++i) {
    all += c[i];
    if (i / classes == i % classes) right += c[i];
  }
  return quotient(right, all);
}

double result(const LossMetric& metric, const double* c, std::int64_t) {
  const double sign = std::holds_alternative<CosineSimilarity>(metric.loss) ? -1 : 1;
  return sign * quotient(c[0], c[1]);
}

/// Those that go along with the loss have no counters.
template <class Metric>
double result(const Metric&, const double*, std::int64_t) {
  static_assert(Metric::row_wise);
  return 0;
}

}  // namespace

std::optional<RowMetric> row_metric(const Metrics& metric) {
  return std::visit([](const auto& m) { return row_of(m); }, metric);
}

std::int64_t counter_count(const Metrics& metric, std::int64_t columns) {
  return std::visit(
      [&](const auto& m) -> std::int64_t {
        using Metric = std::decay_t<decltype(m)>;
        if constexpr (requires { m.class_id; }) return 4;
        if constexpr (requires { m.average; } || std::is_same_v<Metric, R2Score>) return 4 * columns;
        if constexpr (std::is_same_v<Metric, AUC>) return 2 * m.num_thresholds;
        if constexpr (std::is_same_v<Metric, ConfusionMatrix>) return columns == 1 ? 4 : columns * columns;
        return 2;  // a sum and what it is divided by
      },
      metric);
}

double result_of(const Metrics& metric, const double* counters, std::int64_t columns) {
  return std::visit([&](const auto& m) { return result(m, counters, columns); }, metric);
}

}  // namespace glia
