// Tensors: rounding, arithmetic, comparison, equality. Expected numbers are NumPy's.
// SPDX-License-Identifier: Apache-2.0
#include <glia/tensor.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/tensor_values.h"

namespace glia {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

using testing::infinity;
using testing::nan;
using testing::scaled_bytes;

TEST(TensorRound, Takes_ties_to_even) {
  EXPECT_THAT(Tensor({0.5, 1.5, 2.5, -0.5, -1.5, 2.4}).round().values(), ElementsAre(0, 2, 2, 0, -2, 2));
  EXPECT_TRUE(std::signbit(Tensor({-0.5}).round()(0)));
  EXPECT_THAT(Tensor(std::vector<double>{0.125, 2.345, -1.005}).round(2).values(),
              ElementsAre(0.12, 2.35, -1.0));
  EXPECT_THAT(Tensor({2.675, 0.145}).round(2).values(), ElementsAre(2.68f, 0.14f));  // in float32, as NumPy
  EXPECT_THAT(Tensor({1250, 1350, -49}).round(-2).values(), ElementsAre(1200, 1400, 0));
}

TEST(TensorRound, Keeps_what_has_no_such_digits) {
  const Tensor extremes(std::vector<double>{1e300, infinity, -3.7});
  EXPECT_THAT(extremes.round(10).values(), ElementsAre(1e300, infinity, -3.7));
  EXPECT_THAT(extremes.round(400).values(), ElementsAre(1e300, infinity, -3.7));
  EXPECT_THAT(Tensor({3.7, -1e30}).round(-400).values(), ElementsAre(0, 0));
  EXPECT_TRUE(std::isnan(Tensor({nan}).round(2)(0)));
  const Tensor integers = Tensor(std::vector<std::int32_t>{149}).round(-2);
  EXPECT_EQ(integers.dtype(), DType::int32);
  EXPECT_EQ(integers.item(), 149);
  EXPECT_THAT(scaled_bytes({1, 2, 3}, 0.3).round().values(), ElementsAre(0, 1, 1));
}

TEST(TensorAbs, Drops_the_sign) {
  EXPECT_THAT(Tensor({-1.5, 2, -infinity}).abs().values(), ElementsAre(1.5, 2, infinity));
  const Tensor integers = Tensor(std::vector<std::int64_t>{-3, 4}).abs();
  EXPECT_EQ(integers.dtype(), DType::int64);
  EXPECT_THAT(integers.values(), ElementsAre(3, 4));
  EXPECT_THAT(Tensor(std::vector<std::int32_t>{-3}).abs().values(), ElementsAre(3));
  EXPECT_EQ(Tensor::arange(2, DType::uint8).abs().dtype(), DType::uint8);
  EXPECT_THAT(scaled_bytes({2}, -0.5).abs().values(), ElementsAre(1));
  EXPECT_THAT([] { Tensor(std::vector<std::int32_t>{std::numeric_limits<std::int32_t>::min()}).abs(); },
              ThrowsMessage<ValueError>(HasSubstr("-2147483648")));
}

TEST(TensorArithmetic, Of_equal_shapes) {
  const Tensor a{{1, 2}, {3, 4}}, b{{10, 20}, {30, 50}};
  EXPECT_THAT((a + b).values(), ElementsAre(11, 22, 33, 54));
  EXPECT_THAT((a - b).values(), ElementsAre(-9, -18, -27, -46));
  EXPECT_THAT((a * b).values(), ElementsAre(10, 40, 90, 200));
  EXPECT_THAT((b / a).values(), ElementsAre(10, 10, 10, 12.5));
  EXPECT_THAT((-a).values(), ElementsAre(-1, -2, -3, -4));
  EXPECT_EQ((a + b).shape(), (Shape{2, 2}));
  EXPECT_EQ((Tensor() + Tensor()).shape(), Shape{0});
}

TEST(TensorArithmetic, With_a_number_on_either_side) {
  const Tensor a{1, 2, 4};
  EXPECT_THAT((a + 1).values(), ElementsAre(2, 3, 5));
  EXPECT_THAT((a - 1).values(), ElementsAre(0, 1, 3));
  EXPECT_THAT((a * 3).values(), ElementsAre(3, 6, 12));
  EXPECT_THAT((a / 2).values(), ElementsAre(0.5, 1, 2));
  EXPECT_THAT((1 + a).values(), ElementsAre(2, 3, 5));
  EXPECT_THAT((1 - a).values(), ElementsAre(0, -1, -3));
  EXPECT_THAT((3 * a).values(), ElementsAre(3, 6, 12));
  EXPECT_THAT((8 / a).values(), ElementsAre(8, 4, 2));
}

TEST(TensorArithmetic, Repeats_a_row_and_a_scalar) {
  const Tensor table = Tensor::arange(6).reshape({3, 2}), row{10, 100};
  EXPECT_THAT((table + row).values(), ElementsAre(10, 101, 12, 103, 14, 105));
  EXPECT_THAT((row - table).values(), ElementsAre(10, 99, 8, 97, 6, 95));
  EXPECT_EQ((row - table).shape(), (Shape{3, 2}));
  EXPECT_THAT((table > row.row(0) - 7).values(), ElementsAre(0, 0, 0, 0, 1, 1));
  EXPECT_EQ((Tensor::zeros({0, 2}) * row).shape(), (Shape{0, 2}));
  const Tensor cube = Tensor::ones({2, 3, 2}) * row;
  EXPECT_EQ(cube(1, 2, 1), 100);
}

TEST(TensorArithmetic, Repeats_a_row_across_long_tensors) {
  const Tensor table = Tensor::zeros({301, 7}), row = Tensor::arange(7);
  const Tensor sum = table + row;
  for (std::int64_t i = 0; i < 301; ++i)
    for (std::int64_t j = 0; j < 7; ++j) ASSERT_EQ(sum(i, j), j) << i;
}

TEST(TensorArithmetic, Shapes_that_do_not_fit_are_refused) {
  EXPECT_THAT(
      [] {
        Tensor({1, 2}) + Tensor({1, 2, 3});
      },
      ThrowsMessage<ShapeError>(
          AllOf(HasSubstr("+ got shapes (2,) and (3,)"), HasSubstr("(rows, n) with (n,)"))));
  EXPECT_THROW(Tensor::ones({2, 3}) * Tensor::ones({2}), ShapeError);
  EXPECT_THROW(static_cast<void>(Tensor::ones({2, 3}) == Tensor::ones({3, 2})), ShapeError);
}

TEST(TensorArithmetic, Gives_float32_unless_one_side_is_float64) {
  const Tensor f4 = Tensor::ones({1}), f8 = Tensor::ones({1}, DType::float64),
               i8 = Tensor::ones({1}, DType::int64);
  EXPECT_EQ((f4 + f8).dtype(), DType::float64);
  EXPECT_EQ((f8 * 2).dtype(), DType::float64);
  EXPECT_EQ((i8 + i8).dtype(), DType::float32);
  EXPECT_EQ((f4 / 3).dtype(), DType::float32);
  EXPECT_EQ((f4 / 3)(0), 1.0f / 3);
  EXPECT_EQ((f8 / 3)(0), 1.0 / 3);
  EXPECT_EQ((Tensor({3}) * 0.1)(0), 3.0f * 0.1f);
}

TEST(TensorArithmetic, Applies_the_scale_and_lets_nan_through) {
  const Tensor bytes = scaled_bytes({0, 51, 255}, 1.0 / 255);
  EXPECT_THAT((bytes * 10).values(), ElementsAre(0, 2, 10));
  EXPECT_EQ((bytes + bytes).dtype(), DType::float32);
  const Tensor quotient = Tensor({1, 0, -1}) / Tensor({0, 0, 0});
  EXPECT_EQ(quotient(0), infinity);
  EXPECT_TRUE(std::isnan(quotient(1)));
  EXPECT_EQ(quotient(2), -infinity);
  EXPECT_TRUE(std::signbit((-Tensor({0}))(0)));
}

TEST(TensorComparison, Gives_zeros_and_ones) {
  const Tensor a{1, 2, 3}, b{3, 2, 1};
  EXPECT_EQ((a == b).dtype(), DType::uint8);
  EXPECT_THAT((a == b).values(), ElementsAre(0, 1, 0));
  EXPECT_THAT((a != b).values(), ElementsAre(1, 0, 1));
  EXPECT_THAT((a < b).values(), ElementsAre(1, 0, 0));
  EXPECT_THAT((a <= b).values(), ElementsAre(1, 1, 0));
  EXPECT_THAT((a > b).values(), ElementsAre(0, 0, 1));
  EXPECT_THAT((a >= b).values(), ElementsAre(0, 1, 1));
  EXPECT_THAT((a == 2).values(), ElementsAre(0, 1, 0));
  EXPECT_THAT((a != 2).values(), ElementsAre(1, 0, 1));
  EXPECT_THAT((a < 2).values(), ElementsAre(1, 0, 0));
  EXPECT_THAT((a <= 2).values(), ElementsAre(1, 1, 0));
  EXPECT_THAT((a > 2).values(), ElementsAre(0, 0, 1));
  EXPECT_THAT((a >= 2).values(), ElementsAre(0, 1, 1));
}

TEST(TensorComparison, Nan_equals_nothing) {
  const Tensor a{nan};
  EXPECT_EQ((a == a).item(), 0);
  EXPECT_EQ((a != a).item(), 1);
  EXPECT_EQ((a < 1).item() + (a >= 1).item(), 0);
}

TEST(TensorComparison, Meets_numbers_in_the_tensors_own_precision) {
  EXPECT_EQ((Tensor({0.1}) == 0.1).item(), 1);
  EXPECT_EQ((Tensor(std::vector<double>{0.1}) == 0.1f).item(), 0);
  std::vector<std::uint8_t> all(256);
  for (int i = 0; i < 256; ++i) all[static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(i);
  const Tensor bytes = scaled_bytes(all, 1.0 / 255);
  for (int i = 0; i < 256; ++i) ASSERT_EQ((bytes == i / 255.0).sum(), 1) << i;
  EXPECT_TRUE(array_equal(bytes, bytes.cast(DType::float32)));
  EXPECT_TRUE(array_equal(bytes, bytes.cast(DType::float64)));
}

TEST(TensorComparison, Of_integers_is_exact) {
  const std::int64_t large = std::int64_t{1} << 60;
  const Tensor a(std::vector<std::int64_t>{large}), b(std::vector<std::int64_t>{large + 1});
  EXPECT_EQ((a == b).item(), 0);
  EXPECT_EQ((a < b).item(), 1);
  EXPECT_FALSE(array_equal(a, b));
}

TEST(TensorEquality, Array_equal_compares_shapes_and_every_element) {
  EXPECT_TRUE(array_equal(Tensor({1, nan, -infinity}), Tensor({1, nan, -infinity})));
  EXPECT_FALSE(array_equal(Tensor({1, nan}), Tensor({nan, 1})));
  EXPECT_FALSE(array_equal(Tensor({1, 2}), Tensor({{1, 2}})));
  EXPECT_TRUE(array_equal(Tensor({1, 2}), Tensor(std::vector<std::int32_t>{1, 2})));
  EXPECT_TRUE(array_equal(Tensor(), Tensor()));
  Tensor a = Tensor::zeros({1027}), b = Tensor::zeros({1027});
  EXPECT_TRUE(array_equal(a, b));
  b.set({-1}, 1e-30);
  EXPECT_FALSE(array_equal(a, b));
}

TEST(TensorEquality, All_close_allows_relative_and_absolute_differences) {
  EXPECT_TRUE(all_close(Tensor({1, 100}), Tensor({1.000005, 100.0005})));
  EXPECT_FALSE(all_close(Tensor({1}), Tensor({1.0001})));
  EXPECT_TRUE(all_close(Tensor({1}), Tensor({1.0001}), 1e-3));
  EXPECT_TRUE(all_close(Tensor({0}), Tensor({0.01}), 0, 0.02));
  EXPECT_TRUE(all_close(Tensor({10}), Tensor({9}), 0.12, 0));
  EXPECT_FALSE(all_close(Tensor({9}), Tensor({10}), 0.099, 0));
  EXPECT_FALSE(all_close(Tensor({1}), Tensor({{1}})));
}

TEST(TensorEquality, All_close_knows_no_nan_and_infinity_only_as_itself) {
  EXPECT_FALSE(all_close(Tensor({nan}), Tensor({nan})));
  EXPECT_TRUE(all_close(Tensor({infinity}), Tensor({infinity})));
  EXPECT_FALSE(all_close(Tensor({infinity}), Tensor({-infinity})));
  EXPECT_FALSE(all_close(Tensor({1}), Tensor({infinity})));
  EXPECT_FALSE(all_close(Tensor({infinity}), Tensor({1})));
}

}  // namespace
}  // namespace glia
