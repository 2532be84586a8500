// The kernels of images give what plain loops give, the same bits for every cut of a launch, and write nothing beyond.
// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <kernels/lower.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <ostream>
#include <string>
#include <vector>

#include "tests/kernel_cuts.h"

namespace glia {
namespace {

using testing::arena, testing::Cut, testing::cuts, testing::Launcher, testing::Memories;

/// A piece of a buffer, by number, with elements on both sides that a kernel must leave alone.
constexpr std::int64_t margin = 64;
View place(const Shape& shape, int number) {
  return arena(shape, (std::int64_t{number} << 17) + margin * std::int64_t{sizeof(float)});
}

/// A tensor in float64, as the loops here want it.
struct Numbers {
  Shape shape;
  std::vector<double> values;

  explicit Numbers(const Shape& shape, double value = 0)
      : shape(shape), values(static_cast<std::size_t>(shape.elements()), value) {}
  double& operator()(std::int64_t a, std::int64_t b, std::int64_t c, std::int64_t d) {
    return values[static_cast<std::size_t>(((a * shape[1] + b) * shape[2] + c) * shape[3] + d)];
  }
};

Numbers read(Memories& m, const View& view) {
  Numbers numbers(view.shape);
  for (std::size_t i = 0; i < numbers.values.size(); ++i) numbers.values[i] = m.at<float>(view)[i];
  return numbers;
}

bool agrees(double got, double expected, double tolerance) {
  return got == expected || (std::isnan(got) && std::isnan(expected)) ||
         std::abs(got - expected) <= tolerance * (1 + std::abs(expected));
}

void as_they_are(Memories&) {}

/// Lowers a descriptor for every cut, in memory that `prepare` has changed, and compares `out` with `expected`.
template <class Descriptor>
void expect_for_all_cuts(const Descriptor& descriptor, const View& out, const Numbers& expected,
                         double tolerance = 0, const std::function<void(Memories&)>& prepare = as_they_are) {
  constexpr float unwritten = 1e30f;
  const std::int64_t n = out.elements();
  ASSERT_EQ(out.shape, expected.shape);
  std::vector<float> first;
  for (const Cut& cut : cuts) {
    SCOPED_TRACE(detail::concat(Descriptor::name, ": ", cut.blocks, " blocks of ", cut.threads,
                                " threads, seed ", cut.seed));
    Memories m;
    prepare(m);
    float* const at = m.at<float>(out);
    std::fill(at - margin, at + n + margin, unwritten);
    kernels::lower(descriptor, m.bindings(), Launcher{cut});
    for (std::int64_t i = 0; i < n; ++i)
      ASSERT_TRUE(agrees(at[i], expected.values[static_cast<std::size_t>(i)], tolerance))
          << i << " of " << out.shape << ": got " << at[i] << ", expected "
          << expected.values[static_cast<std::size_t>(i)];
    for (std::int64_t i = 0; i < margin; ++i) {
      ASSERT_EQ(at[-1 - i], unwritten) << i;
      ASSERT_EQ(at[n + i], unwritten) << i;
    }
    if (first.empty()) first.assign(at, at + n);
    EXPECT_EQ(std::memcmp(first.data(), at, first.size() * sizeof(float)), 0) << "other bits";
  }
}

/// Calls f(row, column) of x for every element in the image that the window for output (i, j) meets, in order.
template <class F>
void for_each_met(const Window& w, const Shape& x, std::int64_t i, std::int64_t j, const F& f) {
  for (std::int64_t a = 0; a < w.height; ++a) {
    for (std::int64_t b = 0; b < w.width; ++b) {
      const std::int64_t row = i * w.stride_height + a * w.dilation_height - w.top;
      const std::int64_t column = j * w.stride_width + b * w.dilation_width - w.left;
      if (row >= 0 && column >= 0 && row < x[1] && column < x[2]) f(row, column, a, b);
    }
  }
}

struct Convolved {
  std::string name;
  Shape x, y;
  Window window;
  std::int64_t groups = 1;

