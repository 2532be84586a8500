// PGM and PPM: "P5", the width, the height, the largest value, and the samples, in binary or (P2, P3) as decimal
// numbers. What is between the numbers is white space, and comments from # to the end of the line.
// SPDX-License-Identifier: Apache-2.0
#include <glia/error.h>

#include <cstddef>

#include "host/io/image_formats.h"

namespace glia::io {
namespace {

constexpr std::uint32_t max_value = 65'535;

class Reader {
 public:
  Reader(const std::string& path, std::string_view file) : path_(path), file_(file) {}

  Tensor image() {
    const char format = file_[1];
    const std::int64_t channels = format == '3' || format == '6' ? 3 : 1;
    const std::int64_t width = number(max_pixels), height = number(max_pixels);
    check_pixels(path_, static_cast<std::uint64_t>(height), static_cast<std::uint64_t>(width));
    largest_ = number(max_value);
    if (largest_ == 0) fail("its largest value is 0");
    const std::int64_t samples = height * width * channels;
    const bool is_text = format < '4';
    if (!is_text) skip_one_space();
    // Of text, a digit each and what is between them.
    const std::int64_t least = is_text ? 2 * samples - 1 : largest_ > 255 ? 2 * samples : samples;
    const auto left = static_cast<std::int64_t>(file_.size() - at_);
    if (left < least)
      fail(detail::concat(height, " rows of ", width, " pixels take at least ", least, " bytes, and ", left,
                          " are there"));
    Tensor image = Tensor::uninitialized({height, width, channels}, DType::uint8);
    auto* const to = image.data<std::uint8_t>();
    for (std::int64_t i = 0; i < samples; ++i) to[i] = scaled(is_text ? number(largest_) : binary());
    return image;
  }

 private:
  [[noreturn]] void fail(const std::string& problem) const {
    throw FileError(detail::concat("'", path_, "' is not a sound PGM or PPM image: ", problem, ", at offset ",
                                   at_, "; get the file, or save it, again"));
  }

  static bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

  void skip_one_space() {
    if (at_ == file_.size() || !is_space(file_[at_])) fail("white space was expected");
    ++at_;
  }

  /// The next number, 0 to `most`, and what is before it.
  std::int64_t number(std::int64_t most) {
    const std::size_t before = at_;
    while (at_ < file_.size() && (is_space(file_[at_]) || file_[at_] == '#')) {
      if (file_[at_] == '#')
        at_ = std::min(file_.find_first_of("\r\n", at_), file_.size());
      else
        ++at_;
    }
    if (at_ == file_.size() || at_ == before || !detail::is_digit(file_[at_])) fail("a number was expected");
    std::int64_t value = 0;
    for (; at_ < file_.size() && detail::is_digit(file_[at_]); ++at_) {
      value = 10 * value + (file_[at_] - '0');
      if (value > most) fail(detail::concat("a number is more than ", most));
    }
    return value;
  }

  std::int64_t binary() {
    std::int64_t value = static_cast<unsigned char>(file_[at_++]);
    if (largest_ > 255) value = value << 8 | static_cast<unsigned char>(file_[at_++]);
    if (value > largest_)
      fail(detail::concat("the sample ", value, " is more than the largest value, ", largest_));
    return value;
  }

  std::uint8_t scaled(std::int64_t value) const {
    return static_cast<std::uint8_t>((2 * 255 * value + largest_) / (2 * largest_));
  }

  const std::string& path_;
  std::string_view file_;
  std::size_t at_ = 2;
  std::int64_t largest_ = 0;
};

}  // namespace

bool is_pnm(std::string_view file) {
  return file.size() > 2 && file[0] == 'P' &&
         (file[1] == '2' || file[1] == '3' || file[1] == '5' || file[1] == '6');
}

Tensor decode_pnm(const std::string& path, std::string_view file) { return Reader(path, file).image(); }

}  // namespace glia::io
