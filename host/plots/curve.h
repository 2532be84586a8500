// The part of a series that can be seen: as the path of an SVG, and as the places of its markers.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/plots.h>

#include <string>
#include <vector>

#include "host/plots/axis.h"

namespace glia::plots {

struct Point {
  double x, y;
};

/// Whether a number has a place in a drawing.
bool is_drawable(double value);

/// In a square from (0, 0), at the least x and y of the axes, to (1, 1).
struct Curve {
  std::vector<std::vector<Point>> lines = {};  // each of two or more points, cut off at the square
  std::vector<Point> points = {};              // those within the square
  std::vector<Point> lone_points = {};         // of these, those between two gaps
};

Curve curve_of(const Series& series, const Axis& x, const Axis& y);

}  // namespace glia::plots
