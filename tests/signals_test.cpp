// Signals: a handler of the application runs on its thread's own stack and never on a thread of Glia's, whatever is
// computed meanwhile; no signal is lost, and the thread's mask is as it was.
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>
#include <sys/time.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "host/cpu/signals.h"

namespace {

using glia::cpu::SignalsBlocked;

/// What the handler saw; written in it, so lock-free.
std::atomic<long> handled{0}, off_the_stack{0}, on_another_thread{0};
std::atomic<std::uintptr_t> stack_begin{0}, stack_end{0};
pthread_t tested_thread;

extern "C" void watch_the_stack(int) {
  ++handled;
  if (!pthread_equal(pthread_self(), tested_thread)) {
    ++on_another_thread;
    return;
  }
  const auto frame = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
  if (frame < stack_begin || frame >= stack_end) ++off_the_stack;
}

/// Sends `signal` a thousand times a second while it lives.
class Timer {
 public:
  Timer(int timer, int signal) : timer_(timer), signal_(signal) {
    struct sigaction action = {};
    action.sa_handler = watch_the_stack;
    action.sa_flags = SA_RESTART;
    sigaction(signal, &action, &before_);
    const itimerval each_millisecond{{0, 1000}, {0, 1000}};
    setitimer(timer, &each_millisecond, nullptr);
  }
  ~Timer() {
    const itimerval off{};
    setitimer(timer_, &off, nullptr);
    sigaction(signal_, &before_, nullptr);
  }
  Timer(const Timer&) = delete;

 private:
  int timer_, signal_;
  struct sigaction before_;
};

class Signals : public ::testing::Test {
 protected:
  void SetUp() override {
    handled = off_the_stack = on_another_thread = 0;
    tested_thread = pthread_self();
    pthread_attr_t attributes;
    ASSERT_EQ(pthread_getattr_np(pthread_self(), &attributes), 0);
    void* begin = nullptr;
    std::size_t bytes = 0;
    pthread_attr_getstack(&attributes, &begin, &bytes);
    pthread_attr_destroy(&attributes);
    stack_begin = reinterpret_cast<std::uintptr_t>(begin);
    stack_end = stack_begin + bytes;
  }
};

/// Fits of a case. Under ThreadSanitizer, which looks for races and not for what a handler overwrites, they take long.
int repeats() {
#if defined(__SANITIZE_THREAD__)
  return 4;
#else
  return std::getenv("GLIA_LONG_TESTS") ? 200 : 20;
#endif
}

glia::Sequential perceptron(int threads) {
  glia::Sequential model{glia::Flatten({28, 28}), glia::Dense(128, "relu"), glia::Dense(10, "softmax")};
  model.compile({.optimizer = "adam",
                 .loss = "sparse_categorical_crossentropy",
                 .metrics = "accuracy",
                 .context = glia::Context({.device = "cpu", .threads = threads})});
  return model;
}

glia::Sequential convolutional(int threads) {
  glia::Sequential model{glia::Reshape({28, 28, 1}),
                         glia::Conv2D(8, 3, {.padding = "same", .activation = "relu"}),
                         glia::MaxPooling2D(),
                         glia::Conv2D(8, 3, {.padding = "same", .activation = "relu"}),
                         glia::Flatten(),
                         glia::Dense(10, "softmax")};
  model.compile({.optimizer = "adam",
                 .loss = "sparse_categorical_crossentropy",
                 .context = glia::Context({.device = "cpu", .threads = threads})});
  return model;
}

glia::Dataset images(std::int64_t rows) {
  std::vector<float> x(static_cast<std::size_t>(rows * 28 * 28));
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i * 7919 % 256) / 256;
  std::vector<std::int32_t> y(static_cast<std::size_t>(rows));
  for (std::size_t i = 0; i < y.size(); ++i) y[i] = static_cast<std::int32_t>(i % 10);
  return glia::Dataset(glia::Tensor(x, {rows, 28, 28}), glia::Tensor(y));
}

/// Everything that computes with the model.
void use_all_of(glia::Sequential& model, const glia::Dataset& data, int epochs) {
  model.fit(data, {.epochs = epochs, .verbose = 0, .validation_split = 0.1});
  model.evaluate(data, {.verbose = 0});
  model.predict(data.x, {.batch_size = 1, .verbose = 0});
  model.train_on_batch(data.x, data.y);
  model.gradients(data.x, data.y);
}

TEST_F(Signals, Through_whole_fits_handlers_run_on_their_threads_stack) {
  struct Kind {
    int timer, signal;
  };
  const glia::Dataset data = images(960);
  for (int repeat = 0; repeat < repeats(); ++repeat) {
    const Kind kind = repeat % 2 ? Kind{ITIMER_PROF, SIGPROF} : Kind{ITIMER_REAL, SIGALRM};
    glia::Sequential model = perceptron(1 + repeat / 2 % 2);
    const Timer timer(kind.timer, kind.signal);
    use_all_of(model, data, 30);
    ASSERT_EQ(off_the_stack, 0) << "repeat " << repeat;
    ASSERT_EQ(on_another_thread, 0) << "repeat " << repeat;
  }
  EXPECT_GT(handled, repeats());
}

TEST_F(Signals, Convolutions_too_are_left_alone) {
  const glia::Dataset data = images(320);
  for (const int threads : {1, 2}) {
    glia::Sequential model = convolutional(threads);
    const Timer timer(ITIMER_REAL, SIGALRM);
    use_all_of(model, data, 6);
  }
  EXPECT_EQ(off_the_stack, 0);
  EXPECT_EQ(on_another_thread, 0);
  EXPECT_GT(handled, 0);
}

