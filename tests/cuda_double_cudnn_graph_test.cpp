// The double's graphs of cuDNN: what its descriptors refuse, what its heuristics offer, and what plans compute.
// SPDX-License-Identifier: Apache-2.0
#include <cuda_runtime_api.h>
#include <cudnn.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "tests/cuda_double/controls.h"

extern "C" glia::cuda_double::Controls* glia_cuda_double();

namespace glia::cuda_double {
namespace {

using Descriptor = cudnnBackendDescriptor_t;
using Numbers = std::vector<std::int64_t>;

/// A convolution of an image of 3 x 3 by a filter of 2 x 2, one channel each, whose y a bias is added to and then a ReLU.
class CudnnGraphDouble : public ::testing::Test {
 protected:
  enum Names : std::int64_t { x = 1, w, y, bias, products, sums };

  void SetUp() override {
    glia_cuda_double()->reset();
    ASSERT_EQ(cudnnCreate(&handle_), CUDNN_STATUS_SUCCESS);
    before_ = glia_cuda_double()->live_objects()["cuDNN descriptor"];
  }
  void TearDown() override {
    glia_cuda_double()->reset();
    for (const Descriptor descriptor : made_) cudnnBackendDestroyDescriptor(descriptor);
    EXPECT_EQ(glia_cuda_double()->live_objects()["cuDNN descriptor"], before_);
    cudnnDestroy(handle_);
    for (void* memory : allocated_) cudaFree(memory);
  }

  Descriptor make(cudnnBackendDescriptorType_t type) {
    Descriptor made = nullptr;
    EXPECT_EQ(cudnnBackendCreateDescriptor(type, &made), CUDNN_STATUS_SUCCESS);
    made_.push_back(made);
    return made;
  }
  template <class T>
  static cudnnStatus_t set(Descriptor d, cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type,
                           const std::vector<T>& values) {
    return cudnnBackendSetAttribute(d, name, type, static_cast<std::int64_t>(values.size()), values.data());
  }
  static cudnnStatus_t set(Descriptor d, cudnnBackendAttributeName_t name, const Numbers& numbers) {
    return set(d, name, CUDNN_TYPE_INT64, numbers);
  }
  static cudnnStatus_t part(Descriptor d, cudnnBackendAttributeName_t name, Descriptor one) {
    return set<Descriptor>(d, name, CUDNN_TYPE_BACKEND_DESCRIPTOR, {one});
  }
  static Descriptor complete(Descriptor d) {
    EXPECT_EQ(cudnnBackendFinalize(d), CUDNN_STATUS_SUCCESS);
    return d;
  }

