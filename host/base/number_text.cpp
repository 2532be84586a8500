// Numbers as text, by way of std::to_chars, which knows no locale.
// SPDX-License-Identifier: Apache-2.0
#include "host/base/number_text.h"

#include <charconv>
#include <cmath>
#include <cstdlib>

namespace glia::detail {
namespace {

// The longest double has 309 digits before the point; nobody asks for more than 50 after it.
constexpr int longest = 400;

/// to_chars of a finite value, without the sign of what is written as zero; the others are spelled as Python does, NaN
/// without its sign.
template <class... Format>
std::string text(double value, Format... format) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  char buffer[longest];
  const std::to_chars_result result = std::to_chars(buffer, buffer + longest, value, format...);
  const std::string digits(buffer, result.ptr);
  const bool is_zero = digits.substr(0, digits.find('e')).find_first_not_of("-0.") == std::string::npos;
  return digits[0] == '-' && is_zero ? digits.substr(1) : digits;
}

}  // namespace

std::string fixed(double value, int decimals) { return text(value, std::chars_format::fixed, decimals); }

std::string scientific(double value, int decimals) {
  return text(value, std::chars_format::scientific, decimals);
}

std::string shortest(double value) {
  std::string with_exponent = text(value, std::chars_format::scientific);
  if (!std::isfinite(value)) return with_exponent;
  const int exponent = std::atoi(with_exponent.c_str() + with_exponent.find('e') + 1);
  if (exponent < -4 || exponent >= 16) return with_exponent;  // where Python changes over
  const std::string plain = text(value, std::chars_format::fixed);
  return plain.find('.') == std::string::npos ? plain + ".0" : plain;
}

std::string grouped(std::int64_t value) {
  std::string digits = std::to_string(value);
  const std::size_t first = value < 0 ? 1 : 0;
  for (std::size_t at = digits.size(); at > first + 3; at -= 3) digits.insert(at - 3, 1, ',');
  return digits;
}

}  // namespace glia::detail
