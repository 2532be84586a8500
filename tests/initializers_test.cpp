// Initial weights: limits, moments, fans as in Keras, and draws that depend on seed, variable and index
// alone.
// SPDX-License-Identifier: Apache-2.0
#include <glia/error.h>
#include <glia/initializers.h>
#include <glia/math/philox.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace glia {
namespace {

struct Moments {
  double mean = 0, deviation = 0, low = 0, high = 0;
};

Moments moments(const std::vector<float>& values) {
  Moments m;
  const double n = static_cast<double>(values.size());
  for (float value : values) m.mean += value / n;
  for (float value : values) m.deviation += (value - m.mean) * (value - m.mean) / n;
  m.deviation = std::sqrt(m.deviation);
  m.low = *std::min_element(values.begin(), values.end());
  m.high = *std::max_element(values.begin(), values.end());
  return m;
}

/// 8003 values whose deviation is `expected`, within four standard errors.
void expect_deviation(const Initializers& initializer, double expected) {
  const Moments m = moments(initial_values(initializer, {53, 151}, 7, 0));
  EXPECT_NEAR(m.mean, 0, 4 * expected / std::sqrt(8003));
  EXPECT_NEAR(m.deviation, expected, 4 * expected / std::sqrt(2 * 8003));
}

/// The values reach `limit` on both sides, to 2 %, and never pass it.
void expect_limit(const Initializers& initializer, const Shape& shape, double limit) {
  const Moments m = moments(initial_values(initializer, shape, 7, 0));
  EXPECT_LE(m.high, limit * (1 + 1e-6));
  EXPECT_GE(m.high, limit * 0.98);
  EXPECT_GE(m.low, -limit * (1 + 1e-6));
  EXPECT_LE(m.low, -limit * 0.98);
}

TEST(Initializers, Zeros_and_ones_are_what_they_say) {
  EXPECT_EQ(initial_values(Zeros{}, {2, 3}, 1, 1), std::vector<float>(6, 0.0f));
  EXPECT_EQ(initial_values(Ones{}, {7}, 1, 1), std::vector<float>(7, 1.0f));
}

TEST(Initializers, Uniform_values_stay_within_Kerass_limit_and_reach_it) {
  expect_limit(GlorotUniform{}, {53, 151}, std::sqrt(6.0 / (53 + 151)));
  expect_limit(HeUniform{}, {53, 151}, std::sqrt(6.0 / 53));
  expect_limit(LecunUniform{}, {53, 151}, std::sqrt(3.0 / 53));
}

TEST(Initializers, Normal_values_are_cut_at_two_widened_deviations) {
  const double widened = 1 / 0.87962566103423978;
  expect_limit(GlorotNormal{}, {53, 151}, 2 * widened * std::sqrt(2.0 / (53 + 151)));
  expect_limit(HeNormal{}, {53, 151}, 2 * widened * std::sqrt(2.0 / 53));
  expect_limit(LecunNormal{}, {53, 151}, 2 * widened * std::sqrt(1.0 / 53));
}

TEST(Initializers, Mean_is_0_and_deviation_is_Kerass) {
  expect_deviation(GlorotUniform{}, std::sqrt(2.0 / (53 + 151)));
  expect_deviation(GlorotNormal{}, std::sqrt(2.0 / (53 + 151)));
  expect_deviation(HeUniform{}, std::sqrt(2.0 / 53));
  expect_deviation(HeNormal{}, std::sqrt(2.0 / 53));
  expect_deviation(LecunUniform{}, std::sqrt(1.0 / 53));
  expect_deviation(LecunNormal{}, std::sqrt(1.0 / 53));
}

TEST(Initializers, Constant_random_normal_and_random_uniform_take_their_numbers) {
  EXPECT_EQ(initial_values(Constant{.value = 0.25}, {3}, 1, 1), std::vector<float>(3, 0.25f));
  expect_deviation(RandomNormal{}, 0.05);
  expect_deviation(RandomNormal{.stddev = 2}, 2);
  EXPECT_NEAR(moments(initial_values(RandomNormal{.mean = 3, .stddev = 0.1}, {8003}, 7, 0)).mean, 3, 0.005);
  expect_limit(RandomUniform{}, {53, 151}, 0.05);
  expect_deviation(RandomUniform{}, 0.05 / std::sqrt(3));
  const Moments between = moments(initial_values(RandomUniform{.minval = 1, .maxval = 3}, {8003}, 7, 0));
  EXPECT_GE(between.low, 1);
  EXPECT_LE(between.high, 3);
  EXPECT_NEAR(between.mean, 2, 0.03);
}

TEST(Initializers, A_truncated_normal_by_name_is_cut_at_two_deviations_and_not_widened) {
  expect_limit(TruncatedNormal{}, {53, 151}, 0.1);
  expect_deviation(TruncatedNormal{}, 0.05 * 0.87962566103423978);
}

TEST(Initializers, Variance_scaling_takes_scale_fan_and_distribution) {
  using enum Distribution;
  expect_deviation(VarianceScaling{}, std::sqrt(1.0 / 53));
  expect_deviation(VarianceScaling{3, Fan::out, truncated_normal}, std::sqrt(3.0 / 151));
  expect_deviation(VarianceScaling{3, Fan::average, untruncated_normal}, std::sqrt(6.0 / (53 + 151)));
  expect_limit(VarianceScaling{3, Fan::out, uniform}, {53, 151}, std::sqrt(9.0 / 151));
  const Moments normal =
      moments(initial_values(VarianceScaling{1, Fan::in, untruncated_normal}, {53, 151}, 7, 0));
  EXPECT_GT(normal.high, 2.5 * std::sqrt(1.0 / 53));  // of 8003, one in 160 lies beyond
}

/// The dot products of the shorter side's vectors are gain^2 with themselves and 0 with each other.
void expect_orthogonal(std::int64_t rows, std::int64_t columns, double gain) {
  const std::vector<float> w = initial_values(Orthogonal{.gain = gain}, {rows, columns}, 5, 0);
  const std::int64_t count = std::min(rows, columns), length = std::max(rows, columns);
  const auto at = [&](std::int64_t vector, std::int64_t i) {
    return static_cast<double>(
        w[static_cast<std::size_t>(rows < columns ? vector * columns + i : i * columns + vector)]);
  };
  for (std::int64_t a = 0; a < count; ++a) {
    for (std::int64_t b = 0; b <= a; ++b) {
      double dot = 0;
      for (std::int64_t i = 0; i < length; ++i) dot += at(a, i) * at(b, i);
      EXPECT_NEAR(dot, a == b ? gain * gain : 0, 1e-6) << rows << " x " << columns << ", " << a << ", " << b;
    }
  }
}

TEST(Initializers, Orthogonal_matrices_are_orthonormal_along_their_shorter_side) {
  expect_orthogonal(7, 7, 1);
  expect_orthogonal(31, 13, 1);
  expect_orthogonal(13, 31, 0.5);
  expect_orthogonal(1, 5, 2);
}

TEST(Initializers, Identity_has_its_gain_on_the_diagonal) {
  EXPECT_EQ(initial_values(Identity{.gain = 2}, {2, 3}, 5, 0), (std::vector<float>{2, 0, 0, 0, 2, 0}));
}

TEST(Initializers, Orthogonal_and_identity_refuse_other_shapes) {
  EXPECT_THROW(initial_values(Orthogonal{}, {5}, 5, 0), ShapeError);
  EXPECT_THROW(initial_values(Identity{}, {5}, 5, 0), ShapeError);
  EXPECT_THROW(initial_values(Identity{}, {2, 2, 2}, 5, 0), ShapeError);
}

TEST(Initializers, A_truncated_normal_has_its_shape) {
  // P(|z| < 1 given |z| < 2) = 0.6827 / 0.9545; a uniform of the same deviation would have 0.51.
  const std::vector<float> values = initial_values(LecunNormal{}, {8003, 1}, 3, 0);
  const double one = 1 / std::sqrt(8003.0) / 0.87962566103423978;
  const auto inside = std::count_if(values.begin(), values.end(), [&](float v) { return std::abs(v) < one; });
  EXPECT_NEAR(static_cast<double>(inside) / 8003, 0.7152, 0.02);
}

TEST(Initializers, Fans_of_other_ranks_are_Kerass) {
  expect_limit(LecunUniform{}, {8003}, std::sqrt(3.0 / 8003));
  expect_limit(GlorotUniform{}, {8003}, std::sqrt(3.0 / 8003));
  expect_limit(HeUniform{}, {3, 5, 16, 32}, std::sqrt(6.0 / (3 * 5 * 16)));
  expect_limit(GlorotUniform{}, {3, 5, 16, 32}, std::sqrt(6.0 / (3 * 5 * (16 + 32))));
  const std::vector<float> scalar = initial_values(HeUniform{}, {}, 1, 0);
  ASSERT_EQ(scalar.size(), 1u);
  EXPECT_EQ(scalar, initial_values(HeUniform{}, {1}, 1, 0));
}

TEST(Initializers, Shapes_without_elements_give_no_values) {
  EXPECT_TRUE(initial_values(GlorotUniform{}, {0, 5}, 1, 0).empty());
  EXPECT_TRUE(initial_values(HeNormal{}, {0}, 1, 0).empty());
  EXPECT_TRUE(initial_values(Ones{}, {5, 0}, 1, 0).empty());
}

TEST(Initializers, Uniform_values_are_the_sequence_of_Philox) {
  const std::vector<float> values = initial_values(LecunUniform{}, {3, 31}, 0x123456789abcdef0, 5);
  const Philox philox{0x123456789abcdef0, Purpose::initial_weights, 5};
  ASSERT_EQ(values.size(), 93u);
  for (std::size_t i = 0; i < values.size(); ++i)  // sqrt(3 / 3) = 1: the limit drops out
    ASSERT_EQ(values[i], 2.0f * philox.uniform(i) - 1.0f) << i;
}

TEST(Initializers, The_same_seed_and_variable_give_the_same_values) {
  EXPECT_EQ(initial_values(GlorotUniform{}, {53, 151}, 7, 2),
            initial_values(GlorotUniform{}, {53, 151}, 7, 2));
  EXPECT_EQ(initial_values(HeNormal{}, {53, 151}, 7, 2), initial_values(HeNormal{}, {53, 151}, 7, 2));
}

TEST(Initializers, A_value_depends_on_its_index_not_on_how_many_there_are) {
  for (const Initializers& initializer : {Initializers(LecunUniform{}), Initializers(LecunNormal{})}) {
    const std::vector<float> few = initial_values(initializer, {31, 1}, 7, 2);
    const std::vector<float> many = initial_values(initializer, {31, 257}, 7, 2);
    EXPECT_TRUE(std::equal(few.begin(), few.end(), many.begin()));
  }
}

TEST(Initializers, Other_variables_and_seeds_draw_uncorrelated_values) {
  for (const Initializers& initializer : {Initializers(LecunUniform{}), Initializers(LecunNormal{})}) {
    const std::vector<float> base = initial_values(initializer, {1, 8003}, 7, 0);
    for (const auto& [seed, variable] : {std::pair{7, 1}, {8, 0}, {1 << 30, 0}, {7, 1 << 30}}) {
      const std::vector<float> other = initial_values(
          initializer, {1, 8003}, static_cast<std::uint64_t>(seed), static_cast<std::uint64_t>(variable));
      double correlation = 0;  // deviation is 1, as fan in is
      for (std::size_t i = 0; i < base.size(); ++i) correlation += base[i] * other[i] / 8003.0;
      EXPECT_NEAR(correlation, 0, 4 / std::sqrt(8003)) << seed << ' ' << variable;
    }
  }
}

TEST(Initializers, Neighbours_are_uncorrelated) {
  for (const Initializers& initializer : {Initializers(LecunUniform{}), Initializers(LecunNormal{})}) {
    const std::vector<float> values = initial_values(initializer, {1, 8003}, 7, 0);
    for (std::size_t distance : {1, 2, 3, 4, 8}) {
      double correlation = 0;
      for (std::size_t i = distance; i < values.size(); ++i)
        correlation += values[i] * values[i - distance] / 8003.0;
      EXPECT_NEAR(correlation, 0, 4 / std::sqrt(8003)) << distance;
    }
  }
}

TEST(Initializers, A_rejected_normal_number_is_not_replaced_by_its_neighbours) {
  // 1 value in 233,000 needs a second block: about 9 of these. Were that block the next value's first, so
  // many neighbours would be equal.
  const std::vector<float> values = initial_values(LecunNormal{}, {1, 1 << 21}, 7, 0);
  int equal = 0;
  for (std::size_t i = 1; i < values.size(); ++i) equal += values[i] == values[i - 1];
  EXPECT_LE(equal, 1);
}

}  // namespace
}  // namespace glia
