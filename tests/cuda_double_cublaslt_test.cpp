// The double's cuBLASLt against naive formulas: layouts, epilogues, rounding, and what it refuses.
// SPDX-License-Identifier: Apache-2.0
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
namespace {

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

TEST_F(CublasLtDouble, Products_of_every_transpose_with_padded_columns) {
  for (const bool ta : {false, true}) {
    for (const bool tb : {false, true}) {
      Matrix a(ta ? 5 : 7, ta ? 7 : 5, 3, 1), b(tb ? 3 : 5, tb ? 5 : 3, 2, 2), d(7, 3, 4, 3);
      const Matrix before = d;
      Ask ask;
      ask.transpose_a = ta ? CUBLAS_OP_T : CUBLAS_OP_N;
      ask.transpose_b = tb ? CUBLAS_OP_T : CUBLAS_OP_N;
      ask.alpha = 2, ask.beta = 0.5f;
      ASSERT_EQ(multiply(ask, a, b, d), CUBLAS_STATUS_SUCCESS);
      for (std::int64_t j = 0; j < 3; ++j) {
        for (std::int64_t i = 0; i < 7; ++i)
          EXPECT_EQ(d.at(i, j), 2 * product(a, b, ta, tb, i, j) + 0.5f * Matrix(before).at(i, j));
        for (std::int64_t i = 7; i < d.stride; ++i)
          EXPECT_EQ(d.at(i, j), Matrix(before).at(i, j)) << "between the columns";
      }
    }
  }
}

TEST_F(CublasLtDouble, Batches_are_products_of_their_own) {
  Matrix a(3, 4 * 2, 0, 1), b(4, 5 * 2, 0, 2), d(3, 5 * 2, 0, 3);
  Ask ask;
  ask.batches = 2;
  ASSERT_EQ(multiply(ask, a, b, d), CUBLAS_STATUS_SUCCESS);
  for (std::int64_t batch = 0; batch < 2; ++batch) {
    for (std::int64_t i = 0; i < 3; ++i) {
      for (std::int64_t j = 0; j < 5; ++j) {
        float sum = 0;
        for (std::int64_t l = 0; l < 4; ++l) sum += a.at(i, batch * 4 + l) * b.at(l, batch * 5 + j);
        EXPECT_EQ(d.at(i, batch * 5 + j), sum);
      }
    }
  }
}

TEST_F(CublasLtDouble, An_algorithm_is_for_addresses_as_aligned_as_its_heuristic_was_told) {
  Matrix a(3, 4, 0, 1), b(4, 5, 0, 2), d(3, 5, 0, 3);
  Matrix shifted = a;
  shifted.values.insert(shifted.values.begin(), 4, -9.0f);
  Ask ask;
  ask.misaligned = 16;  // the heuristic was told nothing, which is 256
  EXPECT_EQ(multiply(ask, shifted, b, d), CUBLAS_STATUS_INVALID_VALUE);
  ask.before_heuristic = [](Call& call) { call.set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, 16u); };
  ASSERT_EQ(multiply(ask, shifted, b, d), CUBLAS_STATUS_SUCCESS);
  EXPECT_EQ(d.at(2, 4), product(a, b, false, false, 2, 4));
  ask.before_heuristic = [](Call& call) { call.set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, 16u); };
  EXPECT_EQ(multiply(ask, shifted, b, d), CUBLAS_STATUS_INVALID_VALUE) << "each matrix has its own";
  ask.misaligned = 0;
  EXPECT_EQ(multiply(ask, a, b, d), CUBLAS_STATUS_SUCCESS);
}

TEST_F(CublasLtDouble, C_may_lie_apart_from_d) {
  Matrix a(3, 4, 0, 1), b(4, 5, 0, 2), d(3, 5, 0, 3), c(3, 5, 2, 4);
  cublasLtMatrixLayout_t c_layout;
  cublasLtMatrixLayoutCreate(&c_layout, CUDA_R_32F, 3, 5, c.stride);
  Ask ask;
  ask.beta = 3;
  ask.before_heuristic = [&](Call& call) { call.c = on_device(c.values), call.c_layout = c_layout; };
  ASSERT_EQ(multiply(ask, a, b, d), CUBLAS_STATUS_SUCCESS);
  cublasLtMatrixLayoutDestroy(c_layout);
  for (std::int64_t i = 0; i < 3; ++i)
    for (std::int64_t j = 0; j < 5; ++j)
      EXPECT_EQ(d.at(i, j), product(a, b, false, false, i, j) + 3 * c.at(i, j));
}

