// CSV files as tables: which columns to keep, and what their cells mean.
// SPDX-License-Identifier: Apache-2.0
#include <glia/csv.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <map>
#include <new>
#include <optional>
#include <unordered_map>
#include <utility>

#include "host/data/csv_reader.h"  // defines: CsvReader
#include "host/data/csv_text.h"    // defines: quoted, listed
#include "host/io/input_file.h"    // defines: InputFile

namespace glia {
namespace {

using detail::CsvReader;
using detail::in_quotes;
using detail::listed;
using Column = Table::Column;
using Kind = Table::Column::Kind;

/// All of `text` as a number, whatever the locale, with `decimal` for its point; nothing where it is none. Wider than what
/// float32 can hold, so that too large a number is not taken for an infinity that was written down.
std::optional<long double> number(std::string_view text, char decimal = '.') {
  if (decimal != '.') {
    std::string with_point(text);
    for (char& c : with_point) {
      if (c == '.') return std::nullopt;
      if (c == decimal) c = '.';
    }
    return number(with_point);
  }
  if (text.size() > 1 && text[0] == '+' && text[1] != '-') text.remove_prefix(1);  // from_chars takes no plus
  const char* const end = text.data() + text.size();
  double value = 0;
  std::from_chars_result result = std::from_chars(text.data(), end, value);
  if (result.ec == std::errc::result_out_of_range) {  // says not in which direction: a wider type does
    long double wide = 0;
    result = std::from_chars(text.data(), end, wide);
    return result.ec == std::errc() && result.ptr == end ? std::optional(wide) : std::nullopt;
  }
  if (result.ec != std::errc() || result.ptr != end) return std::nullopt;
  return value;
}

/// Whether every line ends with a delimiter, behind which is nothing; the header's may lack it, or have it alone.
bool has_idle_column(std::string_view text, const std::string& source, const CsvOptions& options) {
  CsvReader reader(text, source, options);
  const auto ends_empty = [&] { return reader.cells().size() > 1 && reader.cells().back().empty(); };
  if (!reader.next()) return false;
  const bool first_ends_empty = ends_empty();
  if (!first_ends_empty && !options.header) return false;
  const std::size_t width = reader.cells().size() - (first_ends_empty ? 1 : 0);
  std::size_t cells = 0;  // of each row
  while (reader.next()) {
    if (cells == 0) cells = reader.cells().size();
    const bool lacks_it = options.header && first_ends_empty && cells == width;
    const bool has_it = cells == width + 1 && ends_empty();
    if (reader.cells().size() != cells || !(lacks_it || has_it)) return false;
  }
  return cells > 0 || first_ends_empty;
}

/// Fills the columns of a table, row by row.
class TableBuilder {
 public:
  TableBuilder(CsvReader& reader, const std::string& source, const CsvOptions& options, bool has_idle)
      : reader_(reader), source_(source), options_(options), has_idle_column_(has_idle) {
    GLIA_CHECK(
        reader_.next(), FileError, "'", source_, "' holds no row",
        options_.header ? ", not even a header" : "",
        ", expected at least one line of cells; check the file, and CsvOptions::skip_rows and comment");
    first_line_ = reader_.line();
    first_cells_ = reader_.cells();
    name_columns();
    choose_columns();
    if (!options_.header) add_row();
  }

  Table build() && {
    while (reader_.next()) add_row();
    for (std::size_t i = 0; i < columns_.size(); ++i)
      if (columns_[i].kind == Kind::category) sort_categories(columns_[i], labels_[i]);
    return Table(std::move(columns_), rows_);
  }

 private:
  using Labels = std::unordered_map<std::string, float>;

  void name_columns() {
    const std::size_t all = reader_.cells().size();
    const std::size_t count = has_idle_column_ && all > 1 && reader_.cells().back().empty() ? all - 1 : all;
    for (std::size_t i = 0; i < count; ++i) {
      const std::string& name = reader_.cells()[i];
      names_.push_back(options_.header && !name.empty() ? name : std::to_string(i));
      const auto [first, is_new] = number_of_.emplace(names_.back(), i);
      GLIA_CHECK(is_new, FileError, reader_.place(), ": columns ", first->second, " and ", i,
                 " are both named ", in_quotes(names_.back()),
                 "; rename one, or skip the header: {.header = false, .skip_rows = ", first_line_, "}");
    }
  }

