// Learning-rate schedules: a pure function of the optimizer's iteration, evaluated on the device inside the
// step.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/macros.h>  // defines: GLIA_HD

#include <cmath>
#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace glia {

namespace detail {
inline bool is_rate(double value) { return std::isfinite(value) && value >= 0; }
/// From 1 at 0 to 0 at 1.
GLIA_HD double half_cosine(double share) { return (1 + std::cos(3.14159265358979323846 * share)) / 2; }
}  // namespace detail

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

/// initial_learning_rate / (1 + decay_rate * iteration / decay_steps), the quotient rounded down where
/// staircase. Keras: schedules.InverseTimeDecay.
struct InverseTimeDecay {
  double initial_learning_rate = 1e-3;
  double decay_steps = 1000;
  double decay_rate = 0.5;
  bool staircase = false;

  std::string invalid() const {
    if (!detail::is_rate(initial_learning_rate)) return "initial_learning_rate must be finite and at least 0";
    if (!(decay_steps > 0 && std::isfinite(decay_steps))) return "decay_steps must be finite and above 0";
    return detail::is_rate(decay_rate) ? "" : "decay_rate must be finite and at least 0";
  }
  GLIA_HD double at(std::int64_t iteration) const {
    const double quotient = static_cast<double>(iteration) / decay_steps;
    return initial_learning_rate / (1 + decay_rate * (staircase ? std::floor(quotient) : quotient));
  }
};

/// From initial_learning_rate to end_learning_rate as (1 - iteration / decay_steps) ^ power; from decay_steps
/// on the end's rate, or where cycle over the next multiple of decay_steps. Keras: schedules.PolynomialDecay.
struct PolynomialDecay {
  double initial_learning_rate = 1e-3;
  double decay_steps = 1000;
  double end_learning_rate = 1e-4;
  double power = 1;
  bool cycle = false;

  std::string invalid() const {
    if (!detail::is_rate(initial_learning_rate) || !detail::is_rate(end_learning_rate))
      return "initial_learning_rate and end_learning_rate must be finite and at least 0";
    if (!(decay_steps > 0 && std::isfinite(decay_steps))) return "decay_steps must be finite and above 0";
    return power > 0 && std::isfinite(power) ? "" : "power must be finite and above 0";
  }
  GLIA_HD double at(std::int64_t iteration) const {
    const double step = static_cast<double>(iteration);
    const double cycles = cycle && iteration > 0 ? std::ceil(step / decay_steps) : 1;
    const double share = step < decay_steps * cycles ? step / (decay_steps * cycles) : 1;
    return (initial_learning_rate - end_learning_rate) * std::pow(1 - share, power) + end_learning_rate;
  }
};

/// values[i] for the i-th piece: values[0] up to and including iteration boundaries[0], the last value after
/// the last boundary. Keras: schedules.PiecewiseConstantDecay.
///
///     glia::PiecewiseConstantDecay decay({1000, 2000}, {0.1, 0.01, 0.001});
struct PiecewiseConstantDecay {
  static constexpr int max_boundaries = 12;
  double boundaries[max_boundaries] = {};
  double values[max_boundaries + 1] = {};
  int boundary_count = 0, value_count = 0;  ///< as given, though no more than fit are kept

  PiecewiseConstantDecay() = default;
  PiecewiseConstantDecay(const std::vector<double>& boundaries_, const std::vector<double>& values_)
      : boundary_count(static_cast<int>(boundaries_.size())), value_count(static_cast<int>(values_.size())) {
    for (int i = 0; i < boundary_count && i < max_boundaries; ++i)
      boundaries[i] = boundaries_[static_cast<std::size_t>(i)];
    for (int i = 0; i < value_count && i <= max_boundaries; ++i)
      values[i] = values_[static_cast<std::size_t>(i)];
  }

  std::string invalid() const {
    if (boundary_count < 1 || boundary_count > max_boundaries)
      return "boundaries must be 1 to " + std::to_string(max_boundaries) + ", got " +
             std::to_string(boundary_count);
    if (value_count != boundary_count + 1)
      return "values must be one more than boundaries, got " + std::to_string(value_count) + " values and " +
             std::to_string(boundary_count) + " boundaries";
    for (int i = 0; i <= boundary_count; ++i)
      if (!detail::is_rate(values[i])) return "every value must be finite and at least 0";
    for (int i = 1; i < boundary_count; ++i)
      if (!(boundaries[i - 1] < boundaries[i])) return "boundaries must ascend";
    return "";
  }
  GLIA_HD double at(std::int64_t iteration) const {
    int piece = 0;
    while (piece<boundary_count&& static_cast<double>(iteration)> boundaries[piece]) ++piece;
    return values[piece];
  }
};

/// (1 + cos(pi iteration / decay_steps)) / 2 of the way from the greatest rate down to alpha times it, which
/// then stays. With warmup_steps the greatest rate is warmup_target, reached in a straight line from
/// initial_learning_rate. Keras: schedules.CosineDecay (Loshchilov and Hutter 2016).
struct CosineDecay {
  double initial_learning_rate = 1e-3;
  double decay_steps = 1000;
  double alpha = 0;
  double warmup_target = 0;
  double warmup_steps = 0;  ///< 0: no warm-up

