// Every call of cuDNN's backend descriptors.
// SPDX-License-Identifier: Apache-2.0
#include <cuda/cudnn_check.h>
#include <cuda/cudnn_graph.h>
#include <cuda/faults.h>

#include <algorithm>

namespace glia::cuda {
namespace {

// CUDNN_ATTR_ENGINEHEUR_DEVICEPROP and CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP, which headers before cuDNN 9.8 have not.
constexpr auto heuristics_properties = static_cast<cudnnBackendAttributeName_t>(204);
constexpr auto plan_properties = static_cast<cudnnBackendAttributeName_t>(407);

/// The tensors of a graph, as their names in it.
enum Tensor : std::int64_t { x = 1, weights, y, bias, convolved, biased };

/// As cuDNN counts them: images, channels, height, width.
using Dimensions = std::vector<std::int64_t>;

Dimensions dimensions_of_images(const Shape& s) { return {s[0], s[3], s[1], s[2]}; }

/// Channels last.
Dimensions strides(const Dimensions& d) { return {d[1] * d[2] * d[3], 1, d[1] * d[3], d[1]}; }

cudnnDataType_t sum_type(DType dtype) {
  return dtype == DType::float64 ? CUDNN_DATA_DOUBLE : CUDNN_DATA_FLOAT;
}
cudnnDataType_t data_type(DType dtype) {
  return dtype == DType::bfloat16 ? CUDNN_DATA_BFLOAT16 : sum_type(dtype);
}

/// The attributes of each of the three operations, in the order of ConvolutionProblem::Result.
struct ConvolutionAttributes {
  cudnnBackendDescriptorType_t operation;
  cudnnBackendAttributeName_t geometry, x, weights, y, alpha, beta;
};
constexpr ConvolutionAttributes attributes[] = {
    {CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR,
     CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X,
     CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y,
     CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA},
    {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR,
     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX,
     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY,
     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA},
    {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR,
     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X,
     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY,
     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA}};

/// Makes the descriptors of a graph's parts.
class Parts {
 public:
  Parts(const CudnnApi& api, const ConvolutionProblem& problem, std::vector<BackendDescriptor>& made)
      : api_(api), problem_(problem), made_(made) {}

  /// Gives the operations.
  std::vector<cudnnBackendDescriptor_t> operations() {
    const Dimensions of_y = dimensions_of_images(problem_.y_shape);
    const cudnnBackendDescriptor_t result = stored(y, of_y);
    if (problem_.fused == ConvolutionProblem::nothing) return {convolution(result)};
    const cudnnBackendDescriptor_t products = on_the_way(convolved, of_y);
    const bool ends_there = problem_.fused == ConvolutionProblem::bias;
    const cudnnBackendDescriptor_t sums = ends_there ? result : on_the_way(biased, of_y);
    const cudnnBackendDescriptor_t added = stored(bias, {1, of_y[1], 1, 1});
    std::vector<cudnnBackendDescriptor_t> all{convolution(products),
                                              pointwise(CUDNN_POINTWISE_ADD, products, added, sums)};
    if (!ends_there) all.push_back(pointwise(CUDNN_POINTWISE_RELU_FWD, sums, nullptr, result));
    return all;
  }

 private:
  cudnnBackendDescriptor_t keep(BackendDescriptor part) {
    part.finalize();
    made_.push_back(std::move(part));
    return made_.back();
  }

