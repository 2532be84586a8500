// What files of weights and of whole models have in common.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <host/base/json.h>
#include <host/io/safetensors.h>
#include <host/model/core.h>

#include <memory>
#include <string>
#include <vector>

namespace glia {

/// Names of tensors that are no weights begin so in a file of a model.
inline constexpr auto beside_weights = "glia.";
/// The metadata under which a file has the model itself.
inline constexpr auto model_key = "glia.model";

/// The metadata under which a file has the names of its weights in their order, which the file's own is not.
inline constexpr auto order_key = "glia.weights";
std::string order_of(const std::vector<std::string>& names);

/// ".safetensors" goes to a file name without extension. Throws FileError where there is no name: with it, a folder would
/// become a hidden file.
std::string with_extension(const std::string& path);

/// A model in words, its layers alone.
Json described(Core& core);
/// Makes a model that has nothing yet of such words. Throws ValueError, ShapeError.
void read_described(const std::shared_ptr<Core>& core, Json json);

}  // namespace glia
