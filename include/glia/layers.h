// Layers: handles that a Sequential model and its user share. Names and defaults as in Keras.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/named.h>  // defines: ActivationName, InitializerName
#include <glia/shape.h>
#include <glia/tensor.h>

#include <initializer_list>
#include <memory>
#include <string>
#include <vector>

namespace glia {

class LayerNode;  // what a layer does when a model is built; host/layers/layer_node.h

/// Base of all layers: a handle, so that a layer kept in a variable is the one in the model.
///
///     glia::Dense hidden(128, "relu");
///     glia::Sequential model{hidden, glia::Dense(10, "softmax")};
///     ... fit ...
///     std::vector<glia::Tensor> kernel_and_bias = hidden.get_weights();
class Layer {
 public:
  explicit Layer(std::shared_ptr<LayerNode> node) : node_(std::move(node)) {}

  /// The name given, or the class's in snake case with a counter within the model ("dense", "dense_1") once
  /// in a model.
  const std::string& name() const;
  /// "Dense".
  std::string type() const;
  /// Number of parameters; throws StateError before the layer is built.
  std::int64_t count_params() const;
  /// Shape of the output for one row; throws StateError before the layer is built.
  Shape output_shape() const;
  /// Copies of the weights, in the layer's order (kernel (in, out), bias (out,)), on the CPU; throws
  /// StateError before it is built. Synchronises the model's device.
  std::vector<Tensor> get_weights() const;
  /// Sets them; throws ShapeError where number or shapes differ from get_weights()'s, and changes nothing
  /// then.
  void set_weights(const std::vector<Tensor>& weights);
  void set_weights(std::initializer_list<TensorView> weights);  ///< set_weights({kernel, bias})

  LayerNode& node() const { return *node_; }
  const std::shared_ptr<LayerNode>& shared_node() const { return node_; }

 private:
  std::shared_ptr<LayerNode> node_;
};

struct DenseOptions {
  ActivationName activation = "linear";
  bool use_bias = true;
  InitializerName kernel_initializer = "glorot_uniform";
  InitializerName bias_initializer = "zeros";
  Shape input_shape = {};  ///< of one row; only on a model's first layer
  int input_dim = 0;       ///< Keras 2's short form of input_shape = {input_dim}
  std::string name = {};
};

/// y = activation(x kernel + bias) along the last axis: (..., in) -> (..., units). kernel (in, units), bias
/// (units,). Throws ValueError where units < 1, ShapeError for an input without a last axis of fixed length.
class Dense : public Layer {
 public:
  explicit Dense(int units, const DenseOptions& options = {});
  Dense(int units, const ActivationName& activation, const DenseOptions& options = {});
  Dense(int units, const char* activation, const DenseOptions& options = {})
      : Dense(units, ActivationName(activation), options) {}
};

/// (a, b, ...) -> (a * b * ...,) for each row; no arithmetic. `input_shape` only on a model's first layer.
class Flatten : public Layer {
 public:
  explicit Flatten(const Shape& input_shape = {}, const std::string& name = {});
};

/// An activation as a layer of its own. `input_shape` only on a model's first layer.
class Activation : public Layer {
 public:
  explicit Activation(const ActivationName& function, const Shape& input_shape = {},
                      const std::string& name = {});
};

/// Says the shape of one input row; computes nothing and is not listed in summary().
class Input : public Layer {
 public:
  explicit Input(const Shape& shape);
};

}  // namespace glia
