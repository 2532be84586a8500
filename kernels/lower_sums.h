// Sums over an axis: which of the kernels of kernels/reduce.h does them.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <kernels/lowering.h>
#include <kernels/reduce.h>

namespace glia::kernels {
inline namespace GLIA_ISA {

/// in (outer, reduced, inner), its rows `row_step` apart, in chunks of `terms` of its middle axis.
struct Reduction {
  std::int64_t outer, reduced, inner, row_step, terms;

  std::int64_t chunks() const { return terms > 0 ? (reduced + terms - 1) / terms : 1; }
};

/// out (outer, inner, chunks) = scale * the sums.
template <class T, class To, class Launch>
void lower_reduction(const T* in, To* out, const Reduction& r, double scale, Launch&& launch) {
  constexpr std::int64_t narrow = ReduceRowsKernel<T, To>::widest, many_terms = 32;
  const std::int64_t chunks = r.chunks(), sums = r.outer * chunks;
  const bool is_contiguous = r.row_step == r.inner, is_countable = sums < std::int64_t{1} << 31;
  const bool by_groups = r.inner == 1 ? r.reduced > 32 : r.inner > 1 && r.inner <= narrow && r.reduced >= 512;
  if (is_contiguous && is_countable && by_groups)
    return launch(ReduceRowsKernel<T, To>{in, out, r.outer, r.reduced, static_cast<int>(r.inner), chunks,
                                          r.terms, scale},
                  Work{Work::groups, sums, r.terms * r.inner});
  if (is_countable && r.terms >= many_terms && r.inner > 1) {
    const bool packed = r.row_step % pack_size<T> == 0 && are_aligned(in) && (chunks > 1 || are_aligned(out));
    const Patches<T> pieces(sums, r.inner, 1, packed);
    return launch(ReducePatchesKernel<T, To>{pieces, in, out, r.reduced, r.row_step, chunks, r.terms, scale},
                  pieces.pieces_work(r.terms));
  }
  AxisList<3> places;
  places.push({r.inner, {1, chunks, 0}});
  places.push({chunks, {r.terms * r.row_step, 1, r.terms}});
  places.push({r.outer, {r.reduced * r.row_step, r.inner * chunks, 0}});
  visit_strided(places, [&](const auto& strided) {
    launch(ReduceColumnsKernel<T, To, std::decay_t<decltype(strided)>>{in, out, strided, r.reduced,
                                                                       r.row_step, r.terms, scale},
           Work{Work::elements, places.elements, r.terms});
  });
}

/// out (columns,) = the sums over the rows of what lies as a matrix, its rows `row_step` apart, in one launch.
template <class T, class Launch>
void lower_sums_of_rows(const View& in, std::int64_t row_step, const View& out, const Bindings& at,
                        Launch&& launch) {
  const std::int64_t columns = last_of(in), rows = in.elements() / columns;
  lower_reduction(at.template address<T>(in), at.template address<T>(out), {1, rows, columns, row_step, rows},
                  1.0, launch);
}

}  // namespace GLIA_ISA
}  // namespace glia::kernels
