// Convolutions as graphs of cuDNN's: what is fused and what is not, the same bits as by the legacy interface, plans that are
// shared, and what happens where cuDNN fails.
// SPDX-License-Identifier: Apache-2.0
#include <cuda_runtime_api.h>
#include <glia/backend.h>
#include <glia/glia.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
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
using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::Not;

std::string explained(const Layer& layer) {
  Sequential model{Input({6, 6, 2}), layer};
  model.compile({.loss = "mse", .device = "cuda"});
  return model.program(Mode::infer, 2).explain();
}

class CudaConvolutionGraphs : public test::CudaTest {};
INSTANTIATE_TEST_SUITE_P(Devices, CudaConvolutionGraphs, test::only_cuda(), test::device_name);

class CudaConvolutionGraphsOnTheDouble : public test::DoubleTest {
 protected:
  std::int64_t calls_of(const std::string& function) const {
    const std::vector<std::string>& calls = controls().calls();
    return std::count(calls.begin(), calls.end(), function);
  }
};
INSTANTIATE_TEST_SUITE_P(Devices, CudaConvolutionGraphsOnTheDouble, test::only_cuda(), test::device_name);

TEST_P(CudaConvolutionGraphsOnTheDouble, Both_interfaces_give_the_same_bits) {
  for (const Geometry& g : geometries())
    for (const DType dtype : {DType::float32, DType::float64}) {
      SCOPED_TRACE(g.name);
      controls().settings().refuses_graphs = false;
      Step graph(context().backend(), dtype, g, uneven);
      controls().settings().refuses_graphs = true;
      const Context other({.device = "cuda"});
      Step legacy(other.backend(), dtype, g, uneven);
      EXPECT_THAT(graph.algorithms(), Each(HasSubstr("graph")));
      EXPECT_THAT(legacy.algorithms(), Each(Not(HasSubstr("graph"))));
      EXPECT_EQ(graph.run().take(), legacy.run().take());
    }
}

/// Whether there is an engine that fuses is a GPU's affair.
TEST_P(CudaConvolutionGraphs, A_bias_is_fused_alone_or_with_relu_and_nothing_else) {
  const std::string linear = explained(Conv2D(3, 3)), relu = explained(Conv2D(3, 3, {.activation = "relu"})),
                    tanh = explained(Conv2D(3, 3, {.activation = "tanh"})),
                    unbiased = explained(Conv2D(3, 3, {.activation = "relu", .use_bias = false}));
  EXPECT_THAT(linear, Not(HasSubstr("and relu")));
  for (const std::string& whole : {tanh, unbiased}) EXPECT_THAT(whole, Not(HasSubstr("with bias")));
  if (!on_the_double()) return;
  EXPECT_THAT(linear, HasSubstr("engine 47, with bias and 1 kernel"));
  EXPECT_THAT(relu, HasSubstr("engine 47, with bias and relu and 1 kernel"));
  for (const std::string& whole : {tanh, unbiased}) EXPECT_THAT(whole, HasSubstr("engine 47 and 2 kernels"));
}

/// cuDNN does not say whether a fused ReLU does.
TEST_P(CudaConvolutionGraphsOnTheDouble, NaN_passes_also_where_a_fused_relu_would_hide_it) {
  controls().settings().relu_hides_nan = true;
  Step step(context().backend(), DType::float64, geometries()[2], small_integer);
  EXPECT_THAT(step.algorithms()[0], HasSubstr("engine 47 and 2 kernels"));
  step.set_x([](std::int64_t i) { return i == 0 ? std::nan("") : 1.0; });
  const auto results = step.run().take();
  EXPECT_TRUE(std::any_of(results[0].begin(), results[0].end(), [](double y) { return std::isnan(y); }));
  EXPECT_THAT(explained(Conv2D(3, 3)), HasSubstr("engine 47, with bias and 1 kernel"));
  const Context careless({.device = "cuda", .propagate_nan = false});
  Step fused(careless.backend(), DType::float32, geometries()[2], small_integer);
  EXPECT_THAT(fused.algorithms()[0], HasSubstr("with bias and relu"));
}

