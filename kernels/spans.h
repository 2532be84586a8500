// Weights in pieces: what an update goes over as if they were one vector.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/macros.h>       // defines: GLIA_HD
#include <glia/weight_span.h>  // defines: WeightSpan

#include <cstdint>

namespace glia::kernels {
inline namespace GLIA_ISA {

/// Calls f(weights, range) with the parts of `range`, whose element i is weights[i]: of `all` where there are no spans.
template <class T, class Range, class F>
GLIA_HD void for_each_span(const Range& range, T* all, const WeightSpan* spans, std::int64_t count,
                           const F& f) {
  if (count == 0) return f(all, range);
  for (std::int64_t s = 0; s < count && spans[s].first < range.end; ++s) {
    const std::int64_t first = spans[s].first, last = first + spans[s].count;
    if (last <= range.begin) continue;
    Range part = range;
    if (first > range.begin)  // the first element of the range that is not before the span
      part.begin += (first - range.begin + range.stride - 1) / range.stride * range.stride;
    if (last < part.end) part.end = last;
    f(static_cast<T*>(spans[s].weights) - first, part);
  }
}

}  // namespace GLIA_ISA
}  // namespace glia::kernels
