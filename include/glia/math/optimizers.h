// Optimizers: options under Keras's names and defaults, and the update of one parameter. Formulas as in
// Keras 3. Adding one is a struct here, a name in the variant, and golden values in tests/golden.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/error.h>  // defines: detail::with_got
#include <glia/macros.h>
#include <glia/math/functions.h>  // defines: math::sqrt
#include <glia/math/powers.h>
#include <glia/math/schedules.h>  // defines: LearningRate

#include <cmath>
#include <cstdint>
#include <string>
#include <variant>

namespace GLIA_API glia {

/// The most slots (moments) an optimizer keeps for a parameter.
inline constexpr int max_slots = 3;

// Each optimizer has
//   name                    what compile's string says
//   slots()                 how many numbers it keeps for each parameter, fewest_slots to most_slots
//   first_slot()            what slot 0 starts at, where not 0; the others start at 0
//   powers()                what of an update depends on its number, where anything does
//   update<T>(powers, rate) what an update needs: powers as Powers::at() gives them; rate the learning rate
//   Update<T>::operator()   (w, g, s0, s1, s2): the parameter and its slots, changed in place; g its gradient
// and the options that all have in Keras, in every struct anew, since an aggregate that inherits cannot be
// written with designated initialisers:
//   weight_decay            w -= weight_decay * rate * w before each update, biases included
//   clipnorm                each variable's gradient cut to this norm        (0: not)
//   global_clipnorm         all gradients together cut to this norm          (0: not)
//   clipvalue               each element of a gradient cut to +-clipvalue    (0: not); of the three at most
//   one may be set
//   use_ema, ema_momentum   keeps averages of the weights, which take their place at the end of fit and, with
//   ema_overwrite_frequency, after every so many updates
//   gradient_accumulation_steps   an update only every so many steps, with the mean of their gradients

/// Stochastic gradient descent, with momentum (v = mu v - lr g; w += v) or Nesterov's (w += mu v - lr g).
struct SGD {
  static constexpr auto name = "sgd";
  static constexpr int fewest_slots = 0, most_slots = 1;
  LearningRate learning_rate = 0.01;
  double momentum = 0.0;
  bool nesterov = false;
  double weight_decay = 0, clipnorm = 0, global_clipnorm = 0, clipvalue = 0;
  bool use_ema = false;
  double ema_momentum = 0.99;
  int ema_overwrite_frequency = 0, gradient_accumulation_steps = 1;

  int slots() const { return momentum != 0 ? 1 : 0; }
  /// The reason why these options cannot be taken, or nothing.
  std::string invalid() const {
    return momentum >= 0 && momentum <= 1 ? ""
                                          : detail::with_got("SGD's momentum must lie in [0, 1]", momentum);
  }

  template <class T>
  struct Update {
    T rate, momentum;
    bool nesterov;
    GLIA_HD void operator()(T& w, T g, T& velocity, T&, T&) const {
      const T step = rate * g;
      if (momentum == T(0)) {
        w -= step;
        return;
      }
      velocity = momentum * velocity - step;
      w += nesterov ? momentum * velocity - step : velocity;
    }
  };
  template <class T>
  GLIA_HD Update<T> update(const double*, double rate) const {
    return {static_cast<T>(rate), static_cast<T>(momentum), nesterov};
  }
};

/// RMSprop (Hinton's lecture 6e); epsilon inside the root, as in Keras.
struct RMSprop {
  static constexpr auto name = "rmsprop";
  static constexpr int fewest_slots = 1, most_slots = 3;
  LearningRate learning_rate = 0.001;
  double rho = 0.9;
  double momentum = 0.0;
  double epsilon = 1e-7;
  bool centered = false;
  double weight_decay = 0, clipnorm = 0, global_clipnorm = 0, clipvalue = 0;
  bool use_ema = false;
  double ema_momentum = 0.99;
  int ema_overwrite_frequency = 0, gradient_accumulation_steps = 1;

  int slots() const { return centered ? 3 : momentum != 0 ? 2 : 1; }
  std::string invalid() const {
    if (!(rho >= 0 && rho < 1)) return detail::with_got("RMSprop's rho must lie in [0, 1)", rho);
    if (!(momentum >= 0 && momentum <= 1))
      return detail::with_got("RMSprop's momentum must lie in [0, 1]", momentum);
    return epsilon > 0 ? "" : detail::with_got("RMSprop's epsilon must be above 0", epsilon);
  }

