// ThreadPool: launching, helping, waiting.
// SPDX-License-Identifier: Apache-2.0
#include <glia/error.h>
#include <host/base/errno_text.h>
#include <host/cpu/onednn.h>   // defines: set_openmp_threads
#include <host/cpu/signals.h>  // defines: SignalsBlocked
#include <host/cpu/thread_pool.h>

#include <system_error>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace glia::cpu {
namespace {

// The fields of ThreadPool::launch_.
constexpr std::uint64_t one_worker = 1, workers_mask = 0xffff;
constexpr std::uint64_t one_share = 1 << 16, shares_mask = 0x7fff;
constexpr std::uint64_t open_flag = std::uint64_t{1} << 31;
constexpr std::uint64_t one_launch = std::uint64_t{1} << 32;

std::uint64_t number_of(std::uint64_t launch) { return launch / one_launch; }
int shares_of(std::uint64_t launch) { return static_cast<int>(launch / one_share & shares_mask); }

// What Ops compute in, whatever the application chose for itself: rounding to nearest, no traps, denormals flushed.
#if defined(__x86_64__)
// MXCSR: all exceptions masked (bits 7 to 12), results (FTZ, bit 15) and operands (DAZ, bit 6) flushed.
constexpr std::uint64_t computing_control = 0x1f80 | 0x8040;
std::uint64_t float_control() { return _mm_getcsr(); }
void set_float_control(std::uint64_t value) { _mm_setcsr(static_cast<unsigned>(value)); }
#elif defined(__aarch64__)
constexpr std::uint64_t computing_control = std::uint64_t{1} << 24;  // FPCR.FZ
std::uint64_t float_control() {
  std::uint64_t value;
  asm volatile("mrs %0, fpcr" : "=r"(value));
  return value;
}
void set_float_control(std::uint64_t value) { asm volatile("msr fpcr, %0" ::"r"(value)); }
#else
constexpr std::uint64_t computing_control = 0;
std::uint64_t float_control() { return 0; }
void set_float_control(std::uint64_t) {}
#endif

thread_local bool computes = false;  // whether the thread is in a ComputeMode

}  // namespace

ComputeMode::ComputeMode() : outermost_(!computes) {
  if (!outermost_) return;
  computes = true;
  openmp_threads_ = set_openmp_threads(1);
  float_control_ = float_control();
  set_float_control(computing_control);
}

ComputeMode::~ComputeMode() {
  if (!outermost_) return;
  set_float_control(float_control_);
  set_openmp_threads(openmp_threads_);
  computes = false;
}

ThreadPool::ThreadPool(int threads)
    : ranges_(static_cast<std::size_t>(threads)),
      // Spinning threads in each other's way are worse than sleeping ones.
      spins_(threads > static_cast<int>(std::thread::hardware_concurrency()) ? 0 : 4000) {
  const SignalsBlocked blocked;  // in the workers for good
  try {
    for (int worker = 1; worker < threads; ++worker)
      workers_.emplace_back([this, worker] { worker_loop(worker); });
  } catch (const std::system_error& error) {
    const std::size_t started = workers_.size() + 1;
    stop();
    throw DeviceError(detail::concat("asked for ", threads, " threads, the system gave ", started, " (",
                                     detail::errno_text(error.code()), "): ask for fewer"));
  }
}

/// In a child of fork() there are no workers that could be joined, and a std::thread that was not ends the process.
ThreadPool::~ThreadPool() {
  if (process_.is_here())
    stop();
  else
    static_cast<void>(new std::vector<std::thread>(std::move(workers_)));
}

void ThreadPool::stop() {
  stopping_.store(true, std::memory_order_relaxed);
  launch_.fetch_add(one_launch, std::memory_order_release);
  launch_.notify_all();
  for (std::thread& worker : workers_) worker.join();
  workers_.clear();
}

void pause() {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

void ThreadPool::run_erased(std::int64_t count, Function function, const void* task) {
  const ComputeMode mode;
  slices_ += count;
  const int shares = static_cast<int>(count < threads() ? count : threads());
  if (shares <= 1) {
    for (std::int64_t i = 0; i < count; ++i) function(task, i, 0);
    return;
  }
  function_ = function;
  task_ = task;
  for (int share = 0; share < shares; ++share) {
    ranges_[static_cast<std::size_t>(share)].next.store(count * share / shares, std::memory_order_relaxed);
    ranges_[static_cast<std::size_t>(share)].end = count * (share + 1) / shares;
  }
  const std::uint64_t number = number_of(launch_.load(std::memory_order_relaxed)) + 1;
  launch_.store(number * one_launch + open_flag + static_cast<std::uint64_t>(shares) * one_share,
                std::memory_order_release);
  launch_.notify_all();
  work(0, shares);
  launch_.fetch_and(~open_flag, std::memory_order_relaxed);
  for (int spin = 0; (launch_.load(std::memory_order_acquire) & workers_mask) != 0; ++spin) {
    if (spin < spins_)
      pause();
    else
      std::this_thread::yield();
  }
}

void ThreadPool::worker_loop(int worker) {
  const ComputeMode mode;
  std::uint64_t seen = 0;
  while (const int shares = join_launch(seen)) {
    work(worker, shares);
    launch_.fetch_sub(one_worker, std::memory_order_release);
  }
}

/// Waits for a launch with a number other than `seen`, joins it and returns its shares; 0 when the pool
/// stops.
int ThreadPool::join_launch(std::uint64_t& seen) {
  for (int spin = 0;; ++spin) {
    std::uint64_t launch = launch_.load(std::memory_order_acquire);
    if (stopping_.load(std::memory_order_relaxed)) return 0;
    if ((launch & open_flag) && number_of(launch) != seen) {
      if (!launch_.compare_exchange_strong(launch, launch + one_worker, std::memory_order_acquire)) continue;
      seen = number_of(launch);
      return shares_of(launch);
    }
    if (spin < spins_)
      pause();
    else
      launch_.wait(launch, std::memory_order_acquire);
  }
}

/// Worker w's own share first, then the others'.
void ThreadPool::work(int worker, int shares) {
  for (int k = 0; k < shares; ++k) {
    Range& range = ranges_[static_cast<std::size_t>((worker + k) % shares)];
    for (;;) {
      const std::int64_t index = range.next.fetch_add(1, std::memory_order_relaxed);
      if (index >= range.end) break;
      function_(task_, index, worker);
    }
  }
}

}  // namespace glia::cpu
