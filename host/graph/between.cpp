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

  /// Applications, the farthest from the outputs first; of those that are as far, the one whose layer was met first.
  std::vector<std::shared_ptr<const Application>> in_order() const {
    std::vector<std::shared_ptr<const Application>> order(behind_first_.rbegin(), behind_first_.rend());
    std::stable_sort(order.begin(), order.end(), [this](const auto& a, const auto& b) {
      const int depth_a = depths_.at(a.get()), depth_b = depths_.at(b.get());
      if (depth_a != depth_b) return depth_a > depth_b;
      return met_.at(&a->layer.node()) < met_.at(&b->layer.node());
    });
    return order;
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
    met_.emplace(&application.layer.node(), met_.size());
    if (!seen_.insert(&application).second) return;
    for (const Symbol& input : application.inputs) visit(input, output);
    behind_first_.push_back(symbol.shared_application());
  }

  void find_depths() {
    std::map<const LayerNode*, int> of_layer;
    for (auto each = behind_first_.rbegin(); each != behind_first_.rend(); ++each) {
      const LayerNode* const layer = &(*each)->layer.node();
      int& depth = depths_[each->get()];
      depth = std::max(depth, of_layer[layer]);
      of_layer[layer] = depth;
      for (const Symbol& input : (*each)->inputs)
        if (seen_.count(&input.application()) != 0) {
          int& below = depths_[&input.application()];
          below = std::max(below, depth + 1);
        }
    }
  }

  const Symbols& inputs_;
  std::set<Key> seen_;
  std::set<std::pair<Key, int>> read_;  // inputs
  std::map<const LayerNode*, std::size_t> met_;
  std::vector<std::shared_ptr<const Application>> behind_first_;  // each behind what it reads
  std::map<Key, int> depths_;
};

void check_twice(const Symbols& symbols, const char* what) {
  for (std::size_t i = 0; i < symbols.size(); ++i)
    for (std::size_t j = 0; j < i; ++j)
      GLIA_CHECK(!(symbols[i] == symbols[j]), ValueError, "\"", name_of(symbols[i]), "\" is ", what,
                 " twice, in the places ", j, " and ", i, ": give it once");
}

}  // namespace

Graph Graph::between(const Symbols& inputs, const Symbols& outputs) {
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
    // What another graph computes is an input like any other here.
    const Layer layer = is_input(input.layer().node()) ? input.layer() : Layer(Input(input.shape()));
    places[{&input.application(), input.output_index()}] = {graph.nodes_.size()};
    graph.inputs_.push_back(graph.nodes_.size());
    graph.nodes_.push_back({layer, {}});
  }
  for (const auto& application : search.in_order()) {
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
