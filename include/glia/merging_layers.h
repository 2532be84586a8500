// Layers that join several symbols. Names and defaults as in Keras.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/layers.h>
#include <glia/macros.h>
#include <glia/symbol.h>

#include <array>
#include <string>

namespace GLIA_API glia {

/// Sum, difference, product, mean, maximum and minimum, element by element, of two or more symbols (a difference of two). Rows of
/// shapes that are not the same are repeated as in Keras: axes of length 1 along the others', those that are missing in front.
/// Throws ShapeError where that does not make them the same, and for other numbers of symbols. Of masked steps (docs/sequences.md)
/// products, maxima and minima are those of the symbols in which the step counts.
///
///     glia::Symbol sum = glia::Add()({a, b, c});
///     glia::Symbol same = glia::add({a, b, c});
class Add : public Layer {
 public:
  explicit Add(const std::string& name = {});
};
class Subtract : public Layer {
 public:
  explicit Subtract(const std::string& name = {});
};
class Multiply : public Layer {
 public:
  explicit Multiply(const std::string& name = {});
};
class Average : public Layer {
 public:
  explicit Average(const std::string& name = {});
};
/// Of equal elements each has half of the gradient.
class Maximum : public Layer {
 public:
  explicit Maximum(const std::string& name = {});
};
class Minimum : public Layer {
 public:
  explicit Minimum(const std::string& name = {});
};

/// One behind the other along an axis: 1 is the first of a row, -1 the last. Throws ShapeError where other axes differ, ValueError
/// for axis 0, which counts the rows.
class Concatenate : public Layer {
 public:
  explicit Concatenate(int axis = -1, const std::string& name = {});
};

struct DotOptions {
  std::array<int, 2> axes = {-1, -1};  ///< of the first and of the second; as Concatenate counts them
  bool normalize = false;              ///< to a length of 1 along them first: then it is the cosine
  std::string name = {};
};

/// Sums of products over an axis of each of two symbols, row by row: (..., k, ...) and (..., k, ...) -> the axes that are left of
/// the first, then those of the second; (1,) where none is. Throws ShapeError where the two axes are not equally long.
class Dot : public Layer {
 public:
  explicit Dot(const DotOptions& options = {});
  /// One axis of both.
  explicit Dot(int axis);
};

Symbol add(const Symbols& inputs);
Symbol subtract(const Symbols& inputs);
Symbol multiply(const Symbols& inputs);
Symbol average(const Symbols& inputs);
Symbol maximum(const Symbols& inputs);
Symbol minimum(const Symbols& inputs);
Symbol concatenate(const Symbols& inputs, int axis = -1);
Symbol dot(const Symbols& inputs, const DotOptions& options = {});

}  // namespace glia
