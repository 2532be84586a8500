// A field of a line of a CSV file.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace glia::detail {

/// `text`, in quotes where it holds the separator, a quote or the end of a line (RFC 4180).
inline std::string csv_field(const std::string& text, char separator = ',') {
  if (text.find_first_of(std::string("\"\r\n") + separator) == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + '"';
}

}  // namespace glia::detail
