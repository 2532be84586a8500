// An SVG document, written element by element. Whatever texts hold, it is well-formed.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace glia::plots {

constexpr const char* ink = "#333333";        // texts
constexpr const char* faint_ink = "#777777";  // texts of less weight
constexpr const char* grid_color = "#e4e4e4";
constexpr const char* axis_color = "#8a8a8a";

/// For XML: markup characters as entities; bytes that are no UTF-8, and characters that XML 1.0 does not allow, become
/// U+FFFD.
std::string escaped(std::string_view text);
/// A coordinate: at most two decimals.
std::string number(double value);
/// About as wide as a viewer's sans-serif font will draw it; the fonts of viewers differ by some percent.
double text_width(std::string_view text, double font_size);
/// Cut, with an ellipsis, to fit into `width`.
std::string fitted(std::string_view text, double font_size, double width);

struct Attribute {
  Attribute(const char* name, double value) : name(name), value(number(value)) {}
  Attribute(const char* name, std::string_view text) : name(name), value(escaped(text)) {}
  const char* name;
  std::string value;
};
using Attributes = std::vector<Attribute>;

enum class Anchor { start, middle, end };

struct TextStyle {
  double size = 12;
  Anchor anchor = Anchor::start;
  const char* color = ink;
  bool bold = false;
  double angle = 0;  // degrees, clockwise, about the anchor
};

class Svg {
 public:
  /// White, with round corners; `title` is what a viewer or a screen reader calls it.
  Svg(double width, double height, std::string_view title);

  void add(const char* element, const Attributes& attributes);
  /// `y` is the base line.
  void text(double x, double y, std::string_view text, const TextStyle& style = {});
  void begin_group(const Attributes& attributes);
  void end_group() { body_ += "</g>\n"; }

  /// Throws FileError; the file is written whole or not at all.
  void save(const std::string& path) const;

 private:
  void open(const char* element, const Attributes& attributes);

  std::string body_;
};

}  // namespace glia::plots
