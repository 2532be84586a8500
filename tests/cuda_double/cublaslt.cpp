// cuBLASLt of the double, by plain loops (cuBLAS Library, chapter "Using the cuBLASLt API"): column-major layouts, epilogues
// with their auxiliary buffers, and heuristics that may have no algorithm.
// SPDX-License-Identifier: Apache-2.0
#include <cublasLt.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "tests/cuda_double/double.h"
#include "tests/cuda_double/rounding.h"

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
  cublasLtOrder_t order = CUBLASLT_ORDER_COL;
  std::int32_t batches = 1;
  std::int64_t batch_stride = 0;

  std::uint64_t at(std::uint64_t i, std::uint64_t j) const {
    if (order == CUBLASLT_ORDER_ROW) std::swap(i, j);
    return i + j * static_cast<std::uint64_t>(stride);
  }
  std::size_t elements() const {
    return at(rows - 1, columns - 1) + 1 + static_cast<std::uint64_t>((batches - 1) * batch_stride);
  }
  bool is_valid() const {
    return rows > 0 && columns > 0 && batches > 0 &&
           stride >= static_cast<std::int64_t>(order == CUBLASLT_ORDER_ROW ? columns : rows);
  }
};

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

// An epilogue is a set of bits (cublasLt.h); 128 says that there is an auxiliary buffer.
bool adds_bias(cublasLtEpilogue_t e) { return (e & CUBLASLT_EPILOGUE_BIAS) != 0; }
bool has_relu(cublasLtEpilogue_t e) { return (e & CUBLASLT_EPILOGUE_RELU) != 0; }
bool has_mask(cublasLtEpilogue_t e) { return (e & 128) != 0; }
bool writes_mask(cublasLtEpilogue_t e) { return has_mask(e) && has_relu(e); }
bool reads_mask(cublasLtEpilogue_t e) { return has_mask(e) && !has_relu(e); }
bool sums_gradient(cublasLtEpilogue_t e) {
  return e == CUBLASLT_EPILOGUE_DRELU_BGRAD || e == CUBLASLT_EPILOGUE_BGRADA || e == CUBLASLT_EPILOGUE_BGRADB;
}
bool is_known(cublasLtEpilogue_t e) {
  const bool is_forward = (e & ~(CUBLASLT_EPILOGUE_RELU_AUX | CUBLASLT_EPILOGUE_BIAS)) == 0 &&
                          (has_relu(e) || e == CUBLASLT_EPILOGUE_BIAS);
  return e == CUBLASLT_EPILOGUE_DEFAULT || is_forward || e == CUBLASLT_EPILOGUE_DRELU || sums_gradient(e);
}

/// One product as it is asked for.
struct Problem {
  Operation operation;
  Layout a, b, c, d;

  std::uint64_t k() const { return operation.transpose_a == CUBLAS_OP_N ? a.columns : a.rows; }
  std::uint64_t bias_elements() const {
    return operation.epilogue == CUBLASLT_EPILOGUE_BGRADB ? d.columns : d.rows;
  }

  /// Shapes that fit, strides that hold a column, pointers that the epilogue needs.
  bool is_valid() const {
    const bool ta = operation.transpose_a != CUBLAS_OP_N, tb = operation.transpose_b != CUBLAS_OP_N;
    if (operation.transpose_a > CUBLAS_OP_C || operation.transpose_b > CUBLAS_OP_C) return false;
    if ((ta ? a.columns : a.rows) != d.rows || (tb ? b.rows : b.columns) != d.columns) return false;
    if ((tb ? b.columns : b.rows) != k() || c.rows != d.rows || c.columns != d.columns) return false;
    for (const Layout* layout : {&a, &b, &c, &d})
      if (!layout->is_valid() || layout->batches != d.batches) return false;
    if (d.batches > 1 && d.batch_stride < static_cast<std::int64_t>(d.at(d.rows - 1, d.columns - 1)) + 1)
      return false;  // the results of a batch would lie on each other
    const cublasLtEpilogue_t e = operation.epilogue;
    if ((adds_bias(e) || sums_gradient(e)) && !operation.bias) return false;
    return !has_mask(e) || (operation.aux && operation.aux_stride % 128 == 0 &&
                            operation.aux_stride >= static_cast<std::int64_t>(d.rows));
  }

