// From TensorWork to launches: rounds of folds, and what stands before and after CUB's algorithms.
// SPDX-License-Identifier: Apache-2.0
#include <cuda/algorithms.h>
#include <cuda/launch.h>
#include <cuda/tensor_kernels.h>
#include <cuda/tensor_work.h>
#include <glia/view.h>  // defines: align_up

#include <cstddef>
#include <memory>
#include <utility>
#include <variant>

namespace glia::cuda {
namespace {

using namespace tensor_work;

/// The least number of bits that holds 0 .. most.
int bits_of(std::int64_t most) {
  int bits = 1;
  while (most >> bits > 0) ++bits;
  return bits;
}

std::unique_ptr<Memory> numbers(Gpu& gpu, std::int64_t count) {
  return gpu.allocate(static_cast<std::size_t>(count) * sizeof(std::int64_t));
}

/// Launches `kernel(rounds, round)` round after round, until a piece is a whole axis.
template <class Kernel>
void run_rounds(Gpu& gpu, std::int64_t before, std::int64_t length, std::int64_t after, void* out,
                const Kernel& kernel) {
  const Rounds rounds(before, length, after);
  std::unique_ptr<Memory> partial;
  for (;;) {
    const std::int64_t pieces = rounds.pieces(length);
    const bool last = pieces == 1;
    std::unique_ptr<Memory> next = last ? nullptr : numbers(gpu, before * pieces * after);
    const Round round{partial ? partial->data() : nullptr, length, last ? out : next->data(), last};
    launch(kernel(rounds, round), gpu);
    if (last) return;
    partial = std::move(next);
    length = pieces;
  }
}

void run(Gpu& gpu, const Map& map) { launch(map_kernel(map, gpu.most_blocks()), gpu); }
void run(Gpu& gpu, const Rearrange& rearrange) {
  launch(rearrange_kernel(rearrange, gpu.most_blocks()), gpu);
}

void run(Gpu& gpu, const Find& find) {
  run_rounds(gpu, 1, find.count, 1, find.out, [&](const Rounds& rounds, const Round& round) {
    return find_kernel(find, rounds, round, gpu.most_blocks());
  });
}

void run(Gpu& gpu, const Fold& fold) {
  run_rounds(gpu, fold.before, fold.length, fold.after, fold.out,
             [&](const Rounds& rounds, const Round& round) {
               return fold_kernel(fold, rounds, round, gpu.most_blocks());
             });
}

/// Rows go into the keys, above their elements, where there is room for both; else a second sort brings together what the first has
/// mixed, and leaves the order within rows.
void run(Gpu& gpu, const Sort& sort) {
  Pairs pairs(gpu, sort.rows * sort.length);
  const int bits = static_cast<int>(8 * size_of(sort.dtype));
  const int row_bits = sort.rows > 1 ? bits_of(sort.rows - 1) : 0;
  const bool together = bits + row_bits <= 64;
  launch(keys_kernel({sort.in, sort.dtype, sort.descending, false, bits, together ? sort.length : 0}, pairs,
                     gpu.most_blocks()),
         gpu);
  cuda::sort(gpu, pairs, together ? bits + row_bits : bits);
  if (!together) {
    launch(row_numbers_kernel(pairs, sort.length, gpu.most_blocks()), gpu);
    cuda::sort(gpu, pairs, row_bits);
  }
  launch(sorted_kernel(sort, pairs, gpu.most_blocks()), gpu);
}

void run(Gpu& gpu, const Select& chosen) {
  select(gpu, chosen.mask, chosen.count, chosen.indices, chosen.found);
}

void run(Gpu& gpu, const Distinct& distinct) {
  Pairs pairs(gpu, distinct.count);
  const int bits = static_cast<int>(8 * size_of(distinct.dtype));
  launch(keys_kernel({distinct.in, distinct.dtype, distinct.descending, false, bits, 0}, pairs,
                     gpu.most_blocks()),
         gpu);
  cuda::sort(gpu, pairs, bits);
  const std::unique_ptr<Memory> flags = gpu.allocate(static_cast<std::size_t>(distinct.count));
  const std::unique_ptr<Memory> starts = numbers(gpu, distinct.count);
  auto* const flag = reinterpret_cast<std::uint8_t*>(flags->data());
  auto* const start = reinterpret_cast<std::int64_t*>(starts->data());
  launch(starts_kernel(pairs, flag, gpu.most_blocks()), gpu);
  select(gpu, flag, distinct.count, start, distinct.found);
  launch(distinct_kernel(distinct, pairs, start, gpu.most_blocks()), gpu);
}

/// Counts by sorting: few bits are set, and nothing is added in an order of chance.
void run(Gpu& gpu, const CountBins& bins) {
  Pairs pairs(gpu, bins.count);
  const int bits = bits_of(bins.bins - 1);
  launch(keys_kernel({bins.in, bins.dtype, false, true, bits, 0}, pairs, gpu.most_blocks()), gpu);
  cuda::sort(gpu, pairs, bits);
  launch(bins_kernel(bins, pairs, gpu.most_blocks()), gpu);
}

}  // namespace

Pairs::Pairs(Gpu& gpu, std::int64_t pairs) : count(pairs) {
  const std::int64_t piece = align_up(pairs * static_cast<std::int64_t>(sizeof(std::int64_t)));
  memory_ = gpu.allocate(static_cast<std::size_t>(4 * piece));
  for (int half = 0; half < 2; ++half) {
    keys_[half] = reinterpret_cast<std::uint64_t*>(memory_->data() + half * piece);
    places_[half] = reinterpret_cast<std::int64_t*>(memory_->data() + (2 + half) * piece);
  }
}

void compute(Gpu& gpu, const TensorWork& work) {
  std::visit([&](const auto& what) { run(gpu, what); }, work.what);
}

}  // namespace glia::cuda
