// Tensors of every dtype with what is hard in them, on the device of a suite: what tests of computing tensors have in common.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/tensor.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "tests/devices.h"

namespace glia::test {

inline std::vector<DType> all_dtypes() {
  return {DType::float32, DType::float64, DType::uint8, DType::int32, DType::int64};
}

inline std::vector<Shape> odd_shapes() {
  return {{0}, {1}, {31}, {8003}, {31, 3}, {3, 31}, {1, 8003}, {2667, 3}, {5, 7, 31}, {0, 3}, {3, 0}};
}

/// What a case of a sample has beside equal elements, zeros of both signs and, where there are, negative numbers.
enum class With { numbers, nan };

/// On the CPU; the same in every run. Floating ones are quarters, so that sums are exact.
inline Tensor sample(DType dtype, const Shape& shape, With with = With::numbers, std::uint32_t seed = 1) {
  Tensor result = Tensor::uninitialized(shape, dtype);
  visit_dtype(dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    T* const out = result.data<T>();
    std::uint32_t state = seed * 2654435761u;
    for (std::int64_t i = 0; i < result.size(); ++i) {
      state = state * 1664525u + 1013904223u;
      const int draw = static_cast<int>(state >> 20);  // 0 to 4095
      if constexpr (std::is_floating_point_v<T>) {
        out[i] = draw % 17 == 0 ? static_cast<T>(-0.0) : static_cast<T>((draw - 2048) / 4 * 0.25);
        if (with == With::nan && draw % 29 == 0)  // of both signs
          out[i] = draw % 2 == 0 ? std::numeric_limits<T>::quiet_NaN() : -std::numeric_limits<T>::quiet_NaN();
        if (with == With::nan && draw % 97 == 0) out[i] = std::numeric_limits<T>::infinity();
      } else if constexpr (std::is_same_v<T, std::uint8_t>) {
        out[i] = static_cast<T>(draw);
      } else {
        out[i] = static_cast<T>((draw - 2048) * (sizeof(T) == 8 ? (std::int64_t{1} << 40) + 1 : 1003));
      }
    }
  });
  return result;
}

/// Every sample there is: of each dtype, plain and with NaN, and bytes that are scaled either way.
template <class Use>
void for_samples(const Shape& shape, const Use& use) {
  for (const DType dtype : all_dtypes()) {
    SCOPED_TRACE(::testing::Message() << dtype << " of shape " << shape);
    use(sample(dtype, shape));
    if (is_floating(dtype)) use(sample(dtype, shape, With::nan));
    if (dtype != DType::uint8) continue;
    for (const double scale : {1.0 / 255, -0.5}) {
      SCOPED_TRACE(scale);
      Tensor scaled = sample(dtype, shape);
      scaled.set_scale(scale);
      use(scaled);
    }
  }
}

/// A suite over devices that computes on each, and compares with the CPU.
class TensorTest : public DeviceTest {
 protected:
  Tensor there(const Tensor& tensor) { return tensor.to(context()); }

  /// That `got` lies on the device of the suite, and is `expected`: the same dtype, shape, scale and numbers.
  void expect_same(const Tensor& got, const Tensor& expected) const {
    EXPECT_TRUE(got.device() == current_device()) << got.device();
    const Tensor here = got.to(Device::cpu());
    EXPECT_EQ(here.dtype(), expected.dtype());
    EXPECT_EQ(here.shape(), expected.shape());
    EXPECT_EQ(here.scale(), expected.scale());
    EXPECT_TRUE(array_equal(here, expected)) << here << "\ninstead of\n" << expected;
  }
};

/// The rows of the last axis, as lists of numbers.
inline std::vector<std::vector<double>> rows_of_last_axis(const Tensor& tensor) {
  const std::vector<double> values = tensor.values();
  std::vector<std::vector<double>> rows;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (i % static_cast<std::size_t>(tensor.shape().back()) == 0) rows.emplace_back();
    rows.back().push_back(values[i]);
  }
  return rows;
}

}  // namespace glia::test
