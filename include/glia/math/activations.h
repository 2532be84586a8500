// Activation functions: one struct each, with its derivative. Adding one is a struct here, a name in the
// variant, and golden values in tests/golden.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/math/functions.h>  // defines: math::exp, sigmoid, tanh

#include <variant>

namespace glia {

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

/// Activations that act on each element alone.
using ElementwiseActivation = std::variant<Linear, Relu, Sigmoid, Tanh>;

/// e^(x_i) / sum_j e^(x_j) along the last axis: not element-wise, so a kernel of its own (kernels/softmax.h).
struct Softmax {
  static constexpr auto name = "softmax";
};

/// Every activation a name or a layer can ask for.
using Activations = std::variant<Linear, Relu, Sigmoid, Tanh, Softmax>;

}  // namespace glia
