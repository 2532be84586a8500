// What cuDNN's own heuristics say of the samples' convolutions on GPUs that are not here: cuDNN answers without a device where
// it is given one's properties (cuDNN documentation, CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR). Each convolution needs an engine that
// gives the same bits in every run, is as exact as was asked for, and fits the workspace that Glia allows.
// SPDX-License-Identifier: Apache-2.0
#include <cuda/cudnn.h>  // defines: workspace_limit
#include <cudnn.h>
#include <glia/glia.h>
#include <gtest/gtest.h>
#include <samples/fashion_mnist_models.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace glia {
namespace {

#define EXPECT_CUDNN(call) EXPECT_EQ(call, CUDNN_STATUS_SUCCESS) << #call

/// A descriptor, which is made here and goes with this.
class Described {
 public:
  explicit Described(cudnnBackendDescriptorType_t type) {
    EXPECT_CUDNN(cudnnBackendCreateDescriptor(type, &made_));
  }
  Described(Described&& other) noexcept : made_(std::exchange(other.made_, nullptr)) {}
  ~Described() {
    if (made_) cudnnBackendDestroyDescriptor(made_);
  }
  cudnnBackendDescriptor_t get() const { return made_; }

  template <class T>
  void set(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, const std::vector<T>& values) {
    EXPECT_CUDNN(
        cudnnBackendSetAttribute(made_, name, type, static_cast<std::int64_t>(values.size()), values.data()));
  }
  void set(cudnnBackendAttributeName_t name, const Described& value) {
    set<cudnnBackendDescriptor_t>(name, CUDNN_TYPE_BACKEND_DESCRIPTOR, {value.get()});
  }
  bool finish() { return cudnnBackendFinalize(made_) == CUDNN_STATUS_SUCCESS; }

  /// Of an attribute that has at most so many.
  template <class T>
  std::vector<T> values(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type,
                        std::int64_t most) const {
    std::vector<T> all(static_cast<std::size_t>(most));
    std::int64_t count = 0;
    if (cudnnBackendGetAttribute(made_, name, type, most, &count, all.data()) != CUDNN_STATUS_SUCCESS)
      count = 0;
    all.resize(static_cast<std::size_t>(count));
    return all;
  }

 private:
  cudnnBackendDescriptor_t made_ = nullptr;
};

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

Described device(const Chip& c) {
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
  Described d(CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR);
  EXPECT_CUDNN(cudnnBackendSetAttribute(d.get(), CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, CUDNN_TYPE_CHAR,
                                        static_cast<std::int64_t>(json.size() + 1), json.c_str()));
  EXPECT_TRUE(d.finish());
  return d;
}

/// A convolution of the samples: as descriptors have it.
struct Problem {
  enum Result { y, x, weights } result;
  Shape x_shape, y_shape;
  Window window;
  std::int64_t groups;

  std::vector<std::int64_t> weights_shape() const {
    return {y_shape[3], x_shape[3] / groups, window.height, window.width};
  }
  std::size_t elements() const {
    std::int64_t all = x_shape.elements() + y_shape.elements(), of_weights = 1;
    for (const std::int64_t n : weights_shape()) of_weights *= n;
    return static_cast<std::size_t>(all + of_weights);
  }
  auto key() const {
    const auto numbers = [](const Shape& s) { return std::vector<std::int64_t>(s.begin(), s.end()); };
    return std::make_tuple(static_cast<int>(result), numbers(x_shape), numbers(y_shape), weights_shape(),
                           window.stride_height, window.top, window.left);
  }
  std::string words() const {
    const char* const names[] = {"y", "gradient of x", "gradient of weights"};
    return detail::concat(names[result], ", ", x_shape, " to ", y_shape, ", window ", window.height, " x ",
                          window.width);
  }
};

/// Every convolution of a step of the samples' networks.
std::vector<Problem> problems() {
  std::vector<Problem> all;
  std::set<decltype(Problem{}.key())> seen;
  for (const samples::Layers& layers : {samples::cnn(), samples::resnet()})
    for (const std::int64_t batch : {1, 32, 128}) {
      Sequential model{Input({28, 28}), Reshape({28, 28, 1})};
      for (const Layer& layer : layers) model.add(layer);
      model.compile({.loss = "sparse_categorical_crossentropy", .device = "cpu"});
      for (const Descriptor& descriptor : model.program(Mode::train, batch).descriptors())
        std::visit(
            [&](const auto& d) {
              using D = std::decay_t<decltype(d)>;
              Problem p{};
              if constexpr (std::is_same_v<D, op::Convolution>)
                p = {Problem::y, d.x.shape, d.out.shape, d.window, d.groups};
              else if constexpr (std::is_same_v<D, op::ConvolutionTranspose>)
                p = {Problem::x, d.out.shape, d.x.shape, d.window, d.groups};
              else if constexpr (std::is_same_v<D, op::ConvolutionWeights>)
                p = {Problem::weights, d.x.shape, d.out_gradient.shape, d.window, d.groups};
              else
                return;
              if (seen.insert(p.key()).second) all.push_back(p);
            },
            descriptor);
    }
  return all;
}

enum class Exactness { float32, tf32, bfloat16 };

Described tensor(std::int64_t id, cudnnDataType_t type, const std::vector<std::int64_t>& nchw) {
  Described d(CUDNN_BACKEND_TENSOR_DESCRIPTOR);
  const std::int64_t c = nchw[1], h = nchw[2], w = nchw[3];
  d.set<cudnnDataType_t>(CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, {type});
  d.set<std::int64_t>(CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64, nchw);
  d.set<std::int64_t>(CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64, {h * w * c, 1, w * c, c});
  d.set<std::int64_t>(CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64, {id});
  d.set<std::int64_t>(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, CUDNN_TYPE_INT64, {16});
  EXPECT_TRUE(d.finish());
  return d;
}

/// The graph of one convolution, and what it is made of.
struct Graph {
  Described x, weights, y, geometry, operation, graph;

