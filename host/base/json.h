// JSON as a tree: what files and programs say in words. Numbers are kept as they are written, so that none is rounded on the
// way.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace glia {

struct Json {
  enum class Kind : std::uint8_t { null, boolean, number, text, array, object };
  struct Member;

  Kind kind = Kind::null;
  std::string text;             ///< a text, a number's digits, "true" or "false"
  std::vector<Member> members;  ///< in their order; those of an array have no keys

  Json() = default;
  explicit Json(Kind of);
  Json(Kind of, std::string words);
  static Json of(bool value);
  static Json of(std::int64_t value);
  static Json of(std::uint64_t value);
  static Json of(int value);
  /// Reads back as the same bits; what is no finite number is the text "inf", "-inf" or "nan".
  static Json of(double value);
  static Json of(std::string_view value);
  static Json of(const char* value);

  bool is(Kind of) const { return kind == of; }
  Json& add(std::string_view key, Json value);
  Json& add(Json value);
  /// Null where there is none.
  Json* find(std::string_view key);
  const Json* find(std::string_view key) const { return const_cast<Json*>(this)->find(key); }
  /// On one line. Throws ValueError for a text that is not UTF-8.
  std::string dump() const;

  friend bool operator==(const Json&, const Json&);
};

struct Json::Member {
  std::string key;
  Json value;

  friend bool operator==(const Member&, const Member&) = default;
};

// Here, where a member is known whole.
inline Json::Json(Kind of) : kind(of) {}
inline Json::Json(Kind of, std::string words) : kind(of), text(std::move(words)) {}
inline Json Json::of(bool value) { return {Kind::boolean, value ? "true" : "false"}; }
inline Json Json::of(std::int64_t value) { return {Kind::number, std::to_string(value)}; }
inline Json Json::of(std::uint64_t value) { return {Kind::number, std::to_string(value)}; }
inline Json Json::of(int value) { return of(std::int64_t{value}); }
inline Json Json::of(std::string_view value) { return {Kind::text, std::string(value)}; }
inline Json Json::of(const char* value) { return of(std::string_view(value)); }
inline Json& Json::add(Json value) { return add({}, std::move(value)); }

inline bool operator==(const Json& a, const Json& b) {
  return a.kind == b.kind && a.text == b.text && a.members == b.members;
}

/// The tree, at most 100 levels deep and of at most 100,000 values and one more for every 32 bytes: what it takes in memory stays
/// below a few times the text. Throws ValueError, with the place, for text that is no such JSON; `what` says whose text it is.
Json parse_json(std::string_view text, const std::string& what);

}  // namespace glia
