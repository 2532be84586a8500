// Sequential: a stack of layers, as in Keras.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/macros.h>
#include <glia/model.h>

#include <initializer_list>
#include <vector>

namespace GLIA_API glia {

/// A linear stack of layers.
///
///     glia::Sequential model{glia::Flatten({28, 28}), glia::Dense(128, "relu"), glia::Dense(10, "softmax")};
///     model.compile({.optimizer = "adam", .loss = "sparse_categorical_crossentropy", .metrics = "accuracy"});
///     glia::History history = model.fit(train, {.epochs = 5, .validation_split = 0.2});
class Sequential : public Model {
 public:
  Sequential();
  Sequential(std::initializer_list<Layer> layers);
  explicit Sequential(const std::vector<Layer>& layers);

  /// Appends a layer. Throws StateError once this model is built or has become a layer of another model; ValueError where it, or
  /// a layer within it, is in this model already, and where another layer of this model was given the same name.
  void add(const Layer& layer);
  /// Takes the last layer away. Throws StateError as add does, and where there is none.
  void pop();
  /// Builds for rows of this shape (without the row dimension); needed only where no layer says its input
  /// shape and nothing is fitted or predicted before. Throws ShapeError where layers do not fit.
  void build(const Shape& input_shape);

 private:
  friend Sequential clone_model(const Sequential& model);
};

/// As that of a Model.
Sequential clone_model(const Sequential& model);

}  // namespace glia
