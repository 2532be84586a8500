// CSV files: quotes, line ends, columns, categories, missing values, and files that are not what they should be.
// SPDX-License-Identifier: Apache-2.0
#include <glia/csv.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <locale>
#include <random>
#include <sstream>

#include "tests/temporary_folder.h"

namespace glia {
namespace {

using namespace std::string_literals;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::ThrowsMessage;

const std::string iris =
    "sepal,petal,species\n"
    "5.1,1.4,setosa\n"
    "7.0,4.7,versicolor\n"
    "6.3,6.0,virginica\n"
    "4.9,1.5,setosa\n";

/// Expects parse_csv to throw ErrorType with all of `words` in the message.
template <class ErrorType, class... Words>
void expect_refused(const std::string& text, const CsvOptions& options, const Words&... words) {
  EXPECT_THAT([&] { parse_csv(text, "t.csv", options); },
              ThrowsMessage<ErrorType>(AllOf(HasSubstr(words)...)))
      << text;
}

TEST(Csv, A_file_becomes_columns_labels_and_a_tensor) {
  const testing::TemporaryFolder folder;
  testing::write_text(folder / "iris.csv", iris);
  const Table table = read_csv(folder / "iris.csv", {.categorical = {"species"}});
  EXPECT_EQ(table.rows(), 4);
  EXPECT_EQ(table.columns(), 3);
  EXPECT_THAT(table.names(), ElementsAre("sepal", "petal", "species"));
  EXPECT_TRUE(table.has("petal"));
  EXPECT_FALSE(table.has("stem"));
  EXPECT_TRUE(array_equal(table.column("sepal"), Tensor({5.1, 7.0, 6.3, 4.9})));
  EXPECT_TRUE(array_equal(table.column(-1), Tensor({0, 1, 2, 0})));
  EXPECT_EQ(table.column(1).dtype(), DType::float32);
  EXPECT_THAT(table.categories("species"), ElementsAre("setosa", "versicolor", "virginica"));
  EXPECT_THAT(table.text("species"), ElementsAre("setosa", "versicolor", "virginica", "setosa"));
  EXPECT_TRUE(array_equal(table.tensor(), Tensor({{5.1, 1.4, 0}, {7, 4.7, 1}, {6.3, 6, 2}, {4.9, 1.5, 0}})));
  EXPECT_TRUE(array_equal(table.tensor({"petal", "sepal"}).row(1), Tensor({4.7, 7})));
  EXPECT_THAT(table.without({"species"}).names(), ElementsAre("sepal", "petal"));
  EXPECT_THAT(table.with({"species", "sepal"}).names(), ElementsAre("species", "sepal"));
}

TEST(Csv, Categories_are_labelled_in_sorted_order_not_in_that_of_appearance) {
  const Table table = parse_csv("a\nz\nb\nz\nB\nb\n", "t.csv", {.categorical = {"a"}});
  EXPECT_THAT(table.categories("a"), ElementsAre("B", "b", "z"));
  EXPECT_THAT(table.column("a").values(), ElementsAre(2, 1, 2, 0, 1));
}

TEST(Csv, Without_a_header_columns_are_called_by_their_numbers) {
  const Table table = parse_csv("6,148,72\n1,85,66", "t.csv", {.header = false});
  EXPECT_THAT(table.names(), ElementsAre("0", "1", "2"));
  EXPECT_THAT(table.column("1").values(), ElementsAre(148, 85));
  EXPECT_THAT(parse_csv("x,,\n1,2,3").names(), ElementsAre("x", "1", "2"));
}

TEST(Csv, Chosen_columns_come_in_the_order_given_by_name_or_number) {
  const Table table = parse_csv(iris, "t.csv", {.columns = {"petal", "0"}});
  EXPECT_THAT(table.names(), ElementsAre("petal", "sepal"));
  EXPECT_THAT(table.column("sepal").values()[1], 7);
  EXPECT_EQ(parse_csv("2,0\n8,9\n", "t.csv", {.columns = {"0"}}).column(0).item(), 9)
      << "a name goes before a number";
}

TEST(Csv, Quoted_cells_hold_delimiters_quotes_and_line_breaks) {
  const Table table =
      parse_csv("\"a,\"\"b\"\"\" , c\r\n\"one\r\ntwo\", \"3\"\r\n\"\" ,4", "t.csv", {.text = {"0"}});
  EXPECT_THAT(table.names(), ElementsAre("a,\"b\"", "c"));
  EXPECT_THAT(table.text("a,\"b\""), ElementsAre("one\r\ntwo", ""));
  EXPECT_THAT(table.column("c").values(), ElementsAre(3, 4));
  EXPECT_THAT(parse_csv("a\nit's 5\" long\n", "t.csv", {.text = {"a"}}).text("a"),
              ElementsAre("it's 5\" long"));
  EXPECT_THAT(parse_csv("a\n\" x \"\n y \n", "t.csv", {.text = {"a"}}).text("a"), ElementsAre(" x ", "y"));
}

TEST(Csv, Line_ends_byte_order_mark_empty_lines_and_comments_are_seen_to) {
  for (const std::string& end : {"\n"s, "\r\n"s, "\r"s}) {
    const std::string text =
        "\xEF\xBB\xBF" + end + "a,b" + end + "# note, \"" + end + "1,2" + end + "  " + end + "3,4";
    const Table table = parse_csv(text, "t.csv", {.comment = '#'});
    EXPECT_THAT(table.names(), ElementsAre("a", "b"));
    EXPECT_THAT(table.tensor().values(), ElementsAre(1, 2, 3, 4));
    EXPECT_TRUE(array_equal(parse_csv(text + end, "t.csv", {.comment = '#'}).tensor(), table.tensor()));
  }
  EXPECT_EQ(parse_csv("569,30,malignant\n1,2\n", "t.csv", {.header = false, .skip_rows = 1}).columns(), 2);
}

TEST(Csv, Other_delimiters_leave_commas_and_empty_cells_alone) {
  EXPECT_EQ(parse_csv("a;b\n1;2\n", "t.csv", {.delimiter = ';'}).tensor()(0, 1), 2);
  const Table tabs = parse_csv("a\tb\n\t2\n\t\n", "t.csv", {.delimiter = '\t', .missing = Missing::nan});
  EXPECT_EQ(tabs.rows(), 2);
  EXPECT_TRUE(std::isnan(tabs.column("a")(0)));
  EXPECT_THAT(parse_csv("a b\n1 2\n", "t.csv", {.delimiter = ' '}).tensor().values(), ElementsAre(1, 2));
}

TEST(Csv, Numbers_are_read_in_every_spelling) {
  const float inf = std::numeric_limits<float>::infinity();
  const Table table = parse_csv("x\n1e-3\n+5\n-0.5\n.25\n inf\n-Infinity\n1E2\n1e-400\n3.4028234e38\n7.\n");
  EXPECT_THAT(table.column(0).values(),
              ElementsAre(1e-3f, 5, -0.5, 0.25, inf, -inf, 100, 0, std::numeric_limits<float>::max(), 7));
}

/// Of a locale that writes 1,5 for a half more than one.
struct DecimalComma : std::numpunct<char> {
  char do_decimal_point() const override { return ','; }
};

TEST(Csv, Numbers_do_not_depend_on_the_locale) {
  const std::locale before = std::locale::global(std::locale(std::locale(), new DecimalComma));
  const Table table = parse_csv("x\n1.5\n");
  const std::string head = table.head();
  std::locale::global(before);
  EXPECT_EQ(table.column(0).item(), 1.5);
  EXPECT_EQ(head, "  x\n1.5\n");
}

TEST(Csv, What_is_not_a_number_is_refused_with_its_place_and_the_remedy) {
  expect_refused<FileError>("a,b\n1,2\n3,abc\n", {}, "'t.csv'", "line 3", "column 1", "'b'", "'abc'",
                            "categorical", "missing_values");
  for (const std::string bad : {"1,5", "+-5", "++5", "1e", "0x10", "5 5", "-", "+", "1_000", "--1"})
    expect_refused<FileError>("a\n\"" + bad + "\"\n", {}, "line 2", "'" + bad + "'");
  expect_refused<FileError>("a\n1e39\n", {}, "float32 cannot hold");
  expect_refused<FileError>("a\n1e400\n", {}, "float32 cannot hold");
  expect_refused<FileError>("a\n" + std::string(100, 'y') + "\n", {}, std::string(40, 'y') + "...'");
}

TEST(Csv, Missing_values_are_an_error_NaN_or_a_dropped_row) {
  const std::string text = "a,b,c\n1,?,x\n2,5,y\n,6,\n4,N/A,y\n";
  expect_refused<FileError>(text, {.categorical = {"c"}}, "line 2", "'?'", "Missing::nan",
                            "Missing::drop_row");
  const Table nan = parse_csv(text, "t.csv", {.categorical = {"c"}, .missing = Missing::nan});
  EXPECT_EQ(nan.rows(), 4);
  EXPECT_TRUE(std::isnan(nan.column("b")(0)) && std::isnan(nan.column("a")(2)) &&
              std::isnan(nan.column("c")(2)));
  EXPECT_THAT(nan.categories("c"), ElementsAre("x", "y"));
  EXPECT_THAT(nan.text("c"), ElementsAre("x", "y", "", "y"));
  const Table dropped = parse_csv(text, "t.csv", {.categorical = {"c"}, .missing = Missing::drop_row});
  EXPECT_THAT(dropped.tensor().values(), ElementsAre(2, 5, 0)) << "and no category is left from dropped rows";
  EXPECT_THAT(dropped.categories("c"), ElementsAre("y"));
  const Table kept =
      parse_csv(text, "t.csv", {.columns = {"a", "c"}, .text = {"c"}, .missing = Missing::drop_row});
  EXPECT_THAT(kept.text("c"), ElementsAre("x", "y", "y")) << "columns left out lack nothing";
  const Table empty_text = parse_csv("a,t\n1,\n", "t.csv", {.text = {"t"}, .missing = Missing::drop_row});
  EXPECT_THAT(empty_text.text("t"), ElementsAre("")) << "an empty text is a text";
  const Table own = parse_csv("a\n-999\n", "t.csv", {.missing = Missing::nan, .missing_values = {"-999"}});
  EXPECT_TRUE(std::isnan(own.column(0).item()));
}

TEST(Csv, Rows_of_another_length_are_refused_with_both_lengths) {
  expect_refused<FileError>("\na,b,c\n1,2,3\n\n1,2\n", {}, "'t.csv'", "line 5", "got 2 columns", "expected 3",
                            "line 2");
  expect_refused<FileError>("a\n1,2\n", {}, "got 2 columns", "expected 1");
  expect_refused<FileError>("1;2\n1\n", {.header = false, .delimiter = ';'}, "got 1 column, expected 2");
}

TEST(Csv, Broken_quotes_and_zero_bytes_are_refused_with_their_line) {
  expect_refused<FileError>("a,b\n1,2\n3,\"x\n4,5\n6,7\n", {}, "line 3", "never closed");
  expect_refused<FileError>("a,b\n\"1\n\"2,3\n", {}, "line 3", "follows the closing quote");
  expect_refused<FileError>("a\n1\0\n"s, {}, "line 2", "zero byte");
  expect_refused<FileError>("a\n\"1\n\0\"\n"s, {}, "line 3", "zero byte");
  expect_refused<FileError>(std::string(1'000'001, ','), {}, "line 1", "1000000 columns");
}

TEST(Csv, Lines_are_counted_through_quoted_line_breaks) {
  expect_refused<FileError>("a\n\"1\n\"\nx\n", {.missing = Missing::nan, .missing_values = {"1\n"}}, "line 4",
                            "'x'");
}

TEST(Csv, An_empty_file_is_refused_and_a_header_alone_is_a_table_without_rows) {
  expect_refused<FileError>("", {}, "'t.csv'", "no row", "header");
  expect_refused<FileError>("\n\r\n", {.header = false}, "no row");
  expect_refused<FileError>("1\n", {.skip_rows = 9}, "no row");
  const Table table = parse_csv("a,b", "t.csv", {.categorical = {"b"}});
  EXPECT_EQ(table.tensor().shape(), (Shape{0, 2}));
  EXPECT_THAT(table.categories("b"), IsEmpty());
  EXPECT_EQ(Table().tensor().shape(), (Shape{0, 0}));
  EXPECT_THROW(read_csv("/nowhere/at-all.csv"), FileError);
}

TEST(Csv, Options_that_cannot_work_are_refused) {
  expect_refused<ValueError>(iris, {.columns = {"stem"}}, "columns", "'stem'", "3 columns", "'sepal'");
  expect_refused<ValueError>(iris, {.columns = {"3"}}, "'3'");
  expect_refused<ValueError>(iris, {.columns = {""}}, "''");
  expect_refused<ValueError>(iris, {.columns = {"sepal", "0"}}, "twice");
  expect_refused<ValueError>(iris, {.columns = {"sepal"}, .categorical = {"species"}}, "leaves out");
  expect_refused<ValueError>(iris, {.categorical = {"species"}, .text = {"2"}}, "already");
  expect_refused<ValueError>(iris, {.delimiter = '"'}, "delimiter");
  expect_refused<ValueError>(iris, {.comment = ','}, "comment");
  expect_refused<ValueError>(iris, {.skip_rows = -1}, "skip_rows", "-1");
  expect_refused<FileError>("a,b,a\n", {}, "columns 0 and 2", "'a'", ".header = false, .skip_rows = 1");
}

TEST(CsvTable, A_column_of_the_wrong_kind_is_refused_with_the_remedy) {
  const Table table = parse_csv(iris, "t.csv", {.text = {"species"}});
  EXPECT_THAT([&] { table.column("species"); },
              ThrowsMessage<ValueError>(HasSubstr("CsvOptions::categorical")));
  EXPECT_THAT([&] { table.tensor(); }, ThrowsMessage<ValueError>(HasSubstr("without({\"species\"})")));
  EXPECT_THAT([&] { table.text("petal"); }, ThrowsMessage<ValueError>(HasSubstr("CsvOptions::text")));
  EXPECT_THAT([&] { table.categories("petal"); }, ThrowsMessage<ValueError>(HasSubstr("which has none")));
  EXPECT_THAT([&] { table.column("stem"); },
              ThrowsMessage<ValueError>(AllOf(HasSubstr("'stem'"), HasSubstr("'petal'"))));
  EXPECT_THAT([&] { table.column(3); }, ThrowsMessage<ValueError>(HasSubstr("-3 to 2")));
  EXPECT_THROW(table.column(-4), ValueError);
  EXPECT_THROW(Table({{.name = "a", .values = {1, 2}}}, 3), ShapeError);
}

TEST(CsvTable, Long_texts_are_cut_between_characters_when_printed) {
  const std::string long_text = std::string(20, 'x') + "\xC3\xA4 and more";  // an a-umlaut on the boundary
  const Table table = parse_csv("t\n\"" + long_text + "\"\n\"a\nb\"\n", "t.csv", {.text = {"t"}});
  EXPECT_THAT(table.head(), AllOf(HasSubstr("\n" + std::string(20, 'x') + "...\n"), HasSubstr(" a b\n")));
}

TEST(CsvTable, Prints_its_first_rows_aligned) {
  const Table table = parse_csv(iris, "t.csv", {.categorical = {"species"}});
  EXPECT_EQ(table.head(2),
            "sepal  petal     species\n"
            "  5.1    1.4      setosa\n"
            "    7    4.7  versicolor\n");
  std::ostringstream all, many;
  all << table;
  EXPECT_THAT(all.str(),
              AllOf(HasSubstr("virginica"), HasSubstr("[4 rows, 3 columns]"), Not(HasSubstr("..."))));
  many << parse_csv("a\n1\n2\n3\n4\n5\n6\n");
  EXPECT_EQ(many.str(), "a\n1\n2\n3\n4\n5\n...\n[6 rows, 1 column]\n");
}

TEST(CsvFuzz, Any_bytes_give_a_table_or_a_typed_error) {
  const std::string valid =
      "\xEF\xBB\xBF# c\r\nid,\"na\"\"me\",x\r\n1,\"a,b\",1e-3\r\n2,\"c\r\nd\",?\r\n\r\n3,e,+5\r\n-4,\"\",inf";
  const CsvOptions options = {.categorical = {"1"}, .missing = Missing::nan, .comment = '#'};
  ASSERT_EQ(parse_csv(valid, "t.csv", options).rows(), 4);
  int tables = 0, errors = 0;
  const auto feed = [&](const std::string& text) {
    try {
      const Table table = parse_csv(text, "t.csv", options);
      EXPECT_EQ(table.tensor().size(), table.rows() * table.columns());
      EXPECT_THAT(table.head(), HasSubstr("\n"));
      ++tables;
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), AllOf(HasSubstr("t.csv"), HasSubstr(";")));
      ++errors;
    }
  };
  for (std::size_t length = 0; length <= valid.size(); ++length) feed(valid.substr(0, length));
  std::mt19937 random(1);
  const std::string telling = "\"\r\n,\0# \xFF+e"s;
  for (int i = 0; i < 20000; ++i) {
    std::string text = valid;
    for (std::uint32_t flips = random() % 4 + 1; flips > 0; --flips)
      text[random() % text.size()] =
          random() % 2 ? telling[random() % telling.size()] : static_cast<char>(random() % 256);
    feed(text);
  }
  EXPECT_GT(tables, 100);
  EXPECT_GT(errors, 100);
}

