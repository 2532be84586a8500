// Noise of a layer: random numbers keyed by (model's seed, optimizer's iteration, layer, element), drawn anew
// in the backward pass.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/math/noise.h>
#include <glia/step_state.h>  // defines: StepState
#include <kernels/block.h>

namespace glia::kernels {
inline namespace GLIA_ISA {

/// out = function(in) of n elements, forward or backward.
template <class Function, class T>
struct NoiseKernel {
  Function function;
  const StepState* state;
  const T* in;
  T* out;
  std::int64_t n;
  std::uint64_t seed;
  bool backward;

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    constexpr int words = Function::words, each = 4 / words;
    const Philox philox{seed, Purpose::dropout, static_cast<std::uint64_t>(state->iteration)};
    const auto range = block.elements((n + each - 1) / each);
    for (std::int64_t b = range.begin; b < range.end; b += range.stride) {
      const PhiloxBlock random = philox.block(static_cast<std::uint64_t>(b));
      for (int j = 0; j < each && b * each + j < n; ++j) {
        const std::int64_t i = b * each + j;
        const std::uint32_t* word = random.word + j * words;
        out[i] = backward ? function.backward(in[i], word) : function.forward(in[i], word);
      }
    }
  }
};

}  // namespace GLIA_ISA
}  // namespace glia::kernels
