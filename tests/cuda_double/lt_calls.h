// Calls of the double's cuBLASLt: the matrices, and a product with all that it is called with.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cublasLt.h>
#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "tests/cuda_double/controls.h"

extern "C" glia::cuda_double::Controls* glia_cuda_double();

namespace glia::cuda_double {

/// A column-major matrix on the host, with room between its columns.
template <class T>
struct MatrixOf {
  std::int64_t rows, columns, stride;
  std::vector<T> values;

  MatrixOf(std::int64_t r, std::int64_t c, std::int64_t padding, unsigned seed)
      : rows(r), columns(c), stride(r + padding), values(static_cast<std::size_t>(stride * c)) {
    std::mt19937 random(seed);
    for (T& value : values) value = static_cast<T>(static_cast<int>(random() % 9) - 4);  // exact in sums
  }
  T& at(std::int64_t i, std::int64_t j) { return values[static_cast<std::size_t>(i + j * stride)]; }
};
using Matrix = MatrixOf<float>;

/// All that a product is called with: what a test may change before the heuristic, or between it and the product.
struct Call {
  cublasLtMatmulDesc_t operation;
  cublasLtMatrixLayout_t a_layout, b_layout, c_layout, d_layout;
  cublasLtMatmulPreference_t preference;
  const void *a, *b, *c;
  void *d, *workspace;
  std::size_t workspace_bytes;
  cublasLtMatmulHeuristicResult_t result;

  template <class T>
  cublasStatus_t set(cublasLtMatmulDescAttributes_t attribute, const T& value) {
    return cublasLtMatmulDescSetAttribute(operation, attribute, &value, sizeof value);
  }
  template <class T>
  cublasStatus_t set(cublasLtMatmulPreferenceAttributes_t attribute, const T& value) {
    return cublasLtMatmulPreferenceSetAttribute(preference, attribute, &value, sizeof value);
  }
};
template <class T>
cublasStatus_t set(cublasLtMatrixLayout_t layout, cublasLtMatrixLayoutAttribute_t attribute, const T& value) {
  return cublasLtMatrixLayoutSetAttribute(layout, attribute, &value, sizeof value);
}

struct Ask {
  std::int32_t batches = 1;    // that the columns of each matrix are divided among
  std::size_t misaligned = 0;  // bytes that a's address is off
  cublasComputeType_t compute = CUBLAS_COMPUTE_32F;
  cublasOperation_t transpose_a = CUBLAS_OP_N, transpose_b = CUBLAS_OP_N;
  cublasLtEpilogue_t epilogue = CUBLASLT_EPILOGUE_DEFAULT;
  float alpha = 1, beta = 0;
  std::uint64_t workspace = 1 << 20;
  bool without_bias = false;
  std::int64_t aux_stride = 128;
  std::function<void(Call&)> before_heuristic = [](Call&) {}, before_product = [](Call&) {};
  bool traps = false;  // then nothing comes back
};

class CublasLtDouble : public ::testing::Test {
 protected:
  void SetUp() override {
    glia_cuda_double()->reset();
    cudaMemPoolProps properties = {};
    properties.allocType = cudaMemAllocationTypePinned;
    properties.location = {cudaMemLocationTypeDevice, {0}};
    cudaMemPoolCreate(&pool_, &properties);
    cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking);
    cublasLtCreate(&handle_);
  }
  void TearDown() override {
    glia_cuda_double()->reset();
    for (void* memory : device_) cudaFreeAsync(memory, stream_);
    cudaStreamSynchronize(stream_);
    cublasLtDestroy(handle_);
    cudaStreamDestroy(stream_);
    cudaMemPoolDestroy(pool_);
  }

  void* on_device(const void* values, std::size_t bytes) {
    void *device = nullptr, *host = nullptr;
    EXPECT_EQ(cudaMallocFromPoolAsync(&device, bytes, pool_, stream_), cudaSuccess);
    EXPECT_EQ(cudaMallocHost(&host, bytes), cudaSuccess);
    std::memcpy(host, values, bytes);
    EXPECT_EQ(cudaMemcpyAsync(device, host, bytes, cudaMemcpyHostToDevice, stream_), cudaSuccess);
    EXPECT_EQ(cudaStreamSynchronize(stream_), cudaSuccess);
    cudaFreeHost(host);
    device_.push_back(device);
    return device;
  }
  void from_device(void* to, const void* device, std::size_t bytes) {
    void* host = nullptr;
    EXPECT_EQ(cudaMallocHost(&host, bytes), cudaSuccess);
    EXPECT_EQ(cudaMemcpyAsync(host, device, bytes, cudaMemcpyDeviceToHost, stream_), cudaSuccess);
    EXPECT_EQ(cudaStreamSynchronize(stream_), cudaSuccess);
    std::memcpy(to, host, bytes);
    cudaFreeHost(host);
  }

  template <class T>
  void* on_device(const std::vector<T>& values) {
    return on_device(values.data(), values.size() * sizeof(T));
  }
  template <class T>
  void from_device(std::vector<T>& to, const void* device) {
    from_device(to.data(), device, to.size() * sizeof(T));
  }

