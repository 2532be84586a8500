// cuBLASLt of the double (cuBLAS Library, chapter "Using the cuBLASLt API"): its objects, column-major layouts among them, and
// heuristics that may have no algorithm. Its products are in cublaslt_product.cpp.
// SPDX-License-Identifier: Apache-2.0
#include <cublasLt.h>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>

#include "tests/cuda_double/cublaslt_product.h"

namespace glia::cuda_double {
namespace {

struct Preference {
  std::uint64_t workspace = 0;
  std::uint32_t alignment[4] = {256, 256, 256, 256};  // of A, B, C, D
};

/// What the opaque algorithm holds: the problem it is for, by a checksum, and what it asks of its caller.
struct Algorithm {
  std::uint64_t problem, workspace;
  std::uint32_t alignment[4];
  bool refuses;  ///< when it runs
};
constexpr int offered_candidates = 3;
static_assert(sizeof(Algorithm) <= sizeof(cublasLtMatmulAlgo_t));

cublasStatus_t status_of(cudaError_t error) {
  if (error == cudaSuccess) return CUBLAS_STATUS_SUCCESS;
  return error == cudaErrorMemoryAllocation ? CUBLAS_STATUS_ALLOC_FAILED : CUBLAS_STATUS_EXECUTION_FAILED;
}

bool is_aligned(const void* address, std::uint32_t alignment) {
  return reinterpret_cast<std::uintptr_t>(address) % alignment == 0;
}

/// An attribute is given as bytes, as many as it has.
template <class T>
cublasStatus_t set(T& attribute, const void* value, std::size_t bytes) {
  if (!value || bytes != sizeof attribute) return CUBLAS_STATUS_INVALID_VALUE;
  std::memcpy(&attribute, value, bytes);
  return CUBLAS_STATUS_SUCCESS;
}

template <class T, class Opaque>
T& seen(Opaque* descriptor) {
  return *reinterpret_cast<T*>(descriptor);
}
template <class T, class Opaque>
cublasStatus_t create(Opaque** descriptor, const T& value) {
  *descriptor = reinterpret_cast<Opaque*>(new T(value));
  count_object("cuBLASLt descriptor", 1);
  return CUBLAS_STATUS_SUCCESS;
}
template <class T, class Opaque>
void destroy(Opaque* descriptor) {
  delete &seen<T>(descriptor);
  count_object("cuBLASLt descriptor", -1);
}

}  // namespace
}  // namespace glia::cuda_double

using namespace glia::cuda_double;

#define GLIA_DOUBLE_ENTER_LT()                            \
  const std::lock_guard lock(glia::cuda_double::mutex()); \
  if (const cudaError_t error = enter(__func__); error != cudaSuccess) return status_of(error)

struct cublasLtContext {};

