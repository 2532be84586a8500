// Fusion: a pass over descriptors that joins what one Op can do at once.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/descriptors.h>

#include <vector>

namespace glia {

/// Fuses softmax or sigmoid and its gradient into the cross-entropy that follows, activations and their
/// gradients into the products before them, a ReLU into the batch normalisation before it and its gradient into that of
/// the maximum after it, what is done to rows alone (augmentation, rescaling, standardisation) into the Gather before it,
/// and Advance into Optimize. Results stay the same up to rounding.
void fuse(std::vector<Descriptor>& descriptors);

}  // namespace glia