TEST_F(CublasLtDouble, Doubles_are_multiplied_as_doubles) {
  MatrixOf<double> a(3, 4, 1, 1), b(4, 5, 0, 2), d(3, 5, 0, 3);
  for (double& value : a.values) value /= 3;
  Ask ask;
  ask.compute = CUBLAS_COMPUTE_64F;
  ask.epilogue = CUBLASLT_EPILOGUE_BIAS;
  std::vector<double> bias{0.1, 0.2, 0.3};
  std::vector<std::uint8_t> mask(64);
  ASSERT_EQ(multiply(ask, a, b, d, bias, mask), CUBLAS_STATUS_SUCCESS);
  for (std::int64_t i = 0; i < 3; ++i)
    for (std::int64_t j = 0; j < 5; ++j)
      EXPECT_DOUBLE_EQ(d.at(i, j), product(a, b, false, false, i, j) + bias[static_cast<std::size_t>(i)]);
}

TEST_F(CublasLtDouble, Rows_in_memory_are_strided_by_row_and_want_no_bias) {
  Matrix a(3, 4, 0, 1), b(4, 5, 0, 2), d(3, 5, 4, 3);  // with columns or rows of at most seven
  Ask ask;
  ask.before_heuristic = [](Call& call) {
    set(call.d_layout, CUBLASLT_MATRIX_LAYOUT_ORDER, CUBLASLT_ORDER_ROW);
  };
  ASSERT_EQ(multiply(ask, a, b, d), CUBLAS_STATUS_SUCCESS);
  for (std::int64_t i = 0; i < 3; ++i)
    for (std::int64_t j = 0; j < 5; ++j)
      EXPECT_EQ(d.values[static_cast<std::size_t>(i * 7 + j)], product(a, b, false, false, i, j));
  for (const auto epilogue : {CUBLASLT_EPILOGUE_BIAS, CUBLASLT_EPILOGUE_RELU_AUX_BIAS}) {
    ask.epilogue = epilogue;
    EXPECT_EQ(multiply(ask, a, b, d), CUBLAS_STATUS_NOT_SUPPORTED);
  }
}

TEST_F(CublasLtDouble, Beta_of_zero_does_not_read_c) {
  Matrix a(2, 2, 0, 1), b(2, 2, 0, 2), d(2, 2, 0, 3);
  for (float& value : d.values) value = std::nanf("");
  ASSERT_EQ(multiply({}, a, b, d), CUBLAS_STATUS_SUCCESS);
  EXPECT_EQ(d.at(1, 1), product(a, b, false, false, 1, 1));
}

TEST_F(CublasLtDouble, Forward_epilogues_add_the_bias_cut_and_leave_a_mask) {
  struct Kind {
    cublasLtEpilogue_t epilogue;
    bool bias, relu, mask;
  };
  const Kind kinds[] = {{CUBLASLT_EPILOGUE_BIAS, true, false, false},
                        {CUBLASLT_EPILOGUE_RELU, false, true, false},
                        {CUBLASLT_EPILOGUE_RELU_BIAS, true, true, false},
                        {CUBLASLT_EPILOGUE_RELU_AUX, false, true, true},
                        {CUBLASLT_EPILOGUE_RELU_AUX_BIAS, true, true, true}};
  for (const Kind& kind : kinds) {
    Matrix a(7, 5, 0, 1), b(5, 3, 0, 2), d(7, 3, 0, 3);
    std::vector<float> bias{1, -2, 3, -4, 5, -6, 7};
    std::vector<std::uint8_t> mask(3 * 128 / 8, 0xA5);
    Ask ask;
    ask.epilogue = kind.epilogue;
    ASSERT_EQ(multiply(ask, a, b, d, bias, mask), CUBLAS_STATUS_SUCCESS);
    for (std::int64_t j = 0; j < 3; ++j) {
      for (std::int64_t i = 0; i < 7; ++i) {
        const float z =
            product(a, b, false, false, i, j) + (kind.bias ? bias[static_cast<std::size_t>(i)] : 0);
        EXPECT_EQ(d.at(i, j), kind.relu && z < 0 ? 0 : z);
        const bool bit =
            (mask[static_cast<std::size_t>(j * 128 / 8)] >> i) & 1;  // seven rows: one byte a column
        if (kind.mask) {
          EXPECT_EQ(bit, z > 0) << i << ' ' << j;
        }
      }
    }
  }
}

