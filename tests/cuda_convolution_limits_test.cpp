// Convolutions that cuDNN does not do, for want of an algorithm or of memory: who is told, and how much memory it takes.
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <string>
#include <vector>

#include "tests/double_controls.h"

namespace glia {
namespace {

using ::testing::HasSubstr;

class CudaConvolutionLimitsOnTheDouble : public test::DoubleTest {};
INSTANTIATE_TEST_SUITE_P(Devices, CudaConvolutionLimitsOnTheDouble, test::only_cuda(), test::device_name);

TEST_P(CudaConvolutionLimitsOnTheDouble, Convolutions_that_are_plain_loops_are_warned_of_once) {
  std::vector<std::string> heard;
  const WarningHandler before =
      set_warning_handler([&](const std::string& message) { heard.push_back(message); });
  const auto prepare = [] {
    Sequential model{Input({6, 6, 1}), Conv2D(2, 3), Conv2D(2, 3)};
    model.compile({.loss = "mse", .device = "cuda"});
    model.program(Mode::train, 4);
  };
  prepare();
  EXPECT_TRUE(heard.empty());
  controls().settings().refused_convolutions = {"forward"};
  prepare();
  prepare();
  ASSERT_EQ(heard.size(), 1u);
  EXPECT_THAT(heard[0], HasSubstr("cuDNN has no algorithm"));
  controls().settings().has_cudnn = false;
  prepare();
  ASSERT_EQ(heard.size(), 2u);
  EXPECT_THAT(heard[1], HasSubstr("no cuDNN"));
  set_warning_handler(before);
}

/// cuDNN's exact gradients of images want as much as their operands are.
TEST_P(CudaConvolutionLimitsOnTheDouble,
       Convolutions_may_use_what_their_operands_take_and_a_quarter_of_what_is_left) {
  const auto plan = [&](int channels, std::size_t workspace, std::size_t device_bytes) {
    controls().reset();
    controls().settings().convolution_workspace = workspace;
    controls().settings().device_bytes = device_bytes;
    Sequential model{Input({1, 1, channels}), Conv2D(channels, 1, {.kernel_initializer = "zeros"})};
    model.compile({.loss = "mse", .device = "cuda"});
    return model.program(Mode::infer, 1).explain();
  };
  constexpr std::size_t mib = std::size_t{1} << 20;
  EXPECT_THAT(plan(8, 60 * mib, 4096 * mib), HasSubstr("cuDNN"));
  EXPECT_THAT(plan(8, 70 * mib, 4096 * mib), HasSubstr("loops"));
  EXPECT_THAT(plan(4096, 70 * mib, 4096 * mib), HasSubstr("cuDNN"));  // 64 MiB of weights
  EXPECT_THAT(plan(4096, 90 * mib, 4096 * mib), HasSubstr("loops"));
  EXPECT_THAT(plan(8, 60 * mib, 200 * mib), HasSubstr("loops"));
}

}  // namespace
}  // namespace glia
