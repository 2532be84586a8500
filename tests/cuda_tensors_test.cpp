// Tensors that compute on a GPU: what travels, where memory comes from, contexts that meet, streams and captures of the application.
// SPDX-License-Identifier: Apache-2.0
#include <cuda_runtime_api.h>
#include <glia/backend.h>
#include <glia/glia.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "tests/application_stream.h"
#include "tests/expect_error.h"
#include "tests/tensor_samples.h"

namespace glia {
namespace {

using test::expect_error;
using test::sample;

class CudaTensors : public test::CudaTest {
 protected:
  Tensor there(const Tensor& tensor) { return tensor.to(context()); }
  std::int64_t waits() { return context().backend().counters().synchronizations; }
};
INSTANTIATE_TEST_SUITE_P(Devices, CudaTensors, test::only_cuda(), test::device_name);

class CudaTensorsOnTheDouble : public test::DoubleTest {
 protected:
  Tensor there(const Tensor& tensor) { return tensor.to(context()); }
};
INSTANTIATE_TEST_SUITE_P(Devices, CudaTensorsOnTheDouble, test::only_cuda(), test::device_name);

/// Everything that gives a tensor whose length the shapes tell.
void compute_tensors(const Tensor& x, const Tensor& row, const Tensor& mask) {
  const Tensor results[] = {x + row,
                            x * 2.0,
                            x - x,
                            -x,
                            x > row,
                            x == 0.5,
                            x.abs(),
                            x.round(1),
                            x.clone(),
                            x.sum(0),
                            x.mean(1),
                            x.min(0),
                            x.max(1),
                            x.argmin(0),
                            x.argmax(1),
                            x.rows(1, 20),
                            x.row(3),
                            x.columns(1, 3),
                            x.column(0),
                            x.reshape({-1}),
                            x.transpose(),
                            x.sort(),
                            x.argsort(),
                            x.cast(DType::float64),
                            mask.cast(DType::int64),
                            concatenate({&x, &x})};
  EXPECT_TRUE(x.topk(2).values.device().is_cuda());
  for (const Tensor& result : results) EXPECT_TRUE(result.device().is_cuda());
}

TEST_P(CudaTensors, Nothing_waits_where_shapes_tell_what_comes_of_it) {
  const Tensor x = there(sample(DType::float32, {2667, 3})), row = there(Tensor{1, 2, 3});
  const Tensor mask = there(sample(DType::uint8, {2667}));
  const std::int64_t before = waits();
  compute_tensors(x, row, mask);
  EXPECT_EQ(waits(), before);
}

TEST_P(CudaTensorsOnTheDouble, Nothing_travels_but_results) {
  const Tensor x = there(sample(DType::float32, {2667, 3})), row = there(Tensor{1, 2, 3});
  const Tensor mask = there(sample(DType::uint8, {2667})), y = x.clone();
  using Bytes = std::pair<std::int64_t, std::int64_t>;  // to the host, and to the device
  const auto travels = [&](const std::function<void()>& call) {
    controls().clear_calls();
    call();
    return Bytes(controls().bytes_to_host(), controls().bytes_to_device());
  };
  EXPECT_EQ(travels([&] { compute_tensors(x, row, mask); }), Bytes(0, 0));
  EXPECT_EQ(travels([&] { x.sum(); }), Bytes(8, 0));
  EXPECT_EQ(travels([&] { x.mean(); }), Bytes(8, 0));
  EXPECT_EQ(travels([&] { x.max(); }), Bytes(8, 0));
  EXPECT_EQ(travels([&] { x.argmin(); }), Bytes(8, 0));
  EXPECT_EQ(travels([&] { x(17, 2); }), Bytes(4, 0));
  EXPECT_EQ(travels([&] { mask(17); }), Bytes(1, 0));
  EXPECT_EQ(travels([&] { array_equal(x, y); }), Bytes(8, 0));
  EXPECT_EQ(travels([&] { all_close(x, y); }), Bytes(8, 0));
  EXPECT_EQ(travels([&] { x.where(mask); }), Bytes(8, 0));
  EXPECT_EQ(travels([&] { x.unique(); }), Bytes(8, 0));
  EXPECT_EQ(travels([&] { mask.bincount(); }), Bytes(8 + 8 + 1 + 1, 0));
  EXPECT_EQ(travels([&] { x.round().cast(DType::int32); }), Bytes(8, 0));  // whether all fit
  EXPECT_EQ(travels([&] { x.rows({5, 4, 5}); }), Bytes(0, 24));
  EXPECT_EQ(travels([&] { x.columns({2, 0}); }), Bytes(0, 16));
  EXPECT_EQ(travels([&] { there(Tensor{1, 2}); }), Bytes(0, 8));
  EXPECT_EQ(travels([&] { to_string(x); }), Bytes(18 * 4, 18 * 8));  // six rows, and which they are
}

TEST_P(CudaTensorsOnTheDouble, Memory_is_the_contexts_and_goes_back) {
  const Tensor x = there(sample(DType::float32, {2667, 3})), row = there(Tensor{1, 2, 3});
  const Tensor mask = there(sample(DType::uint8, {2667}));
  x.sum();  // makes the buffers of copies
  const std::int64_t before = controls().device_allocations(), on_host = controls().host_allocations();
  const auto objects = controls().live_objects();
  controls().clear_calls();
  compute_tensors(x, row, mask);
  x.where(mask);
  x.unique();
  mask.bincount();
  EXPECT_EQ(controls().device_allocations(), before);
  EXPECT_EQ(controls().host_allocations(), on_host);
  EXPECT_EQ(controls().live_objects(), objects);
  const auto& calls = controls().calls();
  EXPECT_GT(std::count(calls.begin(), calls.end(), "cudaMallocFromPoolAsync"), 0);
  for (const char* forbidden : {"cudaMalloc", "cudaFree", "cudaStreamSynchronize", "cudaMallocHost"})
    EXPECT_EQ(std::count(calls.begin(), calls.end(), forbidden), 0) << forbidden;
}

TEST_P(CudaTensors, Sums_have_the_same_bits_in_every_run_and_context) {
  Tensor x = sample(DType::float32, {8003, 3}) / 3.0;
  const double sum = there(x).sum();
  const Tensor rows = there(x).sum(0).to("cpu");
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    if (auto* controls = on_the_double()) controls->settings().seed = seed;
    if (auto* controls = on_the_double()) controls->settings().multiprocessors = static_cast<int>(seed);
    const Context other({.device = "cuda"});
    EXPECT_EQ(x.to(other).sum(), sum);
    EXPECT_TRUE(array_equal(x.to(other).sum(0).to("cpu"), rows));
  }
}

TEST_P(CudaTensors, Two_contexts_of_a_device_are_ordered_by_events) {
  const Tensor a = sample(DType::float32, {8003}), b = sample(DType::float32, {8003}, test::With::numbers, 2);
  const Tensor expected = a * 2.0 + b * 3.0, both = concatenate({&a, &b});
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    if (auto* controls = on_the_double()) controls->settings().seed = seed;
    const Context other({.device = "cuda"});
    const Tensor x = there(a), y = b.to(other);
    const std::int64_t before = waits() + other.backend().counters().synchronizations;
    const Tensor sum = x * 2.0 + y * 3.0;  // y * 3.0 goes while it may still be read
    const Tensor joined = [&] {
      const Tensor p = x + 0, q = y + 0;
      return concatenate({&p, &q});
    }();
    const Tensor moved = (x * 2.0).to(other) + (y * 3.0);
    EXPECT_EQ(waits() + other.backend().counters().synchronizations, before);
    EXPECT_TRUE(array_equal(sum.to("cpu"), expected));
    EXPECT_TRUE(array_equal(joined.to("cpu"), both));
    EXPECT_TRUE(array_equal(moved.to("cpu"), expected));
  }
}

