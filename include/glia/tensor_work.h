// TensorWork: what tensors on a GPU compute, as Backend::compute is asked for it. Plain structs over addresses on the device that
// say what, never how; host/tensor checks shapes and makes results before it asks.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/dtype.h>  // defines: DType
#include <glia/macros.h>

#include <cstdint>
#include <variant>

namespace GLIA_API glia {

namespace tensor_work {

/// What is read at i: element i % period of `data`, times `scale` where it is uint8; or `number`, where there are no data.
struct Operand {
  const void* data = nullptr;
  DType dtype = DType::float64;
  double scale = 1;
  std::int64_t period = 1;
  double number = 0;
  bool narrow = false;  ///< rounded to float32 as it is read
};

/// out[i] = function(a[i], b[i]), contiguous, for i of 0 .. count - 1.
struct Map {
  enum class Function {
    add,  ///< this and the next three: in float64, and rounded once
    subtract,
    multiply,
    divide,
    equal,  ///< this and the next five: 0 or 1
    not_equal,
    less,
    less_equal,
    greater,
    greater_equal,
    convert,         ///< a, as in C
    magnitude,       ///< of a
    round_to_parts,  ///< a to whole multiples of 1 / b, ties to even, in the dtype of `out`
    round_to_whole   ///< a to whole multiples of b, likewise
  };
  Function function;
  Operand a, b = {};
  bool integers = false;  ///< both are read as int64
  void* out;
  DType dtype;  ///< of `out`
  std::int64_t count;
};

/// *out = the first i of 0 .. count - 1 for which the test holds; `count` where it holds for none.
struct Find {
  enum class Test {
    differ,   ///< a[i] is not b[i]; NaN is NaN
    apart,    ///< |a[i] - b[i]| > atol + rtol |b[i]|, or only one of them is finite, or NaN
    outside,  ///< a[i] without its fraction is neither of least .. below `end`, nor of least_integer .. most_integer if `integers`
  };
  Test test;
  Operand a = {}, b = {};
  bool integers = false;  ///< both are read as int64
  double rtol = 0, atol = 0, least = 0, end = 0;
  std::int64_t least_integer = 0, most_integer = 0;
  std::int64_t count = 0;
  std::int64_t* out = nullptr;
};

/// out (before, after) = what becomes of in (before, length, after) along the middle axis. Sums add in float64, and those of a
/// single result exactly where elements have no more than 32 bits; the others take the first NaN where there is one, else the
/// first of equals.
struct Fold {
  enum class What { sum, least, most, index_of_least, index_of_most };
  What what;
  const void* in;
  DType dtype;
  std::int64_t before, length, after;
  double scale = 1, divisor = 1;  ///< of all but indices: times the one, divided by the other
  void* out;                      ///< float64; int64 for indices
};

/// out (rows, columns), contiguous, = in at rows and columns with strides of their own, in elements of 1, 4 or 8 bytes.
struct Rearrange {
  const void* in = nullptr;
  void* out = nullptr;
  std::int64_t element_bytes = 1;
  std::int64_t rows, columns, row_stride, column_stride;
  const std::int64_t* row_indices = nullptr;     ///< on the device; null: 0, 1, ...
  const std::int64_t* column_indices = nullptr;  ///< likewise
};

/// Each row of in (rows, length) in order, stable; NaN is the largest. Of each the first `keep`.
struct Sort {
  const void* in;
  DType dtype;
  std::int64_t rows, length, keep;
  bool descending = false;
  void* values = nullptr;           ///< (rows, keep) of the dtype, if wanted
  std::int64_t* indices = nullptr;  ///< (rows, keep), if wanted
};

/// The i of 0 .. count - 1 where mask[i] is not 0, in order, and how many they are.
struct Select {
  const std::uint8_t* mask;
  std::int64_t count;
  std::int64_t* indices;  ///< room for `count`
  std::int64_t* found;
};

/// Distinct elements, sorted, how often each occurs, and how many there are. NaN is the last.
struct Distinct {
  const void* in;
  DType dtype;
  std::int64_t count;
  bool descending = false;
  void* values;          ///< room for `count` of the dtype
  std::int64_t* counts;  ///< likewise
  std::int64_t* found;
};

/// out[b] = how often b occurs, for b of 0 .. bins - 1. Elements are integers of that range.
struct CountBins {
  const void* in;
  DType dtype;
  std::int64_t count, bins;
  std::int64_t* out;
};

}  // namespace tensor_work

struct TensorWork {
  std::variant<tensor_work::Map, tensor_work::Find, tensor_work::Fold, tensor_work::Rearrange,
               tensor_work::Sort, tensor_work::Select, tensor_work::Distinct, tensor_work::CountBins>
      what;
};

}  // namespace glia
