// Losses: options under Keras's names, and the scalar mathematics of the element-wise ones. A loss is a mean
// over rows; an element-wise loss is in each row a mean, or where `sums` a sum, over the last axis. Adding one
// is a struct here, a name in the variant, and golden values. Those of whole rows have a kernel of their own,
// in kernels/row_losses.h.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/error.h>  // defines: detail::with_got
#include <glia/macros.h>
#include <glia/math/functions.h>  // defines: math::log, log1p, exp, exp_below_0, sigmoid, clip

#include <cstdint>
#include <string>
#include <variant>

namespace GLIA_API glia {

/// Keras keeps probabilities inside [epsilon, 1 - epsilon] before it takes their logarithm.
inline constexpr double probability_epsilon = 1e-7;

/// What a loss wants as targets.
enum class Targets { dense, sparse_labels };

namespace math {

/// p in [epsilon, 1 - epsilon]; NaN stays.
template <class T>
GLIA_HD T clip_probability(T p) {
  return clip(p, static_cast<T>(probability_epsilon), static_cast<T>(1 - probability_epsilon));
}

/// -y log p - (1 - y) log(1 - p), p clipped; and its slope in p, 0 where p was clipped.
template <class T>
GLIA_HD T crossentropy(T y, T p) {
  const T q = clip_probability(p);
  return -(y * log(q) + (T(1) - y) * log(T(1) - q));
}
template <class T>
GLIA_HD T crossentropy_slope(T y, T p) {
  return clip_probability(p) == p || p != p ? (p - y) / (p * (T(1) - p)) : T(0);
}

/// -y log p - (1 - y) log(1 - p) of p = sigmoid(z), as max(z, 0) - z y + log(1 + e^-|z|): no large number is lost.
template <class T>
GLIA_HD T crossentropy_of_logit(T y, T z) {
  return (z < T(0) ? T(0) : z) - z * y + log1p(exp_below_0(-abs(z)));
}

}  // namespace math

/// The reason why a label smoothing cannot be taken, or nothing.
inline std::string invalid_smoothing(double smoothing) {
  return smoothing >= 0 && smoothing <= 1 ? ""
                                          : detail::with_got("label_smoothing must lie in [0, 1]", smoothing);
}

/// (p - y)^2.
struct MeanSquaredError {
  static constexpr auto name = "mean_squared_error";
  static constexpr auto short_name = "mse";
  static constexpr Targets targets = Targets::dense;
  static constexpr bool elementwise = true;

  template <class T>
  GLIA_HD T value(T y, T p) const {
    return (p - y) * (p - y);
  }
  template <class T>
  GLIA_HD T gradient(T y, T p) const {
    return T(2) * (p - y);
  }
};

/// |p - y|; the slope at 0 is 0.
struct MeanAbsoluteError {
  static constexpr auto name = "mean_absolute_error";
  static constexpr auto short_name = "mae";
  static constexpr Targets targets = Targets::dense;
  static constexpr bool elementwise = true;

  template <class T>
  GLIA_HD T value(T y, T p) const {
    return math::abs(p - y);
  }
  template <class T>
  GLIA_HD T gradient(T y, T p) const {
    return math::sign(p - y);
  }
};

/// 100 |p - y| / max(|y|, 1e-7).
struct MeanAbsolutePercentageError {
  static constexpr auto name = "mean_absolute_percentage_error";
  static constexpr auto short_name = "mape";
  static constexpr Targets targets = Targets::dense;
  static constexpr bool elementwise = true;

  template <class T>
  GLIA_HD T value(T y, T p) const {
    return scale(y) * math::abs(p - y);
  }
  template <class T>
  GLIA_HD T gradient(T y, T p) const {
    return scale(y) * math::sign(p - y);
  }

 private:
  template <class T>
  GLIA_HD static T scale(T y) {
    return T(100) / math::max_nan(math::abs(y), static_cast<T>(probability_epsilon));
  }
};

/// (log(p + 1) - log(y + 1))^2, p and y at least 1e-7.
struct MeanSquaredLogarithmicError {
  static constexpr auto name = "mean_squared_logarithmic_error";
  static constexpr auto short_name = "msle";
  static constexpr Targets targets = Targets::dense;
  static constexpr bool elementwise = true;

