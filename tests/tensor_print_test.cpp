// Printing of tensors. Every expected text is what NumPy 2.4 prints for the same array.
// SPDX-License-Identifier: Apache-2.0
#include <glia/tensor.h>
#include <gtest/gtest.h>

#include <limits>
#include <sstream>

namespace glia {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();
constexpr double infinity = std::numeric_limits<double>::infinity();

Tensor doubles(const std::vector<double>& values) { return Tensor(values); }

TEST(TensorPrint, Fractions_are_as_long_as_needed_and_points_stand_in_one_column) {
  EXPECT_EQ(to_string(Tensor{{0, 1}, {1, 0}}), "[[0. 1.]\n [1. 0.]]");
  EXPECT_EQ(to_string(Tensor{0.1, 0.25, 1.0 / 3, -2}), "[ 0.1         0.25        0.33333334 -2.        ]");
  EXPECT_EQ(to_string(doubles({1, 1000})), "[   1. 1000.]");
  EXPECT_EQ(to_string(doubles({-0.0, 0.5})), "[-0.   0.5]");
}

TEST(TensorPrint, Ties_at_the_eighth_digit_go_to_even) {
  EXPECT_EQ(to_string(doubles({1.0 / 512, 1})), "[0.00195312 1.        ]");
}

TEST(TensorPrint, Exponents_appear_for_large_small_and_far_apart_numbers) {
  EXPECT_EQ(to_string(Tensor{1e-5, 1, 123}), "[1.00e-05 1.00e+00 1.23e+02]");
  EXPECT_EQ(to_string(doubles({1e8, 1})), "[1.e+08 1.e+00]");
  EXPECT_EQ(to_string(doubles({1, 1001})), "[1.000e+00 1.001e+03]");
  EXPECT_EQ(to_string(doubles({0.00001234, 123456})), "[1.23400e-05 1.23456e+05]");
  EXPECT_EQ(to_string(doubles({1e-300, 1e100})), "[1.e-300 1.e+100]");
  EXPECT_EQ(to_string(doubles({5e-324, 1})), "[5.e-324 1.e+000]");
  EXPECT_EQ(to_string(doubles({99999999, 1e6})), "[99999999.  1000000.]");
  EXPECT_EQ(to_string(Tensor{1e6, 2e6}), "[1.e+06 2.e+06]");
  EXPECT_EQ(to_string(Tensor{99999992, 1}), "[9.999999e+07 1.000000e+00]");
}

TEST(TensorPrint, Nan_and_infinity_are_words) {
  EXPECT_EQ(to_string(Tensor{{nan, infinity}, {-infinity, 1.5}}), "[[ nan  inf]\n [-inf  1.5]]");
  EXPECT_EQ(to_string(Tensor{nan}), "[nan]");
  EXPECT_EQ(to_string(Tensor{1e-5, nan}), "[1.e-05    nan]");
}

TEST(TensorPrint, Integers_are_aligned_right) {
  EXPECT_EQ(to_string(Tensor(std::vector<std::int32_t>{1, -20, 300, 4}, {2, 2})), "[[  1 -20]\n [300   4]]");
  EXPECT_EQ(to_string(Tensor{1, 5, 2} > 1.5), "[0 1 1]");
  EXPECT_EQ(to_string(Tensor(std::vector<std::int64_t>{std::numeric_limits<std::int64_t>::min(), 7})),
            "[-9223372036854775808                    7]");
}

TEST(TensorPrint, Scaled_bytes_print_as_the_float32_they_stand_for) {
  Tensor bytes(std::vector<std::uint8_t>{0, 51, 128, 255}, {2, 2});
  EXPECT_EQ(to_string(bytes), "[[  0  51]\n [128 255]]");
  bytes.set_scale(0.5);
  EXPECT_EQ(to_string(bytes), "[[  0.   25.5]\n [ 64.  127.5]]");
  EXPECT_EQ(to_string(bytes.row(0).row(1)), "25.5");
}

TEST(TensorPrint, Deeper_nesting_has_blank_lines) {
  EXPECT_EQ(to_string(Tensor::arange(8, DType::int64).reshape({2, 2, 2})),
            "[[[0 1]\n  [2 3]]\n\n [[4 5]\n  [6 7]]]");
  EXPECT_EQ(to_string(Tensor::arange(16, DType::int32).reshape({2, 2, 2, 2})),
            "[[[[ 0  1]\n   [ 2  3]]\n\n  [[ 4  5]\n   [ 6  7]]]\n\n\n"
            " [[[ 8  9]\n   [10 11]]\n\n  [[12 13]\n   [14 15]]]]");
}

TEST(TensorPrint, Lines_wrap_at_75_columns) {
  EXPECT_EQ(to_string(Tensor::arange(30) / 8),
            "[0.    0.125 0.25  0.375 0.5   0.625 0.75  0.875 1.    1.125 1.25  1.375\n"
            " 1.5   1.625 1.75  1.875 2.    2.125 2.25  2.375 2.5   2.625 2.75  2.875\n"
            " 3.    3.125 3.25  3.375 3.5   3.625]");
  const std::string numbers = to_string(Tensor::arange(40, DType::int64).reshape({1, 40}));
  EXPECT_EQ(numbers,
            "[[ 0  1  2  3  4  5  6  7  8  9 10 11 12 13 14 15 16 17 18 19 20 21 22 23\n"
            "  24 25 26 27 28 29 30 31 32 33 34 35 36 37 38 39]]");
}

TEST(TensorPrint, Every_bracket_that_may_close_takes_a_column) {
  std::string ones = "1";
  for (int i = 1; i < 35; ++i) ones += " 1";
  EXPECT_EQ(to_string(Tensor::ones({1, 1, 35}, DType::uint8)), "[[[" + ones + "]]]");
  EXPECT_EQ(to_string(Tensor::ones({1, 1, 36}, DType::uint8)), "[[[" + ones + "\n   1]]]");
}

TEST(TensorPrint, More_than_a_thousand_elements_are_summarised) {
  EXPECT_EQ(to_string(Tensor::arange(1001, DType::int64)), "[   0    1    2 ...  998  999 1000]");
  EXPECT_EQ(to_string(Tensor::arange(2000, DType::int32).reshape({1, 2000})),
            "[[   0    1    2 ... 1997 1998 1999]]");
  EXPECT_EQ(to_string(Tensor::zeros({1000, 10})),
            "[[0. 0. 0. ... 0. 0. 0.]\n [0. 0. 0. ... 0. 0. 0.]\n [0. 0. 0. ... 0. 0. 0.]\n ...\n"
            " [0. 0. 0. ... 0. 0. 0.]\n [0. 0. 0. ... 0. 0. 0.]\n [0. 0. 0. ... 0. 0. 0.]]");
  EXPECT_EQ(to_string(Tensor::arange(1400, DType::int32).reshape({2, 7, 100}).columns(0, 100)),
            "[[[   0    1    2 ...   97   98   99]\n  [ 100  101  102 ...  197  198  199]\n"
            "  [ 200  201  202 ...  297  298  299]\n  ...\n"
            "  [ 400  401  402 ...  497  498  499]\n  [ 500  501  502 ...  597  598  599]\n"
            "  [ 600  601  602 ...  697  698  699]]\n\n"
            " [[ 700  701  702 ...  797  798  799]\n  [ 800  801  802 ...  897  898  899]\n"
            "  [ 900  901  902 ...  997  998  999]\n  ...\n"
            "  [1100 1101 1102 ... 1197 1198 1199]\n  [1200 1201 1202 ... 1297 1298 1299]\n"
            "  [1300 1301 1302 ... 1397 1398 1399]]]");
  EXPECT_EQ(to_string(Tensor::zeros({1000})).find("..."), std::string::npos);
}

TEST(TensorPrint, Elements_left_out_do_not_widen_the_columns) {
  Tensor tensor = Tensor::zeros({1001});
  tensor.set({500}, -1e10);
  EXPECT_EQ(to_string(tensor), "[0. 0. 0. ... 0. 0. 0.]");
}

TEST(TensorPrint, Without_elements_there_are_brackets) {
  EXPECT_EQ(to_string(Tensor()), "[]");
  EXPECT_EQ(to_string(Tensor::zeros({0, 3})), "[]");
  EXPECT_EQ(to_string(Tensor::zeros({2, 0}, DType::int32)), "[]");
}

TEST(TensorPrint, A_scalar_stands_without_brackets) {
  EXPECT_EQ(to_string(Tensor::full({}, 3.5)), "3.5");
  EXPECT_EQ(to_string(Tensor::full({}, 5)), "5.0");
  EXPECT_EQ(to_string(Tensor::full({}, 1.0 / 3)), "0.33333334");
  EXPECT_EQ(to_string(Tensor::full({}, 1.0 / 3, DType::float64)), "0.3333333333333333");
  EXPECT_EQ(to_string(Tensor::full({}, 1e6)), "1e+06");
  EXPECT_EQ(to_string(Tensor::full({}, 1e6, DType::float64)), "1000000.0");
  EXPECT_EQ(to_string(Tensor::full({}, 1.5e16, DType::float64)), "1.5e+16");
  EXPECT_EQ(to_string(Tensor::full({}, -2e-5, DType::float64)), "-2e-05");
  EXPECT_EQ(to_string(Tensor::full({}, nan)), "nan");
  EXPECT_EQ(to_string(Tensor::full({}, -7, DType::int64)), "-7");
}

TEST(TensorPrint, Streams_like_any_value) {
  std::ostringstream out;
  out << Tensor{1, 2} << '!';
  EXPECT_EQ(out.str(), "[1. 2.]!");
}

}  // namespace
}  // namespace glia
