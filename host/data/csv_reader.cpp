// The rows of a CSV text: RFC 4180, with the leniences that read_csv promises.
// SPDX-License-Identifier: Apache-2.0
#include "host/data/csv_reader.h"

#include <glia/error.h>

#include <algorithm>

#include "host/data/csv_text.h"  // defines: quoted

namespace glia::detail {
namespace {

// More are no table but another kind of file, and each costs a string several times its size.
constexpr std::size_t most_columns = 1'000'000;

}  // namespace

CsvReader::CsvReader(std::string_view text, const std::string& source, const CsvOptions& options)
    : text_(text), source_(source), delimiter_(options.delimiter), comment_(options.comment) {
  constexpr std::string_view forbidden("\"\n\r\0", 4);
  GLIA_CHECK(
      forbidden.find(delimiter_) == forbidden.npos, ValueError,
      "CsvOptions::delimiter got a quote, a line end or a zero byte; expected a sign such as ',', ';' or "
      "'\\t'");
  GLIA_CHECK(comment_ == '\0' || (forbidden.find(comment_) == forbidden.npos && comment_ != delimiter_),
             ValueError,
             "CsvOptions::comment got the delimiter, a quote or a line end; expected a sign such as '#'");
  GLIA_CHECK(options.decimal == '.' || options.decimal == ',', ValueError, "CsvOptions::decimal got ",
             in_quotes(std::string(1, options.decimal)), "; expected '.' or ','");
  GLIA_CHECK(options.decimal != delimiter_, ValueError, "CsvOptions::decimal and delimiter are both ",
             in_quotes(std::string(1, delimiter_)),
             "; expected different signs: files with decimal commas mostly have .delimiter = ';'");
  GLIA_CHECK(options.skip_rows >= 0, ValueError, "CsvOptions::skip_rows got ", options.skip_rows,
             "; expected 0 or more");
  if (text_.substr(0, 3) == "\xEF\xBB\xBF") text_.remove_prefix(3);  // UTF-8 byte order mark
  for (std::int64_t i = 0; i < options.skip_rows && !at_end(); ++i) skip_line();
}

std::string CsvReader::place() const { return concat("'", source_, "', line ", line_); }

void CsvReader::fail(std::int64_t line, const std::string& problem) const {
  throw FileError(concat("'", source_, "', line ", line, ": ", problem));
}

bool CsvReader::next() {
  while (!at_end() && skip_empty_or_comment()) continue;
  if (at_end()) return false;
  line_ = current_line_;
  read_row();
  return true;
}

/// True where there was such a line, and it has been passed.
bool CsvReader::skip_empty_or_comment() {
  std::size_t end = at_;
  while (end < text_.size() && is_blank(text_[end])) ++end;
  const bool empty = end == text_.size() || text_[end] == '\n' || text_[end] == '\r';
  if (!empty && (comment_ == '\0' || text_[at_] != comment_)) return false;
  skip_line();
  return true;
}

void CsvReader::skip_line() {
  at_ = std::min(text_.find_first_of("\n\r", at_), text_.size());
  end_line();
}

/// Passes LF, CRLF or CR, where at_ is at one.
void CsvReader::end_line() {
  if (at_end()) return;
  const bool carriage_return = text_[at_++] == '\r';
  if (carriage_return && !at_end() && text_[at_] == '\n') ++at_;
  ++current_line_;
}

void CsvReader::read_row() {
  // The strings of the row before are filled again, which saves an allocation per cell.
  std::size_t count = 0;
  for (bool more = true; more; ++count) {
    if (count == most_columns)
      fail(line_, concat("has more than ", most_columns,
                         " columns; check that this is a CSV file, and its delimiter"));
    if (count == cells_.size()) cells_.emplace_back();
    std::string& cell = cells_[count];
    cell.clear();
    while (!at_end() && is_blank(text_[at_])) ++at_;
    if (!at_end() && text_[at_] == '"')
      read_quoted(cell);
    else
      read_plain(cell);
    more = !at_end() && text_[at_] == delimiter_;
    if (more) ++at_;
  }
  cells_.resize(count);
  end_line();
}

void CsvReader::read_quoted(std::string& cell) {
  const std::int64_t began = current_line_;
  for (++at_;; ++at_) {
    const std::size_t run = std::min(text_.find_first_of(std::string_view("\"\n\r\0", 4), at_), text_.size());
    cell.append(text_, at_, run - at_);
    at_ = run;
    if (at_end())
      fail(began, concat("the quote that begins with ", in_quotes(cell),
                         " is never closed; add the closing quote, and write quotes within quotes as \"\""));
    if (text_[at_] == '\0') fail(current_line_, "holds a zero byte; save the file as UTF-8 text");
    const bool doubled = text_[at_] == '"' && at_ + 1 < text_.size() && text_[at_ + 1] == '"';
    if (text_[at_] == '"' && !doubled) break;
    if (text_[at_] == '\n' || (text_[at_] == '\r' && text_.substr(at_ + 1, 1) != "\n")) ++current_line_;
    cell += text_[at_];
    if (doubled) ++at_;
  }
  ++at_;
  while (!at_end() && is_blank(text_[at_])) ++at_;
  if (!at_end() && text_[at_] != delimiter_ && !at_line_end())
    fail(current_line_,
         concat("text follows the closing quote of ", in_quotes(cell),
                "; expected the delimiter or the end of the line: write quotes within quotes as \"\""));
}

void CsvReader::read_plain(std::string& cell) {
  const char stops[] = {delimiter_, '\n', '\r', '\0'};
  const std::size_t end =
      std::min(text_.find_first_of(std::string_view(stops, sizeof stops), at_), text_.size());
  if (end < text_.size() && text_[end] == '\0')
    fail(current_line_, "holds a zero byte; save the file as UTF-8 text");
  cell.assign(text_, at_, end - at_);
  while (!cell.empty() && is_blank(cell.back())) cell.pop_back();
  at_ = end;
}

}  // namespace glia::detail
