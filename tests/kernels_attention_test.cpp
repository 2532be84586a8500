// The kernels of attention give what its formula gives in float64, for every cut of their launches, whatever is masked, dropped or
// shared.
// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <ostream>
#include <string>
#include <vector>

#include "tests/kernel_cuts.h"

namespace glia {
namespace {

using testing::cuts, testing::Launcher, testing::Memories;

struct Case {
  std::string name;
  std::int64_t rows, heads, key_heads, queries, keys, width, value_width;
  bool causal = false, masked = false, lowers = false, drops = false;
  bool of_out = true, of_weights = false;  ///< which gradients there are
  friend std::ostream& operator<<(std::ostream& out, const Case& one) { return out << one.name; }
};

const Case cases[] = {
    {"plain", 2, 3, 3, 5, 7, 4, 6},
    {"one_step", 3, 2, 2, 1, 1, 2, 1},
    {"many_keys", 1, 2, 2, 3, 70, 5, 3},
    {"many_queries", 1, 1, 1, 66, 4, 3, 2},
    {"wide", 1, 1, 1, 2, 3, 150, 140},
    {"shared", 2, 6, 2, 5, 4, 3, 5},
    {"causal", 1, 2, 2, 37, 37, 4, 4, true},
    {"causal_with_more_queries", 1, 2, 1, 9, 4, 4, 4, true},
    {"masked", 2, 2, 2, 6, 34, 4, 3, false, true},
    {"masked_lowered", 2, 2, 2, 6, 34, 4, 3, false, true, true},
    {"masked_causal", 2, 4, 2, 35, 35, 4, 3, true, true},
    {"dropped", 2, 2, 2, 5, 33, 4, 6, false, false, false, true},
    {"dropped_causal_shared", 1, 4, 2, 34, 34, 4, 6, true, true, false, true},
    {"of_weights_alone", 2, 2, 2, 3, 5, 4, 2, true, true, true, false, false, true},
    {"of_both", 2, 2, 1, 3, 35, 4, 2, false, false, false, true, true, true},
};

class AttentionKernels : public ::testing::TestWithParam<Case> {
 protected:
  /// The views of both descriptors; steps before heads, as layers have them.
  AttentionKernels() {
    const Case& c = GetParam();
    const auto steps = [&](Buffer buffer, std::int64_t count, std::int64_t heads, std::int64_t width) {
      return next(buffer, {c.rows, count, heads, width}).permuted({0, 2, 1, 3});
    };
    constexpr Buffer read = Buffer::parameters, written = Buffer::arena;
    op::Attention d{steps(read, c.queries, c.heads, c.width), steps(read, c.keys, c.key_heads, c.width),
                    steps(read, c.keys, c.key_heads, c.value_width),
                    steps(written, c.queries, c.heads, c.value_width)};
    const Shape scores{c.rows, c.heads, c.queries, c.keys};
    d.weights = next(written, scores);
    if (c.masked) d.mask = next(read, {c.rows, 1, 1, c.keys}).broadcast_to(scores);
    d.scale = 0.75, d.causal = c.causal, d.lowers = c.lowers, d.drops = c.drops;
    d.dropout = {std::uint64_t{1} << 30, 4.0 / 3}, d.seed = 5;
    attention = gradient.of = d;
    gradient.scores_gradient = next(written, scores);
    if (c.of_out) gradient.out_gradient = steps(read, c.queries, c.heads, c.value_width);
    if (c.of_weights) gradient.weights_gradient = next(read, scores);
    gradient.queries_gradient = steps(written, c.queries, c.heads, c.width);
    gradient.keys_gradient = steps(written, c.keys, c.key_heads, c.width);
    if (c.of_out) gradient.values_gradient = steps(written, c.keys, c.key_heads, c.value_width);
  }

  View next(Buffer buffer, const Shape& shape) {
    std::int64_t& end = ends_[buffer == Buffer::arena];
    const View view = View::contiguous(buffer, DType::float32, shape, end);
    end += align_up(view.bytes());
    return view;
  }

