// The kernel of dense layers over a few rows gives what plain loops give, for every cut of its launch.
// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <utility>
#include <variant>
#include <vector>

#include "tests/kernel_cuts.h"

namespace glia {
namespace {

using testing::arena, testing::Cut, testing::cuts, testing::expect_same_for_all_cuts, testing::Launcher,
    testing::Memories;
using RowFunction = op::FewRows::RowFunction;

struct Sizes {
  std::int64_t rows, k, n;
};

/// Views of numbers that are exact in sums and products.
op::FewRows layer(const Sizes& s) {
  const auto weight = [&](const Shape& shape, std::int64_t offset) {
    return View::contiguous(Buffer::parameters, DType::float32, shape, offset);
  };
  op::FewRows d{arena({s.rows, s.k}, 0), weight({s.k, s.n}, 0), arena({s.rows, s.n}, 1 << 18)};
  d.bias = weight({s.n}, 900'096);
  d.rows = s.rows;
  return d;
}

/// x weights + bias at (row, column), with numbers of x by `x`.
double product(Memories& m, const op::FewRows& d, const std::function<double(std::int64_t)>& x,
               std::int64_t row, std::int64_t column) {
  double sum = d.bias ? static_cast<double>(m.at<float>(d.bias)[column]) : 0;
  for (std::int64_t i = 0; i < d.k(); ++i)
    sum += x(row * d.k() + i) * static_cast<double>(m.at<float>(d.weights)[i * d.n() + column]);
  return sum;
}

class FewRows : public ::testing::TestWithParam<Sizes> {};
INSTANTIATE_TEST_SUITE_P(Shapes, FewRows,
                         ::testing::Values(Sizes{1, 784, 128}, Sizes{1, 128, 10}, Sizes{3, 31, 1},
                                           Sizes{8, 70, 100}, Sizes{5, 9, 64}, Sizes{2, 1, 7},
                                           Sizes{7, 300, 33}, Sizes{9, 20, 4}, Sizes{1, 3, 700}),
                         [](const auto& info) {
                           return detail::concat(info.param.rows, "x", info.param.k, "x", info.param.n);
                         });

/// Numbers that are exact in sums and products.
void make_exact(Memories& m, const View& view) {
  for (std::int64_t i = 0; view && i < view.elements(); ++i)
    m.at<float>(view)[i] = static_cast<float>(i * 5 % 17 - 8) / 4;
}

TEST_P(FewRows, Products_with_bias_and_activation_are_exact_for_every_cut) {
  const Sizes sizes = GetParam();
  op::FewRows d = layer(sizes);
  for (const bool biased : {true, false})
    for (const bool alone : {false, true}) {
      if (!biased) d.bias = {};
      d.activation = alone ? ElementwiseActivation(Linear{}) : ElementwiseActivation(Relu{});
      d.advance.batch = alone ? sizes.rows : 0;
      for (const Cut& cut : cuts) {
        Memories m;
        for (const View& view : {d.x, d.weights, d.bias}) make_exact(m, view);
        float* const out = m.at<float>(d.out);
        std::fill_n(out, sizes.rows * sizes.n + 64, -77.0f);
        m.state()->cursor = 5;
        kernels::lower(d, m.bindings(), Launcher{cut});
        const auto x = [&](std::int64_t i) { return static_cast<double>(m.at<float>(d.x)[i]); };
        for (std::int64_t r = 0; r < sizes.rows; ++r)
          for (std::int64_t c = 0; c < sizes.n; ++c) {
            const double sum = product(m, d, x, r, c);
            ASSERT_EQ(static_cast<double>(out[r * sizes.n + c]), alone ? sum : std::max(sum, 0.0))
                << r << ' ' << c << ", " << cut.blocks << " blocks of " << cut.threads;
          }
        for (int i = 0; i < 64; ++i) ASSERT_EQ(out[sizes.rows * sizes.n + i], -77.0f) << "beyond the rows";
        ASSERT_EQ(m.state()->cursor, alone ? 5 + sizes.rows : 5);
      }
    }
}

template <class From>
void expect_rows_of_a_source(const Sizes& sizes) {
  const auto [rows, k, n] = sizes;
  std::vector<From> x(static_cast<std::size_t>((rows + 4) * k));
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<From>(i * 7 % 13);
  op::FewRows d = layer(sizes);
  d.x = {}, d.x_source = 2, d.x_from = dtype_of<From>;
  d.out = {}, d.out_source = 1;
  for (const Cut& cut : cuts) {
    Memories m;
    std::vector<float> out(static_cast<std::size_t>((rows + 4) * n), -77.0f);
    source_of(m.state(), 2) = {x.data(), 0.25};
    source_of(m.state(), 1) = {out.data()};
    m.state()->cursor = 3;
    d.advance.batch = cut.blocks == 3 ? rows : 0;  // in one block
    kernels::lower(d, m.bindings(), Launcher{cut});
    const auto scaled = [&](std::int64_t i) {
      return 0.25 * static_cast<double>(x[static_cast<std::size_t>(3 * d.k() + i)]);
    };
    for (std::int64_t r = 0; r < rows; ++r)
      for (std::int64_t c = 0; c < n; ++c)
        ASSERT_EQ(static_cast<double>(out[static_cast<std::size_t>((3 + r) * n + c)]),
                  product(m, d, scaled, r, c))
            << d.x_from << ' ' << r << ' ' << c;
    EXPECT_EQ(out[static_cast<std::size_t>(3 * n - 1)], -77.0f);
    EXPECT_EQ(out[static_cast<std::size_t>((3 + rows) * n)], -77.0f);
    EXPECT_EQ(m.state()->cursor, 3 + d.advance.batch);
  }
}

TEST_P(FewRows, Rows_of_a_source_are_converted_and_scaled_and_stored_from_the_cursor_on) {
  expect_rows_of_a_source<float>(GetParam());
  expect_rows_of_a_source<double>(GetParam());
  expect_rows_of_a_source<std::uint8_t>(GetParam());
  expect_rows_of_a_source<std::int32_t>(GetParam());
  expect_rows_of_a_source<std::int64_t>(GetParam());
}

TEST_P(FewRows, Softmax_and_its_logarithm_are_those_of_the_kernel_of_their_own) {
  op::FewRows d = layer(GetParam());
  for (const RowFunction function : {RowFunction::softmax, RowFunction::log_softmax}) {
    const bool logarithm = function == RowFunction::log_softmax;
    d.row_function = function;
    const View apart = arena(d.out.shape, 3 << 17);
    for (const Cut& cut : cuts) {
      Memories m;
      const Launcher launch{cut};
      kernels::lower(d, m.bindings(), launch);
      op::FewRows logits = d;
      logits.row_function = RowFunction::none, logits.out = apart;
      kernels::lower(logits, m.bindings(), launch);
      kernels::lower(op::SoftmaxRows{apart, apart, logarithm}, m.bindings(), launch);
      for (std::int64_t i = 0; i < d.out.elements(); ++i)
        ASSERT_EQ(m.at<float>(d.out)[i], m.at<float>(apart)[i]) << i;
    }
  }
}

TEST(FewRowsOf, Every_activation_is_the_one_that_was_asked_for) {
  op::FewRows d = layer({2, 8, 20});
  const View sums = arena({2, 20}, 3 << 17), mapped = arena({2, 20}, 1 << 19);
  const auto check = [&](const ElementwiseActivation& function) {
    for (const Cut& cut : cuts) {
      Memories m;
      const Launcher launch{cut};
      d.activation = function, d.out = arena({2, 20}, 1 << 18);
      kernels::lower(d, m.bindings(), launch);
      op::FewRows plain = d;
      plain.activation = Linear{}, plain.out = sums;
      kernels::lower(plain, m.bindings(), launch);
      kernels::lower(op::Map{function, sums, mapped}, m.bindings(), launch);
      EXPECT_LE(testing::largest_difference(m.at<float>(d.out), m.at<float>(mapped), 40), 1e-6)
          << function.index();
    }
  };
  [&]<std::size_t... i>(std::index_sequence<i...>) {
    (check(std::variant_alternative_t<i, ElementwiseActivation>{}), ...);
  }
  (std::make_index_sequence<std::variant_size_v<ElementwiseActivation>>());
  check(Rescale{3, -0.5}), check(LeakyRelu{0.3}), check(Power{2});
}

TEST(FewRowsOf, NaN_and_infinity_reach_their_rows_and_no_others) {
  for (const std::int64_t n : {10, 64}) {
    op::FewRows d = layer({3, 40, n});
    for (const Cut& cut : cuts) {
      Memories m;
      for (std::int64_t i = 0; i < d.weights.elements(); ++i) m.at<float>(d.weights)[i] = 0;
      m.at<float>(d.x)[1 * 40 + 39] = NAN;
      m.at<float>(d.x)[2 * 40 + 7] = INFINITY;  // times 0
      kernels::lower(d, m.bindings(), Launcher{cut});
      for (std::int64_t c = 0; c < n; ++c) {
        EXPECT_EQ(m.at<float>(d.out)[c], m.at<float>(d.bias)[c]);
        EXPECT_TRUE(std::isnan(m.at<float>(d.out)[n + c]));
        EXPECT_TRUE(std::isnan(m.at<float>(d.out)[2 * n + c]));
      }
      // Of a weight the column, though a processor goes on into the next row of weights.
      Memories other;
      for (std::int64_t i = 0; i < d.x.elements(); ++i) other.at<float>(d.x)[i] = 1;
      other.at<float>(d.weights)[5 * n] = NAN;
      kernels::lower(d, other.bindings(), Launcher{cut});
      for (std::int64_t i = 0; i < 3 * n; ++i)
        EXPECT_EQ(std::isnan(other.at<float>(d.out)[i]), i % n == 0) << i;
    }
  }
}

/// The bits of a processor's results do not depend on its slices, nor a GPU's on its blocks.
TEST(FewRowsOf, Bits_do_not_depend_on_the_blocks) {
  const op::FewRows d = layer({3, 500, 200});
  const auto bits = [&](std::int64_t blocks, int threads) {
    Memories m;
    for (std::int64_t i = 0; i < d.x.elements(); ++i) m.at<float>(d.x)[i] /= 3;
    for (std::int64_t i = 0; i < d.weights.elements(); ++i) m.at<float>(d.weights)[i] /= 7;
    kernels::lower(d, m.bindings(), Launcher{Cut{blocks, threads, 32, 9}});
    return std::vector<float>(m.at<float>(d.out), m.at<float>(d.out) + d.out.elements());
  };
  EXPECT_EQ(bits(1, 0), bits(3, 0));
  EXPECT_EQ(bits(1, 0), bits(64, 0));
  EXPECT_EQ(bits(1, 256), bits(7, 256));
  EXPECT_EQ(bits(1, 256), bits(100, 256));
}

/// Sums over long k are as close as those of products by libraries, and closer.
TEST(FewRowsOf, Equal_products_over_a_long_k_are_summed_closely) {
  op::FewRows d = layer({1, 4096, 16});
  d.bias = {};
  for (const Cut& cut : cuts) {
    Memories m;
    std::fill_n(m.at<float>(d.x), 4096, 0.1f);
    std::fill_n(m.at<float>(d.weights), 4096 * 16, 0.3f);
    kernels::lower(d, m.bindings(), Launcher{cut});
    if (cut.threads == 1) continue;  // no GPU's
    for (int c = 0; c < 16; ++c)
      EXPECT_NEAR(static_cast<double>(m.at<float>(d.out)[c]) / (4096.0 * double{0.1f} * double{0.3f}), 1,
                  1e-5);
  }
}

}  // namespace
}  // namespace glia
