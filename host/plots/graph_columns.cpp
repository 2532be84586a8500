// Columns: runs of places that follow each other and want to stand below each other; each moves as one.
// SPDX-License-Identifier: Apache-2.0
#include "host/plots/graph_columns.h"

#include <algorithm>
#include <cstddef>
#include <limits>
#include <optional>

namespace glia::plots {
namespace {

constexpr double box_gap = 28, arrow_gap = 18;  // between neighbours in a layer, the second beside a point
constexpr int passes = 40;

using Choice = std::optional<std::size_t>;

/// The only one of these places that `counts`, or nothing.
template <class Condition>
Choice only(const std::vector<std::size_t>& places, const Condition& counts) {
  if (std::count_if(places.begin(), places.end(), counts) != 1) return {};
  return *std::find_if(places.begin(), places.end(), counts);
}

class Columns {
 public:
  Columns(const LayeredGraph& graph, const std::vector<double>& widths)
      : graph_(graph), widths_(widths), rank_(graph.ranks()), column_(graph.places.size()) {
    measure_ways();
    form();
    find_neighbours();
    x_.assign(lefts_.size(), 0);
    for (std::size_t column : from_left_) x_[column] = std::max(least(column), 0.0);
    for (int pass = 0; pass < passes; ++pass) {
      for (auto c = from_left_.rbegin(); c != from_left_.rend(); ++c) move(*c);
      for (std::size_t column : from_left_) move(column);
    }
  }

  std::vector<double> places() const {
    std::vector<double> result;
    for (std::size_t column : column_) result.push_back(x_[column]);
    return result;
  }

 private:
  struct Distance {
    std::size_t column;
    double least;
  };

  const Place& place(std::size_t i) const { return graph_.places[i]; }

  /// How many boxes the longest way from each place down passes.
  void measure_ways() {
    way_.assign(graph_.places.size(), 0);
    for (auto layer = graph_.layers.rbegin(); layer != graph_.layers.rend(); ++layer)
      for (std::size_t i : *layer)
        for (std::size_t lower : place(i).below)
          way_[i] = std::max(way_[i], way_[lower] + (place(lower).is_point ? 0 : 1));
  }

  /// What wants to stand below `i`: of a box the box with the longest way down, so that a model's trunk is straight.
  Choice below(std::size_t i) const {
    const auto& all = place(i).below;
    const auto is_point = [this](std::size_t p) { return place(p).is_point; };
    if (place(i).is_point)
      if (const Choice next = only(all, is_point)) return next;
    std::size_t longest = 0;
    for (std::size_t p : all)
      if (!is_point(p)) longest = std::max(longest, way_[p]);
    const auto is_trunk = [&](std::size_t p) { return !is_point(p) && way_[p] == longest; };
    if (std::any_of(all.begin(), all.end(), is_trunk)) return only(all, is_trunk);
    return only(all, is_point);
  }

  /// What wants to stand above `i`: its only box, else its only point.
  Choice above(std::size_t i) const {
    const auto& all = place(i).above;
    const auto is_box = [this](std::size_t p) { return !place(p).is_point; };
    if (std::any_of(all.begin(), all.end(), is_box)) return only(all, is_box);
    return only(all, [](std::size_t) { return true; });
  }

  /// Gives each place a column: that of the place above where both want it and no other column is in the way, else one
  /// of its own. Since columns don't cross, they have an order from left to right.
  void form() {
    std::size_t count = 0;
    for (const auto& layer : graph_.layers) {
      std::vector<Choice> partner(layer.size());
      std::vector<std::pair<std::size_t, std::size_t>> chosen;  // ranks above and here
      for (const bool of_points : {true, false})                // a bent arrow is uglier than a shifted box
        for (std::size_t rank = 0; rank < layer.size(); ++rank) {
          const Choice upper = above(layer[rank]);
          if (!upper || below(*upper) != Choice(layer[rank])) continue;
          if (of_points != (place(*upper).is_point && place(layer[rank]).is_point)) continue;
          const std::size_t upper_rank = rank_[*upper];
          if (std::any_of(chosen.begin(), chosen.end(), [&](const auto& other) {
                return (other.first < upper_rank) != (other.second < rank);
              }))
            continue;
          chosen.emplace_back(upper_rank, rank);
          partner[rank] = upper;
        }
      for (std::size_t rank = 0; rank < layer.size(); ++rank)
        column_[layer[rank]] = partner[rank] ? column_[*partner[rank]] : count++;
    }
    lefts_.resize(count), rights_.resize(count), links_.resize(count);
  }

  double gap(std::size_t left, std::size_t right) const {
    return (widths_[left] + widths_[right]) / 2 +
           (place(left).is_point || place(right).is_point ? arrow_gap : box_gap);
  }

  void find_neighbours() {
    std::vector<std::size_t> missing(lefts_.size());
    for (const auto& layer : graph_.layers)
      for (std::size_t i = 1; i < layer.size(); ++i) {
        const std::size_t left = column_[layer[i - 1]], right = column_[layer[i]];
        const double distance = gap(layer[i - 1], layer[i]);
        lefts_[right].push_back({left, distance}), rights_[left].push_back({right, distance});
        ++missing[right];
      }
    for (std::size_t column = 0; column < missing.size(); ++column)
      if (missing[column] == 0) from_left_.push_back(column);
    for (std::size_t i = 0; i < from_left_.size(); ++i)
      for (const Distance& right : rights_[from_left_[i]])
        if (--missing[right.column] == 0) from_left_.push_back(right.column);
    for (std::size_t i = 0; i < graph_.places.size(); ++i)
      for (std::size_t lower : place(i).below) {
        const std::size_t a = column_[i], b = column_[lower];
        if (a == b) continue;
        links_[a].push_back(b), links_[b].push_back(a);
      }
  }

  double least(std::size_t column) const {
    double least = -std::numeric_limits<double>::infinity();
    for (const Distance& left : lefts_[column]) least = std::max(least, x_[left.column] + left.least);
    return least;
  }

  double greatest(std::size_t column) const {
    double greatest = std::numeric_limits<double>::infinity();
    for (const Distance& right : rights_[column])
      greatest = std::min(greatest, x_[right.column] - right.least);
    return greatest;
  }

  /// To the mean of what it is joined with, as far as its neighbours let it.
  void move(std::size_t column) {
    if (links_[column].empty()) return;
    double sum = 0;
    for (std::size_t other : links_[column]) sum += x_[other];
    const double mean = sum / static_cast<double>(links_[column].size());
    x_[column] = std::max(std::min(mean, greatest(column)), least(column));
  }

  const LayeredGraph& graph_;
  const std::vector<double>& widths_;
  std::vector<std::size_t> rank_, column_, way_;       // of each place
  std::vector<std::vector<Distance>> lefts_, rights_;  // of each column, as the next ones
  std::vector<std::vector<std::size_t>> links_;        // likewise, the columns it is joined with
  std::vector<std::size_t> from_left_;                 // columns, each behind those on its left
  std::vector<double> x_;
};

}  // namespace

std::vector<double> columns_of(const LayeredGraph& graph, const std::vector<double>& widths) {
  return Columns(graph, widths).places();
}

}  // namespace glia::plots
