// Reads an SVG as strictly as XML demands of what Glia writes: elements, attributes, texts, five entities.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cctype>
#include <cstddef>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace glia::testing {

struct Element {
  std::string name = {};
  std::map<std::string, std::string> attributes = {};
  std::string text = {};  // of its own, without its children's
  std::vector<Element> children = {};

  const std::string& operator[](const std::string& attribute) const {
    const auto found = attributes.find(attribute);
    if (found == attributes.end()) throw std::runtime_error("<" + name + "> has no " + attribute);
    return found->second;
  }
  double number(const std::string& attribute) const { return std::stod((*this)[attribute]); }

  /// Itself and all below with this name and, where one is given, this class.
  std::vector<const Element*> all(const std::string& wanted, const std::string& of_class = {}) const {
    std::vector<const Element*> found;
    collect(wanted, of_class, found);
    return found;
  }
  std::vector<std::string> texts() const {
    std::vector<std::string> found;
    for (const Element* element : all("text")) found.push_back(element->text);
    return found;
  }

 private:
  void collect(const std::string& wanted, const std::string& of_class,
               std::vector<const Element*>& found) const {
    const auto is = attributes.find("class");
    if (name == wanted && (of_class.empty() || (is != attributes.end() && is->second == of_class)))
      found.push_back(this);
    for (const Element& child : children) child.collect(wanted, of_class, found);
  }
};

/// Throws runtime_error where the text is not well-formed, or is more than one element.
class XmlReader {
 public:
  static Element read(std::string_view text) {
    XmlReader reader(text);
    reader.expect("<?xml version=\"1.0\" encoding=\"UTF-8\"?>");
    reader.skip_space();
    Element root = reader.element();
    reader.skip_space();
    if (!reader.rest_.empty()) reader.fail("something behind the root element");
    return root;
  }

 private:
  explicit XmlReader(std::string_view text) : rest_(text) {}

  [[noreturn]] void fail(const std::string& why) const {
    throw std::runtime_error(why + " before '" + std::string(rest_.substr(0, 40)) + "'");
  }
  bool take(std::string_view token) {
    if (rest_.substr(0, token.size()) != token) return false;
    rest_.remove_prefix(token.size());
    return true;
  }
  void expect(std::string_view token) {
    if (!take(token)) fail("no " + std::string(token));
  }
  void skip_space() {
    while (!rest_.empty() && std::isspace(static_cast<unsigned char>(rest_[0]))) rest_.remove_prefix(1);
  }
  std::string name() {
    std::size_t end = 0;
    while (end < rest_.size() &&
           (std::isalnum(static_cast<unsigned char>(rest_[end])) || rest_[end] == ':' || rest_[end] == '-'))
      ++end;
    if (end == 0) fail("no name");
    const std::string result(rest_.substr(0, end));
    rest_.remove_prefix(end);
    return result;
  }
  /// Up to `end`, which is not taken; '<' cannot stand in it.
  std::string characters(char end) {
    std::string result;
    while (!rest_.empty() && rest_[0] != end) {
      const auto c = static_cast<unsigned char>(rest_[0]);
      if (c == '<' || (c < 0x20 && c != '\n' && c != '\t' && c != '\r'))
        fail("a character that must be escaped");
      if (c == '&') {
        result += entity();
      } else {
        result += rest_[0];
        rest_.remove_prefix(1);
      }
    }
    if (rest_.empty()) fail("the end");
    return result;
  }
  char entity() {
    if (take("&amp;")) return '&';
    if (take("&lt;")) return '<';
    if (take("&gt;")) return '>';
    if (take("&quot;")) return '"';
    if (take("&#39;")) return '\'';
    fail("an unknown entity");
  }
  Element element() {
    expect("<");
    Element result{name()};
    for (skip_space(); !rest_.empty() && rest_[0] != '>' && rest_[0] != '/'; skip_space()) {
      const std::string attribute = name();
      expect("=\"");
      if (!result.attributes.emplace(attribute, characters('"')).second) fail(attribute + " twice");
      expect("\"");
    }
    if (take("/>")) return result;
    expect(">");
    for (;;) {
      result.text += characters('<');
      if (take("</")) break;
      result.children.push_back(element());
    }
    expect(result.name);
    expect(">");
    return result;
  }

  std::string_view rest_;
};

}  // namespace glia::testing
