// Descriptors of what merges, cuts and rearranges tensors, and of formulas on them.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/macros.h>  // defines: GLIA_HD
#include <glia/math/binary.h>
#include <glia/view.h>

#include <cstdint>

namespace glia::op {

/// out = in, element by element; both of one shape and dtype (float32, float64 or int32) with strides of their own. So it
/// transposes (View::permuted), repeats (strides of 0 in `in`), takes a slice (a part of `in`) and joins tensors, one Copy for
/// each part of `out`. No two elements of out may be one, nor out and in overlap.
struct Copy {
  static constexpr auto name = "Copy";
  View in, out;
  template <class F>
  void operands(F&& f) {
    f(in, Access::read), f(out, Access::write);
  }
};

/// out = function(a, b), element by element; all of one shape and dtype (float32 or float64), out contiguous. Strides of 0
/// broadcast a or b (View::broadcast_to). out may be a or b where that is contiguous.
struct Binary {
  static constexpr auto name = "Binary";
  BinaryFunction function;
  View a, b, out;
  template <class F>
  void operands(F&& f) {
    f(a, Access::read), f(b, Access::read), f(out, Access::write);
  }
};

/// out (outer, inner) = scale * the sums of in (outer, reduced, inner) over its middle axis; both contiguous, float32 or
/// float64. `partials`, float64 of the shape that partials_for() gives, is room to work in where few sums are long: without it
/// (or where that shape is empty) they are summed all the same, but a long one by few threads.
struct Reduce {
  static constexpr auto name = "Reduce";
  View in, out;
  double scale = 1;
  View partials = {};
  template <class F>
  void operands(F&& f) {
    f(in, Access::read), f(out, Access::write), f(partials, Access::write);
  }

  /// How many terms each of the chunks has, all but the last, that the sums of `in` are cut into; all of them where there are
  /// enough sums to share out, or they are short.
  GLIA_HD static std::int64_t terms_of_chunk(const View& in) {
    constexpr std::int64_t many_sums = 16384, most_chunks = 1024, alignment = 512;
    constexpr std::int64_t few_terms = 512, many_terms = 4096,
                           wide = 16;  // of many columns a chunk has its numbers sooner
    const std::int64_t reduced = in.shape[1], terms = (reduced + most_chunks - 1) / most_chunks;
    const std::int64_t least_terms = in.shape[2] > wide ? few_terms : many_terms;
    if (in.shape[0] * in.shape[2] >= many_sums || reduced <= 2 * least_terms) return reduced;
    return terms < least_terms ? least_terms : (terms + alignment - 1) / alignment * alignment;
  }
  /// Of `partials`: (outer, inner, chunks), or empty where none are of use.
  static Shape partials_for(const View& in) {
    const std::int64_t terms = terms_of_chunk(in);
    if (terms == in.shape[1]) return {};
    return {in.shape[0], in.shape[2], (in.shape[1] + terms - 1) / terms};
  }
  /// out (columns,) = the sums over the rows of in (rows, columns); make_room(shape) gives its partials.
  template <class MakeRoom>
  static Reduce of_rows(const View& in, const View& out, const MakeRoom& make_room) {
    Reduce reduce{in.reshaped(in.shape.prepend(1)), out.reshaped(out.shape.prepend(1))};
    if (const Shape room = partials_for(reduce.in); !room.empty()) reduce.partials = make_room(room);
    return reduce;
  }
};

}  // namespace glia::op
