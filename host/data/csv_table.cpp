// Table: columns looked up, selected, put side by side, and printed.
// SPDX-License-Identifier: Apache-2.0
#include <glia/csv.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <utility>

#include "host/data/csv_text.h"  // defines: shortened, quoted, listed

namespace glia {
namespace {

using Column = Table::Column;
using Kind = Table::Column::Kind;

/// The fewest digits that read back as the same float.
std::string number_text(float value) {
  if (std::isnan(value)) return "nan";
  char buffer[32];
  return {buffer, std::to_chars(buffer, buffer + sizeof buffer, value).ptr};
}

/// What was read in row i, cut to what a column of a printed table may take.
std::string cell_text(const Column& column, std::size_t i) {
  if (column.kind == Kind::text) return column.text[i];
  const float value = column.values[i];
  if (column.kind == Kind::category && !std::isnan(value))
    return column.categories[static_cast<std::size_t>(value)];
  return number_text(value);
}

/// As wide as a printed column may be.
std::string printable(const std::string& text) { return detail::shortened(text, 21); }

void expect_values(const Column& column, const char* call) {
  GLIA_CHECK(
      column.kind != Kind::text, ValueError, call, " got the column ", detail::in_quotes(column.name),
      ", which is text; read it with text(), name it in CsvOptions::categorical for labels, or leave it "
      "out: table.without({\"",
      detail::escaped(column.name), "\"})");
}

/// Columns side by side: float32 (rows, columns.size()).
Tensor side_by_side(const std::vector<const Column*>& columns, std::int64_t rows) {
  const auto width = static_cast<std::int64_t>(columns.size());
  Tensor result = Tensor::uninitialized({rows, width});
  float* const to = result.data<float>();
  for (std::int64_t j = 0; j < width; ++j) {
    const Column& column = *columns[static_cast<std::size_t>(j)];
    expect_values(column, "tensor()");
    for (std::int64_t i = 0; i < rows; ++i) to[i * width + j] = column.values[static_cast<std::size_t>(i)];
  }
  return result;
}

}  // namespace

Table::Table(std::vector<Column> columns, std::int64_t rows) : columns_(std::move(columns)), rows_(rows) {
  for (const Column& column : columns_) {
    const std::size_t got = column.kind == Kind::text ? column.text.size() : column.values.size();
    GLIA_CHECK(rows >= 0 && got == static_cast<std::size_t>(rows), ShapeError, "the column ",
               detail::in_quotes(column.name), " has ", got, " rows, expected ", rows,
               " as the table has; give all columns one length");
  }
}

std::vector<std::string> Table::names() const {
  std::vector<std::string> result;
  for (const Column& column : columns_) result.push_back(column.name);
  return result;
}

bool Table::has(const std::string& name) const {
  return std::any_of(columns_.begin(), columns_.end(),
                     [&](const Column& column) { return column.name == name; });
}

std::size_t Table::find(const std::string& name) const {
  for (std::size_t i = 0; i < columns_.size(); ++i)
    if (columns_[i].name == name) return i;
  throw ValueError(detail::concat("the table has no column ", detail::in_quotes(name), "; it has ",
                                  columns_.size(), ": ", detail::listed(names()), "; give one of these"));
}

Tensor Table::column(const std::string& name) const {
  const Column& column = columns_[find(name)];
  expect_values(column, "column()");
  return Tensor(column.values);
}

Tensor Table::column(std::int64_t index) const {
  const std::int64_t count = columns();
  GLIA_CHECK(index >= -count && index < count, ValueError, "column() got the number ", index, ", expected ",
             -count, " to ", count - 1, ": the table has ", count, " columns");
  const Column& column = columns_[static_cast<std::size_t>(index < 0 ? index + count : index)];
  expect_values(column, "column()");
  return Tensor(column.values);
}

bool Table::is_rounded(const std::string& name) const { return columns_[find(name)].rounded; }

std::vector<std::string> Table::text(const std::string& name) const {
  const Column& column = columns_[find(name)];
  GLIA_CHECK(column.kind != Kind::number, ValueError, "text() got the column ", detail::in_quotes(name),
             ", which was read as numbers; name it in CsvOptions::text, or read it with column()");
  if (column.kind == Kind::text) return column.text;
  std::vector<std::string> result;
  result.reserve(column.values.size());
  for (float value : column.values)
    result.push_back(std::isnan(value) ? "" : column.categories[static_cast<std::size_t>(value)]);
  return result;
}

const std::vector<std::string>& Table::categories(const std::string& name) const {
  const Column& column = columns_[find(name)];
  GLIA_CHECK(column.kind == Kind::category, ValueError, "categories() got the column ",
             detail::in_quotes(name), ", which has none; name it in CsvOptions::categorical");
  return column.categories;
}

Tensor Table::tensor() const {
  std::vector<const Column*> all;
  for (const Column& column : columns_) all.push_back(&column);
  return side_by_side(all, rows_);
}

Tensor Table::tensor(const std::vector<std::string>& names) const {
  std::vector<const Column*> chosen;
  for (const std::string& name : names) chosen.push_back(&columns_[find(name)]);
  return side_by_side(chosen, rows_);
}

Table Table::with(const std::vector<std::string>& names) const {
  std::vector<Column> chosen;
  for (const std::string& name : names) chosen.push_back(columns_[find(name)]);
  return Table(std::move(chosen), rows_);
}

Table Table::without(const std::vector<std::string>& names) const {
  std::vector<bool> leave_out(columns_.size());
  for (const std::string& name : names) leave_out[find(name)] = true;
  std::vector<Column> chosen;
  for (std::size_t i = 0; i < columns_.size(); ++i)
    if (!leave_out[i]) chosen.push_back(columns_[i]);
  return Table(std::move(chosen), rows_);
}

std::string Table::head(std::int64_t count) const {
  const auto shown = static_cast<std::size_t>(std::clamp<std::int64_t>(count, 0, rows_));
  std::vector<std::string> lines(shown + 1);
  for (const Column& column : columns_) {
    std::vector<std::string> cells = {printable(column.name)};
    for (std::size_t i = 0; i < shown; ++i) cells.push_back(printable(cell_text(column, i)));
    std::size_t width = 0;
    for (const std::string& cell : cells) width = std::max(width, cell.size());
    for (std::size_t i = 0; i < cells.size(); ++i)
      lines[i] += (lines[i].empty() ? "" : "  ") + std::string(width - cells[i].size(), ' ') + cells[i];
  }
  std::string result;
  for (const std::string& line : lines) result += line + "\n";
  return result;
}

std::ostream& operator<<(std::ostream& out, const Table& table) {
  constexpr std::int64_t shown = 5;
  out << table.head(shown);
  if (table.rows() > shown) out << "...\n";
  std::vector<std::string> rounded;
  for (const std::string& name : table.names())
    if (table.is_rounded(name)) rounded.push_back(name);
  if (!rounded.empty())
    out << detail::concat("[whole numbers above 16777216 are rounded in ", detail::listed(rounded),
                          ": read ids as text]\n");
  return out << detail::concat('[', table.rows(), table.rows() == 1 ? " row, " : " rows, ", table.columns(),
                               table.columns() == 1 ? " column]\n" : " columns]\n");
}

}  // namespace glia
