// Tensors: construction, moves, copies, dtypes, scale, and access to elements.
// SPDX-License-Identifier: Apache-2.0
#include <glia/backend.h>
#include <glia/tensor.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <type_traits>

#include "host/base/memory.h"

namespace glia {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::ThrowsMessage;

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

/// A tensor that claims to lie on a GPU; its bytes are on the host, and nobody may look at them.
Tensor on_a_gpu() {
  return Tensor::adopt(std::make_unique<HostMemory>(12), {3}, DType::float32, Device::cuda());
}

TEST(TensorConstruction, A_default_tensor_is_empty) {
  const Tensor tensor;
  EXPECT_EQ(tensor.shape(), Shape{0});
  EXPECT_TRUE(tensor.empty());
  EXPECT_EQ(tensor.bytes(), 0);
  EXPECT_EQ(tensor.raw(), nullptr);
  EXPECT_THAT(tensor.values(), IsEmpty());
}

TEST(TensorConstruction, Nested_braces_of_one_to_four_levels_give_as_many_dimensions) {
  EXPECT_EQ((Tensor{1, 2, 3}).shape(), (Shape{3}));
  EXPECT_EQ((Tensor{5}).shape(), (Shape{1}));
  EXPECT_EQ((Tensor{{1, 2, 3}, {4, 5, 6}}).shape(), (Shape{2, 3}));
  EXPECT_EQ((Tensor{{1}, {2}}).shape(), (Shape{2, 1}));
  EXPECT_EQ((Tensor{{1, 2}}).shape(), (Shape{1, 2}));
  EXPECT_EQ((Tensor{{1}}).shape(), (Shape{1, 1}));
  EXPECT_EQ((Tensor{{{1}, {2}}, {{3}, {4}}}).shape(), (Shape{2, 2, 1}));
  EXPECT_EQ((Tensor{{{1, 2}}}).shape(), (Shape{1, 1, 2}));
  EXPECT_EQ((Tensor{{{{1}, {2}}, {{3}, {4}}, {{5}, {6}}}}).shape(), (Shape{1, 3, 2, 1}));
  EXPECT_EQ((Tensor{{}, {}}).shape(), (Shape{2, 0}));
}

TEST(TensorConstruction, Nested_braces_are_read_row_by_row_as_float32) {
  const Tensor tensor{{{1, 2}, {3, 4}}, {{5.5, 6}, {7, true}}};
  EXPECT_EQ(tensor.dtype(), DType::float32);
  EXPECT_THAT(tensor.values(), ElementsAre(1, 2, 3, 4, 5.5, 6, 7, 1));
}

TEST(TensorConstruction, Ragged_braces_are_refused) {
  EXPECT_THAT(
      [] {
        Tensor({{1, 2}, {3}});
      },
      ThrowsMessage<ShapeError>(
          AllOf(HasSubstr("a list of 1 items where the first has 2"), HasSubstr("(2, 2)"))));
  EXPECT_THROW(Tensor({{1}, {2, 3}}), ShapeError);
  EXPECT_THROW(Tensor({{{1}, {2}}, {{3}}}), ShapeError);
  EXPECT_THROW(Tensor({{}, {1}}), ShapeError);
  EXPECT_THAT(
      [] {
        Tensor({1, {2}});
      },
      ThrowsMessage<ShapeError>(HasSubstr("list where the first item is a number")));
  EXPECT_THAT(
      [] {
        Tensor({{1}, 2});
      },
      ThrowsMessage<ShapeError>(HasSubstr("number where the first item is a list")));
}

TEST(TensorConstruction, A_vector_gives_its_dtype) {
  EXPECT_EQ(Tensor(std::vector<float>{1}).dtype(), DType::float32);
  EXPECT_EQ(Tensor(std::vector<double>{1}).dtype(), DType::float64);
  EXPECT_EQ(Tensor(std::vector<std::uint8_t>{1}).dtype(), DType::uint8);
  EXPECT_EQ(Tensor(std::vector<std::int32_t>{1}).dtype(), DType::int32);
  const Tensor labels(std::vector<std::int64_t>{4, -5});
  EXPECT_EQ(labels.dtype(), DType::int64);
  EXPECT_THAT(labels.values(), ElementsAre(4, -5));
  EXPECT_EQ(Tensor(std::vector<float>{}).shape(), Shape{0});
}

TEST(TensorConstruction, A_vector_must_fill_its_shape) {
  const Tensor tensor(std::vector<double>{1, 2, 3, 4, 5, 6}, {3, 2});
  EXPECT_EQ(tensor(2, 0), 5);
  EXPECT_THAT(
      [] {
        Tensor(std::vector<double>{1, 2, 3, 4}, {3, 2});
      },
      ThrowsMessage<ShapeError>(AllOf(HasSubstr("4 values"), HasSubstr("(3, 2), which has 6 elements"))));
  EXPECT_THROW(Tensor(std::vector<double>{1}, {-1}), ShapeError);
}

TEST(TensorConstruction, Zeros_ones_full_and_arange) {
  EXPECT_THAT(Tensor::zeros({2}, DType::int32).values(), ElementsAre(0, 0));
  EXPECT_THAT(Tensor::ones({1, 2}).values(), ElementsAre(1, 1));
  EXPECT_EQ(Tensor::full({}, 2.5, DType::float64).item(), 2.5);
  EXPECT_THAT(Tensor::arange(4, DType::uint8).values(), ElementsAre(0, 1, 2, 3));
  EXPECT_TRUE(Tensor::arange(0).empty());
  EXPECT_THROW(Tensor::arange(-1), ShapeError);
  EXPECT_THROW(Tensor::arange(257, DType::uint8), ValueError);
  EXPECT_THAT([] { Tensor::full({2}, 300, DType::uint8); },
              ThrowsMessage<ValueError>(HasSubstr("300 does not fit uint8 (0 to 255)")));
}

TEST(TensorConstruction, Memory_is_aligned_and_too_much_of_it_is_refused) {
  const Tensor tensor = Tensor::uninitialized({31}, DType::uint8);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(tensor.raw()) % 256, 0u);
  EXPECT_THROW(Tensor::zeros({std::int64_t{1} << 40, std::int64_t{1} << 40}), OutOfMemoryError);
}

