// Config: members of the plain kinds. Those of families are in config_named.cpp.
// SPDX-License-Identifier: Apache-2.0
#include <host/base/escaped.h>
#include <host/layers/config.h>

#include <algorithm>
#include <charconv>
#include <limits>

namespace glia {
namespace {

using Kind = Json::Kind;

/// The whole of a text as a number; false where it is none, or too large.
template <class T>
bool parse(const std::string& text, T& value) {
  const char* const end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, value);
  return error == std::errc() && at == end;
}

bool parse_number(const Json& got, double& value) {
  if (got.is(Kind::text) && got.text != "inf" && got.text != "-inf" && got.text != "nan") return false;
  return (got.is(Kind::text) || got.is(Kind::number)) && parse(got.text, value);
}

}  // namespace

const Json* Config::found(const char* name) {
  known_.push_back(name);
  const Json* const json = object_.find(name);
  return json && json->is(Kind::null) ? nullptr : json;
}

void Config::expect(const char* name) const {
  if (!object_.find(name)) throw ValueError(of_ + " got no " + name + ", which it needs");
}

void Config::refuse(const char* name, const Json& got, const char* wanted) const {
  throw ValueError(of_ + ": " + name + " is " + detail::escaped(got.dump()) + ", expected " + wanted);
}

void Config::finish() const {
  for (const Json::Member& member : object_.members) {
    const auto is_it = [&](const char* name) { return member.key == name; };
    if (std::any_of(known_.begin(), known_.end(), is_it)) continue;
    const std::string key = detail::escaped(member.key);
    if (known_.empty())
      throw ValueError(of_ + " takes no arguments, got " + key + '=' + detail::escaped(member.value.dump()));
    throw ValueError(detail::unknown_name("argument of " + of_, key, {known_.begin(), known_.end()}));
  }
}

void Config::put(const char* name, Json value) { object_.add(name, std::move(value)); }

double Config::number(const char* name, const Json& got) const {
  double value = 0;
  if (!parse_number(got, value)) refuse(name, got, "a number");
  return value;
}

std::int64_t Config::whole(const char* name, const Json& got, std::int64_t least, std::int64_t most) const {
  const Json& one = got.is(Kind::array) && got.members.size() == 1 ? got.members[0].value : got;
  std::int64_t value = 0;
  if (double real = 0; !one.is(Kind::number) || !parse(one.text, value)) {  // 3.0 is whole, too
    constexpr double limit = 0x1p53;
    if (!parse_number(one, real) || !(real >= -limit && real <= limit)) refuse(name, got, "a whole number");
    value = static_cast<std::int64_t>(real);
    if (static_cast<double>(value) != real) refuse(name, got, "a whole number");
  }
  if (value < least || value > most) refuse(name, got, "a whole number that is smaller");
  return value;
}

std::vector<int> Config::wholes(const char* name, const Json& got, std::size_t fewest, std::size_t most,
                                const char* wanted) const {
  constexpr std::int64_t limit = std::numeric_limits<int>::max();
  std::vector<int> result;
  if (got.is(Kind::array)) {
    for (const Json::Member& member : got.members)
      if (member.value.is(Kind::number))
        result.push_back(static_cast<int>(whole(name, member.value, -limit, limit)));
    if (result.size() != got.members.size()) refuse(name, got, wanted);
  } else if (got.is(Kind::number)) {
    result.push_back(static_cast<int>(whole(name, got, -limit, limit)));
  } else {
    refuse(name, got, wanted);
  }
  if (result.size() < fewest || result.size() > most) refuse(name, got, wanted);
  return result;
}

std::vector<double> Config::numbers(const char* name, const Json& got) const {
  if (!got.is(Kind::array)) return {number(name, got)};
  std::vector<double> result;
  for (const Json::Member& member : got.members) result.push_back(number(name, member.value));
  return result;
}

