// The kernels of images give the same bits for every cut of a launch, and write what is theirs and nothing else.
// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <kernels/lower.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "tests/kernel_cuts.h"

namespace glia {
namespace {

using testing::arena, testing::Cut, testing::cuts, testing::expect_same_for_all_cuts, testing::Launcher,
    testing::Memories;

/// A convolution's or pool's shapes. The filters of a pool are its channels.
struct ImageCase {
  std::string name;
  Shape x, y;
  Window window;
  std::int64_t groups = 1;

  Shape weights() const { return {window.height, window.width, x[3] / groups, y[3]}; }
};

const std::vector<ImageCase> image_cases = {
    {"one_pixel", {1, 1, 1, 1}, {1, 1, 1, 1}, {}},
    {"odd_sizes", {2, 7, 5, 3}, {2, 5, 3, 33}, {3, 3, 1, 1, 1, 1, 0, 0}},
    {"uneven_padding", {3, 6, 6, 4}, {3, 3, 3, 20}, {3, 3, 2, 2, 1, 1, 0, 0}},
    {"padding_all_round", {1, 5, 6, 2}, {1, 5, 6, 5}, {3, 5, 1, 1, 1, 1, 1, 2}},
    {"dilated", {2, 7, 8, 3}, {2, 3, 4, 4}, {3, 3, 1, 1, 2, 2, 0, 0}},
    {"groups", {2, 5, 5, 6}, {2, 4, 4, 9}, {2, 2, 1, 1, 1, 1, 0, 0}, 3},
    {"depthwise", {2, 5, 5, 17}, {2, 5, 5, 34}, {3, 3, 1, 1, 1, 1, 1, 1}, 17},
    {"window_of_the_image", {4, 6, 5, 35}, {4, 1, 1, 35}, {6, 5, 1, 1, 1, 1, 0, 0}},
};

class Images : public ::testing::TestWithParam<ImageCase> {
 protected:
  /// Places in the arena, 64 KiB apart.
  View place(int number, const Shape& shape) const { return arena(shape, std::int64_t{number} << 16); }
};
INSTANTIATE_TEST_SUITE_P(Shapes, Images, ::testing::ValuesIn(image_cases),
                         [](const auto& info) { return info.param.name; });

TEST_P(Images, Convolutions_and_their_gradients_do_not_depend_on_the_cut) {
  const ImageCase& c = GetParam();
  const View weights = View::contiguous(Buffer::parameters, DType::float32, c.weights());
  const View bias = View::contiguous(Buffer::parameters, DType::float32, {c.y[3]}, 1 << 18);
  const View weights_gradient = View::contiguous(Buffer::gradients, DType::float32, c.weights());
  const View bias_gradient = View::contiguous(Buffer::gradients, DType::float32, {c.y[3]}, 1 << 18);
  const View x = place(0, c.x), y = place(1, c.y), dy = place(2, c.y), dx = place(3, c.x);
  expect_same_for_all_cuts(
      {y, dx, weights_gradient, bias_gradient}, 0, [&](Memories& m, const Launcher& launch) {
        op::Convolution forward{x, weights, y, c.window, c.groups};
        forward.bias = bias, forward.activation = Relu{};
        kernels::lower(forward, m.bindings(), launch);
        kernels::lower(op::ConvolutionTranspose{dy, weights, dx, c.window, c.groups}, m.bindings(), launch);
        op::ConvolutionWeights back{x, dy, weights_gradient, c.window, c.groups};
        back.bias_gradient = bias_gradient;
        kernels::lower(back, m.bindings(), launch);
      });
}

TEST_P(Images, Convolutions_are_exact_in_numbers_that_are) {
  const ImageCase& c = GetParam();
  const View weights = View::contiguous(Buffer::parameters, DType::float32, c.weights());
  const View x = place(0, c.x), y = place(1, c.y);
  Memories m;
  kernels::lower(op::Convolution{x, weights, y, c.window, c.groups}, m.bindings(), Launcher{cuts[6]});
  const std::int64_t channels = c.x[3] / c.groups, filters = c.y[3] / c.groups;
  std::int64_t at = 0;
  for (std::int64_t n = 0; n < c.y[0]; ++n)
    for (std::int64_t row = 0; row < c.y[1]; ++row)
      for (std::int64_t column = 0; column < c.y[2]; ++column)
        for (std::int64_t f = 0; f < c.y[3]; ++f) {
          double sum = 0;
          for (std::int64_t i = 0; i < c.window.height; ++i)
            for (std::int64_t j = 0; j < c.window.width; ++j)
              for (std::int64_t k = 0; k < channels; ++k) {
                const std::int64_t r =
                    row * c.window.stride_height + i * c.window.dilation_height - c.window.top;
                const std::int64_t s =
                    column * c.window.stride_width + j * c.window.dilation_width - c.window.left;
                if (r < 0 || s < 0 || r >= c.x[1] || s >= c.x[2]) continue;
                sum += m.at<float>(x)[((n * c.x[1] + r) * c.x[2] + s) * c.x[3] + f / filters * channels + k] *
                       m.at<float>(weights)[((i * c.window.width + j) * channels + k) * c.y[3] + f];
              }
          ASSERT_EQ(m.at<float>(y)[at++], sum) << row << ' ' << column << ' ' << f;
        }
}

TEST_P(Images, Pools_and_their_gradients_do_not_depend_on_the_cut) {
  const ImageCase& c = GetParam();
  if (c.window.dilation_height > 1) GTEST_SKIP() << "no pool is dilated";
  Shape pooled = c.y;
  pooled[3] = c.x[3];
  const View x = place(0, c.x), y = place(1, pooled), dy = place(2, pooled), dx = place(3, c.x);
  for (const bool average : {false, true}) {
    expect_same_for_all_cuts({y, dx}, 0, [&](Memories& m, const Launcher& launch) {
      kernels::lower(op::Pool{x, y, c.window, average}, m.bindings(), launch);
      kernels::lower(op::PoolGradient{x, dy, dx, c.window, average}, m.bindings(), launch);
    });
  }
}

TEST_P(Images, The_gradient_of_a_maximum_goes_to_the_first_of_the_greatest) {
  const ImageCase& c = GetParam();
  if (c.window.dilation_height > 1) GTEST_SKIP() << "no pool is dilated";
  Shape pooled = c.y;
  pooled[3] = c.x[3];
  const View x = place(0, c.x), dy = place(2, pooled), dx = place(3, c.x);
  Memories m;  // quarters between -2 and 2: many equals
  if (x.elements() > 7) m.at<float>(x)[7] = std::numeric_limits<float>::quiet_NaN();
  std::vector<float> expected(static_cast<std::size_t>(x.elements()));
  const auto at = [&](const Shape& s, std::int64_t n, std::int64_t i, std::int64_t j, std::int64_t k) {
    return ((n * s[1] + i) * s[2] + j) * s[3] + k;
  };
  for (std::int64_t n = 0; n < pooled[0]; ++n)
    for (std::int64_t row = 0; row < pooled[1]; ++row)
      for (std::int64_t column = 0; column < pooled[2]; ++column)
        for (std::int64_t k = 0; k < pooled[3]; ++k) {
          std::int64_t best = -1;
          for (std::int64_t i = 0; i < c.window.height; ++i)
            for (std::int64_t j = 0; j < c.window.width; ++j) {
              const std::int64_t r = row * c.window.stride_height + i - c.window.top;
              const std::int64_t s = column * c.window.stride_width + j - c.window.left;
              if (r < 0 || s < 0 || r >= c.x[1] || s >= c.x[2]) continue;
              const std::int64_t here = at(c.x, n, r, s, k);
              const float mine = m.at<float>(x)[here], others = best < 0 ? 0 : m.at<float>(x)[best];
              if (best < 0 || mine > others || (std::isnan(mine) && !std::isnan(others))) best = here;
            }
          expected[static_cast<std::size_t>(best)] += m.at<float>(dy)[at(pooled, n, row, column, k)];
        }
  kernels::lower(op::PoolGradient{x, dy, dx, c.window, false}, m.bindings(), Launcher{cuts[1]});
  for (std::int64_t i = 0; i < dx.elements(); ++i)
    ASSERT_EQ(m.at<float>(dx)[i], expected[static_cast<std::size_t>(i)]) << i;
}

TEST_P(Images, Shifts_and_enlargements_do_not_depend_on_the_cut) {
  const ImageCase& c = GetParam();
  const Shape padded{c.x[0], c.x[1] + 3, c.x[2] + 2, c.x[3]}, large{c.x[0], c.x[1] * 2, c.x[2] * 3, c.x[3]};
  const View x = place(0, c.x), border = place(1, padded), back = place(4, c.x), big = place(5, large);
  for (const bool bilinear : {false, true}) {
    expect_same_for_all_cuts({border, back, big}, 0, [&](Memories& m, const Launcher& launch) {
      kernels::lower(op::Shift{x, border, 1, 2}, m.bindings(), launch);
      kernels::lower(op::Shift{border, back, -1, -2}, m.bindings(), launch);
      kernels::lower(op::Upsample{back, big, bilinear, false}, m.bindings(), launch);
      for (std::int64_t i = 0; i < x.elements(); ++i) ASSERT_EQ(m.at<float>(back)[i], m.at<float>(x)[i]) << i;
      kernels::lower(op::Upsample{big, back, bilinear, true}, m.bindings(), launch);
    });
  }
}

TEST_P(Images, Kernels_write_all_of_their_output_and_nothing_beyond) {
  const ImageCase& c = GetParam();
  Shape pooled = c.y;
  pooled[3] = c.x[3];
  const Shape large{c.x[0], c.x[1] * 2, c.x[2] * 3, c.x[3]};
  const View weights = View::contiguous(Buffer::parameters, DType::float32, c.weights());
  const View x = place(0, c.x), dy = place(1, c.y), pool_dy = place(2, pooled);
  const auto check = [&](const Descriptor& descriptor, const View& out) {
    for (const Cut& cut : cuts) {
      Memories m;
      float* const data = m.at<float>(out);
      std::fill(data, data + out.elements() + 64, -77.0f);
      kernels::select(
          [&](const auto& d) {
            if constexpr (!std::is_same_v<std::decay_t<decltype(d)>, op::Matmul>)
              kernels::lower(d, m.bindings(), Launcher{cut});
          },
          descriptor);
      for (std::int64_t i = 0; i < out.elements(); ++i)
        ASSERT_NE(data[i], -77.0f) << descriptor.index() << ' ' << i;
      for (std::int64_t i = out.elements(); i < out.elements() + 64; ++i)
        ASSERT_EQ(data[i], -77.0f) << descriptor.index() << ' ' << i;
    }
  };
  const View y = place(4, c.y), same = place(4, c.x), pool = place(4, pooled), big = place(4, large);
  check(op::Convolution{x, weights, y, c.window, c.groups}, y);
  check(op::ConvolutionTranspose{dy, weights, same, c.window, c.groups}, same);
  check(op::Shift{x, same, 1, -1}, same);
  check(op::Upsample{x, big, true, false}, big);
  if (c.window.dilation_height > 1) return;
  check(op::Pool{x, pool, c.window, false}, pool);
  check(op::PoolGradient{x, pool_dy, same, c.window, false}, same);
}

TEST_P(Images, Channels_are_dropped_whole_and_the_same_for_every_cut) {
  const ImageCase& c = GetParam();
  const View x = place(0, c.x), out = place(1, c.x);
  op::Noise noise{DropoutNoise{1u << 31, 2}, x, out, 99, false};
  noise.positions = c.x[1] * c.x[2], noise.channels = c.x[3];
  expect_same_for_all_cuts({out}, 0, [&](Memories& m, const Launcher& launch) {
    for (std::int64_t i = 0; i < x.elements(); ++i) m.at<float>(x)[i] = 1;
    kernels::lower(noise, m.bindings(), launch);
    for (std::int64_t n = 0; n < c.x[0]; ++n)
      for (std::int64_t k = 0; k < c.x[3]; ++k)
        for (std::int64_t p = 0; p < noise.positions; ++p) {
          const float* const image = m.at<float>(out) + n * noise.positions * c.x[3];
          ASSERT_EQ(image[p * c.x[3] + k], image[k]) << n << ' ' << p << ' ' << k;
          ASSERT_TRUE(image[k] == 0 || image[k] == 2);
        }
  });
}

}  // namespace
}  // namespace glia
