// Views of Thrust's vectors and ranges, and Thrust's pointers into tensors, where Thrust's "device" is the CPU; on a GPU
// thrust_on_a_gpu.cu does the same.
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>
#include <glia/thrust.h>
#include <gtest/gtest.h>
#include <thrust/reduce.h>
#include <thrust/sequence.h>
#include <thrust/transform.h>

#include <cstdint>
#include <type_traits>
#include <utility>
#include <vector>

#include "tests/expect_error.h"

namespace {

using glia::Dense;
using glia::Device;
using glia::DType;
using glia::MutableTensorView;
using glia::Sequential;
using glia::Shape;
using glia::ShapeError;
using glia::Tensor;
using glia::TensorView;
using glia::test::expect_error;

template <class T>
class ThrustOf : public ::testing::Test {};
using Elements = ::testing::Types<float, double, std::uint8_t, std::int32_t, std::int64_t>;
TYPED_TEST_SUITE(ThrustOf, Elements);

TYPED_TEST(ThrustOf, Vectors_are_viewed_where_they_lie) {
  thrust::device_vector<TypeParam> vector(12);
  const TypeParam* const data = thrust::raw_pointer_cast(vector.data());
  const MutableTensorView flat = glia::as_view(vector);
  EXPECT_EQ(flat.shape(), Shape{12});
  EXPECT_EQ(flat.dtype(), glia::dtype_of<TypeParam>);
  EXPECT_EQ(flat.device(), Device::cpu());
  EXPECT_EQ(flat.raw(), data);
  const MutableTensorView shaped = glia::as_view(vector, {3, 4});
  EXPECT_EQ(shaped.shape(), (Shape{3, 4}));
  EXPECT_EQ(shaped.raw(), data);
  shaped.template data<TypeParam>()[7] = TypeParam{5};
  EXPECT_EQ(vector[7], TypeParam{5});
  const auto& constant = vector;
  const TensorView read = glia::as_view(constant, {4, 3});
  EXPECT_EQ(read.raw(), data);
  static_assert(std::is_same_v<decltype(glia::as_view(constant)), TensorView>);
}

TYPED_TEST(ThrustOf, Ranges_are_viewed_where_they_lie) {
  thrust::device_vector<TypeParam> vector(12);
  const TypeParam* const data = thrust::raw_pointer_cast(vector.data());
  const MutableTensorView part = glia::as_view(vector.begin() + 2, vector.begin() + 8, {2, 3});
  EXPECT_EQ(part.raw(), data + 2);
  EXPECT_EQ(part.shape(), (Shape{2, 3}));
  const thrust::device_ptr<TypeParam> first = vector.data();
  EXPECT_EQ(glia::as_view(first + 1, first + 5).raw(), data + 1);
  EXPECT_EQ(glia::as_view(first + 1, first + 5).shape(), Shape{4});
  const TensorView read = glia::as_view(vector.cbegin(), vector.cend());
  EXPECT_EQ(read.raw(), data);
  static_assert(std::is_same_v<decltype(glia::as_view(vector.cbegin(), vector.cend())), TensorView>);
  EXPECT_EQ(glia::as_view(first, first).size(), 0);
}

TYPED_TEST(ThrustOf, Algorithms_run_over_tensors_in_place) {
  Tensor tensor = Tensor::zeros({5, 7}, glia::dtype_of<TypeParam>);
  thrust::sequence(glia::begin<TypeParam>(tensor), glia::end<TypeParam>(tensor));
  for (std::int64_t i = 0; i < 5; ++i)
    for (std::int64_t j = 0; j < 7; ++j) EXPECT_EQ(tensor(i, j), static_cast<double>(7 * i + j));
  const Tensor& constant = tensor;
  const auto first = glia::begin<TypeParam>(constant), last = glia::end<TypeParam>(constant);
  static_assert(
      std::is_same_v<decltype(glia::begin<TypeParam>(constant)), thrust::device_ptr<const TypeParam>>);
  EXPECT_EQ(thrust::reduce(first, last, std::int64_t{0}), 595);
  const TensorView view = constant;
  EXPECT_EQ(glia::end<TypeParam>(view) - glia::begin<TypeParam>(view), 35);
}

TEST(Thrust, Vectors_and_models_share_memory) {
  const auto rows = [] {
    thrust::device_vector<float> x(6 * 3);
    thrust::sequence(x.begin(), x.end(), -4.0f);
    return x;
  };
  const thrust::device_vector<float> x = rows();
  Sequential model{Dense(2, "tanh")};
  const Tensor y = model.predict(glia::as_view(x, {6, 3}), {.verbose = 0});
  std::vector<float> same(18);
  for (std::size_t i = 0; i < same.size(); ++i) same[i] = static_cast<float>(i) - 4;
  EXPECT_TRUE(glia::array_equal(y, model.predict(Tensor(same, {6, 3}), {.verbose = 0})));
  thrust::device_vector<float> doubled(12);
  thrust::transform(glia::begin<float>(y), glia::end<float>(y), doubled.begin(),
                    [](float v) { return 2 * v; });
  EXPECT_EQ(doubled[11], 2 * static_cast<float>(y(5, 1)));
}

TEST(Thrust, What_does_not_fit_is_refused) {
  thrust::device_vector<float> vector(12);
  expect_error<ShapeError>([&] { glia::as_view(vector, {3, 5}); }, {"(3, 5)", "12", "expected 15"});
  Tensor tensor = Tensor::zeros({3});
  expect_error<glia::ValueError>([&] { glia::begin<double>(tensor); }, {"float64", "float32", "(3,)"});
  const TensorView elsewhere = TensorView::of(tensor.raw(), {3}, DType::float32, "cuda");
  expect_error<glia::DeviceError>([&] { glia::begin<float>(elsewhere); }, {"cuda:0", "the CPU", "tensor.to"});
}

template <class Vector>
constexpr bool can_be_viewed = requires(Vector vector) {
  glia::as_view(std::forward<Vector>(vector));
};
static_assert(can_be_viewed<thrust::device_vector<float>&>);
static_assert(!can_be_viewed<thrust::device_vector<float>>, "it would be gone before its view");
static_assert(!can_be_viewed<thrust::device_vector<short>&>, "tensors hold none");

template <class Owner>
constexpr bool has_a_begin = requires(Owner owner) {
  glia::begin<float>(std::forward<Owner>(owner));
};
static_assert(has_a_begin<Tensor&> && has_a_begin<const Tensor&> && has_a_begin<TensorView>);
static_assert(!has_a_begin<Tensor>, "it would be gone");

}  // namespace
