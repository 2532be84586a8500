// plot_images: a grid of pictures, each with its index, its label, and what was predicted.
// SPDX-License-Identifier: Apache-2.0
#include <glia/plots.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>

#include "host/plots/pictures.h"
#include "host/plots/svg.h"
#include "host/tensor/elements.h"

namespace glia {
namespace {

using plots::Label;
using plots::text_width;

constexpr const char* wrong_color = "#c62828";
constexpr double font = 12, line = 15, gap = 16, border = 18;
constexpr double least_side = 96, widest_cell = 200;

/// In range and not negative.
std::vector<std::int64_t> rows_of(const std::vector<std::int64_t>& indices, std::int64_t rows) {
  GLIA_CHECK(rows > 0, ValueError, "plot_images got data without rows, expected one image or more");
  std::vector<std::int64_t> result = indices;
  if (indices.empty()) {
    result.resize(static_cast<std::size_t>(std::min<std::int64_t>(rows, 25)));
    std::iota(result.begin(), result.end(), 0);
  }
  for (std::int64_t& index : result) {
    GLIA_CHECK(index >= -rows && index < rows, ValueError, "plot_images got the index ", index,
               ", expected one of 0 to ", rows - 1, ", or negative ones that count from the end");
    if (index < 0) index += rows;
  }
  return result;
}

std::vector<Label> predictions_of(const TensorView& predictions, const std::vector<std::int64_t>& rows,
                                  std::int64_t all) {
  detail::expect_cpu(predictions, "plot_images");
  const auto count = static_cast<std::int64_t>(rows.size());
  GLIA_CHECK(predictions.rows() == count || predictions.rows() == all, ShapeError, "plot_images got ",
             predictions.rows(), " predictions, expected ", count, ", one for each image drawn, or ", all,
             ", one for each row of the data");
  if (predictions.rows() != count) return plots::predictions_at(predictions, rows);
  std::vector<std::int64_t> drawn(rows.size());
  std::iota(drawn.begin(), drawn.end(), 0);
  return plots::predictions_at(predictions, drawn);
}

std::string name_of(const Label& label, const std::vector<std::string>& names) {
  if (!label) return "NaN";
  const bool has_name = *label >= 0 && *label < static_cast<std::int64_t>(names.size());
  return has_name ? names[static_cast<std::size_t>(*label)] : std::to_string(*label);
}

struct Cell {
  plots::Picture picture;
  std::string index, label, prediction;  // the last two may be empty
  bool is_wrong = false;
};

struct Layout {
  std::int64_t columns = 0, rows = 0;
  double picture_width = 0, picture_height = 0;
  double cell_width = 0, cell_height = 0;
};

Layout layout_of(const std::vector<Cell>& cells, std::int64_t columns) {
  Layout layout;
  const auto count = static_cast<std::int64_t>(cells.size());
  layout.columns = std::min(count, columns > 0 ? columns : count > 25 ? 10 : 5);
  layout.rows = (count + layout.columns - 1) / layout.columns;
  // Pixels become squares of whole size, where they are few enough.
  const double width = cells[0].picture.width, height = cells[0].picture.height;
  const double longest = std::max(width, height);
  const double zoom = longest >= least_side ? least_side / longest : std::ceil(least_side / longest);
  layout.picture_width = std::max(1.0, width * zoom);
  layout.picture_height = std::max(1.0, height * zoom);
  layout.cell_width = layout.picture_width;
  int lines = 1;
  for (const Cell& cell : cells) {
    lines = std::max(lines, 1 + (cell.label.empty() ? 0 : 1) + (cell.prediction.empty() ? 0 : 1));
    for (const std::string& text : {cell.index, cell.label, cell.prediction})
      layout.cell_width = std::max(layout.cell_width, std::min(widest_cell, text_width(text, font) + 2));
  }
  layout.cell_height = layout.picture_height + 4 + line * lines;
  return layout;
}

void draw(plots::Svg& svg, const Cell& cell, double x, double y, const Layout& layout) {
  const double left = x + (layout.cell_width - layout.picture_width) / 2;
  const double middle = x + layout.cell_width / 2;
  svg.begin_group({{"class", "image"}});
  svg.add("image", {{"x", left},
                    {"y", y},
                    {"width", layout.picture_width},
                    {"height", layout.picture_height},
                    {"preserveAspectRatio", "none"},
                    {"image-rendering", "optimizeSpeed"},  // for viewers that do not know the style
                    {"style", "image-rendering:pixelated"},
                    {"xlink:href", plots::data_uri(cell.picture)}});
  const double frame = cell.is_wrong ? 3 : 1;  // around the picture, none of which it hides
  svg.add("rect", {{"x", left - frame / 2},
                   {"y", y - frame / 2},
                   {"width", layout.picture_width + frame},
                   {"height", layout.picture_height + frame},
                   {"fill", "none"},
                   {"stroke", cell.is_wrong ? wrong_color : "#c8c8c8"},
                   {"stroke-width", frame}});
  double base = y + layout.picture_height + line;
  const auto say = [&](const std::string& text, const char* color, bool bold = false) {
    if (text.empty()) return;
    svg.text(middle, base, plots::fitted(text, font, layout.cell_width),
             {.size = font, .anchor = plots::Anchor::middle, .color = color, .bold = bold});
    base += line;
  };
  say(cell.index, plots::faint_ink);
  say(cell.label, plots::ink);
  say(cell.prediction, cell.is_wrong ? wrong_color : plots::ink, cell.is_wrong);
  svg.end_group();
}

std::vector<Cell> cells_of(const TensorView& images, const TensorView& labels, const ImagesOptions& options) {
  const std::vector<std::int64_t> rows = rows_of(options.indices, images.rows());
  std::vector<plots::Picture> pictures = plots::pictures_of(images, rows);
  std::vector<Label> truth, predicted;
  if (labels.shape().elements() > 0) {
    detail::expect_cpu(labels, "plot_images");
    detail::expect_same_rows(images, labels, "plot_images");
    truth = plots::labels_at(labels, rows);
  }
  if (options.predictions) predicted = predictions_of(*options.predictions, rows, images.rows());
  std::vector<Cell> cells;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    Cell cell{std::move(pictures[i]), '#' + std::to_string(rows[i]), {}, {}};
    if (!truth.empty()) cell.label = "label: " + name_of(truth[i], options.class_names);
    if (!predicted.empty()) cell.prediction = "predicted: " + name_of(predicted[i], options.class_names);
    cell.is_wrong = !truth.empty() && !predicted.empty() && (!predicted[i] || predicted[i] != truth[i]);
    cells.push_back(std::move(cell));
  }
  return cells;
}

}  // namespace

