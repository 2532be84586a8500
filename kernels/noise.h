// Noise of a layer: random numbers keyed by (model's seed, optimizer's iteration, layer, element), drawn anew
// in the backward pass.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/math/noise.h>
#include <glia/step_state.h>  // defines: StepState
#include <kernels/strided.h>  // defines: WideDivider
#include <kernels/strip.h>

namespace glia::kernels {
inline namespace GLIA_ISA {

/// out = function(in) of n elements, forward or backward. The `positions` elements of a channel, (n, positions, channels),
/// share their random numbers.
template <class Function, class T>
struct NoiseKernel {
  Function function;
  const StepState* state;
  const T* in;
  T* out;
  std::int64_t n;
  std::uint64_t seed;
  bool backward;
  std::int64_t positions;
  WideDivider channels;
  /// Each element has a draw of its own, and those of a block of random numbers lie as one pack.
  bool packed;
  bool counts_rows;

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    constexpr int words = Function::words, each = 4 / words;
    const std::int64_t step = state->iteration + (counts_rows ? state->cursor : 0);
    const Philox philox{seed, Purpose::dropout, static_cast<std::uint64_t>(step)};
    const std::int64_t draws = n / positions;
    const auto range = block.elements((draws + each - 1) / each);
    std::int64_t first = range.begin;
    if constexpr (Block::tile > 1 && !is_of_all) {
      const std::int64_t whole = draws / each;
      if (positions == 1) first = apply_blocks(philox, first, whole < range.end ? whole : range.end);
    }
    for (std::int64_t b = first; b < range.end; b += range.stride) {
      const PhiloxBlock random = philox.block(static_cast<std::uint64_t>(b));
      if constexpr (Block::tile == 1 && !is_of_all) {
        if (packed && (b + 1) * each <= draws) {
          apply_pack<each>(b * each, random.word);
          continue;
        }
      }
      for (int j = 0; j < each && b * each + j < draws; ++j) apply(b * each + j, random.word + j * words);
    }
  }

 private:
  /// Whether the function is one of all elements that share a draw.
  static constexpr bool is_of_all = requires(const Function& f, const T* x, T* y, const std::uint32_t* word) {
    f.forward(x, y, 1, 1, word);
  };

  /// The elements of whole blocks, each with a draw of its own; where those end. Nothing in the loop depends on the element but what
  /// is done with it, so that a processor's vectors have blocks beside each other.
  GLIA_HD std::int64_t apply_blocks(const Philox& philox, std::int64_t first, std::int64_t last) const {
    if (backward)
      apply_blocks<true>(function, philox, in, out, first, last);
    else
      apply_blocks<false>(function, philox, in, out, first, last);
    return first < last ? last : first;
  }
  template <bool is_backward>
  GLIA_HD static void apply_blocks(const Function& function, const Philox& philox, const T* in, T* out,
                                   std::int64_t first, std::int64_t last) {
    constexpr int words = Function::words, each = 4 / words;
    for (std::int64_t b = first; b < last; ++b) {
      const PhiloxBlock random = philox.block(static_cast<std::uint64_t>(b));
      for (int j = 0; j < each; ++j) {
        const std::int64_t i = b * each + j;
        out[i] = is_backward ? function.backward(in[i], random.word + j * words)
                             : function.forward(in[i], random.word + j * words);
      }
    }
  }

  template <int each>
  GLIA_HD void apply_pack(std::int64_t i, const std::uint32_t* word) const {
    const PackStrip<each> strip;
    const auto x = strip.load(in + i);
    strip.store(out + i, [&](auto j) { return of(x[j], word + j * Function::words); });
  }

  GLIA_HD T of(T x, const std::uint32_t* word) const {
    return backward ? function.backward(x, word) : function.forward(x, word);
  }

  /// To the elements that share draw `draw`.
  GLIA_HD void apply(std::int64_t draw, const std::uint32_t* word) const {
    std::int64_t first = draw;
    if (positions > 1) {
      const std::int64_t row = channels.quotient(draw), channel = draw - row * channels.divisor();
      first = row * positions * channels.divisor() + channel;
    }
    if constexpr (is_of_all) {
      if (backward)
        function.backward(in + first, out + first, positions, channels.divisor(), word);
      else
        function.forward(in + first, out + first, positions, channels.divisor(), word);
    } else {
      for (std::int64_t p = 0; p < positions; ++p) {
        const std::int64_t i = first + p * channels.divisor();
        out[i] = of(in[i], word);
      }
    }
  }
};

}  // namespace GLIA_ISA
}  // namespace glia::kernels
