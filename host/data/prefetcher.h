// Prefetcher: items made on a thread of their own, one ahead of their use: double buffers.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/error.h>
#include <host/base/errno_text.h>

#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

namespace glia {

/// Calls make(0), make(1), ... make(count - 1), each when next() takes the one before, so that at most two exist.
/// An exception from make comes out of next(). The destructor waits for a make that is running.
template <class Item>
class Prefetcher {
 public:
  Prefetcher(std::int64_t count, std::function<Item(std::int64_t)> make)
      : count_(count), make_(std::move(make)) {
    try {
      thread_ = std::thread([this] { produce(); });
    } catch (const std::system_error& error) {
      throw DeviceError(detail::concat("no thread could be started to read ahead (",
                                       detail::errno_text(error.code()), "): end other programs"));
    }
  }

  ~Prefetcher() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }
  Prefetcher(const Prefetcher&) = delete;
  Prefetcher& operator=(const Prefetcher&) = delete;

  /// The next item, waiting for it; nothing after the last.
  std::optional<Item> next() {
    if (taken_ == count_) return std::nullopt;
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return ready_.has_value() || failure_; });
    if (failure_) std::rethrow_exception(failure_);
    std::optional<Item> item = std::move(ready_);
    ready_.reset();
    ++taken_;
    lock.unlock();
    changed_.notify_all();
    return item;
  }

 private:
  void produce() {
    for (std::int64_t index = 0; index < count_; ++index) {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return !ready_ || stopping_; });
      if (stopping_) return;
      lock.unlock();
      std::optional<Item> item;
      std::exception_ptr failure;
      try {
        item.emplace(make_(index));
      } catch (...) {
        failure = std::current_exception();
      }
      lock.lock();
      ready_ = std::move(item);
      failure_ = failure;
      lock.unlock();
      changed_.notify_all();
      if (failure) return;
    }
  }

  const std::int64_t count_;
  std::int64_t taken_ = 0;
  std::function<Item(std::int64_t)> make_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<Item> ready_;
  std::exception_ptr failure_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace glia