  /// Types that go together; rows in memory only where the epilogue keeps nothing by column.
  bool is_supported() const {
    const cublasComputeType_t compute = operation.compute;
    const bool is_double = compute == CUBLAS_COMPUTE_64F;
    if (!is_double && compute != CUBLAS_COMPUTE_32F && compute != CUBLAS_COMPUTE_32F_FAST_TF32 &&
        compute != CUBLAS_COMPUTE_32F_FAST_16BF)
      return false;
    const cudaDataType_t type = is_double ? CUDA_R_64F : CUDA_R_32F;
    const cublasLtEpilogue_t e = operation.epilogue;
    const bool by_column = adds_bias(e) || has_mask(e) || sums_gradient(e);
    if (a.type != b.type || c.type != type || d.type != type) return false;
    // bf16 to float32, but no sums of its elements.
    if (a.type != type && !(a.type == CUDA_R_16BF && compute == CUBLAS_COMPUTE_32F &&
                            (!sums_gradient(e) || e == CUBLASLT_EPILOGUE_DRELU_BGRAD)))
      return false;
    // No DRELU of an outer product; gradients of a bias of A as it lies, or of B as its transpose lies.
    if (reads_mask(e) && k() == 1) return false;
    if (e == CUBLASLT_EPILOGUE_BGRADA && operation.transpose_a != CUBLAS_OP_N) return false;
    if (e == CUBLASLT_EPILOGUE_BGRADB && operation.transpose_b == CUBLAS_OP_N) return false;
    for (const Layout* layout : {&a, &b, &c, &d})
      if (layout->order > (by_column ? CUBLASLT_ORDER_COL : CUBLASLT_ORDER_ROW)) return false;
    return operation.scale == type && is_known(e) && !settings().refuses_products &&
           settings().refused_epilogues.count(e) == 0 && settings().refused_computes.count(compute) == 0;
  }

  /// An algorithm that splits a long k sums the pieces there.
  std::uint64_t workspace() const { return k() >= 512 ? d.rows * d.columns * sizeof(float) : 0; }

  std::uint64_t checksum() const {
    std::uint64_t hash = 14695981039346656037u;
    const auto add = [&hash](std::uint64_t value) { hash = (hash ^ value) * 1099511628211u; };
    add(operation.compute), add(operation.scale), add(operation.epilogue);
    add(operation.transpose_a), add(operation.transpose_b);
    for (const Layout* layout : {&a, &b, &c, &d})
      add(layout->type), add(layout->rows), add(layout->columns), add(layout->order),
          add(static_cast<std::uint64_t>(layout->stride)), add(static_cast<std::uint64_t>(layout->batches)),
          add(static_cast<std::uint64_t>(layout->batch_stride));
    return hash;
  }
};

float rounded(float x, cublasComputeType_t compute) {
  return compute == CUBLAS_COMPUTE_32F_FAST_TF32   ? to_tf32(x)
         : compute == CUBLAS_COMPUTE_32F_FAST_16BF ? to_bf16(x)
                                                   : x;
}
double rounded(double x, cublasComputeType_t) { return x; }

/// Element (i, j) of op(X): of X or of its transpose.
template <class T, class Factor>
T element(const Factor* x, const Layout& layout, cublasOperation_t operation, std::uint64_t i,
          std::uint64_t j) {
  return static_cast<T>(x[operation == CUBLAS_OP_N ? layout.at(i, j) : layout.at(j, i)]);
}

/// A product with its operands, at its turn in the queue; A and B may be of another type than the rest.
template <class T, class Factor>
struct Run {
  Problem p;
  T alpha, beta;
  const Factor *a, *b;
  const T* c;
  T* d;

