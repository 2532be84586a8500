// Arguments of a call: found by place or name, as an object.
// SPDX-License-Identifier: Apache-2.0
#include <glia/error.h>
#include <host/c/words.h>

#include <cmath>
#include <cstdint>

namespace glia::c {
namespace {

/// Whole numbers without a point.
Json number(double value) {
  const bool is_whole =
      std::abs(value) < 0x1p53 && value == std::floor(value) && !(value == 0 && std::signbit(value));
  return is_whole ? Json::of(static_cast<std::int64_t>(value)) : Json::of(value);
}

Json value_of(const Argument& argument) {
  if (const double* one = std::get_if<double>(&argument.value)) return number(*one);
  if (const bool* truth = std::get_if<bool>(&argument.value)) return Json::of(*truth);
  if (const std::string* text = std::get_if<std::string>(&argument.value)) return Json::of(*text);
  Json list(Json::Kind::array);
  for (const double one : std::get<Numbers>(argument.value)) list.add(number(one));
  return list;
}

}  // namespace

Json arguments_of(const Call& call, const std::vector<const char*>& positional) {
  Json object(Json::Kind::object);
  for (const Argument& argument : call.arguments) {
    const std::size_t place = object.members.size();
    GLIA_CHECK(!argument.key.empty() || place < positional.size(), ValueError, call.name, " got ",
               argument.text, " as argument ", place + 1, ", expected a name before it: key=", argument.text);
    GLIA_CHECK(!argument.key.empty() || place == 0 || call.arguments[place - 1].key.empty(), ValueError,
               call.name, " got ", argument.text, " behind ", call.arguments[place - 1].key,
               "=..., expected a name before it");
    const std::string key = argument.key.empty() ? positional[place] : argument.key;
    GLIA_CHECK(!object.find(key), ValueError, call.name, " got ", key, " twice");
    object.add(key, value_of(argument));
  }
  return object;
}

}  // namespace glia::c
