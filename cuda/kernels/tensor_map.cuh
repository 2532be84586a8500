// What tensors compute element by element, and where their elements go.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cuda/kernels/read.cuh>

#include <cmath>
#include <cstdint>

namespace glia::cuda {

using tensor_work::Map;

struct TensorMapKernel {
  Reading a, b;
  Map::Function function;
  bool integers;
  DType dtype;
  void* out;
  std::int64_t count;

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    const auto range = block.elements(count);
    for (std::int64_t i = range.begin; i < range.end; i += range.stride)
      integers ? store_integer(i) : store_number(i, number(i));
  }

 private:
  template <class T>
  GLIA_HD void put(std::int64_t i, T value) const {
    switch (dtype) {
      case DType::float32:
        static_cast<float*>(out)[i] = static_cast<float>(value);
        break;
      case DType::float64:
        static_cast<double*>(out)[i] = static_cast<double>(value);
        break;
      case DType::uint8:
        static_cast<std::uint8_t*>(out)[i] = static_cast<std::uint8_t>(value);
        break;
      case DType::int32:
        static_cast<std::int32_t*>(out)[i] = static_cast<std::int32_t>(value);
        break;
      default:
        static_cast<std::int64_t*>(out)[i] = static_cast<std::int64_t>(value);
    }
  }
  GLIA_HD void store_number(std::int64_t i, double value) const { put(i, value); }

  GLIA_HD void store_integer(std::int64_t i) const {
    const std::int64_t x = a.integer(i);
    if (function == Map::Function::convert)
      put(i, x);
    else if (function == Map::Function::magnitude)
      put(i, x < 0 ? -x : x);
    else
      put(i, compared(x, b.integer(i)));
  }

  template <class T>
  GLIA_HD std::int64_t compared(T x, T y) const {
    switch (function) {
      case Map::Function::equal:
        return x == y;
      case Map::Function::not_equal:
        return x != y;
      case Map::Function::less:
        return x < y;
      case Map::Function::less_equal:
        return x <= y;
      case Map::Function::greater:
        return x > y;
      default:
        return x >= y;
    }
  }

  GLIA_HD double number(std::int64_t i) const {
    const double x = a.number(i);
    switch (function) {
      case Map::Function::add:
        return x + b.number(i);
      case Map::Function::subtract:
        return x - b.number(i);
      case Map::Function::multiply:
        return product(x, b.number(i));
      case Map::Function::divide:
        return x / b.number(i);
      case Map::Function::convert:
        return x;
      case Map::Function::magnitude:
        return std::fabs(x);
      case Map::Function::round_to_parts: {
        const double parts = b.number(i), shifted = rounded_as_out(product(x, parts));
        // Where the product overflows, the value has no digits that far behind the point.
        return std::fabs(shifted) <= 1.7976931348623157e308 ? std::nearbyint(shifted) / parts : x;
      }
      case Map::Function::round_to_whole: {
        const double step = b.number(i);
        return product(std::nearbyint(rounded_as_out(x / step)), step);
      }
      default:
        return static_cast<double>(compared(x, b.number(i)));
    }
  }
  GLIA_HD double rounded_as_out(double value) const {
    return dtype == DType::float32 ? static_cast<double>(static_cast<float>(value)) : value;
  }
};

/// Elements of 16 bytes are several of a tensor's.
struct alignas(16) Sixteen {
  std::uint64_t halves[2];
};

template <class T>
struct RearrangeKernel {
  const T* in;
  T* out;
  std::int64_t elements, row_stride, column_stride;
  kernels::WideDivider columns;
  const std::int64_t *row_indices, *column_indices;

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    const auto range = block.elements(elements);
    for (std::int64_t i = range.begin; i < range.end; i += range.stride) {
      const std::int64_t row = columns.quotient(i), column = i - row * columns.divisor();
      const std::int64_t from_row = row_indices ? row_indices[row] : row;
      const std::int64_t from_column = column_indices ? column_indices[column] : column;
      out[i] = in[from_row * row_stride + from_column * column_stride];
    }
  }
};

}  // namespace glia::cuda
