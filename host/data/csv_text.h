// Texts of any origin, made fit to stand in a message or in a printed table.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <host/base/escaped.h>

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace glia::detail {

/// On one line, without control characters, and cut to `longest` bytes where it is longer: between two characters
/// of UTF-8, not within one.
inline std::string shortened(std::string_view text, std::size_t longest) {
  std::size_t end = std::min(text.size(), longest);
  if (end < text.size())
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  std::string result(text.substr(0, end));
  for (char& c : result)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  return end < text.size() ? result + "..." : result;
}

/// For a message: what a terminal would obey is escaped.
inline std::string in_quotes(std::string_view text) { return "'" + escaped(text, 40) + "'"; }

/// The first names, quoted, and how many there are beside.
inline std::string listed(const std::vector<std::string>& names) {
  constexpr std::size_t most = 20;
  std::string result;
  for (std::size_t i = 0; i < std::min(names.size(), most); ++i)
    result += (i ? ", " : "") + in_quotes(names[i]);
  return names.size() > most ? result + " and " + std::to_string(names.size() - most) + " more" : result;
}

}  // namespace glia::detail
