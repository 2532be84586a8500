// Losses: options under Keras's names, and the scalar mathematics of the element-wise ones. A loss is a mean
// over rows; an element-wise loss is in each row a mean over the last axis. Adding one is a struct here, a
// name in the variant, and golden values.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/math/functions.h>  // defines: math::log, log1p, exp, sigmoid

#include <variant>

namespace glia {

/// Keras keeps probabilities inside [epsilon, 1 - epsilon] before it takes their logarithm.
inline constexpr double probability_epsilon = 1e-7;

/// What a loss wants as targets.
enum class Targets { dense, sparse_labels };

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

/// -y log p - (1 - y) log(1 - p), p a probability; with from_logits p = sigmoid(z), computed as
/// max(z, 0) - z y + log(1 + e^-|z|), whose gradient is sigmoid(z) - y.
struct BinaryCrossentropy {
  static constexpr auto name = "binary_crossentropy";
  static constexpr auto short_name = "bce";
  static constexpr Targets targets = Targets::dense;
  static constexpr bool elementwise = true;
  bool from_logits = false;

  template <class T>
  GLIA_HD T value(T y, T p) const {
    if (from_logits) return (p < T(0) ? T(0) : p) - p * y + math::log1p(math::exp(-math::abs(p)));
    const T q = clipped(p);
    return -(y * math::log(q) + (T(1) - y) * math::log(T(1) - q));
  }
  template <class T>
  GLIA_HD T gradient(T y, T p) const {
    if (from_logits) return math::sigmoid(p) - y;
    const T q = clipped(p);
    return q == p || p != p ? (p - y) / (p * (T(1) - p)) : T(0);
  }

 private:
  template <class T>
  GLIA_HD static T clipped(T p) {
    constexpr T low = static_cast<T>(probability_epsilon), high = static_cast<T>(1 - probability_epsilon);
    return p < low ? low : (p > high ? high : p);  // NaN stays
  }
};

/// -sum_i y_i log p_i over the last axis, y a distribution (one-hot); p is normalised to sum to 1 and
/// clipped, or with from_logits p = softmax(z). The row kernel is in kernels/loss.h.
struct CategoricalCrossentropy {
  static constexpr auto name = "categorical_crossentropy";
  static constexpr auto short_name = "cce";
  static constexpr Targets targets = Targets::dense;
  static constexpr bool elementwise = false;
  bool from_logits = false;
};

/// The same with the class's number as target: -log p_label.
struct SparseCategoricalCrossentropy {
  static constexpr auto name = "sparse_categorical_crossentropy";
  static constexpr auto short_name = "scce";
  static constexpr Targets targets = Targets::sparse_labels;
  static constexpr bool elementwise = false;
  bool from_logits = false;
};

using Losses = std::variant<MeanSquaredError, BinaryCrossentropy, CategoricalCrossentropy,
                            SparseCategoricalCrossentropy>;

}  // namespace glia
