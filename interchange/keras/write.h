// From Glia's words to Keras 3's. Throws ValueError, which names the layer, for what Keras has not.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "interchange/keras/json.h"
#include "interchange/keras/masks.h"

namespace glia::keras {

/// A model's config as Keras 3 writes it, without compile_config; `graph`: keras_ordered's. `policy`: "float32", "mixed_bfloat16".
Json write_model(const Json& graph, const std::string& policy);

/// An operation's "class_name", "config" and arguments: write_operations.cpp. `nodes`: the places that the layer is applied to.
Json write_operation(const Json& layer);

/// One of Keras's own on masks, likewise.
Json write_mask(const Masks::Operation& operation);

/// A symbol as Keras 3's configs have it. Its shape is Keras's to find.
Json symbol_at(const Json& place);

/// compile_config of "compile" in Glia's files. `outputs`: the names of the model's.
Json write_compile(const Json& compile, const std::vector<std::string>& outputs);

}  // namespace glia::keras