  std::int64_t channels_of_group() const { return x[3] / groups; }
  std::int64_t filters_of_group() const { return y[3] / groups; }
  Shape weights() const { return {window.height, window.width, channels_of_group(), y[3]}; }
  friend std::ostream& operator<<(std::ostream& out, const Convolved& c) { return out << c.name; }
};

const Convolved convolutions[] = {
    {"one_pixel", {1, 1, 1, 1}, {1, 1, 1, 1}, {}},
    {"pointwise", {3, 2, 3, 7}, {3, 2, 3, 17}, {}},
    {"valid", {2, 5, 6, 3}, {2, 3, 4, 17}, {3, 3}},
    {"same", {2, 4, 5, 4}, {2, 4, 5, 16}, {3, 3, 1, 1, 1, 1, 1, 1}},
    {"same_of_even_windows", {1, 3, 5, 1}, {1, 3, 5, 5}, {2, 4, 1, 1, 1, 1, 0, 1}},
    {"larger_than_the_image", {1, 2, 3, 2}, {1, 2, 3, 3}, {5, 5, 1, 1, 1, 1, 2, 2}},
    {"strides", {2, 7, 8, 2}, {2, 4, 3, 33}, {3, 2, 2, 3, 1, 1, 1, 0}},
    {"pixels_that_no_window_sees", {1, 5, 6, 2}, {1, 2, 2, 3}, {1, 2, 3, 4}},
    {"dilation", {1, 7, 5, 2}, {1, 3, 3, 18}, {3, 3, 1, 1, 2, 1}},
    {"dilation_same", {2, 5, 6, 1}, {2, 5, 6, 1}, {2, 3, 1, 1, 3, 2, 1, 2}},
    {"groups", {2, 4, 4, 6}, {2, 2, 2, 9}, {3, 3}, 3},
    {"groups_across_tiles", {1, 3, 4, 4}, {1, 2, 2, 36}, {2, 2, 1, 2}, 2},
    {"groups_with_dilation", {2, 6, 5, 4}, {2, 6, 5, 6}, {3, 3, 1, 1, 2, 2, 2, 2}, 2},
    {"depthwise", {2, 4, 3, 5}, {2, 4, 3, 10}, {3, 3, 1, 1, 1, 1, 1, 1}, 5},
};

class Convolutions : public ::testing::TestWithParam<Convolved> {
 protected:
  static View in_parameters(const Shape& shape, std::int64_t offset = 0) {
    return View::contiguous(Buffer::parameters, DType::float32, shape, offset);
  }
  const Convolved& c = GetParam();
  View x = place(c.x, 0), y = place(c.y, 1), saved_x = place(c.x, 4), saved_y = place(c.y, 5);
  View weights = in_parameters(c.weights()), x_bias = in_parameters({c.x[3]}, 1 << 17),
       y_bias = in_parameters({c.y[3]}, 2 << 17);
  Memories memory;  // as every launch finds it
  Numbers xs = read(memory, x), ys = read(memory, y), ws = read(memory, weights);

