// Calls as text, as Keras writes them: Conv2D(32, (3, 3), activation='relu', use_bias=False).
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <host/base/json.h>

#include <string>
#include <variant>
#include <vector>

namespace glia::c {

using Numbers = std::vector<double>;  // of a tuple

struct Argument {
  std::string key;  ///< empty: by position
  std::variant<double, bool, std::string, Numbers> value;
  std::string text;  ///< as it was written
};

struct Call {
  std::string name;
  std::vector<Argument> arguments;
};

/// Calls, divided by spaces, commas or semicolons. A name without parentheses is one, too. Throws ValueError, with the place, for
/// what is none. `what` says whose text it is.
std::vector<Call> parse_calls(const std::string& text, const char* what);
/// The only one.
Call parse_call(const std::string& text, const char* what);

/// The arguments of a call as an object. Those by position stand first and are called `positional`. Throws ValueError for too many,
/// one that is given twice, and one by position behind one by name.
Json arguments_of(const Call& call, const std::vector<const char*>& positional);

}  // namespace glia::c
