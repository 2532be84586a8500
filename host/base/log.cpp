// The handler of the log, and which warnings it was told.
// SPDX-License-Identifier: Apache-2.0
#include <glia/log.h>

#include <atomic>
#include <iostream>
#include <mutex>
#include <set>
#include <utility>

namespace glia {
namespace {

struct Listening {
  std::mutex mutex;
  LogHandler handler = [](LogLevel level, const std::string& message) {
    if (level == LogLevel::warning) std::cerr << "glia: warning: " + message + '\n';
  };
  std::set<std::string> warned;
  std::atomic<LogLevel> last{LogLevel::warning};  ///< that anybody listens to
};

/// Never destroyed: a static model may warn when it goes.
Listening& listening() {
  static Listening& instance = *new Listening;
  return instance;
}

}  // namespace

LogHandler set_log_handler(LogHandler handler) {
  Listening& l = listening();
  const std::lock_guard lock(l.mutex);
  l.warned.clear();
  l.last = handler ? LogLevel::debug : LogLevel::warning;
  return std::exchange(l.handler, std::move(handler));
}

bool detail::is_logged(LogLevel level) { return level <= listening().last; }

void detail::log_text(LogLevel level, const std::string& message) {
  Listening& l = listening();
  LogHandler handler;
  {
    const std::lock_guard lock(l.mutex);
    if (level > l.last || (level == LogLevel::warning && !l.warned.insert(message).second)) return;
    handler = l.handler;
  }
  if (handler) handler(level, message);  // it may replace itself
}

}  // namespace glia
