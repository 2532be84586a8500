// LayerNode: what stands behind a Layer handle. A layer says the shapes of its variables and outputs and emits
// descriptors; it computes nothing. What depends on where it is applied, it is told each time: it keeps none of it.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/layers.h>
#include <host/base/hidden.h>
#include <host/layers/emitter.h>
#include <host/weights/variable.h>

#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace glia {

struct Application;
class Config;

/// A model that can build the layers it has.
class Builder {
 public:
  virtual ~Builder() = default;
  /// Builds where that is still to be done and the shape of the input is said; else changes nothing. Throws StateError where
  /// another thread uses the model.
  virtual void build_if_declared() = 0;
};

using Shapes = std::vector<Shape>;  ///< of one row each

/// Copies of layers, which say the same and have no weights yet; of each layer one, whatever refers to it.
class LayerCopies {
 public:
  Layer of(const Layer& layer);
  /// Of a layer that is copied already.
  LayerNode& of(const LayerNode& layer) const { return *copies_.at(&layer); }

 private:
  std::unordered_map<const LayerNode*, std::shared_ptr<LayerNode>> copies_;
};

class GLIA_HIDDEN LayerNode {
 public:
  virtual ~LayerNode() = default;

  /// The class, as Keras calls it: "Dense".
  virtual const char* type() const = 0;
  /// The outputs for inputs of these shapes. Throws ShapeError.
  virtual Shapes output_shapes(const Shapes& inputs) const = 0;
  /// The variables it has for inputs of these shapes.
  virtual std::vector<Variable> variables_for(const Shapes& inputs) const;
  /// Sets `variables` where they are not set. Throws ShapeError where they are, for inputs of shapes that do not go with
  /// them.
  virtual void specify(const Shapes& inputs);
  /// Emits the forward part for inputs (rows, ...).
  virtual Emission emit(Emitter& emitter, const std::vector<Operand>& inputs) const = 0;
  /// Throws ValueError for data on the CPU that cannot be this layer's input, where it is the model's first.
  virtual void check_input(const TensorView&) const {}
  /// Throws DeviceError where it computes nothing on this device, in this dtype: only a layer of the application's own may not.
  virtual void expect_computes(const Device&, DType) const {}
  /// Lists what it was made of, but for what every layer has: name, trainable, and the shape of its input. Throws ValueError for
  /// one that nothing but itself says.
  virtual void describe(Config& config) = 0;
  /// Whether its class is the application's own.
  virtual bool is_of_application() const { return false; }
  /// False for a layer that must come before those that are trained.
  virtual bool gives_input_gradient() const;
  /// Whether what is masked of its input is masked of its output, where it has one of each. Keras's masks end at other layers.
  virtual bool keeps_mask() const { return false; }
  /// False for what only says a shape: not counted or listed as a layer.
  virtual bool is_listed() const { return true; }
  /// Whether names of the layers within it begin with its own.
  virtual bool is_scope() const { return false; }

  /// Whether it, or a layer within it, has weights that an optimizer changes.
  virtual bool can_train() const;
  /// Whether this program trains anything of it.
  bool is_trained(const Emitter& emitter) const;
  /// Keeps the shape of one row that the user gave, or none. Throws ShapeError for a dimension below 1.
  void declare_input_shape(const Shape& shape);
  /// As before specify(), where no block holds its variables yet.
  void forget_shapes();
  /// Has copies of the layers within it, in a copy of the layer that had them.
  virtual void copy_within(LayerCopies& copies);
  /// Whether its variables are known and lie in a block; those of the layers within it aside.
  bool has_weights() const { return specified && (variables.empty() || variables[0].block); }

  std::string name;
  bool named_by_model = false;  ///< not by the user
  bool trainable = true;        ///< as the user wants it at the next compile
  Shape declared_input_shape;   ///< of one row; empty where the layer does not say
  bool specified = false;       ///< whether `variables` are those of its inputs
  Shapes input_shapes;          ///< for which it was specified first
  Shape output_shape;           ///< of its first output's rows, then
  std::vector<Variable> variables;
  std::vector<Layer> children;                   ///< layers within this one, with variables of their own
  std::vector<std::weak_ptr<Builder>> builders;  ///< models that have it
  std::vector<std::weak_ptr<const Application>> applications;      ///< to symbols, in order
  std::shared_ptr<LayerNode> (*copy)(const LayerNode&) = nullptr;  ///< makes another of its class
};

/// A new node of this class.
template <class Node, class... Arguments>
std::shared_ptr<Node> make_node(Arguments&&... arguments) {
  auto node = std::make_shared<Node>(std::forward<Arguments>(arguments)...);
  node->copy = [](const LayerNode& of) -> std::shared_ptr<LayerNode> {
    return std::make_shared<Node>(static_cast<const Node&>(of));
  };
  return node;
}

/// A layer of one input and one output, which most are.
class SimpleLayer : public LayerNode {
 public:
  Shapes output_shapes(const Shapes& inputs) const final { return {shape_for(only(inputs))}; }
  std::vector<Variable> variables_for(const Shapes& inputs) const final { return weights_for(only(inputs)); }
  Emission emit(Emitter& emitter, const std::vector<Operand>& inputs) const final;

 protected:
  /// Of the output's rows, for rows of this shape. Throws ShapeError.
  virtual Shape shape_for(const Shape& input) const = 0;
  virtual std::vector<Variable> weights_for(const Shape&) const { return {}; }
  /// x (rows, ...).
  virtual Emitted emit(Emitter& emitter, const View& x) const = 0;
  /// Where steps of x are masked.
  virtual Emitted emit_masked(Emitter& emitter, const View& x, const View&) const { return emit(emitter, x); }
  /// Of its output, given that of its input x.
  virtual View emit_mask(Emitter&, const View&, const View& mask) const {
    return keeps_mask() ? mask : View{};
  }

 private:
  const Shape& only(const Shapes& inputs) const;
};

/// The nodes of these layers, those within each behind it; each node once.
std::vector<LayerNode*> all_nodes(const std::vector<Layer>& layers);
/// This one and those within it.
std::vector<const LayerNode*> all_nodes(const LayerNode& layer);
std::vector<LayerNode*> all_nodes(LayerNode& layer);

}  // namespace glia