TEST_F(CublasLtDouble, Backward_epilogues_read_the_mask_and_sum_bias_gradients) {
  std::vector<std::uint8_t> mask(3 * 128 / 8);
  for (std::size_t i = 0; i < mask.size(); ++i) mask[i] = static_cast<std::uint8_t>(i * 37);
  for (const auto epilogue : {CUBLASLT_EPILOGUE_DRELU, CUBLASLT_EPILOGUE_DRELU_BGRAD}) {
    Matrix a(7, 5, 0, 1), b(5, 3, 0, 2), d(7, 3, 0, 3);
    std::vector<float> bias(7, -1);
    Ask ask;
    ask.epilogue = epilogue;
    ASSERT_EQ(multiply(ask, a, b, d, bias, mask), CUBLAS_STATUS_SUCCESS);
    for (std::int64_t i = 0; i < 7; ++i) {
      float sum = 0;
      for (std::int64_t j = 0; j < 3; ++j) {
        const bool bit = (mask[static_cast<std::size_t>(j * 128 / 8)] >> i) & 1;
        EXPECT_EQ(d.at(i, j), bit ? product(a, b, false, false, i, j) : 0);
        sum += d.at(i, j);
      }
      EXPECT_EQ(bias[static_cast<std::size_t>(i)], epilogue == CUBLASLT_EPILOGUE_DRELU ? -1 : sum);
    }
  }
}

TEST_F(CublasLtDouble, Bias_gradients_of_an_operand_are_its_sums_over_k) {
  for (const bool transposed : {false, true}) {
    for (const bool of_a : {true, false}) {
      Matrix a(transposed ? 5 : 7, transposed ? 7 : 5, 1, 1), b(transposed ? 3 : 5, transposed ? 5 : 3, 2, 2),
          d(7, 3, 0, 3);
      const auto result = static_cast<std::size_t>(of_a ? 7 : 3);  // rows of d, or its columns
      std::vector<float> bias(result + 1, -1);
      std::vector<std::uint8_t> mask(16);
      Ask ask;
      ask.epilogue = of_a ? CUBLASLT_EPILOGUE_BGRADA : CUBLASLT_EPILOGUE_BGRADB;
      ask.transpose_a = ask.transpose_b = transposed ? CUBLAS_OP_T : CUBLAS_OP_N;
      ASSERT_EQ(multiply(ask, a, b, d, bias, mask), CUBLAS_STATUS_SUCCESS);
      EXPECT_EQ(d.at(6, 2), product(a, b, transposed, transposed, 6, 2));
      for (std::size_t at = 0; at < result; ++at) {
        const auto i = static_cast<std::int64_t>(at);
        float sum = 0;
        for (std::int64_t l = 0; l < 5; ++l)
          sum += of_a ? (transposed ? a.at(l, i) : a.at(i, l)) : (transposed ? b.at(i, l) : b.at(l, i));
        EXPECT_EQ(bias[at], sum);
      }
      EXPECT_EQ(bias[result], -1) << "behind the gradient";
    }
  }
}

