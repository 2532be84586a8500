// Layers one below the other; arrows pass a layer straight down and bend between layers.
// SPDX-License-Identifier: Apache-2.0
#include "host/plots/graph_layout.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <numeric>

#include "host/plots/graph_columns.h"

namespace glia::plots {
namespace {

constexpr double port_gap = 20;    // between arrows at one edge of a box
constexpr double corner = 12;      // no arrow this near to a box's corner
constexpr double least_bend = 22;  // height of the room where arrows bend
constexpr double greatest_bend = 72;

/// Where arrows meet the edge of a box, relative to its middle: in the order of their other ends, and one that comes
/// straight from above or below in the middle.
std::vector<double> ports(const std::vector<double>& ends, double middle, double width) {
  std::vector<std::size_t> order(ends.size());
  std::iota(order.begin(), order.end(), 0u);
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return ends[a] < ends[b]; });
  const auto nearest = std::min_element(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return std::abs(ends[a] - middle) < std::abs(ends[b] - middle);
  });
  const double last = static_cast<double>(ends.size()) - 1;
  double straight = last / 2;
  if (nearest != order.end() && std::abs(ends[*nearest] - middle) < port_gap / 2)
    straight = static_cast<double>(std::distance(order.begin(), nearest));
  const double most = std::max(straight, last - straight);
  const double step = most > 0 ? std::min(port_gap, std::max(width / 2 - corner, 0.0) / most) : 0;
  std::vector<double> result(ends.size());
  for (std::size_t i = 0; i < order.size(); ++i)
    result[order[i]] = (static_cast<double>(i) - straight) * step;
  return result;
}

class Layout {
 public:
  Layout(const std::vector<Extent>& boxes, const Sources& sources) : graph_(layered(sources)), boxes_(boxes) {
    place_columns();
    place_ports();
    place_layers();
  }

  GraphLayout result() const {
    GraphLayout layout{extent_, {}, {}};
    for (std::size_t box = 0; box < boxes_.size(); ++box)
      layout.corners.push_back({x_[box] - boxes_[box].width / 2, top_of(box)});
    for (std::size_t box = 0; box < boxes_.size(); ++box)
      for (std::size_t i = 0; i < place(box).above.size(); ++i) layout.arrows.push_back(arrow(box, i));
    return layout;
  }

 private:
  struct Layer {
    double top, height;
  };

  const Place& place(std::size_t i) const { return graph_.places[i]; }
  double width_of(std::size_t i) const { return place(i).is_point ? 0 : boxes_[i].width; }
  const Layer& layer_of(std::size_t i) const { return layers_[place(i).layer]; }
  /// Boxes stand in the middle of their layer's height.
  double top_of(std::size_t box) const {
    return layer_of(box).top + (layer_of(box).height - boxes_[box].height) / 2;
  }

  void place_columns() {
    std::vector<double> widths;
    for (std::size_t i = 0; i < graph_.places.size(); ++i) widths.push_back(width_of(i));
    x_ = columns_of(graph_, widths);
    double left = std::numeric_limits<double>::infinity();
    for (std::size_t i = 0; i < x_.size(); ++i) left = std::min(left, x_[i] - widths[i] / 2);
    for (std::size_t i = 0; i < x_.size(); ++i) {
      x_[i] = std::round(x_[i] - left);
      extent_.width = std::max(extent_.width, x_[i] + widths[i] / 2);
    }
  }

  void place_ports() {
    inward_.resize(x_.size()), outward_.resize(x_.size());
    const auto at = [this](const std::vector<std::size_t>& others, std::size_t i) {
      std::vector<double> ends;
      for (std::size_t other : others) ends.push_back(x_[other]);
      return ports(ends, x_[i], width_of(i));
    };
    for (std::size_t i = 0; i < x_.size(); ++i) {
      inward_[i] = at(place(i).above, i);
      outward_[i] = at(place(i).below, i);
      if (place(i).is_point) std::fill(outward_[i].begin(), outward_[i].end(), 0);
    }
  }

  double inward_x(std::size_t i, std::size_t source) const { return x_[i] + inward_[i][source]; }
  double outward_x(std::size_t i, std::size_t lower) const {
    const auto& below = place(i).below;
    const auto found = std::find(below.begin(), below.end(), lower);
    return x_[i] + outward_[i][static_cast<std::size_t>(found - below.begin())];
  }

  void place_layers() {
    double y = 0;
    for (std::size_t l = 0; l < graph_.layers.size(); ++l) {
      Layer layer{0, 0};
      double widest = 0;  // of the bends above
      for (std::size_t i : graph_.layers[l]) {
        if (!place(i).is_point) layer.height = std::max(layer.height, boxes_[i].height);
        for (std::size_t s = 0; s < place(i).above.size(); ++s)
          widest = std::max(widest, std::abs(outward_x(place(i).above[s], i) - inward_x(i, s)));
      }
      if (l > 0) y += std::min(least_bend + std::round(0.1 * widest), greatest_bend) + arrow_head;
      layer.top = y;
      layers_.push_back(layer);
      y += layer.height;
    }
    extent_.height = y;
  }

  /// The arrow into a box from its source number `s`, found upwards.
  Arrow arrow(std::size_t box, std::size_t s) const {
    std::vector<Point> upwards;
    const auto enter = [&](double x, const Layer& layer) {
      upwards.push_back({x, layer.top});
      upwards.push_back({x, layer.top - arrow_head});
    };
    upwards.push_back({inward_x(box, s), top_of(box)});
    enter(inward_x(box, s), layer_of(box));
    std::size_t lower = box, upper = place(box).above[s];
    while (place(upper).is_point) {
      upwards.push_back({x_[upper], layer_of(upper).top + layer_of(upper).height});
      enter(x_[upper], layer_of(upper));
      lower = upper, upper = place(upper).above[0];
    }
    const double x = outward_x(upper, lower);
    upwards.push_back({x, layer_of(upper).top + layer_of(upper).height});
    upwards.push_back({x, top_of(upper) + boxes_[upper].height});
    return {upper, box, without_between(upwards)};
  }

  /// Downwards, of points on a vertical line only the ends.
  static std::vector<Point> without_between(const std::vector<Point>& upwards) {
    std::vector<Point> points;
    for (auto p = upwards.rbegin(); p != upwards.rend(); ++p) {
      const std::size_t n = points.size();
      if (n >= 2 && points[n - 1].x == p->x && points[n - 2].x == p->x)
        points.back() = *p;
      else
        points.push_back(*p);
    }
    return points;
  }

  LayeredGraph graph_;
  const std::vector<Extent>& boxes_;
  Extent extent_;
  std::vector<double> x_;                              // of each place, its middle
  std::vector<std::vector<double>> inward_, outward_;  // of each place, as `above` and `below`
  std::vector<Layer> layers_;
};

}  // namespace

GraphLayout lay_out(const std::vector<Extent>& boxes, const Sources& sources) {
  return Layout(boxes, sources).result();
}

}  // namespace glia::plots
