// Where each weight of a model lies in Keras's files.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/shape.h>

#include <string>
#include <vector>

#include "interchange/keras/json.h"

namespace glia::keras {

/// A state that a recurrent layer keeps from batch to batch, which no file has.
struct PlacedState {
  std::string name;  ///< in Glia: "lstm/carry"
  Shape shape;       ///< (rows of a batch, units)
};

/// A layer, or a part of one that keeps weights by itself, with what belongs to it in files. Of a model within the model, whose layers
/// come behind it, there is none.
struct PlacedLayer {
  std::string path;                 ///< in .weights.h5: "layers/functional/layers/dense"
  std::string type;                 ///< "Dense"
  std::vector<std::string> around;  ///< names of the models around it, and its own: {"encoder", "dense"}
  std::vector<std::string>
      weights;  ///< names in Glia, in Keras's order of those that it keeps: "encoder/dense/kernel"
  bool is_trainable = true;  ///< it, and the models around it
  std::vector<PlacedState> states = {};
  /// Whether Keras has numbers where Glia has tensors (1,): Attention's factors.
  bool keeps_numbers() const { return type == "Attention"; }
};

/// All layers of a model in Keras's order, given Glia's description of its graph. Residual blocks must have been expanded.
std::vector<PlacedLayer> placed_layers(const Json& graph);

/// Whether it is how many rows a Normalization has seen, which only Keras keeps.
inline bool is_count(const std::string& weight) { return weight.ends_with("/count"); }

/// The weights that an optimizer changes, in Keras's order, by their names in Glia.
std::vector<std::string> trained_weights(const std::vector<PlacedLayer>& layers);

/// Of the layers of a model itself, in their order, the weights that Keras 2's files keep with each: those of layers within it, too, first
/// what is trained, then the rest.
struct GroupedWeights {
  std::string layer;  ///< its name
  std::vector<std::string> weights;
};
std::vector<GroupedWeights> grouped_weights(const std::vector<PlacedLayer>& layers);

/// The graph with Residual blocks as models of their own, and with the layers of each model in the order in which Keras goes through
/// them: from the deepest to the outputs, equally deep ones as they are met from the outputs on. Throws ValueError for what Keras has not.
Json keras_ordered(const Json& graph);

/// Whether Keras makes an operation of this layer of Glia's, which is none of the model's layers.
bool is_operation_in_keras(const std::string& class_name);

}  // namespace glia::keras
