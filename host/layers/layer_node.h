// LayerNode: what stands behind a Layer handle. A layer says the shapes of its variables and emits
// descriptors; it computes nothing.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/initializers.h>
#include <glia/layers.h>
#include <glia/math/penalties.h>
#include <glia/tensor.h>
#include <glia/view.h>
#include <host/layers/emitter.h>

#include <memory>
#include <string>
#include <vector>

namespace glia {

class Model;

/// A weight of a layer. The model that builds the layer sets the views; what is not trained has no gradient.
struct Variable {
  std::string name;  ///< "kernel"
  Shape shape;
  Initializers initializer;
  Regularizers regularizer = {};
  Constraints constraint = {};
  bool trainable = true;
  std::vector<float> given = {};  ///< in place of the initializer's values
  View value = {};
  View gradient = {};
};

class LayerNode {
 public:
  virtual ~LayerNode() = default;

  /// The class, as Keras calls it: "Dense".
  virtual const char* type() const = 0;
  /// Sets variables() for rows of this shape and returns the shape of the output's rows. Throws ShapeError.
  virtual Shape build(const Shape& input_shape) = 0;
  /// Whether anything of it is trained.
  bool is_trained() const {
    for (const Variable& variable : variables)
      if (variable.trainable) return true;
    for (const Layer& layer : children)
      if (layer.node().is_trained()) return true;
    return false;
  }
  /// Emits the forward part for a batch x (rows, ...).
  virtual Emitted emit(Emitter& emitter, const View& x) const = 0;
  /// Keeps the shape of one row that the user gave, or none. Throws ShapeError for a dimension below 1.
  void declare_input_shape(const Shape& shape);
  /// Throws ValueError for data on the CPU that cannot be this layer's input, where it is the model's first.
  virtual void check_input(const TensorView&) const {}
  /// False for a layer that must come before those that are trained.
  virtual bool gives_input_gradient() const {
    for (const Layer& layer : children)
      if (!layer.node().gives_input_gradient()) return false;
    return true;
  }
  /// False for what only says a shape: not counted or listed as a layer.
  virtual bool is_listed() const { return true; }

  std::string name;
  bool named_by_model = false;  ///< not by the user
  Shape declared_input_shape;   ///< of one row; empty where the layer does not say
  Shape output_shape;
  bool built = false;
  std::vector<Variable> variables;
  std::vector<Layer> children;  ///< layers within this one, with variables of their own
  std::weak_ptr<Model> model;   ///< the one it was added to
};

}  // namespace glia