  template <class T>
  struct Update {
    T rate, rho, momentum, epsilon;
    bool centered;
    GLIA_HD void operator()(T& w, T g, T& mean_square, T& velocity, T& mean) const {
      mean_square = rho * mean_square + (T(1) - rho) * g * g;
      T denominator = mean_square + epsilon;
      if (centered) {
        mean = rho * mean + (T(1) - rho) * g;
        denominator -= mean * mean;
      }
      T step = rate * g / math::sqrt(denominator);
      if (momentum != T(0)) step = velocity = momentum * velocity + step;
      w -= step;
    }
  };
  template <class T>
  GLIA_HD Update<T> update(const double*, double rate) const {
    return {static_cast<T>(rate), static_cast<T>(rho), static_cast<T>(momentum), static_cast<T>(epsilon),
            centered};
  }
};

namespace detail {

/// What Adam's relatives check: the reason why these cannot be taken, or nothing.
inline std::string invalid_moments(const char* name, double beta_1, double beta_2, double epsilon) {
  if (!(beta_1 >= 0 && beta_1 < 1))
    return std::string(name) + detail::with_got("'s beta_1 must lie in [0, 1)", beta_1);
  if (!(beta_2 >= 0 && beta_2 < 1))
    return std::string(name) + detail::with_got("'s beta_2 must lie in [0, 1)", beta_2);
  return epsilon > 0 ? "" : std::string(name) + detail::with_got("'s epsilon must be above 0", epsilon);
}

/// The update of Adam and AdamW in Keras's form: w -= a m / (sqrt(v) + epsilon) with a = lr sqrt(1 - b2^t) /
/// (1 - b1^t); with amsgrad v is the greatest so far.
template <class T>
struct AdamUpdate {
  T alpha, one_minus_beta_1, one_minus_beta_2, epsilon;
  bool amsgrad;

  GLIA_HD void operator()(T& w, T g, T& m, T& v, T& greatest) const {
    m += (g - m) * one_minus_beta_1;
    v += (g * g - v) * one_minus_beta_2;
    T denominator = v;
    if (amsgrad) denominator = greatest = math::max_nan(greatest, v);
    w -= alpha * m / (math::sqrt(denominator) + epsilon);
  }
};
template <class T>
GLIA_HD AdamUpdate<T> adam_update(double alpha, double beta_1, double beta_2, double epsilon, bool amsgrad) {
  return {static_cast<T>(alpha), static_cast<T>(1 - beta_1), static_cast<T>(1 - beta_2),
          static_cast<T>(epsilon), amsgrad};
}

}  // namespace detail

/// Adam (Kingma and Ba, 2015), in Keras's form (detail::AdamUpdate); amsgrad as in Reddi et al. 2018.
struct Adam {
  static constexpr auto name = "adam";
  static constexpr int fewest_slots = 2, most_slots = 3;
  LearningRate learning_rate = 0.001;
  double beta_1 = 0.9;
  double beta_2 = 0.999;
  double epsilon = 1e-7;
  bool amsgrad = false;
  double weight_decay = 0, clipnorm = 0, global_clipnorm = 0, clipvalue = 0;
  bool use_ema = false;
  double ema_momentum = 0.99;
  int ema_overwrite_frequency = 0, gradient_accumulation_steps = 1;

  int slots() const { return amsgrad ? 3 : 2; }
  std::string invalid() const { return detail::invalid_moments("Adam", beta_1, beta_2, epsilon); }

  template <class T>
  using Update = detail::AdamUpdate<T>;
  template <class T>
  GLIA_HD Update<T> update(const double* powers, double rate) const {
    return detail::adam_update<T>(rate * powers[0], beta_1, beta_2, epsilon, amsgrad);
  }
  Powers powers() const { return {Powers::adam, beta_1, beta_2}; }
};

/// Adam with the weight decay beside the gradient (Loshchilov and Hutter 2019).
struct AdamW {
  static constexpr auto name = "adamw";
  static constexpr int fewest_slots = 2, most_slots = 3;
  LearningRate learning_rate = 0.001;
  double beta_1 = 0.9;
  double beta_2 = 0.999;
  double epsilon = 1e-7;
  bool amsgrad = false;
  double weight_decay = 0.004, clipnorm = 0, global_clipnorm = 0, clipvalue = 0;
  bool use_ema = false;
  double ema_momentum = 0.99;
  int ema_overwrite_frequency = 0, gradient_accumulation_steps = 1;

