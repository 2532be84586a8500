// Convolutions of the CUDA backend: cuDNN's products and what goes around them against the CPU's plain loops, and on the CUDA
// double the fallbacks, and what a step launches.
// SPDX-License-Identifier: Apache-2.0
#include <cuda_runtime_api.h>
#include <glia/backend.h>
#include <glia/glia.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <set>

#include "tests/double_controls.h"

namespace glia {
namespace {

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

/// A convolution's geometry: images of one size, a window, and what comes out.
struct Geometry {
  std::string name;
  std::int64_t images, height, width, channels, filters;
  Window window;
  std::int64_t groups = 1;
  bool same = true;  // padding, as TensorFlow's, else none

  /// Sets what padding the window has, and gives the windows of an axis.
  static std::int64_t windows(std::int64_t n, std::int64_t span, std::int64_t stride, bool same,
                              std::int64_t& before) {
    const std::int64_t count = same ? (n + stride - 1) / stride : (n - span) / stride + 1;
    before = same ? std::max<std::int64_t>((count - 1) * stride + span - n, 0) / 2 : 0;
    return count;
  }
  Geometry placed() const {
    Geometry g = *this;
    g.out_height = windows(height, window.span_height(), window.stride_height, same, g.window.top);
    g.out_width = windows(width, window.span_width(), window.stride_width, same, g.window.left);
    return g;
  }
  std::int64_t out_height = 0, out_width = 0;
};

std::vector<Geometry> geometries() {
  std::vector<Geometry> all{
      {"one pixel", 1, 1, 1, 1, 1, {}},
      {"1 x 1", 3, 5, 4, 3, 2, {}},
      {"3 x 3 same", 2, 7, 5, 3, 4, {3, 3}},
      {"3 x 3 valid", 2, 7, 5, 3, 4, {3, 3}, 1, false},
      {"stride 2, same, even image", 2, 8, 6, 2, 3, {3, 3, 2, 2}},
      {"stride 2, same, odd image", 2, 7, 9, 2, 3, {3, 3, 2, 2}},
      {"stride 2, same, one axis", 1, 8, 7, 2, 3, {3, 3, 2, 1}},
      {"even window, same", 2, 6, 6, 2, 3, {2, 4}},
      {"stride 3, valid, rows left over", 1, 12, 11, 1, 2, {2, 3, 3, 3}, 1, false},
      {"stride over the window", 1, 9, 9, 2, 2, {1, 1, 2, 2}, 1, false},
      {"dilated", 1, 9, 8, 2, 3, {3, 3, 1, 1, 2, 3}},
      {"dilated valid", 2, 9, 8, 2, 3, {2, 3, 1, 1, 3, 2}, 1, false},
      {"groups", 2, 6, 5, 6, 9, {3, 3}, 3},
      {"groups, stride 2", 1, 6, 5, 4, 2, {3, 3, 2, 2}, 2},
      {"depthwise", 2, 6, 7, 5, 5, {3, 3}, 5},
      {"depthwise, two of each", 1, 6, 8, 3, 6, {3, 3, 2, 2}, 3},
      {"along one axis", 2, 31, 1, 4, 3, {5, 1}},
      {"window larger than the image", 1, 2, 3, 2, 2, {5, 5}},
      {"37 channels", 1, 4, 5, 37, 33, {3, 3}},
  };
  for (Geometry& g : all) g = g.placed();
  return all;
}

/// Descriptors with their operands in one buffer of a device.
class Arena {
 public:
  Arena(Backend& backend, DType dtype) : backend_(backend), dtype_(dtype) {}

  View add(const Shape& shape) {
    const View view = View::contiguous(Buffer::arena, dtype_, shape, bytes_);
    bytes_ += align_up(view.bytes());
    return view;
  }
  /// After the last add().
  void start() { memory_ = backend_.allocate(static_cast<std::size_t>(bytes_)); }
  Bindings bindings() const {
    Bindings at;
    at.base[static_cast<int>(Buffer::arena)] = memory_->data();
    return at;
  }
  void set(const View& view, const std::function<double(std::int64_t)>& value) {
    dtype_ == DType::float64 ? set_as<double>(view, value) : set_as<float>(view, value);
  }
  std::vector<double> get(const View& view) const {
    return dtype_ == DType::float64 ? get_as<double>(view) : get_as<float>(view);
  }

