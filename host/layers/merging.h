// Merging layers that have no name in Keras.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/layers.h>

namespace glia {

/// The quotient of two symbols.
Layer divide_layer();

}  // namespace glia
