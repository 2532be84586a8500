// The handler of warnings, and what it was told.
// SPDX-License-Identifier: Apache-2.0
#include <glia/warnings.h>

#include <iostream>
#include <mutex>
#include <set>
#include <utility>

namespace glia {
namespace {

struct Warnings {
  std::mutex mutex;
  WarningHandler handler = [](const std::string& message) {
    std::cerr << "glia: warning: " + message + '\n';
  };
  std::set<std::string> told;
};

/// Never destroyed: a static model may warn when it goes.
Warnings& warnings() {
  static Warnings& instance = *new Warnings;
  return instance;
}

}  // namespace

WarningHandler set_warning_handler(WarningHandler handler) {
  Warnings& w = warnings();
  const std::lock_guard lock(w.mutex);
  w.told.clear();
  return std::exchange(w.handler, std::move(handler));
}

void detail::warn(const std::string& message) {
  Warnings& w = warnings();
  WarningHandler handler;
  {
    const std::lock_guard lock(w.mutex);
    if (!w.told.insert(message).second) return;
    handler = w.handler;
  }
  if (handler) handler(message);  // it may replace itself
}

}  // namespace glia
