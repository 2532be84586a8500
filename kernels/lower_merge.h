// From the descriptors of what merges, cuts and rearranges tensors to the kernels that do it.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <kernels/lower_sums.h>
#include <kernels/lowering.h>
#include <kernels/merge.h>

namespace glia::kernels {
inline namespace GLIA_ISA {

/// The axes of in and out, those first along which out's elements lie close together: the order in which they are written.
inline AxisList<2> axes_of_copy(const op::Copy& d) {
  Axis<2> sorted[Shape::max_rank];
  int rank = 0;
  for (int i = d.out.shape.rank() - 1; i >= 0; --i) {
    const Axis<2> axis{d.out.shape[i], {d.in.strides[i], d.out.strides[i]}};
    if (axis.size == 1) continue;
    int at = rank++;
    for (; at > 0 && axis.strides[1] < sorted[at - 1].strides[1]; --at) sorted[at] = sorted[at - 1];
    sorted[at] = axis;
  }
  AxisList<2> list;
  for (int i = 0; i < rank; ++i) list.push(sorted[i]);
  return list;
}

/// Where rows of both lie together, in multiples of two elements: takes each pair for one element. False where not.
inline bool pair_up(AxisList<2>& list, const void* in, const void* out, std::int64_t bytes) {
  const auto address = reinterpret_cast<std::uintptr_t>(in) | reinterpret_cast<std::uintptr_t>(out);
  if (list.rank == 0 || address % static_cast<std::uintptr_t>(2 * bytes) != 0) return false;
  Axis<2>& row = list.axes[0];
  if (row.size % 2 != 0 || row.strides[0] != 1 || row.strides[1] != 1) return false;
  for (int i = 1; i < list.rank; ++i)
    if (list.axes[i].strides[0] % 2 != 0 || list.axes[i].strides[1] % 2 != 0) return false;
  row.size /= 2, list.elements /= 2;
  for (int i = 1; i < list.rank; ++i) list.axes[i].strides[0] /= 2, list.axes[i].strides[1] /= 2;
  return true;
}

/// A copy of elements of T, which need only be as large.
template <class T, class Launch>
void lower_copy(AxisList<2> list, const void* from, void* to, Launch&& launch) {
  const T* const in = static_cast<const T*>(from);
  T* const out = static_cast<T*>(to);
  const auto copy = [&](const AxisList<2>& items, std::int64_t skipped, const Axis<2>& loop) {
    visit_strided(items, [&](const auto& strided) {
      launch(CopyKernel<T, std::decay_t<decltype(strided)>>{in + skipped * loop.strides[0],
                                                            out + skipped * loop.strides[1], strided,
                                                            loop.size, loop.strides[0], loop.strides[1]},
             Work{Work::elements, items.elements, loop.size});
    });
  };
  constexpr std::int64_t tile = 8;
  int contiguous = 0;  // the axis along which in's elements lie together, if another than out's
  for (int i = 1; i < list.rank; ++i)
    if (list.axes[i].strides[0] == 1 && list.axes[0].strides[0] > 1) contiguous = i;
  if (contiguous == 0 || list.elements == 0) return copy(list, 0, {1, {0, 0}});

  // A thread loops over what lies together in `in`; or, where out's rows are too short to share out, in out.
  const int looped = list.axes[0].size < tile && list.axes[contiguous].size >= tile ? 0 : contiguous;
  if (looped == 0) list.to_front(contiguous);
  const int at = looped == 0 ? 1 : contiguous;
  const Axis<2> loop = list.axes[at];
  const std::int64_t whole = loop.size / tile, rest = loop.size % tile;
  if (whole > 0) {
    AxisList<2> tiles = list;
    tiles.elements = list.elements / loop.size * whole;
    tiles.axes[at] = {whole, {tile * loop.strides[0], tile * loop.strides[1]}};
    copy(tiles, 0, {tile, {loop.strides[0], loop.strides[1]}});
  }
  list.remove(at);
  if (rest > 0) copy(list, whole * tile, {rest, {loop.strides[0], loop.strides[1]}});
}

template <class Launch>
void lower(const op::Copy& d, const Bindings& at, Launch&& launch) {
  const void* const in = at.address<>(d.in);
  void* const out = at.address<>(d.out);
  AxisList<2> list = axes_of_copy(d);
  std::int64_t bytes = size_of(d.out.dtype);
  while (bytes < 16 && pair_up(list, in, out, bytes)) bytes *= 2;
  if (bytes == 16)
    lower_copy<Bytes16>(list, in, out, launch);
  else if (bytes == 8)
    lower_copy<std::uint64_t>(list, in, out, launch);
  else
    lower_copy<std::uint32_t>(list, in, out, launch);
}

template <class Launch>
void lower(const op::Binary& d, const Bindings& at, Launch&& launch) {
  AxisList<2> list;
  for (int i = d.out.shape.rank() - 1; i >= 0; --i)
    list.push({d.out.shape[i], {d.a.strides[i], d.b.strides[i]}});
  const bool plain = list.rank == 1 && list.axes[0].strides[0] == 1 && list.axes[0].strides[1] == 1;
  visit_floating(d.out.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    const T* const a = at.template address<T>(d.a);
    const T* const b = at.template address<T>(d.b);
    T* const out = at.template address<T>(d.out);
    const bool packed = are_aligned(a, b, out);
    select(
        [&](const auto& function) {
          using Function = std::decay_t<decltype(function)>;
          if (plain)
            return launch(PlainBinaryKernel<Function, T>{function, a, b, out, list.elements, packed},
                          elements_work<T>(list.elements, packed));
          visit_strided(list, [&](const auto& places) {
            launch(BinaryKernel<Function, T, std::decay_t<decltype(places)>>{function, a, b, out, places},
                   Work{Work::elements, list.elements});
          });
        },
        d.function);
  });
}

template <class Launch>
void lower(const op::Reduce& d, const Bindings& at, Launch&& launch) {
  visit_floating(d.out.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    const std::int64_t outer = d.in.shape[0], reduced = d.in.shape[1], inner = d.in.shape[2];
    const std::int64_t terms = op::Reduce::terms_of_chunk(d.in);
    const T* const in = at.template address<T>(d.in);
    T* const out = at.template address<T>(d.out);
    if (!d.partials || terms == reduced)
      return lower_reduction(in, out, {outer, reduced, inner, inner, reduced}, d.scale, launch);
    double* const partials = at.template address<double>(d.partials);
    const std::int64_t chunks = (reduced + terms - 1) / terms;
    lower_reduction(in, partials, {outer, reduced, inner, inner, terms}, 1.0, launch);
    lower_reduction<double>(partials, out, {outer * inner, chunks, 1, 1, chunks}, d.scale, launch);
  });
}

}  // namespace GLIA_ISA
}  // namespace glia::kernels
