// Layers that only say what a graph's input looks like.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/symbol.h>
#include <host/layers/layer_node.h>

namespace glia {

bool is_input(const LayerNode& layer);

/// The value of an Input.
Symbol symbol_of(const Layer& input);

}  // namespace glia
