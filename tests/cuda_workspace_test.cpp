// ContextOptions::workspace_limit: what libraries may work in, at most.
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "tests/double_controls.h"

namespace glia {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class CudaWorkspaceOnTheDouble : public test::DoubleTest {};
INSTANTIATE_TEST_SUITE_P(Devices, CudaWorkspaceOnTheDouble, test::only_cuda(), test::device_name);

class CudaWorkspace : public test::CudaTest {};
INSTANTIATE_TEST_SUITE_P(Devices, CudaWorkspace, test::only_cuda(), test::device_name);

Tensor numbers(const Shape& shape) {
  std::vector<double> values(static_cast<std::size_t>(shape.elements()));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = std::sin(static_cast<double>(i + 1));
  return Tensor(values, shape);
}

Context limited(std::size_t bytes) { return Context({.device = "cuda", .workspace_limit = bytes}); }

TEST_P(CudaWorkspaceOnTheDouble, Bounds_what_cublaslt_works_in) {
  const auto held = [](std::size_t limit) {
    const Context on = limited(limit);
    Sequential model{Input({6}), Dense(2)};
    model.compile({.loss = "mse", .context = on});
    model.predict(numbers({12, 6}), {.verbose = 0});  // more rows than few
    return on.memory().workspaces;
  };
  EXPECT_EQ(held(0), 32 << 20);
  EXPECT_EQ(held(1 << 20), 1 << 20);
  EXPECT_EQ(held(std::size_t{1} << 40), 32 << 20);
  EXPECT_EQ(held(1), 1);
  controls().settings().compute_capability = 80;
  EXPECT_EQ(held(0), 4 << 20);
}

TEST_P(CudaWorkspaceOnTheDouble, Bounds_what_a_convolution_works_in) {
  controls().settings().convolution_workspace = 1 << 20;
  const auto plan = [](std::size_t limit) {
    const Context on = limited(limit);
    Sequential model{Input({8, 8, 1}), Conv2D(2, 3)};
    model.compile({.loss = "mse", .context = on});
    const std::string words = model.program(Mode::infer, 4).explain();
    EXPECT_LT(on.memory().workspaces, 3 << 20);
    return words;
  };
  EXPECT_THAT(plan(0), HasSubstr("cuDNN"));
  EXPECT_THAT(plan(2 << 20), HasSubstr("cuDNN"));
  const LogHandler before = set_log_handler({});
  const std::string without = plan((1 << 20) - 1);
  set_log_handler(before);
  EXPECT_THAT(without, HasSubstr("loops"));
  EXPECT_THAT(without, Not(HasSubstr("[cuDNN")));
}

TEST_P(CudaWorkspace, Bounds_the_pieces_of_a_long_product) {
  const std::int64_t k = 20'000;  // 19 pieces of 4 KiB and what is left
  const auto pieces = [&](std::size_t limit) {
    const Context on = limited(limit);
    Sequential model{Input({k}), Dense(128)};
    model.set_seed(1);
    model.compile({.loss = "mse", .context = on});
    const std::string words = model.program(Mode::infer, 8).explain();
    const std::size_t end = words.find(" pieces of k");
    if (end == std::string::npos) return 0;
    EXPECT_LE(on.memory().workspaces, 2 * static_cast<std::int64_t>(limit > 0 ? limit : 32 << 20));
    return std::stoi(words.substr(words.rfind(' ', end - 1) + 1));
  };
  EXPECT_EQ(pieces(0), 19);
  EXPECT_EQ(pieces(8 * 4096), 7);
  EXPECT_EQ(pieces(3 * 4096), 2);
  EXPECT_EQ(pieces(2 * 4096), 0);
}

}  // namespace
}  // namespace glia