 private:
  template <class T>
  void set_as(const View& view, const std::function<double(std::int64_t)>& value) {
    std::vector<T> values(static_cast<std::size_t>(view.elements()));
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<T>(value(static_cast<int>(i)));
    backend_.upload(bindings().address<>(view), values.data(), values.size() * sizeof(T));
  }
  template <class T>
  std::vector<double> get_as(const View& view) const {
    std::vector<T> values(static_cast<std::size_t>(view.elements()));
    backend_.download(values.data(), bindings().address<>(view), values.size() * sizeof(T));
    return {values.begin(), values.end()};
  }

  Backend& backend_;
  DType dtype_;
  std::int64_t bytes_ = 0;
  std::unique_ptr<Memory> memory_;
};

double small_integer(std::int64_t i) { return static_cast<double>((i * 7 + i / 5) % 7) - 3; }
double uneven(std::int64_t i) { return std::sin(static_cast<double>(i) * 0.7) * 1.3; }

/// A convolution with its gradients, as a training step has them, prepared on a device.
class Step {
 public:
  Step(Backend& backend, DType dtype, const Geometry& g, double value(std::int64_t),
       const Precisions& precision = Float32{})
      : backend_(backend),
        arena_(backend, dtype),
        x_(arena_.add({g.images, g.height, g.width, g.channels})),
        w_(arena_.add({g.window.height, g.window.width, g.channels / g.groups, g.filters})),
        b_(arena_.add({g.filters})),
        dy_(arena_.add({g.images, g.out_height, g.out_width, g.filters})),
        results_{arena_.add(dy_.shape), arena_.add(x_.shape), arena_.add(w_.shape), arena_.add(b_.shape)} {
    arena_.start();
    std::int64_t first = 0;  // other values for each
    for (const View& view : {x_, w_, b_, dy_}) {
      arena_.set(view, [&](std::int64_t i) { return value(i + first); });
      first += 11;
    }
    const auto& [y, dx, dw, db] = results_;
    sequence_ = backend.prepare(
        {op::Convolution{x_, w_, y, g.window, g.groups, b_, Relu{}, {}, Linear{}, precision},
         op::ConvolutionTranspose{dy_, w_, dx, g.window, g.groups, {}, Linear{}, x_, Relu{}, precision},
         op::ConvolutionWeights{x_, dy_, dw, g.window, g.groups, db, precision}},
        arena_.bindings());
  }

  Sequence& sequence() { return *sequence_; }
  Step& run(std::int64_t times = 1) {
    sequence_->run(times);
    return *this;
  }
  /// Output and the gradients of input, weights and bias; each is forgotten on the device.
  std::vector<std::vector<double>> take() {
    std::vector<std::vector<double>> all;
    for (const View& view : results_) {
      all.push_back(arena_.get(view));
      arena_.set(view, [](std::int64_t) { return std::numeric_limits<double>::quiet_NaN(); });
    }
    return all;
  }
  std::vector<std::string> algorithms() const {
    std::vector<std::string> all;
    for (const auto& op : sequence_->ops()) all.push_back(op->algorithm());
    return all;
  }
  void set_x(const std::function<double(std::int64_t)>& value) { arena_.set(x_, value); }
  void set_weights(const std::function<double(std::int64_t)>& value) { arena_.set(w_, value); }