  std::string invalid() const {
    if (!detail::is_rate(initial_learning_rate) || !detail::is_rate(warmup_target))
      return "initial_learning_rate and warmup_target must be finite and at least 0";
    if (!(decay_steps > 0 && std::isfinite(decay_steps))) return "decay_steps must be finite and above 0";
    if (!(alpha >= 0 && alpha <= 1)) return "alpha must lie in [0, 1]";
    return detail::is_rate(warmup_steps) ? "" : "warmup_steps must be finite and at least 0";
  }
  GLIA_HD double at(std::int64_t iteration) const {
    const double step = static_cast<double>(iteration);
    if (step < warmup_steps)
      return (warmup_target - initial_learning_rate) * step / warmup_steps + initial_learning_rate;
    const double done = step - warmup_steps;
    const double share = done < decay_steps ? done / decay_steps : 1;
    return (warmup_steps > 0 ? warmup_target : initial_learning_rate) *
           ((1 - alpha) * detail::half_cosine(share) + alpha);
  }
};

/// Cosine decays one after the other: the first takes first_decay_steps, each next t_mul times as many from
/// m_mul times the rate. Keras: schedules.CosineDecayRestarts.
struct CosineDecayRestarts {
  double initial_learning_rate = 1e-3;
  double first_decay_steps = 1000;
  double t_mul = 2;
  double m_mul = 1;
  double alpha = 0;

  std::string invalid() const {
    if (!detail::is_rate(initial_learning_rate)) return "initial_learning_rate must be finite and at least 0";
    if (!(first_decay_steps > 0 && std::isfinite(first_decay_steps)))
      return "first_decay_steps must be finite and above 0";
    if (!(t_mul >= 1 && std::isfinite(t_mul))) return "t_mul must be finite and at least 1";
    if (!detail::is_rate(m_mul)) return "m_mul must be finite and at least 0";
    return alpha >= 0 && alpha <= 1 ? "" : "alpha must lie in [0, 1]";
  }
  GLIA_HD double at(std::int64_t iteration) const {
    double done = static_cast<double>(iteration) / first_decay_steps, restarts = 0;
    if (t_mul == 1) {
      restarts = std::floor(done);
      done -= restarts;
    } else {
      restarts = std::floor(std::log(1 - done * (1 - t_mul)) / std::log(t_mul));
      done = (done - (1 - std::pow(t_mul, restarts)) / (1 - t_mul)) / std::pow(t_mul, restarts);
    }
    const double cosine = std::pow(m_mul, restarts) * detail::half_cosine(done);
    return initial_learning_rate * ((1 - alpha) * cosine + alpha);
  }
};

/// Up from max_learning_rate / div_factor to max_learning_rate in the first pct_start of total_steps, then
/// down to 1 / final_div_factor of where it began; both halves of a cosine (Smith and Topin 2018). Keras has
/// none: names and numbers are those of PyTorch's OneCycleLR.
struct OneCycle {
  double max_learning_rate = 1e-2;
  double total_steps = 1000;
  double pct_start = 0.3;
  double div_factor = 25;
  double final_div_factor = 1e4;

  std::string invalid() const {
    if (!detail::is_rate(max_learning_rate)) return "max_learning_rate must be finite and at least 0";
    if (!(total_steps >= 2 && std::isfinite(total_steps))) return "total_steps must be finite and at least 2";
    if (!(pct_start > 0 && pct_start < 1)) return "pct_start must lie between 0 and 1";
    return div_factor > 0 && final_div_factor > 0 ? "" : "div_factor and final_div_factor must be above 0";
  }
  GLIA_HD double at(std::int64_t iteration) const {
    const double start = max_learning_rate / div_factor, end = start / final_div_factor;
    const double up = pct_start * total_steps - 1, last = total_steps - 1;
    const double step = static_cast<double>(iteration) < last ? static_cast<double>(iteration) : last;
    if (step <= up) return max_learning_rate + (start - max_learning_rate) * detail::half_cosine(step / up);
    return end + (max_learning_rate - end) * detail::half_cosine((step - up) / (last - up));
  }
};

using Schedules = std::variant<ConstantRate, ExponentialDecay, InverseTimeDecay, PolynomialDecay,
                               PiecewiseConstantDecay, CosineDecay, CosineDecayRestarts, OneCycle>;

/// A number or a schedule: `.learning_rate = 0.01` and `.learning_rate = glia::ExponentialDecay{...}` both
/// fit.
struct LearningRate {
  Schedules schedule;

  LearningRate(double value) : schedule(ConstantRate{value}) {}
  template <
      class Schedule,
      std::enable_if_t<std::is_constructible_v<Schedules, std::in_place_type_t<Schedule>, Schedule>, int> = 0>
  LearningRate(const Schedule& decay) : schedule(decay) {}

  bool is_constant() const { return std::holds_alternative<ConstantRate>(schedule); }
  /// At the given number of updates already made (0 for the first).
  double at(std::int64_t iteration) const {
    return std::visit([&](const auto& s) { return s.at(iteration); }, schedule);
  }
};

}  // namespace glia
