// A layer made of its class's name and what its node described.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <host/layers/config.h>

#include <string>

namespace glia {

/// Throws ValueError, with the nearest that is, for a class that is not known.
void expect_layer_class(const std::string& class_name);

/// Reads what every layer has (name, trainable, input_shape), what the class has, and nothing else. `is_own`: a class of the
/// application's own. Throws ValueError for a class that is not known, and as its constructor does.
Layer made_layer(const std::string& class_name, bool is_own, Config& config);

}  // namespace glia
