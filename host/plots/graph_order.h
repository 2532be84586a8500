// A graph in layers: each box below those it reads, in an order along the layer that crosses few arrows (Sugiyama et al. 1981).
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <vector>

namespace glia::plots {

/// For each box those it reads, by their indices; one that it reads twice stands there twice.
using Sources = std::vector<std::vector<std::size_t>>;

/// What has a place in a layer: a box, or a point where arrows from a box pass the layer on their way to a later one.
/// All arrows from a box share its points.
struct Place {
  std::size_t box = 0;  // its own, or the one the arrows come from
  bool is_point = false;
  std::size_t layer = 0;
  std::vector<std::size_t> above =
      {};  // of a box: one for each of its sources, in their order; of a point: one
  std::vector<std::size_t> below = {};  // each once
};

struct LayeredGraph {
  std::vector<Place> places;                     // the boxes by their indices, then the points
  std::vector<std::vector<std::size_t>> layers;  // places, from left to right

  /// Of each place its number within its layer.
  std::vector<std::size_t> ranks() const;
};

/// A box's layer is the length of the longest way to it. Throws ValueError for an index that is out of range and for
/// a box that reads what is made of it.
LayeredGraph layered(const Sources& sources);

/// Pairs of arrows that cross between two layers.
std::size_t crossings(const LayeredGraph& graph);

}  // namespace glia::plots
