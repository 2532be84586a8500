// cuDNN's backend descriptors in the double: which attributes each kind has, and who refuses what. The statuses are those that
// cuDNN 9.19 answers, which needs no GPU for that; where it would crash, a bad parameter.
// SPDX-License-Identifier: Apache-2.0
#include "tests/cuda_double/cudnn_backend.h"

#include <algorithm>
#include <utility>

namespace glia::cuda_double {
namespace {

constexpr std::int64_t any = 64;

/// An attribute that a kind of descriptor has.
struct Rule {
  cudnnBackendDescriptorType_t kind;
  cudnnBackendAttributeName_t name;
  cudnnBackendAttributeType_t type;
  std::int64_t least, most;
  enum { optional, required } need;
};

#define GLIA_CONVOLUTION_OPERATION(KIND, SHORT, X, W, Y)                                         \
  {CUDNN_BACKEND_OPERATION_CONVOLUTION_##KIND##_DESCRIPTOR,                                      \
   CUDNN_ATTR_OPERATION_CONVOLUTION_##SHORT##_CONV_DESC,                                         \
   CUDNN_TYPE_BACKEND_DESCRIPTOR,                                                                \
   1,                                                                                            \
   1,                                                                                            \
   Rule::required},                                                                              \
      {CUDNN_BACKEND_OPERATION_CONVOLUTION_##KIND##_DESCRIPTOR,                                  \
       CUDNN_ATTR_OPERATION_CONVOLUTION_##SHORT##_##X,                                           \
       CUDNN_TYPE_BACKEND_DESCRIPTOR,                                                            \
       1,                                                                                        \
       1,                                                                                        \
       Rule::required},                                                                          \
      {CUDNN_BACKEND_OPERATION_CONVOLUTION_##KIND##_DESCRIPTOR,                                  \
       CUDNN_ATTR_OPERATION_CONVOLUTION_##SHORT##_##W,                                           \
       CUDNN_TYPE_BACKEND_DESCRIPTOR,                                                            \
       1,                                                                                        \
       1,                                                                                        \
       Rule::required},                                                                          \
      {CUDNN_BACKEND_OPERATION_CONVOLUTION_##KIND##_DESCRIPTOR,                                  \
       CUDNN_ATTR_OPERATION_CONVOLUTION_##SHORT##_##Y,                                           \
       CUDNN_TYPE_BACKEND_DESCRIPTOR,                                                            \
       1,                                                                                        \
       1,                                                                                        \
       Rule::required},                                                                          \
      {CUDNN_BACKEND_OPERATION_CONVOLUTION_##KIND##_DESCRIPTOR,                                  \
       CUDNN_ATTR_OPERATION_CONVOLUTION_##SHORT##_ALPHA,                                         \
       CUDNN_TYPE_FLOAT,                                                                         \
       1,                                                                                        \
       1,                                                                                        \
       Rule::optional},                                                                          \
      {CUDNN_BACKEND_OPERATION_CONVOLUTION_##KIND##_DESCRIPTOR,                                  \
       CUDNN_ATTR_OPERATION_CONVOLUTION_##SHORT##_ALPHA,                                         \
       CUDNN_TYPE_DOUBLE,                                                                        \
       1,                                                                                        \
       1,                                                                                        \
       Rule::optional},                                                                          \
      {CUDNN_BACKEND_OPERATION_CONVOLUTION_##KIND##_DESCRIPTOR,                                  \
       CUDNN_ATTR_OPERATION_CONVOLUTION_##SHORT##_BETA,                                          \
       CUDNN_TYPE_FLOAT,                                                                         \
       1,                                                                                        \
       1,                                                                                        \
       Rule::optional},                                                                          \
  {                                                                                              \
    CUDNN_BACKEND_OPERATION_CONVOLUTION_##KIND##_DESCRIPTOR,                                     \
        CUDNN_ATTR_OPERATION_CONVOLUTION_##SHORT##_BETA, CUDNN_TYPE_DOUBLE, 1, 1, Rule::optional \
  }

constexpr Rule rules[] = {
    {CUDNN_BACKEND_TENSOR_DESCRIPTOR, CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64, 1, 1, Rule::required},
    {CUDNN_BACKEND_TENSOR_DESCRIPTOR, CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, 1, 1,
     Rule::required},
    {CUDNN_BACKEND_TENSOR_DESCRIPTOR, CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64, 1, 8, Rule::required},
    {CUDNN_BACKEND_TENSOR_DESCRIPTOR, CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64, 1, 8, Rule::required},
    {CUDNN_BACKEND_TENSOR_DESCRIPTOR, CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, CUDNN_TYPE_INT64, 1, 1,
     Rule::required},
    {CUDNN_BACKEND_TENSOR_DESCRIPTOR, CUDNN_ATTR_TENSOR_IS_VIRTUAL, CUDNN_TYPE_BOOLEAN, 1, 1, Rule::optional},
    {CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR, CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, CUDNN_TYPE_INT64, 1, 1,
     Rule::required},
    {CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR, CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, 1, 1,
     Rule::required},
    {CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR, CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_TYPE_CONVOLUTION_MODE, 1,
     1, Rule::required},
    {CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR, CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, CUDNN_TYPE_INT64, 1, 3,
     Rule::required},
    {CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR, CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, CUDNN_TYPE_INT64, 1, 3,
     Rule::required},
    {CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR, CUDNN_ATTR_CONVOLUTION_DILATIONS, CUDNN_TYPE_INT64, 1, 3,
     Rule::required},
    {CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR, CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, CUDNN_TYPE_INT64, 1, 3,
     Rule::required},
    {CUDNN_BACKEND_POINTWISE_DESCRIPTOR, CUDNN_ATTR_POINTWISE_MODE, CUDNN_TYPE_POINTWISE_MODE, 1, 1,
     Rule::required},
    {CUDNN_BACKEND_POINTWISE_DESCRIPTOR, CUDNN_ATTR_POINTWISE_MATH_PREC, CUDNN_TYPE_DATA_TYPE, 1, 1,
     Rule::required},
    {CUDNN_BACKEND_POINTWISE_DESCRIPTOR, CUDNN_ATTR_POINTWISE_NAN_PROPAGATION, CUDNN_TYPE_NAN_PROPOGATION, 1,
     1, Rule::optional},
    GLIA_CONVOLUTION_OPERATION(FORWARD, FORWARD, X, W, Y),
    GLIA_CONVOLUTION_OPERATION(BACKWARD_DATA, BWD_DATA, DX, W, DY),
    GLIA_CONVOLUTION_OPERATION(BACKWARD_FILTER, BWD_FILTER, X, DW, DY),
    {CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR, CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR,
     CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, 1, Rule::required},
    {CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR, CUDNN_ATTR_OPERATION_POINTWISE_XDESC,
     CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, 1, Rule::required},
    {CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR, CUDNN_ATTR_OPERATION_POINTWISE_BDESC,
     CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, 1, Rule::optional},
    {CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR, CUDNN_ATTR_OPERATION_POINTWISE_YDESC,
     CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, 1, Rule::required},
    {CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR, CUDNN_ATTR_OPERATIONGRAPH_OPS, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1,
     any, Rule::required},
    {CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR, CUDNN_ATTR_OPERATIONGRAPH_HANDLE, CUDNN_TYPE_HANDLE, 1, 1,
     Rule::required},
    {CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH,
     CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, 1, Rule::required},
    {CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR, CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, 1, 1,
     Rule::required},
    {CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG,
     CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, 1, Rule::required},
    {CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR, CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_TYPE_HANDLE, 1, 1,
     Rule::required},
    {CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_TYPE_INT64, 1, any,
     Rule::required},
    {CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, 1,
     any, Rule::required},
    {CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR, CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, 1, 1,
     Rule::optional},
};
#undef GLIA_CONVOLUTION_OPERATION

std::size_t bytes_of(cudnnBackendAttributeType_t type) {
  switch (type) {
    case CUDNN_TYPE_BOOLEAN:
      return sizeof(bool);
    case CUDNN_TYPE_INT64:
    case CUDNN_TYPE_DOUBLE:
    case CUDNN_TYPE_HANDLE:
    case CUDNN_TYPE_VOID_PTR:
    case CUDNN_TYPE_BACKEND_DESCRIPTOR:
      return 8;
    default:  // float and enumerations
      return 4;
  }
}

DescribedPtr& described(cudnnBackendDescriptor_t descriptor) {
  return *static_cast<DescribedPtr*>(descriptor);
}

/// Kinds that only cuDNN completes.
bool is_given(cudnnBackendDescriptorType_t kind) {
  return kind == CUDNN_BACKEND_ENGINECFG_DESCRIPTOR || kind == CUDNN_BACKEND_ENGINE_DESCRIPTOR;
}
bool is_kind(cudnnBackendDescriptorType_t kind) {
  return is_given(kind) ||
         std::any_of(std::begin(rules), std::end(rules), [&](const Rule& rule) { return rule.kind == kind; });
}

cudnnStatus_t set(Described& d, cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type,
                  std::int64_t count, const void* values) {
  if (d.finalized || !values) return CUDNN_STATUS_BAD_PARAM;
  cudnnStatus_t status = CUDNN_STATUS_BAD_PARAM;
  for (const Rule& rule : rules) {
    if (rule.kind != d.type || rule.name != name) continue;
    status = CUDNN_STATUS_BAD_PARAM_ATTRIBUTE_TYPE;
    if (rule.type != type) continue;
    if (count < rule.least || count > rule.most) return CUDNN_STATUS_BAD_PARAM;
    Attribute& attribute = d.attributes[name] = {type, {}, {}};
    const std::size_t bytes = static_cast<std::size_t>(count) * bytes_of(type);
    attribute.bytes.resize(bytes);
    std::memcpy(attribute.bytes.data(), values, bytes);
    if (type == CUDNN_TYPE_BACKEND_DESCRIPTOR)
      for (const cudnnBackendDescriptor_t one : d.all<cudnnBackendDescriptor_t>(name))
        attribute.descriptors.push_back(one ? described(one) : nullptr);
    return CUDNN_STATUS_SUCCESS;
  }
  return status;
}

cudnnStatus_t finalize(Described& d) {
  if (d.finalized || is_given(d.type)) return CUDNN_STATUS_BAD_PARAM;
  for (const Rule& rule : rules)
    if (rule.kind == d.type && rule.need == Rule::required && !d.has(rule.name))
      return CUDNN_STATUS_BAD_PARAM;
  for (const auto& [name, attribute] : d.attributes)
    for (const DescribedPtr& part : attribute.descriptors)
      if (!part || !part->finalized) return CUDNN_STATUS_BAD_PARAM_NOT_FINALIZED;
  const cudnnStatus_t status = complete(d);
  d.finalized = status == CUDNN_STATUS_SUCCESS;
  return status;
}

cudnnStatus_t get(const Described& d, cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type,
                  std::int64_t most, std::int64_t* count, void* values) {
  if (!d.finalized) return CUDNN_STATUS_NOT_INITIALIZED;
  Readable readable;
  if (!read(d, name, readable)) return CUDNN_STATUS_BAD_PARAM;
  if (readable.type != type) return CUDNN_STATUS_BAD_PARAM_ATTRIBUTE_TYPE;
  const std::size_t has = std::max(readable.numbers.size(), readable.descriptors.size());
  const std::size_t given = std::min(has, static_cast<std::size_t>(values ? most : 0));
  *count = static_cast<std::int64_t>(values ? given : has);
  for (std::size_t i = 0; i < given; ++i) {
    if (type != CUDNN_TYPE_BACKEND_DESCRIPTOR) {
      std::memcpy(static_cast<std::byte*>(values) + i * bytes_of(type), &readable.numbers[i], bytes_of(type));
      continue;
    }
    // The caller has made those that are filled.
    const cudnnBackendDescriptor_t made = static_cast<const cudnnBackendDescriptor_t*>(values)[i];
    if (!made || described(made)->finalized || described(made)->type != readable.descriptors[i].type)
      return CUDNN_STATUS_BAD_PARAM;
    *described(made) = readable.descriptors[i];
  }
  return CUDNN_STATUS_SUCCESS;
}

}  // namespace
}  // namespace glia::cuda_double

