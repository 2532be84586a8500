// ProcessMark: tells an object that it came into a child process by fork(), where threads and devices of the
// parent are not. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/macros.h>
#include <pthread.h>

#include <atomic>

namespace GLIA_API glia {
namespace detail {

/// The process in which it was made. Asking costs two loads, and no call of the system.
class ProcessMark {
 public:
  ProcessMark() noexcept : forks_(&forks()), made_at_(forks().load(std::memory_order_relaxed)) {}
  /// Whether that is the process which asks, and not a child of it.
  bool is_here() const noexcept { return forks_->load(std::memory_order_relaxed) == made_at_; }

 private:
  /// How often a fork() made a child on the way to this process, since the first mark.
  static std::atomic<int>& forks() noexcept {
    static std::atomic<int> count{0};
    static const int registered = pthread_atfork(nullptr, nullptr, [] { ++count; });
    static_cast<void>(registered);
    return count;
  }

  const std::atomic<int>* forks_;
  int made_at_;
};

}  // namespace detail
}  // namespace glia