template <class T>
void Config::put_list(const char* name, const T& values) {
  Json& list = object_.add(name, Json(Kind::array));
  for (const auto value : values) list.add(Json::of(value));
}

void Config::field(const char* name, bool& member) {
  if (!reads_) return put(name, Json::of(member));
  const Json* const got = found(name);
  if (got && !got->is(Kind::boolean)) refuse(name, *got, "true or false");
  if (got) member = got->text == "true";
}
void Config::field(const char* name, int& member) {
  std::int64_t value = member;
  field(name, value);
  constexpr std::int64_t limit = std::numeric_limits<int>::max();
  if (value < -limit || value > limit) refuse(name, Json::of(value), "a whole number that is smaller");
  member = static_cast<int>(value);
}
void Config::field(const char* name, std::int64_t& member) {
  if (!reads_) return put(name, Json::of(member));
  if (const Json* const got = found(name))
    member =
        whole(name, *got, std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max());
}
void Config::field(const char* name, std::uint64_t& member) {
  if (!reads_) return put(name, Json::of(member));
  const Json* const got = found(name);
  if (got && (!got->is(Kind::number) || !parse(got->text, member)))
    refuse(name, *got, "a whole number of at least 0");
}
void Config::field(const char* name, double& member) {
  if (!reads_) return put(name, Json::of(member));
  if (const Json* const got = found(name)) member = number(name, *got);
}
void Config::field(const char* name, std::string& member) {
  if (!reads_) return put(name, Json::of(member));
  const Json* const got = found(name);
  if (got && !got->is(Kind::text)) refuse(name, *got, "a text");
  if (got) member = got->text;
}
void Config::field(const char* name, std::vector<double>& member) {
  if (!reads_) return put_list(name, member);
  if (const Json* const got = found(name)) member = numbers(name, *got);
}
void Config::field(const char* name, std::vector<int>& member) {
  if (!reads_) return put_list(name, member);
  if (const Json* const got = found(name))
    member = wholes(name, *got, 0, Shape::max_rank, "a list of at most 8 whole numbers");
}
void Config::field(const char* name, std::array<int, 2>& member) {
  if (!reads_) return put_list(name, member);
  if (const Json* const got = found(name)) {
    const std::vector<int> both = wholes(name, *got, 1, 2, "a whole number, or two of them");
    member = {both.front(), both.back()};
  }
}
void Config::field(const char* name, Shape& member) {
  if (!reads_) return put_list(name, member);
  const Json* const got = found(name);
  if (!got) return;
  constexpr const char* wanted = "a shape of one row, such as [28, 28, 1]";
  const bool is_list = got->is(Kind::array);
  if (is_list && got->members.size() > Shape::max_rank) refuse(name, *got, wanted);
  constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();
  member = {};
  if (!is_list) member.push_back(whole(name, *got, -1, most));
  for (const Json::Member& one : got->members) member.push_back(whole(name, one.value, -1, most));
}
void Config::batch_shape(const char* name, Shape& row) {
  if (!reads_) {
    put_list(name, row);
    auto& members = object_.members.back().value.members;
    members.insert(members.begin(), Json::Member());
    return;
  }
  const Json* const got = found(name);
  if (!got) return;
  const bool has_rows = got->is(Kind::array) && !got->members.empty() && got->members[0].value.is(Kind::null);
  if (!has_rows) refuse(name, *got, "the shape of a batch, such as [null, 28, 28, 1]");
  Json rest(Kind::object);
  rest.add(name, *got).members.erase(rest.members[0].value.members.begin());
  Config(rest, of_).field(name, row);
}
void Config::field(const char* name, Size2D& member) {
  if (!reads_)
    return one_axis ? put_list(name, std::array{member.width})
                    : put_list(name, std::array{member.height, member.width});
  const Json* const got = found(name);
  if (!got) return;
  if (one_axis) {
    member = {1, wholes(name, *got, 1, 1, "a whole number")[0]};
    return;
  }
  const std::vector<int> sizes = wholes(name, *got, 1, 2, "a whole number, or two of them, (height, width)");
  member = {sizes.front(), sizes.back()};
}
void Config::field(const char* name, Border2D& member) {
  if (!reads_) {
    Json& sides = object_.add(name, Json(Kind::array));
    for (const auto& [before, behind] :
         {std::pair(member.top, member.bottom), std::pair(member.left, member.right)}) {
      Json& pair = sides.add(Json(Kind::array));
      pair.add(Json::of(before)), pair.add(Json::of(behind));
    }
    return;
  }
  const Json* const got = found(name);
  if (!got) return;
  Json flat = *got;  // [[top, bottom], [left, right]] as [top, bottom, left, right]
  if (got->is(Kind::array) && got->members.size() == 2 && got->members[0].value.is(Kind::array)) {
    flat.members = got->members[0].value.members;
    for (const Json::Member& member_of_second : got->members[1].value.members)
      flat.members.push_back(member_of_second);
  }
  constexpr const char* wanted = "a whole number, (height, width) or (top, bottom, left, right)";
  const std::vector<int> sizes = wholes(name, flat, 1, 4, wanted);
  if (sizes.size() == 3) refuse(name, *got, wanted);
  member = sizes.size() == 4 ? Border2D(sizes[0], sizes[1], sizes[2], sizes[3])
                             : Border2D(sizes.front(), sizes.back());
}
void Config::field(const char* name, FactorRange& member) {
  if (!reads_) return put_list(name, std::array{member.lower, member.upper});
  const Json* const got = found(name);
  if (!got) return;
  const std::vector<double> bounds = numbers(name, *got);
  if (bounds.empty() || bounds.size() > 2) refuse(name, *got, "a number, or two of them, [lower, upper]");
  member = bounds.size() == 1 ? FactorRange(bounds[0]) : FactorRange(bounds[0], bounds[1]);
}
void Config::field(const char* name, std::vector<Layer>& member) {
  if (!reads_) {
    Json list(Kind::array);
    for (const Layer& layer : member) list.add(writer_->written(layer));
    return put(name, std::move(list));
  }
  const Json* const got = found(name);
  if (!got) return;
  if (!got->is(Kind::array) || !reader_) refuse(name, *got, "a list of layers, which only files have");
  member.clear();
  for (const Json::Member& layer : got->members) member.push_back(reader_->read(layer.value));
}
void Config::field(const char* name, OptionalRate& member) {
  if (!reads_) return put(name, member.given ? Json::of(member.value) : Json());
  if (const Json* const got = found(name)) member = number(name, *got);
}

