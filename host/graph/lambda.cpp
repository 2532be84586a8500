// Lambda: a formula as a layer.
// SPDX-License-Identifier: Apache-2.0
#include <glia/operations.h>
#include <host/graph/graph.h>

#include <memory>
#include <utility>

namespace glia {
namespace {

class LambdaNode final : public LayerNode {
 public:
  explicit LambdaNode(Lambda::Function function) : function_(std::move(function)) {}

  const char* type() const override { return "Lambda"; }
  void describe(Config&) override {
    throw ValueError(
        "layer \"" + name +
        "\" (Lambda) is a function, which no words say and no file can hold: make a Model of its "
        "formula, or a layer of your own that is registered, and save that");
  }

  Shapes output_shapes(const Shapes& inputs) const override {
    const Graph graph = graph_for(inputs);
    const Graph::Source& output = graph.outputs()[0];
    return {graph.shapes(inputs)[output.node][output.output]};
  }
  Emission emit(Emitter& emitter, const std::vector<Operand>& inputs) const override {
    Shapes shapes;
    for (const Operand& input : inputs) shapes.push_back(input.view.shape.row());
    return graph_for(shapes).emit(emitter, inputs);
  }

 private:
  /// The formula of inputs of these shapes. Throws ValueError where it has weights, which no model would know.
  Graph graph_for(const Shapes& shapes) const {
    std::vector<Symbol> inputs;
    for (const Shape& shape : shapes) inputs.push_back(Input(shape));
    Graph graph = Graph::between(inputs, function_(inputs));
    for (const LayerNode* node : all_nodes(graph.layers()))
      GLIA_CHECK(node->variables.empty(), ValueError, "layer \"", name,
                 "\" (Lambda) has a layer of weights, \"", node->name, "\" (", node->type(),
                 "), in its formula: make a Model of it, and apply that");
    return graph;
  }

  Lambda::Function function_;
};

}  // namespace

Lambda::Lambda(Function function, const std::string& name)
    : Layer(make_node<LambdaNode>(std::move(function))) {
  node().name = name;
}
Lambda::Lambda(std::function<Symbol(const Symbol&)> function, const std::string& name)
    : Lambda(
          [of_one = std::move(function)](const std::vector<Symbol>& inputs) {
            GLIA_CHECK(inputs.size() == 1, ShapeError, "a Lambda of one symbol was applied to ",
                       inputs.size());
            return of_one(inputs[0]);
          },
          name) {}

}  // namespace glia
