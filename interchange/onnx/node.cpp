// Node: attributes by name.
// SPDX-License-Identifier: Apache-2.0
#include <glia/error.h>
#include <host/base/escaped.h>
#include <interchange/onnx/node.h>

#include <algorithm>

namespace glia::onnx {
namespace {

constexpr int most_values = 100'000;  // of an attribute

}  // namespace

const std::string& Node::nothing() {
  static const std::string empty;
  return empty;
}

std::string Node::title() const {
  const std::string& name = node_->name().empty() ? output() : node_->name();
  return "node \"" + detail::escaped(name.substr(0, 200)) + "\" (" + detail::escaped(op().substr(0, 80)) +
         ")";
}

const format::Attribute* Node::find(const char* name, Kind kind) {
  known_.emplace_back(name);
  for (const format::Attribute& attribute : node_->attribute()) {
    if (attribute.name() != name) continue;
    // Files of the format's first version do not say the kind.
    GLIA_CHECK(attribute.type() == static_cast<int>(kind) || attribute.type() == 0, ValueError,
               "its attribute ", name, " is of ONNX's kind ", attribute.type(), ", expected ",
               static_cast<int>(kind));
    GLIA_CHECK(attribute.ints_size() <= most_values && attribute.floats_size() <= most_values, ValueError,
               "its attribute ", name, " has more than ", most_values, " values");
    return &attribute;
  }
  return nullptr;
}

std::int64_t Node::integer(const char* name, std::int64_t otherwise) {
  const format::Attribute* const found = find(name, Kind::integer);
  return found ? found->i() : otherwise;
}
double Node::real(const char* name, double otherwise) {
  const format::Attribute* const found = find(name, Kind::real);
  return found ? static_cast<double>(found->f()) : otherwise;
}
std::string Node::text(const char* name, const std::string& otherwise) {
  const format::Attribute* const found = find(name, Kind::text);
  return found ? found->s() : otherwise;
}
Integers Node::integers(const char* name, const Integers& otherwise) {
  const format::Attribute* const found = find(name, Kind::integers);
  return found ? Integers(found->ints().begin(), found->ints().end()) : otherwise;
}
std::optional<std::vector<double>> Node::reals(const char* name) {
  const format::Attribute* const found = find(name, Kind::reals);
  if (!found) return std::nullopt;
  return std::vector<double>(found->floats().begin(), found->floats().end());
}
const format::Tensor* Node::tensor(const char* name) {
  const format::Attribute* const found = find(name, Kind::tensor);
  return found ? &found->t() : nullptr;
}
bool Node::has(const char* name) {
  return std::any_of(node_->attribute().begin(), node_->attribute().end(),
                     [&](const format::Attribute& attribute) { return attribute.name() == name; });
}

void Node::expect(const char* name, std::int64_t value) {
  const std::int64_t got = integer(name, value);
  GLIA_CHECK(got == value, ValueError, "its attribute ", name, " is ", got, ", expected ", value,
             ", which is what Glia has");
}
void Node::expect(const char* name, const std::string& value) {
  const std::string got = text(name, value);
  GLIA_CHECK(got == value, ValueError, "its attribute ", name, " is \"", detail::escaped(got.substr(0, 80)),
             "\", expected \"", value, "\", which is what Glia has");
}

void Node::finish() const {
  for (const format::Attribute& attribute : node_->attribute())
    GLIA_CHECK(std::find(known_.begin(), known_.end(), attribute.name()) != known_.end(), ValueError,
               "its attribute \"", detail::escaped(attribute.name().substr(0, 80)),
               "\" is none that Glia has something for");
}

}  // namespace glia::onnx