TEST_F(CublasLtDouble, The_mask_has_columns_of_its_own_stride_low_bits_first) {
  constexpr std::int64_t rows = 150, columns = 4, stride = 256;
  Matrix a(rows, 5, 0, 1), b(5, columns, 0, 2), d(rows, columns, 0, 3);
  std::vector<float> bias(rows);
  std::vector<std::uint8_t> mask(columns * stride / 8, 0xA5);
  Ask ask;
  ask.epilogue = CUBLASLT_EPILOGUE_RELU_AUX;
  ask.aux_stride = stride;
  ASSERT_EQ(multiply(ask, a, b, d, bias, mask), CUBLAS_STATUS_SUCCESS);
  ask.aux_stride = 128;  // less than a column
  EXPECT_EQ(multiply(ask, a, b, d, bias, mask), CUBLAS_STATUS_INVALID_VALUE);
  Matrix back(rows, columns, 0, 4);
  Ask backward;
  backward.epilogue = CUBLASLT_EPILOGUE_DRELU;
  backward.aux_stride = stride;
  ASSERT_EQ(multiply(backward, a, b, back, bias, mask), CUBLAS_STATUS_SUCCESS);
  for (std::int64_t j = 0; j < columns; ++j) {
    for (std::int64_t i = 0; i < rows; ++i) {
      const float z = product(a, b, false, false, i, j);
      const int byte = mask[static_cast<std::size_t>(j * (stride / 8) + i / 8)];
      EXPECT_EQ((byte >> (i % 8)) & 1, z > 0 ? 1 : 0) << i << ' ' << j;
      EXPECT_EQ(back.at(i, j), z > 0 ? z : 0) << i << ' ' << j;
    }
  }
}

TEST_F(CublasLtDouble, Relu_keeps_or_hides_NaN_as_a_test_says) {
  for (const bool hides : {false, true}) {
    glia_cuda_double()->settings().relu_hides_nan = hides;
    Matrix a(1, 1, 0, 1), b(1, 1, 0, 2), d(1, 1, 0, 3);
    a.at(0, 0) = std::nanf("");
    Ask ask;
    ask.epilogue = CUBLASLT_EPILOGUE_RELU;
    ASSERT_EQ(multiply(ask, a, b, d), CUBLAS_STATUS_SUCCESS);
    EXPECT_EQ(std::isnan(d.at(0, 0)), !hides);
    std::vector<float> bias(1);
    std::vector<std::uint8_t> mask(16, 0xFF);
    ask.epilogue = CUBLASLT_EPILOGUE_RELU_AUX;
    ASSERT_EQ(multiply(ask, a, b, d, bias, mask), CUBLAS_STATUS_SUCCESS);
    EXPECT_EQ(std::isnan(d.at(0, 0)), !hides);
    EXPECT_EQ(mask[0] & 1, 0) << "NaN is not above 0";
  }
}

TEST_F(CublasLtDouble, Operands_are_rounded_as_tensor_cores_round_them) {
  struct Case {
    cublasComputeType_t compute;
    float value, rounded;
  };
  const float tf32_half = std::ldexp(1.0f, -11), bf16_half = std::ldexp(1.0f, -8);
  const Case cases[] = {
      {CUBLAS_COMPUTE_32F, 1 + tf32_half, 1 + tf32_half},
      {CUBLAS_COMPUTE_32F_FAST_TF32, 1 + tf32_half, 1 + 2 * tf32_half},  // ties away from zero
      {CUBLAS_COMPUTE_32F_FAST_TF32, 1 + tf32_half * 0.99f, 1},
      {CUBLAS_COMPUTE_32F_FAST_TF32, -(1 + tf32_half), -(1 + 2 * tf32_half)},
      {CUBLAS_COMPUTE_32F_FAST_16BF, 1 + bf16_half, 1},  // ties to even
      {CUBLAS_COMPUTE_32F_FAST_16BF, 1 + 3 * bf16_half, 1 + 4 * bf16_half},
  };
  for (const Case& one : cases) {
    Matrix a(1, 1, 0, 1), b(1, 1, 0, 2), d(1, 1, 0, 3);
    a.at(0, 0) = one.value;
    b.at(0, 0) = 1;
    Ask ask;
    ask.compute = one.compute;
    ASSERT_EQ(multiply(ask, a, b, d), CUBLAS_STATUS_SUCCESS);
    EXPECT_EQ(d.at(0, 0), one.rounded) << one.value;
    ASSERT_EQ(multiply(ask, b, a, d), CUBLAS_STATUS_SUCCESS);
    EXPECT_EQ(d.at(0, 0), one.rounded) << one.value << " as the other operand";
  }
  for (const auto compute : {CUBLAS_COMPUTE_32F_FAST_TF32, CUBLAS_COMPUTE_32F_FAST_16BF}) {
    Matrix a(2, 1, 0, 1), b(1, 1, 0, 2), d(2, 1, 0, 3);
    const std::uint32_t lowest_nan = 0x7f800001u;  // its mantissa must not be rounded away
    std::memcpy(&a.at(0, 0), &lowest_nan, sizeof lowest_nan);
    a.at(1, 0) = std::numeric_limits<float>::infinity();
    b.at(0, 0) = 1;
    Ask ask;
    ask.compute = compute;
    ASSERT_EQ(multiply(ask, a, b, d), CUBLAS_STATUS_SUCCESS);
    EXPECT_TRUE(std::isnan(d.at(0, 0)));
    EXPECT_TRUE(std::isinf(d.at(1, 0)));
  }
}

