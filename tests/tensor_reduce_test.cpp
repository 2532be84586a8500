// Tensors: reductions and unique. Expected numbers are NumPy's.
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

TEST(TensorReduction, Of_the_whole_tensor) {
  const Tensor tensor{{3, -1, 2}, {0.5, 7, -4}};
  EXPECT_EQ(tensor.min(), -4);
  EXPECT_EQ(tensor.max(), 7);
  EXPECT_EQ(tensor.sum(), 7.5);
  EXPECT_EQ(tensor.mean(), 1.25);
  EXPECT_EQ(tensor.argmax(), 4);
  EXPECT_EQ(Tensor(std::vector<std::int32_t>{-5, -9}).max(), -5);
}

TEST(TensorReduction, Applies_the_scale_last_whatever_its_sign) {
  const std::vector<std::uint8_t> values{10, 0, 255, 4};
  const Tensor positive = scaled_bytes(values, 1.0 / 255), negative = scaled_bytes(values, -0.5);
  EXPECT_EQ(positive.min(), 0);
  EXPECT_EQ(positive.max(), 1);
  EXPECT_EQ(positive.argmax(), 2);
  EXPECT_EQ(positive.sum(), 269 / 255.0);
  EXPECT_EQ(negative.min(), -127.5);
  EXPECT_EQ(negative.max(), 0);
  EXPECT_EQ(negative.argmax(), 1);
  EXPECT_EQ(negative.mean(), -33.625);
  EXPECT_EQ(negative.min(0).item(), -127.5);
  EXPECT_EQ(negative.max(0).item(), 0);
  EXPECT_EQ(negative.argmax(0).item(), 1);
  EXPECT_EQ(negative.sum(0).item(), -134.5);
  EXPECT_EQ(negative.mean(0).item(), -33.625);
}

TEST(TensorReduction, Sums_in_double) {
  const std::int64_t count = 300007;  // enough for a sum in float32 to be visibly wrong
  EXPECT_NEAR(Tensor::full({count}, 0.1).sum(), count * static_cast<double>(0.1f), 1e-6);
  EXPECT_EQ(Tensor::full({count}, 16777217, DType::int32).sum(), 16777217.0 * count);
  EXPECT_EQ(Tensor::arange(8003).sum(), 8002.0 * 8003 / 2);
  EXPECT_EQ(Tensor::arange(8003, DType::int64).mean(), 4001);
}

TEST(TensorReduction, Along_an_axis) {
  const Tensor cube = (Tensor::arange(12) - 5).reshape({2, 3, 2});
  EXPECT_EQ(cube.sum(0).shape(), (Shape{3, 2}));
  EXPECT_EQ(cube.sum(0).dtype(), DType::float64);
  EXPECT_THAT(cube.sum(0).values(), ElementsAre(-4, -2, 0, 2, 4, 6));
  EXPECT_THAT(cube.sum(1).values(), ElementsAre(-9, -6, 9, 12));
  EXPECT_THAT(cube.mean(-1).values(), ElementsAre(-4.5, -2.5, -0.5, 1.5, 3.5, 5.5));
  EXPECT_THAT(cube.min(1).values(), ElementsAre(-5, -4, 1, 2));
  EXPECT_THAT(cube.max(-3).values(), ElementsAre(1, 2, 3, 4, 5, 6));
  EXPECT_EQ(Tensor({1, 2, 3}).max(0).shape(), Shape{});
  EXPECT_EQ(Tensor({1, 2, 3}).max(0).item(), 3);
}

TEST(TensorReduction, Argmax_takes_the_first_of_equals) {
  const Tensor tensor{{1, 9, 9}, {4, 4, 0}};
  EXPECT_EQ(tensor.argmax(1).dtype(), DType::int64);
  EXPECT_THAT(tensor.argmax(1).values(), ElementsAre(1, 0));
  EXPECT_THAT(tensor.argmax(-2).values(), ElementsAre(1, 0, 0));
  EXPECT_EQ(tensor.argmax(), 1);
}