  /// f(element of x, element of y, element of the weights) of every product.
  template <class F>
  void for_each_product(const F& f) {
    Numbers x_at(c.x), y_at(c.y), w_at(c.weights());
    const auto number = [](const Numbers& of, const double& element) {
      return static_cast<std::size_t>(&element - of.values.data());
    };
    for (std::int64_t n = 0; n < c.y[0]; ++n)
      for (std::int64_t i = 0; i < c.y[1]; ++i)
        for (std::int64_t j = 0; j < c.y[2]; ++j)
          for (std::int64_t filter = 0; filter < c.y[3]; ++filter)
            for_each_met(c.window, c.x, i, j, [&](auto row, auto column, auto a, auto b) {
              for (std::int64_t k = 0; k < c.channels_of_group(); ++k) {
                const std::int64_t channel = filter / c.filters_of_group() * c.channels_of_group() + k;
                f(number(x_at, x_at(n, row, column, channel)), number(y_at, y_at(n, i, j, filter)),
                  number(w_at, w_at(a, b, k, filter)));
              }
            });
  }
};
INSTANTIATE_TEST_SUITE_P(Shapes, Convolutions, ::testing::ValuesIn(convolutions),
                         [](const auto& info) { return info.param.name; });

double relu(double x) { return std::max(x, 0.0); }

TEST_P(Convolutions, Are_sums_of_products_with_bias_and_activation) {
  Numbers sums(c.y);
  for_each_product([&](auto i, auto o, auto w) { sums.values[o] += xs.values[i] * ws.values[w]; });
  const View out = place(c.y, 2);
  expect_for_all_cuts(op::Convolution{x, weights, out, c.window, c.groups}, out, sums);

  const Numbers bias = read(memory, y_bias), saved = read(memory, saved_y);
  Numbers activated = sums, masked = sums;
  for (std::size_t o = 0; o < sums.values.size(); ++o) {
    activated.values[o] = relu(sums.values[o] + bias.values[o % bias.values.size()]);
    if (saved.values[o] <= 0) masked.values[o] = 0;
  }
  op::Convolution with_bias{x, weights, out, c.window, c.groups};
  with_bias.bias = y_bias, with_bias.activation = Relu{};
  expect_for_all_cuts(with_bias, out, activated);
  op::Convolution with_mask{x, weights, out, c.window, c.groups};
  with_mask.saved = saved_y, with_mask.derivative = Relu{};
  expect_for_all_cuts(with_mask, out, masked);
}

TEST_P(Convolutions, Have_a_transpose_with_bias_and_activation_or_derivative) {
  Numbers sums(c.x);
  for_each_product([&](auto i, auto o, auto w) { sums.values[i] += ys.values[o] * ws.values[w]; });
  const View out = place(c.x, 2);
  expect_for_all_cuts(op::ConvolutionTranspose{y, weights, out, c.window, c.groups}, out, sums);

  const Numbers bias = read(memory, x_bias), saved = read(memory, saved_x);
  Numbers activated = sums, masked = sums;
  for (std::size_t i = 0; i < sums.values.size(); ++i) {
    activated.values[i] = relu(sums.values[i] + bias.values[i % bias.values.size()]);
    if (saved.values[i] <= 0) masked.values[i] = 0;
  }
  op::ConvolutionTranspose with_bias{y, weights, out, c.window, c.groups};
  with_bias.bias = x_bias, with_bias.activation = Relu{};
  expect_for_all_cuts(with_bias, out, activated);
  op::ConvolutionTranspose with_mask{y, weights, out, c.window, c.groups};
  with_mask.saved = saved_x, with_mask.derivative = Relu{};
  expect_for_all_cuts(with_mask, out, masked);
}

TEST_P(Convolutions, Have_gradients_of_weights_and_bias) {
  Numbers sums(c.weights()), bias({c.y[3]});
  for_each_product([&](auto i, auto o, auto w) { sums.values[w] += xs.values[i] * ys.values[o]; });
  for (std::size_t o = 0; o < ys.values.size(); ++o) bias.values[o % bias.values.size()] += ys.values[o];
  const View dw = place(c.weights(), 2), db = place({c.y[3]}, 3);
  op::ConvolutionWeights gradient{x, y, dw, c.window, c.groups};
  expect_for_all_cuts(gradient, dw, sums);
  gradient.bias_gradient = db;
  expect_for_all_cuts(gradient, dw, sums);
  expect_for_all_cuts(gradient, db, bias);
  expect_for_all_cuts(op::Reduce::of_rows(y.matrix(), db, [](const Shape&) { return View{}; }), db, bias);
}

struct Pooled {
  std::string name;
  Shape x, y;
  Window window;
  friend std::ostream& operator<<(std::ostream& out, const Pooled& p) { return out << p.name; }
};

/// None is dilated.
const Pooled pools[] = {
    {"one_pixel", {1, 1, 1, 1}, {1, 1, 1, 1}, {}},
    {"halves", {2, 5, 7, 3}, {2, 2, 3, 3}, {2, 2, 2, 2}},
    {"halves_of_tiles", {3, 4, 6, 32}, {3, 2, 3, 32}, {2, 2, 2, 2}},
    {"overlapping", {2, 4, 5, 17}, {2, 4, 5, 17}, {3, 3, 1, 1, 1, 1, 1, 1}},
    {"overlapping_without_padding", {1, 6, 5, 16}, {1, 4, 2, 16}, {3, 3, 1, 2}},
    {"odd_padding_last", {2, 5, 4, 2}, {2, 3, 4, 2}, {2, 2, 2, 1}},
    {"padding_on_both_sides", {1, 7, 6, 5}, {1, 4, 3, 5}, {3, 4, 2, 2, 1, 1, 1, 1}},
    {"larger_than_the_image", {1, 2, 3, 33}, {1, 2, 3, 33}, {5, 5, 1, 1, 1, 1, 2, 2}},
    {"pixels_that_no_window_sees", {1, 5, 8, 4}, {1, 2, 2, 4}, {2, 2, 3, 4}},
    {"channels_above_a_tile", {2, 4, 3, 130}, {2, 3, 2, 130}, {2, 2}},
    {"global", {3, 4, 7, 33}, {3, 1, 1, 33}, {4, 7}},
};

class Pools : public ::testing::TestWithParam<Pooled> {
 protected:
  const Pooled& p = GetParam();
  View x = place(p.x, 0), dy = place(p.y, 1), y = place(p.y, 2), dx = place(p.x, 3);