/// Numbers of bfloat16 as the upper halves of floats.
std::vector<std::uint16_t> upper_halves(const Matrix& matrix) {
  std::vector<std::uint16_t> halves;
  for (const float value : matrix.values) {
    std::uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    halves.push_back(static_cast<std::uint16_t>(bits >> 16));
  }
  return halves;
}

TEST_F(CublasLtDouble, Matrices_of_bf16_are_multiplied_to_float32) {
  Matrix a(5, 7, 3, 1), b(5, 3, 2, 2), d(7, 3, 4, 3);
  const Matrix before = d;
  Ask ask;
  ask.transpose_a = CUBLAS_OP_T;
  ask.beta = 0.5f;
  ask.before_heuristic = [&](Call& call) {
    for (cublasLtMatrixLayout_t layout : {call.a_layout, call.b_layout})
      set(layout, CUBLASLT_MATRIX_LAYOUT_TYPE, CUDA_R_16BF);
    call.a = on_device(upper_halves(a)), call.b = on_device(upper_halves(b));
  };
  ASSERT_EQ(multiply(ask, a, b, d), CUBLAS_STATUS_SUCCESS);
  for (std::int64_t j = 0; j < 3; ++j)
    for (std::int64_t i = 0; i < 7; ++i)
      EXPECT_EQ(d.at(i, j), product(a, b, true, false, i, j) + 0.5f * Matrix(before).at(i, j));
  ask.epilogue = CUBLASLT_EPILOGUE_BGRADA;
  EXPECT_EQ(multiply(ask, a, b, d), CUBLAS_STATUS_NOT_SUPPORTED);
  ask.epilogue = CUBLASLT_EPILOGUE_DEFAULT;
  ask.before_heuristic = [&](Call& call) { set(call.a_layout, CUBLASLT_MATRIX_LAYOUT_TYPE, CUDA_R_16BF); };
  EXPECT_EQ(multiply(ask, a, b, d), CUBLAS_STATUS_NOT_SUPPORTED) << "two types of factors";
}

TEST_F(CublasLtDouble, What_has_no_algorithm_and_what_is_wrong_are_told_apart) {
  Matrix a(7, 5, 0, 1), b(5, 3, 0, 2), d(7, 3, 0, 3);
  Settings& settings = glia_cuda_double()->settings();
  settings.refused_epilogues = {CUBLASLT_EPILOGUE_BIAS};
  Ask bias;
  bias.epilogue = CUBLASLT_EPILOGUE_BIAS;
  EXPECT_EQ(multiply(bias, a, b, d), CUBLAS_STATUS_NOT_SUPPORTED);
  settings.refused_epilogues = {};
  bias.without_bias = true;
  EXPECT_EQ(multiply(bias, a, b, d), CUBLAS_STATUS_INVALID_VALUE);
  Ask aux;
  aux.epilogue = CUBLASLT_EPILOGUE_RELU_AUX;
  aux.aux_stride = 64;  // not a multiple of 128
  EXPECT_EQ(multiply(aux, a, b, d), CUBLAS_STATUS_INVALID_VALUE);
  settings.refuses_products = true;
  EXPECT_EQ(multiply({}, a, b, d), CUBLAS_STATUS_NOT_SUPPORTED);
  settings.refuses_products = false;
  Matrix wrong(7, 4, 0, 1);
  EXPECT_EQ(multiply({}, wrong, b, d), CUBLAS_STATUS_INVALID_VALUE);  // k differs
  Matrix tall(7, 600, 0, 1), wide(600, 3, 0, 2);
  Ask stingy;
  stingy.workspace = 16;
  EXPECT_EQ(multiply(stingy, tall, wide, d), CUBLAS_STATUS_NOT_SUPPORTED);
  EXPECT_EQ(multiply({}, tall, wide, d), CUBLAS_STATUS_SUCCESS);
  EXPECT_EQ(d.at(6, 2), product(tall, wide, false, false, 6, 2));
}

