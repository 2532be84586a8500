// cuBLASLt of the double, by plain loops (cuBLAS Library, chapter "Using the cuBLASLt API"): column-major layouts, epilogues
// with their auxiliary buffers, and heuristics that may have no algorithm.
// SPDX-License-Identifier: Apache-2.0
#include <cublasLt.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

#include "tests/cuda_double/double.h"

namespace glia::cuda_double {
namespace {

struct Operation {
  cublasComputeType_t compute;
  cudaDataType_t scale;
  cublasOperation_t transpose_a = CUBLAS_OP_N, transpose_b = CUBLAS_OP_N;
  cublasLtEpilogue_t epilogue = CUBLASLT_EPILOGUE_DEFAULT;
  void *bias = nullptr, *aux = nullptr;
  std::int64_t aux_stride = 0;  // bits
};

struct Layout {
  cudaDataType_t type;
  std::uint64_t rows, columns;
  std::int64_t stride;
  std::int32_t batches = 1;
  std::int64_t batch_stride = 0;
};

struct Preference {
  std::uint64_t workspace = 0;
  std::uint32_t alignment[4] = {256, 256, 256, 256};  // of A, B, C, D
};

/// What the opaque algorithm holds: the problem it is for, by a checksum, and what it asks of its caller.
struct Algorithm {
  std::uint64_t problem, workspace;
  std::uint32_t alignment[4];
};
static_assert(sizeof(Algorithm) <= sizeof(cublasLtMatmulAlgo_t));

bool any_of(cublasLtEpilogue_t epilogue, std::initializer_list<cublasLtEpilogue_t> all) {
  for (cublasLtEpilogue_t e : all)
    if (e == epilogue) return true;
  return false;
}
bool adds_bias(cublasLtEpilogue_t e) {
  return any_of(e, {CUBLASLT_EPILOGUE_BIAS, CUBLASLT_EPILOGUE_RELU_BIAS, CUBLASLT_EPILOGUE_RELU_AUX_BIAS});
}
bool sums_gradient(cublasLtEpilogue_t e) {
  return any_of(e, {CUBLASLT_EPILOGUE_DRELU_BGRAD, CUBLASLT_EPILOGUE_BGRADA});
}
bool has_relu(cublasLtEpilogue_t e) {
  return any_of(e, {CUBLASLT_EPILOGUE_RELU, CUBLASLT_EPILOGUE_RELU_BIAS, CUBLASLT_EPILOGUE_RELU_AUX,
                    CUBLASLT_EPILOGUE_RELU_AUX_BIAS});
}
bool writes_mask(cublasLtEpilogue_t e) {
  return any_of(e, {CUBLASLT_EPILOGUE_RELU_AUX, CUBLASLT_EPILOGUE_RELU_AUX_BIAS});
}
bool reads_mask(cublasLtEpilogue_t e) {
  return any_of(e, {CUBLASLT_EPILOGUE_DRELU, CUBLASLT_EPILOGUE_DRELU_BGRAD});
}
bool is_known(cublasLtEpilogue_t e) {
  return e == CUBLASLT_EPILOGUE_DEFAULT || adds_bias(e) || sums_gradient(e) || has_relu(e) || reads_mask(e);
}

/// One product as it is asked for.
struct Problem {
  Operation operation;
  Layout a, b, c, d;

  std::uint64_t k() const { return operation.transpose_a == CUBLAS_OP_N ? a.columns : a.rows; }

  /// Shapes that fit, strides that hold a column, pointers that the epilogue needs.
  bool is_valid() const {
    const bool ta = operation.transpose_a != CUBLAS_OP_N, tb = operation.transpose_b != CUBLAS_OP_N;
    if ((ta ? a.columns : a.rows) != d.rows || (tb ? b.rows : b.columns) != d.columns) return false;
    if ((tb ? b.columns : b.rows) != k() || c.rows != d.rows || c.columns != d.columns) return false;
    for (const Layout* layout : {&a, &b, &c, &d})
      if (layout->rows == 0 || layout->columns == 0 ||
          layout->stride < static_cast<std::int64_t>(layout->rows) || layout->batches != d.batches)
        return false;
    const cublasLtEpilogue_t e = operation.epilogue;
    if ((adds_bias(e) || sums_gradient(e)) && !operation.bias) return false;
    if (!writes_mask(e) && !reads_mask(e)) return true;
    return operation.aux && operation.aux_stride % 128 == 0 &&
           operation.aux_stride >= static_cast<std::int64_t>(d.rows);
  }

