// InUse: a mark that lets one thread at a time use an object, and tells the others so instead of letting them corrupt it.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/error.h>
#include <glia/macros.h>

#include <atomic>

namespace GLIA_API glia {
namespace detail {

/// Free, or held by one thread, which may take it again within its hold. Nobody waits: it costs an exchange.
class InUse {
 public:
  /// Holds the mark while it lives. Throws StateError, `message()`, where another thread does.
  class Hold {
   public:
    template <class Message>
    Hold(InUse& mark, const Message& message) : mark_(mark) {
      const void* const self = this_thread();
      const void* nobody = nullptr;
      if (mark.holder_.load(std::memory_order_relaxed) != self &&
          !mark.holder_.compare_exchange_strong(nobody, self, std::memory_order_acquire))
        throw StateError(message());
      ++mark.depth_;
    }
    ~Hold() {
      if (--mark_.depth_ == 0) mark_.holder_.store(nullptr, std::memory_order_release);
    }
    Hold(const Hold&) = delete;
    Hold& operator=(const Hold&) = delete;

   private:
    InUse& mark_;
  };

 private:
  /// An address that no other thread has.
  static const void* this_thread() {
    static thread_local char address;
    return &address;
  }

  std::atomic<const void*> holder_{nullptr};
  int depth_ = 0;  // the holder's alone
};

}  // namespace detail
}  // namespace glia
