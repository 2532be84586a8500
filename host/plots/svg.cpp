// The text of an SVG document.
// SPDX-License-Identifier: Apache-2.0
#include "host/plots/svg.h"

#include "host/base/number_text.h"
#include "host/io/atomic_file.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>

namespace glia::plots {
namespace {

struct Character {
  std::size_t bytes;
  bool is_valid;
};

bool is_xml(std::uint32_t code) {
  return code == '\t' || code == '\n' || code == '\r' || (code >= 0x20 && code < 0xD800) ||
         (code >= 0xE000 && code < 0xFFFE) || (code >= 0x10000 && code < 0x110000);
}

/// The first character of `text`, which is not empty, if it is one that XML allows; else a byte to replace.
Character first_character(std::string_view text) {
  const auto byte = [&](std::size_t i) {
    return static_cast<std::uint32_t>(static_cast<unsigned char>(text[i]));
  };
  const std::uint32_t lead = byte(0);
  if (lead < 0x80) return {1, is_xml(lead)};
  const std::size_t bytes = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < bytes) return {1, false};
  std::uint32_t code = lead & (0xFFu >> (bytes + 1));
  for (std::size_t i = 1; i < bytes; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return {1, false};
    code = code << 6 | (byte(i) & 0x3F);
  }
  constexpr std::uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
  return {bytes, is_xml(code) && code >= least[bytes]};
}

std::string_view entity(char c) {
  switch (c) {
    case '&':
      return "&amp;";
    case '<':
      return "&lt;";
    case '>':
      return "&gt;";
    case '"':
      return "&quot;";
    case '\'':
      return "&#39;";
    default:
      return {};
  }
}

/// In units of the font size, for Helvetica's likes; characters beyond ASCII count as wide ones.
double character_width(std::string_view character) {
  const char c = character[0];
  if (character.size() > 1) return character.size() > 2 ? 1.0 : 0.62;
  if (std::string_view(" .,:;!|'`()[]{}/\\-fijlrtI").find(c) != std::string_view::npos) return 0.36;
  if (std::string_view("mwMW@%").find(c) != std::string_view::npos) return 0.93;
  return c >= 'A' && c <= 'Z' ? 0.69 : 0.6;
}

const char* name_of(Anchor anchor) {
  return anchor == Anchor::middle ? "middle" : anchor == Anchor::end ? "end" : "start";
}

}  // namespace

std::string escaped(std::string_view text) {
  std::string result;
  while (!text.empty()) {
    const Character next = first_character(text);
    if (!next.is_valid)
      result += "\xEF\xBF\xBD";
    else if (const std::string_view replacement = entity(text[0]); !replacement.empty())
      result += replacement;
    else
      result += text.substr(0, next.bytes);
    text.remove_prefix(next.bytes);
  }
  return result;
}

std::string number(double value) {
  std::string text = detail::fixed(value, 2);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.back() == '.') text.pop_back();
  return text;
}

double text_width(std::string_view text, double font_size) {
  double width = 0;
  while (!text.empty()) {
    const std::size_t bytes = first_character(text).bytes;
    width += character_width(text.substr(0, bytes));
    text.remove_prefix(bytes);
  }
  return width * font_size;
}

std::string fitted(std::string_view text, double font_size, double width) {
  if (text_width(text, font_size) <= width) return std::string(text);
  std::size_t end = 0;
  while (end < text.size()) {
    const std::size_t next = end + first_character(text.substr(end)).bytes;
    if (text_width(text.substr(0, next), font_size) + font_size > width) break;
    end = next;
  }
  return std::string(text.substr(0, end)) + "\xE2\x80\xA6";
}

Svg::Svg(double width, double height, std::string_view title) {
  body_ = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
  open("svg", {{"xmlns", "http://www.w3.org/2000/svg"},
               {"xmlns:xlink", "http://www.w3.org/1999/xlink"},
               {"width", width},
               {"height", height},
               {"viewBox", "0 0 " + number(width) + ' ' + number(height)},
               {"font-family", "Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif"}});
  body_ += ">\n<title>" + escaped(title) + "</title>\n";
  // White whatever is around it; the round corners make it a card on a dark page.
  add("rect", {{"width", width}, {"height", height}, {"rx", 8}, {"fill", "#ffffff"}});
}

void Svg::open(const char* element, const Attributes& attributes) {
  body_ += std::string("<") + element;
  for (const auto& [name, value] : attributes) body_ += std::string(" ") + name + "=\"" + value + '"';
}

void Svg::add(const char* element, const Attributes& attributes) {
  open(element, attributes);
  body_ += "/>\n";
}

void Svg::text(double x, double y, std::string_view text, const TextStyle& style) {
  if (text.empty()) return;
  Attributes attributes{{"x", x}, {"y", y}, {"font-size", style.size}, {"fill", style.color}};
  if (style.anchor != Anchor::start) attributes.emplace_back("text-anchor", name_of(style.anchor));
  if (style.bold) attributes.emplace_back("font-weight", "bold");
  if (style.angle != 0)
    attributes.emplace_back("transform",
                            "rotate(" + number(style.angle) + ' ' + number(x) + ' ' + number(y) + ')');
  open("text", attributes);
  body_ += '>' + escaped(text) + "</text>\n";
}

void Svg::begin_group(const Attributes& attributes) {
  open("g", attributes);
  body_ += ">\n";
}

void Svg::save(const std::string& path) const { io::write_file_atomically(path, body_ + "</svg>\n"); }

}  // namespace glia::plots
