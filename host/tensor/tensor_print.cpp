// Prints tensors as NumPy's print(array) does.
// SPDX-License-Identifier: Apache-2.0
#include <glia/tensor.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <numeric>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "host/tensor/on_device.h"  // defines: expect_context, elements_at

namespace glia {
namespace {

// NumPy's print options, at their defaults.
constexpr int max_fraction_digits = 8;
constexpr std::int64_t summary_threshold = 1000;
constexpr std::int64_t edge_items = 3;
constexpr std::size_t line_width = 75;

// ---- Which elements

/// Of a dimension of `length`, the positions to print; -1 stands for the "..." of a summary.
std::vector<std::int64_t> positions(std::int64_t length, bool summarize) {
  std::vector<std::int64_t> result;
  for (std::int64_t i = 0; i < length; ++i) {
    if (summarize && length > 2 * edge_items && i == edge_items) {
      result.push_back(-1);
      i = length - edge_items;
    }
    result.push_back(i);
  }
  return result;
}

/// The offsets of the elements to print, in order.
void append_offsets(const Shape& shape, int axis, std::int64_t offset, bool summarize,
                    std::vector<std::int64_t>& offsets) {
  if (axis == shape.rank()) {
    offsets.push_back(offset);
    return;
  }
  for (std::int64_t i : positions(shape[axis], summarize))
    if (i >= 0) append_offsets(shape, axis + 1, offset * shape[axis] + i, summarize, offsets);
}

// ---- The words: one element each, all of one width

void align_right(std::vector<std::string>& words) {
  std::size_t width = 0;
  for (const std::string& word : words) width = std::max(width, word.size());
  for (std::string& word : words) word.insert(0, width - word.size(), ' ');
}

/// A finite number in decimal: 0.d1 d2 d3 ... * 10^point, with no zeros at either end; no digits for zero.
struct Decimal {
  bool negative = false;
  std::string digits;
  int point = 0;
};

/// "-1.25e-03" taken apart.
Decimal parse_scientific(const std::string& text) {
  Decimal result;
  result.negative = text.front() == '-';
  const std::size_t exponent = text.find('e');
  for (char c : text.substr(0, exponent))
    if (c >= '0' && c <= '9') result.digits += c;
  result.point = std::stoi(text.substr(exponent + 1)) + 1;
  result.digits.erase(result.digits.find_last_not_of('0') + 1);
  if (result.digits.empty()) result.point = 1;
  return result;
}

/// The fewest digits that tell `value` from its neighbours.
template <class T>
Decimal shortest(T value) {
  std::array<char, 64> text;
  const auto end =
      std::to_chars(text.data(), text.data() + text.size(), value, std::chars_format::scientific);
  return parse_scientific(std::string(text.data(), end.ptr));
}

/// `value` correctly rounded to so many significant digits, at least 1 and at most 50.
Decimal with_digits(double value, int significant) {
  std::array<char, 64> text;
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value, std::chars_format::scientific,
                                 significant - 1);
  return parse_scientific(std::string(text.data(), end.ptr));
}

/// Digits before and behind the decimal point; the sign goes with the first.
struct Number {
  std::string whole;
  std::string fraction;
  int exponent = 0;
};

template <class T>
Number positional(T value, int max_fraction) {
  Decimal decimal = shortest(value);
  // In [1e-4, 1e8), where positional is used, eight digits behind the point leave at least four.
  if (static_cast<int>(decimal.digits.size()) - decimal.point > max_fraction)
    decimal = with_digits(static_cast<double>(value), decimal.point + max_fraction);
  const auto point = static_cast<std::size_t>(std::max(decimal.point, 0));
  std::string digits =
      std::string(static_cast<std::size_t>(std::max(-decimal.point, 0)), '0') + decimal.digits;
  if (digits.size() < point) digits.append(point - digits.size(), '0');
  Number result{digits.substr(0, point), digits.substr(point)};
  if (result.whole.empty()) result.whole = "0";
  if (decimal.negative) result.whole.insert(0, "-");
  return result;
}

Number to_scientific(const Decimal& decimal) {
  const std::string digits = decimal.digits.empty() ? "0" : decimal.digits;
  std::string whole = decimal.negative ? "-" : "";
  whole += digits[0];
  return {whole, digits.substr(1), decimal.point - 1};
}

template <class T>
Number scientific(T value, int max_fraction) {
  const Decimal decimal = shortest(value);
  if (static_cast<int>(decimal.digits.size()) - 1 <= max_fraction) return to_scientific(decimal);
  return to_scientific(with_digits(static_cast<double>(value), 1 + max_fraction));
}

std::string exponent_text(int exponent, std::size_t width) {
  std::string digits = std::to_string(std::abs(exponent));
  if (digits.size() < width) digits.insert(0, width - digits.size(), '0');
  return (exponent < 0 ? "e-" : "e+") + digits;
}

template <class T>
std::string non_finite(T value) {
  if (std::isnan(value)) return "nan";
  return value < 0 ? "-inf" : "inf";
}

/// Whether columns of these would be too wide, or lose too many digits, without exponents.
template <class T>
bool wants_exponents(const std::vector<T>& values) {
  // Beyond the digits that the type holds, a long row of them would be noise.
  constexpr T too_large = std::numeric_limits<T>::digits10 < 8 ? T(1e6) : T(1e8);
  T smallest = 0, largest = 0;
  for (T value : values) {
    if (!std::isfinite(value) || value == 0) continue;
    const T size = std::abs(value);
    smallest = smallest == 0 ? size : std::min(smallest, size);
    largest = std::max(largest, size);
  }
  if (largest == 0) return false;
  return largest >= too_large || smallest < T(1e-4) || largest / smallest > T(1000);
}

/// All with as many digits as the longest needs, and as wide an exponent.
template <class T>
std::vector<std::string> words_with_exponents(const std::vector<T>& values) {
  std::size_t fraction_width = 0, exponent_width = 2;
  for (T value : values) {
    if (!std::isfinite(value)) continue;
    const Number number = scientific(value, max_fraction_digits);
    fraction_width = std::max(fraction_width, number.fraction.size());
    if (std::abs(number.exponent) >= 100) exponent_width = 3;
  }
  std::vector<std::string> words;
  for (T value : values) {
    if (!std::isfinite(value)) {
      words.push_back(non_finite(value));
      continue;
    }
    // The digits beyond the shortest are those of the exact value, not zeros.
    Number number = to_scientific(with_digits(value, 1 + static_cast<int>(fraction_width)));
    number.fraction.resize(fraction_width, '0');
    words.push_back(number.whole + "." + number.fraction + exponent_text(number.exponent, exponent_width));
  }
  return words;
}

/// Each with the digits it needs, and spaces behind them, so that the points stand in one column.
template <class T>
std::vector<std::string> words_without_exponents(const std::vector<T>& values) {
  std::vector<Number> numbers(values.size());
  std::size_t fraction_width = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (std::isfinite(values[i])) numbers[i] = positional(values[i], max_fraction_digits);
    fraction_width = std::max(fraction_width, numbers[i].fraction.size());
  }
  std::vector<std::string> words;
  for (std::size_t i = 0; i < values.size(); ++i) {
    numbers[i].fraction.resize(fraction_width, ' ');
    words.push_back(std::isfinite(values[i]) ? numbers[i].whole + "." + numbers[i].fraction
                                             : non_finite(values[i]));
  }
  return words;
}

