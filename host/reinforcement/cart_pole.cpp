// CartPole: the equations of motion of CartPole-v1, Gymnasium 1.
// SPDX-License-Identifier: Apache-2.0
#include <glia/environments.h>
#include <host/reinforcement/picture.h>

#include <cmath>
#include <limits>
#include <numbers>

namespace glia {
namespace {

constexpr double gravity = 9.8, cart_mass = 1, pole_mass = 0.1, total_mass = cart_mass + pole_mass;
constexpr double half_length = 0.5;  // of the pole, in m
constexpr double moment = pole_mass * half_length;
constexpr double force = 10, seconds = 0.02;
constexpr double farthest = 2.4, steepest = 12 * 2 * std::numbers::pi / 360;

}  // namespace

CartPole::CartPole(std::int64_t max_episode_steps) : TimeLimitedEnvironment(max_episode_steps, 4) {}

Box CartPole::observation_space() const {
  constexpr double none = std::numeric_limits<double>::infinity();
  return {{4}, {-2 * farthest, -none, -2 * steepest, -none}, {2 * farthest, none, 2 * steepest, none}};
}

void CartPole::begin(std::vector<double>& numbers) {
  for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = -0.05 + 0.1 * draw(i);
}

/// Of Florian, "Correct equations for the dynamics of the cart-pole system" (2007), without friction.
std::pair<double, bool> CartPole::move(std::vector<double>& numbers, std::int64_t action) {
  double &x = numbers[0], &velocity = numbers[1], &angle = numbers[2], &spin = numbers[3];
  const double pushed = action == 1 ? force : -force, cosine = std::cos(angle), sine = std::sin(angle);
  const double share = (pushed + moment * (spin * spin) * sine) / total_mass;
  const double angular_acceleration =
      (gravity * sine - cosine * share) /
      (half_length * (4.0 / 3.0 - pole_mass * (cosine * cosine) / total_mass));
  const double acceleration = share - moment * angular_acceleration * cosine / total_mass;
  x += seconds * velocity, velocity += seconds * acceleration;
  angle += seconds * spin, spin += seconds * angular_acceleration;
  return {1, std::abs(x) > farthest || std::abs(angle) > steepest};
}

std::string CartPole::picture() const {
  constexpr double scale = 115, ground = 300;  // pixels a metre
  const double x = 300 + scale * numbers()[0], angle = numbers()[2];
  const double top_x = x + 2 * half_length * scale * 1.6 * std::sin(angle),
               top_y = ground - 20 - 2 * half_length * scale * 1.6 * std::cos(angle);
  return plots::line(0, ground + 12, 600, ground + 12, "#8a8a8a", 2) +
         plots::rect(x - 40, ground - 20, 80, 32, "#1f77b4") +
         plots::line(x, ground - 20, top_x, top_y, "#ff7f0e", 12) +
         plots::circle(x, ground - 20, 6, "#333333");
}

}  // namespace glia
