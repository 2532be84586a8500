// Layers by longest ways, and orders along them by barycentres and exchanges of neighbours.
// SPDX-License-Identifier: Apache-2.0
#include "host/plots/graph_order.h"

#include <glia/error.h>

#include <algorithm>
#include <map>
#include <utility>

namespace glia::plots {
namespace {

constexpr int sweeps = 24;
constexpr int most_rounds = 8;  // of exchanges; few are ever needed

/// Of each box its layer.
std::vector<std::size_t> layers_of(const Sources& sources) {
  const std::size_t n = sources.size();
  std::vector<std::vector<std::size_t>> readers(n);
  std::vector<std::size_t> missing(n), layer(n), ready;
  for (std::size_t box = 0; box < n; ++box) {
    missing[box] = sources[box].size();
    if (missing[box] == 0) ready.push_back(box);
    for (std::size_t source : sources[box]) {
      GLIA_CHECK(source < n, ValueError, "plot_model got a box that reads box ", source, " of ", n);
      readers[source].push_back(box);
    }
  }
  for (std::size_t i = 0; i < ready.size(); ++i)
    for (std::size_t reader : readers[ready[i]]) {
      layer[reader] = std::max(layer[reader], layer[ready[i]] + 1);
      if (--missing[reader] == 0) ready.push_back(reader);
    }
  GLIA_CHECK(ready.size() == n, ValueError, "plot_model got boxes that read what is made of them");
  return layer;
}

/// Places and what joins them; in each layer the boxes first, then the points, those that lead far behind the others.
LayeredGraph joined(const Sources& sources) {
  const std::vector<std::size_t> layer_of = layers_of(sources);
  LayeredGraph graph;
  for (std::size_t box = 0; box < sources.size(); ++box) {
    graph.places.push_back({.box = box, .layer = layer_of[box]});
    graph.layers.resize(std::max(graph.layers.size(), layer_of[box] + 1));
    graph.layers[layer_of[box]].push_back(box);
  }
  const auto join = [&](std::size_t upper, std::size_t lower) {
    graph.places[lower].above.push_back(upper);
    auto& below = graph.places[upper].below;
    if (std::find(below.begin(), below.end(), lower) == below.end()) below.push_back(lower);
  };
  std::map<std::pair<std::size_t, std::size_t>, std::size_t> points;  // (box, layer) -> place
  const std::vector<std::vector<std::size_t>> boxes = graph.layers;
  for (const auto& layer : boxes)
    for (std::size_t box : layer)
      for (std::size_t source : sources[box]) {
        std::size_t upper = source;
        for (std::size_t l = layer_of[source] + 1; l < layer_of[box]; ++l) {
          const auto [point, is_new] = points.try_emplace({source, l}, graph.places.size());
          if (is_new) {
            graph.places.push_back({.box = source, .is_point = true, .layer = l});
            graph.layers[l].push_back(point->second);
            join(upper, point->second);
          }
          upper = point->second;
        }
        join(upper, box);
      }
  return graph;
}

using Neighbours = std::vector<std::size_t> Place::*;

/// Sorts a layer by the means of its places' neighbours; what has none stays about where it is.
void sort_by_barycentres(LayeredGraph& graph, std::size_t layer, Neighbours neighbours) {
  const std::vector<std::size_t> rank = graph.ranks();
  std::vector<std::pair<double, std::size_t>> keyed;
  for (std::size_t place : graph.layers[layer]) {
    const auto& others = graph.places[place].*neighbours;
    double sum = others.empty() ? static_cast<double>(rank[place]) : 0;
    for (std::size_t other : others) sum += static_cast<double>(rank[other]);
    keyed.emplace_back(sum / static_cast<double>(std::max<std::size_t>(others.size(), 1)), place);
  }
  std::stable_sort(keyed.begin(), keyed.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  for (std::size_t i = 0; i < keyed.size(); ++i) graph.layers[layer][i] = keyed[i].second;
}

/// How many more arrows cross while `left` is left of `right` than the other way round.
long excess(const LayeredGraph& graph, const std::vector<std::size_t>& rank, std::size_t left,
            std::size_t right) {
  long sum = 0;
  for (Neighbours neighbours : {&Place::above, &Place::below})
    for (std::size_t a : graph.places[left].*neighbours)
      for (std::size_t b : graph.places[right].*neighbours) sum += (rank[a] > rank[b]) - (rank[a] < rank[b]);
  return sum;
}

void exchange_neighbours(LayeredGraph& graph) {
  std::vector<std::size_t> rank = graph.ranks();
  bool has_changed = true;
  for (int round = 0; has_changed && round < most_rounds; ++round) {
    has_changed = false;
    for (auto& layer : graph.layers)
      for (std::size_t i = 1; i < layer.size(); ++i)
        if (excess(graph, rank, layer[i - 1], layer[i]) > 0) {
          std::swap(layer[i - 1], layer[i]);
          std::swap(rank[layer[i - 1]], rank[layer[i]]);
          has_changed = true;
        }
  }
}

}  // namespace

std::vector<std::size_t> LayeredGraph::ranks() const {
  std::vector<std::size_t> rank(places.size());
  for (const auto& layer : layers)
    for (std::size_t i = 0; i < layer.size(); ++i) rank[layer[i]] = i;
  return rank;
}

std::size_t crossings(const LayeredGraph& graph) {
  const std::vector<std::size_t> rank = graph.ranks();
  std::size_t count = 0;
  for (std::size_t l = 1; l < graph.layers.size(); ++l) {
    // Arrows from left to right by their lower ends: each crosses those before it whose upper end is further right,
    // which a binary indexed tree counts.
    std::vector<std::size_t> tree(graph.layers[l - 1].size() + 1);
    std::size_t before = 0;
    for (std::size_t place : graph.layers[l]) {
      const auto& above = graph.places[place].above;
      for (std::size_t upper : above) {
        count += before;
        for (std::size_t i = rank[upper] + 1; i > 0; i &= i - 1) count -= tree[i];
      }
      for (std::size_t upper : above)
        for (std::size_t i = rank[upper] + 1; i < tree.size(); i += i & (~i + 1)) ++tree[i];
      before += above.size();
    }
  }
  return count;
}

LayeredGraph layered(const Sources& sources) {
  LayeredGraph graph = joined(sources);
  auto best = graph.layers;
  std::size_t fewest = crossings(graph);
  for (int sweep = 0; sweep < sweeps && fewest > 0; ++sweep) {
    for (std::size_t l = 1; l < graph.layers.size(); ++l) {
      if (sweep % 2 == 0)
        sort_by_barycentres(graph, l, &Place::above);
      else
        sort_by_barycentres(graph, graph.layers.size() - 1 - l, &Place::below);
    }
    exchange_neighbours(graph);
    if (const std::size_t now = crossings(graph); now < fewest) {
      fewest = now;
      best = graph.layers;
    }
  }
  graph.layers = best;
  return graph;
}

}  // namespace glia::plots
