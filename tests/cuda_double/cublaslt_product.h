// A product of the double's cuBLASLt: what describes it, whether cuBLASLt has it, and the work that computes it.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cublasLt.h>
#include <cuda_runtime_api.h>

#include <cstddef>
#include <cstdint>
#include <utility>

#include "tests/cuda_double/double.h"

namespace glia::cuda_double {

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

// An epilogue is a set of bits (cublasLt.h); 128 says that there is an auxiliary buffer.
inline bool adds_bias(cublasLtEpilogue_t e) { return (e & CUBLASLT_EPILOGUE_BIAS) != 0; }
inline bool has_relu(cublasLtEpilogue_t e) { return (e & CUBLASLT_EPILOGUE_RELU) != 0; }
inline bool has_mask(cublasLtEpilogue_t e) { return (e & 128) != 0; }
inline bool writes_mask(cublasLtEpilogue_t e) { return has_mask(e) && has_relu(e); }
inline bool reads_mask(cublasLtEpilogue_t e) { return has_mask(e) && !has_relu(e); }
inline bool sums_gradient(cublasLtEpilogue_t e) {
  return e == CUBLASLT_EPILOGUE_DRELU_BGRAD || e == CUBLASLT_EPILOGUE_BGRADA || e == CUBLASLT_EPILOGUE_BGRADB;
}
inline bool is_known(cublasLtEpilogue_t e) {
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

/// Adds the product to a stream, or to the graph that the stream captures. Its scalars are read now, of the type of D.
cudaError_t enqueue_product(const Problem& p, const void* alpha, const void* beta, const void* a,
                            const void* b, const void* c, void* d, void* workspace,
                            std::size_t workspace_bytes, cudaStream_t stream);

}  // namespace glia::cuda_double
