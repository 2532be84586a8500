// Activation functions: one struct each, with its derivative. Adding one is a struct here, a name in the
// variant, and golden values in tests/golden. Names, parameters and defaults are those of keras.activations.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/error.h>  // defines: detail::with_got
#include <glia/macros.h>
#include <glia/math/functions.h>  // defines: math::exp, sigmoid, tanh, softplus, clip

#include <string>
#include <variant>

namespace GLIA_API glia {

/// What the derivative of an activation is computed from.
enum class Saves { nothing, input, output };

/// f(x) = x.
struct Linear {
  static constexpr auto name = "linear";
  static constexpr Saves saves = Saves::nothing;
  template <class T>
  GLIA_HD T forward(T x) const {
    return x;
  }
  template <class T>
  GLIA_HD T backward(T gradient, T) const {
    return gradient;
  }
};

/// max(x, 0); NaN passes. The derivative at 0 is 0, as in Keras.
struct Relu {
  static constexpr auto name = "relu";
  static constexpr Saves saves = Saves::output;
  template <class T>
  GLIA_HD T forward(T x) const {
    return x < T(0) ? T(0) : x;
  }
  template <class T>
  GLIA_HD T backward(T gradient, T y) const {
    return y <= T(0) ? T(0) : gradient;
  }
};

/// 1 / (1 + e^-x); dy/dx = y (1 - y).
struct Sigmoid {
  static constexpr auto name = "sigmoid";
  static constexpr Saves saves = Saves::output;
  template <class T>
  GLIA_HD T forward(T x) const {
    return math::sigmoid(x);
  }
  template <class T>
  GLIA_HD T backward(T gradient, T y) const {
    return gradient * y * (T(1) - y);
  }
};

/// Hyperbolic tangent; dy/dx = 1 - y^2.
struct Tanh {
  static constexpr auto name = "tanh";
  static constexpr Saves saves = Saves::output;
  template <class T>
  GLIA_HD T forward(T x) const {
    return math::tanh(x);
  }
  template <class T>
  GLIA_HD T backward(T gradient, T y) const {
    return gradient * (T(1) - y * y);
  }
};

/// min(max(x, 0), 6).
struct Relu6 {
  static constexpr auto name = "relu6";
  static constexpr Saves saves = Saves::output;
  template <class T>
  GLIA_HD T forward(T x) const {
    return math::clip(x, T(0), T(6));
  }
  template <class T>
  GLIA_HD T backward(T gradient, T y) const {
    return y <= T(0) || y >= T(6) ? T(0) : gradient;
  }
};

/// x above 0, else negative_slope * x.
struct LeakyRelu {
  static constexpr auto name = "leaky_relu";
  static constexpr Saves saves = Saves::output;
  double negative_slope = 0.2;

  /// The reason why these options cannot be taken, or nothing.
  std::string invalid() const {
    return negative_slope >= 0
               ? ""
               : detail::with_got("leaky_relu's negative_slope must be at least 0", negative_slope);
  }
  template <class T>
  GLIA_HD T forward(T x) const {
    return x < T(0) ? static_cast<T>(negative_slope) * x : x;
  }
  template <class T>
  GLIA_HD T backward(T gradient, T y) const {
    return y <= T(0) ? static_cast<T>(negative_slope) * gradient : gradient;
  }
};

/// Keras's relu with its three options: max_value from there on, x from threshold on, and below that
/// negative_slope * (x - threshold). What the ReLU layer uses where an option is set.
struct BoundedRelu {
  static constexpr auto name = "bounded_relu";
  static constexpr Saves saves = Saves::input;
  double max_value = HUGE_VAL;
  double negative_slope = 0;
  double threshold = 0;

