// A Block whose threads are fibres, cut in any way: blocks and groups of any size, in an order that a seed chooses. What
// a kernel assumes of its cut shows here.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <kernels/block.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <vector>

#include "tests/cuda_double/fibres.h"

namespace glia::testing {

/// What a kernel sees: thread `rank` of block `index` of `count`.
class FibreBlock {
 public:
  static constexpr int tile = 1;

  FibreBlock(Fibres& fibres, int rank, std::int64_t index, std::int64_t count)
      : fibres_(fibres), rank_(rank), index_(index), count_(count) {}

  std::int64_t index() const { return index_; }
  std::int64_t count() const { return count_; }
  std::int64_t rank() const { return rank_; }
  std::int64_t size() const { return fibres_.threads(); }
  std::int64_t lane() const { return rank_ % fibres_.lanes(); }
  std::int64_t lanes() const { return fibres_.lanes(); }
  std::int64_t group() const { return rank_ / fibres_.lanes(); }
  std::int64_t groups() const { return fibres_.threads() / fibres_.lanes(); }

  kernels::Range<std::int64_t> elements(std::int64_t n) const {
    return {index_ * size() + rank_, n, count_ * size()};
  }

  kernels::Range<std::int64_t> rows(std::int64_t n) const { return {index_, n, count_}; }
  kernels::Range<std::int64_t> group_rows(std::int64_t n) const {
    return {index_ * groups() + group(), n, count_ * groups()};
  }

  void sync() { fibres_.block_barrier(); }

  template <class T>
  T sum(T x) {
    fibres_.shared(rank_).number = static_cast<double>(x);
    sync();
    T total = 0;
    for (int r = 0; r < fibres_.threads(); ++r) total += static_cast<T>(fibres_.shared(r).number);
    sync();
    return total;
  }
  template <int most, int n>
  void sum_down(double (&x)[n], std::int64_t across) {
    for (double& number : x) {
      fibres_.shared(rank_).number = number;
      sync();
      number = 0;
      for (auto r = static_cast<int>(rank_ % across); r < fibres_.threads(); r += static_cast<int>(across))
        number += fibres_.shared(r).number;
      sync();
    }
  }
  template <int most, class T, int n>
  double sum_of(const T (&x)[n], std::int64_t across, std::int64_t i) {
    double all[n];
    for (int k = 0; k < n; ++k) all[k] = static_cast<double>(x[k]);
    sum_down<most>(all, across);
    return all[i];
  }
  template <class T>
  T group_sum(T x) {
    return over_group<T>(x, 0, [](const auto& slots) {
      T total = 0;
      for (const auto& slot : slots) total += static_cast<T>(slot.number);
      return total;
    });
  }
  template <class T>
  T group_max(T x) {
    return over_group<T>(x, 0, [](const auto& slots) {
      T greatest = static_cast<T>(slots[0].number);
      for (const auto& slot : slots) greatest = math::max_nan(greatest, static_cast<T>(slot.number));
      return greatest;
    });
  }
  template <class T>
  T group_get(T x, std::int64_t lane) {
    return over_group<T>(x, 0, [&](const auto& slots) {
      return static_cast<T>(slots[static_cast<std::size_t>(lane)].number);
    });
  }
  template <class T>
  std::int64_t group_first_max(T x, std::int64_t index) {
    return over_group<std::int64_t>(x, index, [](const auto& slots) {
      auto best = slots[0];
      for (const auto& slot : slots)
        if (slot.number > best.number || (slot.number == best.number && slot.index < best.index)) best = slot;
      return best.index;
    });
  }

 private:
  template <class Result, class T, class Reduce>
  Result over_group(T x, std::int64_t index, const Reduce& reduce) {
    fibres_.shared(rank_) = {static_cast<double>(x), index};
    fibres_.group_barrier();
    std::vector<Fibres::Slot> slots;
    const int first = static_cast<int>(group()) * fibres_.lanes();
    for (int r = first; r < first + fibres_.lanes(); ++r) slots.push_back(fibres_.shared(r));
    const Result result = reduce(slots);
    fibres_.group_barrier();
    return result;
  }

  Fibres& fibres_;
  int rank_;
  std::int64_t index_, count_;
};

/// Runs a kernel on `blocks` blocks of `threads` threads in groups of `lanes`, blocks and threads in an order
/// chosen by `seed`.
template <class Kernel>
void run_on_fibres(const Kernel& kernel, std::int64_t blocks, int threads, int lanes, std::uint64_t seed) {
  std::vector<std::int64_t> order(static_cast<std::size_t>(blocks));
  for (std::int64_t b = 0; b < blocks; ++b) order[static_cast<std::size_t>(b)] = b;
  std::mt19937_64 random(seed);
  std::shuffle(order.begin(), order.end(), random);
  Fibres fibres;
  for (const std::int64_t index : order) {
    fibres.run(threads, lanes, random, [&](int rank) {
      FibreBlock block(fibres, rank, index, blocks);
      kernel(block);
    });
  }
}

}  // namespace glia::testing
