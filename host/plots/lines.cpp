// plot_lines and plot_panels: coordinate systems side by side.
// SPDX-License-Identifier: Apache-2.0
#include <glia/plots.h>

#include <algorithm>

#include "host/plots/panel.h"

namespace glia {
namespace {

void check_options(const std::vector<Panel>& panels, const PanelsOptions& o) {
  GLIA_CHECK(!panels.empty(), ValueError, "plot_panels got no panels, expected one or more");
  GLIA_CHECK(o.columns >= 0, ValueError, "plot_panels got ", o.columns,
             " columns, expected 1 or more, or 0 for up to three");
  GLIA_CHECK(
      o.panel_width >= 200 && o.panel_height >= 150 && o.panel_width <= 10000 && o.panel_height <= 10000,
      ValueError, "plot_panels got panels of ", o.panel_width, " x ", o.panel_height,
      " pixels, expected 200 x 150 to 10000 x 10000");
}

std::int64_t columns_of(std::int64_t panels, std::int64_t wanted) {
  if (wanted > 0) return std::min(wanted, panels);
  return panels == 4 ? 2 : std::min<std::int64_t>(panels, 3);
}

}  // namespace

void plot_lines(const std::vector<Series>& series, const std::string& path, const Axes& axes) {
  plot_panels({{.series = series, .axes = axes}}, path, {.panel_width = 560, .panel_height = 380});
}

void plot_panels(const std::vector<Panel>& panels, const std::string& path, const PanelsOptions& options) {
  check_options(panels, options);
  const double width = options.panel_width, height = options.panel_height;
  std::vector<plots::PanelDrawing> drawings;
  plots::Margins margins;
  for (const Panel& panel : panels) drawings.emplace_back(panel, width, height);
  for (const auto& drawing : drawings) drawing.widen(margins, width);
  // Once more: a panel's legend may need more rows beside the widest labels.
  for (const auto& drawing : drawings) drawing.widen(margins, width);

  const auto count = static_cast<std::int64_t>(panels.size());
  const std::int64_t columns = columns_of(count, options.columns);
  const std::int64_t rows = (count + columns - 1) / columns;
  const double header = options.title.empty() ? 0 : 34;
  const double total = width * static_cast<double>(columns);
  plots::Svg svg(total, header + height * static_cast<double>(rows),
                 options.title.empty() ? panels[0].axes.title : options.title);
  svg.text(total / 2, 25, plots::fitted(options.title, 17, total - 20),
           {.size = 17, .anchor = plots::Anchor::middle, .bold = true});
  for (std::size_t i = 0; i < drawings.size(); ++i) {
    const auto column = static_cast<std::int64_t>(i) % columns, row = static_cast<std::int64_t>(i) / columns;
    drawings[i].draw(
        svg, {width * static_cast<double>(column), header + height * static_cast<double>(row), width, height},
        margins);
  }
  svg.save(path);
}

}  // namespace glia
