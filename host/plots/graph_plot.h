// A model as boxes and arrows, nested models in frames: what plot_model draws.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace glia::plots {

struct GraphBox {
  std::string name, type;                   ///< "conv2d_1", "Conv2D"; the type chooses the colour
  std::string input_shapes, output_shapes;  ///< "(28, 28, 1)"; empty ones are left out
  std::vector<std::size_t> from = {};       ///< indices of the boxes it reads, in any order of the boxes
  bool trainable = true;                    ///< else dashed, and called frozen
  std::vector<GraphBox> inside = {};        ///< of a nested model, drawn in a frame
};

/// Writes an SVG file of boxes from top to bottom, each below those it reads: name, type, shapes. Throws ValueError
/// where there is no box, where `from` names none, and for a box that reads what is made of it; FileError, and then
/// the old file stays.
void plot_graph(const std::vector<GraphBox>& boxes, const std::string& title, const std::string& path);

}  // namespace glia::plots
