// Metrics, all computed on the device inside the step, under Keras's names. Those that are a number for each
// row, averaged over rows, go along with the loss; the others keep counters of their own, from which the host
// makes the number (host/model/metrics.cpp). Adding one is a struct here, a name in the variant, its kernel where it
// is none of those there are, and golden values.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/error.h>  // defines: detail::with_got
#include <glia/macros.h>
#include <glia/math/losses.h>

#include <cmath>
#include <cstdint>
#include <string>
#include <variant>

namespace GLIA_API glia {

/// The most sums over rows that one pass over the outputs makes beside the loss's: those of metrics, and that of the
/// weights. More metrics are more passes.
inline constexpr int max_row_metrics = 9;

/// A metric averaged over rows, as the loss's kernel takes it.
struct RowMetric {
  enum Kind : std::int32_t { binary_accuracy, accuracy, top_k, mean_output, weight };
  Kind kind = weight;
  std::int32_t weighted = 0;  ///< 1: times the row's weight
  double parameter = 0;       ///< binary_accuracy's threshold, top_k's k
};

// Each metric has
//   name, and short_name where there is one
//   targets        what it wants as targets; `any` where it takes either
// Those averaged over rows along with the loss have also
//   row_wise       true

/// What a metric wants as targets.
enum class MetricTargets { dense, sparse_labels, any };

/// The reason why a threshold of BinaryAccuracy, Precision and their kin cannot be taken, or nothing.
inline std::string invalid_threshold(const char* name, double threshold) {
  if (threshold >= 0 && threshold <= 1) return "";
  return name + detail::with_got("'s threshold must lie in [0, 1]", threshold);
}

/// Share of the outputs on the right side of `threshold`: prediction > threshold against a 0/1 target. A threshold of 0.5
/// is usual for probabilities, 0 for logits.
struct BinaryAccuracy {
  static constexpr auto name = "binary_accuracy";
  static constexpr MetricTargets targets = MetricTargets::dense;
  static constexpr bool row_wise = true;
  double threshold = 0.5;

  std::string invalid() const { return invalid_threshold(name, threshold); }
};

/// Whether the largest output stands where the largest target does; the first of equals counts.
struct CategoricalAccuracy {
  static constexpr auto name = "categorical_accuracy";
  static constexpr MetricTargets targets = MetricTargets::dense;
  static constexpr bool row_wise = true;
};

/// Whether the largest output stands where the label says.
struct SparseCategoricalAccuracy {
  static constexpr auto name = "sparse_categorical_accuracy";
  static constexpr MetricTargets targets = MetricTargets::sparse_labels;
  static constexpr bool row_wise = true;
};

/// Whether fewer than k outputs are larger than the one where the largest target stands.
struct TopKCategoricalAccuracy {
  static constexpr auto name = "top_k_categorical_accuracy";
  static constexpr MetricTargets targets = MetricTargets::dense;
  static constexpr bool row_wise = true;
  int k = 5;

  std::string invalid() const {
    return k >= 1 ? "" : detail::with_got("top_k_categorical_accuracy's k must be at least 1", k);
  }
};

/// The same with labels.
struct SparseTopKCategoricalAccuracy {
  static constexpr auto name = "sparse_top_k_categorical_accuracy";
  static constexpr MetricTargets targets = MetricTargets::sparse_labels;
  static constexpr bool row_wise = true;
  int k = 5;

  std::string invalid() const {
    return k >= 1 ? "" : detail::with_got("sparse_top_k_categorical_accuracy's k must be at least 1", k);
  }
};

/// The mean of the outputs.
struct Mean {
  static constexpr auto name = "mean";
  static constexpr MetricTargets targets = MetricTargets::any;
  static constexpr bool row_wise = true;
};

/// Which of an output's elements a count takes: those of one class, or of all.
inline constexpr int all_classes = -1;

/// What Precision, Recall and their kin count: elements with prediction > threshold against 0/1 targets. A
/// target other than 0 is positive, a threshold of 0.5 usual for probabilities, 0 for logits.
struct Precision {
  static constexpr auto name = "precision";
  static constexpr MetricTargets targets = MetricTargets::dense;
  double threshold = 0.5;
  int class_id = all_classes;

  std::string invalid() const { return invalid_threshold(name, threshold); }
};
/// Of the positive targets, the share found.
struct Recall {
  static constexpr auto name = "recall";
  static constexpr MetricTargets targets = MetricTargets::dense;
  double threshold = 0.5;
  int class_id = all_classes;

  std::string invalid() const { return invalid_threshold(name, threshold); }
};
struct TruePositives {
  static constexpr auto name = "true_positives";
  static constexpr MetricTargets targets = MetricTargets::dense;
  double threshold = 0.5;
  int class_id = all_classes;

