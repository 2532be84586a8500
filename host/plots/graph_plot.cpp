// Boxes measured from the innermost outwards, then drawn: arrows below boxes.
// SPDX-License-Identifier: Apache-2.0
#include "host/plots/graph_plot.h"

#include <glia/error.h>

#include <algorithm>
#include <cmath>

#include "host/plots/graph_layout.h"
#include "host/plots/svg.h"

namespace glia::plots {
namespace {

constexpr double type_size = 13, name_size = 11.5, shape_size = 11;
constexpr double bold = 1.08;   // wider than the plain font
constexpr double padding = 12;  // within a box, left and right
constexpr double first_line = 20, next_line = 17, below_last = 9, below_header = 14;
constexpr double frame_padding = 18;  // around what is inside
constexpr double widest_line = 260;   // of shapes; longer ones are two lines
constexpr double common_width = 320, greatest_width = 440;
constexpr double border = 24;  // around the whole
constexpr const char* arrow_color = "#6f7780";
constexpr const char* arrow_glyph = " \xE2\x86\x92 ";

struct Colors {
  const char *fill, *stroke;
};

/// By what the type's name holds; the first match counts.
Colors colors_of(const std::string& type) {
  constexpr struct {
    Colors colors;
    const char* parts[8];
  } families[] = {
      {{"#f3edf9", "#9467bd"}, {"Normalization"}},
      {{"#e8f5e9", "#43a047"}, {"Pooling", "UpSampling", "Padding", "Cropping"}},
      {{"#fceef5", "#d0679d"}, {"Dropout", "Noise"}},
      {{"#fff1e0", "#ef8a17"}, {"Activation", "Softmax", "LU"}},  // ReLU, PReLU, ELU
      {{"#e6f0fa", "#1f77b4"}, {"Conv", "Dense", "Embedding"}},
      {{"#fdecea", "#d6453d"}, {"Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concat"}},
      {{"#ececec", "#6d6d6d"}, {"Input"}},
  };
  for (const auto& [colors, parts] : families)
    for (const char* part : parts)
      if (part && type.find(part) != std::string::npos) return colors;
  return {"#edf3f4", "#5f8a92"};
}

/// A box, its texts and what is inside, before it has a place.
struct Measured {
  const GraphBox* box;
  std::string name;
  std::vector<std::string> shapes;  // lines
  Extent extent;
  GraphLayout layout;  // of what is inside
  std::vector<Measured> inside;
};

/// Rounded up, so that middle and sides are whole pixels and texts measured just so have room.
double even(double width) { return 2 * std::ceil((width + 1) / 2); }

std::vector<std::string> shape_lines(const GraphBox& box) {
  if (box.input_shapes.empty() && box.output_shapes.empty()) return {};
  if (box.input_shapes.empty()) return {box.output_shapes};
  if (box.output_shapes.empty()) return {box.input_shapes};
  const std::string line = box.input_shapes + arrow_glyph + box.output_shapes;
  if (text_width(line, shape_size) <= widest_line) return {line};
  return {box.input_shapes, std::string(arrow_glyph).substr(1) + box.output_shapes};
}

double header_of(const Measured& measured) {
  return first_line + next_line * static_cast<double>(measured.shapes.size()) +
         (measured.box->inside.empty() ? below_last : below_header);
}

std::vector<Measured> measured(const std::vector<GraphBox>& boxes);

GraphLayout layout_of(const std::vector<Measured>& boxes) {
  std::vector<Extent> extents;
  Sources sources;
  for (const Measured& box : boxes) {
    extents.push_back(box.extent);
    sources.push_back(box.box->from);
  }
  return lay_out(extents, sources);
}

Measured measured(const GraphBox& box) {
  Measured result{&box, box.trainable ? box.name : box.name + " \xC2\xB7 frozen", shape_lines(box), {}, {},
                  {}};
  double width = bold * text_width(box.type, type_size) + padding + text_width(result.name, name_size);
  for (const std::string& line : result.shapes) width = std::max(width, text_width(line, shape_size));
  result.extent = {std::min(even(width + 2 * padding), greatest_width), header_of(result)};
  if (box.inside.empty()) return result;
  result.inside = measured(box.inside);
  result.layout = layout_of(result.inside);
  result.extent.width = std::max(result.extent.width, even(result.layout.extent.width + 2 * frame_padding));
  result.extent.height += result.layout.extent.height + frame_padding;
  return result;
}

/// Plain boxes beside and below each other are equally wide, but for those with long texts.
std::vector<Measured> measured(const std::vector<GraphBox>& boxes) {
  std::vector<Measured> result;
  double common = 0;
  for (const GraphBox& box : boxes) {
    result.push_back(measured(box));
    if (box.inside.empty() && result.back().extent.width <= common_width)
      common = std::max(common, result.back().extent.width);
  }
  for (Measured& box : result)
    if (box.inside.empty()) box.extent.width = std::max(box.extent.width, common);
  return result;
}

void draw_arrow(Svg& svg, const Arrow& arrow, Point origin, const std::vector<Measured>& boxes) {
  std::vector<Point> points = arrow.points;
  for (Point& p : points) p = {p.x + origin.x, p.y + origin.y};
  const Point tip = points.back();
  points.back().y -= arrow_head / 2;  // the head hides the rest
  const auto text = [](double x, double y) { return number(x) + ' ' + number(y); };
  std::string d = 'M' + text(points[0].x, points[0].y);
  for (std::size_t i = 1; i < points.size(); ++i) {
    const auto &a = points[i - 1], &b = points[i];
    const double middle = (a.y + b.y) / 2;
    if (a.x != b.x)
      d += 'C' + text(a.x, middle) + ' ' + text(b.x, middle) + ' ' + text(b.x, b.y);
    else
      d += 'L' + text(b.x, b.y);
  }
  const std::string label = boxes[arrow.from].box->name + " to " + boxes[arrow.to].box->name;
  svg.begin_group({{"class", "arrow"}, {"aria-label", label}});
  svg.add("path", {{"d", d}, {"fill", "none"}, {"stroke", arrow_color}, {"stroke-width", 1.4}});
  const double base = tip.y - arrow_head, half = arrow_head / 2;
  svg.add("path", {{"d", 'M' + text(tip.x, tip.y) + 'L' + text(tip.x - half, base) + 'L' +
                             text(tip.x + half, base) + 'Z'},
                   {"fill", arrow_color}});
  svg.end_group();
}

void draw_texts(Svg& svg, const Measured& measured, Point at) {
  const GraphBox& box = *measured.box;
  const double right = at.x + measured.extent.width - padding, room = measured.extent.width - 2 * padding;
  const std::string type = fitted(box.type, type_size * bold, room);
  const double type_width = bold * text_width(type, type_size);
  svg.text(at.x + padding, at.y + first_line, type, {.size = type_size, .bold = true});
  // A name that leaves no room for itself is in the label alone.
  if (room - type_width - padding > 3 * name_size)
    svg.text(right, at.y + first_line, fitted(measured.name, name_size, room - type_width - padding),
             {.size = name_size, .anchor = Anchor::end, .color = faint_ink});
  double y = at.y + first_line;
  for (const std::string& line : measured.shapes)
    svg.text(at.x + padding, y += next_line, fitted(line, shape_size, room), {.size = shape_size});
}

void draw(Svg& svg, const std::vector<Measured>& boxes, const GraphLayout& layout, Point origin);

void draw(Svg& svg, const Measured& measured, Point at) {
  const GraphBox& box = *measured.box;
  const bool is_frame = !box.inside.empty();
  const Colors colors = is_frame ? Colors{"#fafbfd", "#8592a3"} : colors_of(box.type);
  svg.begin_group({{"class", is_frame ? "frame" : "box"}, {"aria-label", box.name}});
  Attributes outline{{"x", at.x},
                     {"y", at.y},
                     {"width", measured.extent.width},
                     {"height", measured.extent.height},
                     {"rx", is_frame ? 9.0 : 6.0},
                     {"fill", colors.fill},
                     {"stroke", colors.stroke},
                     {"stroke-width", 1.2}};
  if (!box.trainable) outline.emplace_back("stroke-dasharray", "5 3");
  svg.add("rect", outline);
  draw_texts(svg, measured, at);
  if (is_frame)
    draw(svg, measured.inside, measured.layout,
         {at.x + (measured.extent.width - measured.layout.extent.width) / 2, at.y + header_of(measured)});
  svg.end_group();
}

void draw(Svg& svg, const std::vector<Measured>& boxes, const GraphLayout& layout, Point origin) {
  for (const Arrow& arrow : layout.arrows) draw_arrow(svg, arrow, origin, boxes);
  for (std::size_t i = 0; i < boxes.size(); ++i)
    draw(svg, boxes[i], {origin.x + layout.corners[i].x, origin.y + layout.corners[i].y});
}

}  // namespace

void plot_graph(const std::vector<GraphBox>& boxes, const std::string& title, const std::string& path) {
  GLIA_CHECK(!boxes.empty(), ValueError, "plot_model got a model without layers, expected one or more");
  const std::vector<Measured> all = measured(boxes);
  const GraphLayout layout = layout_of(all);
  const double header = title.empty() ? 0 : 32;
  const double width = std::max(layout.extent.width, 260.0) + 2 * border;
  Svg svg(width, layout.extent.height + header + 2 * border, title.empty() ? "Model" : title);
  svg.text(width / 2, border + 10, fitted(title, 17, width - 2 * border),
           {.size = 17, .anchor = Anchor::middle, .bold = true});
  draw(svg, all, layout, {(width - layout.extent.width) / 2, border + header});
  svg.save(path);
}

}  // namespace glia::plots