  /// The number in the file of a column that an option names.
  std::size_t find(const std::string& name, const char* option) const {
    if (const auto found = number_of_.find(name); found != number_of_.end()) return found->second;
    std::size_t index = 0;
    const char* const end = name.data() + name.size();
    const std::from_chars_result result = std::from_chars(name.data(), end, index);
    GLIA_CHECK(!name.empty() && result.ec == std::errc() && result.ptr == end && index < names_.size(),
               ValueError, "CsvOptions::", option, " names ", in_quotes(name), ", which '", source_,
               "' does not have; it has ", names_.size(), " columns: ", listed(names_),
               "; give one of these or its number from 0", delimiter_hint());
    return index;
  }

  void choose_columns() {
    std::map<std::size_t, std::size_t> kept;  // number in the file -> number in the table
    if (options_.columns.empty())
      for (std::size_t i = 0; i < names_.size(); ++i) keep(i, kept);
    for (const std::string& name : options_.columns) {
      GLIA_CHECK(keep(find(name, "columns"), kept), ValueError, "CsvOptions::columns names the column ",
                 in_quotes(name), " twice; name each once");
    }
    set_kind(options_.categorical, "categorical", Kind::category, kept);
    set_kind(options_.text, "text", Kind::text, kept);
    labels_.resize(columns_.size());
  }

  bool keep(std::size_t index, std::map<std::size_t, std::size_t>& kept) {
    if (!kept.emplace(index, columns_.size()).second) return false;
    sources_.push_back(index);
    columns_.push_back({.name = names_[index],
                        .kind = Kind::number,
                        .values = {},
                        .text = {},
                        .categories = {},
                        .rounded = false});
    return true;
  }

  void set_kind(const std::vector<std::string>& names, const char* option, Kind kind,
                const std::map<std::size_t, std::size_t>& kept) {
    for (const std::string& name : names) {
      const auto found = kept.find(find(name, option));
      GLIA_CHECK(found != kept.end(), ValueError, "CsvOptions::", option, " names ", in_quotes(name),
                 ", which CsvOptions::columns leaves out; add it there, or take it out here");
      Kind& now = columns_[found->second].kind;
      GLIA_CHECK(now == Kind::number || now == kind, ValueError, "CsvOptions::", option, " names ",
                 in_quotes(name), ", which is categorical already; name it once");
      now = kind;
    }
  }

  void add_row() {
    const std::vector<std::string>& cells = reader_.cells();
    const bool fits =
        cells.size() == names_.size() || (has_idle_column_ && cells.size() == names_.size() + 1);
    GLIA_CHECK(fits, FileError, reader_.place(), ": got ", cells.size(),
               cells.size() == 1 ? " column" : " columns", ", expected ", names_.size(), " as in line ",
               first_line_, "; correct the row, check the delimiter, or skip leading lines with skip_rows",
               delimiter_hint());
    if (options_.missing == Missing::drop_row && lacks_a_cell()) return;
    for (std::size_t i = 0; i < columns_.size(); ++i) add_cell(i, cells[sources_[i]]);
    ++rows_;
  }

  bool is_missing(const std::string& cell) const {
    return std::find(options_.missing_values.begin(), options_.missing_values.end(), cell) !=
           options_.missing_values.end();
  }

  bool lacks_a_cell() const {
    for (std::size_t i = 0; i < columns_.size(); ++i)
      if (columns_[i].kind != Kind::text && is_missing(reader_.cells()[sources_[i]])) return true;
    return false;
  }

  void add_cell(std::size_t i, const std::string& cell) {
    Column& column = columns_[i];
    if (column.kind == Kind::text) {
      column.text.push_back(cell);
    } else if (is_missing(cell)) {
      GLIA_CHECK(options_.missing != Missing::error, FileError, place(i), ": got ", in_quotes(cell),
                 ", which stands for a missing value; set CsvOptions::missing to Missing::nan or "
                 "Missing::drop_row, or fill the cell");
      column.values.push_back(std::numeric_limits<float>::quiet_NaN());
    } else if (column.kind == Kind::category) {
      // In order of appearance until all are known; sort_categories renumbers them.
      column.values.push_back(labels_[i].emplace(cell, static_cast<float>(labels_[i].size())).first->second);
    } else {
      column.values.push_back(number_in(i, cell));
    }
  }

