// What exporters write around operators: casts that change nothing, biases behind transposes, arithmetic of shapes.
// SPDX-License-Identifier: Apache-2.0
#include <glia/onnx.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/expect_error.h"
#include "tests/memory_file.h"
#include "tests/onnx_bytes.h"

namespace glia {
namespace {

using test::expect_error;
using namespace testing;  // tests/onnx_bytes.h

Model loaded(const std::string& bytes) {
  static MemoryFile file;
  file.set(bytes.data(), bytes.size());
  return onnx::load(file.path());
}
std::string cast(const std::string& from, const std::string& to, std::int64_t type) {
  return onnx_node("Cast", {from}, {to}, onnx_int("to", type));
}
constexpr std::int64_t to_float = 1, to_int32 = 6, to_int64 = 7, to_bool = 9;

TEST(OnnxPatterns, Casts_between_floats_do_not_part_a_bias_and_an_activation_from_their_matrix) {
  const Model model = loaded(onnx_file(
      {2}, cast("x", "a", to_float) + cast("w", "k", to_float) + onnx_node("MatMul", {"a", "k"}, {"b"}) +
               cast("b", "c", to_float) + onnx_node("Add", {"c", "bias"}, {"d"}) + cast("d", "e", to_float) +
               onnx_node("Relu", {"e"}, {"y"}) + onnx_floats("w", {2, 3}, 6) + onnx_floats("bias", {3}, 3)));
  EXPECT_EQ(model.layers().size(), 2u);  // the input and a Dense
  EXPECT_EQ(model.weight_names(), (std::vector<std::string>{"y/kernel", "y/bias"}));
}

TEST(OnnxPatterns, A_cast_that_changes_numbers_stays) {
  Model steps = loaded(onnx_file({2}, onnx_node("Greater", {"x", "half"}, {"a"}) + cast("a", "b", to_bool) +
                                          cast("b", "y", to_float) + onnx_floats("half", {1}, 1)));
  EXPECT_EQ(steps.predict(Tensor{{0.25, 0.75}}, {.verbose = 0}).values(), (std::vector<double>{0, 1}));
  expect_error<FileError>(
      [] { loaded(onnx_file({2}, cast("x", "a", to_int64) + onnx_node("Relu", {"a"}, {"y"}))); }, {"casts"});
}

TEST(OnnxPatterns, Indices_that_are_counted_from_the_end_of_a_table_are_those_of_an_Embedding) {
  const auto file = [](std::int64_t rows) {
    return onnx_file(
        {3}, cast("x", "a", to_int32) + cast("a", "b", to_int64) + onnx_node("Less", {"b", "zero"}, {"c"}) +
                 onnx_node("Add", {"b", "rows"}, {"d"}) + onnx_node("Where", {"c", "d", "b"}, {"e"}) +
                 onnx_node("Gather", {"w", "e"}, {"y"}) + onnx_floats("w", {4, 2}, 8) +
                 onnx_integers("zero", {0}) + onnx_integers("rows", {rows}));
  };
  EXPECT_EQ(loaded(file(4)).layers().size(), 2u);
  expect_error<FileError>([&] { loaded(file(5)); }, {"casts"});
}

TEST(OnnxPatterns, A_bias_that_is_added_once_channels_are_last_is_the_convolutions) {
  Model model = loaded(
      onnx_file({5, 4, 2}, onnx_node("Transpose", {"x"}, {"a"}, onnx_ints("perm", {0, 3, 1, 2})) +
                               onnx_node("Conv", {"a", "w"}, {"b"}) +
                               onnx_node("Transpose", {"b"}, {"c"}, onnx_ints("perm", {0, 2, 3, 1})) +
                               onnx_node("Add", {"c", "bias"}, {"y"}) + onnx_floats("w", {3, 2, 2, 2}, 24) +
                               onnx_floats("bias", {1, 1, 1, 3}, 3)));
  EXPECT_EQ(model.weight_names().size(), 2u);
  EXPECT_EQ(model.layers().size(), 2u);
  const Tensor y = model.predict(Tensor::ones({1, 5, 4, 2}), {.verbose = 0});
  EXPECT_EQ(y.shape(), (Shape{1, 4, 3, 3}));
  EXPECT_EQ(y.min(), 4.5);  // 8 products of 1 and 0.5, and 0.5
  EXPECT_EQ(y.max(), 4.5);
}

TEST(OnnxPatterns, Edges_are_repeated) {
  const auto file = [](const std::string& graph) {
    return onnx_file({3, 1}, onnx_node("Pad", {"x", "pads"}, {"y"}, onnx_text("mode", "edge")) + graph);
  };
  Model model = loaded(file(onnx_integers("pads", {0, 1, 0, 0, 2, 0})));
  EXPECT_EQ(model.predict(Tensor{{{1}, {2}, {3}}}, {.verbose = 0}).values(),
            (std::vector<double>{1, 1, 2, 3, 3, 3}));
  for (const auto& pads :
       {onnx_integers("pads", {1, 0, 0, 0, 0, 0}), onnx_integers("pads", {0, -1, 0, 0, 0, 0}),
        onnx_integers("pads", {0, 1 << 30, 0, 0, 0, 0}), onnx_integers("pads", {0, 1, 0, 0})})
    expect_error<FileError>([&] { loaded(file(pads)); }, {"pads"});
}

TEST(OnnxPatterns, Pixels_are_repeated_by_an_axis_of_their_own_and_arithmetic_of_shapes) {
  const auto file = [](const std::string& shape) {  // -1: as it is
    return onnx_file(
        {3, 1}, onnx_node("Neg", {"one"}, {"minus"}) + onnx_node("Unsqueeze", {"x", "two"}, {"a"}) +
                    onnx_node("Mul", {"ones", "minus"}, {"m"}) + onnx_node("Equal", {"wanted", "m"}, {"is"}) +
                    onnx_node("Where", {"is", "ones", "wanted"}, {"s"}) +
                    onnx_node("Expand", {"a", "s"}, {"b"}) + onnx_node("Mod", {"seven", "four"}, {"three"}) +
                    onnx_node("Mul", {"three", "two"}, {"six"}) +
                    onnx_node("Concat", {"minus", "six", "one"}, {"t"}, onnx_int("axis", 0)) +
                    onnx_node("Reshape", {"b", "t"}, {"y"}) + onnx_integers("two", {2}) +
                    onnx_integers("one", {1}) + onnx_integers("seven", {7}) + onnx_integers("four", {4}) +
                    onnx_integers("ones", {1, 1, 1, 1}) + shape);
  };
  Model model = loaded(file(onnx_integers("wanted", {-1, -1, 2, -1})));
  EXPECT_EQ(model.predict(Tensor{{{1}, {2}, {3}}}, {.verbose = 0}).values(),
            (std::vector<double>{1, 1, 2, 2, 3, 3}));
  for (const auto& wanted :
       {onnx_integers("wanted", {-1, 2, 2, -1}), onnx_integers("wanted", {2, -1, 2, -1}),
        onnx_integers("wanted", {-1, -1, 1 << 30, -1}), onnx_integers("wanted", {-1, -1, -7, -1})})
    expect_error<FileError>([&] { loaded(file(wanted)); }, {"Expand"});
}

}  // namespace
}  // namespace glia
