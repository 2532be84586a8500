// Convolutions that cuDNN does not do, for want of itself, an algorithm or memory: plain loops serve, who is told, and how much
// memory it takes. And what its failures become.
// SPDX-License-Identifier: Apache-2.0
#include <cuda_runtime_api.h>
#include <glia/backend.h>
#include <glia/glia.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "tests/convolution_step.h"
#include "tests/double_controls.h"

namespace glia {
namespace {

using test::expected;
using test::geometries;
using test::Geometry;
using test::small_integer;
using test::Step;
using test::uneven;
using ::testing::HasSubstr;

class CudaConvolutionLimits : public test::CudaTest {};
INSTANTIATE_TEST_SUITE_P(Devices, CudaConvolutionLimits, test::only_cuda(), test::device_name);

class CudaConvolutionLimitsOnTheDouble : public test::DoubleTest {};
INSTANTIATE_TEST_SUITE_P(Devices, CudaConvolutionLimitsOnTheDouble, test::only_cuda(), test::device_name);

TEST_P(CudaConvolutionLimitsOnTheDouble, Convolutions_that_are_plain_loops_are_warned_of_once) {
  std::vector<std::string> heard;
  const LogHandler before = set_log_handler([&](LogLevel level, const std::string& message) {
    if (level == LogLevel::warning) heard.push_back(message);
  });
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
  set_log_handler(before);
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

/// Prepares a step that must compute rightly by plain loops, and say why.
void expect_loops(Backend& backend, const std::string& why, std::size_t first = 0, std::size_t last = 2) {
  for (const std::size_t i : {2, 4, 13}) {
    const Geometry g = geometries()[i];
    SCOPED_TRACE(g.name);
    Step step(backend, DType::float32, g, small_integer);
    for (std::size_t op = 0; op < 3; ++op) {
      if (op >= first && op <= last)
        EXPECT_EQ(step.algorithms()[op], "loops (" + why + ')');
      else
        EXPECT_THAT(step.algorithms()[op], HasSubstr("cuDNN "));
    }
    EXPECT_EQ(step.run().take(), expected(g, small_integer));
  }
}

std::string version_of_cudnn(const Context& context) {
  for (const auto& [name, value] : context.versions())
    if (name == "cuDNN") return value;
  return "";
}

TEST_P(CudaConvolutionLimitsOnTheDouble, Without_cudnn_plain_loops_serve_and_versions_say_why) {
  const auto expect_without = [&](const std::string& reason) {
    const Context fresh({.device = "cuda"});
    EXPECT_EQ(version_of_cudnn(fresh), "") << "not looked for yet";
    expect_loops(fresh.backend(), "no cuDNN");
    EXPECT_THAT(version_of_cudnn(fresh), HasSubstr(reason));
  };
  controls().settings().has_cudnn = false;
  expect_without("libcudnn.so.9: cannot open");
  controls().reset();
  controls().settings().cudnn_version = 8907;
  expect_without("cuDNN 8.9.7 is too old: 9.0.0 or later is needed");
  controls().reset();
  controls().fail("cudnnCreate", 1, cudaErrorInitializationError);
  expect_without("cuDNN 9.19.0 cannot start: CUDNN_STATUS_NOT_INITIALIZED");
  EXPECT_EQ(version_of_cudnn(context()), "");
  Step step(context().backend(), DType::float32, geometries()[0], uneven);
  EXPECT_EQ(version_of_cudnn(context()), "9.19.0");
}

TEST_P(CudaConvolutionLimitsOnTheDouble, Loops_serve_where_cudnn_has_no_algorithm) {
  Backend& backend = context().backend();
  const std::string none = "cuDNN has no algorithm";
  controls().settings().refused_convolutions = {"forward"};
  expect_loops(backend, none, 0, 0);
  controls().settings().refused_convolutions = {"backward data"};
  expect_loops(backend, none, 1, 1);
  controls().settings().refused_convolutions = {"backward filter"};
  expect_loops(backend, none, 2, 2);
  controls().settings().refused_convolutions = {};
  controls().settings().refuses_algorithms = true;
  expect_loops(backend, none);
  controls().settings().refuses_algorithms = false;
  controls().settings().convolution_workspace = (std::size_t{64} << 20);  // and its own 256 bytes
  expect_loops(backend, none);
  controls().settings().convolution_workspace = (std::size_t{64} << 20) - 256;
  Step step(backend, DType::float32, geometries()[2], small_integer);
  EXPECT_THAT(step.algorithms()[0], HasSubstr("cuDNN"));
  EXPECT_EQ(step.run().take(), expected(geometries()[2], small_integer));
}

TEST_P(CudaConvolutionLimitsOnTheDouble, An_algorithm_that_refuses_when_it_runs_is_not_used) {
  controls().settings().refuses_graphs = true;
  controls().fail("cudnnConvolutionForward", 1, cudaErrorNotSupported);
  controls().fail("cudnnConvolutionBackwardData", 1, cudaErrorNotSupported);
  controls().fail("cudnnGetConvolutionBackwardFilterWorkspaceSize", 1, cudaErrorNotSupported);
  const Geometry g = geometries()[2];
  Step step(context().backend(), DType::float32, g, small_integer);
  for (const std::string& algorithm : step.algorithms())
    EXPECT_EQ(algorithm, "loops (cuDNN has no algorithm)");
  EXPECT_EQ(step.run().take(), expected(g, small_integer));
}

TEST_P(CudaConvolutionLimits, Sizes_beyond_cudnns_are_left_to_loops) {
  // A stride that no int holds; one window fits.
  Geometry g{"huge stride", 1, 3, 3, 1, 1, {3, 3, std::int64_t{1} << 33, 1}, 1, false};
  Step step(context().backend(), DType::float32, g.placed(), small_integer);
  EXPECT_THAT(step.algorithms()[0], HasSubstr("loops ("));
  if (on_the_double()) {
    EXPECT_EQ(step.algorithms()[0], "loops (cuDNN has no algorithm)");
  }
  EXPECT_EQ(step.run().take(), expected(g.placed(), small_integer));
}

TEST_P(CudaConvolutionLimitsOnTheDouble,
       Without_an_algorithm_that_repeats_its_bits_or_takes_float64_loops_serve) {
  const Geometry g = geometries()[4];
  controls().settings().refuses_graphs = controls().settings().refuses_float64_images = true;
  Step wide(context().backend(), DType::float64, g, small_integer);
  EXPECT_EQ(wide.algorithms()[0], "loops (cuDNN has no algorithm)");
  EXPECT_EQ(wide.run().take(), expected(g, small_integer));

  controls().settings().refuses_graphs = false;
  controls().settings().repeats_no_bits = true;
  for (const bool deterministic : {true, false}) {
    const Context fresh({.device = "cuda", .deterministic = deterministic});
    const std::int64_t before = controls().nondeterministic_convolutions();
    Step step(fresh.backend(), DType::float32, g, small_integer);
    EXPECT_EQ(step.run().take(), expected(g, small_integer));
    EXPECT_EQ(controls().nondeterministic_convolutions() > before, !deterministic);
  }
}

TEST_P(CudaConvolutionLimitsOnTheDouble,
       Every_call_of_the_legacy_interface_may_fail_and_each_is_told_by_name) {
  controls().settings().refuses_graphs = true;
  const Geometry g = geometries()[4];
  const std::vector<std::string> functions{"cudnnCreate",
                                           "cudnnSetStream",
                                           "cudnnCreateTensorDescriptor",
                                           "cudnnSetTensor4dDescriptor",
                                           "cudnnCreateFilterDescriptor",
                                           "cudnnSetFilter4dDescriptor",
                                           "cudnnCreateConvolutionDescriptor",
                                           "cudnnSetConvolution2dDescriptor",
                                           "cudnnSetConvolutionGroupCount",
                                           "cudnnSetConvolutionMathType",
                                           "cudnnGetConvolutionForwardAlgorithm_v7",
                                           "cudnnGetConvolutionBackwardDataAlgorithm_v7",
                                           "cudnnGetConvolutionBackwardFilterAlgorithm_v7"};
  for (const std::string& function : functions) {
    SCOPED_TRACE(function);
    const Context fresh({.device = "cuda"});
    controls().fail(function, 1, cudaErrorInvalidValue);
    try {
      Step(fresh.backend(), DType::float32, g, small_integer);
      ADD_FAILURE() << "nothing was thrown";
    } catch (const DeviceError& error) {
      EXPECT_THAT(error.what(), HasSubstr(function));
      EXPECT_THAT(error.what(), HasSubstr("CUDNN_STATUS_EXECUTION_FAILED"));
      EXPECT_GT(error.where().line, 0);
    }
    controls().fail(function, 1, cudaErrorMemoryAllocation);
    EXPECT_THROW(Step(fresh.backend(), DType::float32, g, small_integer), OutOfMemoryError);
    Step step(fresh.backend(), DType::float32, g, small_integer);
    EXPECT_EQ(step.run().take(), expected(g, small_integer));
  }
}

TEST_P(CudaConvolutionLimitsOnTheDouble,
       An_algorithm_that_fails_when_it_is_tried_gives_way_to_the_next_and_all_to_loops) {
  const Geometry g = geometries()[4];
  for (const char* kind : {"Forward", "BackwardData", "BackwardFilter"})
    for (const std::string& function : {detail::concat("cudnnGetConvolution", kind, "WorkspaceSize"),
                                        detail::concat("cudnnConvolution", kind)})
      for (const int error : {cudaErrorInvalidValue, cudaErrorMemoryAllocation})
        for (const int times : {1, 100}) {
          SCOPED_TRACE(detail::concat(function, ", error ", error, ", ", times, " times"));
          controls().reset();
          controls().settings().refuses_graphs = true;
          const Context fresh({.device = "cuda"});
          controls().fail(function, 1, error, false, times);
          Step step(fresh.backend(), DType::float32, g, small_integer);
          controls().reset();
          EXPECT_EQ(step.run().take(), expected(g, small_integer));
        }
}

TEST_P(CudaConvolutionLimitsOnTheDouble, A_failure_in_a_step_run_one_by_one_is_told_by_name) {
  for (const bool by_graph : {true, false}) {
    controls().settings().refuses_graphs = !by_graph;
    const std::string function = by_graph ? "cudnnBackendExecute" : "cudnnConvolutionForward";
    Step step(context().backend(), DType::float32, geometries()[2], small_integer);
    controls().fail(function, 1, cudaErrorInvalidValue);
    try {
      step.sequence().run_one_by_one();
      ADD_FAILURE() << "nothing was thrown";
    } catch (const DeviceError& error) {
      EXPECT_THAT(error.what(), HasSubstr(function));
    }
    EXPECT_EQ(step.run().take(), expected(geometries()[2], small_integer));
  }
}

}  // namespace
}  // namespace glia
