// The kernels of what tensors compute, as launches: what cuda/kernels.h is for descriptors. Each list runs in its order.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cuda/algorithms.h>  // defines: Pairs
#include <cuda/kernels.h>     // defines: KernelLaunch
#include <glia/tensor_work.h>

#include <cstdint>

namespace glia::cuda {

KernelLaunch map_kernel(const tensor_work::Map& map, unsigned most_blocks);
KernelLaunch rearrange_kernel(const tensor_work::Rearrange& rearrange, unsigned most_blocks);

/// A fold goes in rounds: each folds pieces of the axis, whose results are the next round's axis. Lengths depend on the shape alone,
/// so bits repeat.
struct Rounds {
  explicit Rounds(std::int64_t before, std::int64_t length, std::int64_t after);

  bool by_rows;        ///< a warp folds neighbours; else a thread folds what is `after` apart
  std::int64_t piece;  ///< elements of a piece
  std::int64_t pieces(std::int64_t length) const { return length > piece ? (length + piece - 1) / piece : 1; }
};

/// What a round reads and writes: results of pieces (before, pieces, after), which are float64 or int64, or the last results.
struct Round {
  const void* partial;  ///< null in the first round
  std::int64_t length;  ///< of the axis now
  void* out;
  bool last;
};
KernelLaunch fold_kernel(const tensor_work::Fold& fold, const Rounds& rounds, const Round& round,
                         unsigned most_blocks);
KernelLaunch find_kernel(const tensor_work::Find& find, const Rounds& rounds, const Round& round,
                         unsigned most_blocks);

/// How elements become the keys that are sorted: unsigned integers in the order of the elements, of which `bits` can be set.
struct Keys {
  const void* in;
  DType dtype;
  bool descending;
  bool plain;               ///< integers that are not negative, as they are
  int bits;                 ///< of an element
  std::int64_t row_length;  ///< where not 0, the row's number stands above the element's bits
};
/// keys and places of pairs.count elements.
KernelLaunch keys_kernel(const Keys& keys, const Pairs& pairs, unsigned most_blocks);
/// keys = the number of the row that each place is in.
KernelLaunch row_numbers_kernel(const Pairs& pairs, std::int64_t row_length, unsigned most_blocks);
/// values and indices of the sort, from sorted places.
KernelLaunch sorted_kernel(const tensor_work::Sort& sort, const Pairs& pairs, unsigned most_blocks);
/// starts[i] = 1 where a key differs from the one before, else 0.
KernelLaunch starts_kernel(const Pairs& pairs, std::uint8_t* starts, unsigned most_blocks);
/// Values and counts, from the positions of the starts.
KernelLaunch distinct_kernel(const tensor_work::Distinct& distinct, const Pairs& pairs,
                             const std::int64_t* starts, unsigned most_blocks);
/// Counts, from sorted keys.
KernelLaunch bins_kernel(const tensor_work::CountBins& bins, const Pairs& pairs, unsigned most_blocks);

}  // namespace glia::cuda