/// Whatever separates the columns, a file read with another sign says which to give, wherever the mistake shows.
TEST(Csv, A_file_with_another_delimiter_says_which_to_give) {
  for (const char separator : {',', ';', '\t', '|'})
    for (const char read_with : {',', ';', '\t', '|'}) {
      if (separator == read_with) continue;
      const std::string s(1, separator);
      const std::string hint = ".delimiter = '" + (separator == '\t' ? "\\t"s : s) + "'";
      const std::string text = "a" + s + "b" + s + "c\n1" + s + "2" + s + "3\n";
      expect_refused<FileError>(text, {.delimiter = read_with}, hint);
      expect_refused<FileError>(text, {.header = false, .delimiter = read_with}, hint);
      expect_refused<ValueError>(text, {.delimiter = read_with, .columns = {"b"}}, hint);
      expect_refused<ValueError>(text, {.delimiter = read_with, .text = {"c"}}, hint);
      const std::string r(1, read_with);  // that is within a cell of the rows alone
      expect_refused<FileError>("a" + s + "b\nx" + r + "y" + s + "2\n", {.delimiter = read_with}, hint);
    }
  EXPECT_THAT([] { parse_csv("a,b\n1,x;y\n"); }, ThrowsMessage<FileError>(Not(HasSubstr(".delimiter"))));
}

