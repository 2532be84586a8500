// DLPack by the layout of its specification: what goes out. NumPy and PyTorch are asked in python/.
// SPDX-License-Identifier: Apache-2.0
#include "tests/dlpack_application.h"
#include "tests/expect_error.h"

namespace {

using glia::DType;
using glia::from_dlpack;
using glia::ImportedTensor;
using glia::MutableTensorView;
using glia::Shape;
using glia::Tensor;
using glia::TensorView;
using glia::to_dlpack;
using glia::to_dlpack_legacy;
using glia::ValueError;
using glia::test::expect_error;

constexpr std::int32_t cpu = 1;

/// An owner of elements, and whether it is gone.
struct Owner {
  explicit Owner(bool& gone_) : gone(gone_) {}
  ~Owner() { gone = true; }
  bool& gone;
  float data[6] = {1, 2, 3, 4, 5, 6};
};

TEST(DlpackOut, Gives_a_tensor_away_without_a_copy) {
  for (const DType dtype : {DType::float32, DType::float64, DType::uint8, DType::int32, DType::int64}) {
    Tensor tensor = Tensor::arange(24, dtype).reshape({2, 3, 4});
    const void* const data = tensor.raw();
    DLManagedTensorVersioned* const managed = to_dlpack(std::move(tensor));
    EXPECT_EQ(tensor.size(), 0);
    EXPECT_EQ(managed->version.major, 1u);
    EXPECT_EQ(managed->flags, 0u);
    const DLTensor& array = managed->dl_tensor;
    EXPECT_EQ(array.data, data);
    EXPECT_EQ(array.device.device_type, cpu);
    EXPECT_EQ(array.device.device_id, 0);
    ASSERT_EQ(array.ndim, 3);
    EXPECT_EQ(std::vector<std::int64_t>(array.shape, array.shape + 3), (std::vector<std::int64_t>{2, 3, 4}));
    EXPECT_EQ(std::vector<std::int64_t>(array.strides, array.strides + 3),
              (std::vector<std::int64_t>{12, 4, 1}));
    EXPECT_EQ(array.byte_offset, 0u);
    EXPECT_EQ(array.dtype.code, dtype == DType::uint8 ? 1 : is_floating(dtype) ? 2 : 0);
    EXPECT_EQ(array.dtype.bits, 8 * size_of(dtype));
    EXPECT_EQ(array.dtype.lanes, 1);
    const ImportedTensor again = from_dlpack(managed);
    EXPECT_EQ(again.raw(), data);
    EXPECT_EQ(again.dtype(), dtype);
    EXPECT_EQ(again.shape(), (Shape{2, 3, 4}));
  }
}

TEST(DlpackOut, Speaks_the_older_form_too) {
  Tensor tensor{{1, 2}, {3, 4}};
  const void* const data = tensor.raw();
  DLManagedTensor* const managed = to_dlpack_legacy(std::move(tensor));
  EXPECT_EQ(managed->dl_tensor.data, data);
  EXPECT_EQ(managed->dl_tensor.ndim, 2);
  const ImportedTensor again = from_dlpack(managed);
  EXPECT_EQ(again.data<float>()[3], 4);
}

TEST(DlpackOut, Has_scalars_and_empty_tensors) {
  for (const Shape& shape : {Shape{}, Shape{0}, Shape{3, 0}}) {
    DLManagedTensorVersioned* const managed = to_dlpack(Tensor::zeros(shape));
    EXPECT_EQ(managed->dl_tensor.ndim, shape.rank());
    EXPECT_EQ(from_dlpack(managed).shape(), shape);
  }
}

TEST(DlpackOut, Keeps_the_owner_of_what_is_lent) {
  for (const bool writable : {false, true}) {
    bool gone = false;
    auto owner = std::make_shared<Owner>(gone);
    float* const data = owner->data;
    DLManagedTensorVersioned* const managed = writable ? to_dlpack(MutableTensorView::of(data, {2, 3}), owner)
                                                       : to_dlpack(TensorView::of(data, {2, 3}), owner);
    owner.reset();
    EXPECT_FALSE(gone);
    EXPECT_EQ(managed->flags, writable ? 0u : 1u) << "a view is to be read only";
    EXPECT_EQ(managed->dl_tensor.data, data);
    managed->deleter(managed);
    EXPECT_TRUE(gone);
  }
  bool gone = false;
  auto owner = std::make_shared<Owner>(gone);
  DLManagedTensor* const managed = to_dlpack_legacy(MutableTensorView::of(owner->data, {6}), owner);
  owner.reset();
  EXPECT_FALSE(gone);
  managed->deleter(managed);
  EXPECT_TRUE(gone);
}

TEST(DlpackOut, Lends_a_tensor_that_others_share) {
  const auto shared = std::make_shared<Tensor>(Tensor{1, 2, 3});
  const ImportedTensor lent = from_dlpack(to_dlpack(*shared, shared));
  EXPECT_EQ(lent.raw(), shared->raw());
  EXPECT_FALSE(lent.read_only());
  EXPECT_EQ(shared.use_count(), 2);
  const std::shared_ptr<const Tensor> constant = shared;
  EXPECT_TRUE(from_dlpack(to_dlpack(*constant, constant)).read_only());
}

TEST(DlpackOut, Of_a_tensor_with_a_scale_is_refused_and_leaves_it_alone) {
  Tensor pixels = Tensor::full({4}, 8, DType::uint8);
  pixels.set_scale(0.25);
  expect_error<ValueError>([&] { to_dlpack(std::move(pixels)); }, {"scale 0.25", "cast(", "set_scale(1)"});
  EXPECT_EQ(pixels.sum(), 8);
  EXPECT_EQ(pixels.scale(), 0.25);
  pixels.set_scale(1);
  EXPECT_EQ(from_dlpack(to_dlpack(std::move(pixels))).data<std::uint8_t>()[3], 8);
}

template <class View>
constexpr bool lends_to_the_older_form = requires(View view) {
  to_dlpack_legacy(view, nullptr);
};
static_assert(lends_to_the_older_form<MutableTensorView>);
static_assert(!lends_to_the_older_form<TensorView>, "which cannot say that it is read-only");
}  // namespace