  template <class T>
  GLIA_HD T value(T y, T p) const {
    const T difference = math::log(least(p) + T(1)) - math::log(least(y) + T(1));
    return difference * difference;
  }
  template <class T>
  GLIA_HD T gradient(T y, T p) const {
    if (p < static_cast<T>(probability_epsilon)) return T(0);
    return T(2) * (math::log(p + T(1)) - math::log(least(y) + T(1))) / (p + T(1));
  }

 private:
  template <class T>
  GLIA_HD static T least(T x) {
    return x < static_cast<T>(probability_epsilon) ? static_cast<T>(probability_epsilon) : x;
  }
};

/// e^2 / 2 for an error |e| up to delta, beyond it delta |e| - delta^2 / 2 (Huber 1964).
struct Huber {
  static constexpr auto name = "huber";
  static constexpr Targets targets = Targets::dense;
  static constexpr bool elementwise = true;
  double delta = 1;

  std::string invalid() const {
    return delta > 0 ? "" : detail::with_got("huber's delta must be above 0", delta);
  }
  template <class T>
  GLIA_HD T value(T y, T p) const {
    const T d = static_cast<T>(delta), error = math::abs(p - y);
    return error <= d ? error * error / T(2) : d * (error - d / T(2));
  }
  template <class T>
  GLIA_HD T gradient(T y, T p) const {
    const T d = static_cast<T>(delta);
    return math::clip(p - y, -d, d);
  }
};

/// log(cosh(p - y)).
struct LogCosh {
  static constexpr auto name = "log_cosh";
  static constexpr auto short_name = "logcosh";
  static constexpr Targets targets = Targets::dense;
  static constexpr bool elementwise = true;

  template <class T>
  GLIA_HD T value(T y, T p) const {
    const T error = math::abs(p - y);
    if (error < T(1)) {  // cosh x - 1 = (e^x - 1)^2 / (2 e^x), of which nothing is lost near 0
      const T grown = math::expm1(error);
      return math::log1p(grown * grown / (T(2) * (grown + T(1))));
    }
    return error + math::log1p(math::exp(T(-2) * error)) - static_cast<T>(0.69314718055994530942);
  }
  template <class T>
  GLIA_HD T gradient(T y, T p) const {
    return math::tanh(p - y);
  }
};

/// -y log p - (1 - y) log(1 - p), p a probability; with from_logits p = sigmoid(z), whose gradient is
/// sigmoid(z) - y. label_smoothing draws y towards 1/2.
struct BinaryCrossentropy {
  static constexpr auto name = "binary_crossentropy";
  static constexpr auto short_name = "bce";
  static constexpr Targets targets = Targets::dense;
  static constexpr bool elementwise = true;
  bool from_logits = false;
  double label_smoothing = 0;

  std::string invalid() const { return invalid_smoothing(label_smoothing); }
  template <class T>
  GLIA_HD T value(T target, T p) const {
    const T y = smoothed(target);
    return from_logits ? math::crossentropy_of_logit(y, p) : math::crossentropy(y, p);
  }
  template <class T>
  GLIA_HD T gradient(T target, T p) const {
    const T y = smoothed(target);
    return from_logits ? math::sigmoid(p) - y : math::crossentropy_slope(y, p);
  }

 private:
  template <class T>
  GLIA_HD T smoothed(T y) const {
    return y * static_cast<T>(1 - label_smoothing) + static_cast<T>(label_smoothing / 2);
  }
};

/// Binary cross-entropy times (1 - p_t)^gamma, p_t the probability given to the target, and where
/// apply_class_balancing times alpha for ones and 1 - alpha for zeros (Lin et al. 2018). Of logits nothing is clipped,
/// so that a row learns however sure it is; probabilities are kept inside [1e-7, 1 - 1e-7], with slope 0 beyond.
struct BinaryFocalCrossentropy {
  static constexpr auto name = "binary_focal_crossentropy";
  static constexpr Targets targets = Targets::dense;
  static constexpr bool elementwise = true;
  bool apply_class_balancing = false;
  double alpha = 0.25;
  double gamma = 2;
  bool from_logits = false;
  double label_smoothing = 0;

