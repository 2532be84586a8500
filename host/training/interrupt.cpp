// Ctrl-C, as long as an InterruptGuard lives.
// SPDX-License-Identifier: Apache-2.0
#include <glia/interrupt.h>
#include <host/base/errno_text.h>

#include <algorithm>
#include <atomic>
#include <cerrno>

namespace glia {
namespace {

// A handler has nothing but what is global, as signals are.
std::atomic<int> taken{0};
static_assert(std::atomic<int>::is_always_lock_free);

void ask_to_end(int signal) {
  int none = 0;
  if (taken.compare_exchange_strong(none, signal)) return;
  // Twice: whoever sends it does not want to wait.
  struct sigaction as_ever = {};
  as_ever.sa_handler = SIG_DFL;
  ::sigaction(signal, &as_ever, nullptr);
  ::raise(signal);  // is taken when this handler returns
}

}  // namespace

InterruptGuard::InterruptGuard(std::initializer_list<int> signals) {
  for (const int signal : signals) {
    struct sigaction action = {}, before = {};
    action.sa_handler = ask_to_end;
    action.sa_flags = SA_RESTART;  // reads and writes of files go on
    before_.reserve(signals.size());
    if (::sigaction(signal, &action, &before) == 0) {
      before_.emplace_back(signal, before);
      continue;
    }
    const int failed = errno;
    give_back();
    throw ValueError(detail::concat("InterruptGuard got the signal ", signal, ", which cannot be taken: ",
                                    detail::errno_text(failed), "; expected such as SIGINT and SIGTERM"));
  }
}

InterruptGuard::~InterruptGuard() { give_back(); }

void InterruptGuard::give_back() noexcept {
  std::for_each(before_.rbegin(), before_.rend(),
                [](const auto& one) { ::sigaction(one.first, &one.second, nullptr); });
  before_.clear();
}

int InterruptGuard::signal() noexcept { return taken; }
void InterruptGuard::reset() noexcept { taken = 0; }

void InterruptGuard::check(const char* what) {
  const int signal = taken.load(std::memory_order_relaxed);
  if (signal != 0)
    throw Interrupted(detail::concat(what, " was interrupted by ", signal == SIGINT ? "Ctrl-C" : "signal ",
                                     signal == SIGINT ? "" : std::to_string(signal),
                                     ": the model is as the last step left it"),
                      signal);
}

}  // namespace glia