void plot_images(const Dataset& data, const std::string& path, const ImagesOptions& options) {
  ImagesOptions named = options;
  if (named.class_names.empty()) named.class_names = data.class_names;
  plot_images(data.x, data.y, path, named);
}

void plot_images(const TensorView& images, const TensorView& labels, const std::string& path,
                 const ImagesOptions& options) {
  GLIA_CHECK(options.columns >= 0, ValueError, "plot_images got ", options.columns,
             " columns, expected 1 or more, or 0 for five or ten");
  detail::expect_cpu(images, "plot_images");
  const std::vector<Cell> cells = cells_of(images, labels, options);
  const Layout layout = layout_of(cells, options.columns);
  const double header = options.title.empty() ? 0 : 28;
  const auto place = [](double first, double size, std::int64_t i) {
    return first + (size + gap) * static_cast<double>(i);
  };
  const double width = place(2 * border - gap, layout.cell_width, layout.columns);
  plots::Svg svg(width, place(header + 2 * border - gap, layout.cell_height, layout.rows),
                 options.title.empty() ? "Images" : options.title);
  svg.text(width / 2, 28, plots::fitted(options.title, 16, width - 2 * border),
           {.size = 16, .anchor = plots::Anchor::middle, .bold = true});
  for (std::size_t i = 0; i < cells.size(); ++i) {
    const auto column = static_cast<std::int64_t>(i) % layout.columns;
    const auto row = static_cast<std::int64_t>(i) / layout.columns;
    draw(svg, cells[i], place(border, layout.cell_width, column),
         place(header + border, layout.cell_height, row), layout);
  }
  svg.save(path);
}

}  // namespace glia
