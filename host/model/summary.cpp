// The summary's box table: three columns of fixed width, in which text wraps between words.
// SPDX-License-Identifier: Apache-2.0
#include "host/model/summary.h"

#include "host/base/number_text.h"

#include <algorithm>
#include <array>

namespace glia {
namespace {

constexpr int columns = 3;
constexpr std::size_t widths[columns] = {31, 22, 13};  // in characters, without a space on either side
constexpr int right_aligned = 2;

using Cells = std::array<std::string, columns>;

struct Rule {
  const char *left, *line, *between, *right;
};

/// Characters of UTF-8 text: its bytes less the continuation bytes (10xxxxxx).
std::size_t length(const std::string& text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

/// `word`, cut to `width` characters of which the last is then an ellipsis.
std::string shortened(const std::string& word, std::size_t width) {
  if (length(word) <= width) return word;
  std::size_t end = 0;
  for (std::size_t seen = 0; end < word.size(); ++end)
    if ((word[end] & 0xC0) != 0x80 && ++seen == width) break;
  return word.substr(0, end) + "…";
}

/// The lines that hold `text`; only a word longer than a line loses its end.
std::vector<std::string> wrapped(const std::string& text, std::size_t width) {
  std::vector<std::string> lines;
  constexpr const char* blanks = " \t\n\v\f\r";
  for (std::size_t begin = 0, end; (begin = text.find_first_not_of(blanks, begin)) < text.size();
       begin = end) {
    end = std::min(text.find_first_of(blanks, begin), text.size());
    const std::string word = shortened(text.substr(begin, end - begin), width);
    if (!lines.empty() && length(lines.back()) + 1 + length(word) <= width)
      lines.back() += ' ' + word;
    else
      lines.push_back(word);
  }
  return lines;
}

void print_rule(std::ostream& out, const Rule& rule) {
  std::string text = rule.left;
  for (int column = 0; column < columns; ++column) {
    if (column > 0) text += rule.between;
    for (std::size_t i = 0; i < widths[column] + 2; ++i) text += rule.line;
  }
  out << text << rule.right << '\n';
}

void print_cells(std::ostream& out, const Cells& cells, const std::string& border) {
  std::vector<std::string> lines[columns];
  std::size_t height = 1;
  for (int column = 0; column < columns; ++column) {
    lines[column] = wrapped(cells[column], widths[column]);
    height = std::max(height, lines[column].size());
  }
  for (std::size_t row = 0; row < height; ++row) {
    std::string text = border;
    for (int column = 0; column < columns; ++column) {
      const std::string cell = row < lines[column].size() ? lines[column][row] : "";
      const std::string padding(widths[column] - length(cell), ' ');
      text += ' ' + (column == right_aligned ? padding + cell : cell + padding) + ' ' + border;
    }
    out << text << '\n';
  }
}

Cells cells_of(const SummaryRow& row) {
  std::string shape = "(None";
  for (std::int64_t dimension : row.output_shape) shape += ", " + std::to_string(dimension);
  return {row.name + " (" + row.type + ')', row.built ? shape + ')' : "?",
          row.built ? detail::grouped(row.params) : "0 (unbuilt)"};
}

/// "397.54 KB".
std::string readable_size(double bytes) {
  const char* unit = "B";
  for (const char* larger : {"KB", "MB", "GB", "TB", "PB"}) {
    if (bytes < 1024) break;
    bytes /= 1024;
    unit = larger;
  }
  return detail::fixed(bytes, 2) + ' ' + unit;
}

void print_total(std::ostream& out, const char* what, std::int64_t params, DType dtype) {
  out << ' ' << what << " params: " << detail::grouped(params) << " ("
      << readable_size(static_cast<double>(params) * static_cast<double>(size_of(dtype))) << ")\n";
}

}  // namespace

void print_summary(std::ostream& out, const std::string& model_name, const std::vector<SummaryRow>& rows,
                   std::int64_t trainable, std::int64_t non_trainable, std::int64_t optimizer_params,
                   DType dtype) {
  out << "Model: \"" << model_name << "\"\n";
  print_rule(out, {"┏", "━", "┳", "┓"});
  print_cells(out, {"Layer (type)", "Output Shape", "Param #"}, "┃");
  print_rule(out, {"┡", "━", "╇", "┩"});
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (i > 0) print_rule(out, {"├", "─", "┼", "┤"});
    print_cells(out, cells_of(rows[i]), "│");
  }
  print_rule(out, {"└", "─", "┴", "┘"});

  const bool optimizer_built = optimizer_params >= 0;
  print_total(out, "Total", trainable + non_trainable + (optimizer_built ? optimizer_params : 0), dtype);
  print_total(out, "Trainable", trainable, dtype);
  print_total(out, "Non-trainable", non_trainable, dtype);
  if (optimizer_built) print_total(out, "Optimizer", optimizer_params, dtype);
}

}  // namespace glia
