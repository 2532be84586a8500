// DLPack on every device: tensors given away and taken over where they lie, and copies of what lies apart.
// SPDX-License-Identifier: Apache-2.0
#include "tests/devices.h"
#include "tests/dlpack_made.h"
#include "tests/expect_error.h"

namespace {

using glia::Context;
using glia::DType;
using glia::from_dlpack;
using glia::ImportedTensor;
using glia::Shape;
using glia::Tensor;
using glia::to_dlpack;
using glia::to_dlpack_legacy;
using glia::test::downloaded;
using glia::test::expect_error;
using glia::test::Made;

class Dlpack : public glia::test::DeviceTest {};

TEST_P(Dlpack, Tensors_are_given_away_and_taken_over_where_they_lie) {
  for (const DType dtype : {DType::float32, DType::float64, DType::uint8, DType::int32, DType::int64})
    for (const bool legacy : {false, true}) {
      const Tensor values = Tensor::arange(35, dtype).reshape({5, 7});
      Tensor tensor = values.to(context());
      const void* const data = tensor.raw();
      const ImportedTensor taken = legacy ? from_dlpack(to_dlpack_legacy(std::move(tensor)))
                                          : from_dlpack(to_dlpack(std::move(tensor)));
      EXPECT_EQ(taken.raw(), data);
      EXPECT_EQ(taken.device(), context().device());
      EXPECT_TRUE(array_equal(downloaded(taken, context()), values));
    }
}

TEST_P(Dlpack, Models_take_and_give_tensors) {
  const Tensor x = (Tensor::arange(40) * 0.1 - 2).reshape({10, 4}), y = Tensor::ones({10, 2});
  glia::Sequential model{glia::Dense(2, "tanh")};
  model.compile({.loss = "mse", .context = context()});
  const ImportedTensor there = from_dlpack(to_dlpack(x.to(context())));
  model.fit(there, y, {.epochs = 2, .batch_size = 4, .verbose = 0});
  const ImportedTensor predicted = from_dlpack(to_dlpack(model.predict(there, {.verbose = 0})));
  EXPECT_EQ(predicted.device(), context().device());
  EXPECT_TRUE(array_equal(downloaded(predicted, context()), model.predict(x, {.verbose = 0}).to("cpu")));
}

TEST_P(Dlpack, What_lies_apart_is_copied_where_it_lies) {
  struct Apart {
    int first;
    std::vector<std::int64_t> shape, strides;
  };
  const Apart all[] = {{0, {7, 5}, {1, 7}}, {1, {5, 3}, {7, 2}},
                       {34, {35}, {-1}},    {28, {5, 7}, {-7, 1}},
                       {3, {4, 7}, {0, 1}}, {0, {1, 1, 1, 1, 1, 1, 7, 5}, {0, 0, 0, 0, 0, 0, 1, 7}},
                       {2, {3, 0}, {2, 2}}};
  for (const DType dtype : {DType::float32, DType::float64, DType::uint8, DType::int32, DType::int64}) {
    Tensor here = Tensor::arange(35, dtype), there = here.to(context());
    for (const Apart& apart : all) {
      Made made(there, apart.shape, apart.strides, apart.first);
      if (apart.shape[1 % apart.shape.size()] != 0)
        expect_error<glia::ValueError>([&] { from_dlpack(made.get()); }, {"strides"});
      made.deleted = 0;
      const ImportedTensor copy = from_dlpack(made.get(), {.copy = true, .context = context()});
      if (copy.size() == 0) continue;
      EXPECT_EQ(made.deleted, 1);
      EXPECT_TRUE(copy.copied());
      EXPECT_EQ(copy.device(), context().device());
      Made same(here, apart.shape, apart.strides, apart.first);
      const ImportedTensor wanted = from_dlpack(same.get(), {.copy = true});
      EXPECT_TRUE(array_equal(downloaded(copy, context()), downloaded(wanted, Context({.device = "cpu"}))))
          << dtype << ' ' << copy.shape();
    }
  }
}

TEST_P(Dlpack, Copies_that_are_large_are_whole) {
  Tensor here = Tensor::arange(2003 * 517, DType::int64), there = here.to(context());
  Made made(there, {517, 2003}, {1, 517}, 0);
  const ImportedTensor copy = from_dlpack(made.get(), {.copy = true, .context = context()});
  EXPECT_TRUE(array_equal(downloaded(copy, context()), here.reshape({2003, 517}).transpose()));
}

TEST_P(Dlpack, Misaligned_elements_are_copied_where_they_lie) {
  Tensor bytes = Tensor::arange(45, DType::uint8).to(context());
  Made made(bytes, {11}, {1}, 1);
  made.managed.array.type = {glia::dlpack::floating, 32, 1};
  expect_error<glia::ValueError>([&] { from_dlpack(made.get()); }, {"multiple of 4"});
  const ImportedTensor copy = from_dlpack(made.get(), {.copy = true, .context = context()});
  const Tensor got = downloaded(copy, context());
  for (int i = 0; i < 44; ++i) EXPECT_EQ(static_cast<const std::uint8_t*>(got.raw())[i], i + 1);
}

INSTANTIATE_TEST_SUITE_P(Devices, Dlpack, ::testing::ValuesIn(glia::test::test_devices()),
                         glia::test::device_name);

}  // namespace