using namespace glia::cuda_double;

extern "C" {

cudnnStatus_t cudnnBackendCreateDescriptor(cudnnBackendDescriptorType_t type,
                                           cudnnBackendDescriptor_t* descriptor) {
  GLIA_DOUBLE_ENTER_DNN();
  if (!descriptor) return CUDNN_STATUS_BAD_PARAM_NULL_POINTER;
  if (!is_kind(type)) return CUDNN_STATUS_NOT_SUPPORTED;
  *descriptor = new DescribedPtr(std::make_shared<Described>(Described{type}));
  count_object("cuDNN descriptor", 1);
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnBackendDestroyDescriptor(cudnnBackendDescriptor_t descriptor) {
  GLIA_DOUBLE_ENTER_TO_DESTROY();
  delete &described(descriptor);
  count_object("cuDNN descriptor", -1);
  return cudnn_status_of(before);
}
cudnnStatus_t cudnnBackendSetAttribute(cudnnBackendDescriptor_t descriptor, cudnnBackendAttributeName_t name,
                                       cudnnBackendAttributeType_t type, std::int64_t count,
                                       const void* values) {
  GLIA_DOUBLE_ENTER_DNN();
  return descriptor ? set(*described(descriptor), name, type, count, values) : CUDNN_STATUS_BAD_PARAM;
}
cudnnStatus_t cudnnBackendGetAttribute(cudnnBackendDescriptor_t const descriptor,
                                       cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type,
                                       std::int64_t most, std::int64_t* count, void* values) {
  GLIA_DOUBLE_ENTER_DNN();
  if (!descriptor || !count || most < 0) return CUDNN_STATUS_BAD_PARAM;
  return get(*described(descriptor), name, type, most, count, values);
}
cudnnStatus_t cudnnBackendFinalize(cudnnBackendDescriptor_t descriptor) {
  GLIA_DOUBLE_ENTER_DNN();
  return descriptor ? finalize(*described(descriptor)) : CUDNN_STATUS_BAD_PARAM;
}
cudnnStatus_t cudnnBackendExecute(cudnnHandle_t handle, cudnnBackendDescriptor_t plan,
                                  cudnnBackendDescriptor_t pack) {
  GLIA_DOUBLE_ENTER_DNN();
  if (!handle || !plan || !pack) return CUDNN_STATUS_BAD_PARAM_NULL_POINTER;
  const Described &of_plan = *described(plan), &of_pack = *described(pack);
  if (of_plan.type != CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR ||
      of_pack.type != CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR)
    return CUDNN_STATUS_BAD_PARAM;
  if (!of_plan.finalized || !of_pack.finalized) return CUDNN_STATUS_BAD_PARAM_NOT_FINALIZED;
  return execute(handle, of_plan, of_pack);
}

}  // extern "C"
