// bfloat16: rounding by its definition, and the kernel that rounds.
// SPDX-License-Identifier: Apache-2.0
#include "tests/bfloat16.h"

#include <glia/math/bfloat16.h>
#include <gtest/gtest.h>
#include <kernels/lower.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

#include "tests/kernel_cuts.h"

namespace glia {
namespace {

using testing::arena, testing::Cut, testing::cuts, testing::Launcher, testing::Memories;

float float_of(std::uint32_t bits) {
  float x;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}

float rounded(float x) { return static_cast<float>(BFloat16(x)); }

TEST(BFloat16, Is_the_upper_half_of_a_float32) {
  for (std::uint32_t bits = 0; bits < 65536; ++bits) {
    BFloat16 number;
    number.bits = static_cast<std::uint16_t>(bits);
    const float x = static_cast<float>(number);
    std::uint32_t all;
    std::memcpy(&all, &x, sizeof all);
    ASSERT_EQ(all, bits << 16);
    if (std::isnan(x))
      ASSERT_TRUE(std::isnan(rounded(x))) << bits;
    else
      ASSERT_EQ(BFloat16(x).bits, bits);
  }
}

TEST(BFloat16, Is_the_nearest_and_of_two_as_near_the_even_one) {
  // Around each number, half way to the next and just beside that.
  for (std::uint32_t upper = 0; upper < 65536; ++upper) {
    for (const std::uint32_t lower : {0u, 1u, 0x7fffu, 0x8000u, 0x8001u, 0xffffu}) {
      const float x = float_of(upper << 16 | lower);
      if (std::isnan(x))
        ASSERT_TRUE(std::isnan(rounded(x)) && std::signbit(rounded(x)) == std::signbit(x)) << upper;
      else
        ASSERT_EQ(rounded(x), static_cast<float>(test::to_bfloat16(x))) << x;
    }
  }
  EXPECT_EQ(rounded(1 + 1.0f / 256), 1.0f);
  EXPECT_EQ(rounded(1 + 3.0f / 256), 1 + 4.0f / 256);
  EXPECT_EQ(rounded(std::numeric_limits<float>::max()), std::numeric_limits<float>::infinity());
  EXPECT_TRUE(std::isnan(rounded(float_of(0x7f800001u)))) << "a NaN whose upper half is infinity's";
}

class Rounded : public ::testing::TestWithParam<std::int64_t> {};
INSTANTIATE_TEST_SUITE_P(Sizes, Rounded, ::testing::Values(1, 31, 257, 8003));

/// From float32 to bfloat16 and back, and to float32 at once, for every cut of a launch.
TEST_P(Rounded, Every_element_is_written_and_none_beyond) {
  const std::int64_t n = GetParam();
  const View in = arena({n}, 0), narrow = arena({n}, 65536, DType::bfloat16), wide = arena({n}, 131072),
             kept = arena({n}, 262144);
  const auto number = [](std::int64_t i) { return std::sin(static_cast<float>(i)) * 100; };
  for (const Cut& cut : cuts) {
    Memories m;
    for (std::int64_t i = 0; i < n; ++i) m.at<float>(in)[i] = number(i);
    for (const View& out : {wide, kept}) std::fill_n(m.at<float>(out), n + 64, -77.0f);
    std::fill_n(m.at<std::uint16_t>(narrow), n + 64, std::uint16_t{0xABCD});
    for (const op::Round& round : {op::Round{in, narrow}, op::Round{narrow, wide}, op::Round{in, kept}})
      kernels::lower(round, m.bindings(), Launcher{cut});
    for (std::int64_t i = 0; i < n; ++i) {
      ASSERT_EQ(m.at<std::uint16_t>(narrow)[i], BFloat16(number(i)).bits) << i;
      ASSERT_EQ(m.at<float>(wide)[i], rounded(number(i))) << i;
      ASSERT_EQ(m.at<float>(kept)[i], rounded(number(i))) << i;
    }
    for (std::int64_t i = n; i < n + 64; ++i) {
      ASSERT_EQ(m.at<std::uint16_t>(narrow)[i], 0xABCD) << i;
      ASSERT_EQ(m.at<float>(wide)[i], -77.0f) << i;
      ASSERT_EQ(m.at<float>(kept)[i], -77.0f) << i;
    }
  }
}

}  // namespace
}  // namespace glia
