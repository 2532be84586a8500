// Ctrl-C, as long as an InterruptGuard lives.
// SPDX-License-Identifier: Apache-2.0
#include <glia/interrupt.h>
#include <host/base/errno_text.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <string>
#include <utility>
#include <vector>

namespace glia {
namespace {

// A handler has nothing but what is global, as signals are.
std::atomic<int> taken{0};
static_assert(std::atomic<int>::is_always_lock_free);

struct sigaction before_guards[NSIG];  // of each signal that a guard has

void ask_to_end(int signal) {
  int none = 0;
  if (taken.compare_exchange_strong(none, signal)) return;
  // Twice: whoever sends it does not want to wait.
  ::sigaction(signal, &before_guards[signal], nullptr);
  ::raise(signal);  // is taken when this handler returns
}

}  // namespace

/// What handled signals before; does so again when this goes.
struct InterruptGuard::Handlers {
  ~Handlers() {
    std::for_each(all.rbegin(), all.rend(),
                  [](const auto& one) { ::sigaction(one.first, &one.second, nullptr); });
  }
  std::vector<std::pair<int, struct sigaction>> all;
};

InterruptGuard::InterruptGuard(std::initializer_list<int> signals) : before_(std::make_unique<Handlers>()) {
  before_->all.reserve(signals.size());
  for (const int signal : signals) {
    struct sigaction action = {}, before = {};
    action.sa_handler = ask_to_end;
    action.sa_flags = SA_RESTART;  // reads and writes of files go on
    int failed = ::sigaction(signal, nullptr, &before) == 0 ? 0 : errno;
    if (failed == 0 && before.sa_handler == SIG_IGN) continue;  // as nohup has it
    if (failed == 0 && before.sa_handler != ask_to_end) before_guards[signal] = before;
    if (failed == 0 && ::sigaction(signal, &action, nullptr) != 0) failed = errno;
    GLIA_CHECK(failed == 0, ValueError, "InterruptGuard got the signal ", signal,
               ", which cannot be taken: ", detail::errno_text(failed),
               "; expected such as SIGINT and SIGTERM");
    before_->all.emplace_back(signal, before);
  }
}

InterruptGuard::~InterruptGuard() = default;

int InterruptGuard::signal() noexcept { return taken; }
void InterruptGuard::reset() noexcept { taken = 0; }

void InterruptGuard::check(const char* what) {
  const int signal = taken.load(std::memory_order_relaxed);
  if (signal == 0) return;
  const std::string by = signal == SIGINT ? "Ctrl-C" : "signal " + std::to_string(signal);
  throw Interrupted(
      detail::concat(what, " was interrupted by ", by, ": the model is as the last step left it"), signal);
}

}  // namespace glia
