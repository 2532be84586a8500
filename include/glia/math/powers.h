// What of an update depends on its number alone: powers, in float64. They take a GPU as long as the update of a small model, so
// a step computes them once, while its rows are brought in (StepState::powers).
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/macros.h>

#include <cmath>
#include <cstdint>

namespace GLIA_API glia {

/// The corrections of Adam's relatives for moments that start at 0.
struct Powers {
  enum Kind : std::int32_t { none, adam, adamax, nadam };
  Kind kind = none;
  double beta_1 = 0, beta_2 = 0;

  /// Those of update t, counted from 1; what the kind has no use for stays as it was.
  GLIA_HD void at(std::int64_t t, double (&to)[3]) const {
    const double steps = static_cast<double>(t);
    if (kind == adam)
      to[0] = std::sqrt(1 - std::pow(beta_2, steps)) / (1 - std::pow(beta_1, steps));
    else if (kind == adamax)
      to[0] = 1 / (1 - std::pow(beta_1, steps));
    else if (kind == nadam)
      of_nadam(t, to);
  }

 private:
  /// Factors of the momentum, of the gradient and of the variance.
  GLIA_HD void of_nadam(std::int64_t t, double (&to)[3]) const {
    // The product of all mu so far. Once it is below 1e-18, 1 minus it is 1; 0.96^t is 0 beside 1 after 900.
    double product = 1, power = 1, mu = 0;
    std::int64_t i = 0;
    for (; i < t && i < 900 && product > 1e-18; ++i) {
      power *= 0.96;
      mu = beta_1 * (1 - 0.5 * power);
      product *= mu;
    }
    if (i < t) {
      product *= std::pow(beta_1, static_cast<double>(t - i));
      power = std::pow(0.96, static_cast<double>(t));
      mu = beta_1 * (1 - 0.5 * power);
    }
    const double next = beta_1 * (1 - 0.5 * power * 0.96);
    to[0] = next / (1 - product * next);
    to[1] = (1 - mu) / (1 - product);
    to[2] = 1 / (1 - std::pow(beta_2, static_cast<double>(t)));
  }
};

/// Of an optimizer; none where it has none.
template <class Optimizer>
Powers powers_of(const Optimizer& optimizer) {
  if constexpr (requires { optimizer.powers(); })
    return optimizer.powers();
  else
    return {};
}

}  // namespace glia