  std::string invalid() const {
    if (!(alpha >= 0 && alpha <= 1))
      return detail::with_got("binary_focal_crossentropy's alpha must lie in [0, 1]", alpha);
    if (!(gamma >= 0)) return detail::with_got("binary_focal_crossentropy's gamma must be at least 0", gamma);
    return invalid_smoothing(label_smoothing);
  }
  template <class T>
  GLIA_HD T value(T target, T x) const {
    const T y = smoothed(target), p = from_logits ? math::sigmoid(x) : math::clip_probability(x);
    const T q = from_logits ? math::sigmoid(-x) : T(1) - p;
    const T entropy = from_logits ? math::crossentropy_of_logit(y, x) : math::crossentropy(y, x);
    return weight(y) * focus(y * q + (T(1) - y) * p) * entropy;
  }
  template <class T>
  GLIA_HD T gradient(T target, T x) const {
    const T y = smoothed(target), g = static_cast<T>(gamma), turn = T(1) - T(2) * y;
    if (from_logits) {
      // Of the greater and the lesser of p and q = 1 - p, e = lesser / greater, the slope of missed is turn p q, and
      // p q / missed stays in [0, 1] where missed goes to 0.
      const T p = math::sigmoid(x), q = math::sigmoid(-x), e = math::exp_below_0(-math::abs(x));
      const bool above = x >= T(0);
      const T of_lesser = above ? y : T(1) - y, of_greater = above ? T(1) - y : y;
      const T share = of_greater == T(0) ? (above ? p : q) : (above ? q : p) / (of_lesser * e + of_greater);
      const T error = above ? of_greater - q : p - of_greater;  // p - y
      return weight(y) * focus(y * q + (T(1) - y) * p) *
             (g * share * turn * math::crossentropy_of_logit(y, x) + error);
    }
    const T p = math::clip_probability(x), missed = y * (T(1) - p) + (T(1) - y) * p;
    if (p != x && x == x) return T(0);
    const T slope = g * focus(missed) / missed * turn * math::crossentropy(y, p);
    return weight(y) * (slope + focus(missed) * math::crossentropy_slope(y, p));
  }

 private:
  template <class T>
  GLIA_HD T smoothed(T y) const {
    return y * static_cast<T>(1 - label_smoothing) + static_cast<T>(label_smoothing / 2);
  }
  /// (1 - p_t)^gamma.
  template <class T>
  GLIA_HD T focus(T missed) const {
    return math::pow(missed, static_cast<T>(gamma));
  }
  template <class T>
  GLIA_HD T weight(T y) const {
    const T a = static_cast<T>(alpha);
    return apply_class_balancing ? y * a + (T(1) - y) * (T(1) - a) : T(1);
  }
};

/// -sum_i y_i log p_i over the last axis, y a distribution (one-hot); p is normalised to sum to 1 and
/// clipped, or with from_logits p = softmax(z). label_smoothing draws y towards 1 / classes.
struct CategoricalCrossentropy {
  static constexpr auto name = "categorical_crossentropy";
  static constexpr auto short_name = "cce";
  static constexpr Targets targets = Targets::dense;
  static constexpr bool elementwise = false;
  bool from_logits = false;
  double label_smoothing = 0;

  std::string invalid() const { return invalid_smoothing(label_smoothing); }
};

/// Categorical cross-entropy, each class times alpha (1 - p_i)^gamma. Of logits nothing is clipped, so that a row learns
/// however sure it is.
struct CategoricalFocalCrossentropy {
  static constexpr auto name = "categorical_focal_crossentropy";
  static constexpr Targets targets = Targets::dense;
  static constexpr bool elementwise = false;
  double alpha = 0.25;
  double gamma = 2;
  bool from_logits = false;
  double label_smoothing = 0;

