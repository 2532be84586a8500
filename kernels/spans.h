// Weights in pieces: what an update goes over as if they were one vector.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/macros.h>       // defines: GLIA_HD
#include <glia/weight_span.h>  // defines: WeightSpan
#include <kernels/strip.h>

#include <cstdint>

namespace glia::kernels {
inline namespace GLIA_ISA {

/// Calls f(weights, range) with the parts of `range`, in units of so many elements, whose unit i begins at weights + i * unit: of
/// `all` where there are no spans.
template <class T, class Range, class F>
GLIA_HD void for_each_span(const Range& range, std::int64_t unit, T* all, const WeightSpan* spans,
                           std::int64_t count, const F& f) {
  if (count == 0) return f(all, range);
  for (std::int64_t s = 0; s < count && spans[s].first < range.end * unit; ++s) {
    const std::int64_t first = spans[s].first / unit, last = first + spans[s].count / unit;
    if (last <= range.begin) continue;
    Range part = range;
    if (first > range.begin)  // the first unit of the range that is not before the span
      part.begin += (first - range.begin + range.stride - 1) / range.stride * range.stride;
    if (last < part.end) part.end = last;
    f(static_cast<T*>(spans[s].weights) - first * unit, part);
  }
}

/// each_element() of n weights: use(strip, weights, i, load(strip, weights, i)), weight i being weights[i].
template <class T, int flight, class Block, class Load, class Use>
GLIA_HD void each_weight(Block& block, std::int64_t n, bool packed, T* all, const WeightSpan* spans,
                         std::int64_t count, const Load& load, const Use& use) {
  if constexpr (Block::tile > 1) {
    for_each_span(block.elements(n), 1, all, spans, count, [&](T* weights, const auto& range) {
      const WideStrip<0> strip{{}, range.end - range.begin};
      auto loaded = load(strip, weights, range.begin);
      use(strip, weights, range.begin, loaded);
    });
  } else {
    const auto go = [&](const auto& strip, std::int64_t first, std::int64_t units) {
      constexpr std::int64_t width = std::decay_t<decltype(strip)>::most;
      for_each_span(block.elements(units), width, all, spans, count, [&](T* weights, const auto& range) {
        stream<flight>(
            range.begin, range.end, range.stride,
            [&](std::int64_t i) { return load(strip, weights, first + i * width); },
            [&](std::int64_t i, auto& loaded) { use(strip, weights, first + i * width, loaded); });
      });
    };
    constexpr std::int64_t width = pack_size<T>;
    const std::int64_t packs = packed ? n / width : 0, first = packs * width;
    go(PackStrip<width>{}, 0, packs);
    if (first < n) go(PackStrip<1>{}, first, n - first);  // spans are whole packs: here are none
  }
}

}  // namespace GLIA_ISA
}  // namespace glia::kernels
