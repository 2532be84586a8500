// Drawings of models: boxes apart, arrows from bottom to top and through no other box, whatever the graph.
// SPDX-License-Identifier: Apache-2.0
#include "host/plots/graph_plot.h"

#include <glia/error.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <random>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "host/plots/graph_layout.h"
#include "host/plots/graph_order.h"
#include "tests/svg_document.h"
#include "tests/temporary_folder.h"

namespace glia {
namespace {

using plots::GraphBox;
using plots::Point;
using ::testing::Contains;
using testing::Element;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::read_text;
using testing::TemporaryFolder;
using testing::write_text;
using testing::XmlReader;

constexpr double rounding = 0.03;  // of coordinates in the file

struct Rect {
  double left, top, right, bottom;

  bool overlaps(const Rect& other) const {
    return left < other.right && other.left < right && top < other.bottom && other.top < bottom;
  }
  bool holds(const Rect& other) const {
    return left < other.left && top < other.top && right > other.right && bottom > other.bottom;
  }
};

Rect rect_of(const Element& box) {
  const Element& outline = box.children.at(0);
  const double x = outline.number("x"), y = outline.number("y");
  return {x, y, x + outline.number("width"), y + outline.number("height")};
}

/// Points along "M1 2L3 4C5 6 7 8 9 10", near enough to each other to see what is crossed.
std::vector<Point> along(const std::string& d) {
  constexpr int steps = 24;
  std::vector<Point> points;
  for (std::size_t i = 0; i < d.size();) {
    const std::size_t end = std::min(d.find_first_of("MLCZ", i + 1), d.size());
    std::istringstream text(d.substr(i + 1, end - i - 1));
    std::vector<Point> given;
    for (Point p; text >> p.x >> p.y;) given.push_back(p);
    if (d[i] == 'M') points.push_back(given.at(0));
    if (d[i] == 'L') given = {points.back(), given.at(0), given.at(0)};
    const Point a = points.back();
    for (int step = 1; step <= steps && d[i] != 'M' && d[i] != 'Z'; ++step) {
      const double t = static_cast<double>(step) / steps, u = 1 - t;
      const auto at = [&](double p, double q, double r, double s) {
        return u * u * u * p + 3 * u * u * t * q + 3 * u * t * t * r + t * t * t * s;
      };
      points.push_back({at(a.x, given.at(0).x, given.at(1).x, given.at(2).x),
                        at(a.y, given.at(0).y, given.at(1).y, given.at(2).y)});
    }
    i = end;
  }
  return points;
}

std::vector<const Element*> children_of(const Element& parent, const std::set<std::string>& classes) {
  std::vector<const Element*> found;
  for (const Element& child : parent.children)
    if (child.name == "g" && classes.count(child["class"])) found.push_back(&child);
  return found;
}

/// Boxes that don't overlap, and arrows as they should be, here and within frames. Returns the arrows from, to.
std::multiset<std::string> checked(const Element& level) {
  std::map<std::string, Rect> boxes;
  std::multiset<std::string> arrows;
  for (const Element* box : children_of(level, {"box", "frame"})) {
    const Rect rect = rect_of(*box);
    for (const auto& [name, other] : boxes)
      EXPECT_FALSE(rect.overlaps(other)) << name << " and " << (*box)["aria-label"];
    EXPECT_TRUE(boxes.emplace((*box)["aria-label"], rect).second);
    for (const Element* inner : box->all("rect"))
      if (inner != &box->children[0]) {
        const double x = inner->number("x"), y = inner->number("y");
        EXPECT_TRUE(rect.holds({x, y, x + inner->number("width"), y + inner->number("height")}));
      }
    if ((*box)["class"] == "frame") arrows.merge(checked(*box));
  }
  for (const Element* arrow : children_of(level, {"arrow"})) {
    const std::string& label = (*arrow)["aria-label"];
    const std::size_t middle = label.find(" to ");
    const std::string from = label.substr(0, middle), to = label.substr(middle + 4);
    const auto line = along(arrow->children.at(0)["d"]), head = along(arrow->children.at(1)["d"]);
    const Rect &source = boxes.at(from), &target = boxes.at(to);
    EXPECT_NEAR(line.front().y, source.bottom, rounding) << label;
    EXPECT_TRUE(line.front().x > source.left && line.front().x < source.right) << label;
    EXPECT_NEAR(head.front().y, target.top, rounding) << label;
    EXPECT_TRUE(head.front().x > target.left && head.front().x < target.right) << label;
    EXPECT_NEAR(line.back().x, head.front().x, rounding) << label;
    EXPECT_NEAR(line.back().y, target.top, plots::arrow_head) << label;
    for (std::size_t i = 1; i < line.size(); ++i) EXPECT_GE(line[i].y, line[i - 1].y - rounding) << label;
    for (const auto& [name, box] : boxes) {
      if (name == from || name == to) continue;
      for (const Point& p : line)
        EXPECT_FALSE(p.x > box.left && p.x < box.right && p.y > box.top && p.y < box.bottom)
            << label << " crosses " << name << " at " << p.x << ' ' << p.y;
    }
    arrows.insert(label);
  }
  return arrows;
}

class GraphPlot : public ::testing::Test {
 protected:
  Element drawn(const std::vector<GraphBox>& boxes, const std::string& title = "Model") const {
    plots::plot_graph(boxes, title, file_);
    return XmlReader::read(read_text(file_));
  }

