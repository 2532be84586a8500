// Numbers as they are printed: nothing is "-0", and NaN is "nan" whatever its sign.
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>
#include <gtest/gtest.h>

#include <cmath>
#include <sstream>
#include <string>

#include "host/base/number_text.h"

namespace glia {
namespace {

TEST(PrintedNumbers, What_is_written_as_zero_has_no_sign) {
  for (const double nothing : {-0.0, -1e-9}) {
    EXPECT_EQ(detail::fixed(nothing, 4), "0.0000");
    EXPECT_EQ(detail::fixed(nothing, 0), "0");
  }
  EXPECT_EQ(detail::scientific(-0.0, 2), "0.00e+00");
  EXPECT_EQ(detail::shortest(-0.0), "0.0");
  EXPECT_EQ(detail::fixed(-1e-4, 4), "-0.0001");
  EXPECT_EQ(detail::fixed(-10, 0), "-10");
  EXPECT_EQ(detail::scientific(-1e-9, 0), "-1e-09");
}

TEST(PrintedNumbers, NaN_has_no_sign_in_messages) {
  for (const double sign : {-1.0, 1.0}) {
    EXPECT_EQ(detail::concat("got ", std::copysign(std::nan(""), sign)), "got nan");
    EXPECT_EQ(detail::concat(std::copysign(std::nanf(""), static_cast<float>(sign)), " got"), "nan got");
    EXPECT_EQ(detail::fixed(std::copysign(std::nan(""), sign), 4), "nan");
  }
  EXPECT_EQ(detail::concat(-1.5, -HUGE_VAL, "x", 3), "-1.5-infx3");
}

/// Outputs of 0 have a cosine of 0; Keras and NumPy print the loss as -0.0.
TEST(PrintedNumbers, Logs_print_neither_minus_zero_nor_minus_nan) {
  Sequential model{Input({2}), Dense(2, {.kernel_initializer = "zeros"})};
  model.compile({.optimizer = "sgd", .loss = "cosine_similarity", .metrics = {"cosine_similarity", "mse"}});
  const auto printed = [&](const Tensor& y, int index) {
    std::ostringstream out;
    out << model.evaluate(Tensor{{1, 2}}, y, {.verbose = 0})[index];
    return out.str();
  };
  for (const int index : {0, 1}) EXPECT_EQ(printed(Tensor{{1, 0}}, index), "0") << index;
  for (const double sign : {-1.0, 1.0})
    EXPECT_EQ(printed(Tensor::full({1, 2}, std::copysign(std::nan(""), sign)), 2), "nan");
}

}  // namespace
}  // namespace glia