  template <class F>
  void for_each_window(const F& f) const {
    for (std::int64_t n = 0; n < p.y[0]; ++n)
      for (std::int64_t i = 0; i < p.y[1]; ++i)
        for (std::int64_t j = 0; j < p.y[2]; ++j)
          for (std::int64_t channel = 0; channel < p.y[3]; ++channel) f(n, i, j, channel);
  }

  /// Memory holds 17 different numbers, so that windows have many equals.
  void expect_maximum(const std::function<void(Memories&)>& prepare) const {
    Memories memory;
    prepare(memory);
    Numbers in = read(memory, x), slope = read(memory, dy), greatest(p.y), gradient(p.x);
    for_each_window([&](auto n, auto i, auto j, auto channel) {
      double* best = nullptr;
      std::int64_t best_row = 0, best_column = 0;
      for_each_met(p.window, p.x, i, j, [&](auto row, auto column, auto, auto) {
        double& element = in(n, row, column, channel);
        if (best && !(element > *best) && !(std::isnan(element) && !std::isnan(*best))) return;
        best = &element, best_row = row, best_column = column;
      });
      ASSERT_NE(best, nullptr);
      greatest(n, i, j, channel) = *best;
      gradient(n, best_row, best_column, channel) += slope(n, i, j, channel);
    });
    expect_for_all_cuts(op::Pool{x, y, p.window, false}, y, greatest, 0, prepare);
    expect_for_all_cuts(op::PoolGradient{x, dy, dx, p.window}, dx, gradient, 0, prepare);
    for (std::size_t i = 0; i < gradient.values.size(); ++i)
      if (in.values[i] <= 0) gradient.values[i] = 0;
    expect_for_all_cuts(op::PoolGradient{x, dy, dx, p.window, false, true}, dx, gradient, 0, prepare);
  }
};
INSTANTIATE_TEST_SUITE_P(Shapes, Pools, ::testing::ValuesIn(pools),
                         [](const auto& info) { return info.param.name; });

TEST_P(Pools, Of_the_maximum_give_the_gradient_to_the_first_of_equals) {
  expect_maximum(as_they_are);
  expect_maximum([this](Memories& m) { std::fill_n(m.at<float>(x), x.elements(), -1.5f); });
}

TEST_P(Pools, Of_the_maximum_take_nan_for_the_greatest_and_know_infinities) {
  const float infinity = std::numeric_limits<float>::infinity();
  for (const float special : {std::numeric_limits<float>::quiet_NaN(), infinity, -infinity}) {
    SCOPED_TRACE(special);
    expect_maximum([&](Memories& m) {
      for (std::int64_t i = 0; i < x.elements(); ++i)
        if (i % 11 == 3 || i % 7 == 5) m.at<float>(x)[i] = special;
    });
    expect_maximum([&](Memories& m) { std::fill_n(m.at<float>(x), x.elements(), special); });
  }
  expect_maximum([&](Memories& m) {
    for (std::int64_t i = 0; i < x.elements(); ++i)
      m.at<float>(x)[i] = i % 5 == 0 ? -infinity : i % 5 == 1 ? NAN : i % 5 == 2 ? infinity : 0;
  });
}

TEST_P(Pools, Of_the_mean_divide_by_the_elements_within_the_image) {
  Memories memory;
  Numbers in = read(memory, x), slope = read(memory, dy), mean(p.y), gradient(p.x);
  for_each_window([&](auto n, auto i, auto j, auto channel) {
    double sum = 0, count = 0;
    for_each_met(p.window, p.x, i, j,
                 [&](auto row, auto column, auto, auto) { sum += in(n, row, column, channel), count += 1; });
    mean(n, i, j, channel) = sum / count;
    for_each_met(p.window, p.x, i, j, [&](auto row, auto column, auto, auto) {
      gradient(n, row, column, channel) += slope(n, i, j, channel) / count;
    });
  });
  expect_for_all_cuts(op::Pool{x, y, p.window, true}, y, mean, 1e-6);
  expect_for_all_cuts(op::PoolGradient{{}, dy, dx, p.window, true}, dx, gradient, 1e-6);
}

TEST(Shifts, Pad_and_crop) {
  const struct {
    Shape in, out;
    std::int64_t top, left;
  } cases[] = {
      {{2, 3, 4, 5}, {2, 3, 4, 5}, 0, 0},     {{2, 3, 4, 5}, {2, 6, 5, 5}, 2, 1},
      {{2, 6, 5, 33}, {2, 3, 2, 33}, -2, -1}, {{1, 1, 1, 1}, {1, 3, 3, 1}, 1, 1},
      {{3, 4, 4, 2}, {3, 3, 7, 2}, -1, 2},    {{1, 2, 2, 3}, {1, 4, 4, 3}, 2, 0},
      {{1, 3, 3, 2}, {1, 4, 2, 2}, 7, 0},     {{1, 3, 3, 2}, {1, 1, 1, 2}, 0, -3},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(detail::concat(c.in, " to ", c.out, " by ", c.top, ", ", c.left));
    const View in = place(c.in, 0), out = place(c.out, 1);
    Memories memory;
    Numbers source = read(memory, in), expected(c.out);
    for (std::int64_t n = 0; n < c.out[0]; ++n)
      for (std::int64_t i = 0; i < c.out[1]; ++i)
        for (std::int64_t j = 0; j < c.out[2]; ++j)
          for (std::int64_t k = 0; k < c.out[3]; ++k) {
            const std::int64_t row = i - c.top, column = j - c.left;
            if (row >= 0 && column >= 0 && row < c.in[1] && column < c.in[2])
              expected(n, i, j, k) = source(n, row, column, k);
          }
    expect_for_all_cuts(op::Shift{in, out, c.top, c.left}, out, expected);
  }
}

/// How much each of `small` elements gives to each of the elements that they are enlarged to.
std::vector<std::vector<double>> shares(std::int64_t small, std::int64_t factor, bool bilinear) {
  std::vector<std::vector<double>> result;
  for (std::int64_t i = 0; i < small * factor; ++i) {
    std::vector<double> row(static_cast<std::size_t>(small), 0.0);
    const double center = (static_cast<double>(i) + 0.5) / static_cast<double>(factor) - 0.5;
    const double at = std::clamp(center, 0.0, static_cast<double>(small - 1));
    const auto low = static_cast<std::size_t>(bilinear ? std::floor(at) : std::floor(center + 0.5));
    const double share = bilinear ? at - std::floor(at) : 0;
    row[low] += 1 - share;
    if (share > 0) row[low + 1] += share;
    result.push_back(row);
  }
  return result;
}

TEST(Enlargements, Repeat_or_interpolate_and_gather_the_gradient) {
  const struct {
    Shape small;
    std::int64_t tall, wide;
  } cases[] = {{{1, 1, 1, 1}, 1, 1},  {{2, 3, 2, 3}, 2, 2}, {{1, 1, 4, 17}, 3, 2}, {{2, 4, 3, 2}, 2, 5},
               {{1, 3, 3, 33}, 4, 1}, {{3, 1, 1, 5}, 3, 4}, {{1, 5, 2, 1}, 7, 3}};
  for (const auto& c : cases) {
    const Shape enlarged{c.small[0], c.small[1] * c.tall, c.small[2] * c.wide, c.small[3]};
    const View small = place(c.small, 0), large = place(enlarged, 1), out = place(enlarged, 2),
               gradient = place(c.small, 3);
    for (const bool bilinear : {false, true}) {
      SCOPED_TRACE(detail::concat(c.small, " to ", enlarged, bilinear ? ", bilinear" : ", nearest"));
      Memories memory;
      Numbers in = read(memory, small), slope = read(memory, large), expected(enlarged), gathered(c.small);
      const auto down = shares(c.small[1], c.tall, bilinear), across = shares(c.small[2], c.wide, bilinear);
      for (std::int64_t n = 0; n < c.small[0]; ++n)
        for (std::int64_t i = 0; i < enlarged[1]; ++i)
          for (std::int64_t j = 0; j < enlarged[2]; ++j)
            for (std::int64_t row = 0; row < c.small[1]; ++row)
              for (std::int64_t column = 0; column < c.small[2]; ++column)
                for (std::int64_t k = 0; k < c.small[3]; ++k) {
                  const double share = down[static_cast<std::size_t>(i)][static_cast<std::size_t>(row)] *
                                       across[static_cast<std::size_t>(j)][static_cast<std::size_t>(column)];
                  expected(n, i, j, k) += share * in(n, row, column, k);
                  gathered(n, row, column, k) += share * slope(n, i, j, k);
                }
      const double tolerance = bilinear ? 1e-5 : 0;
      expect_for_all_cuts(op::Upsample{small, out, bilinear, false}, out, expected, tolerance);
      expect_for_all_cuts(op::Upsample{large, gradient, bilinear, true}, gradient, gathered, tolerance);
    }
  }
}

/// Each channel of an image draws as one element of a matrix (images, channels) does.
TEST(NoiseOfChannels, Is_one_draw_for_all_positions) {
  for (const Shape& shape : {Shape{1, 1, 1, 1}, Shape{3, 2, 5, 1}, Shape{2, 3, 3, 7}, Shape{5, 1, 4, 33}}) {
    SCOPED_TRACE(detail::concat(shape));
    const std::int64_t positions = shape[1] * shape[2], channels = shape[3];
    const DropoutNoise half{1u << 31, 2};
    const View in = place(shape, 0), out = place(shape, 1);
    const View ones = place({shape[0], channels}, 2), drawn = place({shape[0], channels}, 3);
    const auto prepare = [&](Memories& m) {
      m.state()->iteration = 7;
      std::fill_n(m.at<float>(ones), ones.elements(), 1.0f);
    };
    Memories memory;
    prepare(memory);
    kernels::lower(op::Noise{half, ones, drawn, 99, false}, memory.bindings(), Launcher{cuts[0]});
    const Numbers factors = read(memory, drawn), source = read(memory, in);
    Numbers expected(shape);
    for (std::int64_t i = 0; i < shape.elements(); ++i) {
      const std::int64_t draw = i / (positions * channels) * channels + i % channels;
      expected.values[static_cast<std::size_t>(i)] =
          source.values[static_cast<std::size_t>(i)] * factors.values[static_cast<std::size_t>(draw)];
    }
    for (const bool backward : {false, true})
      expect_for_all_cuts(op::Noise{half, in, out, 99, backward, positions, channels}, out, expected, 0,
                          prepare);
  }
}

}  // namespace
}  // namespace glia
