// Draws a coordinate system: grid, axes, legend, lines.
// SPDX-License-Identifier: Apache-2.0
#include "host/plots/panel.h"

#include <algorithm>
#include <cstddef>

#include "host/plots/curve.h"

namespace glia::plots {
namespace {

constexpr const char* palette[] = {"#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd",
                                   "#8c564b", "#e377c2", "#7f7f7f", "#bcbd22", "#17becf"};
constexpr double title_size = 14, label_size = 12, tick_size = 11;
constexpr double swatch = 22, swatch_gap = 6, entry_gap = 18, legend_row = 18;
constexpr double marker_radius = 2.8;
constexpr double line_width = 1.8;
constexpr double y_label_width = 20;

bool is_color(const std::string& text) {
  const auto all = [&](std::size_t first, const char* letters) {
    return text.find_first_not_of(letters, first) == std::string::npos;
  };
  if (text[0] == '#') return (text.size() == 4 || text.size() == 7) && all(1, "0123456789abcdefABCDEF");
  return text.size() <= 32 && all(0, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
}

void check_series(const Series& series) {
  GLIA_CHECK(series.x.empty() || series.x.size() == series.y.size(), ShapeError, "plot_lines got ",
             series.x.size(), " x and ", series.y.size(), " y in the series \"", series.name,
             "\", expected as many, or no x for 0, 1, 2, ...");
  GLIA_CHECK(series.color.empty() || is_color(series.color), ValueError, "plot_lines got the colour \"",
             series.color, "\" for the series \"", series.name,
             "\", expected \"#rgb\", \"#rrggbb\" or a name such as \"gray\"");
}

void check_interval(const std::optional<Interval>& range, const char* name) {
  if (!range) return;
  const auto [min, max] = *range;
  const double size = std::max({std::abs(min), std::abs(max), 1e-290});
  GLIA_CHECK(is_drawable(min) && is_drawable(max) && max - min >= 1e-12 * size, ValueError, "plot_lines got ",
             name, " from ", min, " to ", max, ", expected two finite numbers, min < max");
}

struct Extent {
  double least = 1, greatest = 0;
  void add(double value) {
    least = least > greatest ? value : std::min(least, value);
    greatest = least > greatest ? value : std::max(greatest, value);
  }
};

}  // namespace

PanelDrawing::PanelDrawing(const Panel& panel, double width, double height) : panel_(panel) {
  const Axes& axes = panel.axes;
  GLIA_CHECK(!panel.series.empty(), ValueError, "plot_lines got no series, expected one or more");
  check_interval(axes.x_range, "x_range");
  check_interval(axes.y_range, "y_range");
  Extent xs, ys;
  for (const Series& series : panel.series) {
    check_series(series);
    for (std::size_t i = 0; i < series.y.size(); ++i) {
      const double x = series.x.empty() ? static_cast<double>(i) : series.x[i];
      if (!is_drawable(x) || !is_drawable(series.y[i])) continue;
      xs.add(x);
      if (!axes.x_range || (x >= axes.x_range->min && x <= axes.x_range->max)) ys.add(series.y[i]);
    }
  }
  const auto axis = [](const std::optional<Interval>& range, const Extent& extent, int wanted, Ticks kind) {
    return range ? axis_between(range->min, range->max, wanted, kind)
                 : axis_around(extent.least, extent.greatest, wanted, kind);
  };
  x_ = axis(axes.x_range, xs, std::max(2, static_cast<int>(width / (axes.integer_x ? 30 : 60))),
            axes.integer_x ? Ticks::integer : Ticks::real);
  y_ = axis(axes.y_range, ys, std::max(2, static_cast<int>(height / 40)), Ticks::real);
}

std::string PanelDrawing::color_of(const Series& series) const {
  if (!series.color.empty()) return series.color;
  return palette[static_cast<std::size_t>(&series - panel_.series.data()) % std::size(palette)];
}

/// Names from left to right, in as many rows as they need.
std::vector<PanelDrawing::LegendEntry> PanelDrawing::legend(double width) const {
  std::vector<LegendEntry> entries;
  double x = 0;
  int row = 0;
  for (const Series& series : panel_.series) {
    if (series.name.empty()) continue;
    const double entry = swatch + swatch_gap + text_width(series.name, label_size);
    if (x > 0 && x + entry > width) {
      x = 0;
      ++row;
    }
    entries.push_back({&series, x, row});
    x += entry + entry_gap;
  }
  return entries;
}

void PanelDrawing::widen(Margins& margins, double width) const {
  double ticks = 0;
  for (const std::string& label : y_.labels) ticks = std::max(ticks, text_width(label, tick_size));
  margins.left = std::max(margins.left, 14 + ticks + (panel_.axes.y_label.empty() ? 0 : y_label_width));
  const auto entries = legend(width - margins.left - margins.right);
  const double title = panel_.axes.title.empty() ? 12 : 32;
  const double rows = entries.empty() ? 0 : 4 + legend_row * (entries.back().row + 1);
  margins.top = std::max(margins.top, title + rows);
  margins.bottom = std::max(margins.bottom, panel_.axes.x_label.empty() ? 30.0 : 48.0);
}

void PanelDrawing::draw(Svg& svg, const Box& outer, const Margins& margins) const {
  const Box box{outer.x + margins.left, outer.y + margins.top, outer.width - margins.left - margins.right,
                outer.height - margins.top - margins.bottom};
  svg.begin_group({{"class", "panel"}});
  draw_axes(svg, box);
  draw_labels(svg, outer, box);
  draw_legend(svg, box);
  for (const Guide& guide : panel_.axes.guides) draw_guide(svg, box, guide);
  for (const Series& series : panel_.series) draw_series(svg, box, series);
  svg.end_group();
}

void PanelDrawing::draw_axes(Svg& svg, const Box& box) const {
  const double bottom = box.y + box.height, right = box.x + box.width;
  const auto line = [&](double x1, double y1, double x2, double y2, const char* color) {
    svg.add("line", {{"x1", x1}, {"y1", y1}, {"x2", x2}, {"y2", y2}, {"stroke", color}});
  };
  svg.begin_group({{"class", "grid"}});
  for (double tick : x_.ticks) {
    const double x = box.x + box.width * x_.share(tick);
    line(x, box.y, x, bottom, tick == 0 && x_.min < 0 ? "#b5b5b5" : grid_color);
  }
  for (double tick : y_.ticks) {
    const double y = bottom - box.height * y_.share(tick);
    line(box.x, y, right, y, tick == 0 && y_.min < 0 ? "#b5b5b5" : grid_color);
  }
  svg.end_group();
  svg.begin_group({{"class", "axes"}});
  line(box.x, bottom, right, bottom, axis_color);
  line(box.x, box.y, box.x, bottom, axis_color);
  for (std::size_t i = 0; i < x_.ticks.size(); ++i) {
    const double x = box.x + box.width * x_.share(x_.ticks[i]);
    line(x, bottom, x, bottom + 4, axis_color);
    svg.text(x, bottom + 17, x_.labels[i], {.size = tick_size, .anchor = Anchor::middle});
  }
  for (std::size_t i = 0; i < y_.ticks.size(); ++i) {
    const double y = bottom - box.height * y_.share(y_.ticks[i]);
    line(box.x - 4, y, box.x, y, axis_color);
    svg.text(box.x - 8, y + 4, y_.labels[i], {.size = tick_size, .anchor = Anchor::end});
  }
  svg.end_group();
}

void PanelDrawing::draw_labels(Svg& svg, const Box& outer, const Box& box) const {
  const Axes& axes = panel_.axes;
  svg.text(box.x, outer.y + 22, fitted(axes.title, title_size, box.width),
           {.size = title_size, .bold = true});
  svg.text(box.x + box.width / 2, outer.y + outer.height - 10, fitted(axes.x_label, label_size, box.width),
           {.size = label_size, .anchor = Anchor::middle});
  svg.text(outer.x + 15, box.y + box.height / 2, fitted(axes.y_label, label_size, box.height),
           {.size = label_size, .anchor = Anchor::middle, .angle = -90});
}

void PanelDrawing::draw_legend(Svg& svg, const Box& box) const {
  const auto entries = legend(box.width);
  if (entries.empty()) return;
  svg.begin_group({{"class", "legend"}});
  for (const auto& [series, x, row] : entries) {
    const double left = box.x + x;
    const double y = box.y - 12 - legend_row * (entries.back().row - row);
    const std::string color = color_of(*series);
    if (series->line != LineStyle::none) {
      Attributes attributes{{"x1", left}, {"y1", y},         {"x2", left + swatch},
                            {"y2", y},    {"stroke", color}, {"stroke-width", line_width}};
      if (series->line == LineStyle::dashed) attributes.emplace_back("stroke-dasharray", "6 4");
      svg.add("line", attributes);
    }
    if (series->markers || series->line == LineStyle::none)
      svg.add("circle", {{"cx", left + swatch / 2}, {"cy", y}, {"r", marker_radius}, {"fill", color}});
    const double room = box.width - x - swatch - swatch_gap;
    svg.text(left + swatch + swatch_gap, y + 4, fitted(series->name, label_size, room), {.size = label_size});
  }
  svg.end_group();
}

void PanelDrawing::draw_series(Svg& svg, const Box& box, const Series& series) const {
  const std::string color = color_of(series);
  const auto x_of = [&](const Point& p) { return box.x + box.width * p.x; };
  const auto y_of = [&](const Point& p) { return box.y + box.height * (1 - p.y); };
  const Curve curve = curve_of(series, x_, y_);
  svg.begin_group({{"class", "series"}, {"aria-label", series.name}});
  if (series.line != LineStyle::none && !curve.lines.empty()) {
    std::string path;
    for (const std::vector<Point>& line : curve.lines)
      for (const Point& p : line)
        path += (&p == line.data() ? 'M' : 'L') + number(x_of(p)) + ' ' + number(y_of(p));
    Attributes attributes{{"d", path},
                          {"fill", "none"},
                          {"stroke", color},
                          {"stroke-width", line_width},
                          {"stroke-linejoin", "round"}};
    if (series.line == LineStyle::dashed) attributes.emplace_back("stroke-dasharray", "6 4");
    svg.add("path", attributes);
  }
  const bool all = series.markers || series.line == LineStyle::none;
  for (const Point& p : all ? curve.points : curve.lone_points)
    svg.add("circle", {{"cx", x_of(p)}, {"cy", y_of(p)}, {"r", marker_radius}, {"fill", color}});
  svg.end_group();
}

void PanelDrawing::draw_guide(Svg& svg, const Box& box, const Guide& guide) const {
  const double share = is_drawable(guide.x) ? x_.share(guide.x) : -1;
  if (share < 0 || share > 1) return;
  const double x = box.x + box.width * share;
  svg.begin_group({{"class", "guide"}});
  svg.add("line", {{"x1", x},
                   {"y1", box.y},
                   {"x2", x},
                   {"y2", box.y + box.height},
                   {"stroke", faint_ink},
                   {"stroke-dasharray", "3 3"}});
  const bool fits_right = x + 5 + text_width(guide.label, tick_size) <= box.x + box.width;
  svg.text(fits_right ? x + 5 : x - 5, box.y + 11, guide.label,
           {.size = tick_size, .anchor = fits_right ? Anchor::start : Anchor::end, .color = faint_ink});
  svg.end_group();
}

}  // namespace glia::plots