  int slots() const { return amsgrad ? 3 : 2; }
  std::string invalid() const { return detail::invalid_moments("AdamW", beta_1, beta_2, epsilon); }

  template <class T>
  using Update = detail::AdamUpdate<T>;
  template <class T>
  GLIA_HD Update<T> update(const double* powers, double rate) const {
    return detail::adam_update<T>(rate * powers[0], beta_1, beta_2, epsilon, amsgrad);
  }
  Powers powers() const { return {Powers::adam, beta_1, beta_2}; }
};

/// Adam by the greatest absolute gradient (Kingma and Ba, section 7): w -= lr m / ((1 - b1^t) (u + epsilon)).
struct Adamax {
  static constexpr auto name = "adamax";
  static constexpr int fewest_slots = 2, most_slots = 2;
  LearningRate learning_rate = 0.001;
  double beta_1 = 0.9;
  double beta_2 = 0.999;
  double epsilon = 1e-7;
  double weight_decay = 0, clipnorm = 0, global_clipnorm = 0, clipvalue = 0;
  bool use_ema = false;
  double ema_momentum = 0.99;
  int ema_overwrite_frequency = 0, gradient_accumulation_steps = 1;

  int slots() const { return 2; }
  std::string invalid() const { return detail::invalid_moments("Adamax", beta_1, beta_2, epsilon); }

  template <class T>
  struct Update {
    T alpha, one_minus_beta_1, beta_2, epsilon;
    GLIA_HD void operator()(T& w, T g, T& m, T& u, T&) const {
      m += (g - m) * one_minus_beta_1;
      u = math::max_nan(beta_2 * u, math::abs(g));
      w -= alpha * m / (u + epsilon);
    }
  };
  template <class T>
  GLIA_HD Update<T> update(const double* powers, double rate) const {
    return {static_cast<T>(rate * powers[0]), static_cast<T>(1 - beta_1), static_cast<T>(beta_2),
            static_cast<T>(epsilon)};
  }
  Powers powers() const { return {Powers::adamax, beta_1, beta_2}; }
};

/// Adam with Nesterov momentum (Dozat 2016): mu_t = b1 (1 - 0.96^t / 2), and the products of mu in place of
/// powers of b1.
struct Nadam {
  static constexpr auto name = "nadam";
  static constexpr int fewest_slots = 2, most_slots = 2;
  LearningRate learning_rate = 0.001;
  double beta_1 = 0.9;
  double beta_2 = 0.999;
  double epsilon = 1e-7;
  double weight_decay = 0, clipnorm = 0, global_clipnorm = 0, clipvalue = 0;
  bool use_ema = false;
  double ema_momentum = 0.99;
  int ema_overwrite_frequency = 0, gradient_accumulation_steps = 1;

  int slots() const { return 2; }
  std::string invalid() const { return detail::invalid_moments("Nadam", beta_1, beta_2, epsilon); }

  template <class T>
  struct Update {
    T of_momentum, of_gradient, one_minus_beta_1, one_minus_beta_2, of_variance, epsilon;
    GLIA_HD void operator()(T& w, T g, T& m, T& v, T&) const {
      m += (g - m) * one_minus_beta_1;
      v += (g * g - v) * one_minus_beta_2;
      w -= (of_momentum * m + of_gradient * g) / (math::sqrt(v * of_variance) + epsilon);
    }
  };
  template <class T>
  GLIA_HD Update<T> update(const double* powers, double rate) const {
    return {static_cast<T>(rate * powers[0]), static_cast<T>(rate * powers[1]), static_cast<T>(1 - beta_1),
            static_cast<T>(1 - beta_2),       static_cast<T>(powers[2]),        static_cast<T>(epsilon)};
  }
  Powers powers() const { return {Powers::nadam, beta_1, beta_2}; }
};

/// Adagrad (Duchi et al. 2011); epsilon inside the root, as in Keras.
struct Adagrad {
  static constexpr auto name = "adagrad";
  static constexpr int fewest_slots = 1, most_slots = 1;
  LearningRate learning_rate = 0.001;
  double initial_accumulator_value = 0.1;
  double epsilon = 1e-7;
  double weight_decay = 0, clipnorm = 0, global_clipnorm = 0, clipvalue = 0;
  bool use_ema = false;
  double ema_momentum = 0.99;
  int ema_overwrite_frequency = 0, gradient_accumulation_steps = 1;

