// Views of an application's memory: what TensorView::of and MutableTensorView::of take.
// SPDX-License-Identifier: Apache-2.0
#include "tests/expect_error.h"

namespace {

using glia::Device;
using glia::DType;
using glia::MutableTensorView;
using glia::Sequential;
using glia::Shape;
using glia::ShapeError;
using glia::Tensor;
using glia::TensorView;
using glia::ValueError;
using glia::test::expect_error;

template <class T>
class ViewOf : public ::testing::Test {};
using Elements = ::testing::Types<float, double, std::uint8_t, std::int32_t, std::int64_t>;
TYPED_TEST_SUITE(ViewOf, Elements);

TYPED_TEST(ViewOf, A_pointer_has_its_dtype) {
  std::vector<TypeParam> values(12);
  const TypeParam* const constant = values.data();
  const TensorView view = TensorView::of(constant, {3, 4});
  EXPECT_EQ(view.raw(), constant);
  EXPECT_EQ(view.dtype(), glia::dtype_of<TypeParam>);
  EXPECT_EQ(view.shape(), (Shape{3, 4}));
  EXPECT_EQ(view.device(), Device::cpu());
  EXPECT_EQ(view.template data<TypeParam>(), constant);
  EXPECT_EQ(view.bytes(), static_cast<std::int64_t>(12 * sizeof(TypeParam)));
  EXPECT_EQ(TensorView::of(values.data(), {12}, "cuda:1").device(), Device::cuda(1));
  EXPECT_EQ(TensorView::of(constant, {12}, DType::uint8).dtype(), DType::uint8) << "what is named counts";

  const MutableTensorView mutable_view = MutableTensorView::of(values.data(), {3, 4}, "cuda:2");
  EXPECT_EQ(mutable_view.dtype(), glia::dtype_of<TypeParam>);
  EXPECT_EQ(mutable_view.device(), Device::cuda(2));
  static_assert(std::is_same_v<decltype(mutable_view.raw()), void*>);
  static_assert(std::is_same_v<decltype(mutable_view.template data<TypeParam>()), TypeParam*>);
}

TYPED_TEST(ViewOf, A_span_has_its_dtype_and_its_length) {
  std::vector<TypeParam> values(12);
  const TensorView flat = TensorView::of(std::span<const TypeParam>(values));
  EXPECT_EQ(flat.shape(), Shape{12});
  EXPECT_EQ(flat.raw(), values.data());
  EXPECT_EQ(flat.dtype(), glia::dtype_of<TypeParam>);
  EXPECT_EQ(TensorView::of(std::span(values), {2, 6}).shape(), (Shape{2, 6}));
  TypeParam fixed[4] = {};
  EXPECT_EQ(TensorView::of(std::span(fixed)).shape(), Shape{4});
  EXPECT_EQ(TensorView::of(std::span<TypeParam>()).shape(), Shape{0});
  EXPECT_EQ(TensorView::of(std::span(values), {12}, Device::cuda()).device(), Device::cuda());
  const MutableTensorView writable = MutableTensorView::of(std::span(values), {4, 3});
  writable.template data<TypeParam>()[5] = TypeParam{1};
  EXPECT_EQ(values[5], TypeParam{1});
  EXPECT_EQ(MutableTensorView::of(std::span(values)).size(), 12);
  for (const Shape& shape : {Shape{11}, Shape{13}, Shape{3, 5}, Shape{}, Shape{0}})
    expect_error<ShapeError>([&] { TensorView::of(std::span(values), shape); }, {"span of 12", "expected"});
  expect_error<ShapeError>([&] { TensorView::of(std::span<TypeParam>(), {2}); }, {"span of 0", "expected 2"});
}

TYPED_TEST(ViewOf, An_address_between_elements_is_refused) {
  alignas(8) std::byte memory[64] = {};
  const DType dtype = glia::dtype_of<TypeParam>;
  for (std::size_t offset = 1; offset < 8; ++offset) {
    const auto* data = reinterpret_cast<const TypeParam*>(memory + offset);
    if (offset % sizeof(TypeParam) == 0) {
      EXPECT_EQ(TensorView::of(data, {3}).raw(), data);
      continue;
    }
    expect_error<ValueError>(
        [&] { TensorView::of(data, {3}); },
        {name_of(dtype), "expected a multiple of " + std::to_string(sizeof(TypeParam)), "copy"});
    expect_error<ValueError>(
        [&] { TensorView::of(static_cast<const void*>(data), {3}, dtype, Device::cuda()); }, {"multiple of"});
    EXPECT_EQ(TensorView::of(data, {0}).size(), 0) << "of nothing it does not matter";
  }
}

TEST(Views, Of_more_than_can_be_addressed_are_refused) {
  const float value = 0;
  constexpr std::int64_t huge = std::int64_t{1} << 31;
  expect_error<ShapeError>([&] { TensorView::of(&value, {huge, huge}); }, {"address"});
  expect_error<ShapeError>([&] { TensorView::of(&value, {huge, huge, 4}); }, {"address"});
  expect_error<ShapeError>([&] { TensorView::of(&value, {0, huge, huge, 4}); }, {"address"});
  EXPECT_EQ(TensorView::of(&value, {0, huge}).size(), 0);
}

TEST(Views, Are_read_as_what_they_are) {
  const float values[4] = {1, 2, 3, 4};
  const TensorView view = TensorView::of(values, {2, 2});
  expect_error<ValueError>([&] { static_cast<void>(view.data<double>()); }, {"float64", "float32", "(2, 2)"});
  const std::uint8_t pixels[2] = {0, 255};
  EXPECT_EQ(TensorView::of(pixels, {2}, "cpu", 1.0 / 255).scale(), 1.0 / 255);
  EXPECT_THROW(TensorView::of(values, {4}, "cpu", 2), ValueError);
}

TEST(Views, That_may_be_written_serve_as_those_that_may_not) {
  std::vector<float> values{1, 2, 3, 4, 5, 6};
  const MutableTensorView view = MutableTensorView::of(std::span(values), {3, 2});
  Sequential model{glia::Dense(1)};
  EXPECT_TRUE(array_equal(model.predict(view, {.verbose = 0}),
                          model.predict(Tensor(values, {3, 2}), {.verbose = 0})));
  view.rows(1, 2).data<float>()[1] = 40;
  EXPECT_EQ(values[3], 40);
  Tensor tensor{1, 2, 3};
  MutableTensorView::of(tensor).data<float>()[1] = 7;
  EXPECT_EQ(tensor(1), 7);
}

template <class T>
constexpr bool has_view = requires(T* data) {
  TensorView::of(data, Shape{1});
};
template <class T>
constexpr bool has_view_on_a_device = requires(T* data) {
  TensorView::of(data, Shape{1}, Device::cuda());
};
template <class T>
constexpr bool has_mutable_view = requires(T* data) {
  MutableTensorView::of(data, Shape{1});
};
static_assert(has_view<float> && has_view<const float> && has_view<void> && has_view<std::byte>);
static_assert(has_mutable_view<float> && !has_mutable_view<const float> && !has_mutable_view<const void>);
static_assert(!has_view<short> && !has_view<const unsigned> && !has_view<bool> && !has_view<signed char>,
              "they would be taken for float32");
static_assert(!has_view_on_a_device<short> && !has_mutable_view<short> && !has_mutable_view<bool>);
static_assert(std::is_trivially_copyable_v<TensorView> && std::is_trivially_copyable_v<MutableTensorView>,
              "what is not may own its elements, and is kept by Tensors");

}  // namespace