  TemporaryFolder folder_;
  std::string file_ = folder_ / "model.svg";
};

GraphBox box(const std::string& name, const std::vector<std::size_t>& from = {}) {
  return {.name = name, .type = "Dense", .input_shapes = "(3,)", .output_shapes = "(4,)", .from = from};
}

std::size_t below(std::mt19937& random, std::size_t n) { return random() % n; }

/// Boxes of many widths that read any earlier ones, in any order; some hold others.
std::vector<GraphBox> random_graph(std::mt19937& random, const std::string& prefix, int depth) {
  const std::size_t n = 1 + below(random, depth == 0 ? 30 : 6);
  std::vector<std::size_t> index(n);
  std::iota(index.begin(), index.end(), 0u);
  for (std::size_t i = n; i > 1; --i) std::swap(index[i - 1], index[below(random, i)]);
  std::vector<GraphBox> boxes(n);
  for (std::size_t i = 0; i < n; ++i) {
    GraphBox& made = boxes[index[i]];
    made = box(prefix + std::to_string(i));
    made.type = std::string(1 + below(random, 60), 't');
    made.input_shapes = std::string(below(random, 100), '1');
    for (std::size_t sources = i == 0 ? 0 : below(random, 4); sources > 0; --sources)
      made.from.push_back(index[below(random, 2) ? i - 1 : below(random, i)]);
    if (depth < 2 && below(random, 8) == 0) made.inside = random_graph(random, made.name + '.', depth + 1);
  }
  return boxes;
}

/// "from to" of each arrow.
void collect(const std::vector<GraphBox>& boxes, std::multiset<std::string>& arrows) {
  for (const GraphBox& to : boxes) {
    for (std::size_t from : to.from) arrows.insert(boxes[from].name + " to " + to.name);
    collect(to.inside, arrows);
  }
}

TEST_F(GraphPlot, Boxes_are_apart_and_arrows_cross_none_in_random_graphs) {
  std::mt19937 random(5);
  for (int i = 0; i < 100 && !HasFailure(); ++i) {
    SCOPED_TRACE(i);
    const std::vector<GraphBox> boxes = random_graph(random, "b", 0);
    std::multiset<std::string> arrows;
    collect(boxes, arrows);
    EXPECT_EQ(checked(drawn(boxes)), arrows);
    const std::string text = read_text(file_);
    plots::plot_graph(boxes, "Model", file_);
    EXPECT_EQ(read_text(file_), text) << "the same graph, the same drawing";
  }
}

TEST_F(GraphPlot, A_box_says_its_name_type_and_shapes) {
  const GraphBox input{.name = "images", .type = "Input", .input_shapes = "", .output_shapes = "(8, 8, 1)"};
  const GraphBox conv{.name = "first",
                      .type = "Conv2D",
                      .input_shapes = "(8, 8, 1)",
                      .output_shapes = "(6, 6, 4)",
                      .from = {0},
                      .trainable = false};
  const Element svg = drawn({input, conv}, "A model");
  EXPECT_THAT(svg.texts(), ElementsAre("A model", "Input", "images", "(8, 8, 1)", "Conv2D", "first · frozen",
                                       "(8, 8, 1) → (6, 6, 4)"));
  const auto boxes = svg.all("g", "box");
  EXPECT_EQ(boxes[0]->children[0].attributes.count("stroke-dasharray"), 0u);
  EXPECT_EQ(boxes[1]->children[0].attributes.count("stroke-dasharray"), 1u);
  EXPECT_NE(boxes[0]->children[0]["fill"], boxes[1]->children[0]["fill"]);
  EXPECT_EQ(drawn({input, conv}, "").texts().at(0), "Input") << "no title";
}

TEST_F(GraphPlot, Texts_may_hold_any_character_and_be_long) {
  GraphBox odd = box("<a> & \"b\" \x01");
  odd.type = std::string(500, 'W');
  odd.input_shapes = std::string(500, '1');
  const Element svg = drawn({odd, box(std::string(300, 'n'), {0})}, "a < b");
  EXPECT_THAT(svg.texts(), Contains("a < b"));
  EXPECT_EQ((*svg.all("g", "box").at(0))["aria-label"], "<a> & \"b\" \xEF\xBF\xBD");
  for (const Element* drawn_box : svg.all("g", "box")) EXPECT_LT(rect_of(*drawn_box).right, 500);
  checked(svg);
}

TEST_F(GraphPlot, A_nested_model_is_in_a_frame_that_arrows_lead_to) {
  GraphBox model = box("backbone", {0}), inner = box("head", {1});
  inner.inside = {box("x"), box("y", {0})};
  model.inside = {box("input"), box("conv", {0}), inner};
  const Element svg = drawn({box("images"), model, box("out", {1, 0})});
  EXPECT_EQ(checked(svg),
            (std::multiset<std::string>{"images to backbone", "backbone to out", "images to out",
                                        "input to conv", "conv to head", "x to y"}));
  const auto frames = svg.all("g", "frame");
  ASSERT_EQ(frames.size(), 2u);
  EXPECT_TRUE(rect_of(*frames[0]).holds(rect_of(*frames[1])));
  EXPECT_THAT(frames[1]->texts(), Contains("head"));
}

TEST_F(GraphPlot, What_follows_each_other_stands_below_each_other_and_what_skips_beside_it) {
  // A residual block with a projection, between two boxes.
  const Element svg = drawn({box("in"), box("first", {0}), box("second", {1}), box("third", {2}),
                             box("projection", {0}), box("sum", {3, 4}), box("out", {5, 0})});
  std::map<std::string, double> middle;
  for (const Element* found : svg.all("g", "box"))
    middle[(*found)["aria-label"]] = rect_of(*found).left + rect_of(*found).right;
  for (const char* name : {"first", "second", "third", "sum", "out"})
    EXPECT_EQ(middle[name], middle["in"]) << name;
  EXPECT_NE(middle["projection"], middle["in"]);
  checked(svg);
}

TEST(GraphOrder, A_layer_is_the_longest_way_and_long_arrows_from_a_box_share_their_points) {
  const plots::LayeredGraph graph = plots::layered({{}, {0}, {1}, {2, 0}, {0}, {3, 0}});
  std::vector<std::size_t> layers;
  for (const plots::Place& place : graph.places) layers.push_back(place.layer);
  EXPECT_THAT(layers, ElementsAre(0, 1, 2, 3, 1, 4, 1, 2, 3)) << "boxes, then the points of box 0";
  EXPECT_EQ(plots::crossings(graph), 0u);
}

TEST(GraphOrder, Crossings_are_counted_and_avoided) {
  plots::LayeredGraph graph = plots::layered({{}, {}, {}, {2}, {1}, {0}});
  EXPECT_EQ(plots::crossings(graph), 0u);
  graph.layers[1] = {3, 4, 5};
  graph.layers[0] = {0, 1, 2};
  EXPECT_EQ(plots::crossings(graph), 3u);
  // Each of two boxes is read by both of two others.
  EXPECT_EQ(plots::crossings(plots::layered({{}, {}, {0, 1}, {0, 1}})), 1u);
  // Three levels down, three up, each joined with its like (a U-Net).
  EXPECT_EQ(plots::crossings(plots::layered({{}, {0}, {1}, {2}, {3, 2}, {4, 1}, {5, 0}})), 0u);
}

TEST_F(GraphPlot, What_is_no_graph_is_refused_and_the_file_stays) {
  write_text(file_, "old");
  const auto message = [&](const std::vector<GraphBox>& boxes) -> std::string {
    try {
      plots::plot_graph(boxes, "", file_);
    } catch (const ValueError& error) {
      return error.what();
    }
    return "nothing was thrown";
  };
  EXPECT_THAT(message({}), HasSubstr("without layers"));
  EXPECT_THAT(message({box("a"), box("b", {2})}), HasSubstr("reads box 2 of 2"));
  EXPECT_THAT(message({box("a", {0})}), HasSubstr("what is made of them"));
  EXPECT_THAT(message({box("a", {1}), box("b", {2}), box("c", {0})}), HasSubstr("what is made of them"));
  GraphBox outer = box("outer");
  outer.inside = {box("inner", {1})};
  EXPECT_THAT(message({outer}), HasSubstr("reads box 1 of 1"));
  EXPECT_EQ(read_text(file_), "old");
  EXPECT_THROW(plots::plot_graph({box("a")}, "", folder_ / "no-such-folder/model.svg"), FileError);
}

}  // namespace
}  // namespace glia
