// Learning-rate schedules: a pure function of the optimizer's iteration, evaluated on the device inside the
// step.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/macros.h>  // defines: GLIA_HD

#include <cmath>
#include <cstdint>
#include <string>
#include <variant>

namespace glia {

/// A fixed learning rate.
struct ConstantRate {
  double value = 1e-3;

  /// The reason why these numbers cannot be taken, or nothing.
  std::string invalid() const {
    return std::isfinite(value) && value >= 0 ? "" : "it must be finite and at least 0";
  }
  GLIA_HD double at(std::int64_t) const { return value; }
};

/// initial_learning_rate * decay_rate ^ (iteration / decay_steps), the exponent rounded down where staircase.
/// Keras: schedules.ExponentialDecay.
struct ExponentialDecay {
  double initial_learning_rate = 1e-3;
  double decay_steps = 1000;
  double decay_rate = 0.9;
  bool staircase = false;

  std::string invalid() const {
    if (!std::isfinite(initial_learning_rate) || initial_learning_rate < 0)
      return "initial_learning_rate must be finite and at least 0";
    if (!std::isfinite(decay_steps) || decay_steps <= 0) return "decay_steps must be finite and above 0";
    return std::isfinite(decay_rate) && decay_rate > 0 ? "" : "decay_rate must be finite and above 0";
  }
  GLIA_HD double at(std::int64_t iteration) const {
    const double power = static_cast<double>(iteration) / decay_steps;
    return initial_learning_rate * std::pow(decay_rate, staircase ? std::floor(power) : power);
  }
};

/// A number or a schedule: `.learning_rate = 0.01` and `.learning_rate = glia::ExponentialDecay{...}` both
/// fit.
struct LearningRate {
  std::variant<ConstantRate, ExponentialDecay> schedule;

  LearningRate(double value) : schedule(ConstantRate{value}) {}
  LearningRate(ExponentialDecay decay) : schedule(decay) {}

  bool is_constant() const { return std::holds_alternative<ConstantRate>(schedule); }
  /// At the given number of updates already made (0 for the first).
  double at(std::int64_t iteration) const {
    return std::visit([&](const auto& s) { return s.at(iteration); }, schedule);
  }
};

}  // namespace glia
