// Learning-rate schedules: a pure function of the steps made since compile, evaluated on the device inside the step, to the
// same bits as on the host. With gradient accumulation it counts every batch, as in Keras. Rates are finite and lie within
// the bounds that the options name, at every step.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/macros.h>      // defines: GLIA_HD
#include <glia/math/exact.h>  // defines: math::power, half_cosine, between

#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace GLIA_API glia {

namespace detail {
inline bool is_rate(double value) { return std::isfinite(value) && value >= 0; }
/// The quotient of steps, which is finite.
GLIA_HD double steps_over(std::int64_t iteration, double steps) {
  const double quotient = static_cast<double>(iteration) / steps;
  return quotient < 1e300 ? quotient : 1e300;
}
/// At most what float32 holds: what grows without end stays finite in every model. 0 where it is next to nothing, so that it
/// does not matter whether a processor keeps subnormal numbers.
GLIA_HD double finite_rate(double value) {
  constexpr double most = 3.4028234663852886e38;
  return value < 1e-300 ? 0 : value < most ? value : most;
}
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
    const double exponent = detail::steps_over(iteration, decay_steps);
    return detail::finite_rate(initial_learning_rate *
                               math::power(decay_rate, staircase ? std::floor(exponent) : exponent));
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
    const double quotient = detail::steps_over(iteration, decay_steps);
    return detail::finite_rate(initial_learning_rate /
                               std::fma(decay_rate, staircase ? std::floor(quotient) : quotient, 1.0));
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
    const double cycles = cycle && iteration > 0 ? std::ceil(detail::steps_over(iteration, decay_steps)) : 1;
    const double last = decay_steps * cycles;
    const double share = step < last ? step / last : 1;
    return math::between(end_learning_rate, initial_learning_rate, math::power(1 - share, power));
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
    for (int i = 0; i < boundary_count; ++i)
      if (!std::isfinite(boundaries[i])) return "every boundary must be finite";
    for (int i = 1; i < boundary_count; ++i)
      if (!(boundaries[i - 1] < boundaries[i])) return "boundaries must ascend";
    return "";
  }
  GLIA_HD double at(std::int64_t iteration) const {
    int piece = 0;
    while (piece < boundary_count && boundaries[piece] < static_cast<double>(iteration)) ++piece;
    return values[piece];
  }
};

/// A rate that may be left out, where Keras says None: 0 is a rate like any other.
struct OptionalRate {
  double value = 0;
  bool given = false;

  OptionalRate() = default;
  OptionalRate(std::nullopt_t) {}
  OptionalRate(double rate) : value(rate), given(true) {}
};

/// (1 + cos(pi iteration / decay_steps)) / 2 of the way from the greatest rate down to alpha times it, which
/// then stays. The greatest rate is initial_learning_rate, or warmup_target where that is given: reached in a straight line
/// from initial_learning_rate in warmup_steps. Without a warmup_target there is no warm-up, as in Keras.
/// Keras: schedules.CosineDecay (Loshchilov and Hutter 2016).
struct CosineDecay {
  double initial_learning_rate = 1e-3;
  double decay_steps = 1000;
  double alpha = 0;
  OptionalRate warmup_target = {};
  double warmup_steps = 0;  ///< before decay_steps

  std::string invalid() const {
    if (!detail::is_rate(initial_learning_rate) || !detail::is_rate(warmup_target.value))
      return "initial_learning_rate and warmup_target must be finite and at least 0";
    if (!(decay_steps > 0 && std::isfinite(decay_steps))) return "decay_steps must be finite and above 0";
    if (!(alpha >= 0 && alpha <= 1)) return "alpha must lie in [0, 1]";
    return detail::is_rate(warmup_steps) ? "" : "warmup_steps must be finite and at least 0";
  }
  GLIA_HD double at(std::int64_t iteration) const {
    const double step = static_cast<double>(iteration);
    const double warmup = warmup_target.given ? warmup_steps : 0;
    if (step < warmup) return math::between(initial_learning_rate, warmup_target.value, step / warmup);
    const double greatest = warmup_target.given ? warmup_target.value : initial_learning_rate;
    const double done = step - warmup;
    const double share = done < decay_steps ? done / decay_steps : 1;
    return greatest * math::between(alpha, 1, math::half_cosine(share));
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
    const Decay decay = decay_at(detail::steps_over(iteration, first_decay_steps));
    const double greatest = math::integer_power(m_mul, decay.number);
    const double shape = greatest * math::half_cosine(decay.share);
    return detail::finite_rate(initial_learning_rate * (shape <= 1 ? math::between(alpha, 1, shape)
                                                                   : std::fma(1 - alpha, shape, alpha)));
  }

