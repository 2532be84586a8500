// Ctrl-C: a guard lets fits end behind the step under way; without one, and the second time, the process ends as ever.
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <string>
#include <thread>
#include <utility>

#include "tests/devices.h"
#include "tests/drawn.h"  // defines: drawn, same_bits
#include "tests/expect_error.h"
#include "tests/temporary_folder.h"

namespace glia::test {
namespace {

class InterruptedFits : public DeviceTest {
 protected:
  void TearDown() override {
    InterruptGuard::reset();
    DeviceTest::TearDown();
  }
  Sequential model() {
    Sequential model{Dense(3, "tanh", {.input_dim = 4}), Dropout(0.2), Dense(2)};
    model.compile({.optimizer = "adam", .loss = "mse", .device = current_device()});
    return model;
  }
  const Tensor x = drawn(1, {12, 4}), y = drawn(2, {12, 2});
};
INSTANTIATE_TEST_SUITE_P(Devices, InterruptedFits, ::testing::ValuesIn(test_devices()), device_name);

/// Does something behind a batch of an epoch.
class Behind final : public Callback {
 public:
  Behind(int epoch, std::int64_t batch, std::function<void(Model&)> action)
      : epoch_(epoch), batch_(batch), action_(std::move(action)) {}
  bool watches_batches() const override { return true; }
  void on_epoch_begin(int epoch) override { now_ = epoch; }
  void on_batch_end(std::int64_t batch, const Logs&) override {
    last = batch;
    if (now_ == epoch_ && batch == batch_) action_(model());
  }
  void on_train_end() override { ended = true; }

  std::int64_t last = -1;
  bool ended = false;

