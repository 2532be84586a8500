// GridWorld: FrozenLake-v1 of Gymnasium 1, on any map.
// SPDX-License-Identifier: Apache-2.0
#include <glia/environments.h>
#include <glia/error.h>
#include <host/reinforcement/picture.h>

#include <algorithm>
#include <cmath>

namespace glia {

GridWorld::GridWorld(const GridWorldOptions& options)
    : TimeLimitedEnvironment(options.max_episode_steps, 1), options_(options) {
  const std::vector<std::string>& map = options.map;
  GLIA_CHECK(!map.empty() && !map[0].empty(), ValueError,
             "GridWorld got an empty map, expected rows such as \"SFFG\"");
  bool has_goal = false;
  for (std::size_t row = 0; row < map.size(); ++row) {
    GLIA_CHECK(map[row].size() == map[0].size(), ValueError, "GridWorld got a map whose row ", row, " has ",
               map[row].size(), " cells, expected ", map[0].size(), ", as its first has");
    for (std::size_t column = 0; column < map[row].size(); ++column) {
      const char ground = map[row][column];
      GLIA_CHECK(std::string("SFHG").find(ground) != std::string::npos, ValueError, "GridWorld got '", ground,
                 "' in row ", row, " of its map, expected S, F, H or G");
      has_goal = has_goal || ground == 'G';
      if (ground != 'S') continue;
      GLIA_CHECK(start_ < 0, ValueError, "GridWorld got a map with a second S in row ", row,
                 ", expected one");
      start_ = static_cast<std::int64_t>(row * map[0].size() + column);
    }
  }
  GLIA_CHECK(start_ >= 0 && has_goal, ValueError, "GridWorld got a map without ", has_goal ? 'S' : 'G',
             ", expected one place to begin, S, and a goal, G");
}

Box GridWorld::observation_space() const {
  const auto cells = static_cast<std::size_t>(rows() * columns());
  return {{rows() * columns()}, std::vector<double>(cells, 0), std::vector<double>(cells, 1)};
}

std::int64_t GridWorld::cell() const { return static_cast<std::int64_t>(numbers()[0]); }

char GridWorld::ground_of(std::int64_t cell) const {
  return options_.map[static_cast<std::size_t>(cell / columns())][static_cast<std::size_t>(cell % columns())];
}

void GridWorld::begin(std::vector<double>& numbers) { numbers = {static_cast<double>(start_)}; }

std::pair<double, bool> GridWorld::move(std::vector<double>& numbers, std::int64_t action) {
  if (options_.ground ==
      Ground::slippery) {  // to the side before the one that was meant, there, or to the one behind it
    const auto turned =
        std::min(static_cast<std::int64_t>(3 * draw(static_cast<std::uint64_t>(elapsed()))), std::int64_t{2});
    action = (action + turned + 3) % 4;
  }
  const auto now = static_cast<std::int64_t>(numbers[0]);
  std::int64_t row = now / columns(), column = now % columns();
  if (action == 0) column = std::max<std::int64_t>(column - 1, 0);
  if (action == 1) row = std::min(row + 1, rows() - 1);
  if (action == 2) column = std::min(column + 1, columns() - 1);
  if (action == 3) row = std::max<std::int64_t>(row - 1, 0);
  const std::int64_t next = row * columns() + column;
  numbers[0] = static_cast<double>(next);
  const char ground = ground_of(next);
  return {ground == 'G' ? 1 : 0, ground == 'G' || ground == 'H'};
}

std::vector<float> GridWorld::observation_of(const std::vector<double>& numbers) const {
  std::vector<float> one_hot(static_cast<std::size_t>(rows() * columns()));
  one_hot[static_cast<std::size_t>(numbers[0])] = 1;
  return one_hot;
}

void GridWorld::check(const std::vector<double>& numbers) const {
  GLIA_CHECK(numbers[0] >= 0 && numbers[0] < static_cast<double>(rows() * columns()) &&
                 numbers[0] == std::floor(numbers[0]),
             ValueError, "GridWorld got cell ", numbers[0], " in its state, expected one of 0 to ",
             rows() * columns() - 1);
}

std::string GridWorld::picture() const {
  const double size = std::min(360.0 / static_cast<double>(rows()), 560.0 / static_cast<double>(columns()));
  const double left = 300 - size * static_cast<double>(columns()) / 2,
               top = 200 - size * static_cast<double>(rows()) / 2;
  std::string all;
  for (std::int64_t i = 0; i < rows() * columns(); ++i) {
    const char ground = ground_of(i);
    const char* const color = ground == 'H' ? "#1f3b57" : ground == 'G' ? "#2ca02c" : "#dceaf5";
    all += plots::rect(left + size * static_cast<double>(i % columns()),
                       top + size * static_cast<double>(i / columns()), size - 2, size - 2, color);
  }
  return all + plots::circle(left + size * (static_cast<double>(cell() % columns()) + 0.5) - 1,
                             top + size * (static_cast<double>(cell() / columns()) + 0.5) - 1, size * 0.3,
                             "#ff7f0e");
}

}  // namespace glia
