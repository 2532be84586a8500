// The double's cuBLASLt against naive formulas: what a product does beside multiplying.
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
      if (of_a == transposed) {  // nvmath-python knows: of A as it lies, of B transposed
        EXPECT_EQ(multiply(ask, a, b, d, bias, mask), CUBLAS_STATUS_NOT_SUPPORTED);
        continue;
      }
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

}  // namespace
}  // namespace glia::cuda_double