TEST_F(CublasLtDouble, Types_that_do_not_go_together_have_no_algorithm) {
  Matrix a(3, 4, 0, 1), b(4, 5, 0, 2), d(3, 5, 0, 3);
  for (const auto compute : {CUBLAS_COMPUTE_64F, CUBLAS_COMPUTE_16F, CUBLAS_COMPUTE_32F_FAST_16F}) {
    Ask ask;
    ask.compute = compute;
    EXPECT_EQ(multiply(ask, a, b, d), CUBLAS_STATUS_NOT_SUPPORTED);
  }
  Ask ask;
  ask.epilogue = CUBLASLT_EPILOGUE_GELU;
  EXPECT_EQ(multiply(ask, a, b, d), CUBLAS_STATUS_NOT_SUPPORTED);
}

TEST_F(CublasLtDouble, An_algorithm_serves_only_the_problem_it_was_found_for) {
  Matrix a(4, 4, 0, 1), b(4, 4, 0, 2), d(4, 4, 0, 3);
  Ask ask;
  for (const auto& change : std::vector<std::function<void(Call&)>>{
           [](Call& call) { call.set(CUBLASLT_MATMUL_DESC_TRANSB, CUBLAS_OP_T); },
           [](Call& call) { call.set(CUBLASLT_MATMUL_DESC_EPILOGUE, CUBLASLT_EPILOGUE_RELU); },
           [](Call& call) { set(call.a_layout, CUBLASLT_MATRIX_LAYOUT_ORDER, CUBLASLT_ORDER_ROW); },
           [](Call& call) { call.result.algo = {}; }}) {
    ask.before_product = change;
    EXPECT_EQ(multiply(ask, a, b, d), CUBLAS_STATUS_INVALID_VALUE);
  }
}

TEST_F(CublasLtDouble, The_workspace_is_as_large_as_asked_aligned_and_overwritten) {
  Matrix a(7, 600, 0, 1), b(600, 3, 0, 2), d(7, 3, 0, 3);
  Ask ask;
  std::size_t wanted = 0;
  ask.before_product = [&](Call& call) { call.workspace_bytes = wanted = call.result.workspaceSize; };
  ASSERT_EQ(multiply(ask, a, b, d), CUBLAS_STATUS_SUCCESS);
  ASSERT_GT(wanted, 0u);
  EXPECT_EQ(d.at(6, 2), product(a, b, false, false, 6, 2));
  EXPECT_NE(workspace_[0], 0);
  EXPECT_EQ(workspace_[wanted], 0);
  for (const auto& change : std::vector<std::function<void(Call&)>>{
           [](Call& call) { call.workspace_bytes = call.result.workspaceSize - 1; },
           [](Call& call) { call.workspace = static_cast<char*>(call.workspace) + 128; },
           [](Call& call) { call.workspace = nullptr; }}) {
    ask.before_product = change;
    EXPECT_EQ(multiply(ask, a, b, d), CUBLAS_STATUS_INVALID_VALUE);
  }
  ask.before_heuristic = [](Call& call) { call.result.workspaceSize = 1; };
  ask.before_product = [&](Call& call) { wanted = call.result.workspaceSize; };
  Matrix narrow(7, 5, 0, 1), low(5, 3, 0, 2);
  EXPECT_EQ(multiply(ask, narrow, low, d), CUBLAS_STATUS_SUCCESS);
  EXPECT_EQ(wanted, 0u) << "a short k needs none";
}

