// Mixed precision: a pass over descriptors that gives products the rounded factors they ask for.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/backend.h>

#include <vector>

namespace glia {

/// Rounds the factors of products whose precision is MixedBFloat16, each once until it is written again: to bfloat16
/// where the device multiplies that, else to float32 numbers that bfloat16 has. Bias gradients are summed of the
/// numbers before rounding.
void round_factors(std::vector<Descriptor>& descriptors, Backend& backend);

}  // namespace glia
