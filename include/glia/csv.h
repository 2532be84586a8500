// Tables read from CSV files: numbers, categories and text, by column.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/macros.h>
#include <glia/tensor.h>

#include <cstdint>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

namespace GLIA_API glia {

/// What becomes of a cell whose text is one of CsvOptions::missing_values.
enum class Missing {
  error,    ///< FileError with its file, line and column
  nan,      ///< the cell becomes NaN, in a categorical column too
  drop_row  ///< the row is left out
};

/// How read_csv reads a file. Columns are named as the header names them, or by number from 0: "3" is the fourth
/// column where no column has that name.
struct CsvOptions {
  bool header = true;  ///< The first row names the columns; else they are called "0", "1", ...
  char delimiter = ',';
  char decimal = '.';                     ///< Or ',', as in "3,5"; the delimiter is another then, mostly ';'.
  std::vector<std::string> columns = {};  ///< To keep, in this order; empty: all.
  std::vector<std::string> categorical = {};  ///< Text to encode as labels 0, 1, ... in sorted (byte) order.
  std::vector<std::string> text = {};         ///< Text to keep as it is; read with Table::text.
  Missing missing = Missing::error;  ///< Of numbers and categories; in a text column nothing is missing.
  std::vector<std::string> missing_values = {"", "NA", "N/A", "NaN", "nan", "?", "null"};
  char comment = '\0';         ///< Lines that begin with it are skipped; '\0': none.
  std::int64_t skip_rows = 0;  ///< Lines to skip before anything is read.
};

/// Columns of one length, each of numbers, categories or text. Numbers are float32: whole numbers are exact up to 2^24 =
/// 16777216, greater ones are rounded (a printed table says in which columns). So read ids as text or as categories.
///
///     glia::Table iris = glia::read_csv("iris.csv", {.categorical = {"species"}});
///     glia::Tensor y = iris.column("species").cast(glia::DType::int32);  // (150,)
///     glia::Tensor x = iris.without({"species"}).tensor();               // (150, 4)
///     iris.categories("species");                                        // {"setosa", "versicolor", ...}
///     std::cout << iris;
///
/// A column is looked up by its name, or by its number in this table; an unknown one is a ValueError that lists
/// those there are.
class Table {
 public:
  /// One column; `kind` says which of the vectors hold its rows.
  struct Column {
    enum class Kind { number, category, text };
    std::string name = {};
    Kind kind = Kind::number;
    std::vector<float> values = {};            ///< Numbers or labels, NaN where missing; empty for text.
    std::vector<std::string> text = {};        ///< Only for text.
    std::vector<std::string> categories = {};  ///< In label order; only for categories.
    bool rounded = false;                      ///< Some whole number was too great for float32 to hold it.
  };

  /// No rows, no columns.
  Table() = default;
  /// Throws ShapeError where a column does not have `rows` rows.
  Table(std::vector<Column> columns, std::int64_t rows);

  std::int64_t rows() const { return rows_; }
  /// Their number.
  std::int64_t columns() const { return static_cast<std::int64_t>(columns_.size()); }
  std::vector<std::string> names() const;
  bool has(const std::string& name) const;

  /// Numbers, or the labels of a categorical column: float32 (rows,), whole numbers above 2^24 rounded. Throws ValueError
  /// for a text column.
  Tensor column(const std::string& name) const;
  /// Negative numbers count from the end.
  Tensor column(std::int64_t index) const;
  /// A text column, or the texts that a categorical one was made of ("" where missing). Throws ValueError for a
  /// column of numbers.
  std::vector<std::string> text(const std::string& name) const;
  /// The texts that labels 0, 1, ... stand for. Throws ValueError for a column that is not categorical.
  const std::vector<std::string>& categories(const std::string& name) const;

  /// Whether a column holds a whole number above 2^24 that float32 rounded.
  bool is_rounded(const std::string& name) const;

  /// All columns side by side: float32 (rows, columns). Throws ValueError where one is text.
  Tensor tensor() const;
  /// These columns, in this order: float32 (rows, names.size()).
  Tensor tensor(const std::vector<std::string>& names) const;
  /// Copies of the table: with these columns only, in this order, or with all others.
  Table with(const std::vector<std::string>& names) const;
  Table without(const std::vector<std::string>& names) const;

  /// The column names and the first `count` rows, aligned, as a text of lines.
  std::string head(std::int64_t count = 5) const;

 private:
  std::size_t find(const std::string& name) const;

  std::vector<Column> columns_;
  std::int64_t rows_ = 0;
};

/// head(), the number of rows and columns, and which columns hold whole numbers that float32 rounds.
std::ostream& operator<<(std::ostream& out, const Table& table);

/// Reads a CSV file as RFC 4180 describes it, and more leniently: cells may be quoted, with "" for a quote and line
/// breaks inside; lines end in LF, CRLF or CR, the last may lack its end; a UTF-8 byte order mark, empty lines, and
/// blanks around a cell that is not quoted are dropped, and so is a delimiter at the end of every line. Numbers are read
/// alike in every locale: 1e-3, +5, .5, inf; they become float32, which rounds whole numbers above 2^24 (ids: name their
/// column in CsvOptions::text).
/// Throws FileError, with the line, for a file that cannot be read, holds no row, has a row of another length, a
/// quote without its end, a zero byte, or a cell that is not a number in a column of numbers; ValueError for options
/// that name no column; OutOfMemoryError.
Table read_csv(const std::string& path, const CsvOptions& options = {});

/// The same from memory; `source_name` stands for the file in messages.
Table parse_csv(std::string_view text, const std::string& source_name = "CSV text",
                const CsvOptions& options = {});

}  // namespace glia
