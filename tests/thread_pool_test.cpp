// The thread pool: every slice once, any number of threads, nothing left changed on the caller's thread.
// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <atomic>
#include <limits>
#include <numeric>
#include <vector>

#include "host/cpu/thread_pool.h"

namespace glia::cpu {
namespace {

class Threads : public ::testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Counts, Threads, ::testing::Values(1, 2, 3, 5, 8));

TEST_P(Threads, Every_slice_runs_once_in_launches_of_every_size) {
  ThreadPool pool(GetParam());
  EXPECT_EQ(pool.threads(), GetParam());
  for (std::int64_t count : {0, 1, 2, 3, 7, 64, 1000}) {
    for (int repeat = 0; repeat < 50; ++repeat) {
      std::vector<std::atomic<int>> runs(static_cast<std::size_t>(count));
      std::atomic<bool> worker_in_range{true};
      pool.run(count, [&](std::int64_t i, int worker) {
        runs[static_cast<std::size_t>(i)].fetch_add(1);
        if (worker < 0 || worker >= pool.threads()) worker_in_range = false;
      });
      for (const auto& times : runs) ASSERT_EQ(times.load(), 1);
      EXPECT_TRUE(worker_in_range);
    }
  }
}

TEST_P(Threads, What_a_launch_writes_the_next_one_reads) {
  ThreadPool pool(GetParam());
  std::vector<std::int64_t> values(257);
  std::iota(values.begin(), values.end(), 0);
  for (int launch = 0; launch < 500; ++launch) {
    std::vector<std::int64_t> next(values.size());
    pool.run(257, [&](std::int64_t i, int) {
      next[static_cast<std::size_t>(i)] = values[static_cast<std::size_t>((i + 1) % 257)] + 1;
    });
    values = next;
  }
  for (std::int64_t i = 0; i < 257; ++i)
    ASSERT_EQ(values[static_cast<std::size_t>(i)], (i + 500) % 257 + 500);
}

TEST(ThreadPool, Flushes_denormals_while_it_computes_and_restores_the_callers_mode) {
  volatile float tiny = std::numeric_limits<float>::min();
  ThreadPool pool(2);
  std::atomic<int> flushed{0};
  pool.run(64, [&](std::int64_t, int) {
    volatile float half = tiny * 0.5f;
    flushed += half == 0.0f;
  });
#if defined(__x86_64__) || defined(__aarch64__)
  EXPECT_EQ(flushed, 64);
#endif
  volatile float half = tiny * 0.5f;
  EXPECT_NE(half, 0.0f);
}

TEST(ThreadPool, Pools_come_and_go_idle_or_asleep) {
  for (int repeat = 0; repeat < 20; ++repeat) {
    ThreadPool pool(3);
    if (repeat % 2) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    std::atomic<int> sum{0};
    if (repeat % 3) pool.run(10, [&](std::int64_t i, int) { sum += static_cast<int>(i); });
    EXPECT_EQ(sum, repeat % 3 ? 45 : 0);
  }
}

}  // namespace
}  // namespace glia::cpu