  std::string invalid() const {
    if (!(max_value >= 0)) return detail::with_got("relu's max_value must be at least 0", max_value);
    if (!(negative_slope >= 0))
      return detail::with_got("relu's negative_slope must be at least 0", negative_slope);
    return threshold >= 0 ? "" : detail::with_got("relu's threshold must be at least 0", threshold);
  }
  template <class T>
  GLIA_HD T forward(T x) const {
    if (x >= static_cast<T>(max_value)) return static_cast<T>(max_value);
    return x < static_cast<T>(threshold) ? static_cast<T>(negative_slope) * (x - static_cast<T>(threshold))
                                         : x;
  }
  template <class T>
  GLIA_HD T backward(T gradient, T x) const {
    if (x >= static_cast<T>(max_value)) return T(0);
    return x <= static_cast<T>(threshold) ? static_cast<T>(negative_slope) * gradient : gradient;
  }
};

/// x above 0, else alpha (e^x - 1).
struct Elu {
  static constexpr auto name = "elu";
  static constexpr Saves saves = Saves::output;
  double alpha = 1;

  std::string invalid() const {
    return alpha > 0 ? "" : detail::with_got("elu's alpha must be above 0", alpha);
  }
  template <class T>
  GLIA_HD T forward(T x) const {
    return x < T(0) ? static_cast<T>(alpha) * math::expm1(x) : x;
  }
  template <class T>
  GLIA_HD T backward(T gradient, T y) const {
    return y < T(0) ? gradient * (y + static_cast<T>(alpha)) : gradient;
  }
};

/// scale * elu(x, alpha) with the two numbers of Klambauer et al. 2017 that keep mean 0 and variance 1.
struct Selu {
  static constexpr auto name = "selu";
  static constexpr Saves saves = Saves::output;
  static constexpr double alpha = 1.6732632423543772848170429916717;
  static constexpr double scale = 1.0507009873554804934193349852946;
  template <class T>
  GLIA_HD T forward(T x) const {
    return x < T(0) ? static_cast<T>(scale * alpha) * math::expm1(x) : static_cast<T>(scale) * x;
  }
  template <class T>
  GLIA_HD T backward(T gradient, T y) const {
    return gradient * (y < T(0) ? y + static_cast<T>(scale * alpha) : static_cast<T>(scale));
  }
};

/// x above 0, else alpha (e^(x / alpha) - 1).
struct Celu {
  static constexpr auto name = "celu";
  static constexpr Saves saves = Saves::output;
  double alpha = 1;

  std::string invalid() const {
    return alpha > 0 ? "" : detail::with_got("celu's alpha must be above 0", alpha);
  }
  template <class T>
  GLIA_HD T forward(T x) const {
    return x < T(0) ? static_cast<T>(alpha) * math::expm1(x / static_cast<T>(alpha)) : x;
  }
  template <class T>
  GLIA_HD T backward(T gradient, T y) const {
    return y < T(0) ? gradient * (y / static_cast<T>(alpha) + T(1)) : gradient;
  }
};

/// x / 6 + 1/2 between 0 and 1.
struct HardSigmoid {
  static constexpr auto name = "hard_sigmoid";
  static constexpr Saves saves = Saves::output;
  template <class T>
  GLIA_HD T forward(T x) const {
    return math::clip(x / T(6) + T(0.5), T(0), T(1));
  }
  template <class T>
  GLIA_HD T backward(T gradient, T y) const {
    return y <= T(0) || y >= T(1) ? T(0) : gradient / T(6);
  }
};

/// log(1 + e^x).
struct Softplus {
  static constexpr auto name = "softplus";
  static constexpr Saves saves = Saves::input;
  template <class T>
  GLIA_HD T forward(T x) const {
    return math::softplus(x);
  }
  template <class T>
  GLIA_HD T backward(T gradient, T x) const {
    return gradient * math::sigmoid(x);
  }
};

/// x / (1 + |x|); dy/dx = (1 - |y|)^2.
struct Softsign {
  static constexpr auto name = "softsign";
  static constexpr Saves saves = Saves::output;
  template <class T>
  GLIA_HD T forward(T x) const {
    return x / (T(1) + math::abs(x));
  }
  template <class T>
  GLIA_HD T backward(T gradient, T y) const {
    const T rest = T(1) - math::abs(y);
    return gradient * rest * rest;
  }
};

/// x sigmoid(x), also known as swish.
struct Silu {
  static constexpr auto name = "silu";
  static constexpr auto short_name = "swish";
  static constexpr Saves saves = Saves::input;
  template <class T>
  GLIA_HD T forward(T x) const {
    return x * math::sigmoid(x);
  }
  template <class T>
  GLIA_HD T backward(T gradient, T x) const {
    const T s = math::sigmoid(x);
    return gradient * s * (T(1) + x * (T(1) - s));
  }
};

/// x hard_sigmoid(x), also known as hard_swish.
struct HardSilu {
  static constexpr auto name = "hard_silu";
  static constexpr auto short_name = "hard_swish";
  static constexpr Saves saves = Saves::input;
  template <class T>
  GLIA_HD T forward(T x) const {
    return x * HardSigmoid().forward(x);
  }
  template <class T>
  GLIA_HD T backward(T gradient, T x) const {
    if (x <= T(-3)) return T(0);
    return x >= T(3) ? gradient : gradient * (x / T(3) + T(0.5));
  }
};

/// x Phi(x), Phi the normal distribution function (Hendrycks and Gimpel 2016); `approximate` by
/// x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2.
struct Gelu {
  static constexpr auto name = "gelu";
  static constexpr Saves saves = Saves::input;
  bool approximate = false;