TEST_P(CudaTensorsOnTheDouble, Two_devices_do_not_meet) {
  controls().settings().devices = 2;
  const Context second({.device = "cuda:1"});
  const Tensor x = there(Tensor{1, 2}), y = Tensor{1, 2}.to(second);
  expect_error<DeviceError>([&] { x + y; }, {"+ got tensors on cuda:0 and on cuda:1", "to(other.device())"});
  expect_error<DeviceError>([&] { x + Tensor({1, 2}); }, {"cuda:0", "cpu"});
  expect_error<DeviceError>([&] { concatenate({&x, &y}); }, {"concatenate()"});
  EXPECT_TRUE(array_equal((x.to(second) + y).to("cpu"), Tensor{2, 4}));
  EXPECT_EQ((y * 2.0).sum(), 6);
}

TEST_P(CudaTensors, Memory_that_knows_no_context_is_refused) {
  const Tensor adopted = Tensor::adopt(context().backend().allocate(12), {3}, DType::float32, Device::cuda());
  expect_error<DeviceError>([&] { adopted.sum(); }, {"sum()", "adopted", "tensor.to(context)"});
  expect_error<DeviceError>([&] { adopted + 1; }, {"knows no context"});
  expect_error<DeviceError>([&] { adopted.topk(1); }, {"topk()"});
}