 private:
  /// Which decay, from 0, and how much of it is done.
  struct Decay {
    std::int64_t number;
    double share;
  };
  /// Some decays that follow each other: how long they are beside the first of them, and the one after them.
  struct Decays {
    double length, growth;
    GLIA_HD void double_up() {
      length = std::fma(growth, length, length);
      growth *= growth;
    }
  };
  /// After `done` times first_decay_steps. Decay k begins at 1 + t_mul + ... + t_mul^(k - 1): the greatest k that began is
  /// put together of powers of two, by sums of positive numbers, which are exact where these are whole. (Logarithms would
  /// say a little too few, where one is about to begin.)
  GLIA_HD Decay decay_at(double done) const {
    if (t_mul == 1) {
      const double whole = done < 9e15 ? std::floor(done) : 9e15;
      return {static_cast<std::int64_t>(whole), done < 9e15 ? done - whole : 0};
    }
    int doublings = 0;
    for (Decays all{1, t_mul}; doublings < most_doublings && all.length <= done; ++doublings) all.double_up();
    double begin = 0, length = 1;
    std::int64_t number = 0;
    for (; doublings >= 0; --doublings) {
      Decays more{1, t_mul};  // made again each time: an array of them would be memory on a GPU
      for (int i = 0; i < doublings; ++i) more.double_up();
      const double next = std::fma(length, more.length, begin);
      if (!(next <= done)) continue;
      begin = next;
      length *= more.growth;
      number += std::int64_t{1} << doublings;
    }
    const double share = (done - begin) / length;
    return {number, share < 1 ? share : 1};
  }
  static constexpr int most_doublings = 60;
};

/// Up from max_learning_rate / div_factor to max_learning_rate in the first pct_start of total_steps, then
/// down to 1 / final_div_factor of where it began; both halves of a cosine (Smith and Topin 2018). Keras has
/// none: names and numbers are those of PyTorch's OneCycleLR, which divides by zero where pct_start is a single step: the
/// first rate is the greatest then.
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
    if (!(div_factor > 0 && final_div_factor > 0)) return "div_factor and final_div_factor must be above 0";
    return detail::is_rate(max_learning_rate / div_factor / final_div_factor) &&
                   detail::is_rate(max_learning_rate / div_factor)
               ? ""
               : "div_factor and final_div_factor must leave finite rates";
  }
  GLIA_HD double at(std::int64_t iteration) const {
    const double start = max_learning_rate / div_factor, end = start / final_div_factor;
    // The greatest rate comes at step `up`: the first one where its share of the steps is none.
    const double rising = std::fma(pct_start, total_steps, -1.0), last = total_steps - 1;
    const double up = rising > 0 ? rising : 0;
    const double step = static_cast<double>(iteration) < last ? static_cast<double>(iteration) : last;
    if (step < up) return math::between(max_learning_rate, start, math::half_cosine(step / up));
    if (step == up) return max_learning_rate;
    return math::between(end, max_learning_rate, math::half_cosine((step - up) / (last - up)));
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
  /// At the given number of steps already made (0 for the first), as a step computes it, to the bit.
  double at(std::int64_t iteration) const {
    return std::visit([&](const auto& s) { return s.at(iteration); }, schedule);
  }
};

}  // namespace glia