TEST_P(CudaConvolutionGraphsOnTheDouble, Equal_convolutions_share_a_plan_while_one_of_them_lives) {
  const Geometry g = geometries()[2];
  const auto plans_made = [&] {
    controls().clear_calls();
    Step step(context().backend(), DType::float32, g, small_integer);
    EXPECT_EQ(step.run().take(), expected(g, small_integer));
    return calls_of("cudnnBackendFinalize") > calls_of("cudnnBackendExecute");  // of packs
  };
  EXPECT_TRUE(plans_made());
  EXPECT_TRUE(plans_made());
  Step first(context().backend(), DType::float32, g, small_integer);
  EXPECT_FALSE(plans_made());
  Step other(context().backend(), DType::float64, g, small_integer);
  EXPECT_EQ(other.run().take(), expected(g, small_integer));
}

TEST_P(CudaConvolutionGraphsOnTheDouble, Where_a_call_fails_the_next_engine_or_the_legacy_interface_serves) {
  const Geometry g = geometries()[4];
  const auto wanted = expected(g, small_integer);
  for (const char* function : {"cudnnBackendCreateDescriptor", "cudnnBackendSetAttribute",
                               "cudnnBackendGetAttribute", "cudnnBackendFinalize", "cudnnBackendExecute"})
    for (const int error : {cudaErrorInvalidValue, cudaErrorNotSupported})
      for (const int nth : {1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233})
        for (const int times : {1, 100000}) {
          SCOPED_TRACE(
              detail::concat(function, " fails with ", error, ", call ", nth, ", ", times, " times"));
          controls().reset();
          const Context fresh({.device = "cuda"});
          controls().fail(function, nth, error, false, times);
          try {
            Step step(fresh.backend(), DType::float32, g, small_integer);
            controls().reset();
            EXPECT_THAT(step.algorithms(), Each(HasSubstr("cuDNN ")));
            EXPECT_EQ(step.run().take(), wanted);
          } catch (const DeviceError& error_told) {  // when all was chosen, and only captured
            EXPECT_THAT(error_told.what(), HasSubstr(function));
          }
        }
}

TEST_P(CudaConvolutionGraphsOnTheDouble,
       An_engine_that_wants_more_memory_than_there_is_gives_way_to_the_next) {
  const Geometry g = geometries()[4];
  for (const int nth : {1, 2, 3, 4, 5}) {
    controls().reset();
    const Context fresh({.device = "cuda"});
    Step warm(fresh.backend(), DType::float32, geometries()[0], small_integer);
    controls().fail("cudaMallocFromPoolAsync", nth, cudaErrorMemoryAllocation, false, 2);
    try {
      Step step(fresh.backend(), DType::float32, g, small_integer);
      EXPECT_EQ(step.run().take(), expected(g, small_integer));
    } catch (const OutOfMemoryError&) {  // of what it cannot do without
    }
  }
}

TEST_P(CudaConvolutionGraphsOnTheDouble, Errors_that_stay_are_nobody_elses_to_answer) {
  const Context fresh({.device = "cuda"});
  controls().fail("cudnnBackendExecute", 1, cudaErrorIllegalAddress, true);
  EXPECT_THROW(Step(fresh.backend(), DType::float32, geometries()[4], small_integer), DeviceError);
}

TEST_P(CudaConvolutionGraphsOnTheDouble, Memory_that_is_short_for_a_descriptor_is_told) {
  const Context fresh({.device = "cuda"});
  controls().fail("cudnnBackendCreateDescriptor", 1, cudaErrorMemoryAllocation);
  EXPECT_THROW(Step(fresh.backend(), DType::float32, geometries()[4], small_integer), OutOfMemoryError);
}

}  // namespace
}  // namespace glia