TEST_P(CudaTensors, A_model_of_another_context_reads_what_was_computed) {
  Sequential model{Dense(2, "tanh", {.input_dim = 3})};
  model.compile({.loss = "mse", .device = "cuda"});
  model.build({3});
  const Tensor x = sample(DType::float32, {31, 3});
  const Tensor expected = model.predict(x / 512.0, {.verbose = 0}).to("cpu");
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    if (auto* controls = on_the_double()) controls->settings().seed = seed;
    const Tensor scaled = there(x) / 512.0;
    const std::int64_t before = waits();
    EXPECT_TRUE(array_equal(model.predict(scaled, {.verbose = 0}).to("cpu"), expected));
    EXPECT_EQ(waits(), before + 1);
    model.predict(scaled, {.verbose = 0});  // finished already
    EXPECT_EQ(waits(), before + 1);
  }
}

TEST_P(CudaTensorsOnTheDouble, Work_that_fails_is_told_by_the_next_result) {
  const Tensor x = there(sample(DType::float32, {31}));
  x.sum();
  controls().fail("cudaMallocFromPoolAsync", 1, cudaErrorMemoryAllocation, false, 2);
  EXPECT_THROW(x.sort(), OutOfMemoryError);
  EXPECT_EQ(x.sort().size(), 31);
  controls().fail_launch(1, cudaErrorIllegalAddress);
  EXPECT_THROW(x.sum(), DeviceError);
}

class CudaTensorsOfAnApplication : public test::ApplicationTest {};
INSTANTIATE_TEST_SUITE_P(Devices, CudaTensorsOfAnApplication, test::only_cuda(), test::device_name);

TEST_P(CudaTensorsOfAnApplication, Compute_on_its_stream_which_is_never_synchronised) {
  const test::ApplicationStream stream;
  const Context context({.device = "cuda", .stream = stream.get()});
  const Tensor a = sample(DType::float32, {8003}), x = a.to(context);
  if (auto* controls = on_the_double()) controls->clear_calls();
  EXPECT_TRUE(array_equal((x * 2.0).sort().to("cpu"), (a * 2.0).sort()));
  EXPECT_EQ(x.unique().counts.sum(), 8003);
  if (!on_the_double()) return;
  const auto& calls = on_the_double()->calls();
  EXPECT_EQ(std::count(calls.begin(), calls.end(), "cudaStreamSynchronize"), 0);
}

TEST_P(CudaTensorsOfAnApplication, Refuse_to_be_part_of_its_graph_and_leave_the_capture_whole) {
  const test::ApplicationStream stream;
  const Context context({.device = "cuda", .stream = stream.get()}), other({.device = "cuda"});
  const Tensor x = Tensor{3, 1, 2}.to(context), y = Tensor{3, 1, 2}.to(other);
  test::ApplicationCapture capture(stream.get(), cudaStreamCaptureModeThreadLocal);
  for (const std::function<void()>& call :
       std::vector<std::function<void()>>{[&] { x + 1; }, [&] { x.sum(); }, [&] { x.sort(); },
                                          [&] { x.clone(); }, [&] { x(0); }, [&] { x + y; }, [&] { y + x; }})
    expect_error<StateError>(call, {"being captured"});
  EXPECT_EQ(capture.end(), 0u);
  EXPECT_TRUE(array_equal((x + y).to("cpu"), Tensor{6, 2, 4}));
}

}  // namespace
}  // namespace glia
