// Optimizers: options under Keras's names and defaults, and the update of one parameter. Formulas as in
// Keras 3. Adding one is a struct here, a name in the variant, and golden values in tests/golden.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/math/functions.h>  // defines: math::sqrt
#include <glia/math/schedules.h>  // defines: LearningRate

#include <cmath>
#include <cstdint>
#include <string>
#include <variant>

namespace glia {

/// The most slots (moments) an optimizer keeps for a parameter.
inline constexpr int max_slots = 3;

// Each optimizer has
//   name                    what compile's string says
//   slots()                 how many numbers it keeps for each parameter, all starting at 0
//   update<T>(t, rate)      what a step needs, computed once: t is the number of this update, from 1; rate
//   the learning rate Update<T>::operator()   (w, g, s0, s1, s2): the parameter and its slots, changed in
//   place; g its gradient

/// Stochastic gradient descent, with momentum (v = mu v - lr g; w += v) or Nesterov's (w += mu v - lr g).
struct SGD {
  static constexpr auto name = "sgd";
  LearningRate learning_rate = 0.01;
  double momentum = 0.0;
  bool nesterov = false;

  int slots() const { return momentum != 0 ? 1 : 0; }
  /// The reason why these options cannot be taken, or nothing.
  std::string invalid() const {
    return momentum >= 0 && momentum <= 1 ? "" : "SGD's momentum must lie in [0, 1]";
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
  GLIA_HD Update<T> update(std::int64_t, double rate) const {
    return {static_cast<T>(rate), static_cast<T>(momentum), nesterov};
  }
};

/// RMSprop (Hinton's lecture 6e); epsilon inside the root, as in Keras.
struct RMSprop {
  static constexpr auto name = "rmsprop";
  LearningRate learning_rate = 0.001;
  double rho = 0.9;
  double momentum = 0.0;
  double epsilon = 1e-7;
  bool centered = false;

  int slots() const { return centered ? 3 : momentum != 0 ? 2 : 1; }
  std::string invalid() const {
    if (!(rho >= 0 && rho < 1)) return "RMSprop's rho must lie in [0, 1)";
    if (!(momentum >= 0 && momentum <= 1)) return "RMSprop's momentum must lie in [0, 1]";
    return epsilon > 0 ? "" : "RMSprop's epsilon must be above 0";
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
  GLIA_HD Update<T> update(std::int64_t, double rate) const {
    return {static_cast<T>(rate), static_cast<T>(rho), static_cast<T>(momentum), static_cast<T>(epsilon),
            centered};
  }
};

/// Adam (Kingma and Ba, 2015), in Keras's form: w -= a m / (sqrt(v) + epsilon) with a = lr sqrt(1 - b2^t) /
/// (1 - b1^t).
struct Adam {
  static constexpr auto name = "adam";
  LearningRate learning_rate = 0.001;
  double beta_1 = 0.9;
  double beta_2 = 0.999;
  double epsilon = 1e-7;

  int slots() const { return 2; }
  std::string invalid() const {
    if (!(beta_1 >= 0 && beta_1 < 1)) return "Adam's beta_1 must lie in [0, 1)";
    if (!(beta_2 >= 0 && beta_2 < 1)) return "Adam's beta_2 must lie in [0, 1)";
    return epsilon > 0 ? "" : "Adam's epsilon must be above 0";
  }

  template <class T>
  struct Update {
    T alpha, one_minus_beta_1, one_minus_beta_2, epsilon;
    GLIA_HD void operator()(T& w, T g, T& m, T& v, T&) const {
      m += (g - m) * one_minus_beta_1;
      v += (g * g - v) * one_minus_beta_2;
      w -= alpha * m / (math::sqrt(v) + epsilon);
    }
  };
  template <class T>
  GLIA_HD Update<T> update(std::int64_t t, double rate) const {
    const double steps = static_cast<double>(t);
    const double alpha = rate * std::sqrt(1 - std::pow(beta_2, steps)) / (1 - std::pow(beta_1, steps));
    return {static_cast<T>(alpha), static_cast<T>(1 - beta_1), static_cast<T>(1 - beta_2),
            static_cast<T>(epsilon)};
  }
};

using Optimizers = std::variant<SGD, RMSprop, Adam>;

}  // namespace glia
