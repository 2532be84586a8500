// Environments: Gymnasium's trajectories (tests/golden/make_gymnasium.py), seeds, ends, states, several side by side.
// SPDX-License-Identifier: Apache-2.0
#include <glia/dqn.h>
#include <glia/environments.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "tests/expect_error.h"
#include "tests/golden.h"
#include "tests/temporary_folder.h"

namespace glia {
namespace {

using test::expect_error;

const test::Golden& golden() {
  static const test::Golden all("gymnasium.safetensors");
  return all;
}

std::vector<double> row_of(const Tensor& tensor, std::int64_t i) { return tensor.row(i).values(); }

/// Puts an environment into a state of Gymnasium's, in the middle of an episode.
void put(Environment& environment, const std::vector<double>& numbers) {
  environment.reset(1);
  std::vector<double> state = environment.state();
  std::copy(numbers.begin(), numbers.end(), state.begin());
  environment.set_state(state);
}

/// `chained`: each step goes on where the one before ended, as Gymnasium did; else from Gymnasium's own state.
void expect_as_gymnasium(Environment& environment, const std::string& name, bool chained) {
  const Tensor &before = golden()[name + "/before"], &after = golden()[name + "/after"],
               &actions = golden()[name + "/action"], &rewards = golden()[name + "/reward"],
               &terminated = golden()[name + "/terminated"], &first = golden()[name + "/first"];
  ASSERT_GT(before.rows(), 50);
  for (std::int64_t i = 0; i < before.rows(); ++i) {
    if (!chained || first(i) == 1) put(environment, row_of(before, i));
    const EnvironmentStep step = environment.step(static_cast<std::int64_t>(actions(i)));
    const std::vector<double> wanted = row_of(after, i), state = environment.state();
    for (std::size_t j = 0; j < wanted.size(); ++j) {
      EXPECT_NEAR(state[j], wanted[j], 1e-6) << name << ", row " << i << ", number " << j;
      EXPECT_EQ(step.observation[j], static_cast<float>(state[j]));
    }
    EXPECT_EQ(step.reward, rewards(i));
    EXPECT_EQ(step.terminated, terminated(i) == 1) << name << ", row " << i;
    if (::testing::Test::HasFailure()) return;
  }
}

TEST(Environments, Move_as_Gymnasiums_do_from_one_state_to_the_next_and_over_whole_episodes) {
  CartPole pole(1000000);
  MountainCar car(1000000);
  expect_as_gymnasium(pole, "cart_pole", true);
  expect_as_gymnasium(pole, "cart_pole_anywhere", true);
  expect_as_gymnasium(pole, "cart_pole_anywhere", false);
  expect_as_gymnasium(car, "mountain_car", true);
  expect_as_gymnasium(car, "mountain_car_anywhere", false);
}

std::vector<std::string> map_of(const Tensor& letters) {
  std::vector<std::string> map;
  for (std::int64_t row = 0; row < letters.rows(); ++row) {
    std::string& line = map.emplace_back();
    for (const double letter : row_of(letters, row)) line += static_cast<char>(letter);
  }
  return map;
}

/// How often each (cell, reward, terminated) comes of an action in a cell.
using Outcomes = std::map<std::tuple<std::int64_t, double, bool>, double>;

void expect_lake(std::int64_t size, Ground ground) {
  const std::string name = "frozen_lake_" + std::to_string(size);
  GridWorld world({.map = map_of(golden()[name + "_map"]), .ground = ground});
  const bool slips = ground == Ground::slippery;
  const Tensor& table = golden()[name + (slips ? "_slippery" : "_firm")];
  std::map<std::pair<std::int64_t, std::int64_t>, Outcomes> wanted;
  for (std::int64_t i = 0; i < table.rows(); ++i) {
    const std::vector<double> row = row_of(table, i);
    wanted[{static_cast<std::int64_t>(row[0]), static_cast<std::int64_t>(row[1])}]
          [{static_cast<std::int64_t>(row[3]), row[4], row[5] == 1}] += row[2];
  }
  const int tries = slips ? 600 : 1;
  for (const auto& [from, outcomes] : wanted) {
    Outcomes seen;
    for (int i = 0; i < tries; ++i) {
      world.reset(static_cast<std::uint64_t>(i));
      std::vector<double> state = world.state();
      state[0] = static_cast<double>(from.first);
      world.set_state(state);
      const EnvironmentStep step = world.step(from.second);
      EXPECT_EQ(step.observation[static_cast<std::size_t>(world.cell())], 1);
      seen[{world.cell(), step.reward, step.terminated}] += 1.0 / tries;
    }
    for (const auto& [outcome, share] : seen)
      EXPECT_EQ(outcomes.count(outcome), 1u) << from.first << ", " << from.second;
    // Six deviations of a share of a third among so many tries.
    for (const auto& [outcome, share] : outcomes)
      EXPECT_NEAR(seen[outcome], share, slips ? 6 * std::sqrt(2.0 / 9 / tries) : 0)
          << from.first << ", " << from.second;
  }
}

TEST(Environments, Grid_worlds_have_the_transitions_of_FrozenLake) {
  expect_lake(4, Ground::firm), expect_lake(8, Ground::firm), expect_lake(4, Ground::slippery);
}

std::vector<std::unique_ptr<Environment>> all_environments() {
  std::vector<std::unique_ptr<Environment>> all;
  all.push_back(std::make_unique<CartPole>());
  all.push_back(std::make_unique<MountainCar>());
  all.push_back(std::make_unique<GridWorld>());
  all.push_back(std::make_unique<GridWorld>(GridWorldOptions{.ground = Ground::slippery}));
  return all;
}

/// Observations and rewards of an episode under a policy that follows from the number of the step.
std::vector<double> episode(Environment& environment, std::uint64_t seed) {
  std::vector<double> seen;
  for (const float number : environment.reset(seed)) seen.push_back(number);
  EnvironmentStep step;
  for (std::int64_t i = 0; !step.ends(); ++i) {
    step = environment.step((i * 7 / 3) % environment.action_space().n);
    seen.insert(seen.end(), step.observation.begin(), step.observation.end());
    seen.push_back(step.reward);
  }
  return seen;
}

TEST(Environments, Begin_alike_by_the_same_seed_within_their_bounds) {
  for (const auto& environment : all_environments()) {
    const auto again = environment->clone();
    EXPECT_EQ(episode(*environment, 5), episode(*again, 5)) << environment->type();
    if (environment->type() == "GridWorld") continue;
    EXPECT_NE(episode(*environment, 5), episode(*again, 6));
  }
  double least = 1, greatest = -1;
  CartPole pole;
  for (std::uint64_t seed = 0; seed < 500; ++seed)
    for (const float number : pole.reset(seed))
      least = std::min<double>(least, number), greatest = std::max<double>(greatest, number);
  EXPECT_GE(least, -0.05);
  EXPECT_LE(greatest, 0.05);
  EXPECT_LT(least, -0.0499);
  EXPECT_GT(greatest, 0.0499);
  MountainCar car;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    const std::vector<float> first = car.reset(seed);
    EXPECT_TRUE(first[0] >= -0.6f && first[0] <= -0.4f && first[1] == 0);
  }
}

TEST(Environments, Are_truncated_at_their_limit_and_not_terminated) {
  MountainCar car;
  car.reset(1);
  EnvironmentStep step;
  for (int i = 1; i <= 200; ++i) {
    step = car.step(1);
    EXPECT_EQ(step.ends(), i == 200) << i;
  }
  EXPECT_TRUE(step.truncated);
  EXPECT_FALSE(step.terminated);
  CartPole pole(3);
  pole.reset(1);
  pole.step(0), pole.step(1);
  step = pole.step(0);
  EXPECT_TRUE(step.truncated);
  EXPECT_FALSE(step.terminated);
  GridWorld world({.map = {"SG"}, .max_episode_steps = 1});
  world.reset(1);
  step = world.step(2);  // both at once
  EXPECT_TRUE(step.truncated);
  EXPECT_TRUE(step.terminated);
  EXPECT_EQ(step.reward, 1);
}

TEST(Environments, Go_on_from_a_state_to_the_bit) {
  for (const auto& environment : all_environments()) {
    environment->reset(std::uint64_t{0xFFFFFFFFFFFFFFFF});
    environment->step(1);
    const auto copy = environment->clone();
    copy->reset(3);
    EXPECT_EQ(copy->state().size(), environment->state().size());
    copy->set_state(environment->state());
    for (int i = 0; i < 3; ++i) {
      const EnvironmentStep a = environment->step(2 % environment->action_space().n),
                            b = copy->step(2 % environment->action_space().n);
      EXPECT_EQ(a.observation, b.observation);
      EXPECT_EQ(a.ends(), b.ends());
      EXPECT_EQ(environment->state(), copy->state());
      if (a.ends()) break;
    }
  }
}

TEST(Environments, Refuse_what_cannot_be) {
  CartPole pole;
  expect_error<StateError>([&] { pole.step(0); }, {"CartPole", "before an episode began", "reset"});
  pole.reset(1);
  for (const std::int64_t action : {-1, 2})
    expect_error<ValueError>([&] { pole.step(action); }, {"action", "expected 0 to 1"});
  CartPole once(1);
  once.reset(1), once.step(0);
  expect_error<StateError>([&] { once.step(0); }, {"behind the end", "reset"});
  expect_error<ValueError>([] { CartPole(0); }, {"max_episode_steps 0"});
  expect_error<ValueError>([&] { pole.set_state({1, 2}); }, {"state of 2 numbers, expected 8"});
  for (const double wrong : {std::nan(""), std::numeric_limits<double>::infinity()}) {
    std::vector<double> state = pole.state();
    state[0] = wrong;
    expect_error<ValueError>([&] { pole.set_state(state); }, {"finite"});
  }
  std::vector<double> state = pole.state();
  state[5] = 501;
  expect_error<ValueError>([&] { pole.set_state(state); }, {"501", "whole number"});
  GridWorld world;
  world.reset(1);
  state = world.state();
  state[0] = 16;
  expect_error<ValueError>([&] { world.set_state(state); }, {"cell 16", "0 to 15"});
  EXPECT_EQ(world.cell(), 0);
  expect_error<ValueError>([] { GridWorld({.map = {}}); }, {"empty map"});
  expect_error<ValueError>([] { GridWorld({.map = {"SF", "G"}}); }, {"row 1 has 1 cells, expected 2"});
  expect_error<ValueError>([] { GridWorld({.map = {"SX", "FG"}}); }, {"'X' in row 0"});
  expect_error<ValueError>([] { GridWorld({.map = {"SS", "FG"}}); }, {"second S"});
  expect_error<ValueError>([] { GridWorld({.map = {"FF", "FG"}}); }, {"without S"});
  expect_error<ValueError>([] { GridWorld({.map = {"SF", "FF"}}); }, {"without G"});
}

TEST(VectorEnvironments, Begin_the_next_episode_at_once_and_tell_the_end_of_the_last) {
  VectorEnvironment two(GridWorld({.map = {"SFG"}, .max_episode_steps = 3}), 2, 1);
  EXPECT_EQ(two.observations().shape(), Shape({2, 3}));
  two.step({2, 0});
  EXPECT_EQ(two.observations().values(), (std::vector<double>{0, 1, 0, 1, 0, 0}));
  std::vector<EnvironmentStep> steps = two.step({2, 0});
  EXPECT_TRUE(steps[0].terminated);
  EXPECT_FALSE(steps[1].ends());
  EXPECT_EQ(steps[0].observation, (std::vector<float>{0, 0, 1}));  // where it ended
  EXPECT_EQ(two.observations().values(), (std::vector<double>{1, 0, 0, 1, 0, 0}));
  EXPECT_EQ(two.episodes(), (std::vector<std::int64_t>{2, 1}));
  steps = two.step({0, 0});
  EXPECT_TRUE(steps[1].truncated);
  EXPECT_FALSE(steps[1].terminated);
  EXPECT_EQ(two.episodes(), (std::vector<std::int64_t>{2, 2}));
}

TEST(VectorEnvironments, Have_a_seed_for_each_environment_and_episode) {
  std::set<double> firsts;
  VectorEnvironment poles(CartPole(1), 3, 9);
  for (int i = 0; i < 20; ++i) {
    for (std::int64_t j = 0; j < 3; ++j) firsts.insert(poles.observations()(j, 0));
    poles.step({0, 1, 0});
  }
  EXPECT_EQ(firsts.size(), 60u);
  VectorEnvironment again(CartPole(1), 3, 9), other(CartPole(1), 3, 10);
  EXPECT_EQ(firsts.count(again.observations()(2, 0)), 1u);
  EXPECT_EQ(firsts.count(other.observations()(2, 0)), 0u);
}

TEST(VectorEnvironments, Go_on_from_a_state) {
  VectorEnvironment one(CartPole(7), 2, 3), other(CartPole(7), 2, 3);
  for (int i = 0; i < 10; ++i) one.step({i % 2, 1});
  other.set_state(one.state(), one.observations(), one.episodes());
  for (int i = 0; i < 10; ++i) {
    one.step({0, 1}), other.step({0, 1});
    EXPECT_TRUE(array_equal(one.observations(), other.observations())) << i;
  }
  EXPECT_EQ(one.episodes(), other.episodes());
  const Tensor before = other.state();
  expect_error<ShapeError>(
      [&] {
        other.set_state(Tensor::zeros({2, 3}, DType::float64), one.observations(), {1, 1});
      },
      {"(2, 3)", "(2, 8)"});
  expect_error<ShapeError>([&] { other.set_state(one.state(), Tensor::zeros({2, 5}), {1, 1}); }, {"(2, 5)"});
  expect_error<ShapeError>([&] { other.set_state(one.state(), one.observations(), {1}); }, {"episodes"});
  EXPECT_TRUE(array_equal(other.state(), before));
}

/// One that does what it is told, right or wrong.
struct Odd final : Environment {
  std::vector<float> observation = {1, 2};
  double reward = 0;
  Box box = {{2}, {-1, -1}, {9, 9}};
  std::int64_t actions = 2;

