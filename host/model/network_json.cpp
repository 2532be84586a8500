// A network in words: writing. What is read is in network_read.cpp.
// SPDX-License-Identifier: Apache-2.0
#include <host/graph/graph_layer.h>
#include <host/layers/config.h>
#include <host/layers/input.h>
#include <host/model/network_json.h>

#include <algorithm>
#include <functional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace glia {
namespace {

using Kind = Json::Kind;

/// Whether a chain begins with what stands for an input that nobody gave.
bool begins_with_unsaid_input(const std::vector<Layer>& layers) {
  return layers.size() > 1 && is_input(layers[0].node()) && layers[0].node().declared_input_shape == Shape{1};
}

class NetworkWriter final : public Config::LayerWriter {
 public:
  explicit NetworkWriter(const Network& network) : network_(network) {}

  Json written(const Layer& layer) override {
    LayerNode& node = layer.node();
    Json json(Kind::object);
    if (const auto known = numbers_.find(&node); known != numbers_.end()) {
      json.add("shared_layer", Json::of(known->second));
      return json;
    }
    json.add("class_name", Json::of(node.type()));
    if (node.is_of_application()) json.add("registered_name", Json::of(node.type()));
    Json& config = json.add("config", Json(Kind::object));
    Config common(config, this);
    std::string name = name_of(node);
    common.field("name", name), common.field("trainable", node.trainable);
    if (!node.declared_input_shape.empty() && !is_input(node))
      common.field("input_shape", node.declared_input_shape);
    if (const Graph* const within = graph_within(node)) {
      const Scope* const around = std::exchange(scope_, nullptr);
      const Scope scope(node.children);
      scope_ = &scope;
      if (std::string_view(node.type()) == "Sequential")
        put_chain(config, within->layers());
      else
        put_graph(config, *within, within->outputs().size());
      scope_ = around;
    } else {
      node.describe(common);
    }
    numbers_.emplace(&node, static_cast<std::int64_t>(numbers_.size()));
    return json;
  }

  void put_chain(Json& config, const std::vector<Layer>& layers) {
    Json& list = config.add("layers", Json(Kind::array));
    for (std::size_t i = scope_ && begins_with_unsaid_input(layers) ? 1 : 0; i < layers.size(); ++i)
      list.add(written(layers[i]));
  }

  /// A graph of so many outputs; those behind them are values that are added to the loss.
  void put_graph(Json& config, const Graph& graph, std::size_t outputs) {
    std::unordered_map<const LayerNode*, Json> inbound;
    std::vector<Json> places;  // of each node: [layer, application]
    for (const Graph::Node& node : graph.nodes()) {
      const LayerNode& layer = node.layer.node();
      Json& applications = inbound.try_emplace(&layer, Kind::array).first->second;
      Json& place = places.emplace_back(Kind::array);
      place.add(Json::of(name_of(layer)));
      place.add(Json::of(static_cast<std::int64_t>(applications.members.size())));
      if (node.inputs.empty()) continue;
      Json& sources = applications.add(Json(Kind::array));
      for (const Graph::Source& source : node.inputs) sources.add(output_of(places, source));
    }
    Json& list = config.add("layers", Json(Kind::array));
    for (const Layer& layer : graph.layers()) {
      Json& json = list.add(written(layer));
      json.add("name", Json::of(name_of(layer.node())));
      json.add("inbound_nodes", std::move(inbound.at(&layer.node())));
    }
    Json& from = config.add("input_layers", Json(Kind::array));
    for (const std::size_t input : graph.inputs()) from.add(output_of(places, {input}));
    Json& to = config.add("output_layers", Json(Kind::array));
    for (std::size_t i = 0; i < outputs; ++i) to.add(output_of(places, graph.outputs()[i]));
    if (scope_ || network_.added_losses().empty()) return;
    Json& added = config.add("added_losses", Json(Kind::array));
    for (const AddedLoss& loss : network_.added_losses())
      added.add(output_of(places, graph.outputs()[loss.output]));
  }

 private:
  /// In the graph that is being written. What another graph computes keeps the name of the layer that does.
  std::string name_of(const LayerNode& layer) const {
    if (scope_) return scope_->contains(layer) ? scope_->name_of(layer) : layer.name;
    for (std::size_t i = 0; is_input(layer) && i < network_.inputs().size(); ++i) {
      if (network_.is_chain()) break;
      const LayerNode& input = network_.graph().nodes()[network_.graph().inputs()[i]].layer.node();
      if (&input == &layer && !is_input(network_.inputs()[i].layer().node()))
        return network_.input_names()[i];
    }
    return network_.name_of(layer);
  }
  static Json output_of(const std::vector<Json>& places, const Graph::Source& source) {
    Json place = places[source.node];
    place.add(Json::of(static_cast<std::int64_t>(source.output)));
    return place;
  }

  const Network& network_;
  const Scope* scope_ = nullptr;  // of the model within which is being written; null: the network itself
  std::unordered_map<const LayerNode*, std::int64_t> numbers_;  // of layers that are written
};

}  // namespace

Json json_of(const Network& network) {
  Json json(Kind::object);
  json.add("class_name", Json::of(network.is_chain() ? "Sequential" : "Functional"));
  Json& config = json.add("config", Json(Kind::object));
  config.add("name", Json::of(network.name));
  NetworkWriter writer(network);
  if (!network.is_chain()) {
    writer.put_graph(config, network.graph_of_losses(), network.outputs().size());
    return json;
  }
  writer.put_chain(config, network.layers());
  if (const std::optional<Shapes> shapes = network.known_input_shapes()) {
    Shape shape = shapes->front();
    Config(config).batch_shape("build_input_shape", shape);
  }
  return json;
}

}  // namespace glia
