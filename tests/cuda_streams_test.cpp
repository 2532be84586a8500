// Streams that the application has: its own, the legacy one and its thread's; events between them and Glia's; and captures, which
// take nothing but steps that are prepared.
// SPDX-License-Identifier: Apache-2.0
#include <cuda_runtime_api.h>
#include <glia/backend.h>
#include <glia/glia.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>
#include <set>
#include <vector>

#include "tests/application_stream.h"

namespace glia {
namespace {

using test::call_cuda;
using ::testing::HasSubstr;

class CudaStreams : public test::CudaTest {};
INSTANTIATE_TEST_SUITE_P(Devices, CudaStreams, test::only_cuda(), test::device_name);

class CudaApplication : public test::ApplicationTest {
 protected:
  /// Runs a case in several of the orders that streams permit; on a GPU as often, in the order it happens to take.
  template <class Case>
  void in_many_orders(const Case& run) {
    for (std::uint64_t seed = 1; seed <= 12; ++seed) {
      SCOPED_TRACE(seed);
      if (auto* controls = on_the_double()) controls->settings().seed = seed;
      run();
    }
  }
};
INSTANTIATE_TEST_SUITE_P(Devices, CudaApplication, test::only_cuda(), test::device_name);

Sequential network(const Context& context) {
  Sequential model{Dense(8, "tanh", {.input_dim = 4}), Dense(2)};
  model.set_seed(5);
  model.compile({.optimizer = "adam", .loss = "mse", .context = context});
  model.build({4});
  return model;
}

Tensor rows(std::int64_t count) {
  Tensor x = Tensor::zeros({count, 4});
  for (std::int64_t r = 0; r < count; ++r)
    for (std::int64_t c = 0; c < 4; ++c) x.set({r, c}, std::sin(static_cast<double>(r * 4 + c)));
  return x;
}

/// Of more kinds of products, whose steps have a node an Op on the double.
Sequential classifier(const Context& context) {
  Sequential model{Dense(16, "relu", {.input_dim = 4}), Dense(8, "relu"), Dense(3, "softmax")};
  model.set_seed(5);
  model.compile({.optimizer = "adam",
                 .loss = "sparse_categorical_crossentropy",
                 .metrics = "accuracy",
                 .context = context});
  return model;
}

Tensor classes(std::int64_t count) {
  Tensor y = Tensor::zeros({count});
  for (std::int64_t r = 0; r < count; ++r) y.set({r}, static_cast<double>(r % 3));
  return y;
}

/// Overwrites a tensor on the device with NaN, on a stream.
void spoil(const Tensor& x, cudaStream_t stream) {
  call_cuda<decltype(cudaMemsetAsync)>("cudaMemsetAsync", const_cast<void*>(x.raw()), 0xFF,
                                       static_cast<std::size_t>(x.bytes()), stream);
}

TEST_P(CudaStreams, The_stream_that_is_given_is_the_one_that_is_used) {
  const Tensor x = rows(16);
  std::vector<double> expected;
  for (const std::optional<void*> stream :
       {std::optional<void*>(), std::optional<void*>(nullptr), std::optional<void*>(cudaStreamLegacy),
        std::optional<void*>(cudaStreamPerThread)}) {
    const Context context({.device = "cuda", .stream = stream});
    Sequential model = network(context);
    const std::vector<double> got = model.fit(x, Tensor::ones({16, 2}), {.epochs = 2, .verbose = 0})["loss"];
    if (expected.empty()) expected = got;
    EXPECT_EQ(got, expected);
  }
}

/// Whether weights are numbers after two steps on x that another stream then spoils, with or without an event between.
bool trains_before(bool orders, cudaStream_t other, const std::optional<void*>& own) {
  const Context context({.device = "cuda", .stream = own});
  const test::ApplicationEvent event;
  Sequential model = network(context);
  const Tensor x = rows(16).to(Device::cuda()), y = Tensor::ones({16, 2}).to(Device::cuda());
  model.train_on_batch(TensorView(x).rows(0, 8), TensorView(y).rows(0, 8));
  model.program(Mode::train, 8).run(1);  // of rows 8 to 16, which nothing waits for
  if (orders) {
    context.record(event.get());
    call_cuda<decltype(cudaStreamWaitEvent)>("cudaStreamWaitEvent", other, event.get(), 0u);
  }
  spoil(x, other);
  call_cuda<decltype(cudaStreamSynchronize)>("cudaStreamSynchronize", other);
  return !std::isnan(model.get_weights()[0](0, 0));
}

TEST_P(CudaApplication, An_event_orders_what_follows_elsewhere_after_the_work_of_a_context) {
  std::set<bool> by_chance;
  in_many_orders([&] {
    const test::ApplicationStream other;
    EXPECT_TRUE(trains_before(true, other.get(), {}));
    by_chance.insert(trains_before(false, other.get(), {}));
    // On one stream there is nothing to say.
    EXPECT_TRUE(trains_before(false, nullptr, nullptr));
  });
  if (on_the_double()) {
    EXPECT_EQ(by_chance.size(), 2u) << "without an event it is a matter of chance";
  }
}

TEST_P(CudaApplication, A_context_waits_for_an_event_of_another_stream) {
  in_many_orders([&] {
    const test::ApplicationStream other;
    const test::ApplicationEvent event;
    Sequential model = network(context());
    const Tensor x = rows(16).to(Device::cuda()), y = Tensor::ones({16, 2}).to(Device::cuda());
    model.train_on_batch(TensorView(x).rows(0, 8), TensorView(y).rows(0, 8));
    const Program& program = model.program(Mode::train, 8);
    spoil(x, other.get());
    call_cuda<decltype(cudaEventRecord)>("cudaEventRecord", event.get(), other.get());
    context().wait(event.get());
    const std::int64_t waits = context().backend().counters().synchronizations;
    program.run(1);
    EXPECT_EQ(context().backend().counters().synchronizations, waits);
    EXPECT_TRUE(std::isnan(model.get_weights()[0](0, 0)));
  });
}

TEST_P(CudaApplication, Training_on_its_stream_is_never_synchronised) {
  const Tensor x = rows(64), y = classes(64);
  const FitOptions two_epochs{.epochs = 2, .batch_size = 16, .verbose = 0};
  Sequential reference = classifier(context());
  const std::vector<double> expected = reference.fit(x, y, two_epochs)["loss"];
  const test::ApplicationStream stream;
  if (auto* controls = on_the_double()) controls->clear_calls();
  Sequential model = classifier(Context({.device = "cuda", .stream = stream.get()}));
  EXPECT_EQ(model.fit(x, y, two_epochs)["loss"], expected);
  if (!on_the_double()) return;
  const auto& calls = on_the_double()->calls();
  for (const char* forbidden : {"cudaStreamSynchronize", "cudaDeviceSynchronize", "cudaMemcpy", "cudaMalloc"})
    EXPECT_EQ(std::count(calls.begin(), calls.end(), forbidden), 0) << forbidden;
}

/// How many nodes of a graph a step is, is its libraries' affair.
TEST_P(CudaApplication, Steps_that_run_while_it_captures_become_part_of_its_graph) {
  const Tensor x = rows(64).to(Device::cuda()), y = classes(64).to(Device::cuda());
  std::vector<std::vector<Tensor>> weights;
  for (const bool captured : {false, true}) {
    const test::ApplicationStream stream;
    Sequential model = classifier(Context({.device = "cuda", .stream = stream.get()}));
    model.train_on_batch(TensorView(x).rows(0, 16), TensorView(y).rows(0, 16));  // cursor at row 16 of x
    const Program& program = model.program(Mode::train, 16);
    if (captured) {
      test::ApplicationCapture one(stream.get(), cudaStreamCaptureModeGlobal);
      program.run(1);
      const std::size_t nodes_of_a_step = one.end();
      EXPECT_GE(nodes_of_a_step, program.size());
      if (on_the_double()) {
        EXPECT_EQ(nodes_of_a_step, program.size());
      }
      test::ApplicationCapture two(stream.get(), cudaStreamCaptureModeGlobal);
      program.run(2);
      EXPECT_EQ(two.end(), 2 * nodes_of_a_step);
      two.launch();
    } else {
      program.run(2);
    }
    weights.push_back(model.get_weights());
  }
  for (std::size_t w = 0; w < weights[0].size(); ++w) EXPECT_TRUE(array_equal(weights[0][w], weights[1][w]));
}

TEST_P(CudaApplication, What_cannot_be_captured_says_so_and_leaves_the_capture_whole) {
  const test::ApplicationStream stream;
  const Context context({.device = "cuda", .stream = stream.get()});
  Sequential model = network(context), other = network(context);
  const Tensor x = rows(16), y = Tensor::ones({16, 2});
  model.train_on_batch(x, y);
  const Program& program = model.program(Mode::train, 16);
  test::ApplicationCapture step(stream.get(), cudaStreamCaptureModeThreadLocal);
  program.run(1);
  const std::size_t nodes_of_a_step = step.end();
  test::ApplicationCapture steps(stream.get(), cudaStreamCaptureModeThreadLocal);
  program.run(1);
  const auto expect_refused = [](const char* what, const auto& call) {
    try {
      call();
      ADD_FAILURE() << what << " was not refused";
    } catch (const StateError& error) {
      EXPECT_THAT(error.what(), HasSubstr("build first (model.program(")) << what;
    }
  };
  expect_refused("a program of another batch", [&] { model.program(Mode::train, 7); });
  expect_refused("another model's program", [&] { other.program(Mode::infer, 16); });
  expect_refused("building", [&] {
    Sequential late = network(context);
    late.fit(x, y, {.verbose = 0});
  });
  expect_refused("memory", [&] { context.backend().allocate(64); });
  expect_refused("fitting", [&] { model.fit(x, y, {.verbose = 0}); });
  expect_refused("predicting", [&] { model.predict(x, {.verbose = 0}); });
  expect_refused("reading weights", [&] { model.get_weights(); });
  expect_refused("waiting", [&] { context.backend().synchronize(); });
  expect_refused("trimming", [&] { context.trim(); });
  program.run(1);
  EXPECT_EQ(steps.end(), 2 * nodes_of_a_step);
  EXPECT_TRUE(std::isfinite(model.fit(x, y, {.epochs = 1, .verbose = 0})["loss"][0]));
}

TEST_P(CudaStreams, Trim_gives_back_what_the_pool_keeps) {
  { Sequential model = network(context()); }
  if (auto* controls = on_the_double()) controls->clear_calls();
  context().trim();
  if (auto* controls = on_the_double()) {
    const auto& calls = controls->calls();
    EXPECT_EQ(std::count(calls.begin(), calls.end(), "cudaMemPoolTrimTo"), 1);
  }
  Sequential model = network(context());
  EXPECT_TRUE(std::isfinite(model.fit(rows(16), Tensor::ones({16, 2}), {.verbose = 0})["loss"][0]));
}

TEST(CpuContext, Has_no_stream_to_order_and_nothing_to_trim) {
  const Context context({.device = "cpu", .threads = 1});
  int event = 0;
  EXPECT_THROW(context.wait(&event), StateError);
  EXPECT_THROW(context.record(&event), StateError);
  EXPECT_THROW(context.wait(nullptr), ValueError);
  EXPECT_THROW(context.record(nullptr), ValueError);
  context.trim();
}

}  // namespace
}  // namespace glia