  std::string type() const override { return "Odd"; }
  Box observation_space() const override { return box; }
  Discrete action_space() const override { return {actions}; }
  std::vector<float> reset(std::uint64_t) override { return {1, 2}; }
  EnvironmentStep step(std::int64_t) override { return {observation, reward, false, false}; }
  std::vector<double> state() const override { return {}; }
  void set_state(const std::vector<double>&) override {}
  std::unique_ptr<Environment> clone() const override { return std::make_unique<Odd>(*this); }
};

TEST(VectorEnvironments, Refuse_environments_that_do_wrong) {
  Odd odd;
  expect_error<ValueError>([&] { VectorEnvironment(odd, 0, 1); }, {"0 environments"});
  expect_error<ValueError>([&] { VectorEnvironment(odd, 2, 1).step({0}); }, {"1 actions for 2"});
  odd.observation = {1, std::nanf("")};
  expect_error<ValueError>([&] { VectorEnvironment(odd, 1, 1).step({0}); }, {"Odd gave NaN as number 1"});
  odd.observation = {1, 2, 3};
  expect_error<ShapeError>([&] { VectorEnvironment(odd, 1, 1).step({0}); }, {"Odd", "3 numbers, expected 2"});
  odd.observation = {1, 2}, odd.reward = std::numeric_limits<double>::infinity();
  expect_error<ValueError>([&] { VectorEnvironment(odd, 1, 1).step({0}); }, {"reward", "finite"});
  odd.reward = 0, odd.actions = 0;
  expect_error<ValueError>([&] { VectorEnvironment(odd, 1, 1); }, {"0 actions"});
  odd.actions = 2, odd.box = {{2}, {0}, {1, 1}};
  expect_error<ValueError>([&] { VectorEnvironment(odd, 1, 1); }, {"1 lower and 2 upper"});
  odd.box = {{2}, {0, 2}, {1, 1}};
  expect_error<ValueError>([&] { VectorEnvironment(odd, 1, 1); }, {"lower first"});
}

TEST(EpisodePlots, Show_every_state_once_and_the_last_one_longest) {
  const testing::TemporaryFolder folder;
  GridWorld world({.map = {"SFG"}});
  Episode played;
  world.reset(1);
  played.states.push_back(world.state());
  for (int i = 0; i < 2; ++i)
    played.rewards.push_back(world.step(2).reward), played.actions.push_back(2),
        played.states.push_back(world.state());
  EXPECT_EQ(played.total(), 1);
  const std::string path = folder / "episode.svg";
  plot_episode(world, played, path, {.title = "A < B", .frames_per_second = 2});
  const std::string svg = testing::read_text(path);
  EXPECT_NE(svg.find("A &lt; B"), std::string::npos);
  EXPECT_NE(svg.find("</svg>"), std::string::npos);
  EXPECT_NE(svg.find("values=\"visible;hidden\" keyTimes=\"0;0.20000\""), std::string::npos) << svg;
  EXPECT_NE(svg.find("values=\"hidden;visible;hidden\" keyTimes=\"0;0.20000;0.40000\""), std::string::npos);
  EXPECT_NE(svg.find("values=\"hidden;visible\" keyTimes=\"0;0.40000\""), std::string::npos);
  EXPECT_NE(svg.find("step 2, return 1"), std::string::npos);
  plot_episode(world, played, path, {.max_frames = 1});
  EXPECT_NE(testing::read_text(path).find("values=\"visible\" keyTimes=\"0\""), std::string::npos);
  expect_error<ValueError>([&] { plot_episode(world, {}, path); }, {"0 states"});
  expect_error<ValueError>([&] { plot_episode(world, played, path, {.frames_per_second = 0}); },
                           {"frames_per_second 0"});
  expect_error<ValueError>([&] { plot_episode(world, played, path, {.max_frames = 0}); }, {"max_frames 0"});
  expect_error<StateError>([&] { plot_episode(Odd(), played, path); }, {"Odd has no pictures"});
  expect_error<FileError>([&] { plot_episode(world, played, folder / "none/episode.svg"); }, {"none"});
}

}  // namespace
}  // namespace glia
