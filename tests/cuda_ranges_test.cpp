// What tools see: ranges of NVTX around steps and Ops where they are asked for, times of events, and nothing of a step that an
// application captures.
// SPDX-License-Identifier: Apache-2.0
#include <cuda_runtime_api.h>
#include <dlfcn.h>
#include <glia/glia.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "tests/application_stream.h"
#include "tests/predictor_models.h"

namespace glia {
namespace {

using test::classifier_of_six;
using test::waves;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class CudaRanges : public test::ApplicationTest {
 protected:
  void SetUp() override {
    setenv("NVTX_INJECTION64_PATH", GLIA_NVTX_LISTENER, 1);  // read at the first range of the process
    ApplicationTest::SetUp();
    if (IsSkipped()) return;
    void* const listener = dlopen(GLIA_NVTX_LISTENER, RTLD_NOW | RTLD_LOCAL);
    ASSERT_TRUE(listener) << dlerror();
    told_ = reinterpret_cast<std::vector<std::string>* (*)()>(dlsym(listener, "nvtx_told"))();
    told_->clear();
  }
  void TearDown() override {
    unsetenv("GLIA_NVTX");
    ApplicationTest::TearDown();
  }
  /// What was told since the last call.
  std::vector<std::string> told() { return std::exchange(*told_, {}); }

  const Tensor x_ = waves({16, 6});
  const Tensor y_ = Tensor(std::vector<std::int64_t>(16, 1));

 private:
  std::vector<std::string>* told_ = nullptr;
};
INSTANTIATE_TEST_SUITE_P(Devices, CudaRanges, test::only_cuda(), test::device_name);

/// As the listener writes a step.
std::vector<std::string> ranges_of(const Program& program) {
  std::vector<std::string> ranges{"glia step"};
  for (const OpOutline& op : *program.outline()) ranges.push_back(' ' + op.layer + ' ' + op.name);
  return ranges;
}

TEST_P(CudaRanges, Are_around_each_step_and_each_op_of_what_a_profiler_watches_and_of_nothing_else) {
  Sequential model = classifier_of_six(context());
  model.train_on_batch(x_, y_);
  told();
  model.train_on_batch(x_, y_);
  EXPECT_THAT(told(), IsEmpty());
  Profiler profiler(model);
  model.train_on_batch(x_, y_);
  EXPECT_EQ(told(), ranges_of(model.program(Mode::train, 16)));
  profiler.stop();
  model.train_on_batch(x_, y_);
  EXPECT_THAT(told(), IsEmpty());
}

TEST_P(CudaRanges, Are_around_all_steps_of_a_context_that_was_made_when_they_were_asked_for) {
  setenv("GLIA_NVTX", "1", 1);
  const Context context({.device = "cuda"});
  unsetenv("GLIA_NVTX");
  Sequential model = classifier_of_six(context);
  Sequential plain = classifier_of_six(this->context());
  model.program(Mode::train, 16);
  EXPECT_THAT(told(), IsEmpty()) << "nothing was run";
  std::vector<std::string> pass{"glia step", " Begin"};  // a step of its own
  for (const std::string& range : ranges_of(model.program(Mode::train, 16))) pass.push_back(range);
  const Logs in_ranges = model.train_on_batch(x_, y_);
  EXPECT_EQ(told(), pass);
  EXPECT_EQ(in_ranges["loss"], plain.train_on_batch(x_, y_)["loss"]);
  model.fit(x_, y_, {.epochs = 1, .batch_size = 16, .verbose = 0});
  EXPECT_EQ(told(), pass);

  Predictor predictor = model.predictor({.max_batch = 16});
  told();
  test::predicted(predictor, x_.to(context), context);
  EXPECT_THAT(told(), IsEmpty()) << "a predictor's context is its own, made when nobody asked";
  setenv("GLIA_NVTX", "1", 1);
  Predictor other = model.predictor({.max_batch = 16, .batch_sizes = {16}});
  unsetenv("GLIA_NVTX");
  told();
  test::predicted(other, x_.to(context), context);
  const std::vector<std::string> ranges = told();
  ASSERT_FALSE(ranges.empty());
  EXPECT_EQ(ranges.front(), "glia step");
  EXPECT_EQ(ranges.back(), " output Scatter");
}

TEST_P(CudaRanges, Steps_that_an_application_captures_are_not_recorded_and_are_captured_all_the_same) {
  Sequential model = classifier_of_six(context());
  Predictor predictor = model.predictor({.max_batch = 16});
  const Tensor x = x_.to(context());
  Tensor y = Tensor::zeros({16, 3}).to(context());
  const Tensor expected = test::predicted(predictor, x, context());
  context().backend().synchronize();
  Profiler profiler(predictor);
  const test::ApplicationStream stream;
  {
    test::ApplicationCapture capture(stream.get(), cudaStreamCaptureModeThreadLocal);
    predictor.enqueue(x.raw(), y.raw(), 16, stream.get());
    EXPECT_GT(capture.end(), 1u);
    EXPECT_THAT(profiler.ops(), IsEmpty());
    capture.launch();
    test::call_cuda<decltype(cudaStreamSynchronize)>("cudaStreamSynchronize", stream.get());
  }
  EXPECT_TRUE(array_equal(y.to("cpu"), expected));
  predictor.enqueue(x.raw(), y.raw(), 16, stream.get());
  EXPECT_FALSE(profiler.ops().empty());
  predictor.enqueue(x.raw(), y.raw(), 16, nullptr);
}

TEST_P(CudaRanges, Events_tell_the_time_between_them_where_they_were_made_to) {
  cudaEvent_t begin = nullptr, end = nullptr;
  for (cudaEvent_t* event : {&begin, &end})
    test::call_cuda<decltype(cudaEventCreateWithFlags)>("cudaEventCreateWithFlags", event,
                                                        static_cast<unsigned>(cudaEventDefault));
  const test::ApplicationStream stream;
  const test::ApplicationEvent untimed;
  Tensor x = x_.to(context());
  context().backend().synchronize();
  const auto elapsed = [&](cudaEvent_t from, cudaEvent_t to, float* milliseconds) {
    void* const function = dlsym(test::application_runtime(), "cudaEventElapsedTime");
    return reinterpret_cast<decltype(&cudaEventElapsedTime)>(function)(milliseconds, from, to);
  };
  float milliseconds = -1;
  EXPECT_NE(elapsed(begin, end, &milliseconds), cudaSuccess) << "they were not recorded";
  test::call_cuda<decltype(cudaEventRecord)>("cudaEventRecord", begin, stream.get());
  test::call_cuda<decltype(cudaMemsetAsync)>("cudaMemsetAsync", x.raw(), 0, std::size_t{64}, stream.get());
  test::call_cuda<decltype(cudaEventRecord)>("cudaEventRecord", end, stream.get());
  test::call_cuda<decltype(cudaEventRecord)>("cudaEventRecord", untimed.get(), stream.get());
  if (on_the_double()) {
    EXPECT_EQ(elapsed(begin, end, &milliseconds), cudaErrorNotReady);
  }
  test::call_cuda<decltype(cudaStreamSynchronize)>("cudaStreamSynchronize", stream.get());
  EXPECT_EQ(elapsed(begin, end, &milliseconds), cudaSuccess);
  EXPECT_GT(milliseconds, 0);
  EXPECT_EQ(elapsed(begin, begin, &milliseconds), cudaSuccess);
  EXPECT_EQ(milliseconds, 0);
  EXPECT_NE(elapsed(begin, untimed.get(), &milliseconds), cudaSuccess);
  for (cudaEvent_t event : {begin, end})
    test::call_cuda<decltype(cudaEventDestroy)>("cudaEventDestroy", event);
}

}  // namespace
}  // namespace glia
