// The header of a .npy file: a dictionary as Python prints it, in spaces.
// SPDX-License-Identifier: Apache-2.0
#include <glia/error.h>  // defines: FileError, detail::concat

#include "host/base/escaped.h"  // defines: escaped
#include "host/io/npy.h"

namespace glia::io {
namespace {

/// Reads what NumPy writes, and what Python 2 wrote; nothing nests but the shape, so nothing recurs.
class Reader {
 public:
  Reader(const std::string& name, std::string_view text) : name_(name), text_(text) {}

  NpyHeader header() {
    NpyHeader result;
    bool has_descr = false, has_order = false, has_shape = false;
    const auto once = [&](bool& had, const std::string& key) {
      if (had) fail(detail::concat("has '", key, "' twice"));
      had = true;
    };
    expect('{');
    while (!accepts('}')) {
      const std::string key = string();
      expect(':');
      if (key == "descr") {
        once(has_descr, key), result.descr = descr();
      } else if (key == "fortran_order") {
        once(has_order, key), result.fortran_order = boolean();
      } else if (key == "shape") {
        once(has_shape, key), result.shape = shape();
      } else {
        fail(detail::concat("has the key '", detail::escaped(key), "'"));
      }
      if (accepts('}')) break;
      expect(',');
    }
    skip_spaces();
    if (at_ != text_.size()) fail(detail::concat("goes on behind its end, at byte ", at_));
    if (!has_descr || !has_order || !has_shape)
      fail(detail::concat("has no '", !has_descr ? "descr" : !has_order ? "fortran_order" : "shape", "'"));
    return result;
  }

 private:
  [[noreturn]] void fail(const std::string& problem) const {
    throw FileError(detail::concat(name_, " is not a sound .npy file: its header ", problem,
                                   ", expected 'descr' (a text), 'fortran_order' (True or False) and 'shape' "
                                   "(whole numbers); get the file, or save it, again"));
  }
  [[noreturn]] void unexpected() const {
    fail(at_ < text_.size()
             ? detail::concat("has '", detail::escaped(text_.substr(at_, 1)), "' at byte ", at_)
             : std::string("ends early"));
  }

  void skip_spaces() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\t')) ++at_;
  }
  bool accepts(char wanted) {
    skip_spaces();
    if (at_ == text_.size() || text_[at_] != wanted) return false;
    ++at_;
    return true;
  }
  void expect(char wanted) {
    if (!accepts(wanted)) unexpected();
  }
  bool accepts_word(std::string_view word) {
    skip_spaces();
    if (text_.substr(at_, word.size()) != word) return false;
    at_ += word.size();
    return true;
  }

  std::string string() {
    const char quote = accepts('\'') ? '\'' : '"';
    if (quote == '"') expect('"');
    const std::size_t start = at_, end = text_.find(quote, start);
    const std::string_view inside = text_.substr(start, end - start);
    if (end == text_.npos || inside.find('\\') != inside.npos) unexpected();
    at_ = end + 1;
    return std::string(inside);
  }

  std::string descr() {
    if (accepts('['))
      throw FileError(detail::concat(name_,
                                     " holds records (a structured dtype), which are no tensor; save each "
                                     "field as an array of its own"));
    return string();
  }

  bool boolean() {
    const bool is_true = accepts_word("True");
    if (!is_true && !accepts_word("False")) unexpected();
    return is_true;
  }

  Shape shape() {
    Shape result;
    expect('(');
    while (!accepts(')')) {
      if (result.rank() == Shape::max_rank)
        fail(detail::concat("has more than ", Shape::max_rank, " dimensions"));
      result.push_back(whole_number());
      accepts('L');  // of Python 2
      if (accepts(')')) break;
      expect(',');
    }
    return result;
  }

  std::int64_t whole_number() {
    skip_spaces();
    const std::size_t start = at_;
    std::int64_t value = 0;
    for (; at_ < text_.size() && detail::is_digit(text_[at_]); ++at_)
      if (__builtin_mul_overflow(value, 10, &value) ||
          __builtin_add_overflow(value, text_[at_] - '0', &value))
        fail("has a dimension beyond 64 bits");
    if (at_ == start) unexpected();
    return value;
  }

  const std::string& name_;
  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace

NpyHeader parse_npy_header(const std::string& name, std::string_view text) {
  return Reader(name, text).header();
}

}  // namespace glia::io
