// DLPack on a GPU: where tensors lie, what frees them, and what is asked of CUDA.
// SPDX-License-Identifier: Apache-2.0
#include <cuda_runtime_api.h>

#include "tests/dlpack_made.h"
#include "tests/double_controls.h"
#include "tests/expect_error.h"

namespace {

using glia::Context;
using glia::DeviceError;
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

class CudaDlpack : public glia::test::CudaTest {};

TEST_P(CudaDlpack, Says_its_device_and_frees_its_memory) {
  for (const bool legacy : {false, true}) {
    Tensor tensor = Tensor::arange(1000).to(context());
    const std::int64_t before = on_the_double() ? on_the_double()->device_allocations() : 0;
    if (legacy) {
      DLManagedTensor* const managed = to_dlpack_legacy(std::move(tensor));
      EXPECT_EQ(reinterpret_cast<glia::dlpack::Managed*>(managed)->array.place.type, glia::dlpack::cuda);
      reinterpret_cast<glia::dlpack::Managed*>(managed)->deleter(managed);
    } else {
      DLManagedTensorVersioned* const managed = to_dlpack(std::move(tensor));
      EXPECT_EQ(reinterpret_cast<glia::dlpack::Versioned*>(managed)->array.place.id, 0);
      if (on_the_double()) {
        EXPECT_EQ(on_the_double()->device_allocations(), before);
      }
      reinterpret_cast<glia::dlpack::Versioned*>(managed)->deleter(managed);
    }
    if (on_the_double()) {
      EXPECT_EQ(on_the_double()->device_allocations(), before - 1);
    }
  }
}

TEST_P(CudaDlpack, Outlives_the_context_that_it_came_from) {
  DLManagedTensorVersioned* managed = nullptr;
  {
    glia::Sequential model{glia::Dense(2)};
    model.compile({.loss = "mse", .device = "cuda"});
    managed = to_dlpack(model.predict(Tensor::ones({3, 4}).to(model.context()), {.verbose = 0}));
  }
  const ImportedTensor taken = from_dlpack(managed);
  EXPECT_EQ(downloaded(taken, context()).shape(), (Shape{3, 2}));
}

TEST_P(CudaDlpack, A_copy_in_a_context_of_another_device_is_refused) {
  Tensor there = Tensor::arange(6).to(context());
  Made made(there, {3, 2}, {1, 3}, 0);
  const Context on_the_cpu({.device = "cpu"});
  expect_error<DeviceError>([&] { from_dlpack(made.get(), {.copy = true, .context = on_the_cpu}); },
                            {"cuda:0", "on cpu"});
  EXPECT_EQ(made.deleted, 1);
  const ImportedTensor copy = from_dlpack(made.get(), {.copy = true});
  EXPECT_TRUE(array_equal(downloaded(copy, context()), Tensor{{0, 3}, {1, 4}, {2, 5}}))
      << "in one of its own";
}

INSTANTIATE_TEST_SUITE_P(Devices, CudaDlpack, glia::test::only_cuda(), glia::test::device_name);

class CudaDlpackOnTheDouble : public glia::test::DoubleTest {};

TEST_P(CudaDlpackOnTheDouble, Waits_for_the_context_before_a_tensor_goes) {
  Tensor tensor = Tensor::arange(10).to(context());
  controls().clear_calls();
  const ImportedTensor taken = from_dlpack(to_dlpack(std::move(tensor)));
  const auto& calls = controls().calls();
  EXPECT_EQ(std::count(calls.begin(), calls.end(), "cudaEventSynchronize"), 1);
}

TEST_P(CudaDlpackOnTheDouble, Views_call_CUDA_for_nothing) {
  Tensor there = Tensor::arange(6).to(context());
  controls().clear_calls();
  Made made(there, {2, 3}, {3, 1}, 0);
  const ImportedTensor taken = from_dlpack(made.get());
  EXPECT_TRUE(controls().calls().empty());
}

TEST_P(CudaDlpackOnTheDouble, A_copy_by_a_kernel_stays_on_the_device) {
  for (const DType dtype : {DType::float32, DType::float64, DType::int32, DType::int64, DType::uint8}) {
    Tensor there = Tensor::arange(6, dtype).to(context());
    Made made(there, {3, 2}, {1, 3}, 0);
    controls().clear_calls();
    const ImportedTensor copy = from_dlpack(made.get(), {.copy = true, .context = context()});
    const auto& calls = controls().calls();
    EXPECT_EQ(std::count(calls.begin(), calls.end(), "cudaMemcpyAsync") > 0, dtype == DType::uint8) << dtype;
  }
}

TEST_P(CudaDlpackOnTheDouble, What_fails_gives_the_tensor_back) {
  Tensor there = Tensor::arange(6).to(context());
  for (const char* function : {"cudaMallocFromPoolAsync", "cudaGraphInstantiate", "cudaGraphLaunch"}) {
    Made made(there, {3, 2}, {1, 3}, 0);
    const std::int64_t before = controls().device_allocations();
    controls().fail(function, 1, cudaErrorMemoryAllocation, false, 2);
    EXPECT_THROW(from_dlpack(made.get(), {.copy = true, .context = context()}), glia::OutOfMemoryError)
        << function;
    EXPECT_EQ(made.deleted, 1);
    EXPECT_EQ(controls().device_allocations(), before);
  }
}

TEST_P(CudaDlpackOnTheDouble, A_copy_of_what_is_not_there_is_refused) {
  Tensor here = Tensor::arange(6);
  Made made(here, {3, 2}, {1, 3}, 0);
  made.managed.array.place = {glia::dlpack::cuda, 0};
  expect_error<DeviceError>([&] { from_dlpack(made.get(), {.copy = true, .context = context()}); },
                            {"said to be on cuda:0", "the host's"});
  EXPECT_EQ(made.deleted, 1);
  EXPECT_FALSE(controls().calls().empty());
}

INSTANTIATE_TEST_SUITE_P(Devices, CudaDlpackOnTheDouble, glia::test::only_cuda(), glia::test::device_name);

}  // namespace
