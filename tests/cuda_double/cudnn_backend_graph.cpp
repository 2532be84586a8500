// What the double's graphs of cuDNN mean, which engines its heuristics name for them, and how plans run. As in cudnn.cpp, what a
// careful caller must not take comes first.
// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <iterator>
#include <limits>
#include <set>
#include <string>

#include "tests/cuda_double/cudnn_backend.h"

namespace glia::cuda_double {
namespace {

constexpr cudnnStatus_t good = CUDNN_STATUS_SUCCESS, bad = CUDNN_STATUS_BAD_PARAM;

/// The attributes and the name of a convolution's operation.
struct Operation {
  cudnnBackendDescriptorType_t kind;
  Computed computed;
  const char* words;  // of Settings::refused_convolutions
  cudnnBackendAttributeName_t geometry, x, w, y, alpha, beta;
};
constexpr Operation operations[] = {
    {CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR, Computed::y, "forward",
     CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X,
     CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y,
     CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA},
    {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR, Computed::x, "backward data",
     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX,
     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY,
     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA},
    {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR, Computed::w, "backward filter",
     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X,
     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY,
     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA}};

const Operation* operation_of(cudnnBackendDescriptorType_t kind) {
  const auto found = std::find_if(std::begin(operations), std::end(operations),
                                  [&](const Operation& one) { return one.kind == kind; });
  return found == std::end(operations) ? nullptr : found;
}

using Numbers = std::vector<std::int64_t>;

bool is_virtual(const Described& tensor) {
  return tensor.has(CUDNN_ATTR_TENSOR_IS_VIRTUAL) && tensor.one<bool>(CUDNN_ATTR_TENSOR_IS_VIRTUAL);
}
std::int64_t name_of(const Described& tensor) {
  return tensor.one<std::int64_t>(CUDNN_ATTR_TENSOR_UNIQUE_ID);
}
Numbers dimensions(const Described& tensor) { return tensor.all<std::int64_t>(CUDNN_ATTR_TENSOR_DIMENSIONS); }

cudnnStatus_t complete_tensor(const Described& d) {
  const Numbers sizes = dimensions(d);
  const std::int64_t alignment = d.one<std::int64_t>(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT);
  const bool is_power = alignment > 0 && (alignment & (alignment - 1)) == 0;
  const bool is_shape = std::all_of(sizes.begin(), sizes.end(), [](std::int64_t n) { return n > 0; });
  return is_shape && is_power && d.all<std::int64_t>(CUDNN_ATTR_TENSOR_STRIDES).size() == sizes.size() ? good
                                                                                                       : bad;
}

cudnnStatus_t complete_geometry(const Described& d) {
  const auto axes = d.one<std::int64_t>(CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS);
  const auto fits = [&](cudnnBackendAttributeName_t name, std::int64_t least) {
    const Numbers numbers = d.all<std::int64_t>(name);
    return static_cast<std::int64_t>(numbers.size()) == axes &&
           std::all_of(numbers.begin(), numbers.end(), [&](std::int64_t n) { return n >= least; });
  };
  return fits(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, 0) && fits(CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, 0) &&
                 fits(CUDNN_ATTR_CONVOLUTION_DILATIONS, 1) && fits(CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, 1)
             ? good
             : bad;
}

/// A tensor as the legacy interface has it, where it is one of four axes whose channels are next to each other.
cudnnStatus_t read_images(const Described& d, cudnnTensorStruct& images) {
  const Numbers n = dimensions(d), steps = d.all<std::int64_t>(CUDNN_ATTR_TENSOR_STRIDES);
  if (n.size() != 4 || steps != Numbers{n[1] * n[2] * n[3], 1, n[1] * n[3], n[1]})
    return CUDNN_STATUS_NOT_SUPPORTED_LAYOUT;
  if (n[0] * n[1] * n[2] * n[3] > std::numeric_limits<int>::max()) return CUDNN_STATUS_NOT_SUPPORTED_SHAPE;
  const auto number = [&](int axis) { return static_cast<int>(n[static_cast<std::size_t>(axis)]); };
  images = {CUDNN_TENSOR_NHWC, d.one<cudnnDataType_t>(CUDNN_ATTR_TENSOR_DATA_TYPE),
            number(0),         number(1),
            number(2),         number(3)};
  return good;
}

cudnnStatus_t read_problem(const Described& d, const Operation& of, Problem& p) {
  cudnnTensorStruct w;
  for (const auto& [name, images] : {std::pair(of.x, &p.x), std::pair(of.w, &w), std::pair(of.y, &p.y)})
    if (const cudnnStatus_t status = read_images(d.part(name), *images); status != good) return status;
  p.w = {w.format, w.type, w.n, w.c, w.h, w.w};
  const Described& g = d.part(of.geometry);
  const auto pair_of = [&](cudnnBackendAttributeName_t name) {
    const Numbers two = g.all<std::int64_t>(name);
    return std::pair(static_cast<int>(two[0]), static_cast<int>(two.back()));
  };
  const auto padding = pair_of(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS);
  if (padding != pair_of(CUDNN_ATTR_CONVOLUTION_POST_PADDINGS)) return CUDNN_STATUS_NOT_SUPPORTED_PADDING;
  const auto stride = pair_of(CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES),
             dilation = pair_of(CUDNN_ATTR_CONVOLUTION_DILATIONS);
  p.convolution = {padding.first,
                   padding.second,
                   stride.first,
                   stride.second,
                   dilation.first,
                   dilation.second,
                   g.one<cudnnConvolutionMode_t>(CUDNN_ATTR_CONVOLUTION_CONV_MODE),
                   g.one<cudnnDataType_t>(CUDNN_ATTR_CONVOLUTION_COMP_TYPE),
                   p.w.c > 0 ? p.x.c / p.w.c : 1};
  return p.status();
}

bool is_of(const Described& part, cudnnBackendDescriptorType_t kind) { return part.type == kind; }

/// What fits no convolution is refused at once, what has no engine later.
cudnnStatus_t complete_convolution(const Described& d, const Operation& of) {
  for (const auto name : {of.x, of.w, of.y})
    if (!is_of(d.part(name), CUDNN_BACKEND_TENSOR_DESCRIPTOR)) return bad;
  if (!is_of(d.part(of.geometry), CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR)) return bad;
  Problem p;
  return read_problem(d, of, p) == bad ? bad : good;
}

cudnnStatus_t complete_pointwise(const Described& d) {
  const Described &function = d.part(CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR),
                  &in = d.part(CUDNN_ATTR_OPERATION_POINTWISE_XDESC),
                  &out = d.part(CUDNN_ATTR_OPERATION_POINTWISE_YDESC);
  if (!is_of(function, CUDNN_BACKEND_POINTWISE_DESCRIPTOR) || !is_of(in, CUDNN_BACKEND_TENSOR_DESCRIPTOR) ||
      !is_of(out, CUDNN_BACKEND_TENSOR_DESCRIPTOR) || dimensions(in) != dimensions(out))
    return bad;
  const bool of_two = function.one<cudnnPointwiseMode_t>(CUDNN_ATTR_POINTWISE_MODE) == CUDNN_POINTWISE_ADD;
  return of_two == d.has(CUDNN_ATTR_OPERATION_POINTWISE_BDESC) ? good : bad;
}

double scale_of(const Described& d, cudnnBackendAttributeName_t name, double otherwise) {
  if (!d.has(name)) return otherwise;
  return d.attributes.at(name).type == CUDNN_TYPE_DOUBLE ? d.one<double>(name)
                                                         : static_cast<double>(d.one<float>(name));
}

/// A convolution, or a forward one whose y a bias is added to, and then a ReLU.
cudnnStatus_t complete_graph(Described& d) {
  const std::vector<DescribedPtr>& parts = d.attributes.at(CUDNN_ATTR_OPERATIONGRAPH_OPS).descriptors;
  const Operation* const of = operation_of(parts[0]->type);
  if (!of || parts.size() > 3 || (parts.size() > 1 && of->computed != Computed::y))
    return CUDNN_STATUS_NOT_SUPPORTED_GRAPH_PATTERN;
  Meaning m;
  m.computed = of->computed;
  // What it cannot do is told by the heuristics.
  if (read_problem(*parts[0], *of, m.problem) != good) m.problem = {};
  m.alpha = scale_of(*parts[0], of->alpha, 1), m.beta = scale_of(*parts[0], of->beta, 0);
  std::vector<const Described*> operands{&parts[0]->part(of->x), &parts[0]->part(of->w)};
  const Described* y = &parts[0]->part(of->y);
  for (std::size_t i = 1; i < parts.size(); ++i) {
    const Described& one = *parts[i];
    if (!is_of(one, CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR))
      return CUDNN_STATUS_NOT_SUPPORTED_GRAPH_PATTERN;
    const auto mode = one.part(CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR)
                          .one<cudnnPointwiseMode_t>(CUDNN_ATTR_POINTWISE_MODE);
    const Described& in = one.part(CUDNN_ATTR_OPERATION_POINTWISE_XDESC);
    if (mode != (i == 1 ? CUDNN_POINTWISE_ADD : CUDNN_POINTWISE_RELU_FWD) || name_of(in) != name_of(*y) ||
        !is_virtual(*y))
      return CUDNN_STATUS_NOT_SUPPORTED_GRAPH_PATTERN;
    y = &one.part(CUDNN_ATTR_OPERATION_POINTWISE_YDESC);
    if (i == 2) {
      m.has_relu = true;
      continue;
    }
    operands.push_back(&one.part(CUDNN_ATTR_OPERATION_POINTWISE_BDESC));
    if (dimensions(*operands.back()) != Numbers{1, m.problem.y.c, 1, 1}) return bad;
    m.adds_bias = true, m.bias = name_of(*operands.back());
  }
  operands.push_back(y);
  m.x = name_of(*operands[0]), m.w = name_of(*operands[1]), m.y = name_of(*y);
  for (const Described* operand : operands) {
    const auto alignment = operand->one<std::int64_t>(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT);
    if (is_virtual(*operand) || !m.alignments.emplace(name_of(*operand), alignment).second) return bad;
  }
  d.meaning = std::make_shared<const Meaning>(m);
  return good;
}

std::vector<Engine> engines_of(const Meaning& m, cudnnBackendHeurMode_t mode) {
  constexpr std::size_t enormous = std::size_t{1} << 40;
  if (mode == CUDNN_HEUR_MODE_FALLBACK) return {{0, {CUDNN_NUMERICAL_NOTE_STRICT_NAN_PROP}}};
  const bool in_tf32 = m.problem.x.type == CUDNN_DATA_FLOAT;
  std::vector<Engine> all{{70, {CUDNN_NUMERICAL_NOTE_TENSOR_CORE, CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS}},
                          {11, {CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC}},
                          {12, {CUDNN_NUMERICAL_NOTE_WINOGRAD, CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_4x4}},
                          {13, {CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION}},
                          {14, {}, {CUDNN_BEHAVIOR_NOTE_RUNTIME_COMPILATION}},
                          {15},
                          {16},
                          {17},
                          {47, {}, {CUDNN_BEHAVIOR_NOTE_SUPPORTS_CUDA_GRAPH_NATIVE_API}}};
  if (m.has_relu) all.insert(all.end() - 1, Engine{18});
  for (Engine& one : all) {
    one.manner.in_tf32 = one.index == 70 && in_tf32;
    one.manner.of_chance = one.index == 11;
    one.manner.transforms = one.index == 12 || one.index == 13;
    if (one.index == 15) one.manner.workspace = enormous;
    one.has_plan = one.index != 16;
    one.works = one.index != 17;
    one.hides_nan = one.index == 18;
  }
  return all;
}

cudnnStatus_t complete_heuristics(Described& d) {
  const Described& graph = d.part(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH);
  if (!is_of(graph, CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR)) return bad;
  const Meaning& m = *graph.meaning;
  const Settings& s = settings();
  const auto of = std::find_if(std::begin(operations), std::end(operations),
                               [&](const Operation& one) { return one.computed == m.computed; });
  if (s.refuses_graphs || m.problem.x.n < 1 || s.refused_convolutions.count(of->words) > 0)
    return CUDNN_STATUS_NOT_SUPPORTED;
  d.meaning = graph.meaning;
  d.engines = engines_of(m, d.one<cudnnBackendHeurMode_t>(CUDNN_ATTR_ENGINEHEUR_MODE));
  for (Engine& one : d.engines) {
    one.manner.workspace += s.convolution_workspace;
    one.hides_nan = one.hides_nan || s.relu_hides_nan;
    one.has_plan = one.has_plan && !s.refuses_algorithms && !(s.repeats_no_bits && !one.manner.of_chance);
  }
  return good;
}

cudnnStatus_t complete_plan(Described& d) {
  const Described& configuration = d.part(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG);
  if (!is_of(configuration, CUDNN_BACKEND_ENGINECFG_DESCRIPTOR)) return bad;
  if (!configuration.engines[0].has_plan) return CUDNN_STATUS_NOT_SUPPORTED;
  d.meaning = configuration.meaning, d.engines = configuration.engines;
  return good;
}

cudnnStatus_t complete_pack(const Described& d) {
  const Numbers names = d.all<std::int64_t>(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS);
  const bool are_distinct = std::set<std::int64_t>(names.begin(), names.end()).size() == names.size();
  return are_distinct && d.all<void*>(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS).size() == names.size() ? good
                                                                                                    : bad;
}

}  // namespace

cudnnStatus_t complete(Described& d) {
  if (const Operation* const of = operation_of(d.type)) return complete_convolution(d, *of);
  switch (d.type) {
    case CUDNN_BACKEND_TENSOR_DESCRIPTOR:
      return complete_tensor(d);
    case CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR:
      return complete_geometry(d);
    case CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR:
      return complete_pointwise(d);
    case CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR:
      return complete_graph(d);
    case CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR:
      return complete_heuristics(d);
    case CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR:
      return complete_plan(d);
    case CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR:
      return complete_pack(d);
    default:  // a function of a pointwise operation
      return good;
  }
}

bool read(const Described& d, cudnnBackendAttributeName_t name, Readable& readable) {
  const auto notes = [](const std::vector<int>& all) { return Numbers(all.begin(), all.end()); };
  const auto made = [&](cudnnBackendDescriptorType_t type, const Engine& engine) {
    Described one{type, true};
    one.meaning = d.meaning, one.engines = {engine};
    return one;
  };
  if (name == CUDNN_ATTR_ENGINEHEUR_RESULTS && d.type == CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR) {
    readable.type = CUDNN_TYPE_BACKEND_DESCRIPTOR;
    for (const Engine& one : d.engines)
      readable.descriptors.push_back(made(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR, one));
  } else if (name == CUDNN_ATTR_ENGINECFG_ENGINE && d.type == CUDNN_BACKEND_ENGINECFG_DESCRIPTOR) {
    readable = {CUDNN_TYPE_BACKEND_DESCRIPTOR, {}, {made(CUDNN_BACKEND_ENGINE_DESCRIPTOR, d.engines[0])}};
  } else if (d.type == CUDNN_BACKEND_ENGINE_DESCRIPTOR) {
    const Engine& engine = d.engines[0];
    if (name == CUDNN_ATTR_ENGINE_NUMERICAL_NOTE)
      readable = {CUDNN_TYPE_NUMERICAL_NOTE, notes(engine.numerical_notes)};
    else if (name == CUDNN_ATTR_ENGINE_BEHAVIOR_NOTE)
      readable = {CUDNN_TYPE_BEHAVIOR_NOTE, notes(engine.behavior_notes)};
    else if (name == CUDNN_ATTR_ENGINE_GLOBAL_INDEX)
      readable = {CUDNN_TYPE_INT64, {engine.index}};
    else
      return false;
  } else if (name == CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE &&
             d.type == CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR) {
    readable = {CUDNN_TYPE_INT64, {static_cast<std::int64_t>(d.engines[0].manner.workspace)}};
  } else {
    return false;
  }
  return true;
}

cudnnStatus_t execute(cudnnHandle_t handle, const Described& plan, const Described& pack) {
  const Meaning& m = *plan.meaning;
  const Engine& engine = plan.engines[0];
  const Numbers names = pack.all<std::int64_t>(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS);
  const std::vector<void*> addresses = pack.all<void*>(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS);
  if (names.size() != m.alignments.size()) return bad;
  std::map<std::int64_t, void*> at;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const auto known = m.alignments.find(names[i]);
    if (known == m.alignments.end()) return bad;
    if (!addresses[i]) return CUDNN_STATUS_BAD_PARAM_NULL_POINTER;
    if (reinterpret_cast<std::uintptr_t>(addresses[i]) % static_cast<std::uintptr_t>(known->second) != 0)
      return CUDNN_STATUS_BAD_PARAM_MISALIGNED_POINTER;
    at[names[i]] = addresses[i];
  }
  void* const workspace = pack.has(CUDNN_ATTR_VARIANT_PACK_WORKSPACE)
                              ? pack.one<void*>(CUDNN_ATTR_VARIANT_PACK_WORKSPACE)
                              : nullptr;
  if (!workspace) return CUDNN_STATUS_BAD_PARAM_NULL_POINTER;
  if (!engine.works) return CUDNN_STATUS_EXECUTION_FAILED;
  const float alpha = static_cast<float>(m.alpha), beta = static_cast<float>(m.beta);
  const bool is_double = m.problem.x.type == CUDNN_DATA_DOUBLE;
  const Operands operands{is_double ? static_cast<const void*>(&m.alpha) : &alpha,
                          is_double ? static_cast<const void*>(&m.beta) : &beta,
                          at[m.x],
                          at[m.w],
                          at[m.y],
                          workspace,
                          engine.manner.workspace};
  return cudnn_status_of(enqueue_convolution(
      m.computed, "cudnnBackendExecute", m.problem, engine.manner, operands,
      {m.adds_bias ? at[m.bias] : nullptr, m.has_relu, engine.hides_nan}, handle->stream));
}

}  // namespace glia::cuda_double
