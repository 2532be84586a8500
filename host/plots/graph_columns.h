// The x of a layered graph's places: what follows each other stands in one column, columns near what they are joined with.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "host/plots/graph_order.h"  // defines: LayeredGraph

namespace glia::plots {

/// The middle of each place. In each layer places keep their order, and a distance; `widths` are the places'.
std::vector<double> columns_of(const LayeredGraph& graph, const std::vector<double>& widths);

}  // namespace glia::plots
