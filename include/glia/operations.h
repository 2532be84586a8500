// Formulas on symbols: operators and functions whose gradients follow from their own, so that a formula needs no kernel. Each is
// a layer without weights.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/layers.h>
#include <glia/macros.h>
#include <glia/shape.h>
#include <glia/symbol.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace GLIA_API glia {

/// Element by element; shapes that are not the same are repeated as by Add.
///
///     glia::Symbol kl = 0.5 * glia::sum(glia::square(mean) + glia::exp(log_variance) - log_variance - 1.0);
Symbol operator+(const Symbol& a, const Symbol& b);
Symbol operator-(const Symbol& a, const Symbol& b);
Symbol operator*(const Symbol& a, const Symbol& b);
Symbol operator/(const Symbol& a, const Symbol& b);
Symbol operator+(const Symbol& a, double b);
Symbol operator-(const Symbol& a, double b);
Symbol operator*(const Symbol& a, double b);
Symbol operator/(const Symbol& a, double b);
Symbol operator+(double a, const Symbol& b);
Symbol operator-(double a, const Symbol& b);
Symbol operator*(double a, const Symbol& b);
Symbol operator/(double a, const Symbol& b);
Symbol operator-(const Symbol& a);

Symbol exp(const Symbol& x);
Symbol log(const Symbol& x);
Symbol sqrt(const Symbol& x);
Symbol abs(const Symbol& x);
Symbol square(const Symbol& x);
Symbol pow(const Symbol& x, double exponent);

/// Over these axes, where 1 is the first of a row and -1 the last, or over all of a row. What is left of a row that has lost all
/// axes is (1,). Throws ValueError for axis 0, which counts the rows, and for one that there is not.
Symbol sum(const Symbol& x, const std::vector<int>& axes = {}, bool keepdims = false);
Symbol mean(const Symbol& x, const std::vector<int>& axes = {}, bool keepdims = false);

/// Rows of another shape; one dimension may be -1.
Symbol reshape(const Symbol& x, const Shape& shape);
/// The axes of a row in another order, counted from 1: {2, 1} exchanges two.
Symbol transpose(const Symbol& x, const std::vector<int>& axes);
/// Of one axis the elements from `first` on, `count` of them.
Symbol slice(const Symbol& x, int axis, std::int64_t first, std::int64_t count);
/// Products of matrices: rows (..., m, k) and (..., k, n) -> (..., m, n).
Symbol matmul(const Symbol& a, const Symbol& b);
/// x, whose gradient ends here: nothing before it is trained by what follows.
Symbol stop_gradient(const Symbol& x);

/// A formula as a layer, also of a Sequential. Throws ValueError, when it is applied or its model is built, for one that has
/// weights, and for one that does not read an input.
///
///     glia::Sequential model{glia::Dense(8), glia::Lambda([](const glia::Symbol& x) { return x * glia::exp(-x); })};
class Lambda : public Layer {
 public:
  using Function = std::function<Symbol(const std::vector<Symbol>&)>;
  explicit Lambda(std::function<Symbol(const Symbol&)> function, const std::string& name = {});
  /// Of several symbols.
  explicit Lambda(Function function, const std::string& name = {});
};

}  // namespace glia