  bool reads_c() const { return beta != T(0); }

  /// All that it reads must have been written, but not what lies between columns.
  void expect_operands() const {
    const Operation& o = p.operation;
    const auto expect = [](const char* what) {
      return [what](const auto* at, std::size_t n) { expect_written(at, n * sizeof *at, what); };
    };
    each_column(p.a, a, expect("a product's A"));
    each_column(p.b, b, expect("a product's B"));
    if (reads_c()) each_column(p.c, c, expect("a product's C"));
    if (adds_bias(o.epilogue)) expect("a product's bias")(static_cast<const T*>(o.bias), p.bias_elements());
    if (reads_mask(o.epilogue)) each_column_of_mask(expect("a product's mask"));
  }
  void mark_results() const {
    const Operation& o = p.operation;
    each_column(p.d, d, [](const T* at, std::size_t n) { mark_written(at, n * sizeof *at); });
    if (sums_gradient(o.epilogue)) mark_written(o.bias, p.bias_elements() * sizeof(T));
    if (writes_mask(o.epilogue)) each_column_of_mask(mark_written);
  }

  void operator()() const {
    for (std::int32_t batch = 0; batch < p.d.batches; ++batch)
      one(a + batch * p.a.batch_stride, b + batch * p.b.batch_stride,
          reads_c() ? c + batch * p.c.batch_stride : nullptr, d + batch * p.d.batch_stride);
  }

 private:
  /// Calls visit(address, elements) for what lies together.
  template <class Element, class Visit>
  static void each_column(const Layout& layout, const Element* x, const Visit& visit) {
    const bool by_row = layout.order == CUBLASLT_ORDER_ROW;
    const std::uint64_t columns = by_row ? layout.rows : layout.columns,
                        rows = by_row ? layout.columns : layout.rows;
    for (std::int32_t batch = 0; batch < layout.batches; ++batch)
      for (std::uint64_t j = 0; j < columns; ++j)
        visit(x + batch * layout.batch_stride + static_cast<std::int64_t>(j) * layout.stride, rows);
  }
  /// The same of bytes.
  template <class Visit>
  void each_column_of_mask(const Visit& visit) const {
    const auto* const aux = static_cast<const std::byte*>(p.operation.aux);
    for (std::uint64_t j = 0; j < p.d.columns; ++j)
      visit(aux + j * static_cast<std::uint64_t>(p.operation.aux_stride) / 8, (p.d.rows + 7) / 8);
  }