  bool is_supported() const {
    const bool is_double = operation.compute == CUBLAS_COMPUTE_64F;
    const cudaDataType_t type = is_double ? CUDA_R_64F : CUDA_R_32F;
    for (const Layout* layout : {&a, &b, &c, &d})
      if (layout->type != type) return false;
    return operation.scale == type && is_known(operation.epilogue) && !settings().refuses_products &&
           settings().refused_epilogues.count(operation.epilogue) == 0;
  }

  /// An algorithm that splits a long k sums the pieces there.
  std::uint64_t workspace() const { return k() >= 512 ? d.rows * d.columns * 4 : 0; }

  std::uint64_t checksum() const {
    std::uint64_t hash = 14695981039346656037u;
    const auto add = [&hash](std::uint64_t value) { hash = (hash ^ value) * 1099511628211u; };
    add(operation.compute), add(operation.transpose_a), add(operation.transpose_b), add(operation.epilogue);
    for (const Layout* layout : {&a, &b, &c, &d})
      add(layout->type), add(layout->rows), add(layout->columns),
          add(static_cast<std::uint64_t>(layout->stride)), add(static_cast<std::uint64_t>(layout->batches));
    return hash;
  }
};

/// Tensor cores read TF32 operands with 10 bits of mantissa, rounded to the nearest, ties away from zero.
float to_tf32(float x) {
  std::uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  if ((bits & 0x7f800000u) != 0x7f800000u) bits = (bits + 0x1000u) & ~0x1fffu;
  std::memcpy(&x, &bits, sizeof bits);
  return x;
}
/// bf16 has 7 bits of mantissa; ties go to even.
float to_bf16(float x) {
  std::uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  if ((bits & 0x7f800000u) != 0x7f800000u) bits = (bits + 0x7fffu + ((bits >> 16) & 1)) & 0xffff0000u;
  std::memcpy(&x, &bits, sizeof bits);
  return x;
}
float rounded(float x, cublasComputeType_t compute) {
  return compute == CUBLAS_COMPUTE_32F_FAST_TF32   ? to_tf32(x)
         : compute == CUBLAS_COMPUTE_32F_FAST_16BF ? to_bf16(x)
                                                   : x;
}
double rounded(double x, cublasComputeType_t) { return x; }

/// Element (i, j) of op(X): of X, column-major, or of its transpose.
template <class T>
T element(const T* x, const Layout& layout, cublasOperation_t operation, std::uint64_t i, std::uint64_t j) {
  if (operation != CUBLAS_OP_N) std::swap(i, j);
  return x[i + j * static_cast<std::uint64_t>(layout.stride)];
}

/// A product with its operands, at its turn in the queue.
template <class T>
struct Run {
  Problem p;
  T alpha, beta;
  const T *a, *b, *c;
  T* d;

  void operator()() const {
    for (std::int32_t batch = 0; batch < p.d.batches; ++batch)
      one(a + batch * p.a.batch_stride, b + batch * p.b.batch_stride, c + batch * p.c.batch_stride,
          d + batch * p.d.batch_stride);
  }

 private:
  void one(const T* a, const T* b, const T* c, T* d) const {
    const std::uint64_t m = p.d.rows, n = p.d.columns, k = p.k();
    // op(A) once, rounded, its columns contiguous.
    std::vector<T> left(m * k);
    for (std::uint64_t i = 0; i < m; ++i)
      for (std::uint64_t l = 0; l < k; ++l)
        left[l * m + i] = rounded(element(a, p.a, p.operation.transpose_a, i, l), p.operation.compute);
    std::vector<T> column(m);
    for (std::uint64_t j = 0; j < n; ++j) {
      std::fill(column.begin(), column.end(), T(0));
      for (std::uint64_t l = 0; l < k; ++l) {
        const T x = rounded(element(b, p.b, p.operation.transpose_b, l, j), p.operation.compute);
        const T* const from = &left[l * m];
        for (std::uint64_t i = 0; i < m; ++i) column[i] += from[i] * x;
      }
      for (std::uint64_t i = 0; i < m; ++i) {
        T value = alpha * column[i];
        if (beta != T(0))
          value += beta * c[i + j * static_cast<std::uint64_t>(p.c.stride)];  // else C is not read
        d[i + j * static_cast<std::uint64_t>(p.d.stride)] = finished(value, i, j);
      }
    }
    sum_gradients(a, d);
  }

