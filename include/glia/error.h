// The one family of exceptions that leaves Glia. Every message says what was got, what was expected, and what
// to do.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/macros.h>
#include <glia/text.h>  // defines: concat

#include <stdexcept>
#include <string>

namespace GLIA_API glia {

/// Where in Glia's sources an error was raised; filled in by the default argument of Error's constructor.
struct SourceLocation {
  const char* file = "";
  int line = 0;

  static SourceLocation here(const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
    return {file, line};
  }
};

/// Base of all of Glia's exceptions. `what()` is the message for the user; `where()` is for a bug report.
class Error : public std::runtime_error {
 public:
  explicit Error(const std::string& message, SourceLocation where = SourceLocation::here())
      : std::runtime_error(message), where_(where) {}
  const SourceLocation& where() const noexcept { return where_; }

 private:
  SourceLocation where_;
};

/// A shape, rank or number of elements does not fit.
class ShapeError : public Error {
 public:
  explicit ShapeError(const std::string& message, SourceLocation where = SourceLocation::here())
      : Error(message, where) {}
};

/// A value, name, label or option is not one that can be taken.
class ValueError : public Error {
 public:
  explicit ValueError(const std::string& message, SourceLocation where = SourceLocation::here())
      : Error(message, where) {}
};

/// A call came before what it needs (fit before compile) or after what it had to precede (set_seed after
/// build).
class StateError : public Error {
 public:
  explicit StateError(const std::string& message, SourceLocation where = SourceLocation::here())
      : Error(message, where) {}
};

/// A file is missing, unreadable, truncated, or not what its name or header says. Messages name file and
/// offset.
class FileError : public Error {
 public:
  explicit FileError(const std::string& message, SourceLocation where = SourceLocation::here())
      : Error(message, where) {}
};

/// A device is not there, or a library call on it failed.
class DeviceError : public Error {
 public:
  explicit DeviceError(const std::string& message, SourceLocation where = SourceLocation::here())
      : Error(message, where) {}
};

/// Memory, of the host or of a device, ran out. The object the call was made on is unchanged and usable.
class OutOfMemoryError : public Error {
 public:
  explicit OutOfMemoryError(const std::string& message, SourceLocation where = SourceLocation::here())
      : Error(message, where) {}
};

namespace detail {
/// What is wrong with an option, and what it was.
inline std::string with_got(const std::string& wrong, double got) { return concat(wrong, ", got ", got); }
}  // namespace detail

/// Checks what a caller gave; `message` is evaluated only on failure.
#define GLIA_CHECK(condition, ErrorType, ...)                               \
  do {                                                                      \
    if (!(condition)) throw ErrorType(::glia::detail::concat(__VA_ARGS__)); \
  } while (false)

}  // namespace glia