  /// Operation, layouts and preference as asked.
  template <class T>
  Call described(const Ask& ask, const MatrixOf<T>& a, const MatrixOf<T>& b, const MatrixOf<T>& d) {
    constexpr cudaDataType_t type = sizeof(T) == 8 ? CUDA_R_64F : CUDA_R_32F;
    Call call = {};
    cublasLtMatmulDescCreate(&call.operation, ask.compute, type);
    EXPECT_EQ(call.set(CUBLASLT_MATMUL_DESC_TRANSA, ask.transpose_a), CUBLAS_STATUS_SUCCESS);
    EXPECT_EQ(call.set(CUBLASLT_MATMUL_DESC_TRANSB, ask.transpose_b), CUBLAS_STATUS_SUCCESS);
    EXPECT_EQ(call.set(CUBLASLT_MATMUL_DESC_EPILOGUE, ask.epilogue), CUBLAS_STATUS_SUCCESS);
    EXPECT_EQ(call.set(CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD, ask.aux_stride), CUBLAS_STATUS_SUCCESS);
    const auto layout = [&ask](cublasLtMatrixLayout_t* l, const MatrixOf<T>& m) {
      cublasLtMatrixLayoutCreate(l, type, static_cast<std::uint64_t>(m.rows),
                                 static_cast<std::uint64_t>(m.columns / ask.batches), m.stride);
      set(*l, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, ask.batches);
      set(*l, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, m.columns / ask.batches * m.stride);
    };
    layout(&call.a_layout, a), layout(&call.b_layout, b), layout(&call.d_layout, d);
    call.c_layout = call.d_layout;
    cublasLtMatmulPreferenceCreate(&call.preference);
    call.set(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, ask.workspace);
    return call;
  }

  /// The status is of the heuristic, else of the product. Nothing that the call names outlives it.
  template <class T>
  cublasStatus_t run(const Ask& ask, Call& call) {
    ask.before_heuristic(call);
    int found = 0;
    cublasStatus_t status =
        cublasLtMatmulAlgoGetHeuristic(handle_, call.operation, call.a_layout, call.b_layout, call.c_layout,
                                       call.d_layout, call.preference, 1, &call.result, &found);
    EXPECT_EQ(found, status == CUBLAS_STATUS_SUCCESS ? 1 : 0);
    T alpha = static_cast<T>(ask.alpha), beta = static_cast<T>(ask.beta);
    if (status == CUBLAS_STATUS_SUCCESS) {
      EXPECT_EQ(call.result.state, CUBLAS_STATUS_SUCCESS);
      ask.before_product(call);
      status = cublasLtMatmul(handle_, call.operation, &alpha, call.a, call.a_layout, call.b, call.b_layout,
                              &beta, call.c, call.c_layout, call.d, call.d_layout, &call.result.algo,
                              call.workspace, call.workspace_bytes, stream_);
    }
    alpha = beta = std::numeric_limits<T>::quiet_NaN();
    cublasLtMatmulDescDestroy(call.operation);
    for (cublasLtMatrixLayout_t layout : {call.a_layout, call.b_layout, call.d_layout})
      cublasLtMatrixLayoutDestroy(layout);
    cublasLtMatmulPreferenceDestroy(call.preference);
    return status;
  }

  /// d = epilogue(alpha op(a) op(b) + beta c), c being what d held. Bias and mask are read and written.
  template <class T>
  cublasStatus_t multiply(const Ask& ask, const MatrixOf<T>& a, const MatrixOf<T>& b, MatrixOf<T>& d,
                          std::vector<T>& bias, std::vector<std::uint8_t>& mask) {
    Call call = described(ask, a, b, d);
    call.a = static_cast<char*>(on_device(a.values)) + ask.misaligned;
    call.b = on_device(b.values);
    call.c = call.d = on_device(d.values);
    workspace_.assign(1 << 20, 0);
    void *const on_bias = on_device(bias), *const on_mask = on_device(mask), *const on_d = call.d,
                *const on_workspace = on_device(workspace_);
    call.workspace = on_workspace;
    call.workspace_bytes = workspace_.size();
    if (!ask.without_bias) call.set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, on_bias);
    call.set(CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER, on_mask);
    const cublasStatus_t status = run<T>(ask, call);
    if (ask.traps) {
      EXPECT_EQ(cudaStreamSynchronize(stream_), cudaErrorIllegalAddress);
      return status;
    }
    from_device(d.values, on_d);
    from_device(bias, on_bias);
    from_device(mask, on_mask);
    from_device(workspace_, on_workspace);
    return status;
  }
  template <class T>
  cublasStatus_t multiply(const Ask& ask, const MatrixOf<T>& a, const MatrixOf<T>& b, MatrixOf<T>& d) {
    std::vector<T> bias(64);
    std::vector<std::uint8_t> mask(4096);
    return multiply(ask, a, b, d, bias, mask);
  }

  std::vector<std::uint8_t> workspace_;  // after a product

 private:
  cudaMemPool_t pool_ = nullptr;
  cudaStream_t stream_ = nullptr;
  cublasLtHandle_t handle_ = nullptr;
  std::vector<void*> device_;
};

template <class T>
T product(MatrixOf<T>& a, MatrixOf<T>& b, bool ta, bool tb, std::int64_t i, std::int64_t j) {
  T sum = 0;
  for (std::int64_t l = 0; l < (ta ? a.rows : a.columns); ++l)
    sum += (ta ? a.at(l, i) : a.at(i, l)) * (tb ? b.at(j, l) : b.at(l, j));
  return sum;
}

}  // namespace glia::cuda_double
