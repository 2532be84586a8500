// The log: what is no error and yet worth knowing. Nothing is printed but warnings, and those where nobody listens.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/macros.h>
#include <glia/text.h>  // defines: detail::concat

#include <functional>
#include <string>

namespace GLIA_API glia {

enum class LogLevel {
  warning,  ///< a user should do something about it: what will be slow, and why
  info,     ///< devices that were chosen, libraries opened, programs built, fallbacks taken
  debug,    ///< algorithms that were tried and refused, graphs that were captured
};

/// "warning".
constexpr const char* name_of(LogLevel level) {
  return level == LogLevel::warning ? "warning" : level == LogLevel::info ? "info" : "debug";
}

/// Gets a message, without a line end, on the thread that met what it tells. It must not throw, nor call what it is told of.
using LogHandler = std::function<void(LogLevel level, const std::string& message)>;

/// Replaces what gets the log, and returns what did; an empty handler drops all. Without a call a warning is a line on
/// std::cerr, "glia: warning: ...", and the rest is dropped, which costs nothing: messages are made for those who listen. A
/// warning is told once, and to each new handler again; the rest each time. Any thread may call.
///
///     glia::set_log_handler([](glia::LogLevel level, const std::string& message) {
///       if (level != glia::LogLevel::debug) my_log(name_of(level), message);
///     });
LogHandler set_log_handler(LogHandler handler);

namespace detail {

/// Whether anybody gets messages of this level.
bool is_logged(LogLevel level);
void log_text(LogLevel level, const std::string& message);
/// Logs what the parts say together, where anybody listens.
template <class... Parts>
void tell(LogLevel level, const Parts&... parts) {
  if (is_logged(level)) log_text(level, concat(parts...));
}

}  // namespace detail

}  // namespace glia
