// Runs a kernel for every cut of a launch: one thread a block, as the CPU runs it, and groups of 32 lanes in blocks of 32
// and 256 threads in any order, as a GPU does. Results must not depend on it.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>
#include <kernels/lower.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "tests/fibre_block.h"

namespace glia::testing {

/// One host allocation for each flat buffer, filled with numbers; results are read from there.
class Memories {
 public:
  Memories() {
    static const std::vector<char> numbers = exact_numbers();
    for (int b = 1; b < buffer_count; ++b) {
      bytes_[b] = numbers;
      bindings_.base[static_cast<std::size_t>(b)] = reinterpret_cast<std::byte*>(bytes_[b].data());
    }
    // The sources lie before the state.
    bindings_.state = reinterpret_cast<StepState*>(bytes_[static_cast<int>(Buffer::state)].data() + 256);
    *state() = StepState{};
  }

  StepState* state() { return bindings_.state; }
  const Bindings& bindings() const { return bindings_; }
  template <class T>
  T* at(const View& view) {
    return bindings_.address<T>(view);
  }

 private:
  /// A mebibyte of quarters between -2 and 2: exact in sums and products.
  static std::vector<char> exact_numbers() {
    std::vector<char> bytes(1 << 20);
    std::mt19937 random(7);
    for (std::size_t at = 0; at < bytes.size(); at += sizeof(float)) {
      const float number = static_cast<float>(static_cast<int>(random() % 17) - 8) / 4;
      std::memcpy(&bytes[at], &number, sizeof number);
    }
    return bytes;
  }

  std::vector<char> bytes_[buffer_count];
  Bindings bindings_;
};

inline View arena(const Shape& shape, std::int64_t offset, DType dtype = DType::float32) {
  return View::contiguous(Buffer::arena, dtype, shape, offset);
}

/// How a launch is cut: blocks, threads a block, lanes a group. Threads 0 means the CPU's SerialBlock.
struct Cut {
  std::int64_t blocks;
  int threads, lanes;
  std::uint64_t seed;
};

inline const Cut cuts[] = {{1, 0, 1, 0},   {3, 0, 1, 0},    {1, 1, 1, 1},    {2, 32, 32, 2},
                           {5, 32, 32, 3}, {1, 256, 32, 4}, {3, 256, 32, 5}, {3, 256, 32, 6}};

struct Launcher {
  const Cut& cut;
  template <class Kernel>
  void operator()(const Kernel& kernel, const kernels::Work& work) const {
    const std::int64_t blocks = work.kind == kernels::Work::exactly ? work.count : cut.blocks;
    if (cut.threads > 0) return run_on_fibres(kernel, blocks, cut.threads, cut.lanes, cut.seed);
    for (std::int64_t i = 0; i < blocks; ++i) {
      kernels::SerialBlock block(i, blocks);
      kernel(block);
    }
  }
};

/// Largest difference between two results, absolute below 1 and relative above; NaN equals NaN.
template <class T>
double largest_difference(const T* a, const T* b, std::int64_t n) {
  double largest = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    if (std::isnan(a[i]) && std::isnan(b[i])) continue;
    const double difference = std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i]));
    largest = std::max(largest, difference / (1 + std::abs(static_cast<double>(a[i]))));
    if (std::isnan(a[i]) != std::isnan(b[i])) return INFINITY;
  }
  return largest;
}

/// Runs `lower(memories, launch)` for every cut on fresh memory and compares `results` with those of the
/// first.
template <class Lower>
void expect_same_for_all_cuts(const std::vector<View>& results, double tolerance, const Lower& lower) {
  Memories reference;
  lower(reference, Launcher{cuts[0]});
  for (const Cut& cut : cuts) {
    SCOPED_TRACE(detail::concat(cut.blocks, " blocks of ", cut.threads, " threads, seed ", cut.seed));
    Memories memories;
    lower(memories, Launcher{cut});
    for (const View& view : results) {
      const std::int64_t n = view.elements();
      const double difference =
          view.dtype == DType::float64
              ? largest_difference(reference.at<double>(view), memories.at<double>(view), n)
              : largest_difference(reference.at<float>(view), memories.at<float>(view), n);
      EXPECT_LE(difference, tolerance);
    }
  }
}

}  // namespace glia::testing