  T finished(T value, std::uint64_t i, std::uint64_t j) const {
    const Operation& o = p.operation;
    if (adds_bias(o.epilogue)) value += static_cast<const T*>(o.bias)[i];
    if (has_relu(o.epilogue)) {
      if (writes_mask(o.epilogue)) set_bit(i, j, value > T(0));
      if (settings().relu_hides_nan) return value > T(0) ? value : T(0);
      return value < T(0) ? T(0) : value;
    }
    if (reads_mask(o.epilogue) && !bit(i, j)) return T(0);
    return value;
  }

  // The mask: a bit for each element, columns of aux_stride bits, the lowest bit of a byte first.
  std::size_t bit_at(std::uint64_t i, std::uint64_t j) const {
    return i + j * static_cast<std::uint64_t>(p.operation.aux_stride);
  }
  bool bit(std::uint64_t i, std::uint64_t j) const {
    const std::size_t at = bit_at(i, j);
    return (static_cast<const unsigned char*>(p.operation.aux)[at / 8] >> (at % 8)) & 1;
  }
  void set_bit(std::uint64_t i, std::uint64_t j, bool value) const {
    const std::size_t at = bit_at(i, j);
    unsigned char& byte = static_cast<unsigned char*>(p.operation.aux)[at / 8];
    byte = static_cast<unsigned char>((byte & ~(1u << (at % 8))) | (unsigned{value} << (at % 8)));
  }

