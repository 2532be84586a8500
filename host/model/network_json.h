// A network in words: which layers, made of what, applied to what. Without weights.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <host/base/json.h>
#include <host/model/network.h>

#include <memory>

namespace glia {

/// {"class_name": "Sequential" or "Functional", "config": {...}}, as Keras has it, but that "inbound_nodes" has a list of [layer,
/// application, output] for each application. A layer that is met again within another model is {"shared_layer": number}, counted
/// as they end. Throws ValueError for layers that only their own code says.
Json json_of(const Network& network);

/// Makes a network that has nothing yet the one that was written, for `model`. Throws ValueError and ShapeError for what no network
/// can be.
void read_network(Network& network, const Json& json, const std::weak_ptr<Builder>& model);

}  // namespace glia
