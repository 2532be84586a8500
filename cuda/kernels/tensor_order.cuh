// What sorts, distinct values and counts of tensors need before and after CUB has sorted: keys, and results from them.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cuda/kernels/order.cuh>
#include <cuda/kernels/read.cuh>

#include <cstdint>

namespace glia::cuda {

struct KeysKernel {
  const void* in;
  DType dtype;
  bool descending, plain;
  int bits;
  std::int64_t count;
  kernels::WideDivider row_length;  ///< of one row: the count
  std::uint64_t* keys;
  std::int64_t* places;

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    const auto range = block.elements(count);
    for (std::int64_t i = range.begin; i < range.end; i += range.stride) {
      std::uint64_t key = plain ? static_cast<std::uint64_t>(integer_at(in, dtype, i)) : ordered_at(i);
      if (descending) key = ~key & (~std::uint64_t{0} >> (64 - bits));
      const auto row = static_cast<std::uint64_t>(row_length.quotient(i));
      keys[i] = row > 0 ? key | row << bits : key;
      places[i] = i;
    }
  }

 private:
  GLIA_HD std::uint64_t ordered_at(std::int64_t i) const {
    switch (dtype) {
      case DType::float32:
        return ordered(static_cast<const float*>(in)[i]);
      case DType::float64:
        return ordered(static_cast<const double*>(in)[i]);
      case DType::uint8:
        return ordered(static_cast<const std::uint8_t*>(in)[i]);
      case DType::int32:
        return ordered(static_cast<const std::int32_t*>(in)[i]);
      default:
        return ordered(static_cast<const std::int64_t*>(in)[i]);
    }
  }
};

struct RowNumbersKernel {
  const std::int64_t* places;
  std::uint64_t* keys;
  std::int64_t count;
  kernels::WideDivider row_length;

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    const auto range = block.elements(count);
    for (std::int64_t i = range.begin; i < range.end; i += range.stride)
      keys[i] = static_cast<std::uint64_t>(row_length.quotient(places[i]));
  }
};

/// Moves element `from` of in to place `to` of out.
GLIA_HD void move_element(const void* in, void* out, std::int64_t bytes, std::int64_t from, std::int64_t to) {
  switch (bytes) {
    case 1:
      static_cast<std::uint8_t*>(out)[to] = static_cast<const std::uint8_t*>(in)[from];
      break;
    case 4:
      static_cast<std::uint32_t*>(out)[to] = static_cast<const std::uint32_t*>(in)[from];
      break;
    default:
      static_cast<std::uint64_t*>(out)[to] = static_cast<const std::uint64_t*>(in)[from];
  }
}

struct SortedKernel {
  const void* in;
  std::int64_t element_bytes, results, row_length;
  kernels::WideDivider keep;
  const std::int64_t* places;
  void* values;
  std::int64_t* indices;

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    const auto range = block.elements(results);
    for (std::int64_t i = range.begin; i < range.end; i += range.stride) {
      const std::int64_t row = keep.quotient(i), column = i - row * keep.divisor();
      const std::int64_t place = places[row * row_length + column];
      if (values) move_element(in, values, element_bytes, place, i);
      if (indices) indices[i] = place - row * row_length;
    }
  }
};

struct StartsKernel {
  const std::uint64_t* keys;
  std::uint8_t* starts;
  std::int64_t count;

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    const auto range = block.elements(count);
    for (std::int64_t i = range.begin; i < range.end; i += range.stride)
      starts[i] = i == 0 || keys[i] != keys[i - 1];
  }
};

struct DistinctKernel {
  const void* in;
  std::int64_t element_bytes, count;
  const std::int64_t *places, *starts, *found;
  void* values;
  std::int64_t* counts;

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    const auto range = block.elements(*found);
    for (std::int64_t i = range.begin; i < range.end; i += range.stride) {
      const std::int64_t start = starts[i];
      move_element(in, values, element_bytes, places[start], i);
      counts[i] = (i + 1 < range.end ? starts[i + 1] : count) - start;
    }
  }
};

struct BinsKernel {
  const std::uint64_t* keys;
  std::int64_t count, bins;
  std::int64_t* out;

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    const auto range = block.elements(bins);
    for (std::int64_t i = range.begin; i < range.end; i += range.stride) {
      const auto bin = static_cast<std::uint64_t>(i);
      out[i] = first_at_least(bin + 1) - first_at_least(bin);
    }
  }

 private:
  GLIA_HD std::int64_t first_at_least(std::uint64_t key) const {
    std::int64_t first = 0, last = count;
    while (first < last) {
      const std::int64_t middle = first + (last - first) / 2;
      if (keys[middle] < key)
        first = middle + 1;
      else
        last = middle;
    }
    return first;
  }
};

}  // namespace glia::cuda
