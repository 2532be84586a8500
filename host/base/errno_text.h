// What the system says of an error number.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/text.h>

#include <string>
#include <system_error>

namespace glia::detail {

/// The system's words for an errno, in English, with its number.
inline std::string errno_text(int error) {
  const UntranslatedMessages plain;
  return concat(std::generic_category().message(error), " (errno ", error, ")");
}
inline std::string errno_text(const std::error_code& error) { return errno_text(error.value()); }

}  // namespace glia::detail
