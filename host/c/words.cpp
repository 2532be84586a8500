// Calls as text: the parser.
// SPDX-License-Identifier: Apache-2.0
#include <glia/error.h>
#include <host/c/words.h>

#include <charconv>
#include <cmath>
#include <string_view>
#include <system_error>

namespace glia::c {
namespace {

// Whatever the application's locale is.
bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
bool begins_word(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

class Parser {
 public:
  Parser(std::string_view text, const char* what) : text_(text), what_(what) {}

  std::vector<Call> calls() {
    std::vector<Call> calls;
    while (skip_between(), at_ < text_.size()) calls.push_back(call());
    return calls;
  }

 private:
  Call call() {
    Call call{word("a name"), {}};
    if (!accept('(')) return call;
    while (!accept(')')) {
      call.arguments.push_back(argument());
      if (!accept(','))
        expect(')', "\",\" or \")\"");
      else
        continue;
      break;
    }
    return call;
  }

  Argument argument() {
    Argument argument;
    skip_space();
    std::size_t begin = at_;
    if (begins_word(peek())) {
      const std::string name = word("a value");
      skip_space();
      if (accept('=')) {
        argument.key = name;
        skip_space();
        begin = at_;
      } else {
        at_ = begin;
      }
    }
    value(argument);
    argument.text = text_.substr(begin, at_ - begin);
    return argument;
  }

  void value(Argument& argument) {
    const char c = peek();
    if (c == '\'' || c == '"') {
      argument.value = quoted();
    } else if (c == '(' || c == '[') {
      argument.value = tuple();
    } else if (begins_word(c)) {
      const std::string name = word("a value");
      if (name == "True" || name == "true" || name == "False" || name == "false")
        argument.value = name[0] == 'T' || name[0] == 't';
      else
        argument.value = name;
      if (peek() == '(') fail("\",\" or \")\"");
    } else {
      argument.value = number();
    }
  }

  std::string quoted() {
    const char quote = text_[at_];
    const std::size_t end = text_.find(quote, at_ + 1);
    if (end == std::string_view::npos) fail(quote == '"' ? "a closing \"" : "a closing '");
    const std::string inside(text_.substr(at_ + 1, end - at_ - 1));
    at_ = end + 1;
    return inside;
  }

  Numbers tuple() {
    const char close = text_[at_++] == '(' ? ')' : ']';
    Numbers numbers;
    while (!accept(close)) {
      skip_space();
      numbers.push_back(number());
      if (accept(',')) continue;
      expect(close, close == ')' ? "\",\" or \")\"" : "\",\" or \"]\"");
      break;
    }
    return numbers;
  }

  double number() {
    double value = 0;
    const char* begin = text_.data() + at_ + (peek() == '+');
    const auto [end, error] = std::from_chars(begin, text_.data() + text_.size(), value);
    if (error != std::errc() || !std::isfinite(value)) fail("a number, a 'text', True, False or a (tuple)");
    at_ = static_cast<std::size_t>(end - text_.data());
    return value;
  }

  std::string word(const char* wanted) {
    if (!begins_word(peek())) fail(wanted);
    const std::size_t begin = at_;
    while (begins_word(peek()) || is_digit(peek())) ++at_;
    return std::string(text_.substr(begin, at_ - begin));
  }

  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  void skip_space() {
    while (is_space(peek())) ++at_;
  }
  void skip_between() {
    while (is_space(peek()) || peek() == ',' || peek() == ';') ++at_;
  }
  bool accept(char c) {
    skip_space();
    if (peek() != c) return false;
    ++at_;
    return true;
  }
  void expect(char c, const char* wanted) {
    if (!accept(c)) fail(wanted);
  }

  [[noreturn]] void fail(const char* wanted) const {
    const bool ends = at_ >= text_.size();
    throw ValueError(detail::concat(what_, ", character ", at_ + 1, ": expected ", wanted, ", got ",
                                    ends ? "the end" : detail::concat('"', text_.substr(at_, 20), '"')));
  }

  std::string_view text_;
  const char* what_;
  std::size_t at_ = 0;
};

}  // namespace

std::vector<Call> parse_calls(const std::string& text, const char* what) {
  return Parser(text, what).calls();
}

Call parse_call(const std::string& text, const char* what) {
  std::vector<Call> calls = parse_calls(text, what);
  GLIA_CHECK(calls.size() == 1, ValueError, what, " is \"", text,
             "\", expected one name, with its options in "
             "parentheses, if any");
  return std::move(calls[0]);
}

}  // namespace glia::c
