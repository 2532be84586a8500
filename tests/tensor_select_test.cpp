// Tensors: rows, columns, masks, reshape, transpose, concatenate.
// SPDX-License-Identifier: Apache-2.0
#include <glia/tensor.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace glia {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

/// 0 .. 11 as (4, 3), scaled by 2.
Tensor table() {
  Tensor result = Tensor::arange(12, DType::uint8).reshape({4, 3});
  result.set_scale(2);
  return result;
}

TEST(TensorRows, A_range_is_a_copy_with_dtype_and_scale) {
  const Tensor tensor = table();
  const Tensor middle = tensor.rows(1, 3);
  EXPECT_EQ(middle.shape(), (Shape{2, 3}));
  EXPECT_EQ(middle.dtype(), DType::uint8);
  EXPECT_THAT(middle.values(), ElementsAre(6, 8, 10, 12, 14, 16));
  EXPECT_THAT(tensor.rows(-1, 4).values(), ElementsAre(18, 20, 22));
  EXPECT_THAT(tensor.rows(0, -3).values(), ElementsAre(0, 2, 4));
  EXPECT_EQ(tensor.rows(4, 4).shape(), (Shape{0, 3}));
  EXPECT_EQ(tensor.rows(3, 1).shape(), (Shape{0, 3}));
}

TEST(TensorRows, A_range_outside_the_tensor_is_refused) {
  EXPECT_THAT([] { table().rows(2, 5); },
              ThrowsMessage<ShapeError>(AllOf(HasSubstr("range 2 to 5"), HasSubstr("-4 to 4"))));
  EXPECT_THROW(table().rows(-5, 2), ShapeError);
  EXPECT_THROW(Tensor::full({}, 1).rows(0, 1), ShapeError);
}

TEST(TensorRows, Indices_pick_repeat_and_reorder) {
  const Tensor picked = table().rows({3, 0, -1});
  EXPECT_EQ(picked.shape(), (Shape{3, 3}));
  EXPECT_THAT(picked.values(), ElementsAre(18, 20, 22, 0, 2, 4, 18, 20, 22));
  EXPECT_EQ(table().rows(std::vector<std::int64_t>{}).shape(), (Shape{0, 3}));
  EXPECT_THAT(
      [] {
        table().rows({0, 4});
      },
      ThrowsMessage<ShapeError>(HasSubstr("index 4 is out of range for axis 0")));
}

TEST(TensorRows, One_row_loses_its_first_dimension) {
  const Tensor row = table().row(-3);
  EXPECT_EQ(row.shape(), Shape{3});
  EXPECT_THAT(row.values(), ElementsAre(6, 8, 10));
  EXPECT_EQ(Tensor({5, 6}).row(1).shape(), Shape{});
  EXPECT_EQ(Tensor({5, 6}).row(1).item(), 6);
  EXPECT_THROW(table().row(4), ShapeError);
  EXPECT_THROW(Tensor().row(0), ShapeError);
}

TEST(TensorRows, Where_keeps_the_rows_of_a_mask) {
  const Tensor tensor = table();
  EXPECT_THAT(tensor.where(tensor.column(0) >= 12).values(), ElementsAre(12, 14, 16, 18, 20, 22));
  EXPECT_EQ(tensor.where(Tensor::zeros({4, 1}, DType::uint8)).shape(), (Shape{0, 3}));
  EXPECT_THAT([&] { tensor.where(Tensor::ones({4})); }, ThrowsMessage<ValueError>(HasSubstr("float32")));
  EXPECT_THAT([&] { tensor.where(Tensor::ones({3}, DType::uint8)); },
              ThrowsMessage<ShapeError>(AllOf(HasSubstr("(3,)"), HasSubstr("4 rows"))));
}

TEST(TensorColumns, Are_taken_along_the_last_axis) {
  const Tensor tensor = table();
  EXPECT_EQ(tensor.columns(1, 3).shape(), (Shape{4, 2}));
  EXPECT_THAT(tensor.columns(1, 3).values(), ElementsAre(2, 4, 8, 10, 14, 16, 20, 22));
  EXPECT_EQ(tensor.columns(-1, 3).scale(), 2);
  EXPECT_THAT(tensor.columns({2, -3}).values(), ElementsAre(4, 0, 10, 6, 16, 12, 22, 18));
  EXPECT_EQ(tensor.column(1).shape(), Shape{4});
  EXPECT_THAT(tensor.column(-1).values(), ElementsAre(4, 10, 16, 22));
  EXPECT_EQ(tensor.columns(2, 2).shape(), (Shape{4, 0}));

  const Tensor cube = Tensor::arange(12).reshape({2, 2, 3});
  EXPECT_EQ(cube.column(2).shape(), (Shape{2, 2}));
  EXPECT_THAT(cube.column(2).values(), ElementsAre(2, 5, 8, 11));
  EXPECT_EQ(Tensor({1, 2, 3}).column(1).item(), 2);
}

