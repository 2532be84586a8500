// Regularizers and constraints of a layer's weights, under Keras's names and defaults. Adding one is a struct
// here, a name in the variant, and golden values.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/error.h>  // defines: detail::with_got
#include <glia/macros.h>
#include <glia/math/functions.h>  // defines: math::abs, sign, sqrt

#include <cmath>
#include <string>
#include <variant>

namespace GLIA_API glia {

/// l1 sum |w| + l2 sum w^2, added to the loss; of both nothing unless given, as in Keras.
struct L1L2 {
  static constexpr auto name = "l1_l2";
  double l1 = 0;
  double l2 = 0;

  /// The reason why these numbers cannot be taken, or nothing.
  std::string invalid() const {
    for (const double factor : {l1, l2})
      if (!(std::isfinite(factor) && factor >= 0))
        return detail::with_got("a regularizer's factor must be finite and at least 0", factor);
    return "";
  }
};
struct L1 {
  static constexpr auto name = "l1";
  double l1 = 0.01;

  std::string invalid() const { return as_l1_l2().invalid(); }
  L1L2 as_l1_l2() const { return {l1, 0}; }
};
struct L2 {
  static constexpr auto name = "l2";
  double l2 = 0.01;

  std::string invalid() const { return as_l1_l2().invalid(); }
  L1L2 as_l1_l2() const { return {0, l2}; }
};
struct NoRegularizer {
  static constexpr auto name = "none";
};

using Regularizers = std::variant<NoRegularizer, L1, L2, L1L2>;

// A constraint has scale(norm): the factor of weights of that norm along their first axis (for a Dense kernel (in, units)
// those into one unit; for a kernel of images those of one column, channel and filter), after each update, as Keras's
// default axis = 0. Source: keras.constraints, with its epsilon of 1e-7.

/// Norms of at most max_value.
struct MaxNorm {
  static constexpr auto name = "max_norm";
  double max_value = 2;

  std::string invalid() const {
    return max_value >= 0 ? "" : detail::with_got("max_norm's max_value must be at least 0", max_value);
  }
  template <class T>
  GLIA_HD T scale(T norm) const {
    const T most = static_cast<T>(max_value);
    return (norm > most ? most : norm) / (norm + T(1e-7));
  }
};
/// Norms of 1.
struct UnitNorm {
  static constexpr auto name = "unit_norm";
  template <class T>
  GLIA_HD T scale(T norm) const {
    return T(1) / (norm + T(1e-7));
  }
};
/// Norms from min_value to max_value, each update by the share `rate` of the way.
struct MinMaxNorm {
  static constexpr auto name = "min_max_norm";
  double min_value = 0;
  double max_value = 1;
  double rate = 1;

  std::string invalid() const {
    if (!(min_value >= 0 && max_value >= min_value))
      return detail::with_got("min_max_norm's min_value must be at least 0, its max_value at least that",
                              min_value);
    return rate >= 0 && rate <= 1 ? "" : detail::with_got("min_max_norm's rate must lie in [0, 1]", rate);
  }
  template <class T>
  GLIA_HD T scale(T norm) const {
    const T inside = norm < static_cast<T>(min_value)   ? static_cast<T>(min_value)
                     : norm > static_cast<T>(max_value) ? static_cast<T>(max_value)
                                                        : norm;
    return (static_cast<T>(rate) * inside + static_cast<T>(1 - rate) * norm) / (norm + T(1e-7));
  }
};
/// No weight below 0.
struct NonNeg {
  static constexpr auto name = "non_neg";
};
struct NoConstraint {
  static constexpr auto name = "none";
};

using Constraints = std::variant<NoConstraint, MaxNorm, UnitNorm, MinMaxNorm, NonNeg>;

}  // namespace glia