TEST(Csv, Decimal_commas_are_read_where_they_are_asked_for) {
  const CsvOptions german{.delimiter = ';', .decimal = ','};
  const Table table = parse_csv("a;b\n3,5;-0,25\n+1,5e3;,5\n7;nan\n", "t.csv",
                                {.delimiter = ';', .decimal = ',', .missing = Missing::nan});
  EXPECT_THAT(table.column("a").values(), ElementsAre(3.5, 1500, 7));
  EXPECT_EQ(table.column("b")(0), -0.25);
  EXPECT_EQ(table.column("b")(1), 0.5);
  EXPECT_TRUE(std::isnan(table.column("b")(2)));
  EXPECT_EQ(parse_csv("a\n\"3,5\"\n", "t.csv", german).column("a")(0), 3.5);
  expect_refused<FileError>("a;b\n3,5;1\n", {.delimiter = ';'}, ".decimal = ','", "3,5");
  expect_refused<FileError>("a;b\n3.5;1\n", german, ".decimal = '.'");
  expect_refused<FileError>("a;b\n1,000,5;1\n", german, "expected a number");
  expect_refused<FileError>("a;b\n1.000,5;1\n", german, "expected a number");
  expect_refused<ValueError>("a\n1\n", {.decimal = ','}, "delimiter", "';'");
  expect_refused<ValueError>("a\n1\n", {.decimal = 'x'}, "'x'", "'.' or ','");
}