  std::string invalid() const { return invalid_threshold(name, threshold); }
};
struct FalsePositives {
  static constexpr auto name = "false_positives";
  static constexpr MetricTargets targets = MetricTargets::dense;
  double threshold = 0.5;
  int class_id = all_classes;

  std::string invalid() const { return invalid_threshold(name, threshold); }
};
struct TrueNegatives {
  static constexpr auto name = "true_negatives";
  static constexpr MetricTargets targets = MetricTargets::dense;
  double threshold = 0.5;
  int class_id = all_classes;

  std::string invalid() const { return invalid_threshold(name, threshold); }
};
struct FalseNegatives {
  static constexpr auto name = "false_negatives";
  static constexpr MetricTargets targets = MetricTargets::dense;
  double threshold = 0.5;
  int class_id = all_classes;

  std::string invalid() const { return invalid_threshold(name, threshold); }
};

/// How F scores of classes become one number. Keras's default, one number a class, is no number for a log:
/// here macro is.
enum class Averaging { macro, micro, weighted };

/// (1 + beta^2) precision recall / (beta^2 precision + recall) of each class. An element is predicted where
/// it exceeds `threshold`, or where that is 0, where it is its row's greatest.
struct FBetaScore {
  static constexpr auto name = "fbeta_score";
  static constexpr MetricTargets targets = MetricTargets::dense;
  Averaging average = Averaging::macro;
  double beta = 1;
  double threshold = 0;

  std::string invalid() const {
    if (!(beta > 0)) return detail::with_got("fbeta_score's beta must be above 0", beta);
    return threshold >= 0 && threshold <= 1
               ? ""
               : detail::with_got("fbeta_score's threshold must lie in (0, 1], or be 0 for none", threshold);
  }
};
/// FBetaScore with beta 1: the harmonic mean of precision and recall.
struct F1Score {
  static constexpr auto name = "f1_score";
  static constexpr MetricTargets targets = MetricTargets::dense;
  Averaging average = Averaging::macro;
  double threshold = 0;

  std::string invalid() const {
    return threshold >= 0 && threshold <= 1
               ? ""
               : detail::with_got("f1_score's threshold must lie in (0, 1], or be 0 for none", threshold);
  }
};

/// Which curve AUC is the area under: true over false positive rate, or precision over recall.
enum class AUCCurve { ROC, PR };

/// Area under the curve by num_thresholds points, between which it is interpolated. All elements of all rows
/// count together.
struct AUC {
  static constexpr auto name = "auc";
  static constexpr MetricTargets targets = MetricTargets::dense;
  int num_thresholds = 200;
  AUCCurve curve = AUCCurve::ROC;
  bool from_logits = false;

  std::string invalid() const {
    return num_thresholds >= 2 && num_thresholds <= 65536
               ? ""
               : detail::with_got("auc's num_thresholds must be 2 to 65536", num_thresholds);
  }
};

/// 1 - sum (y - p)^2 / sum (y - mean y)^2 of each output, averaged over outputs. Of targets that are all the same 1 where
/// every prediction is right, else 0.
struct R2Score {
  static constexpr auto name = "r2_score";
  static constexpr MetricTargets targets = MetricTargets::dense;
};

/// The root of the mean squared error.
struct RootMeanSquaredError {
  static constexpr auto name = "root_mean_squared_error";
  static constexpr auto short_name = "rmse";
  static constexpr MetricTargets targets = MetricTargets::dense;
};

/// How often each class was taken for each: a number in logs is the share on the diagonal; the matrix itself
/// is what Sequential::confusion_matrix returns. One output is two classes: the second above `threshold`, which unless
/// given is 0 where the loss takes logits or is a hinge, else 0.5.
struct ConfusionMatrix {
  static constexpr auto name = "confusion_matrix";
  static constexpr MetricTargets targets = MetricTargets::any;
  static constexpr double by_loss = HUGE_VAL;
  double threshold = by_loss;

  std::string invalid() const {
    return threshold == threshold
               ? ""
               : detail::with_got("confusion_matrix's threshold must be a number", threshold);
  }
};

/// A loss as a metric; cosine_similarity with the sign turned, as in Keras.
struct LossMetric {
  Losses loss;
};

using Metrics = std::variant<BinaryAccuracy, CategoricalAccuracy, SparseCategoricalAccuracy,
                             TopKCategoricalAccuracy, SparseTopKCategoricalAccuracy, Mean, Precision, Recall,
                             TruePositives, FalsePositives, TrueNegatives, FalseNegatives, FBetaScore,
                             F1Score, AUC, R2Score, RootMeanSquaredError, ConfusionMatrix, LossMetric>;

}  // namespace glia