TEST(TensorConstruction, Adopted_memory_must_be_large_enough) {
  auto memory = std::make_unique<HostMemory>(8);
  std::byte* address = memory->data();
  const Tensor tensor = Tensor::adopt(std::move(memory), {2}, DType::float32, Device::cpu());
  EXPECT_EQ(tensor.raw(), address);
  EXPECT_THAT([] { Tensor::adopt(std::make_unique<HostMemory>(8), {3}, DType::float32, Device::cpu()); },
              ThrowsMessage<ShapeError>(AllOf(HasSubstr("needs 12 bytes"), HasSubstr("has 8"))));
  EXPECT_TRUE(Tensor::adopt(nullptr, {0, 3}, DType::float32, Device::cpu()).empty());
}

TEST(TensorMove, Leaves_an_empty_tensor_that_can_be_used) {
  static_assert(!std::is_copy_constructible_v<Tensor> && std::is_nothrow_move_constructible_v<Tensor>);
  Tensor source = Tensor::ones({2, 3}, DType::uint8);
  source.set_scale(0.5);
  const void* address = source.raw();
  Tensor target = std::move(source);
  EXPECT_EQ(target.raw(), address);
  EXPECT_EQ(target.shape(), (Shape{2, 3}));
  EXPECT_EQ(target.scale(), 0.5);

  EXPECT_EQ(source.shape(), Shape{0});
  EXPECT_EQ(source.dtype(), DType::float32);
  EXPECT_EQ(source.scale(), 1);
  EXPECT_EQ(source.raw(), nullptr);
  EXPECT_EQ(source.sum(), 0);
  EXPECT_EQ(to_string(source), "[]");
  EXPECT_TRUE(source.clone().empty());

  source = Tensor{7};
  EXPECT_EQ(source.item(), 7);
  Tensor& same = source;
  source = std::move(same);
  EXPECT_EQ(source.item(), 7);
}

TEST(TensorCopy, A_clone_is_deep_and_keeps_everything) {
  Tensor original = Tensor::arange(6, DType::uint8).reshape({2, 3});
  original.set_scale(2);
  Tensor copy = original.clone();
  EXPECT_NE(copy.raw(), original.raw());
  EXPECT_EQ(copy.shape(), original.shape());
  EXPECT_EQ(copy.scale(), 2);
  copy.set({0, 0}, 8);
  EXPECT_EQ(original(0, 0), 0);
  EXPECT_EQ(copy(0, 0), 8);
  EXPECT_TRUE(array_equal(original, original.to(Device::cpu())));
}

