// plot_confusion_matrix: a square of shaded cells, each with its count.
// SPDX-License-Identifier: Apache-2.0
#include <glia/plots.h>

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "host/base/number_text.h"
#include "host/plots/svg.h"
#include "host/tensor/elements.h"

namespace glia {
namespace {

using plots::Anchor;
using plots::text_width;

constexpr double name_size = 12, longest_name = 140, border = 16, key_width = 14;

struct Counts {
  std::size_t classes = 0;
  std::vector<std::int64_t> values = {};  // row-major, the true class first
  std::vector<double> row_sums = {};

  std::int64_t at(std::size_t row, std::size_t column) const { return values[row * classes + column]; }
  double share(std::size_t row, std::size_t column) const {
    return row_sums[row] > 0 ? static_cast<double>(at(row, column)) / row_sums[row] : 0;
  }
};

Counts counts_of(const TensorView& matrix) {
  const Shape& shape = matrix.shape();
  GLIA_CHECK(shape.rank() == 2 && shape[0] == shape[1] && shape[0] > 0, ShapeError,
             "plot_confusion_matrix got the shape ", shape,
             ", expected (classes, classes): what Sequential::confusion_matrix returns");
  detail::expect_cpu(matrix, "plot_confusion_matrix");
  Counts counts{static_cast<std::size_t>(shape[0])};
  counts.row_sums.resize(counts.classes);
  detail::for_each_element(matrix, [&](std::int64_t i, double value) {
    GLIA_CHECK(value >= 0 && value <= 1e15 && value == std::floor(value), ValueError,
               "plot_confusion_matrix got ", value, " in row ", i / shape[0], ", column ", i % shape[0],
               ", expected a count: a whole number from 0");
    counts.values.push_back(static_cast<std::int64_t>(value));
    counts.row_sums[static_cast<std::size_t>(i / shape[0])] += value;
  });
  return counts;
}

std::vector<std::string> names_of(const ConfusionOptions& options, std::size_t classes) {
  std::vector<std::string> names = options.class_names;
  GLIA_CHECK(names.empty() || names.size() == classes, ValueError, "plot_confusion_matrix got ", names.size(),
             " class_names, expected ", classes, ", one for each row of the matrix, or none");
  for (std::size_t i = names.size(); i < classes; ++i) names.push_back(std::to_string(i));
  for (std::string& name : names) name = plots::fitted(name, name_size, longest_name);
  return names;
}

/// From white to a dark blue.
std::string shade_of(double share) {
  constexpr int white[] = {247, 251, 255}, blue[] = {8, 64, 129};
  std::string color = "#";
  for (int i = 0; i < 3; ++i) {
    const int part = static_cast<int>(std::lround(white[i] + share * (blue[i] - white[i])));
    for (int digit : {part / 16, part % 16}) color += "0123456789abcdef"[digit];
  }
  return color;
}

struct Layout {
  double cell = 0, count_size = 0;
  double left = 0, top = 0, side = 0;  // of the square of cells
  double names_below = 0;              // height of the class names under it
  bool are_names_turned = false;
};

Layout layout_of(const Counts& counts, const std::vector<std::string>& names, bool has_title) {
  Layout layout;
  const auto n = static_cast<double>(counts.classes);
  layout.cell = std::clamp(640 / n, 26.0, 48.0);
  const std::int64_t greatest = *std::max_element(counts.values.begin(), counts.values.end());
  const double digits = text_width(detail::grouped(greatest), 1);
  layout.count_size = std::clamp(0.82 * layout.cell / digits, 5.0, 13.0);
  layout.side = n * layout.cell;
  double widest = 0;
  for (const std::string& name : names) widest = std::max(widest, text_width(name, name_size));
  layout.are_names_turned = widest > layout.cell - 4;
  layout.names_below = layout.are_names_turned ? 0.71 * (widest + name_size) + 4 : name_size + 8;
  // Names turned by 45 degrees reach to the left of their column.
  const double turned = layout.are_names_turned ? 0.71 * widest - layout.cell / 2 + 4 : 0;
  layout.left = std::max(border + 24 + widest + 8, turned);
  layout.top = has_title ? 48 : border;
  return layout;
}

void draw_cells(plots::Svg& svg, const Counts& counts, const Layout& layout) {
  for (std::size_t row = 0; row < counts.classes; ++row) {
    for (std::size_t column = 0; column < counts.classes; ++column) {
      const double x = layout.left + layout.cell * static_cast<double>(column);
      const double y = layout.top + layout.cell * static_cast<double>(row);
      const double share = counts.share(row, column);
      const std::int64_t count = counts.at(row, column);
      svg.begin_group({{"class", "cell"}});
      svg.add("rect", {{"x", x},
                       {"y", y},
                       {"width", layout.cell},
                       {"height", layout.cell},
                       {"fill", shade_of(share)},
                       {"stroke", "#ffffff"}});
      svg.text(x + layout.cell / 2, y + layout.cell / 2 + 0.35 * layout.count_size, detail::grouped(count),
               {.size = layout.count_size,
                .anchor = Anchor::middle,
                .color = share > 0.45 ? "#ffffff"
                         : count == 0 ? "#a8a8a8"
                                      : plots::ink,
                .bold = row == column});
      svg.end_group();
    }
  }
  svg.add("rect", {{"x", layout.left},
                   {"y", layout.top},
                   {"width", layout.side},
                   {"height", layout.side},
                   {"fill", "none"},
                   {"stroke", plots::axis_color}});
}

void draw_names(plots::Svg& svg, const std::vector<std::string>& names, const Layout& layout) {
  const double bottom = layout.top + layout.side;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const double middle = layout.cell * (static_cast<double>(i) + 0.5);
    svg.text(layout.left - 8, layout.top + middle + 4, names[i], {.size = name_size, .anchor = Anchor::end});
    if (layout.are_names_turned)
      svg.text(layout.left + middle + 4, bottom + 14, names[i],
               {.size = name_size, .anchor = Anchor::end, .angle = -45});
    else
      svg.text(layout.left + middle, bottom + 17, names[i], {.size = name_size, .anchor = Anchor::middle});
  }
  svg.text(layout.left + layout.side / 2, bottom + layout.names_below + 22, "predicted",
           {.size = 13, .anchor = Anchor::middle, .bold = true});
  svg.text(border + 10, layout.top + layout.side / 2, "actual",
           {.size = 13, .anchor = Anchor::middle, .bold = true, .angle = -90});
}

/// What the shades mean.
void draw_key(plots::Svg& svg, const Layout& layout) {
  constexpr int steps = 50;
  const double x = layout.left + layout.side + 20, height = layout.side / steps;
  for (int i = 0; i < steps; ++i)
    svg.add("rect", {{"x", x},
                     {"y", layout.top + height * i},
                     {"width", key_width},
                     {"height", height + (i + 1 < steps ? 0.5 : 0)},  // no seams between the steps
                     {"fill", shade_of(1 - (i + 0.5) / steps)}});
  for (int percent : {0, 50, 100})
    svg.text(x + key_width + 6,
             layout.top + layout.side * (1 - percent / 100.0) +
                 (percent == 100 ? 9
                  : percent      ? 4
                                 : 0),
             std::to_string(percent) + " %", {.size = 11, .color = plots::faint_ink});
  svg.text(x + key_width + 52, layout.top + layout.side / 2, "share of the row",
           {.size = 11, .anchor = Anchor::middle, .color = plots::faint_ink, .angle = -90});
}

}  // namespace

void plot_confusion_matrix(const TensorView& matrix, const std::string& path,
                           const ConfusionOptions& options) {
  const Counts counts = counts_of(matrix);
  const std::vector<std::string> names = names_of(options, counts.classes);
  const Layout layout = layout_of(counts, names, !options.title.empty());
  const double width = layout.left + layout.side + 20 + key_width + 52 + border;
  plots::Svg svg(width, layout.top + layout.side + layout.names_below + 22 + border,
                 options.title.empty() ? "Confusion matrix" : options.title);
  svg.text(layout.left + layout.side / 2, 30, plots::fitted(options.title, 16, width - 2 * border),
           {.size = 16, .anchor = Anchor::middle, .bold = true});
  svg.begin_group({{"class", "cells"}});
  draw_cells(svg, counts, layout);
  svg.end_group();
  draw_names(svg, names, layout);
  draw_key(svg, layout);
  svg.save(path);
}

}  // namespace glia
