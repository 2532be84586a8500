// What a backend's library exports: one function, glia_backend_library, that answers with this table. Plain
// data and function pointers; strings are copied before the thread's next call. Any thread may call.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/backend.h>
#include <glia/log.h>  // defines: LogLevel
#include <glia/macros.h>

namespace GLIA_API glia {

/// Where a library's log goes. `listens` says whether anybody hears a level.
struct LogSink {
  bool (*listens)(LogLevel level);
  void (*tell)(LogLevel level, const char* message);
};

struct BackendLibrary {
  int abi;  ///< backend_abi as the library was compiled; nothing else is read where it differs
  /// To be called first, once. It says where the library logs to, which it does on whatever thread.
  void (*log_to)(const LogSink& sink);
  /// Devices that there are; 0 with *reason set where there are none. *description says what they are. None is touched.
  int (*devices)(const char** reason, const char** description);
  /// Why a device cannot be used; null where it can. Starts the device.
  const char* (*unusable)(int device);
  /// Throws glia::Error kin.
  Backend* (*make)(const ContextOptions& options);
  /// Why memory that is said to be on a device cannot be there, as far as is known of its address; null where it may be.
  /// Touches no device that no backend was made on.
  const char* (*misplaced)(const Device& said, const void* data);
};

/// The type of the exported function:  extern "C" const glia::BackendLibrary* glia_backend_library();
using BackendLibraryFunction = const BackendLibrary* (*)();
inline constexpr const char* backend_library_symbol = "glia_backend_library";

}  // namespace glia
