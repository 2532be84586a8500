// Cost: what a descriptor must at least move and compute, whoever does it.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/descriptors.h>

#include <cstdint>

namespace glia {

struct Cost {
  /// Operands that are read or written, each element once however often it is used, and twice where it is read and written. Not the
  /// room that an Op works in, nor the step state.
  std::int64_t bytes = 0;
  /// Two for each multiply-add of products and convolutions, as if no window met padding; of the rest what its formula has for each element,
  /// a function (exp, tanh, a comparison) being one. Of an update that is made only every so often, that of a step that makes it.
  std::int64_t flops = 0;

  friend bool operator==(const Cost&, const Cost&) = default;
};

Cost cost_of(const Descriptor& descriptor);

}  // namespace glia
