// Warnings: what is no error and yet worth knowing, such as that something will be slow.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/macros.h>

#include <functional>
#include <string>

namespace GLIA_API glia {

/// Gets a warning's text, without a line end, on the thread that met it. It must not throw.
using WarningHandler = std::function<void(const std::string& message)>;

/// Replaces what gets warnings, and returns what did; an empty handler drops them. Without a call a warning is a line on
/// std::cerr, "glia: warning: ...". A text is told once, and to each new handler again. Any thread may call.
///
///     glia::set_warning_handler([](const std::string& message) { log(message); });
WarningHandler set_warning_handler(WarningHandler handler);

namespace detail {
/// Tells a warning.
void warn(const std::string& message);
}  // namespace detail

}  // namespace glia
