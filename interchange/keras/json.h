// What reading and writing Keras's JSON have in common.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/error.h>

#include <charconv>
#include <string>
#include <string_view>
#include <utility>

#include "host/base/escaped.h"
#include "host/base/json.h"

namespace glia::keras {

using Kind = Json::Kind;

inline bool is_text(const Json* json, std::string_view text) {
  return json && json->is(Kind::text) && json->text == text;
}
/// Whether an option is true.
inline bool is_true(const Json& config, std::string_view option) {
  const Json* const found = config.find(option);
  return found && found->is(Kind::boolean) && found->text == "true";
}
inline bool is_null(const Json* json) { return !json || json->is(Kind::null); }
/// What there is of that name, but for null.
inline const Json* given(const Json& object, std::string_view name) {
  const Json* const found = object.find(name);
  return is_null(found) ? nullptr : found;
}
inline const std::string& text_or(const Json& object, std::string_view name, const std::string& otherwise) {
  const Json* const found = object.find(name);
  return found && found->is(Kind::text) ? found->text : otherwise;
}
/// Takes a member out of an object; null where there is none.
inline Json taken(Json& object, std::string_view name) {
  for (std::size_t i = 0; i < object.members.size(); ++i)
    if (object.members[i].key == name) {
      Json value = std::move(object.members[i].value);
      object.members.erase(object.members.begin() + static_cast<std::ptrdiff_t>(i));
      return value;
    }
  return {};
}
/// Sets a member, wherever it stands.
inline Json& put(Json& object, std::string_view name, Json value) {
  if (Json* const found = object.find(name)) return *found = std::move(value);
  return object.add(name, std::move(value));
}
template <class... T>
Json list_of(const T&... values) {
  Json list(Kind::array);
  (list.add(Json::of(values)), ...);
  return list;
}
template <class Value>
Json pair_of(const char* key, Value value) {
  Json object(Kind::object);
  object.add(key, Json(std::move(value)));
  return object;
}
/// Json, as messages show it: one line of few characters.
inline std::string shown(const Json& json) { return detail::escaped(json.dump(), 100); }
/// Throws ValueError where there is none of this kind.
inline const Json& expect(const Json* json, Kind kind, const std::string& what) {
  GLIA_CHECK(json && json->is(kind), ValueError, "the model's config has no ", what,
             " where one is expected: ", json ? shown(*json) : "there is none");
  return *json;
}
/// The whole number that Json is, or `otherwise`.
inline long long whole_or(const Json& json, long long otherwise) {
  if (!json.is(Kind::number) || json.text.size() > 18 ||
      json.text.find_first_not_of("-0123456789") != std::string::npos)
    return otherwise;
  return std::stoll(json.text);
}

/// The number that Json is. Throws ValueError for one that no double holds.
inline double number_of(const Json& json) {
  double value = 0;
  const char* const end = json.text.data() + json.text.size();
  const auto [at, error] = std::from_chars(json.text.data(), end, value);
  GLIA_CHECK(json.is(Kind::number) && error == std::errc() && at == end, ValueError,
             "the model's config has ", shown(json), " where a finite number is expected");
  return value;
}

/// {"class_name", "config"}.
inline Json object_of(const std::string& class_name, Json config) {
  Json object(Kind::object);
  object.add("class_name", Json::of(class_name));
  object.add("config", std::move(config));
  return object;
}
/// As Keras 3 writes an object of a class of its own: with its module.
inline Json keras_object(const std::string& module, const std::string& class_name, Json config) {
  Json object(Kind::object);
  object.add("module", Json::of(module));
  object.add("class_name", Json::of(class_name));
  object.add("config", std::move(config));
  object.add("registered_name", Json());
  return object;
}

/// "glorot_uniform" of GlorotUniform and back, as Keras makes names of classes.
std::string snake_case(const std::string& class_name);
std::string pascal_case(const std::string& name);

}  // namespace glia::keras
