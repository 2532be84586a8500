// ReplayBuffer on every device: the ring, how often what is drawn, weights, states; and transitions over n steps.
// SPDX-License-Identifier: Apache-2.0
#include <glia/replay_buffer.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "host/reinforcement/n_step.h"
#include "tests/devices.h"
#include "tests/expect_error.h"

namespace glia {
namespace {

using test::expect_error;

class ReplayBuffers : public test::DeviceTest {
 protected:
  ReplayBuffer buffer(std::int64_t capacity, double alpha = 0, std::uint64_t seed = 1) {
    return ReplayBuffer(2, 3, {.capacity = capacity, .alpha = alpha, .seed = seed, .context = context()});
  }
};

/// That whose number tells it from others.
Transition numbered(std::int64_t i) {
  const auto number = static_cast<float>(i);
  return {{number, -number}, i % 3, 10.0 * static_cast<double>(i), {number + 0.5f, 7}, 0.25};
}

void fill(ReplayBuffer& buffer, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) buffer.add(numbered(i));
}

std::vector<double> row_of(std::int64_t i) {
  const auto n = static_cast<double>(i);
  std::vector<double> row{n, -n, 0, 0, 0, 10 * n, 0.25, n + 0.5, 7};
  row[static_cast<std::size_t>(2 + i % 3)] = 1;
  return row;
}

TEST_P(ReplayBuffers, Keep_the_newest_and_overwrite_the_oldest) {
  ReplayBuffer ring = buffer(5);
  EXPECT_EQ(ring.size(), 0);
  EXPECT_EQ(ring.layout().row_size(), 9);
  fill(ring, 3);
  EXPECT_EQ(ring.size(), 3);
  fill(ring, 7);  // 3 to 9 of ten
  EXPECT_EQ(ring.size(), 5);
  const ReplayBufferState state = ring.state();
  EXPECT_EQ(state.next, 0);
  for (std::int64_t i = 0; i < 5; ++i) EXPECT_EQ(state.rows.row(i).values(), row_of(i + 2)) << i;
}

TEST_P(ReplayBuffers, Give_the_rows_that_indices_name_on_the_device) {
  ReplayBuffer some = buffer(100);
  fill(some, 31);
  const ReplayBatch batch = some.sample(17);
  EXPECT_EQ(batch.rows.shape(), Shape({17, 9}));
  EXPECT_EQ(batch.rows.device(), context().device());
  EXPECT_TRUE(batch.weights.empty());
  ASSERT_EQ(batch.indices.size(), 17u);
  const Tensor rows = batch.rows.to("cpu");
  for (std::int64_t i = 0; i < 17; ++i)
    EXPECT_EQ(rows.row(i).values(), row_of(batch.indices[static_cast<std::size_t>(i)]));
}

/// The sum of (seen - expected)^2 / expected, which has a chi-square distribution of one degree of freedom less than there are kinds.
double chi_square(const std::vector<double>& seen, const std::vector<double>& expected) {
  double sum = 0;
  for (std::size_t i = 0; i < seen.size(); ++i)
    sum += (seen[i] - expected[i]) * (seen[i] - expected[i]) / expected[i];
  return sum;
}

TEST_P(ReplayBuffers, Draw_all_alike_where_there_are_no_priorities) {
  ReplayBuffer some = buffer(64);
  constexpr std::size_t kinds = 40;
  fill(some, kinds);
  std::vector<double> seen(kinds);
  for (int draw = 0; draw < 200; ++draw)
    for (const std::int64_t index : some.sample(40).indices) ++seen[static_cast<std::size_t>(index)];
  // 39 degrees of freedom: beyond 72.1 or below 16.3 in one of 1000 cases each.
  const double sum = chi_square(seen, std::vector<double>(kinds, 200));
  EXPECT_LT(sum, 72.1);
  EXPECT_GT(sum, 16.3);
  EXPECT_DOUBLE_EQ(some.probability(7), 1.0 / 40);
}

TEST_P(ReplayBuffers, Draw_by_priorities_and_weigh_by_what_is_drawn_too_often) {
  constexpr double alpha = 0.6, beta = 0.4, epsilon = 1e-6;
  ReplayBuffer some = buffer(12, alpha);
  fill(some, 10);
  for (std::int64_t i = 0; i < 10; ++i) EXPECT_DOUBLE_EQ(some.probability(i), 0.1);  // all new
  std::vector<std::int64_t> indices;
  std::vector<double> errors, wanted;
  double total = 0;
  for (std::int64_t i = 0; i < 10; ++i) {
    indices.push_back(i), errors.push_back((i % 2 ? -1 : 1) * (0.1 + static_cast<double>(i * i)));
    wanted.push_back(std::pow(std::abs(errors.back()) + epsilon, alpha));
    total += wanted.back();
  }
  some.set_errors(indices, errors);
  for (std::int64_t i = 0; i < 10; ++i)
    EXPECT_NEAR(some.probability(i), wanted[static_cast<std::size_t>(i)] / total, 1e-12);
  std::vector<double> seen(10), expected(10);
  constexpr int draws = 2000;
  for (int draw = 0; draw < draws; ++draw) {
    const ReplayBatch batch = some.sample(1, beta);  // one at a time: not one from each of equal parts
    ++seen[static_cast<std::size_t>(batch.indices[0])];
    EXPECT_EQ(batch.weights.to("cpu")(0), 1);
  }
  for (std::size_t i = 0; i < 10; ++i) expected[i] = draws * wanted[i] / total;
  EXPECT_LT(chi_square(seen, expected), 27.9);  // 9 degrees of freedom: in one of 1000 cases beyond

  const ReplayBatch batch = some.sample(8, beta);
  std::vector<double> weights;
  for (const std::int64_t index : batch.indices)
    weights.push_back(std::pow(10 * wanted[static_cast<std::size_t>(index)] / total, -beta));
  const double greatest = *std::max_element(weights.begin(), weights.end());
  const Tensor given = batch.weights.to("cpu");
  for (std::size_t i = 0; i < weights.size(); ++i)
    EXPECT_NEAR(given(static_cast<std::int64_t>(i)), weights[i] / greatest, 1e-6);
  // From each of eight equal parts of the sum one: what has more than two of them is drawn at least twice.
  EXPECT_GE(std::count(batch.indices.begin(), batch.indices.end(), 9),
            static_cast<int>(8 * wanted[9] / total) - 1);

  some.add(numbered(10));  // as likely as the likeliest that ever was
  EXPECT_NEAR(some.probability(10), wanted[9] / (total + wanted[9]), 1e-12);
}

TEST_P(ReplayBuffers, Draw_what_follows_from_seed_and_number_of_the_draw) {
  ReplayBuffer one = buffer(50), same = buffer(50), other = buffer(50, 0, 2);
  fill(one, 50), fill(same, 50), fill(other, 50);
  const std::vector<std::int64_t> first = one.sample(20).indices;
  EXPECT_EQ(same.sample(20).indices, first);
  EXPECT_NE(one.sample(20).indices, first);
  EXPECT_NE(other.sample(20).indices, first);
  ReplayBuffer on_the_cpu(2, 3, {.capacity = 50, .seed = 1, .context = Context({.device = "cpu"})});
  fill(on_the_cpu, 50);
  EXPECT_EQ(on_the_cpu.sample(20).indices, first);
}

TEST_P(ReplayBuffers, Go_on_from_a_state_to_the_bit) {
  for (const double alpha : {0.0, 0.7}) {
    ReplayBuffer one = buffer(7, alpha), other = buffer(7, alpha);
    fill(one, 10);
    if (alpha > 0) one.set_errors({1, 4, 1}, {3, 0.01, 0.5});
    one.sample(3);
    other.set_state(one.state());
    fill(one, 2), fill(other, 2);
    for (int i = 0; i < 5; ++i) {
      const ReplayBatch a = one.sample(7, 0.5), b = other.sample(7, 0.5);
      EXPECT_EQ(a.indices, b.indices);
      EXPECT_TRUE(array_equal(a.rows.to("cpu"), b.rows.to("cpu")));
      EXPECT_TRUE(array_equal(a.weights.to("cpu"), b.weights.to("cpu")));
    }
    EXPECT_TRUE(array_equal(one.state().rows, other.state().rows));
    EXPECT_EQ(one.state().priorities, other.state().priorities);
  }
}

TEST_P(ReplayBuffers, Refuse_what_cannot_be_and_stay_as_they_were) {
  ReplayBuffer some = buffer(4, 0.5);
  expect_error<StateError>([&] { some.sample(1); }, {"0 transitions", "batch of 1"});
  fill(some, 3);
  expect_error<StateError>([&] { some.sample(4); }, {"3 transitions", "batch of 4"});
  expect_error<ValueError>([&] { some.sample(0); }, {"batch of 0"});
  expect_error<ValueError>([&] { some.sample(1, 1.5); }, {"beta 1.5"});
  Transition wrong = numbered(1);
  wrong.action = 3;
  expect_error<ValueError>([&] { some.add(wrong); }, {"action 3", "0 to 2"});
  wrong = numbered(1), wrong.observation = {1};
  expect_error<ShapeError>([&] { some.add(wrong); }, {"an observation of 1 numbers, expected 2"});
  wrong = numbered(1), wrong.next_observation = {1, std::numeric_limits<float>::quiet_NaN()};
  expect_error<ValueError>([&] { some.add(wrong); }, {"next_observation", "NaN"});
  wrong = numbered(1), wrong.reward = std::numeric_limits<double>::infinity();
  expect_error<ValueError>([&] { some.add(wrong); }, {"reward inf"});
  wrong = numbered(1), wrong.discount = 1.1;
  expect_error<ValueError>([&] { some.add(wrong); }, {"discount 1.1"});
  expect_error<ValueError>([&] { some.set_errors({3}, {1}); }, {"transition 3, expected 0 to 2"});
  expect_error<ValueError>(
      [&] {
        some.set_errors({0, 1}, {1, std::nan("")});
      },
      {"error nan of transition 1"});
  expect_error<ShapeError>([&] { some.set_errors({0}, {}); }, {"0 errors for 1"});
  expect_error<ValueError>([&] { some.probability(-1); }, {"transition -1"});
  EXPECT_EQ(some.size(), 3);
  EXPECT_DOUBLE_EQ(some.probability(0), 1.0 / 3);
  ReplayBuffer plain = buffer(4);
  fill(plain, 1);
  expect_error<StateError>([&] { plain.set_errors({0}, {1}); }, {"alpha above 0"});
  expect_error<ValueError>([&] { plain.set_state(some.state()); }, {"3 priorities"});
  ReplayBufferState state = some.state();
  state.rows = Tensor::zeros({5, 9});
  expect_error<ShapeError>([&] { some.set_state(state); }, {"(5, 9)", "at most 4 rows of 9"});
  state = some.state(), state.next = 2;
  expect_error<ValueError>([&] { some.set_state(state); }, {"next 2"});
  state = some.state(), state.priorities[1] = 0;
  expect_error<ValueError>([&] { some.set_state(state); }, {"above 0"});
  EXPECT_EQ(some.size(), 3);
  expect_error<ValueError>([&] { buffer(0); }, {"capacity 0"});
  expect_error<ValueError>([&] { buffer(4, 2); }, {"alpha 2"});
  expect_error<ValueError>([&] { ReplayBuffer(0, 3, {.context = context()}); }, {"0 numbers"});
  expect_error<ValueError>([&] { ReplayBuffer(2, 3, {.alpha = 0.5, .epsilon = 0, .context = context()}); },
                           {"epsilon 0"});
}

INSTANTIATE_TEST_SUITE_P(Devices, ReplayBuffers, ::testing::ValuesIn(test::test_devices()),
                         test::device_name);

EnvironmentStep step_to(float next, double reward, bool terminated = false, bool truncated = false) {
  return {{next}, reward, terminated, truncated};
}

TEST(NSteps, Sum_discounted_rewards_and_estimate_the_rest_unless_the_episode_terminated) {
  std::vector<Transition> all;
  const auto add = [&](const Transition& transition) { all.push_back(transition); };
  const auto expect_last = [&](float from, std::int64_t action, double reward, float to, double discount) {
    ASSERT_FALSE(all.empty());
    EXPECT_EQ(all.front().observation, std::vector<float>{from});
    EXPECT_EQ(all.front().action, action);
    EXPECT_DOUBLE_EQ(all.front().reward, reward);
    EXPECT_EQ(all.front().next_observation, std::vector<float>{to});
    EXPECT_DOUBLE_EQ(all.front().discount, discount);
    all.erase(all.begin());
  };
  NStep three(3, 0.5);
  three.push({0}, 4, step_to(1, 1), add);
  three.push({1}, 5, step_to(2, 2), add);
  EXPECT_TRUE(all.empty());
  three.push({2}, 6, step_to(3, 4), add);
  expect_last(0, 4, 1 + 0.5 * 2 + 0.25 * 4, 3, 0.125);
  three.push({3}, 7, step_to(4, 8, true), add);
  expect_last(1, 5, 2 + 0.5 * 4 + 0.25 * 8, 4, 0);
  expect_last(2, 6, 4 + 0.5 * 8, 4, 0);
  expect_last(3, 7, 8, 4, 0);
  EXPECT_TRUE(all.empty());
  three.push({0}, 1, step_to(1, 1), add);
  NStep other(3, 0.5);
  other.set_state(three.state(1), 1, 8);  // in the middle
  other.push({1}, 2, step_to(9, 2, false, true), add);
  expect_last(0, 1, 2, 9, 0.25);
  expect_last(1, 2, 2, 9, 0.5);
  EXPECT_TRUE(all.empty());
  NStep one(1, 0.9);
  one.push({0}, 1, step_to(1, 3), add);
  expect_last(0, 1, 3, 1, 0.9);
  expect_error<ShapeError>([&] { one.set_state(three.state(1), 1, 8); }, {"fewer than 1"});
  expect_error<ValueError>([&] { other.set_state(three.state(1), 1, 1); }, {"action 1"});
}

}  // namespace
}  // namespace glia