  /// DRELU_BGRAD: of each row of D; BGRADA: of each row of op(A), over k.
  void sum_gradients(const T* a, const T* d) const {
    const Operation& o = p.operation;
    if (!sums_gradient(o.epilogue)) return;
    const bool of_d = o.epilogue == CUBLASLT_EPILOGUE_DRELU_BGRAD;
    for (std::uint64_t i = 0; i < p.d.rows; ++i) {
      T sum = 0;
      for (std::uint64_t l = 0; l < (of_d ? p.d.columns : p.k()); ++l)
        sum +=
            of_d ? d[i + l * static_cast<std::uint64_t>(p.d.stride)] : element(a, p.a, o.transpose_a, i, l);
      static_cast<T*>(o.bias)[i] = sum;
    }
  }
};

std::size_t extent(const Layout& layout, std::size_t element_bytes) {
  const std::uint64_t last = (layout.columns - 1) * static_cast<std::uint64_t>(layout.stride) + layout.rows +
                             static_cast<std::uint64_t>((layout.batches - 1) * layout.batch_stride);
  return last * element_bytes;
}

/// At its turn: whether everything that the product touches is there.
bool operands_are_there(const Problem& p, const void* a, const void* b, const void* c, const void* d,
                        bool reads_c, std::size_t element_bytes) {
  const Operation& o = p.operation;
  const bool masks = writes_mask(o.epilogue) || reads_mask(o.epilogue);
  const std::size_t mask_bytes =
      (p.d.columns - 1) * static_cast<std::uint64_t>(o.aux_stride) / 8 + (p.d.rows + 7) / 8;
  const bool biased = adds_bias(o.epilogue) || sums_gradient(o.epilogue);
  return is_device_memory(a, extent(p.a, element_bytes)) && is_device_memory(b, extent(p.b, element_bytes)) &&
         is_device_memory(d, extent(p.d, element_bytes)) &&
         (!reads_c || is_device_memory(c, extent(p.c, element_bytes))) &&
         (!masks || is_device_memory(o.aux, mask_bytes)) &&
         (!biased || is_device_memory(o.bias, p.d.rows * element_bytes));
}

template <class T>
cudaError_t enqueue_product(const Problem& p, const void* alpha, const void* beta, const void* a,
                            const void* b, const void* c, void* d, void* workspace,
                            std::size_t workspace_bytes, cudaStream_t stream) {
  const Run<T> run{p,
                   *static_cast<const T*>(alpha),
                   *static_cast<const T*>(beta),
                   static_cast<const T*>(a),
                   static_cast<const T*>(b),
                   static_cast<const T*>(c),
                   static_cast<T*>(d)};
  return enqueue(stream, Kind::kernel, "cublasLtMatmul", [=] {
    if (launch_fails()) return;
    if (!operands_are_there(p, a, b, c, d, run.beta != T(0), sizeof(T)) ||
        (workspace_bytes > 0 && !is_device_memory(workspace, workspace_bytes)))
      return trap(cudaErrorIllegalAddress, "a product met memory that is not the device's");
    if (workspace_bytes > 0)
      std::memset(workspace, 0xFF, workspace_bytes);  // its contents are the product's alone
    run();
  });
}

cublasStatus_t status_of(cudaError_t error) {
  if (error == cudaSuccess) return CUBLAS_STATUS_SUCCESS;
  return error == cudaErrorMemoryAllocation ? CUBLAS_STATUS_ALLOC_FAILED : CUBLAS_STATUS_EXECUTION_FAILED;
}

bool is_aligned(const void* address, std::uint32_t alignment) {
  return reinterpret_cast<std::uintptr_t>(address) % alignment == 0;
}

template <class T>
void read(T& to, const void* from) {
  std::memcpy(&to, from, sizeof to);
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
    case CUBLAS_STATUS_SUCCESS:
      return "CUBLAS_STATUS_SUCCESS";
    case CUBLAS_STATUS_ALLOC_FAILED:
      return "CUBLAS_STATUS_ALLOC_FAILED";
    case CUBLAS_STATUS_INVALID_VALUE:
      return "CUBLAS_STATUS_INVALID_VALUE";
    case CUBLAS_STATUS_NOT_SUPPORTED:
      return "CUBLAS_STATUS_NOT_SUPPORTED";
    default:
      return "CUBLAS_STATUS_EXECUTION_FAILED";
  }
}
const char* cublasLtGetStatusString(cublasStatus_t status) { return cublasLtGetStatusName(status); }

cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t* operation, cublasComputeType_t compute,
                                        cudaDataType_t scale) {
  GLIA_DOUBLE_ENTER_LT();
  *operation = reinterpret_cast<cublasLtMatmulDesc_t>(new Operation{compute, scale});
  count_object("cuBLASLt descriptor", 1);
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t operation) {
  GLIA_DOUBLE_ENTER_TO_DESTROY();
  delete reinterpret_cast<Operation*>(operation);
  count_object("cuBLASLt descriptor", -1);
  return status_of(before);
}
cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t operation,
                                              cublasLtMatmulDescAttributes_t attribute, const void* value,
                                              std::size_t) {
  GLIA_DOUBLE_ENTER_LT();
  Operation& o = *reinterpret_cast<Operation*>(operation);
  switch (attribute) {
    case CUBLASLT_MATMUL_DESC_TRANSA:
      read(o.transpose_a, value);
      break;
    case CUBLASLT_MATMUL_DESC_TRANSB:
      read(o.transpose_b, value);
      break;
    case CUBLASLT_MATMUL_DESC_EPILOGUE:
      read(o.epilogue, value);
      break;
    case CUBLASLT_MATMUL_DESC_BIAS_POINTER:
      read(o.bias, value);
      break;
    case CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER:
      read(o.aux, value);
      break;
    case CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD:
      read(o.aux_stride, value);
      break;
    default:
      return CUBLAS_STATUS_INVALID_VALUE;
  }
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t* layout, cudaDataType type,
                                          std::uint64_t rows, std::uint64_t columns, std::int64_t stride) {
  GLIA_DOUBLE_ENTER_LT();
  *layout = reinterpret_cast<cublasLtMatrixLayout_t>(new Layout{type, rows, columns, stride});
  count_object("cuBLASLt descriptor", 1);
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t layout) {
  GLIA_DOUBLE_ENTER_TO_DESTROY();
  delete reinterpret_cast<Layout*>(layout);
  count_object("cuBLASLt descriptor", -1);
  return status_of(before);
}
cublasStatus_t cublasLtMatrixLayoutSetAttribute(cublasLtMatrixLayout_t layout,
                                                cublasLtMatrixLayoutAttribute_t attribute, const void* value,
                                                std::size_t) {
  GLIA_DOUBLE_ENTER_LT();
  Layout& l = *reinterpret_cast<Layout*>(layout);
  if (attribute == CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT)
    read(l.batches, value);
  else if (attribute == CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET)
    read(l.batch_stride, value);
  else
    return CUBLAS_STATUS_INVALID_VALUE;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t* preference) {
  GLIA_DOUBLE_ENTER_LT();
  *preference = reinterpret_cast<cublasLtMatmulPreference_t>(new Preference);
  count_object("cuBLASLt descriptor", 1);
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t preference) {
  GLIA_DOUBLE_ENTER_TO_DESTROY();
  delete reinterpret_cast<Preference*>(preference);
  count_object("cuBLASLt descriptor", -1);
  return status_of(before);
}
cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t preference,
                                                    cublasLtMatmulPreferenceAttributes_t attribute,
                                                    const void* value, std::size_t) {
  GLIA_DOUBLE_ENTER_LT();
  Preference& p = *reinterpret_cast<Preference*>(preference);
  if (attribute == CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES)
    read(p.workspace, value);
  else if (attribute >= CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES &&
           attribute <= CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES)
    read(p.alignment[attribute - CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES], value);
  else
    return CUBLAS_STATUS_INVALID_VALUE;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t, cublasLtMatmulDesc_t operation,
                                              cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                                              cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
                                              cublasLtMatmulPreference_t preference, int wanted,
                                              cublasLtMatmulHeuristicResult_t* results, int* found) {
  GLIA_DOUBLE_ENTER_LT();
  *found = 0;
  const Problem p{*reinterpret_cast<Operation*>(operation), *reinterpret_cast<Layout*>(a),
                  *reinterpret_cast<Layout*>(b), *reinterpret_cast<Layout*>(c),
                  *reinterpret_cast<Layout*>(d)};
  const Preference& asked = *reinterpret_cast<Preference*>(preference);
  if (wanted < 1 || !p.is_valid()) return CUBLAS_STATUS_INVALID_VALUE;
  if (!p.is_supported() || p.workspace() > asked.workspace) return CUBLAS_STATUS_NOT_SUPPORTED;
  Algorithm algorithm{p.checksum(), p.workspace(), {}};
  std::memcpy(algorithm.alignment, asked.alignment, sizeof algorithm.alignment);
  results[0] = {};
  std::memcpy(&results[0].algo, &algorithm, sizeof algorithm);
  results[0].workspaceSize = p.workspace();
  results[0].state = CUBLAS_STATUS_SUCCESS;
  results[0].wavesCount = 1;
  *found = 1;
  return CUBLAS_STATUS_SUCCESS;
}

