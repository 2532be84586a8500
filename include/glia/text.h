// Text that depends on no locale, neither C++'s (std::locale::global) nor C's (setlocale): files must be readable
// everywhere, and an application that speaks the language of its user must not change what is written or parsed.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/macros.h>

#include <locale.h>

#include <limits>
#include <locale>
#include <sstream>
#include <string>
#include <type_traits>

namespace GLIA_API glia {
namespace detail {

/// An std::ostringstream that writes numbers as the "C" locale does: 12345.5, nowhere grouped. A plain one would take
/// the global locale.
class TextStream : public std::ostringstream {
 public:
  TextStream() { imbue(std::locale::classic()); }
};

/// `part` as it is printed; NaN is "nan" whatever its sign, of which nobody means to tell.
template <class Part>
decltype(auto) printed(const Part& part) {
  if constexpr (std::is_floating_point_v<Part>)
    return part != part ? std::numeric_limits<Part>::quiet_NaN() : part;
  else
    return (part);
}

/// Joins its arguments into one string, as an ostream of the "C" locale prints them.
template <class... Parts>
std::string concat(const Parts&... parts) {
  TextStream out;
  (out << ... << printed(parts));
  return out.str();
}

/// While it lives, the C library's messages (strerror, dlerror) are not translated on this thread.
class UntranslatedMessages {
 public:
  UntranslatedMessages() {
    static const locale_t plain = newlocale(LC_ALL_MASK, "C", locale_t{});
    before_ = uselocale(plain);
  }
  ~UntranslatedMessages() { uselocale(before_); }
  UntranslatedMessages(const UntranslatedMessages&) = delete;
  UntranslatedMessages& operator=(const UntranslatedMessages&) = delete;

 private:
  locale_t before_;
};

// Of ASCII alone; those of <cctype> follow setlocale, where Turkish has other capitals.
constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
constexpr bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
constexpr bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
constexpr char to_lower(char c) { return is_upper(c) ? static_cast<char>(c - 'A' + 'a') : c; }
constexpr char to_upper(char c) { return is_lower(c) ? static_cast<char>(c - 'a' + 'A') : c; }

}  // namespace detail
}  // namespace glia