  int slots() const { return 1; }
  double first_slot() const { return initial_accumulator_value; }
  std::string invalid() const {
    if (!(initial_accumulator_value >= 0))
      return detail::with_got("Adagrad's initial_accumulator_value must be at least 0",
                              initial_accumulator_value);
    return epsilon > 0 ? "" : detail::with_got("Adagrad's epsilon must be above 0", epsilon);
  }

  template <class T>
  struct Update {
    T rate, epsilon;
    GLIA_HD void operator()(T& w, T g, T& accumulator, T&, T&) const {
      accumulator += g * g;
      w -= rate * g / math::sqrt(accumulator + epsilon);
    }
  };
  template <class T>
  GLIA_HD Update<T> update(const double*, double rate) const {
    return {static_cast<T>(rate), static_cast<T>(epsilon)};
  }
};

/// Adadelta (Zeiler 2012); epsilon inside both roots.
struct Adadelta {
  static constexpr auto name = "adadelta";
  static constexpr int fewest_slots = 2, most_slots = 2;
  LearningRate learning_rate = 0.001;
  double rho = 0.95;
  double epsilon = 1e-7;
  double weight_decay = 0, clipnorm = 0, global_clipnorm = 0, clipvalue = 0;
  bool use_ema = false;
  double ema_momentum = 0.99;
  int ema_overwrite_frequency = 0, gradient_accumulation_steps = 1;

  int slots() const { return 2; }
  std::string invalid() const {
    if (!(rho >= 0 && rho < 1)) return detail::with_got("Adadelta's rho must lie in [0, 1)", rho);
    return epsilon > 0 ? "" : detail::with_got("Adadelta's epsilon must be above 0", epsilon);
  }

  template <class T>
  struct Update {
    T rate, rho, epsilon;
    GLIA_HD void operator()(T& w, T g, T& mean_square, T& mean_step, T&) const {
      mean_square = rho * mean_square + (T(1) - rho) * g * g;
      const T step = math::sqrt(mean_step + epsilon) * g / math::sqrt(mean_square + epsilon);
      mean_step = rho * mean_step + (T(1) - rho) * step * step;
      w -= rate * step;
    }
  };
  template <class T>
  GLIA_HD Update<T> update(const double*, double rate) const {
    return {static_cast<T>(rate), static_cast<T>(rho), static_cast<T>(epsilon)};
  }
};

/// The sign of a momentum (Chen et al. 2023): w -= lr sign(b1 m + (1 - b1) g); m = b2 m + (1 - b2) g.
struct Lion {
  static constexpr auto name = "lion";
  static constexpr int fewest_slots = 1, most_slots = 1;
  LearningRate learning_rate = 0.001;
  double beta_1 = 0.9;
  double beta_2 = 0.99;
  double weight_decay = 0, clipnorm = 0, global_clipnorm = 0, clipvalue = 0;
  bool use_ema = false;
  double ema_momentum = 0.99;
  int ema_overwrite_frequency = 0, gradient_accumulation_steps = 1;

  int slots() const { return 1; }
  std::string invalid() const {
    if (!(beta_1 > 0 && beta_1 <= 1)) return detail::with_got("Lion's beta_1 must lie in (0, 1]", beta_1);
    return beta_2 >= 0 && beta_2 < 1 ? "" : detail::with_got("Lion's beta_2 must lie in [0, 1)", beta_2);
  }

  template <class T>
  struct Update {
    T rate, beta_1, beta_2;
    GLIA_HD void operator()(T& w, T g, T& m, T&, T&) const {
      w -= rate * math::sign(beta_1 * m + (T(1) - beta_1) * g);
      m = beta_2 * m + (T(1) - beta_2) * g;
    }
  };
  template <class T>
  GLIA_HD Update<T> update(const double*, double rate) const {
    return {static_cast<T>(rate), static_cast<T>(beta_1), static_cast<T>(beta_2)};
  }
};

/// Follow the regularised leader (McMahan et al. 2013), as in Keras.
struct Ftrl {
  static constexpr auto name = "ftrl";
  static constexpr int fewest_slots = 2, most_slots = 2;
  LearningRate learning_rate = 0.001;
  double learning_rate_power = -0.5;
  double initial_accumulator_value = 0.1;
  double l1_regularization_strength = 0;
  double l2_regularization_strength = 0;
  double l2_shrinkage_regularization_strength = 0;
  double beta = 0;
  double weight_decay = 0, clipnorm = 0, global_clipnorm = 0, clipvalue = 0;
  bool use_ema = false;
  double ema_momentum = 0.99;
  int ema_overwrite_frequency = 0, gradient_accumulation_steps = 1;

