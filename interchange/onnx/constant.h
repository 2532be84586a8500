// Constants of an ONNX graph: weights, which stay where the file holds them until they are asked for, and small ones that were
// computed while the graph was read.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <format.pb.h>
#include <glia/tensor.h>

#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <vector>

namespace glia::onnx {

using Integers = std::vector<std::int64_t>;

/// By the numbers that ONNX gives them.
enum class ElementType {
  none = 0,
  float32 = 1,
  uint8 = 2,
  int8 = 3,
  uint16 = 4,
  int16 = 5,
  int32 = 6,
  int64 = 7,
  text = 8,
  boolean = 9,
  float16 = 10,
  float64 = 11,
  uint32 = 12,
  uint64 = 13,
  bfloat16 = 16
};

/// Stands among integers where the rows of a batch are counted, which no file knows.
constexpr std::int64_t any_rows = std::numeric_limits<std::int64_t>::min();

class Constant {
 public:
  /// One of the file, which must live on. Throws ValueError for elements that are elsewhere, are of a type that is no number, or are
  /// not as many as its dimensions say.
  explicit Constant(const format::Tensor& tensor);
  Constant(const Integers& dims, const Integers& integers);
  Constant(const Integers& dims, std::vector<double> reals);

  const Integers& dims() const { return dims_; }
  int rank() const { return static_cast<int>(dims_.size()); }
  std::int64_t elements() const { return elements_; }
  bool is_integer() const;
  /// Copies. Integers throws ValueError for numbers that are none, and for more than a shape has; any_rows may be among them.
  Integers integers() const;
  std::vector<double> reals() const;
  std::vector<float> floats() const;
  /// The only element; throws ValueError where there is not just one.
  double number() const;
  bool is_number() const { return elements_ == 1; }

  /// The same elements, of other dimensions, as many. Throws ValueError.
  Constant with_dims(const Integers& dims) const;

 private:
  template <class T, class Put>
  void each(Put&& put) const;
  void check_file() const;
  std::int64_t stored() const;

  Integers dims_;
  std::int64_t elements_ = 1;
  const format::Tensor* tensor_ = nullptr;  // of the file, or null
  std::vector<double> reals_;               // else
  Integers integers_;
  bool is_integer_ = false;
};

/// The product of dimensions. Throws ValueError for one below 0, and where 48 bits do not hold it.
std::int64_t elements_of(const Integers& dims);
/// "(2, any, 3)".
std::string text_of(const Integers& dims);
/// Elements with their axes in another order.
std::vector<float> permuted(const std::vector<float>& values, const Integers& dims,
                            const std::vector<int>& order);
/// A constant's, of which no copy in its own order is left.
std::vector<float> permuted(const Constant& constant, const Integers& dims, const std::vector<int>& order);

}  // namespace glia::onnx