TEST(TensorColumns, Outside_the_tensor_are_refused) {
  EXPECT_THROW(table().columns(0, 4), ShapeError);
  EXPECT_THROW(table().columns({3}), ShapeError);
  EXPECT_THAT([] { table().column(-4); },
              ThrowsMessage<ShapeError>(HasSubstr("index -4 is out of range for axis 1 of shape (4, 3)")));
  EXPECT_THROW(Tensor::full({}, 1).column(0), ShapeError);
}

TEST(TensorReshape, Works_out_one_dimension) {
  const Tensor tensor = table();
  EXPECT_EQ(tensor.reshape({-1}).shape(), Shape{12});
  EXPECT_EQ(tensor.reshape({2, -1, 2}).shape(), (Shape{2, 3, 2}));
  EXPECT_EQ(tensor.reshape({2, 6}).scale(), 2);
  EXPECT_NE(tensor.reshape({12}).raw(), tensor.raw());
  EXPECT_EQ(Tensor::zeros({0, 3}).reshape({-1, 5}).shape(), (Shape{0, 5}));
  EXPECT_EQ(Tensor({7}).reshape({}).item(), 7);
}

TEST(TensorReshape, Moves_an_rvalue) {
  Tensor tensor = table();
  const void* address = tensor.raw();
  EXPECT_THROW(std::move(tensor).reshape({5}), ShapeError);
  EXPECT_EQ(tensor.shape(), (Shape{4, 3}));
  const Tensor moved = std::move(tensor).reshape({6, 2});
  EXPECT_EQ(moved.raw(), address);
  EXPECT_EQ(moved(5, 1), 22);
}

TEST(TensorReshape, Refuses_another_number_of_elements) {
  EXPECT_THAT(
      [] {
        table().reshape({5, 2});
      },
      ThrowsMessage<ShapeError>(AllOf(HasSubstr("(4, 3)"), HasSubstr("(5, 2), which has 10"))));
  EXPECT_THAT(
      [] {
        table().reshape({-1, -1});
      },
      ThrowsMessage<ShapeError>(HasSubstr("only one dimension can be -1")));
  EXPECT_THAT([] { table().reshape({-1, 5}); }, ThrowsMessage<ShapeError>(HasSubstr("does not divide")));
  EXPECT_THROW(table().reshape({-1, 0}), ShapeError);
  EXPECT_THROW(table().reshape({-2, -6}), ShapeError);
  EXPECT_THROW(Tensor::zeros({0}).reshape({-1, 0}), ShapeError);
}

TEST(TensorTranspose, Exchanges_rows_and_columns) {
  const Tensor result = table().transpose();
  EXPECT_EQ(result.shape(), (Shape{3, 4}));
  EXPECT_THAT(result.values(), ElementsAre(0, 6, 12, 18, 2, 8, 14, 20, 4, 10, 16, 22));
  EXPECT_EQ(Tensor::zeros({0, 3}).transpose().shape(), (Shape{3, 0}));
  EXPECT_THAT([] { Tensor({1, 2}).transpose(); }, ThrowsMessage<ShapeError>(HasSubstr("(2,)")));
}

TEST(TensorConcatenate, Puts_rows_below_each_other) {
  const Tensor a = table(), b = table().rows(0, 1), none = table().rows(0, 0);
  const Tensor all = concatenate({&b, &none, &a});
  EXPECT_EQ(all.shape(), (Shape{5, 3}));
  EXPECT_EQ(all.scale(), 2);
  EXPECT_TRUE(array_equal(all.rows(1, 5), a));
  EXPECT_TRUE(array_equal(all.rows(0, 1), b));
}

TEST(TensorConcatenate, Refuses_parts_that_do_not_fit) {
  const Tensor a = table(), wide = Tensor::zeros({1, 4}, DType::uint8), floats = Tensor::zeros({1, 3});
  const Tensor unscaled = Tensor::zeros({1, 3}, DType::uint8), scalar = Tensor::full({}, 1);
  EXPECT_THAT(
      [&] {
        concatenate({&a, &wide});
      },
      ThrowsMessage<ShapeError>(AllOf(HasSubstr("(4,)"), HasSubstr("(3,)"))));
  EXPECT_THAT([&] { concatenate({&a, &floats}); }, ThrowsMessage<ValueError>(HasSubstr("float32")));
  EXPECT_THROW(concatenate({&a, &unscaled}), ValueError);
  EXPECT_THROW(concatenate({&scalar}), ShapeError);
  EXPECT_THROW(concatenate(std::vector<const Tensor*>{}), ValueError);
  EXPECT_THROW(concatenate({&a, nullptr}), ValueError);
}

}  // namespace
}  // namespace glia