TEST(TensorCopy, Casts_apply_the_scale_and_drop_fractions) {
  Tensor bytes(std::vector<std::uint8_t>{0, 51, 255});
  bytes.set_scale(1.0 / 255);
  const Tensor floats = bytes.cast(DType::float32);
  EXPECT_EQ(floats.scale(), 1);
  EXPECT_THAT(floats.values(), ElementsAre(0, 0.2f, 1));
  EXPECT_EQ(bytes.cast(DType::uint8).scale(), 1.0 / 255);
  EXPECT_THAT(bytes.cast(DType::int32).values(), ElementsAre(0, 0, 1));
  EXPECT_THAT(Tensor({-2.7, 2.7}).cast(DType::int64).values(), ElementsAre(-2, 2));
  EXPECT_TRUE(std::isnan(Tensor({nan}).cast(DType::float64)(0)));
  const Tensor large(std::vector<std::int64_t>{(std::int64_t{1} << 62) + 1});
  EXPECT_EQ(large.cast(DType::int64).data<std::int64_t>()[0], (std::int64_t{1} << 62) + 1);
}

TEST(TensorCopy, Casts_refuse_what_the_dtype_cannot_hold) {
  EXPECT_THAT(
      [] {
        Tensor({1, nan}).cast(DType::int32);
      },
      ThrowsMessage<ValueError>(HasSubstr("nan does not fit int32")));
  EXPECT_THROW(Tensor({256}).cast(DType::uint8), ValueError);
  EXPECT_THROW(Tensor({-1}).cast(DType::uint8), ValueError);
  EXPECT_THROW(Tensor(std::vector<double>{9223372036854775808.0}).cast(DType::int64), ValueError);
  EXPECT_THROW(Tensor(std::vector<std::int64_t>{2147483648}).cast(DType::int32), ValueError);
  EXPECT_THAT(Tensor({-0.5, 255.5}).cast(DType::uint8).values(), ElementsAre(0, 255));
}

TEST(TensorAccess, Indices_count_from_either_end) {
  const Tensor tensor{{1, 2, 3}, {4, 5, 6}};
  EXPECT_EQ(tensor(1, 0), 4);
  EXPECT_EQ(tensor(-1, -1), 6);
  EXPECT_EQ(tensor.at({0, -2}), 2);
  EXPECT_THAT([&] { tensor(0, 3); },
              ThrowsMessage<ShapeError>(HasSubstr("index 3 is out of range for axis 1 of shape (2, 3)")));
  EXPECT_THROW(tensor(-3, 0), ShapeError);
  EXPECT_THAT([&] { tensor(1); }, ThrowsMessage<ShapeError>(HasSubstr("got 1 indices")));
  EXPECT_THROW(Tensor()(0), ShapeError);
  EXPECT_EQ(Tensor::full({}, 4)(), 4);
}

TEST(TensorAccess, Set_converts_to_the_dtype_and_divides_by_the_scale) {
  Tensor image = Tensor::zeros({2, 2}, DType::uint8);
  image.set_scale(1.0 / 255);
  for (int raw : {0, 1, 7, 100, 255}) {
    image.set({-1, 0}, raw / 255.0);
    EXPECT_EQ(image.data<std::uint8_t>()[2], raw);
  }
  image.set({0, 1}, 99.6 / 255);
  EXPECT_EQ(image.data<std::uint8_t>()[1], 100);  // the nearest, not the one below
  EXPECT_THROW(image.set({0, 0}, 1.1), ValueError);
  EXPECT_THROW(image.set({0, 0}, nan), ValueError);
  EXPECT_THROW(image.set({2, 0}, 0), ShapeError);
  Tensor numbers = Tensor::zeros({2}, DType::int32);
  numbers.set({1}, -2.9);
  EXPECT_EQ(numbers(1), -2);
}

TEST(TensorAccess, Item_needs_exactly_one_element) {
  EXPECT_EQ((Tensor{{3.5}}).item(), 3.5);
  EXPECT_THAT([] { Tensor({1, 2}).item(); }, ThrowsMessage<ShapeError>(HasSubstr("(2,) has 2")));
  EXPECT_THROW(Tensor().item(), ShapeError);
}

TEST(TensorAccess, Data_of_another_dtype_is_refused) {
  Tensor tensor = Tensor::ones({2});
  tensor.data<float>()[1] = 3;
  EXPECT_EQ(tensor(1), 3);
  EXPECT_THAT([&] { tensor.data<double>(); },
              ThrowsMessage<ValueError>(AllOf(HasSubstr("float64"), HasSubstr("float32"))));
}