template <class T>
std::vector<std::string> words_of_reals(const std::vector<T>& values) {
  std::vector<std::string> words =
      wants_exponents(values) ? words_with_exponents(values) : words_without_exponents(values);
  align_right(words);
  return words;
}

template <class T>
std::vector<std::string> words_of_integers(const std::vector<T>& values) {
  std::vector<std::string> words;
  for (T value : values) words.push_back(std::to_string(value));
  align_right(words);
  return words;
}

template <class T>
std::vector<T> pick(const Tensor& tensor, const std::vector<std::int64_t>& offsets) {
  std::vector<T> result;
  visit_dtype(tensor.dtype(), [&](auto type) {
    using Stored = typename decltype(type)::type;
    const Stored* values = tensor.data<Stored>();
    for (std::int64_t offset : offsets) {
      if (tensor.scale() == 1)
        result.push_back(static_cast<T>(values[offset]));
      else
        result.push_back(static_cast<T>(static_cast<double>(values[offset]) * tensor.scale()));
    }
  });
  return result;
}

std::vector<std::string> words_of(const Tensor& tensor, const std::vector<std::int64_t>& offsets) {
  if (tensor.dtype() == DType::float64) return words_of_reals(pick<double>(tensor, offsets));
  if (tensor.dtype() == DType::float32 || tensor.scale() != 1)
    return words_of_reals(pick<float>(tensor, offsets));
  return words_of_integers(pick<std::int64_t>(tensor, offsets));
}

