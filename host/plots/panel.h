// One coordinate system of a drawing: checked, measured, then drawn at a place.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/plots.h>

#include <string>
#include <vector>

#include "host/plots/axis.h"
#include "host/plots/svg.h"

namespace glia::plots {

/// What panels leave free around their coordinate systems; alike in all panels of a drawing, so that they align.
struct Margins {
  double left = 0;
  double right = 18;
  double top = 0;
  double bottom = 0;
};

struct Box {
  double x = 0, y = 0, width = 0, height = 0;
};

class PanelDrawing {
 public:
  /// Throws as plot_lines does. The panel must outlive this.
  PanelDrawing(const Panel& panel, double width, double height);

  /// Makes the margins as large as this panel needs, for a width of the panel as a whole.
  void widen(Margins& margins, double width) const;
  /// Into `outer`, of which the margins stay free.
  void draw(Svg& svg, const Box& outer, const Margins& margins) const;

 private:
  struct LegendEntry {
    const Series* series;
    double x;  // from the left end
    int row;
  };

  std::vector<LegendEntry> legend(double width) const;
  void draw_axes(Svg& svg, const Box& box) const;
  void draw_labels(Svg& svg, const Box& outer, const Box& box) const;
  void draw_legend(Svg& svg, const Box& box) const;
  void draw_series(Svg& svg, const Box& box, const Series& series) const;
  void draw_guide(Svg& svg, const Box& box, const Guide& guide) const;
  std::string color_of(const Series& series) const;

  const Panel& panel_;
  Axis x_, y_;
};

}  // namespace glia::plots
