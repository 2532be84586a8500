// The GPU's kernels of what tensors compute, in one file: nvcc takes as long for the headers as for all of them, once for each
// architecture.
// SPDX-License-Identifier: Apache-2.0
#include <cuda/tensor_kernels.h>
#include <cuda/kernels/collect.cuh>
#include <cuda/kernels/tensor_fold.cuh>
#include <cuda/kernels/tensor_map.cuh>
#include <cuda/kernels/tensor_order.cuh>

#include <algorithm>
#include <type_traits>

namespace glia::cuda {
namespace {

// ---- Element by element

template <class Kernel>
KernelLaunch launch_by_four(const Kernel& kernel, std::int64_t count, unsigned most_blocks) {
  KernelList list{most_blocks, {}};
  Collector{list}(kernel, {.kind = kernels::Work::elements, .count = count, .elements_of_thread = 4});
  return list.launches.front();
}

template <class T>
KernelLaunch rearrange_of(const tensor_work::Rearrange& r, unsigned most_blocks) {
  return launch_by_four(RearrangeKernel<T>{static_cast<const T*>(r.in), static_cast<T*>(r.out),
                                           r.rows * r.columns, r.row_stride, r.column_stride,
                                           kernels::WideDivider(r.columns), r.row_indices, r.column_indices},
                        r.rows * r.columns, most_blocks);
}

}  // namespace

KernelLaunch map_kernel(const Map& map, unsigned most_blocks) {
  return launch_by_four(TensorMapKernel{Reading(map.a, map.count), Reading(map.b, map.count), map.function,
                                        map.integers, map.dtype, map.out, map.count},
                        map.count, most_blocks);
}

KernelLaunch rearrange_kernel(const tensor_work::Rearrange& rearrange, unsigned most_blocks) {
  tensor_work::Rearrange r = rearrange;
  // Neighbours in a row are moved sixteen bytes at a time where addresses and lengths allow it.
  const auto addresses = reinterpret_cast<std::uintptr_t>(r.in) | reinterpret_cast<std::uintptr_t>(r.out);
  const std::int64_t per_pack = 16 / r.element_bytes;
  if (r.column_stride == 1 && !r.column_indices && addresses % 16 == 0 && r.columns % per_pack == 0 &&
      (r.row_stride % per_pack == 0 || (r.rows == 1 && !r.row_indices))) {
    r.columns /= per_pack, r.row_stride /= per_pack;
    return rearrange_of<Sixteen>(r, most_blocks);
  }
  return r.element_bytes == 1   ? rearrange_of<std::uint8_t>(r, most_blocks)
         : r.element_bytes == 4 ? rearrange_of<std::uint32_t>(r, most_blocks)
                                : rearrange_of<std::uint64_t>(r, most_blocks);
}

// ---- Folds

namespace {

template <class Term>
KernelLaunch launch_fold(const Term& term, const Rounds& rounds, const Extent& extent, unsigned most_blocks) {
  using kernels::Work;
  KernelList list{most_blocks, {}};
  if (rounds.by_rows)
    Collector{list}(FoldRowsKernel<Term>{term, extent},
                    Work{.kind = Work::groups, .count = extent.before * extent.pieces});
  else if constexpr (!std::is_same_v<Term, FindTerm>)
    Collector{list}(FoldColumnsKernel<Term>{term, extent, kernels::WideDivider(extent.after),
                                            kernels::WideDivider(extent.pieces)},
                    Work{.kind = Work::elements, .count = extent.before * extent.pieces * extent.after});
  return list.launches.front();
}

Extent extent_of(std::int64_t before, std::int64_t after, const Rounds& rounds, const Round& round) {
  return {before, round.length, after, rounds.piece, rounds.pieces(round.length)};
}

template <class Total, class T>
KernelLaunch sum_kernel(const Fold& fold, const T* in, const Rounds& rounds, const Round& round,
                        unsigned most_blocks) {
  return launch_fold(
      SumTerm<T, Total>{in, round.length, fold.after, fold.scale, fold.divisor, round.out, round.last},
      rounds, extent_of(fold.before, fold.after, rounds, round), most_blocks);
}

template <class T>
KernelLaunch fold_of(const Fold& fold, const Rounds& rounds, const Round& round, unsigned most_blocks) {
  const T* in = static_cast<const T*>(fold.in);
  if (fold.what == Fold::What::sum) {
    if constexpr (std::is_integral_v<T> && sizeof(T) <= 4) {
      if (fold.before == 1 && fold.after == 1)
        return round.partial ? sum_kernel<std::int64_t>(fold, static_cast<const std::int64_t*>(round.partial),
                                                        rounds, round, most_blocks)
                             : sum_kernel<std::int64_t>(fold, in, rounds, round, most_blocks);
    }
    return round.partial ? sum_kernel<double>(fold, static_cast<const double*>(round.partial), rounds, round,
                                              most_blocks)
                         : sum_kernel<double>(fold, in, rounds, round, most_blocks);
  }
  const bool least = fold.what == Fold::What::least || fold.what == Fold::What::index_of_least;
  const bool index = fold.what == Fold::What::index_of_least || fold.what == Fold::What::index_of_most;
  return launch_fold(
      ExtremeTerm<T>{in, static_cast<const std::int64_t*>(round.partial), fold.length, round.length,
                     fold.after, fold.scale, round.out, least, round.last, index},
      rounds, extent_of(fold.before, fold.after, rounds, round), most_blocks);
}

}  // namespace

/// Few results of long axes are cut so that a GPU is full, and no further.
Rounds::Rounds(std::int64_t before, std::int64_t length, std::int64_t after)
    : by_rows(after == 1 && (before == 1 || length >= warp_threads)) {
  const std::int64_t results = before * after, least = by_rows ? 4096 : 256, wanted = by_rows ? 4096 : 65536;
  const std::int64_t pieces_of_result =
      std::max<std::int64_t>(1, wanted / std::max<std::int64_t>(1, results));
  piece = std::max(least, (length + pieces_of_result - 1) / pieces_of_result);
}

/// By a switch of its own: visit_dtype throws, and code of the standard library has no place among kernels.
KernelLaunch fold_kernel(const Fold& fold, const Rounds& rounds, const Round& round, unsigned most_blocks) {
  switch (fold.dtype) {
    case DType::float32:
      return fold_of<float>(fold, rounds, round, most_blocks);
    case DType::float64:
      return fold_of<double>(fold, rounds, round, most_blocks);
    case DType::uint8:
      return fold_of<std::uint8_t>(fold, rounds, round, most_blocks);
    case DType::int32:
      return fold_of<std::int32_t>(fold, rounds, round, most_blocks);
    default:
      return fold_of<std::int64_t>(fold, rounds, round, most_blocks);
  }
}

KernelLaunch find_kernel(const Find& find, const Rounds& rounds, const Round& round, unsigned most_blocks) {
  return launch_fold(
      FindTerm{find.test, Reading(find.a, find.count), Reading(find.b, find.count), find.integers, round.last,
               find.rtol, find.atol, find.least, find.end, find.least_integer, find.most_integer, find.count,
               static_cast<const std::int64_t*>(round.partial), static_cast<std::int64_t*>(round.out)},
      rounds, extent_of(1, 1, rounds, round), most_blocks);
}

// ---- Orders

namespace {

template <class Kernel>
KernelLaunch launch_elements(const Kernel& kernel, std::int64_t count, unsigned most_blocks) {
  KernelList list{most_blocks, {}};
  Collector{list}(kernel, {.kind = kernels::Work::elements, .count = count});
  return list.launches.front();
}

}  // namespace

KernelLaunch keys_kernel(const Keys& keys, const Pairs& pairs, unsigned most_blocks) {
  const std::int64_t row_length = keys.row_length > 0 ? keys.row_length : pairs.count;
  return launch_elements(KeysKernel{keys.in, keys.dtype, keys.descending, keys.plain, keys.bits, pairs.count,
                                    kernels::WideDivider(row_length), pairs.keys(), pairs.places()},
                         pairs.count, most_blocks);
}

KernelLaunch row_numbers_kernel(const Pairs& pairs, std::int64_t row_length, unsigned most_blocks) {
  return launch_elements(
      RowNumbersKernel{pairs.places(), pairs.keys(), pairs.count, kernels::WideDivider(row_length)},
      pairs.count, most_blocks);
}

KernelLaunch sorted_kernel(const tensor_work::Sort& sort, const Pairs& pairs, unsigned most_blocks) {
  return launch_elements(
      SortedKernel{sort.in, size_of(sort.dtype), sort.rows * sort.keep, sort.length,
                   kernels::WideDivider(sort.keep), pairs.places(), sort.values, sort.indices},
      sort.rows * sort.keep, most_blocks);
}

KernelLaunch starts_kernel(const Pairs& pairs, std::uint8_t* starts, unsigned most_blocks) {
  return launch_elements(StartsKernel{pairs.keys(), starts, pairs.count}, pairs.count, most_blocks);
}

KernelLaunch distinct_kernel(const tensor_work::Distinct& distinct, const Pairs& pairs,
                             const std::int64_t* starts, unsigned most_blocks) {
  return launch_elements(DistinctKernel{distinct.in, size_of(distinct.dtype), distinct.count, pairs.places(),
                                        starts, distinct.found, distinct.values, distinct.counts},
                         distinct.count, most_blocks);
}

KernelLaunch bins_kernel(const tensor_work::CountBins& bins, const Pairs& pairs, unsigned most_blocks) {
  return launch_elements(BinsKernel{pairs.keys(), bins.count, bins.bins, bins.out}, bins.bins, most_blocks);
}

}  // namespace glia::cuda