  /// Square; its channels are `axis` 1 and next to each other.
  Descriptor unfinished_tensor(std::int64_t name, std::int64_t channels, std::int64_t size, bool is_virtual) {
    const Descriptor d = make(CUDNN_BACKEND_TENSOR_DESCRIPTOR);
    set(d, CUDNN_ATTR_TENSOR_UNIQUE_ID, {name});
    set<cudnnDataType_t>(d, CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, {CUDNN_DATA_FLOAT});
    set(d, CUDNN_ATTR_TENSOR_DIMENSIONS, {1, channels, size, size});
    set(d, CUDNN_ATTR_TENSOR_STRIDES, {channels * size * size, 1, channels * size, channels});
    set(d, CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, {16});
    if (is_virtual)
      cudnnBackendSetAttribute(d, CUDNN_ATTR_TENSOR_IS_VIRTUAL, CUDNN_TYPE_BOOLEAN, 1, &is_virtual);
    return d;
  }
  Descriptor tensor(std::int64_t name, std::int64_t size, bool is_virtual = false) {
    return complete(unfinished_tensor(name, 1, size, is_virtual));
  }
  Descriptor unfinished_geometry(const Numbers& before, const Numbers& after, const Numbers& strides) {
    const Descriptor d = make(CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR);
    set(d, CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, {2});
    set<cudnnDataType_t>(d, CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, {CUDNN_DATA_FLOAT});
    set<cudnnConvolutionMode_t>(d, CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_TYPE_CONVOLUTION_MODE,
                                {CUDNN_CROSS_CORRELATION});
    set(d, CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, before);
    set(d, CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, after);
    set(d, CUDNN_ATTR_CONVOLUTION_DILATIONS, {1, 1});
    set(d, CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, strides);
    return d;
  }
  Descriptor unfinished_convolution(Descriptor geometry, Descriptor of_x, Descriptor of_w, Descriptor of_y) {
    const Descriptor d = make(CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR);
    part(d, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC, geometry);
    part(d, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X, of_x);
    part(d, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W, of_w);
    part(d, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y, of_y);
    return d;
  }
  Descriptor convolution(Descriptor of_y) {
    return complete(unfinished_convolution(complete(unfinished_geometry({0, 0}, {0, 0}, {1, 1})),
                                           tensor(x, 3), tensor(w, 2), of_y));
  }
  Descriptor unfinished_pointwise(cudnnPointwiseMode_t mode, Descriptor in, Descriptor other,
                                  Descriptor out) {
    const Descriptor function = make(CUDNN_BACKEND_POINTWISE_DESCRIPTOR);
    set<cudnnPointwiseMode_t>(function, CUDNN_ATTR_POINTWISE_MODE, CUDNN_TYPE_POINTWISE_MODE, {mode});
    set<cudnnDataType_t>(function, CUDNN_ATTR_POINTWISE_MATH_PREC, CUDNN_TYPE_DATA_TYPE, {CUDNN_DATA_FLOAT});
    const Descriptor d = make(CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR);
    part(d, CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, complete(function));
    part(d, CUDNN_ATTR_OPERATION_POINTWISE_XDESC, in);
    if (other) part(d, CUDNN_ATTR_OPERATION_POINTWISE_BDESC, other);
    part(d, CUDNN_ATTR_OPERATION_POINTWISE_YDESC, out);
    return d;
  }
  Descriptor unfinished_graph(const std::vector<Descriptor>& operations) {
    const Descriptor d = make(CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
    set(d, CUDNN_ATTR_OPERATIONGRAPH_OPS, CUDNN_TYPE_BACKEND_DESCRIPTOR, operations);
    set<cudnnHandle_t>(d, CUDNN_ATTR_OPERATIONGRAPH_HANDLE, CUDNN_TYPE_HANDLE, {handle_});
    return d;
  }
  Descriptor graph() {
    const Descriptor first = tensor(products, 2, true), second = tensor(sums, 2, true);
    return complete(unfinished_graph(
        {convolution(first),
         complete(unfinished_pointwise(CUDNN_POINTWISE_ADD, first, tensor(bias, 1), second)),
         complete(unfinished_pointwise(CUDNN_POINTWISE_RELU_FWD, second, nullptr, tensor(y, 2)))}));
  }
  std::vector<Descriptor> configurations(Descriptor of, cudnnBackendHeurMode_t mode = CUDNN_HEUR_MODE_A) {
    const Descriptor d = make(CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
    part(d, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, of);
    set<cudnnBackendHeurMode_t>(d, CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, {mode});
    if (cudnnBackendFinalize(d) != CUDNN_STATUS_SUCCESS) return {};
    std::int64_t count = 0;
    cudnnBackendGetAttribute(d, CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_TYPE_BACKEND_DESCRIPTOR, 0, &count,
                             nullptr);
    std::vector<Descriptor> all;
    for (std::int64_t i = 0; i < count; ++i) all.push_back(make(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR));
    cudnnBackendGetAttribute(d, CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_TYPE_BACKEND_DESCRIPTOR, count, &count,
                             all.data());
    return all;
  }
  Descriptor unfinished_plan(Descriptor configuration) {
    const Descriptor d = make(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
    part(d, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, configuration);
    set<cudnnHandle_t>(d, CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_TYPE_HANDLE, {handle_});
    return d;
  }
  std::int64_t index_of(Descriptor configuration) {
    Descriptor engine = make(CUDNN_BACKEND_ENGINE_DESCRIPTOR);
    std::int64_t count = 0, index = -1;
    cudnnBackendGetAttribute(configuration, CUDNN_ATTR_ENGINECFG_ENGINE, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1,
                             &count, &engine);
    cudnnBackendGetAttribute(engine, CUDNN_ATTR_ENGINE_GLOBAL_INDEX, CUDNN_TYPE_INT64, 1, &count, &index);
    return index;
  }
  Descriptor pack(const Numbers& names, const std::vector<void*>& addresses, void* workspace) {
    const Descriptor d = make(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR);
    set(d, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, names);
    set(d, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, addresses);
    if (workspace) set<void*>(d, CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, {workspace});
    return complete(d);
  }
  /// Copies by way of page-locked memory.
  static void copy(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind) {
    void* between = nullptr;
    EXPECT_EQ(cudaMallocHost(&between, bytes), cudaSuccess);
    if (kind == cudaMemcpyHostToDevice) std::memcpy(between, from, bytes);
    cudaMemcpyAsync(kind == cudaMemcpyHostToDevice ? to : between,
                    kind == cudaMemcpyHostToDevice ? between : from, bytes, kind, nullptr);
    cudaStreamSynchronize(nullptr);
    if (kind == cudaMemcpyDeviceToHost) std::memcpy(to, between, bytes);
    cudaFreeHost(between);
  }
  float* memory(const std::vector<float>& values) {
    void* device = nullptr;
    EXPECT_EQ(cudaMalloc(&device, values.size() * sizeof(float)), cudaSuccess);
    allocated_.push_back(device);
    copy(device, values.data(), values.size() * sizeof(float), cudaMemcpyHostToDevice);
    return static_cast<float*>(device);
  }

  cudnnHandle_t handle_ = nullptr;

 private:
  std::int64_t before_ = 0;
  std::vector<Descriptor> made_;
  std::vector<void*> allocated_;
};

TEST_F(CudnnGraphDouble, Attributes_are_refused_as_cudnn_9_refuses_them) {
  const Descriptor d = unfinished_tensor(x, 1, 3, false);
  const Numbers four{1, 1, 3, 3};
  EXPECT_EQ(set(d, CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_FLOAT, four),
            CUDNN_STATUS_BAD_PARAM_ATTRIBUTE_TYPE);
  EXPECT_EQ(set(d, CUDNN_ATTR_TENSOR_DIMENSIONS, {}), CUDNN_STATUS_BAD_PARAM);
  EXPECT_EQ(set(d, CUDNN_ATTR_TENSOR_UNIQUE_ID, {1, 2}), CUDNN_STATUS_BAD_PARAM);
  EXPECT_EQ(set(d, CUDNN_ATTR_CONVOLUTION_DILATIONS, {1, 1}), CUDNN_STATUS_BAD_PARAM) << "of another kind";
  EXPECT_EQ(cudnnBackendSetAttribute(d, CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64, 4, nullptr),
            CUDNN_STATUS_BAD_PARAM);
  EXPECT_EQ(cudnnBackendSetAttribute(nullptr, CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64, 4, four.data()),
            CUDNN_STATUS_BAD_PARAM);
  std::int64_t count = 0, value = 0;
  EXPECT_EQ(cudnnBackendGetAttribute(d, CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64, 1, &count, &value),
            CUDNN_STATUS_NOT_INITIALIZED);
  complete(d);
  EXPECT_EQ(cudnnBackendFinalize(d), CUDNN_STATUS_BAD_PARAM) << "twice";
  EXPECT_EQ(set(d, CUDNN_ATTR_TENSOR_UNIQUE_ID, {1}), CUDNN_STATUS_BAD_PARAM) << "too late";
  EXPECT_EQ(cudnnBackendGetAttribute(d, CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64, 1, &count, &value),
            CUDNN_STATUS_BAD_PARAM)
      << "the double gives what engines and plans have";
  EXPECT_EQ(
      cudnnBackendGetAttribute(nullptr, CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64, 1, &count, &value),
      CUDNN_STATUS_BAD_PARAM);
  EXPECT_EQ(cudnnBackendFinalize(nullptr), CUDNN_STATUS_BAD_PARAM);
  EXPECT_EQ(cudnnBackendCreateDescriptor(CUDNN_BACKEND_TENSOR_DESCRIPTOR, nullptr),
            CUDNN_STATUS_BAD_PARAM_NULL_POINTER);
  Descriptor none = nullptr;
  EXPECT_EQ(cudnnBackendCreateDescriptor(CUDNN_BACKEND_MATMUL_DESCRIPTOR, &none), CUDNN_STATUS_NOT_SUPPORTED);
}

TEST_F(CudnnGraphDouble, Descriptors_that_are_not_whole_or_fit_nothing_are_refused) {
  for (const auto type :
       {CUDNN_BACKEND_TENSOR_DESCRIPTOR, CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR,
        CUDNN_BACKEND_POINTWISE_DESCRIPTOR, CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR,
        CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR, CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR,
        CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR, CUDNN_BACKEND_ENGINECFG_DESCRIPTOR,
        CUDNN_BACKEND_ENGINE_DESCRIPTOR, CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR,
        CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR})
    EXPECT_EQ(cudnnBackendFinalize(make(type)), CUDNN_STATUS_BAD_PARAM) << type;
  const auto refused = [](Descriptor d, cudnnStatus_t status = CUDNN_STATUS_BAD_PARAM) {
    EXPECT_EQ(cudnnBackendFinalize(d), status);
  };
  const auto tensor_but = [&](cudnnBackendAttributeName_t name, const Numbers& numbers) {
    const Descriptor d = unfinished_tensor(x, 1, 3, false);
    set(d, name, numbers);
    return d;
  };
  refused(tensor_but(CUDNN_ATTR_TENSOR_DIMENSIONS, {1, 0, 3, 3}));
  refused(tensor_but(CUDNN_ATTR_TENSOR_STRIDES, {9, 1, 3}));
  refused(tensor_but(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, {12}));
  refused(unfinished_geometry({-1, 0}, {0, 0}, {1, 1}));
  refused(unfinished_geometry({0, 0}, {0}, {1, 1}));
  refused(unfinished_geometry({0, 0}, {0, 0}, {0, 1}));
  const Descriptor geometry = complete(unfinished_geometry({0, 0}, {0, 0}, {1, 1}));
  refused(unfinished_convolution(geometry, tensor(x, 3), tensor(w, 2), tensor(y, 3)));
  refused(unfinished_convolution(geometry, geometry, tensor(w, 2), tensor(y, 2)));
  refused(unfinished_convolution(tensor(x, 3), tensor(x, 3), tensor(w, 2), tensor(y, 2)));
  refused(unfinished_convolution(geometry, unfinished_tensor(x, 1, 3, false), tensor(w, 2), tensor(y, 2)),
          CUDNN_STATUS_BAD_PARAM_NOT_FINALIZED);
  refused(unfinished_pointwise(CUDNN_POINTWISE_ADD, tensor(products, 2), nullptr, tensor(y, 2)));
  refused(unfinished_pointwise(CUDNN_POINTWISE_RELU_FWD, tensor(products, 2), nullptr, tensor(y, 3)));
  const Descriptor heuristics = make(CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
  part(heuristics, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, geometry);
  set<cudnnBackendHeurMode_t>(heuristics, CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE,
                              {CUDNN_HEUR_MODE_A});
  refused(heuristics);
  refused(unfinished_plan(geometry));
}

TEST_F(CudnnGraphDouble, Graphs_of_other_patterns_and_operands_are_refused) {
  const auto refused = [&](const std::vector<Descriptor>& operations, cudnnStatus_t status) {
    EXPECT_EQ(cudnnBackendFinalize(unfinished_graph(operations)), status);
  };
  const Descriptor hidden = tensor(products, 2, true), seen = tensor(products, 2), result = tensor(y, 2);
  const auto pointwise = [&](cudnnPointwiseMode_t mode, Descriptor in, Descriptor other, Descriptor out) {
    return complete(unfinished_pointwise(mode, in, other, out));
  };
  const Descriptor add = pointwise(CUDNN_POINTWISE_ADD, hidden, tensor(bias, 1), result);
  refused({add}, CUDNN_STATUS_NOT_SUPPORTED_GRAPH_PATTERN);
  refused({convolution(seen), add}, CUDNN_STATUS_NOT_SUPPORTED_GRAPH_PATTERN);
  refused({convolution(hidden), convolution(result)}, CUDNN_STATUS_NOT_SUPPORTED_GRAPH_PATTERN);
  refused({convolution(hidden), pointwise(CUDNN_POINTWISE_RELU_FWD, hidden, nullptr, result)},
          CUDNN_STATUS_NOT_SUPPORTED_GRAPH_PATTERN);
  refused({convolution(hidden)}, CUDNN_STATUS_BAD_PARAM);
  refused({convolution(tensor(x, 2))}, CUDNN_STATUS_BAD_PARAM);  // two of one name
  refused({convolution(hidden), pointwise(CUDNN_POINTWISE_ADD, hidden, tensor(bias, 2), result)},
          CUDNN_STATUS_BAD_PARAM);
}

TEST_F(CudnnGraphDouble, Its_heuristics_put_first_what_must_not_be_taken) {
  const Descriptor whole = graph();
  Numbers indices;
  for (const Descriptor one : configurations(whole)) indices.push_back(index_of(one));
  EXPECT_EQ(indices, (Numbers{70, 11, 12, 13, 14, 15, 16, 17, 18, 47}));
  EXPECT_EQ(index_of(configurations(whole, CUDNN_HEUR_MODE_FALLBACK).at(0)), 0);
  glia_cuda_double()->settings().refused_convolutions = {"forward"};
  EXPECT_TRUE(configurations(whole).empty());
  glia_cuda_double()->reset();
  glia_cuda_double()->settings().refuses_graphs = true;
  EXPECT_TRUE(configurations(whole).empty());
  glia_cuda_double()->reset();
  EXPECT_EQ(cudnnBackendFinalize(unfinished_plan(configurations(whole)[6])), CUDNN_STATUS_NOT_SUPPORTED);
  std::int64_t count = 0, bytes = 0;
  const Descriptor plan = complete(unfinished_plan(configurations(whole)[5]));
  const auto size = [&](cudnnBackendAttributeType_t type) {
    return cudnnBackendGetAttribute(plan, CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE, type, 1, &count, &bytes);
  };
  EXPECT_EQ(size(CUDNN_TYPE_FLOAT), CUDNN_STATUS_BAD_PARAM_ATTRIBUTE_TYPE);
  EXPECT_EQ(size(CUDNN_TYPE_INT64), CUDNN_STATUS_SUCCESS);
  EXPECT_EQ(bytes, std::int64_t{1} << 40);
  Descriptor wrong = tensor(x, 3);
  EXPECT_EQ(cudnnBackendGetAttribute(configurations(whole)[0], CUDNN_ATTR_ENGINECFG_ENGINE,
                                     CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &count, &wrong),
            CUDNN_STATUS_BAD_PARAM);
}

TEST_F(CudnnGraphDouble, Padding_that_differs_and_channels_apart_have_no_engine) {
  const Descriptor uneven = complete(unfinished_geometry({0, 0}, {1, 1}, {1, 1}));
  const Descriptor apart = unfinished_tensor(x, 2, 3, false);
  set(apart, CUDNN_ATTR_TENSOR_STRIDES, {18, 9, 3, 1});
  const Descriptor even = complete(unfinished_geometry({0, 0}, {0, 0}, {1, 1}));
  for (const Descriptor one : {unfinished_convolution(uneven, tensor(x, 3), tensor(w, 2), tensor(y, 3)),
                               unfinished_convolution(even, complete(apart), tensor(w, 2), tensor(y, 2))})
    EXPECT_TRUE(configurations(complete(unfinished_graph({complete(one)}))).empty());
}

TEST_F(CudnnGraphDouble, A_plan_adds_its_bias_and_cuts_off_what_is_below_zero) {
  float* const of_x = memory({1, 2, 3, 4, 5, 6, 7, 8, 9});
  float* const of_w = memory({1, 0, 0, -2});
  float* const of_y = memory({NAN, NAN, NAN, NAN});
  float* const of_bias = memory({10});
  float* const workspace = memory(std::vector<float>(64));
  const auto configurations_of_all = configurations(graph());
  const Descriptor plan = complete(unfinished_plan(configurations_of_all.back()));
  const Numbers names{x, w, y, bias};
  const auto run = [&](Descriptor with) { return cudnnBackendExecute(handle_, plan, with); };
  ASSERT_EQ(run(pack(names, {of_x, of_w, of_y, of_bias}, workspace)), CUDNN_STATUS_SUCCESS);
  std::vector<float> seen(4);
  copy(seen.data(), of_y, 16, cudaMemcpyDeviceToHost);
  EXPECT_EQ(seen, (std::vector<float>{1, 0, 0, 0}));  // 1 - 10 + 10, 2 - 12 + 10, 4 - 16 + 10, 5 - 18 + 10

  EXPECT_EQ(run(pack({x, w, y}, {of_x, of_w, of_y}, workspace)), CUDNN_STATUS_BAD_PARAM) << "one is missing";
  EXPECT_EQ(run(pack({x, w, y, sums}, {of_x, of_w, of_y, of_bias}, workspace)), CUDNN_STATUS_BAD_PARAM);
  EXPECT_EQ(run(pack(names, {of_x, of_w, of_y, nullptr}, workspace)), CUDNN_STATUS_BAD_PARAM_NULL_POINTER);
  EXPECT_EQ(run(pack(names, {of_x, of_w, of_y, of_bias + 1}, workspace)),
            CUDNN_STATUS_BAD_PARAM_MISALIGNED_POINTER);
  EXPECT_EQ(run(pack(names, {of_x, of_w, of_y, of_bias}, nullptr)), CUDNN_STATUS_BAD_PARAM_NULL_POINTER);
  EXPECT_EQ(run(nullptr), CUDNN_STATUS_BAD_PARAM_NULL_POINTER);
  EXPECT_EQ(run(plan), CUDNN_STATUS_BAD_PARAM);
  EXPECT_EQ(run(make(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR)), CUDNN_STATUS_BAD_PARAM_NOT_FINALIZED);
  const Descriptor refusing = complete(unfinished_plan(configurations_of_all[7]));
  EXPECT_EQ(cudnnBackendExecute(handle_, refusing, pack(names, {of_x, of_w, of_y, of_bias}, workspace)),
            CUDNN_STATUS_EXECUTION_FAILED);
  const Descriptor twice = make(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR);
  set(twice, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, {x, x});
  set<void*>(twice, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, {of_x, of_x});
  EXPECT_EQ(cudnnBackendFinalize(twice), CUDNN_STATUS_BAD_PARAM);
  EXPECT_TRUE(glia_cuda_double()->traps().empty());
}

TEST_F(CudnnGraphDouble, What_lies_elsewhere_than_on_the_device_is_found_when_it_runs) {
  alignas(16) float on_host[4] = {};
  float* const workspace = memory(std::vector<float>(64));
  const Descriptor plan = complete(unfinished_plan(configurations(graph()).back()));
  ASSERT_EQ(cudnnBackendExecute(
                handle_, plan,
                pack({x, w, y, bias},
                     {memory(std::vector<float>(9)), memory({1, 1, 1, 1}), memory({1, 1, 1, 1}), on_host},
                     workspace)),
            CUDNN_STATUS_SUCCESS);
  cudaStreamSynchronize(nullptr);
  ASSERT_EQ(glia_cuda_double()->traps().size(), 1u);
  EXPECT_NE(glia_cuda_double()->traps()[0].find(": bias does not lie"), std::string::npos);
}

}  // namespace
}  // namespace glia::cuda_double
