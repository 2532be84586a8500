// Where the boxes of a graph stand and how its arrows run: from layer to layer downwards, boxes and arrows apart.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <vector>

#include "host/plots/graph_order.h"  // defines: Sources

namespace glia::plots {

constexpr double arrow_head = 8;  // pixels, straight down to a box's top

struct Extent {
  double width = 0, height = 0;
};

struct Point {
  double x = 0, y = 0;
};

/// From the bottom of a box to the top of another one: points from above to below, joined by straight lines where x
/// stays the same, else by a curve that leaves and arrives vertically. No other box is between two points.
struct Arrow {
  std::size_t from = 0, to = 0;
  std::vector<Point> points = {};
};

struct GraphLayout {
  Extent extent;
  std::vector<Point> corners;  // the upper left one of each box
  std::vector<Arrow> arrows;   // one for each source of each box
};

/// Boxes of these extents. Throws as layered does.
GraphLayout lay_out(const std::vector<Extent>& boxes, const Sources& sources);

}  // namespace glia::plots
