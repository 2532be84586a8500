// Layers, optimizers and losses as text.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/layers.h>
#include <glia/named.h>

#include <string>
#include <vector>

namespace glia::c {

/// "Flatten() Dense(10, 'softmax')". Throw ValueError for words that are not known, and as the layers' constructors.
std::vector<Layer> layers_of(const std::string& text);
/// "sgd(learning_rate=0.1, momentum=0.9)"
OptimizerName optimizer_of(const std::string& text);
/// "sparse_categorical_crossentropy(from_logits=True)"
LossName loss_of(const std::string& text);

}  // namespace glia::c
