// Graph: which layer is applied to what. Nodes and edges, nothing else: no shapes, which follow from those of its inputs, and no
// weights, which are the layers'.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/symbol.h>
#include <host/layers/layer_node.h>

#include <cstddef>
#include <string>
#include <vector>

namespace glia {

class Graph {
 public:
  /// An output of a node.
  struct Source {
    std::size_t node;
    std::size_t output = 0;
  };
  /// An application of a layer; an input of the graph has no inputs.
  struct Node {
    Layer layer;
    std::vector<Source> inputs;
  };

  /// Layers one after another; an Input is put before those that do not begin with one.
  static Graph chain(const std::vector<Layer>& layers);
  /// What lies between these symbols, the nodes in Keras's order: by the distance from the outputs, the farthest first. Throws
  /// ValueError where an output depends on an input that is not among `inputs`, where no output depends on an input, and for an
  /// input or output that is there twice.
  static Graph between(const Symbols& inputs, const Symbols& outputs);
  /// The same, on the inputs' layers of another graph between the same inputs.
  static Graph between(const Symbols& inputs, const Symbols& outputs, const Graph& like);

  /// Puts copies of its layers in their place.
  void copy_layers(LayerCopies& copies);

  const std::vector<Node>& nodes() const { return nodes_; }
  const std::vector<std::size_t>& inputs() const { return inputs_; }
  const std::vector<Source>& outputs() const { return outputs_; }
  /// Each layer once, in Keras's order: that of the weights.
  const std::vector<Layer>& layers() const { return layers_; }

  /// The shapes of each node's outputs, for inputs of these shapes. Throws ShapeError.
  std::vector<Shapes> shapes(const Shapes& inputs) const;
  /// Specifies the layers for inputs of these shapes. Throws ShapeError.
  void specify(const Shapes& inputs) const;
  /// Emits the forward parts; the backward part goes no further down than something is trained, or an input's gradient is
  /// wanted. Where an output has several readers, their gradients are summed in the order of the nodes.
  Emission emit(Emitter& emitter, const std::vector<Operand>& inputs) const;

 private:
  struct Emissions;
  static std::vector<View> emit_backward(const Emissions& emissions, Emitter& emitter,
                                         const std::vector<View>& output_gradients,
                                         const std::vector<bool>& wanted);
  Shapes inputs_of(const Node& node, const std::vector<Shapes>& shapes) const;

  std::vector<Node> nodes_;  // each behind those it reads
  std::vector<Layer> layers_;
  std::vector<std::size_t> inputs_;
  std::vector<Source> outputs_;
};

}  // namespace glia
