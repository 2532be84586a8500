// The log: warnings on std::cerr unless somebody listens, and to whoever listens what was chosen, built and refused.
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

#include "tests/double_controls.h"

namespace glia {
namespace {

using ::testing::Contains;
using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

/// While it lives, all that is logged comes here, as "level: message".
class Listener {
 public:
  Listener()
      : before_(set_log_handler([this](LogLevel level, const std::string& message) {
          heard.push_back(std::string(name_of(level)) + ": " + message);
        })) {}
  ~Listener() { set_log_handler(before_); }
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  std::vector<std::string> heard;

 private:
  LogHandler before_;
};

void warn(const std::string& message) { detail::tell(LogLevel::warning, message); }

TEST(Log, Warnings_are_lines_on_cerr_until_somebody_listens_and_each_is_told_once) {
  ::testing::internal::CaptureStderr();
  for (const char* message : {"one", "two", "one"}) warn(message);
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "glia: warning: one\nglia: warning: two\n");

  ::testing::internal::CaptureStderr();
  {
    Listener listener;
    for (const char* message : {"one", "three", "one", "three"}) warn(message);
    EXPECT_EQ(listener.heard, (std::vector<std::string>{"warning: one", "warning: three"}));
    const LogHandler here = set_log_handler({});
    warn("four");
    set_log_handler(here);
  }
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");

  ::testing::internal::CaptureStderr();  // by the handler of the beginning
  warn("four");
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "glia: warning: four\n");
}

TEST(Log, What_is_no_warning_is_told_each_time_and_to_nobody_else) {
  ::testing::internal::CaptureStdout();
  ::testing::internal::CaptureStderr();
  for (const LogLevel level : {LogLevel::info, LogLevel::debug}) detail::tell(level, "nobody");
  {
    Listener listener;
    for (int time = 0; time < 2; ++time) detail::tell(LogLevel::info, "built ", 3, " of ", 4.5);
    detail::tell(LogLevel::debug, "refused");
    EXPECT_EQ(listener.heard,
              (std::vector<std::string>{"info: built 3 of 4.5", "info: built 3 of 4.5", "debug: refused"}));
  }
  for (const LogLevel level : {LogLevel::info, LogLevel::debug}) detail::tell(level, "nobody");
  EXPECT_EQ(::testing::internal::GetCapturedStdout(), "");
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
}

TEST(Log, Messages_are_made_for_those_who_listen) {
  const LogHandler before = set_log_handler({});
  EXPECT_FALSE(detail::is_logged(LogLevel::info));
  EXPECT_FALSE(detail::is_logged(LogLevel::debug));
  set_log_handler([](LogLevel, const std::string&) {});
  EXPECT_TRUE(detail::is_logged(LogLevel::debug));
  set_log_handler(before);
}

