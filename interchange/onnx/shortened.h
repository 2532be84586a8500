// What exporters write between operators that changes nothing here, where numbers of any type are float32.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <format.pb.h>

namespace glia::onnx {

/// Nodes read what a Cast between floating types, one between integers, or an Identity reads, and not what it gives, so that a
/// bias or an activation follows its layer at once. A Gather reads indices as they were before those below 0 were counted from the
/// table's end, which it does itself. What nobody reads any more stays in the graph.
void shorten(format::Graph& graph);

}  // namespace glia::onnx
