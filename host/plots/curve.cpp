// Cuts lines off at the borders of a coordinate system: coordinates far outside of it trouble viewers.
// SPDX-License-Identifier: Apache-2.0
#include "host/plots/curve.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <optional>

namespace glia::plots {
namespace {

constexpr double slack = 1e-9;  // for points that are meant to lie on the border

bool is_inside(const Point& p) {
  return p.x >= -slack && p.x <= 1 + slack && p.y >= -slack && p.y <= 1 + slack;
}

struct Segment {
  Point from, to;
};

/// What lies in the unit square (Liang and Barsky 1984), if anything does.
std::optional<Segment> clipped(const Point& from, const Point& to) {
  const double dx = to.x - from.x, dy = to.y - from.y;
  double first = 0, last = 1;  // shares of the way that are still inside
  const double steps[] = {-dx, dx, -dy, dy};
  const double rooms[] = {from.x + slack, 1 + slack - from.x, from.y + slack, 1 + slack - from.y};
  for (int side = 0; side < 4; ++side) {
    if (steps[side] == 0) {
      if (rooms[side] < 0) return std::nullopt;
      continue;
    }
    const double share = rooms[side] / steps[side];
    if (steps[side] < 0)
      first = std::max(first, share);
    else
      last = std::min(last, share);
  }
  if (first > last) return std::nullopt;
  const auto at = [&](double share) { return Point{from.x + share * dx, from.y + share * dy}; };
  return Segment{first == 0 ? from : at(first), last == 1 ? to : at(last)};
}

bool same(const Point& a, const Point& b) { return a.x == b.x && a.y == b.y; }

void join(std::vector<std::vector<Point>>& lines, const Segment& segment) {
  if (lines.empty() || !same(lines.back().back(), segment.from)) lines.push_back({segment.from});
  lines.back().push_back(segment.to);
}

}  // namespace

bool is_drawable(double value) { return std::abs(value) <= 1e300; }

Curve curve_of(const Series& series, const Axis& x_axis, const Axis& y_axis) {
  Curve curve;
  std::optional<Point> previous;
  bool is_joined = false;  // whether a line led to `previous`
  const auto end_run = [&] {
    if (previous && !is_joined && is_inside(*previous)) curve.lone_points.push_back(*previous);
    previous.reset();
    is_joined = false;
  };
  for (std::size_t i = 0; i < series.y.size(); ++i) {
    const double x = series.x.empty() ? static_cast<double>(i) : series.x[i];
    if (!is_drawable(x) || !is_drawable(series.y[i])) {
      end_run();
      continue;
    }
    const Point point{x_axis.share(x), y_axis.share(series.y[i])};
    if (is_inside(point)) curve.points.push_back(point);
    if (previous)
      if (const auto segment = clipped(*previous, point)) join(curve.lines, *segment);
    is_joined = previous.has_value();
    previous = point;
  }
  end_run();
  return curve;
}

}  // namespace glia::plots
