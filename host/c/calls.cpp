// Errors as codes and messages, a thread's own; versions.
// SPDX-License-Identifier: Apache-2.0
#include <glia/interrupt.h>
#include <glia/version.h>
#include <host/c/calls.h>

#include <exception>
#include <new>

namespace glia::c {
namespace {

/// What a thread was last told.
struct LastError {
  glia_status status = GLIA_OK;
  std::string text;
  const char* message = "";  ///< of `text`, unless there was no memory for that

  glia_status set(glia_status code, const char* call, const char* what) noexcept {
    status = code;
    try {
      text = detail::concat(call, ": ", what);
      message = text.c_str();
    } catch (...) {
      message = "out of memory, for the message of an error too";
    }
    return code;
  }
};

LastError& last_error() {
  thread_local LastError last;
  return last;
}

}  // namespace

glia_status caught(const char* call) noexcept {
  LastError& last = last_error();
  try {
    throw;
  } catch (const ArgumentError& error) {
    return last.set(GLIA_ERROR_ARGUMENT, call, error.what());
  } catch (const ShapeError& error) {
    return last.set(GLIA_ERROR_SHAPE, call, error.what());
  } catch (const ValueError& error) {
    return last.set(GLIA_ERROR_VALUE, call, error.what());
  } catch (const StateError& error) {
    return last.set(GLIA_ERROR_STATE, call, error.what());
  } catch (const FileError& error) {
    return last.set(GLIA_ERROR_FILE, call, error.what());
  } catch (const DeviceError& error) {
    return last.set(GLIA_ERROR_DEVICE, call, error.what());
  } catch (const OutOfMemoryError& error) {
    return last.set(GLIA_ERROR_OUT_OF_MEMORY, call, error.what());
  } catch (const Interrupted& error) {
    return last.set(GLIA_ERROR_INTERRUPTED, call, error.what());
  } catch (const std::bad_alloc&) {
    return last.set(GLIA_ERROR_OUT_OF_MEMORY, call, "the host's memory ran out: free some, or ask for less");
  } catch (const std::exception& error) {
    return last.set(GLIA_ERROR_INTERNAL, call, error.what());
  } catch (...) {
    return last.set(GLIA_ERROR_INTERNAL, call, "an exception that is no std::exception");
  }
}

void put(const std::string& text, char* to, std::size_t capacity, std::size_t* needed) {
  const std::size_t bytes = text.size() + 1;
  GLIA_CHECK(!to || capacity >= bytes, ArgumentError, "text has room for ", capacity, " bytes, expected ",
             bytes, ": ask for the number with text NULL");
  if (to) std::memcpy(to, text.c_str(), bytes);
  if (needed) *needed = bytes;
}

}  // namespace glia::c

using namespace glia;

const char* glia_version(void) { return version; }
int32_t glia_interface(void) { return GLIA_C_INTERFACE; }

const char* glia_status_name(glia_status status) {
  switch (status) {
    case GLIA_OK:
      return "GLIA_OK";
    case GLIA_ERROR_ARGUMENT:
      return "GLIA_ERROR_ARGUMENT";
    case GLIA_ERROR_SHAPE:
      return "GLIA_ERROR_SHAPE";
    case GLIA_ERROR_VALUE:
      return "GLIA_ERROR_VALUE";
    case GLIA_ERROR_STATE:
      return "GLIA_ERROR_STATE";
    case GLIA_ERROR_FILE:
      return "GLIA_ERROR_FILE";
    case GLIA_ERROR_DEVICE:
      return "GLIA_ERROR_DEVICE";
    case GLIA_ERROR_OUT_OF_MEMORY:
      return "GLIA_ERROR_OUT_OF_MEMORY";
    case GLIA_ERROR_INTERNAL:
      return "GLIA_ERROR_INTERNAL";
    case GLIA_ERROR_INTERRUPTED:
      return "GLIA_ERROR_INTERRUPTED";
    default:
      return "unknown status";
  }
}

glia_status glia_last_error(void) { return c::last_error().status; }
const char* glia_last_error_message(void) { return c::last_error().message; }
