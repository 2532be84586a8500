// The double's cuBLASLt against naive formulas: layouts, epilogues, rounding, and what it refuses.
// SPDX-License-Identifier: Apache-2.0
#include <cublasLt.h>
#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <random>
#include <vector>

#include "tests/cuda_double/controls.h"

extern "C" glia::cuda_double::Controls* glia_cuda_double();

namespace glia::cuda_double {
namespace {

/// A column-major matrix on the host, with room between its columns.
struct Matrix {
  std::int64_t rows, columns, stride;
  std::vector<float> values;

  Matrix(std::int64_t r, std::int64_t c, std::int64_t padding, unsigned seed)
      : rows(r), columns(c), stride(r + padding), values(static_cast<std::size_t>(stride * c)) {
    std::mt19937 random(seed);
    for (float& value : values)
      value = static_cast<float>(static_cast<int>(random() % 9) - 4);  // exact in sums
  }
  float& at(std::int64_t i, std::int64_t j) { return values[static_cast<std::size_t>(i + j * stride)]; }
};

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

  /// d = epilogue(alpha op(a) op(b) + beta c), c being what d held. Bias and mask are read and written. The status is
  /// of the heuristic, else of the product.
  cublasStatus_t multiply(const Ask& ask, const Matrix& a, const Matrix& b, Matrix& d,
                          std::vector<float>& bias, std::vector<std::uint8_t>& mask) {
    const auto bytes = [](const Matrix& m) { return m.values.size() * sizeof(float); };
    void *da = on_device(a.values.data(), bytes(a)), *db = on_device(b.values.data(), bytes(b)),
         *dd = on_device(d.values.data(), bytes(d)),
         *dbias = on_device(bias.data(), bias.size() * sizeof(float)),
         *dmask = on_device(mask.data(), mask.size());
    std::vector<std::uint8_t> zeros(1 << 20);
    void* workspace = on_device(zeros.data(), zeros.size());

    cublasLtMatmulDesc_t operation;
    cublasLtMatrixLayout_t la, lb, ld;
    cublasLtMatmulPreference_t preference;
    cublasLtMatmulDescCreate(&operation, ask.compute, CUDA_R_32F);
    const auto set = [&](cublasLtMatmulDescAttributes_t attribute, const auto& value) {
      EXPECT_EQ(cublasLtMatmulDescSetAttribute(operation, attribute, &value, sizeof value),
                CUBLAS_STATUS_SUCCESS);
    };
    set(CUBLASLT_MATMUL_DESC_TRANSA, ask.transpose_a);
    set(CUBLASLT_MATMUL_DESC_TRANSB, ask.transpose_b);
    set(CUBLASLT_MATMUL_DESC_EPILOGUE, ask.epilogue);
    if (!ask.without_bias) set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, dbias);
    set(CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER, dmask);
    set(CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD, ask.aux_stride);
    const auto layout = [&ask](cublasLtMatrixLayout_t* l, const Matrix& m) {
      cublasLtMatrixLayoutCreate(l, CUDA_R_32F, static_cast<std::uint64_t>(m.rows),
                                 static_cast<std::uint64_t>(m.columns / ask.batches), m.stride);
      const std::int64_t offset = m.columns / ask.batches * m.stride;
      cublasLtMatrixLayoutSetAttribute(*l, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &ask.batches,
                                       sizeof ask.batches);
      cublasLtMatrixLayoutSetAttribute(*l, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, &offset,
                                       sizeof offset);
    };
    layout(&la, a), layout(&lb, b), layout(&ld, d);
    cublasLtMatmulPreferenceCreate(&preference);
    cublasLtMatmulPreferenceSetAttribute(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &ask.workspace,
                                         sizeof ask.workspace);
    cublasLtMatmulHeuristicResult_t result = {};
    int found = 0;
    cublasStatus_t status =
        cublasLtMatmulAlgoGetHeuristic(handle_, operation, la, lb, ld, ld, preference, 1, &result, &found);
    EXPECT_EQ(found, status == CUBLAS_STATUS_SUCCESS ? 1 : 0);
    if (status == CUBLAS_STATUS_SUCCESS)
      status = cublasLtMatmul(handle_, operation, &ask.alpha, static_cast<char*>(da) + ask.misaligned, la, db,
                              lb, &ask.beta, dd, ld, dd, ld, &result.algo, workspace, zeros.size(), stream_);
    cublasLtMatmulDescDestroy(operation);  // at once: the call has read them
    cublasLtMatrixLayoutDestroy(la), cublasLtMatrixLayoutDestroy(lb), cublasLtMatrixLayoutDestroy(ld);
    cublasLtMatmulPreferenceDestroy(preference);
    from_device(d.values.data(), dd, bytes(d));
    from_device(bias.data(), dbias, bias.size() * sizeof(float));
    from_device(mask.data(), dmask, mask.size());
    return status;
  }
  cublasStatus_t multiply(const Ask& ask, const Matrix& a, const Matrix& b, Matrix& d) {
    std::vector<float> bias(64);
    std::vector<std::uint8_t> mask(4096);
    return multiply(ask, a, b, d, bias, mask);
  }

 private:
  cudaMemPool_t pool_ = nullptr;
  cudaStream_t stream_ = nullptr;
  cublasLtHandle_t handle_ = nullptr;
  std::vector<void*> device_;
};

float product(Matrix& a, Matrix& b, bool ta, bool tb, std::int64_t i, std::int64_t j) {
  float sum = 0;
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
  Matrix b(4, 5, 0, 2), d(3, 5, 0, 3);
  Ask ask;
  ask.misaligned = 16;  // the heuristic was told nothing, which is 256
  Matrix narrow(3, 4, 0, 1);
  EXPECT_EQ(multiply(ask, narrow, b, d), CUBLAS_STATUS_INVALID_VALUE);
  ask.misaligned = 0;
  EXPECT_EQ(multiply(ask, narrow, b, d), CUBLAS_STATUS_SUCCESS);
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
  Matrix a(7, 5, 0, 1), b(5, 3, 0, 2), d(7, 3, 0, 3);
  std::vector<float> bias(7);
  Ask ask;
  ask.epilogue = CUBLASLT_EPILOGUE_BGRADA;
  ASSERT_EQ(multiply(ask, a, b, d, bias, mask), CUBLAS_STATUS_SUCCESS);
  for (std::int64_t i = 0; i < 7; ++i) {
    float sum = 0;
    for (std::int64_t l = 0; l < 5; ++l) sum += a.at(i, l);
    EXPECT_EQ(bias[static_cast<std::size_t>(i)], sum);
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
  }
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

}  // namespace
}  // namespace glia::cuda_double