  /// The numbers of a view, in the order of its axes.
  static std::vector<double> numbers(Memories& m, const View& view) {
    std::vector<double> all;
    const Shape &s = view.shape, &t = view.strides;
    for (std::int64_t a = 0; a < s[0]; ++a)
      for (std::int64_t b = 0; b < s[1]; ++b)
        for (std::int64_t c = 0; c < s[2]; ++c)
          for (std::int64_t d = 0; d < s[3]; ++d)
            all.push_back(m.at<float>(view)[a * t[0] + b * t[1] + c * t[2] + d * t[3]]);
    return all;
  }
  /// Masks are 0 or 1; of the first row all are 0.
  void make_mask(Memories& m) const {
    const std::int64_t keys = GetParam().keys;
    for (std::int64_t i = 0; attention.mask && i < GetParam().rows * keys; ++i)
      m.at<float>(attention.mask)[i] = i >= keys && i % 3 != 0 ? 1 : 0;
  }

  op::Attention attention;
  op::AttentionGradient gradient;

 private:
  std::int64_t ends_[2] = {};
};
INSTANTIATE_TEST_SUITE_P(Cases, AttentionKernels, ::testing::ValuesIn(cases),
                         [](const auto& info) { return info.param.name; });

/// All that both make, by the formulas, in float64.
struct Expected {
  std::vector<double> out, weights, of_queries, of_keys, of_values;
};
struct Given {
  std::vector<double> q, k, v, mask, of_out, of_weights;
};
Expected computed(const Case& c, const op::Attention& d, const Given& in, const StepState& state) {
  const auto size = [](auto... n) { return static_cast<std::size_t>((n * ...)); };
  Expected result;
  result.out.resize(size(c.rows, c.heads, c.queries, c.value_width));
  result.weights.resize(size(c.rows, c.heads, c.queries, c.keys));
  result.of_queries.resize(in.q.size()), result.of_keys.resize(in.k.size()),
      result.of_values.resize(in.v.size());
  const Philox philox{d.seed, Purpose::dropout, static_cast<std::uint64_t>(state.iteration)};
  const std::int64_t shared = c.heads / c.key_heads;
  for (std::int64_t head = 0; head < c.rows * c.heads; ++head)
    for (std::int64_t i = 0; i < c.queries; ++i) {
      const std::int64_t query = head * c.queries + i,
                         of_keys = head / c.heads * c.key_heads + head % c.heads / shared;
      const auto at = [](const std::vector<double>& all, std::int64_t step, std::int64_t width) {
        return &all[static_cast<std::size_t>(step * width)];
      };
      const auto key = [&](std::int64_t j) { return of_keys * c.keys + j; };
      std::vector<double> weight(size(c.keys)), kept = weight, of_weight = weight;
      double total = 0, greatest = -HUGE_VAL;
      for (std::int64_t j = 0; j < c.keys; ++j) {
        const auto n = static_cast<std::size_t>(j);
        double score = 0;
        for (std::int64_t f = 0; f < c.width; ++f)
          score += at(in.q, query, c.width)[f] * at(in.k, key(j), c.width)[f];
        score *= d.scale;
        const bool seen = !c.masked || *at(in.mask, query * c.keys + j, 1) == 1;
        if (c.causal && j > i)
          weight[n] = -HUGE_VAL;
        else if (seen)
          weight[n] = score;
        else
          weight[n] = c.lowers ? static_cast<float>(score - 1e9) : -1e9;  // floats are 64 apart there
        greatest = std::max(greatest, weight[n]);
      }
      for (double& w : weight) total += w = std::exp(w - greatest);
      for (std::int64_t j = 0; j < c.keys; ++j) {
        const auto n = static_cast<std::size_t>(j);
        weight[n] /= total;
        const auto place = static_cast<std::uint64_t>(query * c.keys + j);
        const bool dropped = d.drops && philox.word(place) < d.dropout.dropped_below;
        kept[n] = dropped ? 0 : d.drops ? d.dropout.scale : 1;
        result.weights[place] = weight[n];
        for (std::int64_t f = 0; f < c.value_width; ++f) {
          result.out[static_cast<std::size_t>(query * c.value_width + f)] +=
              weight[n] * kept[n] * at(in.v, key(j), c.value_width)[f];
          if (!c.of_out) continue;
          of_weight[n] +=
              at(in.of_out, query, c.value_width)[f] * at(in.v, key(j), c.value_width)[f] * kept[n];
          result.of_values[static_cast<std::size_t>(key(j) * c.value_width + f)] +=
              weight[n] * kept[n] * at(in.of_out, query, c.value_width)[f];
        }
        if (c.of_weights) of_weight[n] += in.of_weights[place];
      }
      double dot = 0;
      for (std::size_t n = 0; n < weight.size(); ++n) dot += weight[n] * of_weight[n];
      for (std::int64_t j = 0; j < c.keys; ++j) {
        const auto n = static_cast<std::size_t>(j);
        const bool counts = c.lowers || !c.masked || *at(in.mask, query * c.keys + j, 1) == 1;
        const double of_score = counts ? weight[n] * (of_weight[n] - dot) * d.scale : 0;
        for (std::int64_t f = 0; f < c.width; ++f) {
          result.of_queries[static_cast<std::size_t>(query * c.width + f)] +=
              of_score * at(in.k, key(j), c.width)[f];
          result.of_keys[static_cast<std::size_t>(key(j) * c.width + f)] +=
              of_score * at(in.q, query, c.width)[f];
        }
      }
    }
  return result;
}

void expect_near(const std::vector<double>& got, const std::vector<double>& expected, const char* what) {
  ASSERT_EQ(got.size(), expected.size()) << what;
  for (std::size_t i = 0; i < got.size(); ++i)
    ASSERT_NEAR(got[i], expected[i], 2e-5 * (1 + std::abs(expected[i]))) << what << ", number " << i;
}

TEST_P(AttentionKernels, Compute_the_formula_however_they_are_cut) {
  const Case& c = GetParam();
  for (const testing::Cut& cut : cuts) {
    SCOPED_TRACE(detail::concat(cut.blocks, " blocks of ", cut.threads, " threads, seed ", cut.seed));
    Memories m;
    make_mask(m);
    m.state()->iteration = 3;
    Given given{
        numbers(m, attention.queries), numbers(m, attention.keys), numbers(m, attention.values), {}, {}, {}};
    if (c.masked) given.mask = numbers(m, attention.mask);
    if (c.of_out) given.of_out = numbers(m, gradient.out_gradient);
    if (c.of_weights) given.of_weights = numbers(m, gradient.weights_gradient);
    const Expected expected = computed(c, attention, given, *m.state());
    kernels::lower(attention, m.bindings(), Launcher{cut});
    expect_near(numbers(m, attention.out), expected.out, "out");
    expect_near(numbers(m, attention.weights), expected.weights, "weights");
    kernels::lower(gradient, m.bindings(), Launcher{cut});
    expect_near(numbers(m, gradient.queries_gradient), expected.of_queries, "gradient of queries");
    expect_near(numbers(m, gradient.keys_gradient), expected.of_keys, "gradient of keys");
    if (c.of_out) expect_near(numbers(m, gradient.values_gradient), expected.of_values, "gradient of values");
  }
}

TEST_P(AttentionKernels, Make_the_same_without_weights) {
  for (const testing::Cut& cut : cuts) {
    Memories with, without;
    make_mask(with), make_mask(without);
    op::Attention other = attention;
    other.weights = {};
    kernels::lower(attention, with.bindings(), Launcher{cut});
    kernels::lower(other, without.bindings(), Launcher{cut});
    EXPECT_EQ(numbers(with, attention.out), numbers(without, attention.out));
  }
}

TEST(AttentionKernels, Ignore_minus_infinity_beside_numbers_and_tell_of_NaN) {
  for (const testing::Cut& cut : cuts) {
    Memories m;
    const auto steps = [](std::int64_t at, std::int64_t count) {
      return View::contiguous(Buffer::parameters, DType::float32, {1, 1, count, 1}, at * 256);
    };
    const op::Attention d{steps(0, 1), steps(1, 40), steps(2, 40),
                          View::contiguous(Buffer::arena, DType::float32, {1, 1, 1, 1})};
    m.at<float>(d.queries)[0] = 1;
    for (int i = 0; i < 40; ++i)
      m.at<float>(d.keys)[i] = i < 38 ? -HUGE_VALF : 0, m.at<float>(d.values)[i] = static_cast<float>(i);
    kernels::lower(d, m.bindings(), Launcher{cut});
    EXPECT_EQ(*m.at<float>(d.out), 38.5f);
    m.at<float>(d.keys)[7] = NAN;
    kernels::lower(d, m.bindings(), Launcher{cut});
    EXPECT_TRUE(std::isnan(*m.at<float>(d.out)));
    m.at<float>(d.keys)[7] = HUGE_VALF;
    kernels::lower(d, m.bindings(), Launcher{cut});
    EXPECT_TRUE(std::isnan(*m.at<float>(d.out)));
  }
}

}  // namespace
}  // namespace glia
