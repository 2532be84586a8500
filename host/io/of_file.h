// Errors of what a file says are the file's.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/error.h>

#include <new>
#include <string>

namespace glia::io {

/// Calls `action()`, and throws FileError, "'file' what: ...; remedy", for values, shapes and states that cannot be, and OutOfMemoryError
/// for memory that ran out.
template <class Action>
auto of_file(const std::string& file, const char* what, const char* remedy, const Action& action) {
  const auto unfit = [&](const Error& error) {
    return FileError(detail::concat("'", file, "' ", what, ": ", error.what(), "; ", remedy));
  };
  try {
    return action();
  } catch (const ValueError& error) {
    throw unfit(error);
  } catch (const ShapeError& error) {
    throw unfit(error);
  } catch (const StateError& error) {
    throw unfit(error);
  } catch (const std::bad_alloc&) {
    throw OutOfMemoryError(detail::concat("out of memory while loading '", file, "'; close other programs"));
  }
}

}  // namespace glia::io
