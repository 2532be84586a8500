// WeightSpan: a piece of the weights that an optimizer trains.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/macros.h>

#include <cstdint>

namespace GLIA_API glia {

/// `count` weights from `weights` on, whose gradients, and rows of slots, begin at element `first`. Lies on the device in tables,
/// sorted by `first`: weights of several layers, of several blocks, are then updated in one pass. Where it begins, in both, and how
/// long it is are multiples of 16 bytes.
struct WeightSpan {
  void* weights;
  std::int64_t first, count;
};
static_assert(sizeof(WeightSpan) == 3 * sizeof(std::int64_t));

}  // namespace glia
