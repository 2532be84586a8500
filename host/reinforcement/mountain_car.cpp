// MountainCar: the equations of motion of MountainCar-v0, Gymnasium 1.
// SPDX-License-Identifier: Apache-2.0
#include <glia/environments.h>
#include <host/reinforcement/picture.h>

#include <algorithm>
#include <cmath>
#include <numbers>

namespace glia {
namespace {

constexpr double leftmost = -1.2, rightmost = 0.6, fastest = 0.07, goal = 0.5;
constexpr double force = 0.001, gravity = 0.0025;

double height(double position) { return std::sin(3 * position) * 0.45 + 0.55; }

}  // namespace

MountainCar::MountainCar(std::int64_t max_episode_steps) : TimeLimitedEnvironment(max_episode_steps, 2) {}

Box MountainCar::observation_space() const { return {{2}, {leftmost, -fastest}, {rightmost, fastest}}; }

void MountainCar::begin(std::vector<double>& numbers) { numbers = {-0.6 + 0.2 * draw(0), 0}; }

std::pair<double, bool> MountainCar::move(std::vector<double>& numbers, std::int64_t action) {
  double &position = numbers[0], &velocity = numbers[1];
  velocity += static_cast<double>(action - 1) * force + std::cos(3 * position) * -gravity;
  velocity = std::clamp(velocity, -fastest, fastest);
  position = std::clamp(position + velocity, leftmost, rightmost);
  if (position == leftmost && velocity < 0) velocity = 0;  // a wall
  return {-1, position >= goal && velocity >= 0};
}

std::string MountainCar::picture() const {
  const auto x_of = [](double position) { return (position - leftmost) / (rightmost - leftmost) * 600; };
  const auto y_of = [](double position) { return 370 - height(position) * 300; };
  std::string hills;
  constexpr int pieces = 30;
  for (int i = 0; i < pieces; ++i) {
    const double from = leftmost + (rightmost - leftmost) * i / pieces,
                 to = leftmost + (rightmost - leftmost) * (i + 1) / pieces;
    hills += plots::line(x_of(from), y_of(from), x_of(to), y_of(to), "#8a8a8a", 2);
  }
  const double x = x_of(numbers()[0]), y = y_of(numbers()[0]);
  return hills + plots::line(x_of(goal), y_of(goal), x_of(goal), y_of(goal) - 45, "#2ca02c", 4) +
         plots::circle(x, y - 12, 12, "#1f77b4");
}

}  // namespace glia
