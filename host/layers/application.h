// Application: a layer applied to symbols.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/layers.h>
#include <glia/symbol.h>
#include <host/base/hidden.h>
#include <host/layers/layer_node.h>  // defines: Shapes

#include <vector>

namespace glia {

struct GLIA_HIDDEN Application {
  Layer layer;
  std::vector<Symbol> inputs;  ///< none: an input of a graph
  Shapes outputs;
};

/// "dense", or of several outputs "model[1]".
std::string name_of(const Symbol& symbol);

}  // namespace glia
