// The environments that come with Glia: Gymnasium's CartPole-v1, MountainCar-v0 and FrozenLake-v1, by the same equations in
// float64. Seeds are Glia's own: an episode begins elsewhere than Gymnasium's of that seed does.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/environment.h>
#include <glia/macros.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace GLIA_API glia {

/// What the environments below have in common: an episode of at most so many steps.
class TimeLimitedEnvironment : public Environment {
 public:
  std::vector<float> reset(std::uint64_t seed) final;
  EnvironmentStep step(std::int64_t action) final;
  std::vector<double> state() const final;
  void set_state(const std::vector<double>& state) final;

 protected:
  /// `numbers`: how many move() moves on. Throws ValueError for a limit below 1.
  TimeLimitedEnvironment(std::int64_t max_episode_steps, std::size_t numbers);

  /// A number in [0, 1) of this episode: for each index another.
  double draw(std::uint64_t index) const;
  std::int64_t elapsed() const { return elapsed_; }

  /// Sets the numbers with which an episode begins.
  virtual void begin(std::vector<double>& numbers) = 0;
  /// Moves them on; returns the reward and whether that is the end.
  virtual std::pair<double, bool> move(std::vector<double>& numbers, std::int64_t action) = 0;
  virtual std::vector<float> observation_of(const std::vector<double>& numbers) const;
  /// Throws ValueError for numbers in which the environment cannot be.
  virtual void check(const std::vector<double>& numbers) const;
  const std::vector<double>& numbers() const { return numbers_; }

 private:
  enum class Phase { none, under_way, over };

  std::int64_t max_episode_steps_, elapsed_ = 0;
  std::uint64_t seed_ = 0;
  Phase phase_ = Phase::none;
  std::vector<double> numbers_;
};

/// A pole on a cart, to be kept upright by pushing the cart to the left (0) or to the right (1): Barto, Sutton and Anderson,
/// "Neuronlike adaptive elements that can solve difficult learning control problems" (1983), as CartPole-v1 of Gymnasium has it,
/// with Euler's steps of 0.02 s. Observations (position, velocity, angle, angular velocity) in m, m/s, rad, rad/s; it begins with
/// each uniform in [-0.05, 0.05]. Each step gives 1; the end is beyond 2.4 m or 12 degrees, or after 500 steps.
class CartPole final : public TimeLimitedEnvironment {
 public:
  explicit CartPole(std::int64_t max_episode_steps = 500);
  std::string type() const override { return "CartPole"; }
  Box observation_space() const override;
  Discrete action_space() const override { return {2}; }
  std::unique_ptr<Environment> clone() const override { return std::make_unique<CartPole>(*this); }
  std::string picture() const override;

 private:
  void begin(std::vector<double>& numbers) override;
  std::pair<double, bool> move(std::vector<double>& numbers, std::int64_t action) override;
};

/// A car between two hills whose engine is too weak for the right one: Moore, "Efficient memory-based learning for robot control"
/// (1990), as MountainCar-v0 of Gymnasium has it. Actions: push to the left, not at all, to the right. Observations (position,
/// velocity); it begins at rest with a position uniform in [-0.6, -0.4]. Each step gives -1; the end is at position 0.5, or after 200
/// steps.
class MountainCar final : public TimeLimitedEnvironment {
 public:
  explicit MountainCar(std::int64_t max_episode_steps = 200);
  std::string type() const override { return "MountainCar"; }
  Box observation_space() const override;
  Discrete action_space() const override { return {3}; }
  std::unique_ptr<Environment> clone() const override { return std::make_unique<MountainCar>(*this); }
  std::string picture() const override;

 private:
  void begin(std::vector<double>& numbers) override;
  std::pair<double, bool> move(std::vector<double>& numbers, std::int64_t action) override;
};

enum class Ground {
  firm,     ///< a step goes where it was meant to go
  slippery  ///< there, or to either side of that, a third each
};

struct GridWorldOptions {
  /// Rows of one length: S where episodes begin, once; F is free; H is a hole, and G a goal, at which they end.
  std::vector<std::string> map = {"SFFF", "FHFH", "FFFH", "HFFG"};
  Ground ground = Ground::firm;
  std::int64_t max_episode_steps = 100;
};

/// A walk over a grid: FrozenLake-v1 of Gymnasium. Actions: left, down, right, up; who walks into the border stays. Reaching a goal
/// gives 1, all else 0. Observations are one-hot, a number for each cell, row by row.
class GridWorld final : public TimeLimitedEnvironment {
 public:
  /// Throws ValueError for a map that is none.
  explicit GridWorld(const GridWorldOptions& options = {});
  std::string type() const override { return "GridWorld"; }
  Box observation_space() const override;
  Discrete action_space() const override { return {4}; }
  std::unique_ptr<Environment> clone() const override { return std::make_unique<GridWorld>(*this); }
  std::string picture() const override;
  /// Where it is, counted row by row.
  std::int64_t cell() const;

 private:
  std::int64_t rows() const { return static_cast<std::int64_t>(options_.map.size()); }
  std::int64_t columns() const { return static_cast<std::int64_t>(options_.map[0].size()); }
  char ground_of(std::int64_t cell) const;
  void begin(std::vector<double>& numbers) override;
  std::pair<double, bool> move(std::vector<double>& numbers, std::int64_t action) override;
  std::vector<float> observation_of(const std::vector<double>& numbers) const override;
  void check(const std::vector<double>& numbers) const override;

  GridWorldOptions options_;
  std::int64_t start_ = -1;
};

}  // namespace glia
