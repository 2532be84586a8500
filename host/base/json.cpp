// JSON as a tree: the library's parser feeds it.
// SPDX-License-Identifier: Apache-2.0
#include <glia/error.h>
#include <host/base/json.h>
#include <host/base/number_text.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

namespace glia {
namespace {

using Library = nlohmann::json;

/// Takes what the parser finds: the library's own tree would be built without limits.
class TreeBuilder {
 public:
  TreeBuilder(const std::string& what, std::size_t bytes) : what_(what), left_(100'000 + bytes / 32) {}

  Json take() { return std::move(root_); }

  bool null() { return put(Json()); }
  bool boolean(bool value) { return put(Json::of(value)); }
  bool number_integer(std::int64_t value) { return put(Json::of(value)); }
  bool number_unsigned(std::uint64_t value) { return put(Json::of(value)); }
  bool number_float(double, const std::string& digits) {
    std::string text = digits;
    for (char& c : text)  // the library writes the point as the locale has it
      if (std::string_view("+-0123456789eE").find(c) == std::string_view::npos) c = '.';
    return put({Json::Kind::number, std::move(text)});
  }
  bool string(std::string& text) { return put(Json::of(text)); }
  bool binary(Library::binary_t&) { return true; }  // no text has it
  bool key(std::string& text) {
    key_ = std::move(text);
    return true;
  }
  bool start_object(std::size_t) { return open(Json::Kind::object); }
  bool start_array(std::size_t) { return open(Json::Kind::array); }
  bool end_object() { return close(); }
  bool end_array() { return close(); }
  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception&) {
    throw ValueError(what_ + " is not JSON at byte " + std::to_string(position));
  }

 private:
  bool put(Json value) {
    if (left_-- == 0) throw ValueError(what_ + " has more values than it may have for its length");
    last_ = open_.empty() ? &root_ : &open_.back()->add({}, {});
    if (!open_.empty()) open_.back()->members.back().key = std::move(key_);
    key_.clear();
    *last_ = std::move(value);
    return true;
  }
  bool open(Json::Kind kind) {
    if (open_.size() == 100) throw ValueError(what_ + " is more than 100 levels deep");
    put(Json(kind));
    open_.push_back(last_);
    return true;
  }
  bool close() {
    open_.pop_back();
    return true;
  }

  const std::string& what_;
  std::size_t left_;
  Json root_;
  Json* last_ = nullptr;
  std::vector<Json*> open_;  // each within the one before, which does not grow meanwhile
  std::string key_;
};

void append(std::string& out, const Json& json) {
  const bool is_object = json.is(Json::Kind::object);
  if (json.is(Json::Kind::null)) {
    out += "null";
  } else if (json.is(Json::Kind::text)) {
    try {
      out += Library(json.text).dump();
    } catch (const Library::exception&) {
      throw ValueError("a text is not UTF-8, as JSON wants: " +
                       Library(json.text).dump(-1, ' ', true, Library::error_handler_t::replace));
    }
  } else if (!is_object && !json.is(Json::Kind::array)) {
    out += json.text;
  } else {
    out += is_object ? '{' : '[';
    for (const Json::Member& member : json.members) {
      if (&member != json.members.data()) out += ',';
      if (is_object) append(out, Json::of(member.key)), out += ':';
      append(out, member.value);
    }
    out += is_object ? '}' : ']';
  }
}

}  // namespace

Json Json::of(double value) {
  if (!std::isfinite(value)) return of(detail::shortest(value));
  return {Kind::number, value == 0 && std::signbit(value) ? "-0.0" : detail::shortest(value)};
}

Json& Json::add(std::string_view key, Json value) {
  members.push_back({std::string(key), std::move(value)});
  return members.back().value;
}

Json* Json::find(std::string_view key) {
  for (Member& member : members)
    if (member.key == key) return &member.value;
  return nullptr;
}

std::string Json::dump() const {
  std::string text;
  append(text, *this);
  return text;
}

Json parse_json(std::string_view text, const std::string& what) {
  // The JSON library takes a zero byte for the end of the text.
  if (text.find('\0') != text.npos) throw ValueError(what + " has a zero byte, which JSON has not");
  TreeBuilder builder(what, text.size());
  Library::sax_parse(text.begin(), text.end(), &builder);
  return builder.take();
}

}  // namespace glia