// Everything but the matrices is read at the call.
cublasStatus_t cublasLtMatmul(cublasLtHandle_t, cublasLtMatmulDesc_t operation, const void* alpha,
                              const void* a, cublasLtMatrixLayout_t a_layout, const void* b,
                              cublasLtMatrixLayout_t b_layout, const void* beta, const void* c,
                              cublasLtMatrixLayout_t c_layout, void* d, cublasLtMatrixLayout_t d_layout,
                              const cublasLtMatmulAlgo_t* algo, void* workspace, std::size_t workspace_bytes,
                              cudaStream_t stream) {
  GLIA_DOUBLE_ENTER_LT();
  const Problem p{*reinterpret_cast<Operation*>(operation), *reinterpret_cast<Layout*>(a_layout),
                  *reinterpret_cast<Layout*>(b_layout), *reinterpret_cast<Layout*>(c_layout),
                  *reinterpret_cast<Layout*>(d_layout)};
  Algorithm algorithm;
  std::memcpy(&algorithm, algo, sizeof algorithm);
  if (!p.is_valid() || algorithm.problem != p.checksum()) return CUBLAS_STATUS_INVALID_VALUE;
  const void* matrices[] = {a, b, c, d};
  for (int i = 0; i < 4; ++i)
    if (!is_aligned(matrices[i], algorithm.alignment[i])) return CUBLAS_STATUS_INVALID_VALUE;
  if (workspace_bytes < algorithm.workspace || !is_aligned(workspace, 256))
    return CUBLAS_STATUS_INVALID_VALUE;
  return status_of(
      p.d.type == CUDA_R_64F
          ? enqueue_product<double>(p, alpha, beta, a, b, c, d, workspace, algorithm.workspace, stream)
          : enqueue_product<float>(p, alpha, beta, a, b, c, d, workspace, algorithm.workspace, stream));
}

}  // extern "C"
