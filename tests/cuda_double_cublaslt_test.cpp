// The double's cuBLASLt against naive formulas: layouts, types, rounding, and what it refuses.
// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "tests/cuda_double/lt_calls.h"

namespace glia::cuda_double {
namespace {

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

TEST_F(CublasLtDouble, A_batch_may_share_a_factor_but_no_results) {
  Matrix a(3, 4 * 2, 0, 1), b(4, 5 * 2, 0, 2), d(3, 5 * 2, 0, 3);
  const std::int64_t shared = 0;
  Ask ask;
  ask.batches = 2;
  ask.before_heuristic = [&](Call& call) {
    set(call.b_layout, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, shared);
  };
  ASSERT_EQ(multiply(ask, a, b, d), CUBLAS_STATUS_SUCCESS);
  for (std::int64_t i = 0; i < 3; ++i) {
    float sum = 0;
    for (std::int64_t l = 0; l < 4; ++l) sum += a.at(i, 4 + l) * b.at(l, 2);
    EXPECT_EQ(d.at(i, 5 + 2), sum);
  }
  ask.before_heuristic = [&](Call& call) {
    set(call.d_layout, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, shared);
  };
  EXPECT_EQ(multiply(ask, a, b, d), CUBLAS_STATUS_INVALID_VALUE);
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