  BackendDescriptor tensor(Tensor name, cudnnDataType_t type, const Dimensions& dimensions) const {
    BackendDescriptor d(api_, CUDNN_BACKEND_TENSOR_DESCRIPTOR);
    const Dimensions steps = strides(dimensions);
    d.set(CUDNN_ATTR_TENSOR_UNIQUE_ID, {name});
    d.set(CUDNN_ATTR_TENSOR_DATA_TYPE, type);
    d.set(CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64, 4, dimensions.data());
    d.set(CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64, 4, steps.data());
    d.set(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, {16});  // of the widest loads; ours start at multiples of more
    return d;
  }
  cudnnBackendDescriptor_t stored(Tensor name, const Dimensions& dimensions) {
    return keep(tensor(name, data_type(problem_.dtype), dimensions));
  }
  /// What is never in memory.
  cudnnBackendDescriptor_t on_the_way(Tensor name, const Dimensions& dimensions) {
    BackendDescriptor d = tensor(name, sum_type(problem_.dtype), dimensions);
    const bool yes = true;
    d.set(CUDNN_ATTR_TENSOR_IS_VIRTUAL, CUDNN_TYPE_BOOLEAN, 1, &yes);
    return keep(std::move(d));
  }

  cudnnBackendDescriptor_t geometry() {
    const Window& w = problem_.window;
    BackendDescriptor d(api_, CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR);
    const cudnnConvolutionMode_t mode = CUDNN_CROSS_CORRELATION;
    d.set(CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, {2});
    d.set(CUDNN_ATTR_CONVOLUTION_COMP_TYPE, sum_type(problem_.dtype));
    d.set(CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_TYPE_CONVOLUTION_MODE, 1, &mode);
    d.set(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, {w.top, w.left});
    d.set(CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, {w.top, w.left});
    d.set(CUDNN_ATTR_CONVOLUTION_DILATIONS, {w.dilation_height, w.dilation_width});
    d.set(CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, {w.stride_height, w.stride_width});
    return keep(std::move(d));
  }

  /// With `result` in the place of y.
  cudnnBackendDescriptor_t convolution(cudnnBackendDescriptor_t result) {
    const Window& w = problem_.window;
    const ConvolutionAttributes& named = attributes[problem_.result];
    BackendDescriptor d(api_, named.operation);
    d.set(named.geometry, geometry());
    d.set(named.x, stored(x, dimensions_of_images(problem_.x_shape)));
    // cuDNN counts groups by the channels that weights have.
    d.set(named.weights,
          stored(weights, {problem_.y_shape[3], problem_.x_shape[3] / problem_.groups, w.height, w.width}));
    d.set(named.y, result);
    if (problem_.dtype == DType::float64)
      scale<double>(d, named, CUDNN_TYPE_DOUBLE);
    else
      scale<float>(d, named, CUDNN_TYPE_FLOAT);
    return keep(std::move(d));
  }
  /// result = 1 * product + 0 * result.
  template <class T>
  static void scale(BackendDescriptor& d, const ConvolutionAttributes& named,
                    cudnnBackendAttributeType_t type) {
    const T one = 1, zero = 0;
    d.set(named.alpha, type, 1, &one);
    d.set(named.beta, type, 1, &zero);
  }

  /// out = mode(in, other), or of `in` alone. A NaN passes a ReLU by an attribute that is to go; whoever takes a plan tries.
  cudnnBackendDescriptor_t pointwise(cudnnPointwiseMode_t mode, cudnnBackendDescriptor_t in,
                                     cudnnBackendDescriptor_t other, cudnnBackendDescriptor_t out) {
    BackendDescriptor function(api_, CUDNN_BACKEND_POINTWISE_DESCRIPTOR);
    const cudnnNanPropagation_t keeps_nan = CUDNN_PROPAGATE_NAN;
    function.set(CUDNN_ATTR_POINTWISE_MODE, CUDNN_TYPE_POINTWISE_MODE, 1, &mode);
    function.set(CUDNN_ATTR_POINTWISE_MATH_PREC, sum_type(problem_.dtype));
    function.set(CUDNN_ATTR_POINTWISE_NAN_PROPAGATION, CUDNN_TYPE_NAN_PROPOGATION, 1, &keeps_nan);
    BackendDescriptor d(api_, CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR);
    d.set(CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, keep(std::move(function)));
    d.set(CUDNN_ATTR_OPERATION_POINTWISE_XDESC, in);
    if (other) d.set(CUDNN_ATTR_OPERATION_POINTWISE_BDESC, other);
    d.set(CUDNN_ATTR_OPERATION_POINTWISE_YDESC, out);
    return keep(std::move(d));
  }

