// The backend's log, which goes where the host said when it opened the library.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/backend_library.h>  // defines: LogSink, LogLevel
#include <glia/text.h>

namespace glia::cuda {

/// Heard by nobody until the host says otherwise.
inline LogSink log_sink{};

template <class... Parts>
void log(LogLevel level, const Parts&... parts) {
  if (log_sink.listens && log_sink.listens(level)) log_sink.tell(level, detail::concat(parts...).c_str());
}

}  // namespace glia::cuda
