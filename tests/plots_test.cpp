// Drawings: what is in the SVG, that it is well-formed whatever the texts hold, and what is refused.
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "host/plots/axis.h"
#include "host/plots/png.h"
#include "host/plots/svg.h"
#include "tests/svg_document.h"
#include "tests/temporary_folder.h"

namespace glia {
namespace {

using ::testing::Contains;
using testing::Element;
using ::testing::ElementsAre;
using testing::read_text;
using testing::TemporaryFolder;
using testing::write_text;
using testing::XmlReader;

const double nan_value = std::nan(""), infinity = std::numeric_limits<double>::infinity();

class Plots : public ::testing::Test {
 protected:
  Element drawn() const { return XmlReader::read(read_text(file_)); }

  TemporaryFolder folder_;
  std::string file_ = folder_ / "plot.svg";
};

/// The numbers of "M1 2L3 4" as pairs, each path's part apart.
std::vector<std::vector<std::pair<double, double>>> path_parts(const Element& path) {
  std::vector<std::vector<std::pair<double, double>>> parts;
  const std::string& d = path["d"];
  for (std::size_t i = 0; i < d.size(); i = std::min(d.find_first_of("ML", i + 1), d.size())) {
    if (d[i] == 'M') parts.emplace_back();
    const std::size_t blank = d.find(' ', i);
    parts.back().emplace_back(std::stod(d.substr(i + 1)), std::stod(d.substr(blank)));
  }
  return parts;
}

/// "predicted: Coat" and the like, by the colour they are drawn in.
std::vector<std::string> texts_of_color(const Element& root, const std::string& color) {
  std::vector<std::string> found;
  for (const Element* text : root.all("text"))
    if ((*text)["fill"] == color) found.push_back(text->text);
  return found;
}

TEST(Axis, Ticks_are_multiples_of_one_two_or_five) {
  EXPECT_THAT(plots::axis_between(0, 1, 5, plots::Ticks::real).labels,
              ElementsAre("0.0", "0.2", "0.4", "0.6", "0.8", "1.0"));
  EXPECT_THAT(plots::axis_between(-1.5, 3, 5, plots::Ticks::real).labels,
              ElementsAre("−1", "0", "1", "2", "3"));
  EXPECT_THAT(plots::axis_between(0, 2e-7, 4, plots::Ticks::real).labels,
              ElementsAre("0", "5e-8", "1.0e-7", "1.5e-7", "2.0e-7"));
  EXPECT_THAT(plots::axis_between(0, 4e9, 4, plots::Ticks::real).labels,
              ElementsAre("0", "1e9", "2e9", "3e9", "4e9"));
}

TEST(Axis, Whole_numbers_begin_at_one_and_have_no_half_steps) {
  EXPECT_THAT(plots::axis_around(1, 3, 8, plots::Ticks::integer).labels, ElementsAre("1", "2", "3"));
  EXPECT_THAT(plots::axis_around(1, 1, 8, plots::Ticks::integer).labels, ElementsAre("1"));
  EXPECT_THAT(plots::axis_around(1, 30, 8, plots::Ticks::integer).labels,
              ElementsAre("1", "5", "10", "15", "20", "25", "30"));
}

TEST(Axis, Has_room_for_one_number_for_none_and_for_the_greatest) {
  for (double value : {0.0, 0.5, -3.0, 1e300, -1e300, 1e-310, 4503599627370496.0}) {
    const plots::Axis axis = plots::axis_around(value, value, 5, plots::Ticks::real);
    EXPECT_LT(axis.min, value) << value;
    EXPECT_GT(axis.max, value) << value;
    EXPECT_GE(axis.ticks.size(), 2u) << value;
    EXPECT_LE(axis.ticks.size(), 12u) << value;
    EXPECT_EQ(std::set<std::string>(axis.labels.begin(), axis.labels.end()).size(), axis.labels.size())
        << value;
  }
  EXPECT_EQ(plots::axis_around(1, 0, 5, plots::Ticks::real).max, 1);
  EXPECT_TRUE(std::isfinite(plots::axis_around(-1e300, 1e300, 5, plots::Ticks::real).share(1e300)));
}

TEST(Svg, Texts_are_escaped_and_bytes_that_XML_forbids_replaced) {
  EXPECT_EQ(plots::escaped("a<b>&\"c'"), "a&lt;b&gt;&amp;&quot;c&#39;");
  EXPECT_EQ(plots::escaped("é€😀\n"), "é€😀\n");
  const std::string replaced = "\xEF\xBF\xBD";
  EXPECT_EQ(plots::escaped(std::string("\0\x01", 2)), replaced + replaced);
  EXPECT_EQ(plots::escaped("\xff"
                           "a"),
            replaced + "a");
  EXPECT_EQ(plots::escaped("\xe2\x82"), replaced + replaced) << "a character cut in two";
  EXPECT_EQ(plots::escaped("\xc0\xaf"), replaced + replaced) << "an overlong slash";
  EXPECT_EQ(plots::escaped("\xed\xa0\x80"), replaced) << "half a surrogate pair";
  EXPECT_EQ(plots::escaped("\xef\xbf\xbf"), replaced) << "U+FFFF";
}

TEST(Svg, Texts_that_do_not_fit_end_in_an_ellipsis_between_characters) {
  EXPECT_EQ(plots::fitted("short", 12, 100), "short");
  const std::string cut = plots::fitted("ééééééééééééééé", 12, 60);
  EXPECT_LE(plots::text_width(cut, 12), 60);
  EXPECT_EQ(cut, plots::escaped(cut)) << "no half character";
  EXPECT_TRUE(cut.size() > 3 && cut.substr(cut.size() - 3) == "…") << cut;
}

TEST(Png, Is_a_file_that_holds_the_pixels) {
  const plots::Picture picture{2, 3, 3, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 255}};
  const std::string png = plots::png_of(picture);
  ASSERT_EQ(png.substr(0, 8), "\x89PNG\r\n\x1a\n");
  EXPECT_EQ(png.substr(16, 10), std::string("\0\0\0\2\0\0\0\3\x08\x02", 10)) << "width, height, 8 bits, RGB";
  std::string data;
  std::vector<std::string> types;
  for (std::size_t at = 8; at < png.size();) {
    const auto number = [&](std::size_t i) {
      std::uint32_t value = 0;
      for (std::size_t j = i; j < i + 4; ++j) value = value << 8 | static_cast<unsigned char>(png.at(j));
      return value;
    };
    const std::uint32_t size = number(at);
    const std::string body = png.substr(at + 4, size + 4);
    EXPECT_EQ(number(at + 8 + size),
              crc32(0, reinterpret_cast<const Bytef*>(body.data()), static_cast<uInt>(body.size())));
    types.push_back(body.substr(0, 4));
    if (types.back() == "IDAT") data += body.substr(4);
    at += size + 12;
  }
  EXPECT_THAT(types, ElementsAre("IHDR", "IDAT", "IEND"));
  std::string rows(100, '\0');
  uLongf size = rows.size();
  ASSERT_EQ(uncompress(reinterpret_cast<Bytef*>(rows.data()), &size,
                       reinterpret_cast<const Bytef*>(data.data()), data.size()),
            Z_OK);
  EXPECT_EQ(rows.substr(0, size),
            std::string("\0\1\2\3\4\5\6\0\7\x8\x9\xa\xb\xc\0\xd\xe\xf\x10\x11\xff", 21));
}

TEST(Png, Base64_pads_what_is_no_multiple_of_three) {
  EXPECT_EQ(plots::base64(""), "");
  EXPECT_EQ(plots::base64("f"), "Zg==");
  EXPECT_EQ(plots::base64("fo"), "Zm8=");
  EXPECT_EQ(plots::base64("foo"), "Zm9v");
  EXPECT_EQ(plots::base64("\xff\xfe"), "//4=");
}

TEST_F(Plots, Lines_have_their_points_names_and_colours) {
  plot_lines({{.name = "a", .x = {0, 1, 2}, .y = {0, 1, 4}},
              {.name = "b", .y = {1, 2}, .color = "gray", .line = LineStyle::dashed, .markers = true}},
             file_, {.title = "Curves", .x_label = "x axis", .y_label = "y axis"});
  const Element svg = drawn();
  const auto series = svg.all("g", "series");
  ASSERT_EQ(series.size(), 2u);
  EXPECT_EQ((*series[0])["aria-label"], "a");
  const auto paths = svg.all("path");
  ASSERT_EQ(paths.size(), 2u);
  EXPECT_EQ((*paths[0])["stroke"], "#1f77b4");
  EXPECT_EQ((*paths[1])["stroke"], "gray");
  EXPECT_EQ(paths[0]->attributes.count("stroke-dasharray"), 0u);
  EXPECT_EQ(paths[1]->attributes.count("stroke-dasharray"), 1u);
  EXPECT_TRUE(series[0]->all("circle").empty());
  EXPECT_EQ(series[1]->all("circle").size(), 2u);
  const auto line = path_parts(*paths[0]).at(0);
  ASSERT_EQ(line.size(), 3u);
  EXPECT_NEAR(line[1].first - line[0].first, line[2].first - line[1].first, 0.02) << "x at equal distances";
  EXPECT_NEAR((line[0].second - line[2].second) / (line[0].second - line[1].second), 4, 0.01)
      << "y grows upwards";
  for (const char* text : {"Curves", "x axis", "y axis", "a", "b"}) EXPECT_THAT(svg.texts(), Contains(text));
}

TEST_F(Plots, What_is_no_number_leaves_a_gap_and_a_lone_point_a_marker) {
  plot_lines({{.y = {1, 2, nan_value, 3, infinity, 4, 5, 6, 1e308}}}, file_);
  const auto parts = path_parts(*drawn().all("path").at(0));
  ASSERT_EQ(parts.size(), 2u);
  EXPECT_EQ(parts[0].size(), 2u);
  EXPECT_EQ(parts[1].size(), 3u);
  EXPECT_EQ(drawn().all("circle").size(), 1u);
}

TEST_F(Plots, Lines_without_one_drawable_point_are_empty_axes) {
  plot_lines({{.y = {nan_value, infinity}}, {.y = {}}}, file_);
  EXPECT_TRUE(drawn().all("path").empty());
  EXPECT_TRUE(drawn().all("circle").empty());
  EXPECT_THAT(drawn().texts(), Contains("0.6"));
}

TEST_F(Plots, What_lies_outside_of_the_ranges_is_cut_off) {
  plot_lines({{.x = {-100, 0, 100, 100, 0.5}, .y = {0, 0, 0, 1e299, 0.5}, .markers = true}}, file_,
             {.x_range = Interval{-1, 1}, .y_range = Interval{-1, 1}});
  const Element svg = drawn();
  const auto grid = svg.all("g", "axes").at(0)->all("line");
  const double left = grid.at(0)->number("x1"), right = grid.at(0)->number("x2");
  const double bottom = grid.at(0)->number("y1"), top = grid.at(1)->number("y1");
  int points = 0;
  for (const auto& part : path_parts(*svg.all("path").at(0)))
    for (const auto& [x, y] : part) {
      ++points;
      EXPECT_TRUE(x >= left - 0.01 && x <= right + 0.01 && y >= top - 0.01 && y <= bottom + 0.01)
          << x << ' ' << y;
    }
  EXPECT_GE(points, 5) << "from the left border by 0 to the right one, and from above to the last";
  EXPECT_EQ(svg.all("circle").size(), 2u) << "(0, 0) and (0.5, 0.5)";
}

TEST_F(Plots, A_drawing_is_a_white_card_with_round_corners) {
  plot_lines({{.y = {1, 2}}}, file_);
  const Element svg = drawn();
  const Element& card = svg.children.at(1);
  EXPECT_EQ(card.name, "rect");
  EXPECT_EQ(card["fill"], "#ffffff") << "dark pages show through transparent drawings, whose texts are dark";
  EXPECT_EQ(card["width"], svg["width"]);
  EXPECT_EQ(card["height"], svg["height"]);
  EXPECT_EQ(card["rx"], "8");
}

TEST_F(Plots, Panels_stand_side_by_side_and_align) {
  const Panel panel{.series = {{.name = "a", .y = {1, 2}}}, .axes = {.title = "one"}};
  const Panel wide{.series = {{.name = "a", .y = {1e5, 2e5}}, {.name = std::string(90, 'b'), .y = {3}}}};
  plot_panels({panel, wide, panel}, file_,
              {.title = "all", .columns = 2, .panel_width = 300, .panel_height = 200});
  const Element svg = drawn();
  EXPECT_EQ(svg["width"], "600");
  const auto panels = svg.all("g", "panel");
  ASSERT_EQ(panels.size(), 3u);
  const auto line = [&](std::size_t i) { return panels[i]->all("g", "axes").at(0)->all("line").at(0); };
  EXPECT_NEAR(line(1)->number("x1"), line(0)->number("x1") + 300, 0.02);
  EXPECT_EQ(line(1)->number("y1"), line(0)->number("y1"));
  EXPECT_NEAR(line(2)->number("y1"), line(0)->number("y1") + 200, 0.02);
}

TEST_F(Plots, Names_may_hold_any_character) {
  const std::string evil = "<script>&\"' \x01\xff";
  plot_lines({{.name = evil, .y = {1, 2}}}, file_, {.title = evil, .x_label = evil, .y_label = evil});
  EXPECT_EQ(read_text(file_).find("<script>"), std::string::npos);
  EXPECT_THAT(drawn().texts(), Contains(::testing::StartsWith("<script>&\"' ")));
}

TEST_F(Plots, Lines_that_cannot_be_drawn_are_refused_and_the_file_stays) {
  write_text(file_, "old");
  EXPECT_THROW(plot_lines({}, file_), ValueError);
  EXPECT_THROW(plot_lines({{.x = {1}, .y = {1, 2}}}, file_), ShapeError);
  for (const char* color : {"#12345", "#ggg", "url(#a)", "red;", "1"})
    EXPECT_THROW(plot_lines({{.y = {1}, .color = color}}, file_), ValueError) << color;
  for (const Interval range : {Interval{1, 1}, Interval{2, 1}, Interval{nan_value, 1}, Interval{0, infinity},
                               Interval{1, 1 + 1e-15}}) {
    EXPECT_THROW(plot_lines({{.y = {1}}}, file_, {.x_range = range}), ValueError);
    EXPECT_THROW(plot_lines({{.y = {1}}}, file_, {.y_range = range}), ValueError);
  }
  EXPECT_THROW(plot_panels({}, file_), ValueError);
  const std::vector<Panel> panels(1, Panel{.series = {{.y = {1}}}});
  EXPECT_THROW(plot_panels(panels, file_, {.columns = -1}), ValueError);
  EXPECT_THROW(plot_panels(panels, file_, {.panel_width = nan_value}), ValueError);
  EXPECT_THROW(plot_panels(panels, file_, {.panel_height = 20}), ValueError);
  EXPECT_EQ(read_text(file_), "old");
  EXPECT_THROW(plot_lines({{.y = {1}}}, folder_ / "no-such-folder/plot.svg"), FileError);
}

TEST_F(Plots, Images_have_index_label_and_prediction_and_wrong_ones_are_red) {
  const Dataset data(Tensor::zeros({6, 4, 3}, DType::uint8), Tensor{0, 1, 2, 0, 1, 2},
                     {"cat", "dog", "<cow>"});
  const Tensor outputs{{0.1, 0.9, 0}, {0, 0.2, 0.8}, {nan_value, 1, 0}};
  plot_images(data, file_, {.indices = {4, 3, -1}, .predictions = outputs, .columns = 2, .title = "a & b"});
  const Element svg = drawn();
  EXPECT_EQ(svg.all("image").size(), 3u);
  EXPECT_THAT(svg.texts(), ElementsAre("a & b", "#4", "label: dog", "predicted: dog", "#3", "label: cat",
                                       "predicted: <cow>", "#5", "label: <cow>", "predicted: NaN"));
  EXPECT_THAT(texts_of_color(svg, "#c62828"), ElementsAre("predicted: <cow>", "predicted: NaN"));
  const auto cells = svg.all("g", "image");
  ASSERT_EQ(cells.size(), 3u);
  for (std::size_t i = 0; i < cells.size(); ++i) {
    const Element &image = *cells[i]->all("image").at(0), &frame = *cells[i]->all("rect").at(0);
    EXPECT_EQ(frame["stroke"], i == 0 ? "#c8c8c8" : "#c62828");
    EXPECT_EQ(frame["stroke-width"], i == 0 ? "1" : "3") << "seen without colours too";
    EXPECT_NEAR(frame.number("width"), image.number("width") + frame.number("stroke-width"), 1e-9)
        << "it hides no pixel";
    EXPECT_NEAR(frame.number("x"), image.number("x") - frame.number("stroke-width") / 2, 1e-9);
    const auto texts = cells[i]->all("text");
    EXPECT_EQ(texts.at(2)->attributes.count("font-weight"), i == 0 ? 0u : 1u);
  }
  const auto images = svg.all("image");
  EXPECT_EQ((*images[0])["y"], (*images[1])["y"]);
  EXPECT_EQ((*images[0])["x"], (*images[2])["x"]) << "two in a row";
  EXPECT_NEAR(images[0]->number("height") / images[0]->number("width"), 4.0 / 3, 1e-9);
}

TEST_F(Plots, Images_hold_the_pixels_exactly) {
  const auto uri = [&](Tensor x, std::vector<std::int64_t> indices = {0}) {
    plot_images(x, Tensor(), file_, {.indices = std::move(indices)});
    return (*drawn().all("image").at(0))["xlink:href"];
  };
  const auto gray = [](std::vector<std::uint8_t> pixels) {
    return plots::data_uri({2, 1, 1, std::move(pixels)});
  };
  Tensor bytes(std::vector<std::uint8_t>{1, 2, 0, 255}, {2, 1, 2});
  bytes.set_scale(1.0 / 255);
  EXPECT_EQ(uri(bytes.clone()), gray({1, 2})) << "bytes are not stretched";
  EXPECT_EQ(uri(std::move(bytes), {-1}), gray({0, 255}));
  EXPECT_EQ(uri(Tensor{{{0.2, 1}}}), gray({51, 255}));
  EXPECT_EQ(uri(Tensor{{{51, 255}}}), gray({51, 255}));
  EXPECT_EQ(uri(Tensor{{{-1, 2}}}), gray({0, 255}));
  EXPECT_EQ(uri(Tensor{{{{0.2}, {1}}}}), gray({51, 255})) << "(1, 1, 2, 1)";
  EXPECT_EQ(uri(Tensor{{{{0, 0.2, 1}}}}), plots::data_uri({1, 1, 3, {0, 51, 255}}))
      << "(1, 1, 1, 3) is colour";
}

TEST_F(Plots, Labels_and_predictions_may_be_numbers_one_hot_or_probabilities) {
  const Tensor x = Tensor::zeros({3, 2, 2});
  const Tensor one_hot{{0, 1}, {1, 0}, {0, 1}};
  plot_images(x, one_hot, file_, {.indices = {0, 1}, .predictions = Tensor{{0.7}, {0.5}, {0.2}}});
  EXPECT_THAT(drawn().texts(),
              ElementsAre("#0", "label: 1", "predicted: 1", "#1", "label: 0", "predicted: 0"))
      << "as many predictions as rows are for all rows";
  plot_images(x, Tensor{{7}, {8}, {9}}, file_,
              {.indices = {2}, .predictions = Tensor(std::vector<std::int64_t>{8})});
  EXPECT_THAT(drawn().texts(), ElementsAre("#2", "label: 9", "predicted: 8"));
  plot_images(x, Tensor(), file_);
  EXPECT_THAT(drawn().texts(), ElementsAre("#0", "#1", "#2"));
}

TEST_F(Plots, Without_indices_the_first_images_are_drawn) {
  plot_images(Tensor::zeros({30, 2, 2}), Tensor::zeros({30}), file_);
  EXPECT_EQ(drawn().all("image").size(), 25u);
}

TEST_F(Plots, Images_that_are_none_are_refused_and_the_file_stays) {
  write_text(file_, "old");
  const Tensor x = Tensor::zeros({3, 2, 2}), y = Tensor::zeros({3});
  for (const Shape& shape :
       {Shape{3}, Shape{3, 784}, Shape{3, 2, 2, 2}, Shape{3, 0, 2}, Shape{3, 1, 2, 2, 3}})
    EXPECT_THROW(plot_images(Tensor::zeros(shape), y, file_), ShapeError) << shape;
  EXPECT_THROW(plot_images(x, Tensor::zeros({4}), file_), ShapeError);
  EXPECT_THROW(plot_images(x, Tensor::zeros({3, 2, 2}), file_), ShapeError);
  EXPECT_THROW(plot_images(x, Tensor{0, 0.5, 1}, file_), ValueError);
  EXPECT_THROW(plot_images(Tensor::zeros({0, 2, 2}), Tensor(), file_), ValueError);
  EXPECT_THROW(plot_images(Tensor{{{0, nan_value}}}, Tensor(), file_), ValueError);
  EXPECT_THROW(plot_images(x, y, file_, {.indices = {3}}), ValueError);
  EXPECT_THROW(plot_images(x, y, file_, {.indices = {-4}}), ValueError);
  EXPECT_THROW(plot_images(x, y, file_, {.columns = -1}), ValueError);
  EXPECT_THROW(plot_images(x, y, file_, {.indices = {0}, .predictions = Tensor{0, 1}}), ShapeError);
  EXPECT_THROW(plot_images(x, y, file_, {.predictions = Tensor{0, 1.5, 2}}), ValueError);
  EXPECT_THROW(plot_images(x, y, file_, {.predictions = Tensor::zeros({3, 2, 2})}), ShapeError);
  EXPECT_EQ(read_text(file_), "old");
  EXPECT_THROW(plot_images(x, y, folder_ / "no-such-folder/plot.svg"), FileError);
}

TEST_F(Plots, A_confusion_matrix_shows_each_count_and_is_the_darker_the_larger_its_share) {
  const Tensor matrix(std::vector<std::int64_t>{12345, 0, 0, 0, 0, 0, 1, 0, 3}, {3, 3});
  plot_confusion_matrix(matrix, file_, {.class_names = {"a<b", "b", "c"}, .title = "Test"});
  const Element svg = drawn();
  const auto cells = svg.all("g", "cell");
  ASSERT_EQ(cells.size(), 9u);
  std::vector<std::string> counts, shades;
  for (const Element* cell : cells) {
    counts.push_back(cell->texts().at(0));
    shades.push_back((*cell->all("rect").at(0))["fill"]);
  }
  EXPECT_THAT(counts, ElementsAre("12,345", "0", "0", "0", "0", "0", "1", "0", "3"));
  EXPECT_EQ(shades[0], "#084081") << "the whole row";
  for (int i : {1, 2, 3, 4, 5, 7}) EXPECT_EQ(shades[static_cast<std::size_t>(i)], "#f7fbff") << i;
  EXPECT_EQ(shades[6], "#bbcce0") << "a quarter of its row";
  for (const char* text : {"Test", "predicted", "actual"}) EXPECT_THAT(svg.texts(), Contains(text));
  EXPECT_EQ(std::count(counts.begin(), counts.end(), "0"), 6);
  const auto texts = svg.texts();
  EXPECT_EQ(std::count(texts.begin(), texts.end(), "a<b"), 2) << "beside its row and below its column";
}

TEST_F(Plots, The_confusion_matrix_of_a_model_can_be_drawn) {
  Sequential model{Dense(3, "softmax")};
  model.compile({.loss = "sparse_categorical_crossentropy", .metrics = {"confusion_matrix"}});
  const Tensor x = Tensor::zeros({5, 2}), y{0, 1, 2, 1, 1};
  plot_confusion_matrix(model.confusion_matrix(x, y, {.verbose = 0}), file_);
  int sum = 0;
  const Element svg = drawn();
  for (const Element* cell : svg.all("g", "cell")) sum += std::stoi(cell->texts().at(0));
  EXPECT_EQ(sum, 5);
}

TEST_F(Plots, Matrices_that_are_no_counts_are_refused_and_the_file_stays) {
  write_text(file_, "old");
  for (const Shape& shape : {Shape{2, 3}, Shape{4}, Shape{0, 0}, Shape{2, 2, 2}})
    EXPECT_THROW(plot_confusion_matrix(Tensor::zeros(shape), file_), ShapeError) << shape;
  for (double value : {-1.0, 0.5, nan_value, infinity})
    EXPECT_THROW(plot_confusion_matrix(Tensor::full({2, 2}, value), file_), ValueError) << value;
  EXPECT_THROW(plot_confusion_matrix(Tensor::zeros({2, 2}), file_, {.class_names = {"a"}}), ValueError);
  EXPECT_EQ(read_text(file_), "old");
  EXPECT_THROW(plot_confusion_matrix(Tensor::zeros({2, 2}), folder_ / "no-such-folder/plot.svg"), FileError);
}

}  // namespace
}  // namespace glia
