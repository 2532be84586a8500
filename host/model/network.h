// Network: the layers of a model and how they hang together: a graph between symbols, or a chain that becomes one when it is told
// its input. It gives the layers, inputs and outputs their names, and has no weights and no device.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <host/graph/graph.h>
#include <host/model/names.h>    // defines: Scope
#include <host/program/heads.h>  // defines: AddedLoss

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace glia {

/// Notes of a layer that a model has it, and forgets models that are gone.
void add_builder(LayerNode& layer, const std::weak_ptr<Builder>& model);

class Network {
 public:
  std::string name;
  bool is_named = false;  ///< by the user

  /// Makes it the graph between symbols, for `model`, which its layers then know. Throws ValueError.
  void connect(const Symbols& inputs, const Symbols& outputs, const std::weak_ptr<Builder>& model);
  /// Adds the mean of a value to the loss. Throws StateError for a chain, ValueError for a value of other inputs, ShapeError.
  void add_loss(const Symbol& value, const std::weak_ptr<Builder>& model);
  /// Makes it the same as another, of layers with weights of their own to come.
  void copy(const Network& other, const std::weak_ptr<Builder>& model);
  /// A chain grows and shrinks at its end until it has shapes. Throws StateError, ValueError for a layer that it has.
  void add(const Layer& layer, const std::weak_ptr<Builder>& model);
  Layer pop(const std::weak_ptr<Builder>& model);
  bool is_chain() const { return is_chain_; }

  /// Specifies the layers for inputs of these shapes; a chain becomes a graph between symbols. Throws ShapeError, and leaves what it
  /// specified: forget_shapes() makes it what it was.
  void specify(const Shapes& inputs);
  /// A chain is without symbols and shapes again.
  void forget_shapes();
  /// Throws ShapeError where a chain that says the shape of its input has layers that do not fit.
  void check_declared_shape() const;
  /// The shapes of its inputs, where it or a model that has it knows them before it is specified.
  std::optional<Shapes> known_input_shapes() const;
  /// Tells a chain the shape of its input, until it is specified for another.
  void expect_shapes(const Shapes& inputs) { known_shapes_ = inputs; }

  /// The layers, in the graph's order, whatever they are for.
  const std::vector<Layer>& layers() const { return layers_; }
  /// Those within them, too.
  std::vector<const LayerNode*> nodes() const;
  /// The name of a layer in this model.
  const std::string& name_of(const LayerNode& layer) const;
  void set_name(const std::string& wanted);
  void set_trainable(bool trainable);
  /// This model as a layer of another; no layer is added from now on.
  Layer as_layer();

  /// The graph, the symbols and the shapes of one row, which a chain has once it is specified.
  const Graph& graph() const { return *graph_; }
  /// And what is added to the loss: behind the outputs it has the values that are none.
  const Graph& graph_of_losses() const { return with_losses_ ? *with_losses_ : *graph_; }
  const std::vector<AddedLoss>& added_losses() const { return added_losses_; }
  const std::vector<Symbol>& inputs() const { return inputs_; }
  const std::vector<Symbol>& outputs() const { return outputs_; }
  const Shapes& input_shapes() const { return input_shapes_; }
  const Shapes& output_shapes() const { return output_shapes_; }
  const std::vector<std::string>& input_names() const { return input_names_; }
  std::vector<std::string> output_names() const;
  std::size_t output_count() const { return is_chain_ ? 1 : outputs_.size(); }

 private:
  void expect_growing(const char* call) const;
  void specify_chain(const Shape& input);
  Shape declared_input_shape() const;
  std::vector<std::string> names_of(const std::vector<Symbol>& symbols) const;

  bool is_chain_ = true, is_sealed_ = false;
  std::vector<Layer> layers_;
  std::optional<Scope> scope_;  // the layers' names here
  std::optional<Graph> graph_, with_losses_;
  std::vector<AddedLoss> added_losses_;
  std::vector<Symbol> loss_values_;     // those that are no outputs
  std::optional<Shapes> known_shapes_;  // that the network it was copied from, or a file, knew
  std::shared_ptr<LayerNode> as_layer_;
  std::vector<Symbol> inputs_, outputs_;
  Shapes input_shapes_, output_shapes_;
  std::vector<std::string> input_names_{""};  // known along with the symbols
};

}  // namespace glia