  const CudnnApi& api_;
  const ConvolutionProblem& problem_;
  std::vector<BackendDescriptor>& made_;
};

/// Whether an engine rounds as sums of products do, as exactly as is asked for, gives the same bits in every run where that is
/// wanted, and is there already: what is compiled at run time takes seconds, and a compiler that may be missing.
bool is_wanted(const BackendDescriptor& engine, const ConvolutionProblem& problem, bool deterministic) {
  const bool rounds = problem.dtype == DType::bfloat16 ||
                      (problem.dtype == DType::float32 && problem.allows_tf32) ||
                      planted("convolution_in_tf32");
  const bool may_be_of_chance = !deterministic || planted("nondeterministic_convolution");
  const auto is_allowed = [&](int note) {
    switch (note) {
      case CUDNN_NUMERICAL_NOTE_STRICT_NAN_PROP:
        return true;
      case CUDNN_NUMERICAL_NOTE_TENSOR_CORE:  // which multiply float64 as it is
        return rounds || problem.dtype == DType::float64;
      case CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS:
        return rounds;
      case CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC:
        return may_be_of_chance;
      default:  // transforms, sums of fewer bits, and what later versions may note
        return false;
    }
  };
  const std::vector<int> notes =
      engine.values<int>(CUDNN_ATTR_ENGINE_NUMERICAL_NOTE, CUDNN_TYPE_NUMERICAL_NOTE, 32);
  const std::vector<int> behaviours =
      engine.values<int>(CUDNN_ATTR_ENGINE_BEHAVIOR_NOTE, CUDNN_TYPE_BEHAVIOR_NOTE, 32);
  return std::all_of(notes.begin(), notes.end(), is_allowed) &&
         std::find(behaviours.begin(), behaviours.end(), CUDNN_BEHAVIOR_NOTE_RUNTIME_COMPILATION) ==
             behaviours.end();
}

}  // namespace

BackendDescriptor::BackendDescriptor(const CudnnApi& api, cudnnBackendDescriptorType_t type) : api_(&api) {
  GLIA_CUDNN(api, BackendCreateDescriptor, type, &made_);
}
BackendDescriptor::~BackendDescriptor() {
  if (made_) static_cast<void>(api_->BackendDestroyDescriptor(made_));
}

void BackendDescriptor::set(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type,
                            std::int64_t count, const void* values) {
  GLIA_CUDNN(*api_, BackendSetAttribute, made_, name, type, count, values);
}
void BackendDescriptor::set(cudnnBackendAttributeName_t name, std::initializer_list<std::int64_t> numbers) {
  set(name, CUDNN_TYPE_INT64, static_cast<std::int64_t>(numbers.size()), numbers.begin());
}
void BackendDescriptor::set(cudnnBackendAttributeName_t name, cudnnDataType_t type) {
  set(name, CUDNN_TYPE_DATA_TYPE, 1, &type);
}
void BackendDescriptor::set(cudnnBackendAttributeName_t name, cudnnBackendDescriptor_t descriptor) {
  set(name, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &descriptor);
}
void BackendDescriptor::get(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type,
                            std::int64_t most, std::int64_t* count, void* values) const {
  GLIA_CUDNN(*api_, BackendGetAttribute, made_, name, type, most, count, values);
}
void BackendDescriptor::finalize() { GLIA_CUDNN(*api_, BackendFinalize, made_); }
bool BackendDescriptor::try_to_finalize() { return api_->BackendFinalize(made_) == CUDNN_STATUS_SUCCESS; }

std::size_t ConvolutionPlan::workspace_bytes() const {
  return static_cast<std::size_t>(
      plan_.values<std::int64_t>(CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE, CUDNN_TYPE_INT64, 1).at(0));
}

cudnnStatus_t ConvolutionPlan::run(cudnnHandle_t handle, const ConvolutionProblem& problem,
                                   const ConvolutionOperands& operands) const {
  const std::int64_t names[] = {x, weights, y, bias};
  void* const addresses[] = {operands.x, operands.weights, operands.y, operands.bias};
  const std::int64_t count = problem.fused == ConvolutionProblem::nothing ? 3 : 4;
  BackendDescriptor pack(*api_, CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR);
  pack.set(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_TYPE_INT64, count, names);
  pack.set(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, count, addresses);
  pack.set(CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, 1, &operands.workspace);
  pack.finalize();
  return api_->BackendExecute(handle, plan_, pack);
}

ConvolutionGraph::ConvolutionGraph(const CudnnApi& api, const CudnnTarget& target,
                                   const ConvolutionProblem& problem)
    : api_(api), target_(target), problem_(problem), graph_(api, CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR) {
  const auto operations = Parts(api, problem, parts_).operations();
  graph_.set(CUDNN_ATTR_OPERATIONGRAPH_OPS, CUDNN_TYPE_BACKEND_DESCRIPTOR,
             static_cast<std::int64_t>(operations.size()), operations.data());
  if (target.handle) graph_.set(CUDNN_ATTR_OPERATIONGRAPH_HANDLE, CUDNN_TYPE_HANDLE, 1, &target.handle);
  graph_.finalize();
}

std::vector<BackendDescriptor> ConvolutionGraph::configurations(cudnnBackendHeurMode_t mode) const {
  BackendDescriptor heuristics(api_, CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
  heuristics.set(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph_);
  heuristics.set(CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, 1, &mode);
  if (target_.properties) heuristics.set(heuristics_properties, target_.properties);
  std::vector<BackendDescriptor> all;
  if (!heuristics.try_to_finalize()) return all;
  std::int64_t count = 0;
  heuristics.get(CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_TYPE_BACKEND_DESCRIPTOR, 0, &count, nullptr);
  std::vector<cudnnBackendDescriptor_t> handles;
  for (std::int64_t i = 0; i < count; ++i)
    handles.push_back(all.emplace_back(api_, CUDNN_BACKEND_ENGINECFG_DESCRIPTOR));
  heuristics.get(CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_TYPE_BACKEND_DESCRIPTOR, count, &count, handles.data());
  return all;
}

std::optional<ConvolutionPlan> ConvolutionGraph::plan_of(BackendDescriptor configuration,
                                                         bool deterministic) const {
  BackendDescriptor engine(api_, CUDNN_BACKEND_ENGINE_DESCRIPTOR);
  cudnnBackendDescriptor_t engines = engine;
  std::int64_t count = 0;
  // Where an engine cannot be had, nothing is known of it.
  if (api_.BackendGetAttribute(configuration, CUDNN_ATTR_ENGINECFG_ENGINE, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1,
                               &count, &engines) != CUDNN_STATUS_SUCCESS ||
      !is_wanted(engine, problem_, deterministic))
    return {};
  BackendDescriptor plan(api_, CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
  plan.set(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, configuration);
  if (target_.handle) plan.set(CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_TYPE_HANDLE, 1, &target_.handle);
  if (target_.properties) plan.set(plan_properties, target_.properties);
  if (!plan.try_to_finalize()) return {};
  const auto number = engine.values<std::int64_t>(CUDNN_ATTR_ENGINE_GLOBAL_INDEX, CUDNN_TYPE_INT64, 1);
  return ConvolutionPlan(api_, std::move(configuration), std::move(plan), number.at(0));
}

std::optional<ConvolutionPlan> ConvolutionGraph::plan(
    bool deterministic, const std::function<bool(const ConvolutionPlan&)>& serves) const {
  for (const auto mode : {CUDNN_HEUR_MODE_A, CUDNN_HEUR_MODE_FALLBACK})
    for (BackendDescriptor& configuration : configurations(mode)) {
      std::optional<ConvolutionPlan> plan = plan_of(std::move(configuration), deterministic);
      if (plan && serves(*plan)) return plan;
    }
  return {};
}

}  // namespace glia::cuda