/// Of a tensor on a GPU only these elements come here.
std::vector<std::string> words_at(const Tensor& tensor, std::vector<std::int64_t> offsets) {
  if (tensor.device().is_cpu()) return words_of(tensor, offsets);
  const Tensor elements = detail::elements_at(tensor, offsets);
  std::iota(offsets.begin(), offsets.end(), std::int64_t{0});
  return words_of(elements, offsets);
}

// ---- The layout: brackets, line breaks, "..."

class Layout {
 public:
  Layout(const Shape& shape, std::vector<std::string> words, bool summarize)
      : shape_(shape), words_(std::move(words)), summarize_(summarize) {}

  /// The part of the tensor below one index of each axis before `axis`, in brackets.
  std::string print(int axis) {
    return axis + 1 == shape_.rank() ? print_innermost(axis) : print_outer(axis);
  }

 private:
  std::string print_outer(int axis) {
    const std::string indent(static_cast<std::size_t>(axis) + 1, ' ');
    const std::string line_breaks(static_cast<std::size_t>(shape_.rank() - axis - 1), '\n');
    std::string text = "[";
    for (std::int64_t i : positions(shape_[axis], summarize_)) {
      if (text.size() > 1) text += line_breaks + indent;
      text += i < 0 ? "..." : print(axis + 1);
    }
    return text + "]";
  }

  std::string print_innermost(int axis) {
    const std::string indent(static_cast<std::size_t>(axis) + 1, ' ');
    // Room for the brackets that may close behind the last word.
    const std::size_t width = line_width - static_cast<std::size_t>(axis) - 1;
    std::string text, line = indent;
    for (std::int64_t i : positions(shape_[axis], summarize_)) {
      const std::string word = i < 0 ? "..." : words_[next_word_++];
      if (line.size() > indent.size()) line += ' ';
      if (line.size() > indent.size() && line.size() + word.size() > width) {
        line.erase(line.find_last_not_of(' ') + 1);
        text += line + '\n';
        line = indent;
      }
      line += word;
    }
    return '[' + (text + line).substr(indent.size()) + ']';
  }

  Shape shape_;
  std::vector<std::string> words_;
  std::size_t next_word_ = 0;
  bool summarize_;
};

/// A number by itself: all its digits, and an exponent where it is below 1e-4 or has more digits than the
/// type.
template <class T>
std::string scalar_text(T value) {
  constexpr int all_digits = 1000;
  constexpr double too_large = std::is_same_v<T, float> ? 1e6 : 1e16;
  if (!std::isfinite(value)) return non_finite(value);
  const double size = std::abs(static_cast<double>(value));
  if (size != 0 && (size >= too_large || size < 1e-4)) {
    const Number number = scientific(value, all_digits);
    const std::string fraction = number.fraction.empty() ? "" : "." + number.fraction;
    return number.whole + fraction + exponent_text(number.exponent, 2);
  }
  const Number number = positional(value, all_digits);
  return number.whole + "." + (number.fraction.empty() ? "0" : number.fraction);
}

}  // namespace

std::string to_string(const Tensor& tensor) {
  detail::expect_context(tensor, "printing");
  if (tensor.empty()) return "[]";
  if (tensor.rank() == 0) {
    if (tensor.dtype() == DType::float64) return scalar_text(tensor.item());
    if (tensor.dtype() == DType::float32 || tensor.scale() != 1)
      return scalar_text(static_cast<float>(tensor.item()));
    return words_at(tensor, {0}).front();
  }
  const bool summarize = tensor.size() > summary_threshold;
  std::vector<std::int64_t> offsets;
  append_offsets(tensor.shape(), 0, 0, summarize, offsets);
  return Layout(tensor.shape(), words_at(tensor, offsets), summarize).print(0);
}

std::ostream& operator<<(std::ostream& out, const Tensor& tensor) { return out << to_string(tensor); }

}  // namespace glia
