// Layers one after another: those of a model, and those of a Residual.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <host/layers/layer_node.h>

#include <vector>

namespace glia {

/// Builds each for the output of the one before and returns the shape of the last one's rows. `trained` says whether
/// something before is trained, and on return whether something is. Throws ShapeError.
Shape build_layers(const std::vector<Layer>& layers, Shape shape, bool& trained);

/// Their forward parts; the backward part goes no further down than something is trained, or the input's gradient is
/// wanted.
Emitted emit_layers(Emitter& emitter, const std::vector<Layer>& layers, const View& x);

/// Calls f(node) for each node of these layers, those within them behind each.
template <class F>
void for_each_node(const std::vector<Layer>& layers, const F& f) {
  for (const Layer& layer : layers) {
    f(layer.node());
    for_each_node(layer.node().children, f);
  }
}

}  // namespace glia