 private:
  Backend& backend_;
  Arena arena_;
  View x_, w_, b_, dy_;
  std::array<View, 4> results_;
  std::unique_ptr<Sequence> sequence_;
};

/// By the CPU's plain loops in float64.
std::vector<std::vector<double>> expected(const Geometry& g, double value(std::int64_t)) {
  const Context cpu({.device = "cpu"});
  return Step(cpu.backend(), DType::float64, g, value).run().take();
}

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

/// Which of cuDNN's algorithms there are, and whether any, is a GPU's affair.
TEST_P(CudaConvolution, Explain_says_which_algorithm_and_how_many_kernels_beside_it) {
  const auto expect_kernels = [&](const char* name, const std::vector<int>& kernels) {
    const std::vector<Geometry> all = geometries();
    const Geometry g =
        *std::find_if(all.begin(), all.end(), [&](const Geometry& one) { return one.name == name; });
    const char* const on_the_double_by[] = {"IMPLICIT_GEMM", "BWD_DATA_ALGO_1", "BWD_FILTER_ALGO_1"};
    const std::vector<std::string> algorithms =
        Step(context().backend(), DType::float32, g, uneven).algorithms();
    for (std::size_t i = 0; i < kernels.size(); ++i) {
      const std::string beside = detail::concat(" and ", kernels[i], " kernels");
      if (on_the_double())
        EXPECT_EQ(algorithms[i], "cuDNN " + std::string(on_the_double_by[i]) + beside) << name;
      else
        EXPECT_THAT(algorithms[i], AnyOf(MatchesRegex("cuDNN [A-Z0-9_]+" + beside),
                                         "loops (cuDNN has no algorithm)", "loops (no cuDNN)"))
            << name;
    }
  };
  // The weights' transpose; bias and ReLU, or the derivative, or the bias gradient.
  expect_kernels("3 x 3 same", {2, 2, 2});
  // And the copy that holds the padding, or that takes it away.
  for (const char* name : {"stride 2, same, even image", "even window, same", "groups, stride 2"})
    expect_kernels(name, {3, 3, 3});
  // Symmetric after all, or nothing to pad.
  for (const char* name : {"stride 2, same, odd image", "stride 3, valid, rows left over", "dilated"})
    expect_kernels(name, {2});
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
  for (const Geometry& g : geometries()) {
    SCOPED_TRACE(g.name);
    const std::int64_t before = runs_of_chance();
    Step step(context.backend(), DType::float32, g, small_integer);
    EXPECT_EQ(step.run().take(), expected(g, small_integer)) << "they are sums of products all the same";
    if (!on_the_double()) continue;
    EXPECT_THAT(step.algorithms(),
                ::testing::ElementsAre(HasSubstr("cuDNN GEMM"), HasSubstr("BWD_DATA_ALGO_0"),
                                       HasSubstr("BWD_FILTER_ALGO_3")));
    EXPECT_GE(runs_of_chance(), before + 3);
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
  EXPECT_EQ(names,
            (std::vector<std::string>{
                "kernel", "kernel", "cudnnConvolutionForward", "kernel",  // transpose, pad; bias and ReLU
                "kernel", "cudnnConvolutionBackwardData", "kernel", "kernel",  // transpose; crop, derivative
                "kernel", "cudnnConvolutionBackwardFilter", "kernel", "kernel",  // pad; transpose, bias
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

TEST_P(CudaConvolutionOnTheDouble, Without_cudnn_plain_loops_serve_and_versions_say_why) {
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

TEST_P(CudaConvolutionOnTheDouble, Loops_serve_where_cudnn_has_no_algorithm) {
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

TEST_P(CudaConvolutionOnTheDouble, An_algorithm_that_refuses_when_it_runs_is_not_used) {
  controls().fail("cudnnConvolutionForward", 1, cudaErrorNotSupported);
  controls().fail("cudnnConvolutionBackwardData", 1, cudaErrorNotSupported);
  controls().fail("cudnnGetConvolutionBackwardFilterWorkspaceSize", 1, cudaErrorNotSupported);
  const Geometry g = geometries()[2];
  Step step(context().backend(), DType::float32, g, small_integer);
  for (const std::string& algorithm : step.algorithms())
    EXPECT_EQ(algorithm, "loops (cuDNN has no algorithm)");
  EXPECT_EQ(step.run().take(), expected(g, small_integer));
}

TEST_P(CudaConvolution, Sizes_beyond_cudnns_are_left_to_loops) {
  // A stride that no int holds; one window fits.
  Geometry g{"huge stride", 1, 3, 3, 1, 1, {3, 3, std::int64_t{1} << 33, 1}, 1, false};
  Step step(context().backend(), DType::float32, g.placed(), small_integer);
  EXPECT_THAT(step.algorithms()[0], HasSubstr("loops ("));
  if (on_the_double()) {
    EXPECT_EQ(step.algorithms()[0], "loops (cuDNN has no algorithm)");
  }
  EXPECT_EQ(step.run().take(), expected(g.placed(), small_integer));
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

TEST_P(CudaConvolutionOnTheDouble, Without_an_algorithm_that_repeats_its_bits_or_takes_float64_loops_serve) {
  const Geometry g = geometries()[4];
  controls().settings().refuses_float64_images = true;
  Step wide(context().backend(), DType::float64, g, small_integer);
  EXPECT_EQ(wide.run().take(), expected(g, small_integer));

  controls().settings().repeats_no_bits = true;
  for (const bool deterministic : {true, false}) {
    const Context fresh({.device = "cuda", .deterministic = deterministic});
    const std::int64_t before = controls().nondeterministic_convolutions();
    Step step(fresh.backend(), DType::float32, g, small_integer);
    EXPECT_EQ(step.run().take(), expected(g, small_integer));
    EXPECT_EQ(controls().nondeterministic_convolutions() > before, !deterministic);
  }
}

TEST_P(CudaConvolutionOnTheDouble, Every_call_of_cudnn_may_fail_and_each_is_told_by_name) {
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

TEST_P(CudaConvolutionOnTheDouble,
       An_algorithm_that_fails_when_it_is_tried_gives_way_to_the_next_and_all_to_loops) {
  const Geometry g = geometries()[4];
  for (const char* kind : {"Forward", "BackwardData", "BackwardFilter"})
    for (const std::string& function : {detail::concat("cudnnGetConvolution", kind, "WorkspaceSize"),
                                        detail::concat("cudnnConvolution", kind)})
      for (const int error : {cudaErrorInvalidValue, cudaErrorMemoryAllocation})
        for (const int times : {1, 100}) {
          SCOPED_TRACE(detail::concat(function, ", error ", error, ", ", times, " times"));
          controls().reset();
          const Context fresh({.device = "cuda"});
          controls().fail(function, 1, error, false, times);
          Step step(fresh.backend(), DType::float32, g, small_integer);
          controls().reset();
          EXPECT_EQ(step.run().take(), expected(g, small_integer));
        }
}

TEST_P(CudaConvolutionOnTheDouble, A_failure_in_a_step_run_one_by_one_is_told_by_name) {
  Step step(context().backend(), DType::float32, geometries()[2], small_integer);
  controls().fail("cudnnConvolutionForward", 1, cudaErrorInvalidValue);
  EXPECT_THROW(step.sequence().run_one_by_one(), DeviceError);
  EXPECT_EQ(step.run().take(), expected(geometries()[2], small_integer));
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
    EXPECT_EQ(now.at("cuDNN descriptor"), before["cuDNN descriptor"] + 3 * 4);
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
        arena.start();
        arena.set(in, small_integer);
        const auto sequence = context.backend().prepare({op::SumRows{in, out}}, arena.bindings());
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
    for (const char* algorithm : {"cuDNN IMPLICIT_GEMM", "cuDNN BWD_DATA_ALGO_1", "cuDNN BWD_FILTER_ALGO_1"})
      EXPECT_THAT(words, HasSubstr(algorithm));
    EXPECT_THAT(words, Not(HasSubstr("loops")));
  }
  for (std::size_t epoch = 0; epoch < 6; ++epoch)
    EXPECT_NEAR(losses[1][epoch] / losses[0][epoch], 1, 1e-5) << "epoch " << epoch;
  EXPECT_LT(losses[1].back(), 0.9 * losses[1].front());
}

}  // namespace
}  // namespace glia
