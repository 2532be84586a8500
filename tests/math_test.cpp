// Scalar mathematics: Philox against its published vectors, the shuffle, elementary functions against the
// standard library's.
// SPDX-License-Identifier: Apache-2.0
#include <glia/math/activations.h>
#include <glia/math/philox.h>
#include <glia/math/schedules.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <utility>
#include <vector>

namespace glia {
namespace {

// Known answers from the authors' Random123 distribution (kat_vectors, philox4x32 10).
TEST(Philox, Gives_the_published_numbers) {
  const PhiloxBlock zeros = philox4x32_10(0, 0, {{0, 0, 0, 0}});
  EXPECT_EQ(zeros.word[0], 0x6627e8d5u);
  EXPECT_EQ(zeros.word[1], 0xe169c58du);
  EXPECT_EQ(zeros.word[2], 0xbc57ac4cu);
  EXPECT_EQ(zeros.word[3], 0x9b00dbd8u);
  const PhiloxBlock ones = philox4x32_10(~0u, ~0u, {{~0u, ~0u, ~0u, ~0u}});
  EXPECT_EQ(ones.word[0], 0x408f276du);
  EXPECT_EQ(ones.word[1], 0x41c83b0eu);
  EXPECT_EQ(ones.word[2], 0xa20bc7c6u);
  EXPECT_EQ(ones.word[3], 0x6d5451fdu);
}

TEST(Philox, Seed_purpose_step_and_index_each_change_the_draw) {
  const Philox base{1, Purpose::dropout, 5};
  EXPECT_EQ(base.word(9), (Philox{1, Purpose::dropout, 5}.word(9)));
  EXPECT_NE(base.word(9), (Philox{2, Purpose::dropout, 5}.word(9)));
  EXPECT_NE(base.word(9), (Philox{1, Purpose::shuffle, 5}.word(9)));
  EXPECT_NE(base.word(9), (Philox{1, Purpose::dropout, 6}.word(9)));
  EXPECT_NE(base.word(9), base.word(10));
}

class PermutationOf : public ::testing::TestWithParam<std::uint64_t> {};
INSTANTIATE_TEST_SUITE_P(Counts, PermutationOf, ::testing::Values(1, 2, 3, 4, 5, 16, 17, 31, 8003, 60000));

TEST_P(PermutationOf, Every_row_comes_once) {
  const std::uint64_t n = GetParam();
  const Permutation permutation(n, 42, 3);
  std::vector<bool> seen(n, false);
  for (std::uint64_t i = 0; i < n; ++i) {
    const std::uint64_t row = permutation(i);
    ASSERT_LT(row, n);
    ASSERT_FALSE(seen[row]) << row;
    seen[row] = true;
  }
}

TEST(PermutationOrder, Differs_from_epoch_to_epoch_and_looks_random) {
  const std::uint64_t n = 8003;
  const Permutation first(n, 1, 0), second(n, 1, 1);
  std::uint64_t same = 0, fixed = 0, neighbours = 0;
  double first_half = 0;
  for (std::uint64_t i = 0; i < n; ++i) {
    same += first(i) == second(i);
    fixed += first(i) == i;
    if (i > 0) neighbours += first(i) == first(i - 1) + 1;
    if (i < n / 2) first_half += static_cast<double>(first(i));
  }
  // Each of the three counts is Poisson with mean 1; the mean of half of the rows has a deviation of about
  // 0.0065 n / sqrt(...).
  EXPECT_LT(same, 10u);
  EXPECT_LT(fixed, 10u);
  EXPECT_LT(neighbours, 10u);
  EXPECT_NEAR(first_half / (static_cast<double>(n) / 2) / static_cast<double>(n), 0.5, 0.02);
}

TEST(PermutationOrder, The_place_of_a_row_is_uniform_over_seeds) {
  int counts[10] = {};
  for (std::uint64_t seed = 0; seed < 5000; ++seed) ++counts[Permutation(10, seed, 0)(0)];
  for (int count : counts) EXPECT_NEAR(count, 500, 110);  // five standard deviations
}

TEST(Functions, Exp_is_within_two_units_in_the_last_place) {
  for (float x = -87.0f; x < 88.7f; x += 0.00371f) {
    const double expected = std::exp(static_cast<double>(x));
    EXPECT_NEAR(math::exp(x) / expected, 1.0, 2 * 5.96e-8) << x;
  }
}

TEST(Functions, Exp_keeps_infinities_and_NaN) {
  const float infinity = std::numeric_limits<float>::infinity();
  EXPECT_EQ(math::exp(infinity), infinity);
  EXPECT_EQ(math::exp(-infinity), 0.0f);
  EXPECT_EQ(math::exp(1000.0f), infinity);
  EXPECT_EQ(math::exp(-1000.0f), 0.0f);
  EXPECT_EQ(math::exp(0.0f), 1.0f);
  EXPECT_TRUE(std::isnan(math::exp(std::nanf(""))));
}

TEST(Functions, Exp_below_0_is_exp_as_far_as_normal_numbers_go) {
  for (float x = -87.0f; x <= 0.0f; x += 0.00371f) EXPECT_EQ(math::exp_below_0(x), math::exp(x)) << x;
  EXPECT_EQ(math::exp_below_0(0.0f), 1.0f);
  EXPECT_EQ(math::exp_below_0(-88.0f), 0.0f);
  EXPECT_EQ(math::exp_below_0(-std::numeric_limits<float>::infinity()), 0.0f);
  EXPECT_TRUE(std::isnan(math::exp_below_0(std::nanf(""))));
}

TEST(Functions, Sigmoid_and_tanh_agree_with_the_standard_library) {
  for (float x = -20.0f; x < 20.0f; x += 0.0173f) {
    const double e = static_cast<double>(x);
    EXPECT_NEAR(math::sigmoid(x) * (1 + std::exp(-e)), 1.0, 4e-7) << x;
    if (x != 0) {
      EXPECT_NEAR(math::tanh(x) / std::tanh(e), 1.0, 4e-7) << x;
    }
  }
  for (float x = 1e-30f; x < 20.0f; x *= 1.0173f)  // 3 units in the last place: nothing cancels near 0
    EXPECT_NEAR(math::tanh(x) / std::tanh(static_cast<double>(x)), 1.0, 3 * 5.96e-8) << x;
  EXPECT_EQ(math::sigmoid(-200.0f), 0.0f);
  EXPECT_EQ(math::sigmoid(200.0f), 1.0f);
  EXPECT_EQ(math::tanh(200.0f), 1.0f);
  EXPECT_EQ(math::tanh(-200.0f), -1.0f);
  EXPECT_TRUE(std::isnan(math::sigmoid(std::nanf(""))));
  EXPECT_TRUE(std::isnan(math::tanh(std::nanf(""))));
}

TEST(Activations, Relu_passes_NaN_and_infinity) {
  EXPECT_TRUE(std::isnan(Relu{}.forward(std::nanf(""))));
  EXPECT_EQ(Relu{}.forward(-INFINITY), 0.0f);
  EXPECT_EQ(Relu{}.forward(INFINITY), INFINITY);
  EXPECT_EQ(Relu{}.backward(3.0f, 0.0f), 0.0f);
  EXPECT_EQ(Relu{}.backward(3.0f, 0.5f), 3.0f);
}

TEST(Schedules, Exponential_decay_follows_its_formula) {
  const LearningRate smooth = ExponentialDecay{0.1, 10, 0.5, false},
                     steps = ExponentialDecay{0.1, 10, 0.5, true};
  EXPECT_DOUBLE_EQ(smooth.at(0), 0.1);
  EXPECT_DOUBLE_EQ(smooth.at(10), 0.05);
  EXPECT_DOUBLE_EQ(smooth.at(5), 0.1 * std::sqrt(0.5));
  EXPECT_DOUBLE_EQ(steps.at(9), 0.1);
  EXPECT_DOUBLE_EQ(steps.at(10), 0.05);
}

/// Values of torch.optim.lr_scheduler.OneCycleLR(anneal_strategy="cos") at each iteration.
TEST(Schedules, One_cycle_is_that_of_PyTorch) {
  const OneCycle defaults = {.max_learning_rate = 0.4, .total_steps = 100};
  const std::vector<std::pair<std::int64_t, double>> expected = {
      {0, 0.016000000000000014},
      {1, 0.017125512226362993},
      {10, 0.11806557938564033},
      {28, 0.39887448777363704},
      {29, 0.4},
      {30, 0.39979861411380974},
      {31, 0.3991948620196127},
      {64, 0.2000008},
      {98, 0.0002029858861903152},
      {99, 1.6e-06},
      {1000, 1.6e-06},  // it stays where PyTorch's refuses to go on
  };
  for (const auto& [iteration, rate] : expected)
    EXPECT_NEAR(defaults.at(iteration), rate, 1e-12) << iteration;
  const OneCycle other = {
      .max_learning_rate = 1, .total_steps = 37, .pct_start = 0.45, .div_factor = 10, .final_div_factor = 50};
  const std::vector<std::pair<std::int64_t, double>> others = {
      {0, 0.1},
      {7, 0.4758151983980249},
      {15, 0.9961747129064824},
      {16, 0.9992717644188451},
      {20, 0.8916479862648375},
      {36, 0.002},
  };
  for (const auto& [iteration, rate] : others) EXPECT_NEAR(other.at(iteration), rate, 1e-12) << iteration;
}

TEST(Schedules, Piecewise_constant_changes_after_its_boundaries) {
  const PiecewiseConstantDecay decay({10, 20}, {3, 2, 1});
  EXPECT_EQ(decay.at(0), 3);
  EXPECT_EQ(decay.at(10), 3);
  EXPECT_EQ(decay.at(11), 2);
  EXPECT_EQ(decay.at(20), 2);
  EXPECT_EQ(decay.at(21), 1);
}

TEST(Schedules, Numbers_that_cannot_be_are_told) {
  const auto reason = [](const LearningRate& rate) {
    return std::visit([](const auto& schedule) { return schedule.invalid(); }, rate.schedule);
  };
  EXPECT_NE(reason(PiecewiseConstantDecay({10, 20}, {3, 2})), "");
  EXPECT_NE(reason(PiecewiseConstantDecay({20, 10}, {3, 2, 1})), "");
  EXPECT_NE(reason(PiecewiseConstantDecay(std::vector<double>(13, 1), std::vector<double>(14, 1))), "");
  EXPECT_NE(reason(PolynomialDecay{.decay_steps = 0}), "");
  EXPECT_NE(reason(PolynomialDecay{.power = -1}), "");
  EXPECT_NE(reason(InverseTimeDecay{.decay_rate = -1}), "");
  EXPECT_NE(reason(CosineDecay{.alpha = 1.5}), "");
  EXPECT_NE(reason(CosineDecay{.warmup_steps = -1}), "");
  EXPECT_NE(reason(CosineDecayRestarts{.t_mul = 0.5}), "");
  EXPECT_NE(reason(OneCycle{.total_steps = 1}), "");
  EXPECT_NE(reason(OneCycle{.pct_start = 1}), "");
  EXPECT_NE(reason(-1.0), "");
  EXPECT_NE(reason(NAN), "");
  EXPECT_EQ(reason(PiecewiseConstantDecay({10, 20}, {3, 2, 1})), "");
  EXPECT_EQ(reason(CosineDecay{}) + reason(CosineDecayRestarts{}) + reason(OneCycle{}) + reason(0.1), "");
}

}  // namespace
}  // namespace glia