  /// Which delimiter the first line seems to have, where that is another than the reader's.
  std::string delimiter_hint() const {
    char likely = '\0';
    std::size_t most = first_cells_.size() - 1;  // delimiters found
    for (const char candidate : {',', ';', '\t', '|'}) {
      if (candidate == options_.delimiter) continue;
      std::size_t count = 0;
      for (const std::string& cell : first_cells_)
        count += static_cast<std::size_t>(std::count(cell.begin(), cell.end(), candidate));
      if (count > most) most = count, likely = candidate;
    }
    if (likely == '\0') return "";
    const std::string sign = likely == '\t' ? "\\t" : std::string(1, likely);
    return detail::concat("; line ", first_line_, " has ", most, " '", sign,
                          "': if that is what separates the columns, give .delimiter = '", sign, "'");
  }

  std::string decimal_hint(const std::string& cell) const {
    const char other = options_.decimal == '.' ? ',' : '.';
    if (!number(cell, other)) return "";
    return detail::concat("; if '", other, "' is its decimal point, give .decimal = '", other, "'");
  }

  float number_in(std::size_t i, const std::string& cell) {
    const std::optional<long double> value = number(cell, options_.decimal);
    GLIA_CHECK(
        value, FileError, place(i), ": got ", in_quotes(cell),
        ", expected a number; if the column holds text, "
        "name it in CsvOptions::categorical or CsvOptions::text, or leave it out of CsvOptions::columns; if "
        "this stands for a missing value, add it to CsvOptions::missing_values",
        delimiter_hint(), decimal_hint(cell));
    const bool fits = !std::isfinite(*value) || std::abs(*value) <= std::numeric_limits<float>::max();
    GLIA_CHECK(fits, FileError, place(i), ": got ", in_quotes(cell),
               ", which float32 cannot hold; scale the column, or leave it out of CsvOptions::columns");
    const float narrow = static_cast<float>(*value);
    const bool whole = std::abs(*value) > (1 << 24) && std::floor(*value) == *value;
    if (whole && static_cast<long double>(narrow) != *value) columns_[i].rounded = true;
    return narrow;
  }

  std::string place(std::size_t i) const {
    return detail::concat(reader_.place(), ", column ", sources_[i], " (", in_quotes(columns_[i].name), ")");
  }

  static void sort_categories(Column& column, const Labels& labels) {
    const std::map<std::string, float> sorted(labels.begin(), labels.end());
    std::vector<float> renumbered(sorted.size());
    for (const auto& [text, label] : sorted) {
      renumbered[static_cast<std::size_t>(label)] = static_cast<float>(column.categories.size());
      column.categories.push_back(text);
    }
    for (float& value : column.values)
      if (!std::isnan(value)) value = renumbered[static_cast<std::size_t>(value)];
  }

  CsvReader& reader_;
  const std::string& source_;
  const CsvOptions& options_;
  const bool has_idle_column_;  // behind the last delimiter of every line
  std::int64_t first_line_ = 1;
  std::vector<std::string> first_cells_;
  std::vector<std::string> names_;  // of all columns of the file
  std::unordered_map<std::string, std::size_t> number_of_;
  std::vector<std::size_t> sources_;  // number in the file of each kept column
  std::vector<Column> columns_;
  std::vector<Labels> labels_;
  std::int64_t rows_ = 0;
};

}  // namespace

Table parse_csv(std::string_view text, const std::string& source_name, const CsvOptions& options) {
  try {
    CsvReader reader(text, source_name, options);
    return TableBuilder(reader, source_name, options, has_idle_column(text, source_name, options)).build();
  } catch (const std::bad_alloc&) {
    throw OutOfMemoryError(detail::concat(
        "the table in '", source_name, "' does not fit memory; keep fewer columns with CsvOptions::columns"));
  }
}

Table read_csv(const std::string& path, const CsvOptions& options) {
  const io::InputFile file(path);
  std::string text;
  try {
    text.resize(file.size());
  } catch (const std::exception&) {  // std::bad_alloc or std::length_error
    throw OutOfMemoryError(
        detail::concat("'", path, "' has ", file.size(), " bytes, which do not fit memory; split the file"));
  }
  file.read(0, text.data(), text.size());
  return parse_csv(text, path, options);
}

}  // namespace glia
