// ThreadPool: the one pool that a CPU context computes with. Between the many small Ops of a step its workers
// spin, because waking a thread costs more than most Ops.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/process_mark.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

namespace glia::cpu {

/// Runs the slices of a task on `threads` threads, the caller's among them. While they compute, these threads
/// round to nearest, whatever the application asked of the caller's (fesetround), flush denormal numbers to zero (Adam's moments decay into them, where arithmetic is a hundred times
/// slower) and use one OpenMP thread each. Its own threads take no signals (signals.h); the caller's must not either,
/// while it runs what of oneDNN may leave the thread's stack.
class ThreadPool {
 public:
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const { return static_cast<int>(ranges_.size()); }

  /// All that were run so far.
  std::int64_t slices() const { return slices_; }

  /// Calls task(i, worker) once for each i in 0..count-1, worker in 0..threads()-1, and returns when all are
  /// done. Each worker begins with the same share every time, so that its cache stays warm, and then helps
  /// the others. Does not allocate. Tasks may not throw.
  template <class Task>
  void run(std::int64_t count, const Task& task) {
    run_erased(
        count, [](const void* t, std::int64_t i, int worker) { (*static_cast<const Task*>(t))(i, worker); },
        &task);
  }

 private:
  using Function = void (*)(const void* task, std::int64_t index, int worker);

  /// The slices that one worker has not begun; on a cache line of its own.
  struct alignas(64) Range {
    std::atomic<std::int64_t> next{0};
    std::int64_t end = 0;
  };

  void run_erased(std::int64_t count, Function function, const void* task);
  void worker_loop(int worker);
  int join_launch(std::uint64_t& seen);
  void work(int worker, int shares);
  void stop();

  std::vector<Range> ranges_;
  std::vector<std::thread> workers_;
  detail::ProcessMark process_;  // where the workers are
  Function function_ = nullptr;
  const void* task_ = nullptr;
  std::int64_t slices_ = 0;
  int spins_;
  /// The launch, in one word so that a worker joins it or misses it, and nothing between: its number, whether
  /// it is open, how many shares its slices are in, and how many workers are in it. A launch is closed when
  /// no slice is left, so that a worker that the system does not schedule holds nobody up.
  alignas(64) std::atomic<std::uint64_t> launch_{0};
  std::atomic<bool> stopping_{false};
};

/// A pause of a spinning thread, about 50 ns.
void pause();

/// Puts the calling thread into the mode the pool's workers compute in, and back at the end. Costs nothing within another.
class ComputeMode {
 public:
  ComputeMode();
  ~ComputeMode();
  ComputeMode(const ComputeMode&) = delete;
  ComputeMode& operator=(const ComputeMode&) = delete;

 private:
  bool outermost_;
  std::uint64_t float_control_ = 0;
  int openmp_threads_ = 0;
};

}  // namespace glia::cpu
