// Names of layers and weights within a model.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <host/layers/layer_node.h>

#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

namespace glia {

/// Layers with names that differ: their own, or for those that were not given one, and whose own is taken, Keras's "dense_1".
/// Layers within a layer that is no scope are among them.
class Scope {
 public:
  /// Names those that have no name. Throws ValueError where two were given one name.
  explicit Scope(const std::vector<Layer>& layers);

  const std::string& name_of(const LayerNode& layer) const { return names_.at(&layer); }
  bool contains(const LayerNode& layer) const { return names_.count(&layer) != 0; }

 private:
  void add(LayerNode& layer);

  std::unordered_map<const LayerNode*, std::string> names_;
  std::unordered_set<std::string> taken_;
};

/// Whether it is one that a model gives a layer of this class: "dense", "dense_1".
bool is_given_by_model(const std::string& name, const std::string& type);

/// The variables of these layers, each once, with names such as "block/dense/kernel".
std::vector<std::pair<std::string, const Variable*>> named_variables(const std::vector<Layer>& layers);

}  // namespace glia
