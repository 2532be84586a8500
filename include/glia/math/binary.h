// Functions of two numbers: one struct each, for tensors element by element. Adding one is a struct here and its name in the
// variant. Their gradients are made of them: that of a product is a product with the other factor. In a namespace of their
// own, since layers have these names too.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/macros.h>
#include <glia/math/functions.h>  // defines: math::max_nan, math::min_nan

#include <variant>

namespace GLIA_API glia {
namespace binary {

struct Add {
  static constexpr auto name = "add";
  template <class T>
  GLIA_HD T forward(T a, T b) const {
    return a + b;
  }
};

struct Subtract {
  static constexpr auto name = "subtract";
  template <class T>
  GLIA_HD T forward(T a, T b) const {
    return a - b;
  }
};

struct Multiply {
  static constexpr auto name = "multiply";
  template <class T>
  GLIA_HD T forward(T a, T b) const {
    return a * b;
  }
};

/// a / b, by IEEE 754 where b is 0.
struct Divide {
  static constexpr auto name = "divide";
  template <class T>
  GLIA_HD T forward(T a, T b) const {
    return a / b;
  }
};

/// The greater of both; NaN where either is.
struct Maximum {
  static constexpr auto name = "maximum";
  template <class T>
  GLIA_HD T forward(T a, T b) const {
    return math::max_nan(a, b);
  }
};

/// The smaller of both; NaN where either is.
struct Minimum {
  static constexpr auto name = "minimum";
  template <class T>
  GLIA_HD T forward(T a, T b) const {
    return math::min_nan(a, b);
  }
};

/// a where b is not 0, else `otherwise`: of a mask b what it leaves of a.
struct Keep {
  static constexpr auto name = "keep";
  double otherwise = 0;
  template <class T>
  GLIA_HD T forward(T a, T b) const {
    return b != T(0) ? a : static_cast<T>(otherwise);
  }
};

/// How much of the gradient of max(a, b) goes to a: 1 where a is greater, 0 where b is, and of equal numbers half to each, as
/// PyTorch and JAX have it; NaN where either is. Of min(a, b) it is share_of_maximum(b, a).
struct ShareOfMaximum {
  static constexpr auto name = "share_of_maximum";
  template <class T>
  GLIA_HD T forward(T a, T b) const {
    if (a > b) return T(1);
    if (a < b) return T(0);
    return a == b ? T(0.5) : a + b;
  }
};

}  // namespace binary

using BinaryFunction = std::variant<binary::Add, binary::Subtract, binary::Multiply, binary::Divide,
                                    binary::Maximum, binary::Minimum, binary::Keep, binary::ShareOfMaximum>;

}  // namespace glia
