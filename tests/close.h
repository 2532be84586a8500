// Comparison of tensors in tests: where two differ, the message names the worst element.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/tensor.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

namespace glia::test {

/// What |got - expected| may be: relative * |expected| + absolute + scaled * (the largest |expected|). The
/// last is for sums whose terms cancel: their rounding is in proportion to the terms, not to what is left.
struct Tolerance {
  double relative = 0;
  double absolute = 0;
  double scaled = 0;
};

/// Of the golden values: Keras's formulas to 1e-5 in float32, and to 1e-9 in float64.
inline Tolerance golden_tolerance(DType dtype) {
  return dtype == DType::float64 ? Tolerance{.relative = 1e-9, .scaled = 1e-10}
                                 : Tolerance{.relative = 1e-5, .scaled = 1e-6};
}

/// "(1, 2)" of element number `flat` of a row-major tensor.
inline Shape index_of(std::int64_t flat, const Shape& shape) {
  Shape index = shape;
  for (int axis = shape.rank() - 1; axis >= 0; --axis) {
    index[axis] = flat % shape[axis];
    flat /= shape[axis];
  }
  return index;
}

/// Whether every element is within tolerance; a NaN is close to nothing.
inline ::testing::AssertionResult close(const std::vector<double>& got, const std::vector<double>& expected,
                                        const Shape& shape, const Tolerance& tolerance) {
  double largest = 0;
  for (double value : expected) largest = std::max(largest, std::fabs(value));
  std::size_t worst = 0, outside = 0;
  double worst_excess = -1, worst_allowed = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const double allowed =
        tolerance.relative * std::fabs(expected[i]) + tolerance.absolute + tolerance.scaled * largest;
    const double error = std::fabs(got[i] - expected[i]);
    const double excess = std::isnan(error) ? INFINITY : error / std::max(allowed, 1e-300);
    outside += !(error <= allowed);
    if (excess > worst_excess) worst = i, worst_excess = excess, worst_allowed = allowed;
  }
  if (outside == 0) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure()
         << outside << " of " << expected.size() << " elements of " << shape << " differ; worst at "
         << index_of(static_cast<std::int64_t>(worst), shape) << ": got "
         << ::testing::PrintToString(got[worst]) << ", expected " << ::testing::PrintToString(expected[worst])
         << ", difference " << std::fabs(got[worst] - expected[worst]) << ", allowed " << worst_allowed;
}

inline ::testing::AssertionResult close(const Tensor& got, const Tensor& expected,
                                        const Tolerance& tolerance) {
  if (got.shape() != expected.shape())
    return ::testing::AssertionFailure() << "got shape " << got.shape() << ", expected " << expected.shape();
  return close(got.values(), expected.values(), expected.shape(), tolerance);
}

inline ::testing::AssertionResult close(double got, double expected, const Tolerance& tolerance) {
  return close(std::vector<double>{got}, std::vector<double>{expected}, Shape{}, tolerance);
}

/// Weights or gradients, one by one.
inline ::testing::AssertionResult close(const std::vector<Tensor>& got, const std::vector<Tensor>& expected,
                                        const Tolerance& tolerance) {
  if (got.size() != expected.size())
    return ::testing::AssertionFailure() << "got " << got.size() << " tensors, expected " << expected.size();
  for (std::size_t i = 0; i < expected.size(); ++i)
    if (const auto result = close(got[i], expected[i], tolerance); !result)
      return ::testing::AssertionFailure() << "tensor " << i << ": " << result.message();
  return ::testing::AssertionSuccess();
}

}  // namespace glia::test
