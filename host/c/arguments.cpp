// Arguments of a call: found by place or name, and what they can be.
// SPDX-License-Identifier: Apache-2.0
#include <glia/error.h>
#include <host/c/words.h>

#include <algorithm>
#include <cstdint>
#include <limits>

namespace glia::c {

Arguments::Arguments(const Call& call, const std::vector<const char*>& positional) : call_(call) {
  for (const Argument& argument : call.arguments) {
    const std::size_t place = given_.size();
    GLIA_CHECK(!argument.key.empty() || place < positional.size(), ValueError, call.name, " got ",
               argument.text, " as argument ", place + 1, ", expected a name before it: key=", argument.text);
    GLIA_CHECK(!argument.key.empty() || place == 0 || call.arguments[place - 1].key.empty(), ValueError,
               call.name, " got ", argument.text, " behind ", call.arguments[place - 1].key,
               "=..., expected a name before it");
    const std::string key = argument.key.empty() ? positional[place] : argument.key;
    for (const auto& [other, ignored] : given_)
      GLIA_CHECK(other != key, ValueError, call.name, " got ", key, " twice");
    given_.emplace_back(key, &argument);
  }
}

const Argument* Arguments::find(const char* key) {
  known_.push_back(key);
  for (const auto& [given, argument] : given_)
    if (given == key) return argument;
  return nullptr;
}

const Argument& Arguments::expect(const char* key) {
  const Argument* const given = find(key);
  GLIA_CHECK(given, ValueError, call_.name, " got no ", key, ", which it needs");
  return *given;
}

void Arguments::finish() const {
  for (const auto& [key, argument] : given_) {
    GLIA_CHECK(!known_.empty(), ValueError, call_.name, " takes no arguments, got ", key, '=',
               argument->text);
    if (std::find(known_.begin(), known_.end(), key) == known_.end())
      throw ValueError(detail::unknown_name("argument of " + call_.name, key, known_));
  }
}

void Arguments::refuse(const Argument& given, const char* wanted) const {
  const auto named =
      std::find_if(given_.begin(), given_.end(), [&](const auto& one) { return one.second == &given; });
  throw ValueError(detail::concat(call_.name, ": ", named->first, " is ", given.text, ", expected ", wanted));
}

std::vector<int> Arguments::whole(const Argument& given, std::size_t fewest, std::size_t most,
                                  const char* wanted) const {
  Numbers numbers;
  if (const double* one = std::get_if<double>(&given.value)) numbers = {*one};
  if (const Numbers* several = std::get_if<Numbers>(&given.value)) numbers = *several;
  std::vector<int> result;
  for (const double number : numbers) {
    constexpr double limit = std::numeric_limits<int>::max();
    if (!(number >= -limit && number <= limit) || number != static_cast<int>(number)) refuse(given, wanted);
    result.push_back(static_cast<int>(number));
  }
  const bool is_number = std::holds_alternative<double>(given.value);
  if (!is_number && !std::holds_alternative<Numbers>(given.value)) refuse(given, wanted);
  if (result.size() < fewest || result.size() > most) refuse(given, wanted);
  return result;
}

void Arguments::set(const Argument& given, int& member) const {
  member = whole(given, 1, 1, "a whole number")[0];
}
void Arguments::set(const Argument& given, double& member) const {
  const double* const number = std::get_if<double>(&given.value);
  if (!number) refuse(given, "a number");
  member = *number;
}
void Arguments::set(const Argument& given, bool& member) const {
  const bool* const truth = std::get_if<bool>(&given.value);
  if (!truth) refuse(given, "True or False");
  member = *truth;
}
void Arguments::set(const Argument& given, std::string& member) const {
  const std::string* const text = std::get_if<std::string>(&given.value);
  if (!text) refuse(given, "a 'text'");
  member = *text;
}
void Arguments::set(const Argument& given, Size2D& member) const {
  const std::vector<int> sizes = whole(given, 1, 2, "a whole number, or two of them, (height, width)");
  member = {sizes.front(), sizes.back()};
}
void Arguments::set(const Argument& given, Border2D& member) const {
  const std::vector<int> sizes =
      whole(given, 1, 4, "a whole number, (height, width) or (top, bottom, left, right)");
  if (sizes.size() == 3) refuse(given, "a whole number, (height, width) or (top, bottom, left, right)");
  member = sizes.size() == 4 ? Border2D(sizes[0], sizes[1], sizes[2], sizes[3])
                             : Border2D(sizes.front(), sizes.back());
}
void Arguments::set(const Argument& given, Shape& member) const {
  member = {};
  for (const int dimension : whole(given, 1, Shape::max_rank, "a shape of one row, such as (28, 28, 1)"))
    member.push_back(dimension);
}
void Arguments::set(const Argument& given, Numbers& member) const {
  if (const double* one = std::get_if<double>(&given.value)) {
    member = {*one};
  } else {
    const Numbers* const several = std::get_if<Numbers>(&given.value);
    if (!several) refuse(given, "a number or a (tuple) of such");
    member = *several;
  }
}
void Arguments::set(const Argument& given, LearningRate& member) const {
  double rate = 0;
  set(given, rate);
  member = rate;
}

}  // namespace glia::c
