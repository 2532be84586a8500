// What every call of the C interface shares: errors as codes, arguments that are checked, text that is copied out.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/c.h>
#include <glia/error.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>

namespace glia::c {

/// How a call was written is wrong: GLIA_ERROR_ARGUMENT. Never leaves the library.
class ArgumentError : public Error {
 public:
  explicit ArgumentError(const std::string& message, SourceLocation where = SourceLocation::here())
      : Error(message, where) {}
};

/// The code of the exception that is being handled, which the thread remembers with its message.
glia_status caught(const char* call) noexcept;

/// Runs a call's body, and makes a code of what it throws.
template <class Body>
glia_status guarded(const char* call, const Body& body) noexcept {
  try {
    body();
    return GLIA_OK;
  } catch (...) {
    return caught(call);
  }
}

/// Throws ArgumentError, by the parameter's name, for NULL.
template <class T>
T& expect_given(T* pointer, const char* name) {
  GLIA_CHECK(pointer, ArgumentError, name, " is NULL, expected an address");
  return *pointer;
}

/// The text a pointer stands for; NULL is what `otherwise` says.
inline std::string text_or(const char* text, const char* otherwise) { return text ? text : otherwise; }

/// Copies a text to the caller, as glia/c.h says.
void put(const std::string& text, char* to, std::size_t capacity, std::size_t* needed);

/// One of a list. Throws ValueError for a number that is none.
template <class List>
auto& at(List& list, std::size_t number, const char* what) {
  GLIA_CHECK(number < list.size(), ValueError, "there is no ", what, ' ', number, ": there are ", list.size(),
             ", numbered from 0");
  return list[number];
}

/// The options a program gave, as the struct that the library knows: members that the program did not know are 0. Throws
/// ArgumentError for a size that cannot be, and for what is set and the library does not know.
template <class Options>
Options known(const Options* given) {
  Options options = {};
  options.size = sizeof options;
  if (!given) return options;
  const std::size_t size = given->size;
  GLIA_CHECK(size >= sizeof size && size <= 4096, ArgumentError, "options.size is ", size,
             ", expected sizeof options, which is ", sizeof options, " here: set it, as all options want");
  std::memcpy(&options, given, size < sizeof options ? size : sizeof options);
  const auto* bytes = reinterpret_cast<const unsigned char*>(given);
  for (std::size_t i = sizeof options; i < size; ++i)
    GLIA_CHECK(bytes[i] == 0, ArgumentError, "options have ", size, " bytes, and one is set behind the ",
               sizeof options, " that this library knows: it is older than the program's glia/c.h, version ",
               glia_version(), "; install a newer one, or leave that option 0");
  options.size = sizeof options;
  if constexpr (requires { options.reserved; })
    GLIA_CHECK(options.reserved == 0, ArgumentError, "options.reserved is ", options.reserved,
               ", expected 0: fill the struct with zeros first");
  return options;
}

}  // namespace glia::c