  void one(const Factor* a, const Factor* b, const T* c, T* d) const {
    const std::uint64_t m = p.d.rows, n = p.d.columns, k = p.k();
    // op(A) once, rounded, its columns contiguous.
    std::vector<T> left(m * k);
    for (std::uint64_t i = 0; i < m; ++i)
      for (std::uint64_t l = 0; l < k; ++l)
        left[l * m + i] = rounded(element<T>(a, p.a, p.operation.transpose_a, i, l), p.operation.compute);
    std::vector<T> column(m);
    for (std::uint64_t j = 0; j < n; ++j) {
      std::fill(column.begin(), column.end(), T(0));
      for (std::uint64_t l = 0; l < k; ++l) {
        const T x = rounded(element<T>(b, p.b, p.operation.transpose_b, l, j), p.operation.compute);
        const T* const from = &left[l * m];
        for (std::uint64_t i = 0; i < m; ++i) column[i] += from[i] * x;
      }
      for (std::uint64_t i = 0; i < m; ++i) {
        T value = alpha * column[i];
        if (reads_c()) value += beta * c[p.c.at(i, j)];
        d[p.d.at(i, j)] = finished(value, i, j);
      }
    }
    sum_gradients(a, b, d);
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

  /// DRELU_BGRAD: of each row of D; BGRADA: of each row of op(A), over k; BGRADB: of each column of op(B), over k.
  void sum_gradients(const Factor* a, const Factor* b, const T* d) const {
    const Operation& o = p.operation;
    if (!sums_gradient(o.epilogue)) return;
    const bool of_d = o.epilogue == CUBLASLT_EPILOGUE_DRELU_BGRAD;
    for (std::uint64_t i = 0; i < p.bias_elements(); ++i) {
      T sum = 0;
      for (std::uint64_t l = 0; l < (of_d ? p.d.columns : p.k()); ++l)
        sum += of_d                                     ? d[p.d.at(i, l)]
               : o.epilogue == CUBLASLT_EPILOGUE_BGRADA ? element<T>(a, p.a, o.transpose_a, i, l)
                                                        : element<T>(b, p.b, o.transpose_b, l, i);
      static_cast<T*>(o.bias)[i] = sum;
    }
  }
};

/// At its turn: the first of what the product touches that is not there, by name; null if all is.
template <class T, class Factor>
const char* missing(const Run<T, Factor>& run, const void* workspace, std::size_t workspace_bytes) {
  const Problem& p = run.p;
  const Operation& o = p.operation;
  const std::size_t bias = adds_bias(o.epilogue) || sums_gradient(o.epilogue) ? p.bias_elements() : 0;
  const std::size_t mask_bits =
      has_mask(o.epilogue) ? (p.d.columns - 1) * static_cast<std::uint64_t>(o.aux_stride) + p.d.rows : 0;
  const struct {
    const char* name;
    const void* address;
    std::size_t bytes;
  } operands[] = {{"A", run.a, p.a.elements() * sizeof(Factor)},
                  {"B", run.b, p.b.elements() * sizeof(Factor)},
                  {"C", run.c, run.reads_c() ? p.c.elements() * sizeof(T) : 0},
                  {"D", run.d, p.d.elements() * sizeof(T)},
                  {"the bias", o.bias, bias * sizeof(T)},
                  {"the mask", o.aux, (mask_bits + 7) / 8},
                  {"the workspace", workspace, workspace_bytes}};
  for (const auto& operand : operands)
    if (operand.bytes > 0 && !is_device_memory(operand.address, operand.bytes)) return operand.name;
  return nullptr;
}

template <class T, class Factor = T>
cudaError_t enqueue_product(const Problem& p, const void* alpha, const void* beta, const void* a,
                            const void* b, const void* c, void* d, void* workspace,
                            std::size_t workspace_bytes, cudaStream_t stream) {
  const auto matrix = [](const void* x) { return static_cast<const T*>(x); };
  const auto factor = [](const void* x) { return static_cast<const Factor*>(x); };
  const Run<T, Factor> run{p,         *matrix(alpha), *matrix(beta),     factor(a),
                           factor(b), matrix(c),      static_cast<T*>(d)};
  return enqueue(stream, Kind::kernel, "cublasLtMatmul", [=] {
    if (launch_fails()) return;
    if (const char* name = missing(run, workspace, workspace_bytes))
      return trap(cudaErrorIllegalAddress,
                  std::string("a product: ") + name + " does not lie in the device's memory");
    run.expect_operands();
    if (workspace_bytes > 0) {  // its contents are the product's alone
      std::memset(workspace, 0xFF, workspace_bytes);
      mark_fresh(workspace, workspace_bytes);
    }
    run();
    run.mark_results();
  });
}

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
  const auto enqueue_typed = p.d.type == CUDA_R_64F    ? enqueue_product<double>
                             : p.a.type == CUDA_R_16BF ? enqueue_product<float, Bf16>
                                                       : enqueue_product<float>;
  // Epilogues of float32 may be kernels of their own, with a memset before them.
  const int more = p.operation.epilogue == CUBLASLT_EPILOGUE_DEFAULT ? 0 : settings().epilogue_nodes;
  for (int i = 0; i < more; ++i)
    if (const cudaError_t error =
            enqueue(stream, i % 2 == 0 ? Kind::set : Kind::kernel, "cublasLtMatmul", [] {}))
      return status_of(error);
  return status_of(enqueue_typed(p, alpha, beta, a, b, c, d, workspace, algorithm.workspace, stream));
}

}  // extern "C"
