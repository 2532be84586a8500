// The rows of a CSV text, cell by cell: quotes, line ends and comments, but not what the cells mean.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/csv.h>  // defines: CsvOptions

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace glia::detail {

class CsvReader {
 public:
  /// `text` must outlive the reader. Throws ValueError for a delimiter or comment sign that cannot work.
  CsvReader(std::string_view text, const std::string& source, const CsvOptions& options);

  /// Goes to the next row that is neither empty nor a comment; false at the end. Throws FileError.
  bool next();
  /// Of the row that next() went to: its cells, unquoted, and the line it begins in, from 1.
  const std::vector<std::string>& cells() const { return cells_; }
  std::int64_t line() const { return line_; }
  /// "'iris.csv', line 7", to begin messages with.
  std::string place() const;

 private:
  bool at_end() const { return at_ == text_.size(); }
  bool at_line_end() const { return text_[at_] == '\n' || text_[at_] == '\r'; }
  bool is_blank(char c) const { return (c == ' ' || c == '\t') && c != delimiter_; }
  bool skip_empty_or_comment();
  void skip_line();
  void end_line();
  void read_row();
  void read_quoted(std::string& cell);
  void read_plain(std::string& cell);
  [[noreturn]] void fail(std::int64_t line, const std::string& problem) const;

  std::string_view text_;
  const std::string& source_;
  char delimiter_;
  char comment_;
  std::size_t at_ = 0;
  std::int64_t current_line_ = 1;
  std::int64_t line_ = 1;
  std::vector<std::string> cells_;
};

}  // namespace glia::detail
