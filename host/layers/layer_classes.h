// The classes of layers by their names, and what makes a layer of each: of what its node described.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/layers.h>

#include <span>
#include <string>

namespace glia {

class Config;

struct LayerClass {
  const char* name;
  /// Throws ValueError and ShapeError as the class's constructor does.
  Layer (*make)(Config& config);
};
using LayerClasses = std::span<const LayerClass>;

// Those of a file each, beside their nodes.
LayerClasses activation_classes();
LayerClasses augmentation_classes();
LayerClasses bidirectional_classes();
LayerClasses convolution_classes();
LayerClasses dense_classes();
LayerClasses dot_attention_classes();
LayerClasses dot_classes();
LayerClasses embedding_classes();
LayerClasses flatten_classes();
LayerClasses input_classes();
LayerClasses masking_classes();
LayerClasses merging_classes();
LayerClasses multi_head_attention_classes();
LayerClasses noise_classes();
LayerClasses normalization_classes();
LayerClasses operation_classes();
LayerClasses pooling_classes();
LayerClasses recurrent_classes();
LayerClasses resizing_classes();
LayerClasses time_distributed_classes();
LayerClasses transpose_classes();

/// Of a class of the application's own. Throws ValueError for one that register_layer was not told of.
Layer registered_layer(const std::string& type, Config& config);

/// Of a class that is made of nothing.
template <class Of>
Layer plain_layer(Config&) {
  return Of();
}

}  // namespace glia