  Graph(const Problem& p, cudnnDataType_t type)
      : x(tensor(1, type, {p.x_shape[0], p.x_shape[3], p.x_shape[1], p.x_shape[2]})),
        weights(tensor(2, type, p.weights_shape())),
        y(tensor(3, type, {p.y_shape[0], p.y_shape[3], p.y_shape[1], p.y_shape[2]})),
        geometry(CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR),
        operation(p.result == Problem::y   ? CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR
                  : p.result == Problem::x ? CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR
                                           : CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR),
        graph(CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR) {
    const Window& w = p.window;
    geometry.set<std::int64_t>(CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, CUDNN_TYPE_INT64, {2});
    geometry.set<cudnnDataType_t>(CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, {CUDNN_DATA_FLOAT});
    geometry.set<cudnnConvolutionMode_t>(CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_TYPE_CONVOLUTION_MODE,
                                         {CUDNN_CROSS_CORRELATION});
    geometry.set<std::int64_t>(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, CUDNN_TYPE_INT64, {w.top, w.left});
    geometry.set<std::int64_t>(CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, CUDNN_TYPE_INT64, {w.top, w.left});
    geometry.set<std::int64_t>(CUDNN_ATTR_CONVOLUTION_DILATIONS, CUDNN_TYPE_INT64,
                               {w.dilation_height, w.dilation_width});
    geometry.set<std::int64_t>(CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, CUDNN_TYPE_INT64,
                               {w.stride_height, w.stride_width});
    EXPECT_TRUE(geometry.finish());
    // The attributes of each of the three operations.
    constexpr cudnnBackendAttributeName_t names[3][6] = {
        {CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X,
         CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y,
         CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA},
        {CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX,
         CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY,
         CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA},
        {CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X,
         CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY,
         CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA,
         CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA}};
    const cudnnBackendAttributeName_t* const name = names[p.result];
    operation.set(name[0], geometry), operation.set(name[1], x), operation.set(name[2], weights);
    operation.set(name[3], y);
    operation.set<float>(name[4], CUDNN_TYPE_FLOAT, {1}),
        operation.set<float>(name[5], CUDNN_TYPE_FLOAT, {0});
    EXPECT_TRUE(operation.finish());
    graph.set(CUDNN_ATTR_OPERATIONGRAPH_OPS, operation);
    EXPECT_TRUE(graph.finish());
  }
};

/// Whether an engine rounds as was asked for, and always the same way.
bool is_wanted(const Described& engine, Exactness exactness) {
  for (const int note : engine.values<int>(CUDNN_ATTR_ENGINE_NUMERICAL_NOTE, CUDNN_TYPE_NUMERICAL_NOTE, 32)) {
    if (note == CUDNN_NUMERICAL_NOTE_STRICT_NAN_PROP) continue;
    const bool of_tensor_cores =
        note == CUDNN_NUMERICAL_NOTE_TENSOR_CORE || note == CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS;
    if (!of_tensor_cores || exactness == Exactness::float32) return false;
  }
  return true;
}

/// The workspace of the first engine that will do, of those that heuristics name; -1 where there is none within `most`.
std::int64_t workspace_of_first(const Graph& g, const Described& chip, Exactness exactness,
                                std::int64_t most) {
  for (const auto mode : {CUDNN_HEUR_MODE_A, CUDNN_HEUR_MODE_FALLBACK}) {
    Described heuristics(CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
    heuristics.set(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, g.graph);
    heuristics.set<cudnnBackendHeurMode_t>(CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, {mode});
    heuristics.set(CUDNN_ATTR_ENGINEHEUR_DEVICEPROP, chip);
    if (!heuristics.finish()) continue;
    std::int64_t count = 0;
    EXPECT_CUDNN(cudnnBackendGetAttribute(heuristics.get(), CUDNN_ATTR_ENGINEHEUR_RESULTS,
                                          CUDNN_TYPE_BACKEND_DESCRIPTOR, 0, &count, nullptr));
    std::vector<Described> configurations;
    std::vector<cudnnBackendDescriptor_t> handles;
    for (std::int64_t i = 0; i < count; ++i) {
      configurations.emplace_back(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR);
      handles.push_back(configurations.back().get());
    }
    EXPECT_CUDNN(cudnnBackendGetAttribute(heuristics.get(), CUDNN_ATTR_ENGINEHEUR_RESULTS,
                                          CUDNN_TYPE_BACKEND_DESCRIPTOR, count, &count, handles.data()));
    for (std::int64_t i = 0; i < count; ++i) {
      const Described& configuration = configurations[static_cast<std::size_t>(i)];
      Described engine(CUDNN_BACKEND_ENGINE_DESCRIPTOR);
      cudnnBackendDescriptor_t of_engine = engine.get();
      std::int64_t one = 0;
      EXPECT_CUDNN(cudnnBackendGetAttribute(configuration.get(), CUDNN_ATTR_ENGINECFG_ENGINE,
                                            CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &one, &of_engine));
      if (!is_wanted(engine, exactness)) continue;
      Described plan(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
      plan.set(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, configuration);
      plan.set(CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP, chip);
      if (!plan.finish()) continue;
      const auto bytes =
          plan.values<std::int64_t>(CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE, CUDNN_TYPE_INT64, 1);
      if (!bytes.empty() && bytes[0] <= most) return bytes[0];
    }
  }
  return -1;
}

class CudnnHeuristics : public ::testing::TestWithParam<Chip> {};
INSTANTIATE_TEST_SUITE_P(Chips, CudnnHeuristics, ::testing::ValuesIn(chips),
                         [](const auto& info) { return "sm_" + std::to_string(info.param.sm); });

TEST_P(CudnnHeuristics, Every_convolution_of_the_samples_has_an_engine_that_repeats_its_bits_and_fits) {
  const Described chip = device(GetParam());
  const std::vector<Problem> all = problems();
  ASSERT_GT(all.size(), 20u);
  for (const Exactness exactness : {Exactness::float32, Exactness::tf32, Exactness::bfloat16}) {
    if (exactness == Exactness::bfloat16 && GetParam().sm < 80) continue;  // has no such tensor cores
    const bool is_bfloat16 = exactness == Exactness::bfloat16;
    for (const Problem& p : all) {
      const std::size_t limit = cuda::workspace_limit(p.elements() * (is_bfloat16 ? 2 : 4));
      const Graph graph(p, is_bfloat16 ? CUDNN_DATA_BFLOAT16 : CUDNN_DATA_FLOAT);
      EXPECT_GE(workspace_of_first(graph, chip, exactness, static_cast<std::int64_t>(limit)), 0)
          << p.words()
          << (is_bfloat16                    ? " in bfloat16"
              : exactness == Exactness::tf32 ? " in TF32"
                                             : " in float32");
    }
  }
}

/// What set the limit: with 64 MiB alone the heuristics' first choice would be left for a slower one.
TEST_P(CudnnHeuristics, The_first_choice_for_exact_gradients_of_larger_images_fits_too) {
  const Described chip = device(GetParam());
  constexpr std::int64_t any = std::int64_t{1} << 60;
  Window window;
  window.height = window.width = 3, window.top = window.left = 1;
  std::int64_t largest = 0;
  for (const std::int64_t batch : {128, 512})
    for (const auto result : {Problem::y, Problem::x, Problem::weights}) {
      const Problem p{result, {batch, 32, 32, 64}, {batch, 32, 32, 64}, window, 1};
      const Graph graph(p, CUDNN_DATA_FLOAT);
      const std::int64_t wanted = workspace_of_first(graph, chip, Exactness::float32, any);
      EXPECT_GE(wanted, 0) << p.words();
      EXPECT_LE(wanted, static_cast<std::int64_t>(cuda::workspace_limit(p.elements() * 4))) << p.words();
      largest = std::max(largest, wanted);
    }
  EXPECT_TRUE(GetParam().sm != 90 || largest > 64 * mib) << largest;
}

}  // namespace
}  // namespace glia