TEST(TensorReduction, Nan_goes_through) {
  const Tensor tensor{{1, nan, 3}, {4, 5, nan}};
  EXPECT_TRUE(std::isnan(tensor.min()) && std::isnan(tensor.max()) && std::isnan(tensor.sum()) &&
              std::isnan(tensor.mean()));
  EXPECT_EQ(tensor.argmax(), 1);
  EXPECT_THAT(tensor.argmax(1).values(), ElementsAre(1, 2));
  EXPECT_THAT(tensor.argmax(0).values(), ElementsAre(1, 0, 1));
  const Tensor smallest = tensor.min(0), largest = tensor.max(0);
  for (const Tensor* result : {&smallest, &largest})
    EXPECT_TRUE(std::isnan((*result)(1)) && std::isnan((*result)(2)) && !std::isnan((*result)(0)));
  EXPECT_EQ(Tensor({nan, 2}).argmax(), 0);
  EXPECT_EQ(Tensor({infinity, -infinity}).min(), -infinity);
  EXPECT_EQ(Tensor({infinity, infinity}).min(0).item(), infinity);
}

TEST(TensorReduction, Of_no_elements) {
  const Tensor none = Tensor::zeros({0, 3});
  EXPECT_EQ(none.sum(), 0);
  EXPECT_TRUE(std::isnan(none.mean()));
  EXPECT_THAT(none.sum(0).values(), ElementsAre(0, 0, 0));
  EXPECT_TRUE(std::isnan(none.mean(0)(2)));
  EXPECT_EQ(none.max(1).shape(), Shape{0});
  EXPECT_THAT([&] { none.min(); }, ThrowsMessage<ShapeError>(AllOf(HasSubstr("min()"), HasSubstr("(0, 3)"))));
  EXPECT_THROW(none.max(0), ShapeError);
  EXPECT_THROW(none.argmax(), ShapeError);
  EXPECT_THROW(none.argmax(0), ShapeError);
}

TEST(TensorReduction, An_axis_that_is_not_there_is_refused) {
  EXPECT_THAT(
      [] {
        Tensor({{1, 2}}).mean(2);
      },
      ThrowsMessage<ShapeError>(AllOf(HasSubstr("mean() got axis 2"), HasSubstr("(1, 2) has 2 dimensions"))));
  EXPECT_THROW(Tensor({1}).argmax(-2), ShapeError);
  EXPECT_THROW(Tensor::full({}, 1).sum(0), ShapeError);
}

TEST(TensorUnique, Sorts_and_counts) {
  const Unique labels = Tensor(std::vector<std::int64_t>{3, -1, 3, 7, 3, -1}).unique();
  EXPECT_EQ(labels.values.dtype(), DType::int64);
  EXPECT_EQ(labels.counts.dtype(), DType::int64);
  EXPECT_THAT(labels.values.values(), ElementsAre(-1, 3, 7));
  EXPECT_THAT(labels.counts.values(), ElementsAre(2, 3, 1));
  EXPECT_TRUE(Tensor().unique().values.empty());
}

TEST(TensorUnique, Keeps_the_scale_and_the_order_of_bytes) {
  const Unique bytes = scaled_bytes({255, 0, 255, 9}, 0.5).unique();
  EXPECT_EQ(bytes.values.dtype(), DType::uint8);
  EXPECT_THAT(bytes.values.values(), ElementsAre(0, 4.5, 127.5));
  EXPECT_THAT(bytes.counts.values(), ElementsAre(1, 1, 2));
  EXPECT_THAT(scaled_bytes({1, 2, 1}, -1).unique().values.values(), ElementsAre(-2, -1));
}

TEST(TensorUnique, Counts_all_nan_as_one_value_at_the_end) {
  const Unique result = Tensor({nan, 2, nan, -infinity, 2}).unique();
  EXPECT_EQ(result.values.size(), 3);
  EXPECT_EQ(result.values(0), -infinity);
  EXPECT_TRUE(std::isnan(result.values(2)));
  EXPECT_THAT(result.counts.values(), ElementsAre(1, 2, 2));
}

}  // namespace
}  // namespace glia