  int slots() const { return 2; }
  double first_slot() const { return initial_accumulator_value; }
  std::string invalid() const {
    if (!(initial_accumulator_value >= 0))
      return detail::with_got("Ftrl's initial_accumulator_value must be at least 0",
                              initial_accumulator_value);
    if (!(learning_rate_power <= 0))
      return detail::with_got("Ftrl's learning_rate_power must be at most 0", learning_rate_power);
    const bool fits = l1_regularization_strength >= 0 && l2_regularization_strength >= 0 &&
                      l2_shrinkage_regularization_strength >= 0;
    if (!(beta >= 0)) return detail::with_got("Ftrl's beta must be at least 0", beta);
    return fits ? "" : "Ftrl's regularization strengths must be at least 0";
  }

  template <class T>
  struct Update {
    T rate, power, l1, twice_l2, twice_shrinkage;
    /// The default is a root: exact on every device, where pow is off by some ulp that the difference below would magnify.
    GLIA_HD T raised(T x) const { return power == T(0.5) ? math::sqrt(x) : math::pow(x, power); }
    GLIA_HD void operator()(T& w, T g, T& accumulator, T& linear, T&) const {
      const T grown = accumulator + g * g;
      const T root = raised(grown);
      linear += g + twice_shrinkage * w - (root - raised(accumulator)) / rate * w;
      w = (math::clip(linear, -l1, l1) - linear) / (root / rate + twice_l2);
      accumulator = grown;
    }
  };
  template <class T>
  GLIA_HD Update<T> update(const double*, double rate) const {
    return {static_cast<T>(rate), static_cast<T>(-learning_rate_power),
            static_cast<T>(l1_regularization_strength),
            static_cast<T>(2 * l2_regularization_strength + beta / rate),
            static_cast<T>(2 * l2_shrinkage_regularization_strength)};
  }
};

/// Matrices by their momentum made orthogonal (Jordan et al. 2024), with five steps of Newton and Schulz and
/// the rate scaled by rms_rate * sqrt(max(rows, columns)) (Liu et al. 2025); all else, and embeddings, by
/// AdamW.
struct Muon {
  static constexpr auto name = "muon";
  static constexpr int fewest_slots = 2, most_slots = 2;
  LearningRate learning_rate = 0.001;
  double adam_beta_1 = 0.9;
  double adam_beta_2 = 0.999;
  double adam_weight_decay = 0.004;
  double epsilon = 1e-7;
  double muon_a = 3.4445, muon_b = -4.7750, muon_c = 2.0315;
  double adam_lr_ratio = 1;
  double momentum = 0.95;
  int ns_steps = 5;
  bool nesterov = true;
  double rms_rate = 0.2;
  double weight_decay = 0.004, clipnorm = 0, global_clipnorm = 0, clipvalue = 0;
  bool use_ema = false;
  double ema_momentum = 0.99;
  int ema_overwrite_frequency = 0, gradient_accumulation_steps = 1;

  int slots() const { return 2; }
  std::string invalid() const {
    if (!(momentum >= 0 && momentum <= 1))
      return detail::with_got("Muon's momentum must lie in [0, 1]", momentum);
    if (ns_steps < 1 || ns_steps > 100) return detail::with_got("Muon's ns_steps must be 1 to 100", ns_steps);
    if (!(adam_weight_decay >= 0))
      return detail::with_got("Muon's adam_weight_decay must be at least 0", adam_weight_decay);
    return detail::invalid_moments("Muon", adam_beta_1, adam_beta_2, epsilon);
  }

  /// Of what is no matrix.
  template <class T>
  using Update = detail::AdamUpdate<T>;
  template <class T>
  GLIA_HD Update<T> update(const double* powers, double rate) const {
    return detail::adam_update<T>(rate * adam_lr_ratio * powers[0], adam_beta_1, adam_beta_2, epsilon, false);
  }
  Powers powers() const { return {Powers::adam, adam_beta_1, adam_beta_2}; }
};

using Optimizers =
    std::variant<SGD, RMSprop, Adam, AdamW, Adamax, Nadam, Adagrad, Adadelta, Lion, Ftrl, Muon>;

/// What slot 0 of an optimizer starts at.
template <class Optimizer>
double first_slot_of(const Optimizer& optimizer) {
  if constexpr (requires { optimizer.first_slot(); })
    return optimizer.first_slot();
  else
    return 0;
}

}  // namespace glia
