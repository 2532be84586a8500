// What cuDNN's own heuristics say of the samples' convolutions on GPUs that are not here: cuDNN answers without a device where
// it is given one's properties (cuDNN documentation, CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR). The graphs, and what is wanted of an
// engine, are the CUDA backend's own (cudnn_graph.cpp): each convolution, with what it fuses, needs one that gives the same bits
// in every run, is as exact as was asked for, and fits the workspace that Glia allows.
// SPDX-License-Identifier: Apache-2.0
#include <cuda/check.h>
#include <cuda/convolution_problem.h>
#include <cuda/cudnn.h>  // defines: workspace_limit
#include <cuda/cudnn_graph.h>
#include <cudnn.h>
#include <glia/glia.h>
#include <gtest/gtest.h>
#include <samples/fashion_mnist_models.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <variant>
#include <vector>

namespace glia {

/// There is no device here, and no runtime to ask.
void cuda::fail_if_lost(const char*, SourceLocation) {}

namespace {

using cuda::ConvolutionProblem;

/// The functions of the library that this is linked to.
const cuda::CudnnApi& api() {
  static const cuda::CudnnApi all = [] {
    cuda::CudnnApi api = {};
#define GLIA_SET(name) api.name = cudnn##name;
    GLIA_CUDNN_FUNCTIONS(GLIA_SET)
#undef GLIA_SET
    return api;
  }();
  return all;
}

/// A GPU as NVIDIA describes it: T4, A100, A40, L4's chip, H100, B200, RTX 5090.
struct Chip {
  int sm, processors, shared_memory, threads, blocks;
  std::int64_t cache, memory;
  int clock, memory_clock;  ///< kHz
};
constexpr std::int64_t mib = 1 << 20, gib = 1 << 30;
const Chip chips[] = {{75, 40, 65536, 1024, 16, 4 * mib, 15 * gib, 1590000, 5001000},
                      {80, 108, 166912, 2048, 32, 40 * mib, 80 * gib, 1410000, 1593000},
                      {86, 84, 101376, 1536, 16, 6 * mib, 45 * gib, 1740000, 7251000},
                      {89, 128, 101376, 1536, 24, 72 * mib, 24 * gib, 2520000, 10501000},
                      {90, 132, 232448, 2048, 32, 50 * mib, 80 * gib, 1980000, 2619000},
                      {100, 148, 232448, 2048, 32, 126 * mib, 180 * gib, 1965000, 3996000},
                      {120, 170, 101376, 1536, 24, 96 * mib, 32 * gib, 2407000, 14001000}};

cuda::BackendDescriptor device(const Chip& c) {
  const std::string json = detail::concat(
      "{\"deviceVer\":", c.sm * 10, ",\"multiProcessorCount\":", c.processors,
      ",\"warpSize\":32,\"maxSharedMemoryPerBlock\":49152,\"maxSharedMemoryPerBlockOptin\":", c.shared_memory,
      ",\"reservedSharedMemoryPerBlock\":", c.sm >= 80 ? 1024 : 0,
      ",\"maxRegistersPerSM\":65536,\"maxCtasPerSM\":", c.blocks,
      ",\"maxThreadsPerBlock\":1024,\"maxThreadsPerSM\":", c.threads,
      ",\"regsPerBlock\":65536,\"totalGlobalMem\":", c.memory, ",\"smClockRateKHz\":", c.clock,
      ",\"l2CacheSize\":", c.cache, ",\"maxBlockSize\":[1024,1024,64],\"memClockRateKHz\":", c.memory_clock,
      ",\"maxGridSize\":[2147483647,65535,65535],\"supportCoopLaunch\":1,\"pciDeviceId\":0,\"isTccDriver\":0,"
      "\"cudaDeviceId\":0,\"driverVer\":13000,\"deviceName\":\"none\"}");
  cuda::BackendDescriptor d(api(), CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR);
  d.set(CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, CUDNN_TYPE_CHAR,
        static_cast<std::int64_t>(json.size() + 1), json.c_str());
  d.finalize();
  return d;
}

/// What tells convolutions apart.
auto key(const ConvolutionProblem& p) {
  const auto numbers = [](const Shape& s) { return std::vector<std::int64_t>(s.begin(), s.end()); };
  const Window& w = p.window;
  return std::make_tuple(p.result, numbers(p.x_shape), numbers(p.y_shape), w.height, w.width, w.stride_height,
                         w.top, w.left, p.fused);
}

std::string words(const ConvolutionProblem& p) {
  const char* const names[] = {"y", "gradient of x", "gradient of weights"};
  const char* const with[] = {"", " with bias", " with bias and relu"};
  return detail::concat(names[p.result], with[p.fused], ", ", p.x_shape, " to ", p.y_shape, ", window ",
                        p.window.height, " x ", p.window.width, ", ", p.dtype,
                        p.allows_tf32 ? ", TF32 allowed" : "");
}

/// Every convolution of a step of the samples' networks, as the CUDA backend asks cuDNN for it.
std::vector<ConvolutionProblem> problems() {
  std::vector<ConvolutionProblem> all;
  std::set<decltype(key(all[0]))> seen;
  for (const samples::Layers& layers : {samples::cnn(), samples::resnet()})
    for (const std::int64_t batch : {1, 32, 128}) {
      Sequential model{Input({28, 28}), Reshape({28, 28, 1})};
      for (const Layer& layer : layers) model.add(layer);
      model.compile({.loss = "sparse_categorical_crossentropy", .device = "cpu"});
      for (const Descriptor& descriptor : model.program(Mode::train, batch).descriptors())
        std::visit(
            [&](const auto& d) {
              if constexpr (requires { cuda::convolved(d); }) {
                const ConvolutionProblem p = cuda::problem_of(cuda::convolved(d));
                if (seen.insert(key(p)).second) all.push_back(p);
              }
            },
            descriptor);
    }
  return all;
}

enum class Exactness { float32, tf32, bfloat16, float64 };

ConvolutionProblem as(ConvolutionProblem p, Exactness exactness) {
  p.allows_tf32 = exactness == Exactness::tf32;
  if (exactness == Exactness::float64) p.dtype = DType::float64;
  if (exactness == Exactness::bfloat16) p.dtype = DType::bfloat16, p.fused = ConvolutionProblem::nothing;
  return p;
}

/// The workspace of the first engine that will do; nothing where there is none within `most`.
std::optional<std::size_t> workspace_of_first(const ConvolutionProblem& p, cudnnBackendDescriptor_t chip,
                                              std::size_t most) {
  const cuda::ConvolutionGraph graph(api(), {.properties = chip}, p);
  const auto fits = [&](const cuda::ConvolutionPlan& plan) { return plan.workspace_bytes() <= most; };
  const std::optional<cuda::ConvolutionPlan> plan = graph.plan(true, fits);
  if (!plan) return {};
  return plan->workspace_bytes();
}

std::size_t limit_of(const ConvolutionProblem& p) {
  return cuda::workspace_limit(p.x_bytes() + p.y_bytes() + p.weights_bytes());
}

/// ctest runs each chip in a process of its own: cuDNN prepares engines for the first GPU that it is asked for, and knows few of
/// another's.
class CudnnHeuristics : public ::testing::TestWithParam<Chip> {
 protected:
  void SetUp() override {
    static const int first = GetParam().sm;
    if (first != GetParam().sm) GTEST_SKIP() << "this process has asked for sm_" << first;
  }
};
INSTANTIATE_TEST_SUITE_P(Chips, CudnnHeuristics, ::testing::ValuesIn(chips),
                         [](const auto& info) { return "sm_" + std::to_string(info.param.sm); });

TEST_P(CudnnHeuristics, Every_convolution_of_the_samples_has_an_engine_that_repeats_its_bits_and_fits) {
  const cuda::BackendDescriptor chip = device(GetParam());
  const std::vector<ConvolutionProblem> all = problems();
  ASSERT_GT(all.size(), 20u);
  const auto fuses = [](const ConvolutionProblem& p) { return p.fused == ConvolutionProblem::bias_relu; };
  ASSERT_TRUE(std::any_of(all.begin(), all.end(), fuses));
  for (const Exactness exactness :
       {Exactness::float32, Exactness::tf32, Exactness::bfloat16, Exactness::float64}) {
    if (exactness == Exactness::bfloat16 && GetParam().sm < 80) continue;  // has no such tensor cores
    for (const ConvolutionProblem& one : all) {
      const ConvolutionProblem p = as(one, exactness);
      EXPECT_TRUE(workspace_of_first(p, chip, limit_of(p))) << words(p);
    }
  }
}

/// What set the limit: with 64 MiB alone the heuristics' first choice would be left for a slower one.
TEST_P(CudnnHeuristics, The_first_choice_for_exact_gradients_of_larger_images_fits_too) {
  const cuda::BackendDescriptor chip = device(GetParam());
  Window window;
  window.height = window.width = 3, window.top = window.left = 1;
  std::size_t largest = 0;
  for (const std::int64_t batch : {128, 512})
    for (const auto result : {ConvolutionProblem::y, ConvolutionProblem::x, ConvolutionProblem::weights}) {
      const Shape shape{batch, 32, 32, 64};
      const ConvolutionProblem p{result, DType::float32, shape, shape, window, 1, false};
      const std::optional<std::size_t> wanted = workspace_of_first(p, chip, ~std::size_t{0});
      ASSERT_TRUE(wanted) << words(p);
      EXPECT_LE(*wanted, limit_of(p)) << words(p);
      largest = std::max(largest, *wanted);
    }
  EXPECT_TRUE(GetParam().sm != 90 || largest > 64u * mib) << largest;
}

TEST_P(CudnnHeuristics, Bias_and_relu_are_fused_wherever_the_convolution_alone_has_an_engine) {
  const cuda::BackendDescriptor chip = device(GetParam());
  Window window;
  window.height = window.width = 3, window.top = window.left = 1;
  for (const DType dtype : {DType::float32, DType::float64})
    for (const bool allows_tf32 : {false, true})
      for (const auto fused :
           {ConvolutionProblem::nothing, ConvolutionProblem::bias, ConvolutionProblem::bias_relu})
        for (const std::int64_t groups : {1, 32}) {
          const ConvolutionProblem p{ConvolutionProblem::y, dtype,  {32, 14, 14, 32},
                                     {32, 14, 14, 64},      window, groups,
                                     allows_tf32,           fused};
          EXPECT_TRUE(workspace_of_first(p, chip, limit_of(p))) << words(p);
        }
}

}  // namespace
}  // namespace glia
