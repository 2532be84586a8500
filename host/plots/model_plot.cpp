// plot_model: a model as boxes and arrows.
// SPDX-License-Identifier: Apache-2.0
#include <glia/model.h>  // defines: plot_model
#include <host/graph/graph_layer.h>
#include <host/model/core.h>
#include <host/plots/graph_plot.h>
#include <host/training/using.h>

#include <utility>

namespace glia {
namespace {

std::string text_of(const Shapes& shapes) {
  std::string text;
  for (const Shape& shape : shapes) text += (text.empty() ? "" : ", ") + detail::concat(shape);
  return text;
}

/// The boxes of a graph whose inputs have these shapes. A layer that is applied several times has several boxes.
std::vector<plots::GraphBox> boxes_of(const Graph& graph, const Shapes& inputs, const Scope& names) {
  const std::vector<Shapes> shapes = graph.shapes(inputs);
  std::vector<plots::GraphBox> boxes;
  for (std::size_t n = 0; n < graph.nodes().size(); ++n) {
    const Graph::Node& node = graph.nodes()[n];
    const LayerNode& layer = node.layer.node();
    Shapes in;
    plots::GraphBox box{names.contains(layer) ? names.name_of(layer) : layer.name, layer.type(), "", ""};
    for (const Graph::Source& source : node.inputs) {
      in.push_back(shapes[source.node][source.output]);
      box.from.push_back(source.node);
    }
    box.input_shapes = text_of(in), box.output_shapes = text_of(shapes[n]);
    box.trainable = layer.trainable;
    if (const Graph* const within = graph_within(layer))
      box.inside = boxes_of(*within, in, Scope(within->layers()));
    boxes.push_back(std::move(box));
  }
  return boxes;
}

}  // namespace

void plot_model(const Model& model, const std::string& path) {
  const Using core(model.core());
  const Network& network = core.known("plot_model").network();
  plots::plot_graph(boxes_of(network.graph_of_losses(), network.input_shapes(), Scope(network.layers())),
                    network.name, path);
}

}  // namespace glia
