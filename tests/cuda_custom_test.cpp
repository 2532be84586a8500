// Bodies for CUDA of an application's own: within its graphs, on its stream, and what they must not do while a step is captured.
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/application_stream.h"
#include "tests/custom_bodies.h"
#include "tests/expect_error.h"

namespace glia::test {
namespace {

class CudaCustomBodies : public ApplicationTest {
 protected:
  void SetUp() override {
    ApplicationTest::SetUp();
    if (!IsSkipped()) room_ = std::make_unique<HostRoom>(std::size_t{8} << 20);
  }
  void TearDown() override {
    if (room_) context().backend().synchronize();
    room_.reset();
    ApplicationTest::TearDown();
  }

 private:
  std::unique_ptr<HostRoom> room_;
};
INSTANTIATE_TEST_SUITE_P(Cuda, CudaCustomBodies, only_cuda(), device_name);

Sequential small_model(const Context& context) {
  Sequential model{make_layer<OwnDense>(5), make_layer<OwnRelu>(), Dense(2)};
  model.compile({.optimizer = "adam", .loss = OwnMse(), .context = context});
  return model;
}

TEST_P(CudaCustomBodies, Are_part_of_graphs_that_the_application_captures) {
  const Tensor x = (Tensor::arange(64 * 3) * 0.01).reshape({64, 3}).to(Device::cuda());
  const Tensor y = Tensor::ones({64, 2}).to(Device::cuda());
  std::vector<TensorList> weights;
  for (const bool captured : {false, true}) {
    const ApplicationStream stream;
    Sequential model = small_model(Context({.device = "cuda", .stream = stream.get()}));
    model.train_on_batch(TensorView(x).rows(0, 16), TensorView(y).rows(0, 16));  // cursor at row 16
    const Program& program = model.program(Mode::train, 16);
    if (captured) {
      ApplicationCapture two(stream.get(), cudaStreamCaptureModeGlobal);
      program.run(2);
      two.end();
      two.launch();
    } else {
      program.run(2);
    }
    weights.push_back(model.get_weights());
    call_cuda<decltype(cudaStreamSynchronize)>("cudaStreamSynchronize", stream.get());
  }
  for (std::size_t w = 0; w < weights[0].size(); ++w) EXPECT_TRUE(array_equal(weights[0][w], weights[1][w]));
}

/// What its forward body does for CUDA, and whether it does its work then.
std::function<bool(void* stream)> deed;
struct Doing : CpuRelu {
  std::string type() const override { return "Doing"; }
  using CpuRelu::backward;
  using CpuRelu::forward;
  void forward(const CudaForward& call) const {
    if (!deed || deed(call.stream())) run_on_host(call.raw());
  }
  void backward(const CudaBackward& call) const { run_on_host(call.raw()); }
};

TEST_P(CudaCustomBodies, That_break_the_capture_of_a_step_are_named) {
  const Tensor x = Tensor::ones({4, 3});
  const ApplicationStream beside;
  const ApplicationEvent fork;
  const auto model = [&] {
    Sequential made{Dense(3), make_layer<Doing>({.name = "doing"}), Dense(2)};
    made.compile({.loss = "mse", .context = context()});
    return made;
  };
  const auto runtime = [](const char* name) { return dlsym(application_runtime(), name); };
  deed = [&](void* stream) {  // waits, which CUDA refuses; and looks not at what it says
    const auto wait = reinterpret_cast<decltype(&cudaStreamSynchronize)>(runtime("cudaStreamSynchronize"));
    EXPECT_NE(wait(static_cast<cudaStream_t>(stream)), cudaSuccess);
    static_cast<void>(reinterpret_cast<decltype(&cudaGetLastError)>(runtime("cudaGetLastError"))());
    return false;
  };
  expect_error<DeviceError>([&] { model().predict(x); },
                            {"layer \"doing\" (Doing) broke the capture", "must not synchronise"});
  deed = [](void*) -> bool { throw std::logic_error("of the application"); };
  EXPECT_THROW(model().predict(x), std::logic_error);
  deed = [&](void* stream) {  // forks a stream and does not join it
    call_cuda<decltype(cudaEventRecord)>("cudaEventRecord", fork.get(), static_cast<cudaStream_t>(stream));
    call_cuda<decltype(cudaStreamWaitEvent)>("cudaStreamWaitEvent", beside.get(), fork.get(), 0u);
    HostRoom& room = *HostRoom::current();
    const auto nothing = [](void*) {};
    expect_success(ApplicationRuntime::get()->launch_host(beside.get(), nothing, room.take(1)), "a launch");
    return true;
  };
  expect_error<DeviceError>([&] { model().predict(x); },
                            {"layer \"doing\" (Doing)", "must be joined to it again"});
  deed = nullptr;
  EXPECT_EQ(model().predict(x).shape(), (Shape{4, 2}));  // the context is as good as before
}

TEST_P(CudaCustomBodies, May_fork_streams_that_they_join_again) {
  const ApplicationStream beside;
  const ApplicationEvent fork, join;
  deed = [&](void* stream) {
    call_cuda<decltype(cudaEventRecord)>("cudaEventRecord", fork.get(), static_cast<cudaStream_t>(stream));
    call_cuda<decltype(cudaStreamWaitEvent)>("cudaStreamWaitEvent", beside.get(), fork.get(), 0u);
    call_cuda<decltype(cudaEventRecord)>("cudaEventRecord", join.get(), beside.get());
    call_cuda<decltype(cudaStreamWaitEvent)>("cudaStreamWaitEvent", static_cast<cudaStream_t>(stream),
                                             join.get(), 0u);
    return true;
  };
  Sequential model{make_layer<Doing>()};
  model.compile({.context = context()});
  EXPECT_TRUE(array_equal(model.predict(Tensor::ones({4, 3})), Tensor::ones({4, 3})));
  deed = nullptr;
}

TEST_P(CudaCustomBodies, Are_called_when_a_step_is_captured_and_not_when_it_runs) {
  static int calls;
  calls = 0;
  deed = [](void*) { return ++calls > 0; };
  Sequential model{Dense(3), make_layer<Doing>(), Dense(2)};
  model.compile({.loss = "mse", .context = context()});
  const Tensor x = Tensor::ones({8, 3}), y = Tensor::ones({8, 2});
  model.fit(x, y, {.epochs = 5, .batch_size = 4, .verbose = 0});
  EXPECT_EQ(calls, 1);
  deed = nullptr;
}

}  // namespace
}  // namespace glia::test
