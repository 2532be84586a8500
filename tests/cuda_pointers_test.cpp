// Pointers of an application that are not where they are said to be, which CUDA knows.
// SPDX-License-Identifier: Apache-2.0
#include "tests/application_stream.h"
#include "tests/expect_error.h"

namespace {

using glia::Device;
using glia::DeviceError;
using glia::Sequential;
using glia::Tensor;
using glia::TensorView;
using glia::test::expect_error;

Sequential compiled(const glia::Context& context) {
  Sequential model{glia::Dense(3, "tanh")};
  model.compile({.loss = "mse", .context = context});
  return model;
}

std::vector<float> some_rows() {
  std::vector<float> rows(10 * 4);
  for (std::size_t i = 0; i < rows.size(); ++i) rows[i] = std::cos(static_cast<float>(i));
  return rows;
}

/// Every call that takes rows.
void expect_misplaced(Sequential& model, const TensorView& x, const std::vector<std::string>& parts) {
  const Tensor y = Tensor::zeros({10, 3});
  expect_error<DeviceError>([&] { model.predict(x, {.verbose = 0}); }, parts);
  expect_error<DeviceError>([&] { model.fit(x, y, {.verbose = 0}); }, parts);
  expect_error<DeviceError>([&] { model.evaluate(x, y, {.verbose = 0}); }, parts);
  expect_error<DeviceError>([&] { model.train_on_batch(x, y); }, parts);
}

class CudaPointers : public glia::test::CudaTest {};

TEST_P(CudaPointers, Of_the_device_are_taken_as_they_are) {
  const std::vector<float> rows = some_rows();
  Sequential model = compiled(context());
  const Tensor there = Tensor(rows, {10, 4}).to(context());
  const Tensor predicted =
      model.predict(TensorView::of(static_cast<const float*>(there.raw()), {10, 4}, "cuda"), {.verbose = 0});
  EXPECT_EQ(predicted.device(), Device::cuda());
  EXPECT_TRUE(
      array_equal(predicted.to("cpu"), model.predict(Tensor(rows, {10, 4}), {.verbose = 0}).to("cpu")));
}

TEST_P(CudaPointers, Of_the_device_that_are_said_to_be_the_hosts_are_refused) {
  const Tensor there = Tensor(some_rows(), {10, 4}).to(context());
  const TensorView wrong = TensorView::of(static_cast<const float*>(there.raw()), {10, 4});
  const std::vector<std::string> parts{"said to be on cpu", "lies on cuda:0", "glia::Device::cuda(0)"};
  Sequential model = compiled(context());
  expect_misplaced(model, wrong, parts);
  expect_error<DeviceError>(  // streamed
      [&] {
        model.fit(wrong, Tensor::zeros({10, 3}), {.batch_size = 2, .verbose = 0, .memory_budget = 64});
      },
      parts);
  Sequential on_the_cpu = compiled(glia::Context({.device = "cpu"}));
  expect_misplaced(on_the_cpu, wrong, parts);
}

INSTANTIATE_TEST_SUITE_P(Devices, CudaPointers, glia::test::only_cuda(), glia::test::device_name);

class CudaPointersOnTheDouble : public glia::test::DoubleTest {};

TEST_P(CudaPointersOnTheDouble, Of_the_host_that_are_said_to_be_the_devices_are_refused) {
  std::vector<float> rows = some_rows();
  Sequential model = compiled(context());
  const TensorView wrong = TensorView::of(rows.data(), {10, 4}, "cuda");
  expect_misplaced(model, wrong, {"said to be on cuda:0", "the host's", "glia::Device::cpu()"});
  // Where kernels read all of the host's memory, or that of this address, it is as it should be.
  controls().settings().reads_pageable = true;
  const Tensor wanted = model.predict(Tensor(rows, {10, 4}), {.verbose = 0}).to("cpu");
  EXPECT_TRUE(array_equal(model.predict(wrong, {.verbose = 0}).to("cpu"), wanted));
  controls().settings().reads_pageable = false;
  controls().settings().managed.insert(rows.data());
  EXPECT_TRUE(array_equal(model.predict(wrong, {.verbose = 0}).to("cpu"), wanted));
}

TEST_P(CudaPointersOnTheDouble, Of_another_device_are_refused) {
  controls().settings().devices = 2;
  const glia::Context other({.device = "cuda:1"});
  const Tensor there = Tensor(some_rows(), {10, 4}).to(other);
  Sequential model = compiled(context());
  expect_misplaced(model, TensorView::of(static_cast<const float*>(there.raw()), {10, 4}, "cuda:0"),
                   {"said to be on cuda:0", "lies on cuda:1"});
  expect_misplaced(model, there, {"the data is on cuda:1", "the model on cuda:0"});
}

TEST_P(CudaPointersOnTheDouble, Are_asked_of_once_a_call_and_not_once_a_step) {
  const Tensor x(some_rows(), {10, 4}), y = Tensor::zeros({10, 3});
  Sequential model = compiled(context());
  model.fit(x, y, {.batch_size = 2, .verbose = 0});
  controls().clear_calls();
  model.fit(x, y, {.epochs = 3, .batch_size = 2, .verbose = 0});
  const auto& calls = controls().calls();
  EXPECT_EQ(std::count(calls.begin(), calls.end(), "cudaPointerGetAttributes"), 2);
  EXPECT_EQ(controls().contexts(), std::set<int>{0});
}

INSTANTIATE_TEST_SUITE_P(Devices, CudaPointersOnTheDouble, glia::test::only_cuda(), glia::test::device_name);

class CudaPointersOfAnApplication : public glia::test::ApplicationTest {};

TEST_P(CudaPointersOfAnApplication, To_page_locked_memory_are_the_hosts_and_the_devices) {
  const std::vector<float> rows = some_rows();
  void* locked = nullptr;
  glia::test::call_cuda<cudaError_t(void**, std::size_t)>("cudaMallocHost", &locked,
                                                          rows.size() * sizeof(float));
  ASSERT_TRUE(locked);
  std::memcpy(locked, rows.data(), rows.size() * sizeof(float));
  Sequential model = compiled(context());
  const Tensor wanted = model.predict(Tensor(rows, {10, 4}), {.verbose = 0}).to("cpu");
  for (const char* device : {"cpu", "cuda"}) {
    const Tensor got =
        model.predict(TensorView::of(static_cast<float*>(locked), {10, 4}, device), {.verbose = 0});
    EXPECT_EQ(got.device(), Device(device));
    EXPECT_TRUE(array_equal(got.to("cpu"), wanted)) << device;
  }
  glia::test::call_cuda<decltype(cudaFreeHost)>("cudaFreeHost", locked);
}

TEST_P(CudaPointersOfAnApplication, Of_its_own_allocation_are_read_where_they_are) {
  void* memory = nullptr;
  glia::test::call_cuda<cudaError_t(void**, std::size_t)>("cudaMalloc", &memory, std::size_t{160});
  ASSERT_TRUE(memory);
  glia::test::ApplicationStream stream;
  glia::test::call_cuda<decltype(cudaMemsetAsync)>("cudaMemsetAsync", memory, 0, std::size_t{160},
                                                   stream.get());
  glia::test::call_cuda<decltype(cudaStreamSynchronize)>("cudaStreamSynchronize", stream.get());
  Sequential model = compiled(context());
  const Tensor got =
      model.predict(TensorView::of(static_cast<const float*>(memory), {10, 4}, "cuda"), {.verbose = 0});
  EXPECT_EQ(got.to("cpu").abs().sum(), 0);
  glia::test::call_cuda<decltype(cudaFree)>("cudaFree", memory);
}

INSTANTIATE_TEST_SUITE_P(Devices, CudaPointersOfAnApplication, glia::test::only_cuda(),
                         glia::test::device_name);

}  // namespace
