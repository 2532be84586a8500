// fork(): a child may not use what the parent made, is told so at once, can let go of it, and has contexts of its own on the CPU.
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/counting_allocator.h"
#include "tests/devices.h"

namespace glia {
namespace {

Tensor numbers(const Shape& shape) {
  std::vector<double> values(static_cast<std::size_t>(shape.elements()));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = std::sin(static_cast<double>(i + 1));
  return Tensor(values, shape);
}

Sequential model_on(const Context& context) {
  Sequential model{Input({8, 8, 1}), Conv2D(3, 3, {.activation = "relu"}), Flatten(), Dense(300, "tanh"),
                   Dense(2)};
  model.set_seed(5);
  model.compile({.optimizer = "adam", .loss = "mse", .context = context});
  return model;
}

/// Runs `child` in a process of its own, in which it is to count what goes wrong, and may not take longer than a minute.
void expect_child(const std::function<int()>& child) {
  const pid_t pid = ::fork();
  ASSERT_GE(pid, 0);
  if (pid == 0) {
    ::alarm(60);
    int wrong = 100;
    try {
      wrong = child();
    } catch (const std::exception& error) {
      std::fprintf(stderr, "the child: %s\n", error.what());
    }
    ::_exit(wrong);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(pid, &status, 0), pid);
  EXPECT_TRUE(WIFEXITED(status)) << "ended by signal " << WTERMSIG(status);
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

/// 0 where the call throws a StateError that speaks of fork().
int is_refused(const char* name, const std::function<void()>& call) {
  try {
    call();
    std::fprintf(stderr, "%s was not refused\n", name);
  } catch (const StateError& error) {
    if (std::string(error.what()).find("fork()") != std::string::npos) return 0;
    std::fprintf(stderr, "%s: %s\n", name, error.what());
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s: not a StateError: %s\n", name, error.what());
  }
  return 1;
}

class Fork : public test::DeviceTest {
 protected:
  void SetUp() override {
#if defined(__SANITIZE_THREAD__)
    GTEST_SKIP() << "ThreadSanitizer starts no thread in a child of a process that had several";
#endif
    start(GetParam(), test::Start::fresh);
  }

  const Tensor x = numbers({16, 8, 8, 1}), y = numbers({16, 2});
};
INSTANTIATE_TEST_SUITE_P(Devices, Fork, ::testing::ValuesIn(test::test_devices()), test::device_name);

TEST_P(Fork, Every_call_of_a_child_to_what_the_parent_made_is_refused_at_once) {
  const Context on({.device = GetParam(), .threads = 3});
  Sequential model = model_on(on);
  model.fit(x, y, {.verbose = 0});
  const Program& program = model.program(Mode::infer, 16);
  const Tensor there = x.to(on);
  expect_child([&] {
    int wrong = 0;
    wrong += is_refused("predict", [&] { model.predict(x, {.verbose = 0}); });
    wrong += is_refused("fit", [&] { model.fit(x, y, {.verbose = 0}); });
    wrong += is_refused("evaluate", [&] { model.evaluate(x, y, {.verbose = 0}); });
    wrong += is_refused("train_on_batch", [&] { model.train_on_batch(x, y); });
    wrong += is_refused("get_weights", [&] { model.get_weights(); });
    wrong += is_refused("compile", [&] { model.compile({.loss = "mse"}); });
    wrong += is_refused("compile with it", [&] { model_on(on).predict(x, {.verbose = 0}); });
    wrong += is_refused("run", [&] { program.run(1); });
    wrong += is_refused("trim", [&] { on.trim(); });
    wrong += is_refused("memory", [&] { on.memory(); });
    wrong += is_refused("versions", [&] { on.versions(); });
    if (GetParam().is_cuda()) {
      wrong += is_refused("to", [&] { x.to(on); });
      wrong += is_refused("to_cpu", [&] { there.to("cpu"); });
      wrong += is_refused("another context", [] { Context({.device = "cuda"}); });
    }
    return wrong;
  });
  model.fit(x, y, {.verbose = 0});  // the parent goes on
}

TEST_P(Fork, A_child_lets_go_of_what_the_parent_made_without_a_call_to_its_device_or_allocator) {
  cuda_double::Controls* const controls = GetParam().is_cuda() ? test::double_controls() : nullptr;
  const bool has_memory = GetParam().is_cpu() || test::cuda_function<int(void*)>("cudaFreeHost");
  const auto allocator = has_memory ? std::make_shared<test::CountingAllocator>() : nullptr;
  for (const bool given : {false, true}) {
    if (given && !allocator) continue;
    auto on = std::make_unique<Context>(
        ContextOptions{.device = GetParam(), .threads = 3, .allocator = given ? allocator : nullptr});
    auto model = std::make_unique<Sequential>(model_on(*on));
    model->fit(x, y, {.verbose = 0, .memory_budget = 3000});
    auto there = std::make_unique<Tensor>(x.to(*on));
    expect_child([&] {
      if (controls) controls->clear_calls();
      const std::int64_t out = given ? allocator->out() : 0;
      there.reset(), model.reset(), on.reset();
      const bool left_alone = (!controls || controls->calls().empty()) && (!given || allocator->out() == out);
      return left_alone ? 0 : 1;
    });
    EXPECT_TRUE(std::isfinite(model->fit(x, y, {.verbose = 0})["loss"].back()));
  }
}

TEST_P(Fork, A_child_computes_on_a_CPU_context_of_its_own) {
  const Context on({.device = GetParam(), .threads = 3});
  Sequential model = model_on(on);
  model.fit(x, y, {.verbose = 0});
  Sequential plain = model_on(Context({.device = "cpu", .threads = 3}));
  const std::vector<double> wanted = plain.fit(x, y, {.epochs = 3, .verbose = 0})["loss"];
  expect_child([&] {
    Sequential own = model_on(Context({.device = "cpu", .threads = 3}));
    int wrong = own.fit(x, y, {.epochs = 3, .verbose = 0})["loss"] == wanted ? 0 : 1;
    if (GetParam().is_cpu()) return wrong;
    wrong += Context().device().is_cpu() ? 0 : 1;  // the automatic one
    wrong += device_report().find("before fork()") != std::string::npos ? 0 : 1;
    return wrong;
  });
}

/// A child of a child counts, and what a child made is its own.
TEST_P(Fork, A_grandchild_is_refused_what_the_child_made) {
  expect_child([&] {
    const Context own({.device = "cpu", .threads = 2});
    Sequential model = model_on(own);
    model.predict(x, {.verbose = 0});
    const pid_t pid = ::fork();
    if (pid == 0) ::_exit(is_refused("predict", [&] { model.predict(x, {.verbose = 0}); }));
    int status = 0;
    ::waitpid(pid, &status, 0);
    model.predict(x, {.verbose = 0});
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
  });
}

}  // namespace
}  // namespace glia