TEST(Log, Comes_from_any_thread_and_a_handler_may_replace_itself) {
  std::atomic<int> heard{0};
  const LogHandler before = set_log_handler([&](LogLevel, const std::string&) { ++heard; });
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([] {
      for (int message = 0; message < 50; ++message) warn(std::to_string(message));
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(heard, 50);
  set_log_handler([&](LogLevel, const std::string&) { set_log_handler({}); });
  warn("a");
  warn("b");
  EXPECT_EQ(heard, 50);
  set_log_handler(before);
}

/// The backend is looked for once in a process: here in one of its own.
TEST(LogDeathTest, Says_which_device_is_taken_and_why_and_whether_a_backend_was_opened) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const auto ask = [] {
    set_log_handler([](LogLevel level, const std::string& message) {
      std::cerr << name_of(level) << ": " << message << '\n';
    });
    Context({.device = "auto"});
    std::exit(0);
  };
  EXPECT_EXIT(
      {
        setenv("GLIA_CUDA_LIBRARY", "/nowhere/libglia_cuda.so", 1);
        ask();
      },
      ::testing::ExitedWithCode(0),
      "info: there is no CUDA backend: .*/nowhere/libglia_cuda.so.*\n"
      "info: device \"auto\" is the CPU: .*/nowhere/libglia_cuda.so.*\n"
      "info: a context on cpu, [0-9]+ threads?, glia .*oneDNN");
}

class LogOn : public test::DeviceTest {
 protected:
  Sequential model() {
    Sequential model{Input({4}), Dense(5, "relu"), Dense(2, "softmax")};
    model.compile({.loss = "sparse_categorical_crossentropy", .metrics = "accuracy", .context = context()});
    return model;
  }
  const Tensor x_ = Tensor::arange(11 * 4).reshape({11, 4}) * 0.01;
  const Tensor y_ = Tensor(std::vector<std::int64_t>{0, 1, 1, 0, 1, 0, 0, 1, 1, 0, 1});
};
INSTANTIATE_TEST_SUITE_P(Devices, LogOn, ::testing::ValuesIn(test::test_devices()), test::device_name);

TEST_P(LogOn, A_silent_fit_prints_nothing_at_all) {
  ::testing::internal::CaptureStdout();
  ::testing::internal::CaptureStderr();
  Sequential model = this->model();
  model.fit(x_, y_, {.epochs = 2, .batch_size = 4, .verbose = 0, .validation_split = 0.3});
  model.evaluate(x_, y_, {.batch_size = 4, .verbose = 0});
  model.predict(x_, {.batch_size = 4, .verbose = 0});
  EXPECT_EQ(::testing::internal::GetCapturedStdout(), "");
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
}

TEST_P(LogOn, Programs_are_told_of_when_they_are_built_and_not_when_they_are_used_again) {
  Sequential model = this->model();
  Listener listener;
  const std::string on = "info: built a program on " + context().device().name() + ": ";
  model.train_on_batch(x_, y_);
  model.train_on_batch(x_, y_);
  model.evaluate(x_, y_, {.batch_size = 4, .verbose = 0});
  std::vector<std::string> built;
  for (const std::string& message : listener.heard)
    if (message.rfind(on, 0) == 0) built.push_back(message.substr(on.size()));
  EXPECT_THAT(built,
              ::testing::ElementsAre(StartsWith("train, batch 11: "), StartsWith("validate, batch 4: "),
                                     StartsWith("validate, batch 3: ")));
  const std::string& train = built.at(0);
  EXPECT_EQ(model.explain(11).substr(0, train.size()), train);
  EXPECT_THAT(train, HasSubstr(" Ops, arena "));
}

class CudaLogOnTheDouble : public test::DoubleTest {};
INSTANTIATE_TEST_SUITE_P(Devices, CudaLogOnTheDouble, test::only_cuda(), test::device_name);

TEST_P(CudaLogOnTheDouble, Tells_of_captured_graphs_of_refused_algorithms_and_of_libraries_that_were_opened) {
  Listener listener;
  controls().settings().refuses_products = true;
  Sequential model{Input({6, 6, 1}), Conv2D(2, 3, {.activation = "relu"}), Flatten(), Dense(2)};
  model.compile({.loss = "mse", .context = context()});
  model.program(Mode::train, 4);
  EXPECT_THAT(listener.heard, Contains(StartsWith("debug: captured 1 of a step of ")));
  EXPECT_THAT(listener.heard, Contains("info: cuDNN 9.19.0 was opened"));
  EXPECT_THAT(listener.heard,
              Contains(StartsWith("debug: cuBLASLt BIAS has no algorithm for (4, 32) x (32, 2)")));
  EXPECT_THAT(listener.heard, Each(Not(HasSubstr("cuDNN has no"))));

  listener.heard.clear();
  controls().settings().refuses_graphs = true;
  model.program(Mode::train, 5);
  EXPECT_THAT(listener.heard, Contains(HasSubstr("debug: cuDNN has no engine for (5, 6, 6, 1)")));
}

TEST_P(CudaLogOnTheDouble, Tells_of_memory_that_is_asked_for_once_more) {
  Listener listener;
  constexpr int memory_allocation = 2;  // cudaErrorMemoryAllocation
  controls().fail("cudaMallocFromPoolAsync", 1, memory_allocation);
  context().backend().allocate(12345);
  EXPECT_THAT(listener.heard, Contains(HasSubstr("info: GPU 0 has no 12345 bytes of memory left")));
}

TEST_P(CudaLogOnTheDouble, Tells_of_a_relu_that_hides_nan) {
  Listener listener;
  controls().settings().relu_hides_nan = true;
  Sequential model{Dense(3, "relu", {.input_dim = 4})};
  model.compile({.loss = "mse", .context = context()});
  model.program(Mode::infer, 12);
  EXPECT_THAT(listener.heard, Contains(HasSubstr("info: cuBLASLt RELU_BIAS hides NaN")));
}

}  // namespace
}  // namespace glia