  template <class T>
  GLIA_HD T forward(T x) const {
    if (approximate) return x * ((T(1) + math::tanh(inner(x))) / T(2));
    return x * normal_below(x);
  }
  template <class T>
  GLIA_HD T backward(T gradient, T x) const {
    if (approximate) {
      const T t = math::tanh(inner(x));
      const T slope = static_cast<T>(root_2_over_pi) * (T(1) + static_cast<T>(3 * cubic) * x * x);
      const T bend = T(1) - t * t;  // 0 before the slope is beyond T
      return gradient * (T(1) + t + (bend == T(0) ? T(0) : x * bend * slope)) / T(2);
    }
    const T density = static_cast<T>(inverse_root_2_pi) * math::exp(-x * x / T(2));
    return gradient * (normal_below(x) + x * density);
  }

 private:
  static constexpr double cubic = 0.044715, root_2_over_pi = 0.79788456080286535588;
  static constexpr double inverse_root_2_pi = 0.39894228040143267794, root_half = 0.70710678118654752440;
  template <class T>
  GLIA_HD static T inner(T x) {
    return static_cast<T>(root_2_over_pi) * (x + static_cast<T>(cubic) * x * x * x);
  }
  template <class T>
  GLIA_HD static T normal_below(T x) {
    return (T(1) + math::erf(x * static_cast<T>(root_half))) / T(2);
  }
};

/// x tanh(softplus(x)) (Misra 2019).
struct Mish {
  static constexpr auto name = "mish";
  static constexpr Saves saves = Saves::input;
  template <class T>
  GLIA_HD T forward(T x) const {
    return x * math::tanh(math::softplus(x));
  }
  template <class T>
  GLIA_HD T backward(T gradient, T x) const {
    const T t = math::tanh(math::softplus(x));
    return gradient * (t + x * (T(1) - t * t) * math::sigmoid(x));
  }
};

/// e^x.
struct Exponential {
  static constexpr auto name = "exponential";
  static constexpr Saves saves = Saves::output;
  template <class T>
  GLIA_HD T forward(T x) const {
    return math::exp(x);
  }
  template <class T>
  GLIA_HD T backward(T gradient, T y) const {
    return gradient * y;
  }
};

/// 1 from 0 on, else 0: the perceptron's. Its derivative is 0 everywhere, so it is for predict alone; a
/// model that ends in it cannot be fitted.
struct Step {
  static constexpr auto name = "step";
  static constexpr Saves saves = Saves::output;
  template <class T>
  GLIA_HD T forward(T x) const {
    return x != x ? x : (x < T(0) ? T(0) : T(1));
  }
  template <class T>
  GLIA_HD T backward(T gradient, T) const {
    return gradient * T(0);
  }
};

/// scale * x + offset: what the Rescaling layer does.
struct Rescale {
  static constexpr auto name = "rescale";
  static constexpr Saves saves = Saves::nothing;
  double scale = 1, offset = 0;
  template <class T>
  GLIA_HD T forward(T x) const {
    return static_cast<T>(scale) * x + static_cast<T>(offset);
  }
  template <class T>
  GLIA_HD T backward(T gradient, T) const {
    return static_cast<T>(scale) * gradient;
  }
};

// Of formulas, as Rescale and Exponential are.

/// The natural logarithm.
struct Log {
  static constexpr auto name = "log";
  static constexpr Saves saves = Saves::input;
  template <class T>
  GLIA_HD T forward(T x) const {
    return math::log(x);
  }
  template <class T>
  GLIA_HD T backward(T gradient, T x) const {
    return gradient / x;
  }
};

/// The square root, whose slope at 0 is infinite.
struct Sqrt {
  static constexpr auto name = "sqrt";
  static constexpr Saves saves = Saves::output;
  template <class T>
  GLIA_HD T forward(T x) const {
    return math::sqrt(x);
  }
  template <class T>
  GLIA_HD T backward(T gradient, T y) const {
    return gradient / (T(2) * y);
  }
};

/// |x|, whose slope at 0 is 0.
struct Abs {
  static constexpr auto name = "abs";
  static constexpr Saves saves = Saves::input;
  template <class T>
  GLIA_HD T forward(T x) const {
    return math::abs(x);
  }
  template <class T>
  GLIA_HD T backward(T gradient, T x) const {
    return gradient * math::sign(x);
  }
};

/// x^2.
struct Square {
  static constexpr auto name = "square";
  static constexpr Saves saves = Saves::input;
  template <class T>
  GLIA_HD T forward(T x) const {
    return x * x;
  }
  template <class T>
  GLIA_HD T backward(T gradient, T x) const {
    return gradient * (T(2) * x);
  }
};

/// x^exponent, as std::pow: NaN where x is below 0 and the exponent no whole number. The slope of x^0 is 0, at 0 too.
struct Power {
  static constexpr auto name = "power";
  static constexpr Saves saves = Saves::input;
  double exponent = 1;
  template <class T>
  GLIA_HD T forward(T x) const {
    return math::pow(x, static_cast<T>(exponent));
  }
  template <class T>
  GLIA_HD T backward(T gradient, T x) const {
    if (exponent == 0) return gradient * T(0);
    return gradient * (static_cast<T>(exponent) * math::pow(x, static_cast<T>(exponent - 1)));
  }
};

/// Activations that act on each element alone.
using ElementwiseActivation = std::variant<Linear, Relu, Sigmoid, Tanh, Relu6, LeakyRelu, BoundedRelu, Elu,
                                           Selu, Celu, HardSigmoid, Softplus, Softsign, Silu, HardSilu, Gelu,
                                           Mish, Exponential, Step, Rescale, Log, Sqrt, Abs, Square, Power>;

/// e^(x_i) / sum_j e^(x_j) along the last axis: not element-wise, so a kernel of its own (kernels/softmax.h).
struct Softmax {
  static constexpr auto name = "softmax";
};

/// x_i - log sum_j e^(x_j) along the last axis: the logarithm of softmax.
struct LogSoftmax {
  static constexpr auto name = "log_softmax";
};

/// Every activation a name or a layer can ask for.
using Activations =
    std::variant<Linear, Relu, Sigmoid, Tanh, Softmax, LogSoftmax, Relu6, LeakyRelu, Elu, Selu, Celu,
                 HardSigmoid, Softplus, Softsign, Silu, HardSilu, Gelu, Mish, Exponential, Step>;

}  // namespace glia