TEST_F(CublasLtDouble, Memory_that_is_not_the_devices_or_is_too_small_traps_by_name) {
  alignas(256) static float on_host[64 * 64];
  const struct {
    const char* name;
    std::function<void(Call&)> change;
  } cases[] = {
      {"A", [](Call& call) { call.a = on_host; }},
      {"B", [](Call& call) { call.b = on_host; }},
      {"C", [](Call& call) { call.c = on_host; }},
      {"D", [](Call& call) { call.d = on_host; }},
      {"the bias",
       [](Call& call) { call.set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, static_cast<void*>(on_host)); }},
      {"the mask",
       [](Call& call) { call.set(CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER, static_cast<void*>(on_host)); }},
      {"the workspace", [](Call& call) { call.workspace = on_host; }},
      {"the mask",
       [](Call& call) { call.set(CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD, std::int64_t{1 << 20}); }}};
  for (const auto& one : cases) {
    Matrix a(7, 600, 0, 1), b(600, 3, 0, 2), d(7, 3, 0, 3);
    Ask ask;
    ask.epilogue = CUBLASLT_EPILOGUE_RELU_AUX_BIAS;
    ask.beta = 1;
    ask.before_product = one.change;
    ask.traps = true;
    EXPECT_EQ(multiply(ask, a, b, d), CUBLAS_STATUS_SUCCESS) << "it is only found out later";
    ASSERT_EQ(glia_cuda_double()->traps().size(), 1u) << one.name;
    EXPECT_NE(glia_cuda_double()->traps()[0].find(std::string(": ") + one.name + " "), std::string::npos)
        << glia_cuda_double()->traps()[0];
    glia_cuda_double()->reset();
  }
}

TEST_F(CublasLtDouble, Errors_that_a_test_injects_are_statuses) {
  Matrix a(3, 4, 0, 1), b(4, 5, 0, 2), d(3, 5, 0, 3);
  glia_cuda_double()->fail("cublasLtMatmul", 1, cudaErrorMemoryAllocation);
  EXPECT_EQ(multiply({}, a, b, d), CUBLAS_STATUS_ALLOC_FAILED);
  glia_cuda_double()->fail("cublasLtMatmul", 1, cudaErrorLaunchFailure);
  EXPECT_EQ(multiply({}, a, b, d), CUBLAS_STATUS_EXECUTION_FAILED);
  EXPECT_STREQ(cublasLtGetStatusName(CUBLAS_STATUS_EXECUTION_FAILED), "CUBLAS_STATUS_EXECUTION_FAILED");
  EXPECT_STREQ(cublasLtGetStatusName(CUBLAS_STATUS_INTERNAL_ERROR), "CUBLAS_STATUS_INTERNAL_ERROR");
  EXPECT_EQ(multiply({}, a, b, d), CUBLAS_STATUS_SUCCESS);
}

TEST_F(CublasLtDouble, An_attribute_has_its_size_and_a_descriptor_is_counted) {
  cublasLtMatmulDesc_t operation;
  cublasLtMatrixLayout_t layout;
  cublasLtMatmulPreference_t preference;
  cublasLtMatmulDescCreate(&operation, CUBLAS_COMPUTE_32F, CUDA_R_32F);
  cublasLtMatrixLayoutCreate(&layout, CUDA_R_32F, 3, 5, 3);
  cublasLtMatmulPreferenceCreate(&preference);
  EXPECT_EQ(glia_cuda_double()->live_objects().at("cuBLASLt descriptor"), 3);
  EXPECT_EQ(glia_cuda_double()->live_objects().at("cuBLASLt handle"), 1);
  const std::int64_t value = 1;
  EXPECT_EQ(cublasLtMatmulDescSetAttribute(operation, CUBLASLT_MATMUL_DESC_TRANSA, &value, sizeof value),
            CUBLAS_STATUS_INVALID_VALUE);
  EXPECT_EQ(cublasLtMatmulDescSetAttribute(operation, CUBLASLT_MATMUL_DESC_TRANSA, nullptr, 4),
            CUBLAS_STATUS_INVALID_VALUE);
  EXPECT_EQ(set(layout, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, value), CUBLAS_STATUS_INVALID_VALUE);
  EXPECT_EQ(
      cublasLtMatmulPreferenceSetAttribute(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &value, 4),
      CUBLAS_STATUS_INVALID_VALUE);
  cublasLtMatmulDescDestroy(operation);
  cublasLtMatrixLayoutDestroy(layout);
  cublasLtMatmulPreferenceDestroy(preference);
  EXPECT_EQ(glia_cuda_double()->live_objects().count("cuBLASLt descriptor"), 0u);
}

}  // namespace
}  // namespace glia::cuda_double
