// A graph as a layer of another: a model within a model.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <host/graph/graph.h>
#include <host/layers/layer_classes.h>

#include <memory>
#include <string>

namespace glia {

/// `type` is what summaries call it: "Sequential", "Functional".
std::shared_ptr<LayerNode> make_graph_layer(const char* type, const Graph& graph);

LayerClasses residual_classes();

/// The graph of such a layer; null for others.
const Graph* graph_within(const LayerNode& layer);

}  // namespace glia