/// In every line, or in all but the header, or in the header alone.
TEST(Csv, A_delimiter_at_the_end_of_every_line_is_no_column) {
  for (const char* delimiter : {",", ";", "\t"}) {
    const std::string d = delimiter;
    for (const std::string& header : {"a" + d + "b", "a" + d + "b" + d})
      for (const std::string& end : {""s, d, d + " "}) {
        const std::string text = header + "\n1" + d + "2" + end + "\n3" + d + "4" + end + "\n";
        const Table table = parse_csv(text, "t.csv", {.delimiter = d[0]});
        EXPECT_THAT(table.names(), ElementsAre("a", "b")) << text;
        EXPECT_THAT(table.tensor().values(), ElementsAre(1, 2, 3, 4)) << text;
      }
    const Table plain = parse_csv("1" + d + "2" + d + "\n3" + d + "4" + d + "\n", "t.csv",
                                  {.header = false, .delimiter = d[0]});
    EXPECT_THAT(plain.tensor().values(), ElementsAre(1, 2, 3, 4));
  }
}

TEST(Csv, A_delimiter_at_the_end_of_some_lines_is_a_column_or_a_mistake) {
  expect_refused<FileError>("a,b\n1,2,\n3,4\n", {}, "line 2", "3 columns");
  expect_refused<FileError>("a,b\n1,2\n3,4,\n", {}, "line 3", "3 columns");
  expect_refused<FileError>("a,b,\n1,2\n3,4,\n", {}, "line 2", "2 columns");
  EXPECT_THAT(parse_csv("a,b,\n1,2,3\n").names(), ElementsAre("a", "b", "2"));
  EXPECT_EQ(parse_csv("a,b\n1,\n2,\n", "t.csv", {.missing = Missing::nan}).columns(), 2);
  EXPECT_EQ(parse_csv("1,\n2,3\n", "t.csv", {.header = false, .missing = Missing::nan}).columns(), 2);
}

TEST(Csv, Whole_numbers_that_float32_rounds_are_told) {
  const auto printed = [](const Table& table) {
    std::ostringstream out;
    out << table;
    return out.str();
  };
  const Table table = parse_csv("id,even,large,x\n16777217,16777218,123456789,0.1\n1,2,3,16777216\n");
  EXPECT_TRUE(table.is_rounded("id"));
  EXPECT_FALSE(table.is_rounded("even"));
  EXPECT_TRUE(table.is_rounded("large"));
  EXPECT_FALSE(table.is_rounded("x"));
  EXPECT_THAT(printed(table), HasSubstr("[whole numbers above 16777216 are rounded in 'id', 'large'"));
  EXPECT_THAT(printed(table.without({"id", "large"})), Not(HasSubstr("rounded")));
  const Table text = parse_csv("id,x\n16777217,1\n", "t.csv", {.text = {"id"}});
  EXPECT_FALSE(text.is_rounded("id"));
  EXPECT_THAT(text.text("id"), ElementsAre("16777217"));
}

}  // namespace
}  // namespace glia
