// The graph between symbols.
// SPDX-License-Identifier: Apache-2.0
#include <host/graph/graph.h>
#include <host/layers/application.h>
#include <host/layers/input.h>

#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <utility>

namespace glia {
namespace {

using Key = const Application*;

/// The applications between inputs and outputs, found from the outputs.
class Search {
 public:
  Search(const Symbols& inputs, const Symbols& outputs) : inputs_(inputs) {
    for (const Symbol& output : outputs) visit(output, output);
    find_depths();
  }

  /// Applications, the farthest from the outputs first; of those that are as far, the one that was asked for first.
  std::vector<std::shared_ptr<const Application>> applications() const {
    std::vector<std::shared_ptr<const Application>> order = behind_first_;
    std::sort(order.begin(), order.end(), [this](const auto& a, const auto& b) {
      const Place &of_a = places_.at(a.get()), &of_b = places_.at(b.get());
      return of_a.depth != of_b.depth ? of_a.depth > of_b.depth : of_a.number < of_b.number;
    });
    return order;
  }
  /// Their layers, each once: those whose last application is the farthest first; of those that are as far, the one that was met
  /// first.
  std::vector<Layer> layers() const {
    std::vector<Layer> layers;
    for (const auto& application : applications()) {
      const bool seen = std::any_of(layers.begin(), layers.end(), [&](const Layer& layer) {
        return &layer.node() == &application->layer.node();
      });
      if (!seen) layers.push_back(application->layer);
    }
    std::sort(layers.begin(), layers.end(), [this](const Layer& a, const Layer& b) {
      const Place &of_a = layers_.at(&a.node()), &of_b = layers_.at(&b.node());
      return of_a.depth != of_b.depth ? of_a.depth > of_b.depth : of_a.number < of_b.number;
    });
    return layers;
  }
  bool reads(const Symbol& input) const {
    return read_.count({&input.application(), input.output_index()}) != 0;
  }

 private:
  bool is_given(const Symbol& symbol) const {
    return std::find(inputs_.begin(), inputs_.end(), symbol) != inputs_.end();
  }

  /// Finds what `symbol` is made of, on the way to `output`.
  void visit(const Symbol& symbol, const Symbol& output) {
    const Application& application = symbol.application();
    if (is_given(symbol)) {
      read_.insert({&application, symbol.output_index()});
      return;
    }
    GLIA_CHECK(!application.inputs.empty(), ValueError, "the output \"", name_of(output),
               "\" depends on the input \"", name_of(symbol),
               "\", which is not among the inputs that the model was given: give it as well");
    layers_.emplace(&application.layer.node(), Place{0, layers_.size()});
    if (!seen_.insert(&application).second) return;
    for (const Symbol& input : application.inputs) visit(input, output);
    behind_first_.push_back(symbol.shared_application());
  }

  void find_depths() {
    const auto place_of = [this](Key application) -> Place& {
      return places_.try_emplace(application, Place{0, places_.size()}).first->second;
    };
    for (auto each = behind_first_.rbegin(); each != behind_first_.rend(); ++each) {
      int& of_layer = layers_.at(&(*each)->layer.node()).depth;
      const int depth = of_layer = place_of(each->get()).depth =
          std::max(place_of(each->get()).depth, of_layer);
      for (const Symbol& input : (*each)->inputs)
        if (seen_.count(&input.application()) != 0) {
          int& before = place_of(&input.application()).depth;
          before = std::max(before, depth + 1);
        }
    }
  }

  /// How far from the outputs, and the how manieth that was found.
  struct Place {
    int depth;
    std::size_t number;
  };

  const Symbols& inputs_;
  std::set<Key> seen_;
  std::set<std::pair<Key, int>> read_;  // inputs
  std::map<const LayerNode*, Place> layers_;
  std::vector<std::shared_ptr<const Application>> behind_first_;  // each behind what it reads
  std::map<Key, Place> places_;
};

void check_twice(const Symbols& symbols, const char* what) {
  for (std::size_t i = 0; i < symbols.size(); ++i)
    for (std::size_t j = 0; j < i; ++j)
      GLIA_CHECK(!(symbols[i] == symbols[j]), ValueError, "\"", name_of(symbols[i]), "\" is ", what,
                 " twice, in the places ", j, " and ", i, ": give it once");
}

/// What stands for an input: what another graph computes is one like any other.
Layer layer_of_input(const Symbol& input) {
  return is_input(input.layer().node()) ? input.layer() : Layer(Input(input.shape()));
}

}  // namespace

Graph Graph::between(const Symbols& inputs, const Symbols& outputs) {
  Graph inputs_alone;
  for (const Symbol& input : inputs) {
    inputs_alone.inputs_.push_back(inputs_alone.nodes_.size());
    inputs_alone.nodes_.push_back({layer_of_input(input), {}});
  }
  return between(inputs, outputs, inputs_alone);
}

Graph Graph::between(const Symbols& inputs, const Symbols& outputs, const Graph& like) {
  GLIA_CHECK(inputs.size() > 0 && outputs.size() > 0, ValueError, "a model got ", inputs.size(),
             " inputs and ", outputs.size(), " outputs, expected at least one of each");
  check_twice(inputs, "an input");
  check_twice(outputs, "an output");
  const Search search(inputs, outputs);
  for (const Symbol& input : inputs)
    GLIA_CHECK(search.reads(input), ValueError, "no output depends on the input \"", name_of(input),
               "\": leave it out, or connect it");
  Graph graph;
  std::map<std::pair<Key, int>, Source> places;
  for (const Symbol& input : inputs) {
    const Layer layer = like.nodes_[like.inputs_[graph.nodes_.size()]].layer;
    places[{&input.application(), input.output_index()}] = {graph.nodes_.size()};
    graph.inputs_.push_back(graph.nodes_.size());
    graph.nodes_.push_back({layer, {}});
    graph.layers_.push_back(layer);
  }
  const std::vector<Layer> layers = search.layers();
  graph.layers_.insert(graph.layers_.end(), layers.begin(), layers.end());
  for (const auto& application : search.applications()) {
    Node node{application->layer, {}};
    for (const Symbol& input : application->inputs)
      node.inputs.push_back(places.at({&input.application(), input.output_index()}));
    for (std::size_t i = 0; i < application->outputs.size(); ++i)
      places.try_emplace({application.get(), static_cast<int>(i)}, Source{graph.nodes_.size(), i});
    graph.nodes_.push_back(std::move(node));
  }
  for (const Symbol& output : outputs)
    graph.outputs_.push_back(places.at({&output.application(), output.output_index()}));
  return graph;
}

}  // namespace glia
