// LayerNode: what stands behind a Layer handle. A layer says the shapes of its variables and emits
// descriptors; it computes nothing.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/initializers.h>
#include <glia/view.h>
#include <host/emitter.h>

#include <memory>
#include <string>
#include <vector>

namespace glia {

class Model;

/// A trained array of a layer. The model that builds the layer sets the views.
struct Variable {
  std::string name;  ///< "kernel"
  Shape shape;
  Initializers initializer;
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
  /// Emits the forward part for a batch x (rows, ...).
  virtual Emitted emit(Emitter& emitter, const View& x) const = 0;
  /// Keeps the shape of one row that the user gave, or none. Throws ShapeError for a dimension below 1.
  void declare_input_shape(const Shape& shape);
  /// False for what only says a shape: not counted or listed as a layer.
  virtual bool is_listed() const { return true; }

  std::string name;
  bool named_by_model = false;  ///< not by the user
  Shape declared_input_shape;   ///< of one row; empty where the layer does not say
  Shape output_shape;
  bool built = false;
  std::vector<Variable> variables;
  std::weak_ptr<Model> model;  ///< the one it was added to
};

}  // namespace glia