extern "C" {

cublasStatus_t cublasLtCreate(cublasLtHandle_t* handle) {
  GLIA_DOUBLE_ENTER_LT();
  touch_device();
  *handle = new cublasLtContext;
  count_object("cuBLASLt handle", 1);
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtDestroy(cublasLtHandle_t handle) {
  GLIA_DOUBLE_ENTER_TO_DESTROY();
  delete handle;
  count_object("cuBLASLt handle", -1);
  return status_of(before);
}
std::size_t cublasLtGetVersion() { return 130100; }

const char* cublasLtGetStatusName(cublasStatus_t status) {
  switch (status) {
#define GLIA_NAMED(name) \
  case name:             \
    return #name;
    GLIA_NAMED(CUBLAS_STATUS_SUCCESS)
    GLIA_NAMED(CUBLAS_STATUS_NOT_INITIALIZED)
    GLIA_NAMED(CUBLAS_STATUS_ALLOC_FAILED)
    GLIA_NAMED(CUBLAS_STATUS_INVALID_VALUE)
    GLIA_NAMED(CUBLAS_STATUS_ARCH_MISMATCH)
    GLIA_NAMED(CUBLAS_STATUS_MAPPING_ERROR)
    GLIA_NAMED(CUBLAS_STATUS_EXECUTION_FAILED)
    GLIA_NAMED(CUBLAS_STATUS_INTERNAL_ERROR)
    GLIA_NAMED(CUBLAS_STATUS_NOT_SUPPORTED)
    GLIA_NAMED(CUBLAS_STATUS_LICENSE_ERROR)
#undef GLIA_NAMED
    default:
      return "unknown status";
  }
}
const char* cublasLtGetStatusString(cublasStatus_t status) { return cublasLtGetStatusName(status); }

cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t* operation, cublasComputeType_t compute,
                                        cudaDataType_t scale) {
  GLIA_DOUBLE_ENTER_LT();
  return create(operation, Operation{compute, scale});
}
cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t operation) {
  GLIA_DOUBLE_ENTER_TO_DESTROY();
  destroy<Operation>(operation);
  return status_of(before);
}
cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t operation,
                                              cublasLtMatmulDescAttributes_t attribute, const void* value,
                                              std::size_t bytes) {
  GLIA_DOUBLE_ENTER_LT();
  Operation& o = seen<Operation>(operation);
  if (attribute == CUBLASLT_MATMUL_DESC_TRANSA) return set(o.transpose_a, value, bytes);
  if (attribute == CUBLASLT_MATMUL_DESC_TRANSB) return set(o.transpose_b, value, bytes);
  if (attribute == CUBLASLT_MATMUL_DESC_EPILOGUE) return set(o.epilogue, value, bytes);
  if (attribute == CUBLASLT_MATMUL_DESC_BIAS_POINTER) return set(o.bias, value, bytes);
  if (attribute == CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER) return set(o.aux, value, bytes);
  if (attribute == CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD) return set(o.aux_stride, value, bytes);
  return CUBLAS_STATUS_INVALID_VALUE;  // the double knows what Glia uses
}

cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t* layout, cudaDataType type,
                                          std::uint64_t rows, std::uint64_t columns, std::int64_t stride) {
  GLIA_DOUBLE_ENTER_LT();
  return create(layout, Layout{type, rows, columns, stride});
}
cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t layout) {
  GLIA_DOUBLE_ENTER_TO_DESTROY();
  destroy<Layout>(layout);
  return status_of(before);
}
cublasStatus_t cublasLtMatrixLayoutSetAttribute(cublasLtMatrixLayout_t layout,
                                                cublasLtMatrixLayoutAttribute_t attribute, const void* value,
                                                std::size_t bytes) {
  GLIA_DOUBLE_ENTER_LT();
  Layout& l = seen<Layout>(layout);
  if (attribute == CUBLASLT_MATRIX_LAYOUT_TYPE) return set(l.type, value, bytes);
  if (attribute == CUBLASLT_MATRIX_LAYOUT_ORDER) return set(l.order, value, bytes);
  if (attribute == CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT) return set(l.batches, value, bytes);
  if (attribute == CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET) return set(l.batch_stride, value, bytes);
  return CUBLAS_STATUS_INVALID_VALUE;
}

cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t* preference) {
  GLIA_DOUBLE_ENTER_LT();
  return create(preference, Preference{});
}
cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t preference) {
  GLIA_DOUBLE_ENTER_TO_DESTROY();
  destroy<Preference>(preference);
  return status_of(before);
}
cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t preference,
                                                    cublasLtMatmulPreferenceAttributes_t attribute,
                                                    const void* value, std::size_t bytes) {
  GLIA_DOUBLE_ENTER_LT();
  Preference& p = seen<Preference>(preference);
  if (attribute == CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES) return set(p.workspace, value, bytes);
  if (attribute < CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES ||
      attribute > CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES)
    return CUBLAS_STATUS_INVALID_VALUE;
  std::uint32_t alignment = 0;
  const cublasStatus_t status = set(alignment, value, bytes);
  if (status != CUBLAS_STATUS_SUCCESS || !std::has_single_bit(alignment)) return CUBLAS_STATUS_INVALID_VALUE;
  p.alignment[attribute - CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES] = alignment;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t handle, cublasLtMatmulDesc_t operation,
                                              cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                                              cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
                                              cublasLtMatmulPreference_t preference, int wanted,
                                              cublasLtMatmulHeuristicResult_t* results, int* found) {
  GLIA_DOUBLE_ENTER_LT();
  *found = 0;
  if (!handle) return CUBLAS_STATUS_NOT_INITIALIZED;
  const Problem p{seen<Operation>(operation), seen<Layout>(a), seen<Layout>(b), seen<Layout>(c),
                  seen<Layout>(d)};
  const Preference& asked = seen<Preference>(preference);
  if (wanted < 1 || !p.is_valid()) return CUBLAS_STATUS_INVALID_VALUE;
  if (!p.is_supported() || p.workspace() > asked.workspace) return CUBLAS_STATUS_NOT_SUPPORTED;
  const int failed = settings().failed_candidates, refusing = failed + settings().refusing_candidates;
  for (int i = 0; i < std::min(wanted, offered_candidates); ++i) {
    Algorithm algorithm{p.checksum(), p.workspace(), {}, i < refusing};
    std::memcpy(algorithm.alignment, asked.alignment, sizeof algorithm.alignment);
    results[i] = {};
    std::memcpy(&results[i].algo, &algorithm, sizeof algorithm);
    results[i].workspaceSize = algorithm.workspace;
    results[i].state = i < failed ? CUBLAS_STATUS_NOT_SUPPORTED : CUBLAS_STATUS_SUCCESS;
    results[i].wavesCount = 1;
    *found = i + 1;
  }
  return CUBLAS_STATUS_SUCCESS;
}

// Everything but the matrices is read at the call.
cublasStatus_t cublasLtMatmul(cublasLtHandle_t handle, cublasLtMatmulDesc_t operation, const void* alpha,
                              const void* a, cublasLtMatrixLayout_t a_layout, const void* b,
                              cublasLtMatrixLayout_t b_layout, const void* beta, const void* c,
                              cublasLtMatrixLayout_t c_layout, void* d, cublasLtMatrixLayout_t d_layout,
                              const cublasLtMatmulAlgo_t* algo, void* workspace, std::size_t workspace_bytes,
                              cudaStream_t stream) {
  GLIA_DOUBLE_ENTER_LT();
  if (!handle) return CUBLAS_STATUS_NOT_INITIALIZED;
  const Problem p{seen<Operation>(operation), seen<Layout>(a_layout), seen<Layout>(b_layout),
                  seen<Layout>(c_layout), seen<Layout>(d_layout)};
  Algorithm algorithm;
  std::memcpy(&algorithm, algo, sizeof algorithm);
  if (!p.is_valid() || algorithm.problem != p.checksum()) return CUBLAS_STATUS_INVALID_VALUE;
  if (algorithm.refuses) return CUBLAS_STATUS_NOT_SUPPORTED;
  const void* matrices[] = {a, b, c, d};
  for (int i = 0; i < 4; ++i)
    if (!is_aligned(matrices[i], algorithm.alignment[i])) return CUBLAS_STATUS_INVALID_VALUE;
  if (workspace_bytes < algorithm.workspace || !is_aligned(workspace, 256) ||
      (algorithm.workspace > 0 && !workspace))
    return CUBLAS_STATUS_INVALID_VALUE;
  // Epilogues of float32 may be kernels of their own, with a memset before them.
  const int more = p.operation.epilogue == CUBLASLT_EPILOGUE_DEFAULT ? 0 : settings().epilogue_nodes;
  for (int i = 0; i < more; ++i)
    if (const cudaError_t error =
            enqueue(stream, i % 2 == 0 ? Kind::set : Kind::kernel, "cublasLtMatmul", [] {}))
      return status_of(error);
  return status_of(enqueue_product(p, alpha, beta, a, b, c, d, workspace, algorithm.workspace, stream));
}

}  // extern "C"