template <class T>
void Config::map_field(const char* name, std::map<std::string, T>& member) {
  if (!reads_) {
    Json& object = object_.add(name, Json(Kind::object));
    for (const auto& [key, value] : member) object.add(key, Json::of(value));
    return;
  }
  const Json* const got = found(name);
  if (!got) return;
  if (!got->is(Kind::object)) refuse(name, *got, "an object of names and values");
  for (const auto& [key, value] : got->members) {
    if constexpr (std::is_same_v<T, double>) {
      member[key] = number(name, value);
    } else {
      if (!value.is(Kind::text)) refuse(name, *got, "an object of names and texts");
      member[key] = value.text;
    }
  }
}
void Config::field(const char* name, std::map<std::string, double>& member) { map_field(name, member); }
void Config::field(const char* name, std::map<std::string, std::string>& member) { map_field(name, member); }

int Config::choice(const char* name, int member, Words words) {
  if (!reads_) return put(name, Json::of(words[static_cast<std::size_t>(member)])), member;
  const Json* const got = found(name);
  if (!got) return member;
  for (std::size_t i = 0; i < words.size(); ++i)
    if (got->is(Kind::text) && got->text == words[i]) return static_cast<int>(i);
  throw ValueError(detail::unknown_name(name, detail::escaped(got->dump()), {words.begin(), words.end()}));
}

}  // namespace glia