TEST_F(Signals, Training_is_the_same_to_the_bit_under_a_timer) {
  const glia::Dataset data = images(320);
  const auto trained = [&] {
    glia::Sequential model = perceptron(2);
    model.fit(data, {.epochs = 10, .verbose = 0});
    return model.get_weights();
  };
  const std::vector<glia::Tensor> undisturbed = trained();
  const Timer timer(ITIMER_REAL, SIGALRM);
  const std::vector<glia::Tensor> disturbed = trained();
  for (std::size_t i = 0; i < undisturbed.size(); ++i)
    EXPECT_TRUE(glia::all_close(undisturbed[i], disturbed[i], 0, 0)) << i;
}

std::atomic<bool> asked_to_stop{false};
extern "C" void ask_to_stop(int) { asked_to_stop = true; }

TEST_F(Signals, What_comes_during_a_launch_is_heard_after_it) {
  asked_to_stop = false;
  struct sigaction action = {}, before;
  action.sa_handler = ask_to_stop;
  sigaction(SIGALRM, &action, &before);
  const glia::Dataset data = images(320);
  glia::Sequential model = perceptron(2);
  const itimerval once{{0, 0}, {0, 50'000}};
  setitimer(ITIMER_REAL, &once, nullptr);
  const glia::History history = model.fit(
      data, {.epochs = 1'000'000'000,
             .verbose = 0,
             .callbacks = {glia::LambdaCallback({.on_batch_end = [&](std::int64_t, const glia::Logs&) {
               if (asked_to_stop) model.stop_training();
             }})}});
  sigaction(SIGALRM, &before, nullptr);
  EXPECT_TRUE(asked_to_stop);
  EXPECT_GE(history.epoch().size(), 1u);
}

/// The numbers of a mask's signals, those that threads cannot block left out.
std::set<int> blocked_now() {
  sigset_t mask;
  pthread_sigmask(SIG_SETMASK, nullptr, &mask);
  std::set<int> numbers;
  for (int number = 1; number < NSIG; ++number)
    if (sigismember(&mask, number) == 1) numbers.insert(number);
  return numbers;
}

/// Blocks these alone while it lives.
class Mask {
 public:
  explicit Mask(const std::set<int>& numbers) {
    sigset_t mask;
    sigemptyset(&mask);
    for (const int number : numbers) sigaddset(&mask, number);
    pthread_sigmask(SIG_SETMASK, &mask, &before_);
  }
  ~Mask() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  Mask(const Mask&) = delete;

 private:
  sigset_t before_;
};

TEST_F(Signals, The_callers_mask_is_as_it_was_after_every_call) {
  const glia::Dataset data = images(64);
  for (const std::set<int>& own : {std::set<int>{}, std::set<int>{SIGUSR1, SIGCHLD, SIGRTMIN + 2}}) {
    const Mask mask(own);
    glia::Sequential model = perceptron(3);
    EXPECT_EQ(blocked_now(), own);
    std::set<int> in_callback;
    use_all_of(model, data, 1);
    EXPECT_EQ(blocked_now(), own);
    model.fit(data,
              {.verbose = 0,
               .callbacks = {glia::LambdaCallback({.on_batch_end = [&](std::int64_t, const glia::Logs&) {
                 in_callback = blocked_now();
               }})}});
    EXPECT_EQ(in_callback, own);
  }
}

const std::set<int> synchronous{SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGABRT, SIGSYS};

bool is_asynchronous(int number) {
  const bool of_the_c_library = number >= 32 && number < SIGRTMIN;
  return !synchronous.count(number) && !of_the_c_library && number != SIGKILL && number != SIGSTOP;
}

TEST_F(Signals, Blocking_takes_all_but_faults_and_gives_them_back_when_thrown_through) {
  const Mask mask({SIGUSR1});
  try {
    const SignalsBlocked blocked;
    const std::set<int> now = blocked_now();
    for (int number = 1; number < NSIG; ++number)
      EXPECT_EQ(now.count(number), is_asynchronous(number) ? 1u : 0u) << number;
    throw std::runtime_error("out");
  } catch (const std::runtime_error&) {
  }
  EXPECT_EQ(blocked_now(), std::set<int>{SIGUSR1});
}

std::set<std::string> threads_of_this_process() {
  std::set<std::string> threads;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/task"))
    threads.insert(entry.path().string());
  return threads;
}

/// As the system sees it: bit n - 1 is signal n.
std::uint64_t blocked_in(const std::string& thread) {
  std::ifstream status(thread + "/status");
  for (std::string line; std::getline(status, line);)
    if (line.rfind("SigBlk:", 0) == 0) return std::strtoull(line.c_str() + 7, nullptr, 16);
  return 0;
}

TEST_F(Signals, Threads_of_a_context_take_none) {
  std::uint64_t asynchronous = 0;
  for (int number = 1; number < NSIG; ++number)
    if (is_asynchronous(number)) asynchronous |= std::uint64_t{1} << (number - 1);
  const std::set<std::string> before = threads_of_this_process();
  const glia::Context context({.device = "cpu", .threads = 4});
  int found = 0;
  for (const std::string& thread : threads_of_this_process()) {
    if (before.count(thread)) continue;
    ++found;
    // The C library blocks all while a thread starts.
    for (int wait = 0; wait < 1000 && blocked_in(thread) != asynchronous; ++wait)
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    EXPECT_EQ(blocked_in(thread), asynchronous);
  }
  EXPECT_GE(found, 3);
}

}  // namespace
