// A graph as a layer: it has the weights of its layers, and none of its own.
// SPDX-License-Identifier: Apache-2.0
#include <host/graph/graph_layer.h>

#include <utility>

namespace glia {
namespace {

class GraphLayer final : public LayerNode {
 public:
  GraphLayer(const char* type, const Graph& graph) : type_(type), graph_(graph) { children = graph.layers(); }

  const char* type() const override { return type_; }
  void describe(Config&) override {}  // who describes graphs does: it knows the names of the layers
  bool is_scope() const override { return true; }
  const Graph& graph() const { return graph_; }

  Shapes output_shapes(const Shapes& inputs) const override {
    GLIA_CHECK(inputs.size() == graph_.inputs().size(), ShapeError, "layer \"", name, "\" (", type_,
               ") takes ", graph_.inputs().size(), " inputs, got ", inputs.size());
    const std::vector<Shapes> shapes = graph_.shapes(inputs);
    Shapes outputs;
    for (const Graph::Source& output : graph_.outputs())
      outputs.push_back(shapes[output.node][output.output]);
    return outputs;
  }
  void specify(const Shapes& inputs) override {
    graph_.specify(inputs);
    LayerNode::specify(inputs);
  }
  void check_input(const TensorView& x) const override {
    if (graph_.inputs().size() != 1) return;
    for (const Graph::Node& node : graph_.nodes())
      for (const Graph::Source& source : node.inputs)
        if (source.node == graph_.inputs()[0]) node.layer.node().check_input(x);
  }
  void copy_within(LayerCopies& copies) override {
    graph_.copy_layers(copies);
    children = graph_.layers();
  }
  Emission emit(Emitter& emitter, const std::vector<Operand>& inputs) const override {
    return graph_.emit(emitter, inputs);
  }

 private:
  const char* type_;
  Graph graph_;
};

}  // namespace

std::shared_ptr<LayerNode> make_graph_layer(const char* type, const Graph& graph) {
  return make_node<GraphLayer>(type, graph);
}

const Graph* graph_within(const LayerNode& layer) {
  const auto* const within = dynamic_cast<const GraphLayer*>(&layer);
  return within ? &within->graph() : nullptr;
}

}  // namespace glia