  std::string invalid() const {
    if (!(alpha >= 0))
      return detail::with_got("categorical_focal_crossentropy's alpha must be at least 0", alpha);
    if (!(gamma >= 0))
      return detail::with_got("categorical_focal_crossentropy's gamma must be at least 0", gamma);
    return invalid_smoothing(label_smoothing);
  }
};

/// Categorical cross-entropy with the class's number as target: -log p_label. Rows labelled ignore_class
/// count neither in the sum nor among the rows that it is divided by.
struct SparseCategoricalCrossentropy {
  static constexpr auto name = "sparse_categorical_crossentropy";
  static constexpr auto short_name = "scce";
  static constexpr Targets targets = Targets::sparse_labels;
  static constexpr bool elementwise = false;
  /// No class has this number.
  static constexpr std::int64_t no_class = INT64_MIN;
  bool from_logits = false;
  std::int64_t ignore_class = no_class;
};

/// y log(y / p), summed over the last axis; y and p are kept in [1e-7, 1].
struct KLDivergence {
  static constexpr auto name = "kl_divergence";
  static constexpr auto short_name = "kld";
  static constexpr Targets targets = Targets::dense;
  static constexpr bool elementwise = true;
  static constexpr bool sums = true;

  template <class T>
  GLIA_HD T value(T y, T p) const {
    const T target = inside(y);
    return target * math::log(target / inside(p));
  }
  template <class T>
  GLIA_HD T gradient(T y, T p) const {
    return inside(p) == p || p != p ? -inside(y) / p : T(0);
  }

 private:
  template <class T>
  GLIA_HD static T inside(T x) {
    return math::clip(x, static_cast<T>(probability_epsilon), T(1));
  }
};

/// p - y log(p + 1e-7).
struct Poisson {
  static constexpr auto name = "poisson";
  static constexpr Targets targets = Targets::dense;
  static constexpr bool elementwise = true;

  template <class T>
  GLIA_HD T value(T y, T p) const {
    return p - y * math::log(p + static_cast<T>(probability_epsilon));
  }
  template <class T>
  GLIA_HD T gradient(T y, T p) const {
    return T(1) - y / (p + static_cast<T>(probability_epsilon));
  }
};

/// max(1 - y p, 0), y -1 or 1; 0 counts as -1.
struct Hinge {
  static constexpr auto name = "hinge";
  static constexpr Targets targets = Targets::dense;
  static constexpr bool elementwise = true;

  template <class T>
  GLIA_HD static T side(T y) {
    return y == T(0) ? T(-1) : y;
  }
  template <class T>
  GLIA_HD T value(T y, T p) const {
    const T margin = T(1) - side(y) * p;
    return margin < T(0) ? T(0) : margin;
  }
  template <class T>
  GLIA_HD T gradient(T y, T p) const {
    return T(1) - side(y) * p <= T(0) ? T(0) : -side(y);
  }
};

/// max(1 - y p, 0)^2, y -1 or 1; 0 counts as -1.
struct SquaredHinge {
  static constexpr auto name = "squared_hinge";
  static constexpr Targets targets = Targets::dense;
  static constexpr bool elementwise = true;

  template <class T>
  GLIA_HD T value(T y, T p) const {
    const T margin = Hinge().value(y, p);
    return margin * margin;
  }
  template <class T>
  GLIA_HD T gradient(T y, T p) const {
    return T(2) * Hinge().value(y, p) * -Hinge::side(y);
  }
};

/// max(max_i((1 - y_i) p_i) - sum_i y_i p_i + 1, 0) over the last axis, y one-hot.
struct CategoricalHinge {
  static constexpr auto name = "categorical_hinge";
  static constexpr Targets targets = Targets::dense;
  static constexpr bool elementwise = false;
};

/// -sum_i y_i p_i / (|y| |p|) over the last axis; 0 where either is 0.
struct CosineSimilarity {
  static constexpr auto name = "cosine_similarity";
  static constexpr Targets targets = Targets::dense;
  static constexpr bool elementwise = false;
};

using Losses =
    std::variant<MeanSquaredError, BinaryCrossentropy, CategoricalCrossentropy, SparseCategoricalCrossentropy,
                 MeanAbsoluteError, MeanAbsolutePercentageError, MeanSquaredLogarithmicError, Huber, LogCosh,
                 BinaryFocalCrossentropy, CategoricalFocalCrossentropy, KLDivergence, Poisson, Hinge,
                 SquaredHinge, CategoricalHinge, CosineSimilarity>;

}  // namespace glia
