// Texts of any origin, such as names that a file holds, made fit to stand in a message.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace glia::detail {

/// How many bytes the character of UTF-8 that begins at `at` has; 0 where there is none.
inline std::size_t utf8_length(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(at);
  const std::size_t length = first < 0x80                    ? 1
                             : first >= 0xC2 && first < 0xE0 ? 2
                             : first >= 0xE0 && first < 0xF0 ? 3
                             : first >= 0xF0 && first < 0xF5 ? 4
                                                             : 0;
  if (length == 0 || at + length > text.size()) return 0;
  std::uint32_t code = length == 1 ? first : first & (0xFFu >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(at + i) & 0xC0) != 0x80) return 0;
    code = code << 6 | (byte(at + i) & 0x3Fu);
  }
  const bool too_long = (length == 3 && code < 0x800) || (length == 4 && code < 0x10000);
  const bool surrogate = code >= 0xD800 && code < 0xE000;
  return too_long || surrogate || code > 0x10FFFF ? 0 : length;
}

/// On one line, cut to `longest` bytes where it is longer (between two characters), with what a terminal would obey, and
/// bytes that are no UTF-8, as "\n", "\t" or "\x1b".
inline std::string escaped(std::string_view text, std::size_t longest = 60) {
  constexpr const char* digits = "0123456789abcdef";
  std::string result;
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t length = utf8_length(text, at);
    if (at + std::max<std::size_t>(length, 1) > longest) return result + "...";
    const auto first = static_cast<unsigned char>(text[at]);
    const bool c1 = length == 2 && first == 0xC2 && static_cast<unsigned char>(text[at + 1]) < 0xA0;
    // Marks that turn the direction of writing: U+202A to U+202E, U+2066 to U+2069; before them, ends of lines.
    const bool bidi = length == 3 && (text.substr(at, 2) == "\xE2\x80" || text.substr(at, 2) == "\xE2\x81") &&
                      ((text[at + 1] == '\x80' && text[at + 2] >= '\xA8' && text[at + 2] <= '\xAE') ||
                       (text[at + 1] == '\x81' && text[at + 2] >= '\xA6' && text[at + 2] <= '\xA9'));
    const std::size_t taken = std::max<std::size_t>(length, 1);
    if (text[at] == '\n' || text[at] == '\t' || text[at] == '\r') {
      result += text[at] == '\n' ? "\\n" : text[at] == '\t' ? "\\t" : "\\r";
    } else if (length == 0 || first < 0x20 || first == 0x7F || c1 || bidi) {
      for (std::size_t i = at; i < at + taken; ++i) {
        const auto byte = static_cast<unsigned char>(text[i]);
        result += {'\\', 'x', digits[byte >> 4], digits[byte & 15]};
      }
    } else {
      result += text.substr(at, taken);
    }
    at += taken;
  }
  return result;
}

}  // namespace glia::detail
