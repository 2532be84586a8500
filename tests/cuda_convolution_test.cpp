// Convolutions of the CUDA backend: cuDNN's products and what goes around them against the CPU's plain loops, and on the CUDA
// double what a step launches.
// SPDX-License-Identifier: Apache-2.0
#include <glia/backend.h>
#include <glia/glia.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <string>
#include <vector>

#include "tests/convolution_step.h"
#include "tests/double_controls.h"

namespace glia {
namespace {

using test::Arena;
using test::expected;
using test::geometries;
using test::Geometry;
using test::small_integer;
using test::Step;
using test::uneven;
using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;

/// What must be so on every device.
class Convolutions : public test::DeviceTest {};
INSTANTIATE_TEST_SUITE_P(Devices, Convolutions, ::testing::ValuesIn(test::test_devices()), test::device_name);

class CudaConvolution : public test::CudaTest {};
INSTANTIATE_TEST_SUITE_P(Devices, CudaConvolution, test::only_cuda(), test::device_name);

class CudaConvolutionOnTheDouble : public test::DoubleTest {};
INSTANTIATE_TEST_SUITE_P(Devices, CudaConvolutionOnTheDouble, test::only_cuda(), test::device_name);

TEST_P(Convolutions, Integers_are_exact_for_every_geometry) {
  for (const Geometry& g : geometries()) {
    SCOPED_TRACE(g.name);
    const auto wanted = expected(g, small_integer);
    for (const DType dtype : {DType::float32, DType::float64}) {
      Step step(context().backend(), dtype, g, small_integer);
      EXPECT_EQ(step.run().take(), wanted);
      EXPECT_EQ(step.run().take(), wanted) << "a second time";
    }
  }
}

/// Which of cuDNN's engines and algorithms there are, and whether any, is a GPU's affair.
TEST_P(CudaConvolution, Explain_says_which_engine_and_how_many_kernels_beside_it) {
  // Beside one that fuses nothing.
  const auto expect_kernels = [&](const char* name, const std::vector<int>& kernels, bool by_graph) {
    const std::vector<Geometry> all = geometries();
    const Geometry g =
        *std::find_if(all.begin(), all.end(), [&](const Geometry& one) { return one.name == name; });
    const char* const on_the_double_by[2][3] = {
        {"IMPLICIT_GEMM", "BWD_DATA_ALGO_1", "BWD_FILTER_ALGO_1"},
        {"graph, engine 47, with bias and relu", "graph, engine 47", "graph, engine 47"}};
    const std::vector<std::string> algorithms =
        Step(context().backend(), DType::float32, g, uneven).algorithms();
    for (std::size_t i = 0; i < kernels.size(); ++i) {
      const int beside_it = kernels[i] - (algorithms[i].find("with bias") != std::string::npos ? 1 : 0);
      const std::string beside = detail::concat(" and ", beside_it, beside_it == 1 ? " kernel" : " kernels");
      if (on_the_double())
        EXPECT_EQ(algorithms[i], detail::concat("cuDNN ", on_the_double_by[by_graph][i], beside)) << name;
      else
        EXPECT_THAT(
            algorithms[i],
            AnyOf(MatchesRegex("cuDNN ([A-Z0-9_]+|graph, engine [0-9]+(, with bias and relu)?)" + beside),
                  "loops (cuDNN has no algorithm)", "loops (no cuDNN)"))
            << name;
    }
  };
  for (const bool by_graph : {true, false}) {
    if (!by_graph && !on_the_double()) break;
    if (on_the_double()) on_the_double()->settings().refuses_graphs = !by_graph;
    // The weights' transpose; bias and ReLU, or the derivative, or the bias gradient.
    expect_kernels("3 x 3 same", {2, 2, 2}, by_graph);
    // And the copy that holds the padding, or that takes it away.
    for (const char* name : {"stride 2, same, even image", "even window, same", "groups, stride 2"})
      expect_kernels(name, {3, 3, 3}, by_graph);
    // Symmetric after all, or nothing to pad.
    for (const char* name : {"stride 2, same, odd image", "stride 3, valid, rows left over", "dilated"})
      expect_kernels(name, {2}, by_graph);
  }
}

TEST_P(Convolutions, A_captured_step_is_the_same_as_an_eager_one) {
  for (const Geometry& g : geometries()) {
    SCOPED_TRACE(g.name);
    Step step(context().backend(), DType::float32, g, uneven);
    step.sequence().run_one_by_one();
    const auto eager = step.take();
    EXPECT_EQ(step.run().take(), eager);
    EXPECT_EQ(step.run(20).take(), eager);
  }
}

TEST_P(Convolutions, The_same_bits_come_back_every_time_as_the_design_promises) {
  const Geometry g = geometries().back();
  std::set<std::vector<std::vector<double>>> results;
  for (int time = 0; time < 6; ++time) {
    Step step(context().backend(), DType::float32, g, uneven);
    results.insert(step.run().take());
    results.insert(step.run(3).take());
  }
  EXPECT_EQ(results.size(), 1u);
}

TEST_P(CudaConvolutionOnTheDouble,
       Cudnn_does_every_geometry_and_never_by_an_algorithm_of_chance_as_the_design_promises) {
  for (const Geometry& g : geometries()) {
    Step step(context().backend(), DType::float32, g, uneven);
    for (const std::string& algorithm : step.algorithms())
      EXPECT_THAT(algorithm, HasSubstr("cuDNN ")) << g.name;
    step.run().take();
  }
  EXPECT_EQ(controls().nondeterministic_convolutions(), 0);
}

TEST_P(CudaConvolution, Algorithms_of_chance_serve_where_a_context_allows_them) {
  const Context context({.device = "cuda", .deterministic = false});
  const auto runs_of_chance = [&] {
    return on_the_double() ? on_the_double()->nondeterministic_convolutions() : 0;
  };
  const auto expect_served = [&](const Geometry& g, const std::vector<std::string>& by) {
    SCOPED_TRACE(g.name);
    const std::int64_t before = runs_of_chance();
    Step step(context.backend(), DType::float32, g, small_integer);
    EXPECT_EQ(step.run().take(), expected(g, small_integer)) << "they are sums of products all the same";
    if (!on_the_double()) return;
    EXPECT_THAT(step.algorithms(),
                ::testing::ElementsAre(HasSubstr(by[0]), HasSubstr(by[1]), HasSubstr(by[2])));
    EXPECT_GE(runs_of_chance(), before + 3);
  };
  for (const Geometry& g : geometries()) {
    expect_served(g, {"engine 11", "engine 11", "engine 11"});
    if (!on_the_double()) continue;
    on_the_double()->settings().refuses_graphs = true;
    expect_served(g, {"cuDNN GEMM", "BWD_DATA_ALGO_0", "BWD_FILTER_ALGO_3"});
    on_the_double()->settings().refuses_graphs = false;
  }
}

TEST_P(CudaConvolution, A_step_allocates_nothing_and_waits_for_nothing) {
  Step step(context().backend(), DType::float32, geometries()[4], uneven);
  step.run(16);
  const BackendCounters before = context().backend().counters();
  step.run(35);
  EXPECT_EQ(context().backend().counters().allocations, before.allocations);
  EXPECT_EQ(context().backend().counters().synchronizations, before.synchronizations);
  step.sequence().run_one_by_one();
  EXPECT_EQ(context().backend().counters().allocations, before.allocations);
}

TEST_P(CudaConvolutionOnTheDouble, A_step_is_launches_alone) {
  const Geometry g = geometries()[4];
  Step step(context().backend(), DType::float32, g, uneven);
  const auto graph = controls().last_graph();
  std::vector<std::string> names;
  for (const auto& node : graph) {
    EXPECT_EQ(node.kind, "kernel");
    names.push_back(node.name);
  }
  EXPECT_EQ(names, (std::vector<std::string>{
                       "kernel", "kernel", "cudnnBackendExecute",            // transpose, pad
                       "kernel", "cudnnBackendExecute", "kernel", "kernel",  // transpose; crop, derivative
                       "kernel", "cudnnBackendExecute", "kernel", "kernel",  // pad; transpose, bias
                   }));
  for (std::size_t i = 1; i < graph.size(); ++i)
    EXPECT_EQ(graph[i].dependencies, std::vector<int>{static_cast<int>(i) - 1});
  step.run(16);
  controls().clear_calls();
  step.run(35);
  for (const std::string& call : controls().calls())
    EXPECT_TRUE(call == "cudaGraphLaunch" || call == "cudaGetDevice") << call;
}

TEST_P(CudaConvolution, Convolutions_of_different_sizes_share_memory_that_stays_where_it_is) {
  const std::vector<Geometry> all = geometries();
  const auto allocations = [&] {
    context().backend().synchronize();
    return on_the_double() ? on_the_double()->device_allocations() : 0;
  };
  Step small(context().backend(), DType::float32, all[2], small_integer);
  const std::int64_t before = allocations();
  Step large(context().backend(), DType::float32, all.back(), small_integer);
  EXPECT_LE(allocations(), before + 3) << "the arena, and larger memory to share, twice at most";
  Step again(context().backend(), DType::float32, all[2], small_integer);
  EXPECT_LE(allocations(), before + 4) << "the arena alone";
  EXPECT_EQ(small.run().take(), expected(all[2], small_integer));
  EXPECT_EQ(large.run().take(), expected(all.back(), small_integer));
  EXPECT_EQ(small.run().take(), again.run().take());
}

/// A GPU may have none, or find it not worth while for a convolution so small.
TEST_P(CudaConvolution, TF32_is_used_where_it_is_asked_for_and_only_there) {
  // 1 + 2^-12 is 1 in TF32.
  const Geometry g = Geometry{"one pixel", 1, 1, 1, 1, 1, {}}.placed();
  const auto ones = [](std::int64_t) { return 1.0; };
  const double more = 1 + 1.0 / 4096;
  for (const Precisions& precision : {Precisions(Float32{}), Precisions(TF32{})}) {
    const bool is_tf32 = std::holds_alternative<TF32>(precision);
    for (const DType dtype : {DType::float32, DType::float64}) {
      Step step(context().backend(), dtype, g, ones, precision);
      step.set_x([&](std::int64_t) { return more; });
      step.set_weights([&](std::int64_t) { return more; });
      const bool rounds = is_tf32 && dtype == DType::float32;
      const double square =
          dtype == DType::float32 ? static_cast<float>(more) * static_cast<float>(more) : more * more;
      const double sum = dtype == DType::float32 ? static_cast<float>(square) + 1.0f : square + 1;
      const auto results = step.run().take();
      const auto expect = [&](std::size_t result, double rounded, double unrounded) {
        const double got = results[result][0];
        EXPECT_TRUE(got == (rounds ? rounded : unrounded) || (rounds && !on_the_double() && got == unrounded))
            << dtype << " result " << result << ": " << got;
      };
      expect(0, 2, sum);
      expect(1, 1, more);
      expect(2, 1, more);
    }
  }
}

TEST_P(Convolutions, NaN_passes_a_convolution_and_its_relu) {
  const Geometry g = geometries()[2];
  Step step(context().backend(), DType::float32, g, small_integer);
  step.set_x([](std::int64_t i) { return i == 0 ? std::nan("") : 1.0; });  // the first image's corner
  const auto results = step.run().take();
  const auto is_nan = [](double value) { return std::isnan(value); };
  // Four windows see the corner.
  EXPECT_EQ(std::count_if(results[0].begin(), results[0].end(), is_nan), 4 * g.filters);
  EXPECT_GT(std::count_if(results[2].begin(), results[2].end(), is_nan), 0);
}

TEST_P(CudaConvolutionOnTheDouble, Nothing_is_left_when_a_context_is_gone) {
  const auto objects = controls().live_objects();
  const std::int64_t memory = controls().device_allocations();
  {
    const Context fresh({.device = "cuda"});
    Step step(fresh.backend(), DType::float32, geometries()[4], uneven);
    step.run(20);
    auto before = objects;
    const auto now = controls().live_objects();
    EXPECT_EQ(now.at("cuDNN handle"), before["cuDNN handle"] + 1);
    EXPECT_GT(now.at("cuDNN descriptor"), before["cuDNN descriptor"]);
  }
  EXPECT_EQ(controls().live_objects(), objects);
  EXPECT_EQ(controls().device_allocations(), memory);
}

TEST_P(CudaConvolution, Sums_of_many_rows_are_exact_and_one_block_a_column) {
  for (const std::int64_t rows : {1, 31, 1000}) {
    for (const std::int64_t columns : {1, 3, 33}) {
      std::vector<std::vector<double>> sums;
      for (const Device& device : {Device::cpu(), Device::cuda()}) {
        const Context context({.device = device});
        Arena arena(context.backend(), DType::float32);
        const View in = arena.add({rows, columns}), out = arena.add({columns});
        const op::Reduce sum = op::Reduce::of_rows(in, out, [](const Shape&) { return View{}; });
        arena.start();
        arena.set(in, small_integer);
        const auto sequence = context.backend().prepare({sum}, arena.bindings());
        sequence->run(1);
        sums.push_back(arena.get(out));
      }
      EXPECT_EQ(sums[0], sums[1]) << rows << ' ' << columns;
    }
  }
}

TEST_P(CudaConvolution, A_model_with_convolutions_trains_as_on_the_cpu) {
  Tensor x = Tensor::zeros({24, 8, 8, 2}), y = Tensor::zeros({24});
  for (std::int64_t i = 0; i < 24; ++i) {
    for (std::int64_t r = 0; r < 8; ++r)
      for (std::int64_t c = 0; c < 8; ++c)
        x.set({i, r, c, (r + c) % 2},
              std::sin(static_cast<double>(i * 64 + r * 8 + c)) + (r == i % 3 ? 2 : 0));
    y.set({i}, static_cast<double>(i % 3));
  }
  std::vector<std::vector<double>> losses;
  for (const Device& device : {Device::cpu(), Device::cuda()}) {
    Sequential model{
        Conv2D(6, 3, {.strides = 2, .padding = "same", .activation = "relu", .input_shape = {8, 8, 2}}),
        Conv2D(4, 3, {.padding = "same", .groups = 2, .activation = "tanh"}), Flatten(), Dense(3, "softmax")};
    model.compile({.optimizer = "adam", .loss = "sparse_categorical_crossentropy", .device = device});
    losses.push_back(model.fit(x, y, {.epochs = 6, .batch_size = 8, .verbose = 0})["loss"]);
    if (device.is_cpu() || !on_the_double()) continue;
    const std::string words = model.program(Mode::train, 8).explain();
    for (const char* algorithm :
         {"cuDNN graph, engine 47, with bias and relu and ", "cuDNN graph, engine 47 and "})
      EXPECT_THAT(words, HasSubstr(algorithm));
    EXPECT_THAT(words, Not(HasSubstr("loops")));
  }
  for (std::size_t epoch = 0; epoch < 6; ++epoch)
    EXPECT_NEAR(losses[1][epoch] / losses[0][epoch], 1, 1e-5) << "epoch " << epoch;
  EXPECT_LT(losses[1].back(), 0.9 * losses[1].front());
}

}  // namespace
}  // namespace glia