 private:
  int epoch_, now_ = 0;
  std::int64_t batch_;
  std::function<void(Model&)> action_;
};

TEST_P(InterruptedFits, End_with_the_step_and_the_model_is_as_that_left_it) {
  const InterruptGuard guard;
  EXPECT_EQ(InterruptGuard::signal(), 0);
  Sequential interrupted = model(), stopped = model();
  Behind interrupts(1, 1, [](Model&) { ::raise(SIGINT); });
  FitOptions options{.epochs = 5, .batch_size = 3, .verbose = 0, .callbacks = {&interrupts}};
  try {
    interrupted.fit(x, y, options);
    FAIL() << "it went on";
  } catch (const Interrupted& error) {
    EXPECT_EQ(error.signal(), SIGINT);
    EXPECT_EQ(error.exit_code(), 130);
    EXPECT_EQ(std::string(error.what()),
              "fit was interrupted by Ctrl-C: the model is as the last step left it");
  }
  EXPECT_EQ(interrupts.last, 1);
  EXPECT_FALSE(interrupts.ended);  // as where a callback throws
  EXPECT_EQ(interrupted.epoch(), 1);
  EXPECT_EQ(interrupted.iterations(), 6);
  EXPECT_EQ(InterruptGuard::signal(), SIGINT);

  // Until reset() whatever trains throws; what saves does not.
  EXPECT_THROW(interrupted.fit(x, y, {.verbose = 0}), Interrupted);
  EXPECT_THROW(interrupted.evaluate(x, y, {.verbose = 0}), Interrupted);
  EXPECT_THROW(interrupted.predict(x, {.verbose = 0}), Interrupted);
  EXPECT_THROW(interrupted.train_on_batch(x, y), Interrupted);
  EXPECT_THROW(InterruptGuard::check("a loop"), Interrupted);
  const testing::TemporaryFolder folder;
  interrupted.save(folder / "model");
  InterruptGuard::reset();
  InterruptGuard::check("a loop");

  Behind stops(1, 1, [](Model& fitted) { fitted.stop_training(); });
  options.callbacks = {&stops};
  stopped.fit(x, y, options);
  EXPECT_TRUE(same_bits(interrupted.get_weights(), stopped.get_weights()));
  const Model saved = load_model(folder / "model", {.device = current_device()});
  EXPECT_TRUE(same_bits(saved.get_weights(), stopped.get_weights()));
  EXPECT_EQ(interrupted.fit(x, y, {.epochs = 2, .verbose = 0})["loss"].size(), 2u);  // it is whole
}

TEST_P(InterruptedFits, End_where_another_thread_trains) {
  const InterruptGuard guard({SIGTERM, SIGINT});
  Sequential trained = model();
  std::atomic<int> code{0};
  class Begun final : public Callback {
   public:
    explicit Begun(std::atomic<bool>& begun) : begun_(begun) {}
    void on_epoch_end(int, Logs&) override { begun_ = true; }

   private:
    std::atomic<bool>& begun_;
  };
  std::atomic<bool> begun{false};
  Begun callback(begun);
  std::thread worker([&] {
    try {
      trained.fit(x, y, {.epochs = 1 << 30, .verbose = 0, .callbacks = {&callback}});
    } catch (const Interrupted& error) {
      code = error.exit_code();
    }
  });
  while (!begun) std::this_thread::yield();
  ::kill(::getpid(), SIGTERM);
  worker.join();
  EXPECT_EQ(code, 128 + SIGTERM);
}

/// How a child ended that did this: its exit code, or minus the signal.
int ended(const std::function<void()>& body) {
  const pid_t child = ::fork();
  if (child == 0) {
    body();
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

TEST(InterruptGuard, Leaves_the_process_to_its_signals_before_and_after_and_the_second_time) {
  EXPECT_EQ(ended([] { ::raise(SIGINT); }), -SIGINT);
  EXPECT_EQ(ended([] {
              const InterruptGuard guard;
              ::raise(SIGINT);
              ::_exit(InterruptGuard::signal() == SIGINT ? 3 : 4);
            }),
            3);
  EXPECT_EQ(ended([] {
              { const InterruptGuard guard; }
              ::raise(SIGINT);
            }),
            -SIGINT);
  EXPECT_EQ(ended([] {
              const InterruptGuard guard({SIGINT, SIGTERM});
              ::raise(SIGTERM);
              ::raise(SIGINT);
            }),
            -SIGINT);
  EXPECT_EQ(ended([] {
              const InterruptGuard guard;
              ::raise(SIGINT);
              InterruptGuard::reset();
              ::raise(SIGINT);
              InterruptGuard::reset();
              ::_exit(5);
            }),
            5);
}

TEST(InterruptGuard, Gives_signals_back_to_who_had_them) {
  static std::atomic<int> mine;
  mine = 0;
  EXPECT_EQ(ended([] {
              ::signal(SIGINT, [](int) { ++mine; });
              {
                const InterruptGuard outer;
                const InterruptGuard inner({SIGINT});
                ::raise(SIGINT);
              }
              if (mine != 0) ::_exit(1);
              ::raise(SIGINT);
              ::_exit(10 + mine);
            }),
            11);
}

TEST(InterruptGuard, Leaves_what_is_ignored_and_gives_the_second_signal_to_who_had_it) {
  EXPECT_EQ(ended([] {
              ::signal(SIGINT, SIG_IGN);  // as nohup
              const InterruptGuard guard;
              ::raise(SIGINT);
              ::_exit(InterruptGuard::signal() == 0 ? 7 : 8);
            }),
            7);
  EXPECT_EQ(ended([] {
              ::signal(SIGINT, [](int) { ::_exit(9); });
              const InterruptGuard outer;
              const InterruptGuard inner;
              ::raise(SIGINT);
              ::raise(SIGINT);
            }),
            9);
}

TEST(InterruptGuard, Ends_a_search_too) {
  const InterruptGuard guard;
  ::raise(SIGINT);
  const auto build = [](const Trial&) {
    Sequential model{Dense(1, {.input_dim = 4})};
    model.compile({.loss = "mse", .device = "cpu"});
    return model;
  };
  EXPECT_THROW(grid_search({{"units", {1, 2}}}, build, Dataset(drawn(1, {12, 4}), drawn(2, {12, 1})),
                           {.fit = {.verbose = 0, .validation_split = 0.5}}),
               Interrupted);
  InterruptGuard::reset();
}

TEST(InterruptGuard, Refuses_a_signal_that_nobody_can_take_and_keeps_none) {
  EXPECT_EQ(ended([] {
              expect_error<ValueError>(
                  [] {
                    InterruptGuard guard({SIGINT, SIGKILL});
                  },
                  {"InterruptGuard got the signal 9", "Invalid argument"});
              if (::testing::Test::HasFailure()) ::_exit(6);
              ::raise(SIGINT);  // as ever
            }),
            -SIGINT);
}

}  // namespace
}  // namespace glia::test