TEST(TensorScale, Belongs_to_uint8_and_is_finite) {
  Tensor bytes = Tensor::arange(3, DType::uint8);
  EXPECT_EQ(bytes.scale(), 1);
  EXPECT_THAT(bytes.set_scale(0.5).values(), ElementsAre(0, 0.5, 1));
  EXPECT_EQ(bytes(2), 1);
  EXPECT_EQ(bytes.row(1).item(), 0.5);
  EXPECT_THAT([&] { bytes.set_scale(nan); }, ThrowsMessage<ValueError>(HasSubstr("finite")));
  EXPECT_THROW(bytes.set_scale(0), ValueError);
  EXPECT_EQ(bytes.scale(), 0.5);
  EXPECT_THAT([] { Tensor({1}).set_scale(2); }, ThrowsMessage<ValueError>(HasSubstr("float32")));
}

TEST(TensorDevice, Reading_elements_off_the_cpu_says_what_to_do) {
  const Tensor tensor = on_a_gpu();
  EXPECT_EQ(tensor.device().name(), "cuda:0");
  EXPECT_THAT([&] { tensor.mean(); },
              ThrowsMessage<DeviceError>(
                  AllOf(HasSubstr("mean()"), HasSubstr("cuda:0"), HasSubstr("tensor.to(\"cpu\")"))));
  const Tensor here{1, 2, 3};
  EXPECT_THROW(tensor(0), DeviceError);
  EXPECT_THROW(tensor.values(), DeviceError);
  EXPECT_THROW(tensor.cast(DType::float64), DeviceError);
  EXPECT_THROW(tensor.item(), DeviceError);
  EXPECT_THROW(tensor.rows(0, 1), DeviceError);
  EXPECT_THROW(tensor.column(0), DeviceError);
  EXPECT_THROW(tensor.transpose(), DeviceError);
  EXPECT_THROW(tensor.max(), DeviceError);
  EXPECT_THROW(tensor.sum(0), DeviceError);
  EXPECT_THROW(tensor.argmax(0), DeviceError);
  EXPECT_THROW(tensor.round(), DeviceError);
  EXPECT_THROW(tensor.abs(), DeviceError);
  EXPECT_THROW(tensor.unique(), DeviceError);
  EXPECT_THROW(here + tensor, DeviceError);
  EXPECT_THROW(tensor * 2, DeviceError);
  EXPECT_THROW(static_cast<void>(tensor > 2), DeviceError);
  EXPECT_THROW(array_equal(here, tensor), DeviceError);
  EXPECT_THROW(all_close(tensor, here), DeviceError);
  EXPECT_THROW(concatenate({&tensor}), DeviceError);
  EXPECT_THROW(to_string(tensor), DeviceError);
}

TEST(TensorDevice, Moving_and_reshaping_work_on_any_device) {
  Tensor tensor = on_a_gpu();
  const void* address = tensor.raw();
  const Tensor column = std::move(tensor).reshape({3, 1});
  EXPECT_EQ(column.raw(), address);
  EXPECT_TRUE(column.device().is_cuda());
}

TEST(TensorDevice, A_copy_to_a_gpu_comes_back_the_same_or_says_that_there_is_none) {
  Tensor tensor = Tensor::arange(31, DType::uint8);
  tensor.set_scale(0.25);
  if (!Device::automatic().is_cuda()) {
    EXPECT_THROW(tensor.to(Device::cuda()), DeviceError);
    EXPECT_THROW(Tensor().to(Device::cuda()), DeviceError);
    EXPECT_THROW(on_a_gpu().to(Device::cpu()), DeviceError);
    return;
  }
  const Tensor there = tensor.to(Device::cuda());
  EXPECT_TRUE(there.device().is_cuda());
  EXPECT_TRUE(array_equal(there.clone().to(Device::cpu()), tensor));
}

TEST(TensorView, Sees_what_the_tensor_holds) {
  Tensor tensor = Tensor::arange(12, DType::uint8).reshape({4, 3});
  tensor.set_scale(0.5);
  const TensorView view(tensor);
  EXPECT_EQ(view.raw(), tensor.raw());
  EXPECT_EQ(view.scale(), 0.5);
  EXPECT_EQ(view.row_bytes(), 3);
  const TensorView part = view.rows(1, 3);
  EXPECT_EQ(part.shape(), (Shape{2, 3}));
  EXPECT_EQ(static_cast<const std::uint8_t*>(part.raw())[0], 3);
}

}  // namespace
}  // namespace glia
