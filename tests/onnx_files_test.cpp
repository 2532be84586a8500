// ONNX files: models of every layer travel and come back, what PyTorch writes is read, and every way a file can lie is an error.
// SPDX-License-Identifier: Apache-2.0
#include <glia/custom_layer.h>
#include <glia/onnx.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/expect_error.h"
#include "tests/golden.h"
#include "tests/memory_file.h"
#include "tests/onnx_bytes.h"
#include "tests/onnx_cases.h"
#include "tests/temporary_folder.h"

namespace glia {
namespace {

using test::expect_error;
using test::Golden;
using namespace testing;  // tests/onnx_bytes.h, tests/onnx_cases.h

Model loaded(const std::string& bytes, const onnx::LoadOptions& options = {}) {
  static MemoryFile file;
  file.set(bytes.data(), bytes.size());
  return onnx::load(file.path(), options);
}

/// What loading says; "" where it loads.
std::string error_of(const std::string& bytes) {
  try {
    loaded(bytes);
    return "";
  } catch (const FileError& error) {
    EXPECT_NE(std::string(error.what()).find("/proc/self/fd/"), std::string::npos) << error.what();
    return error.what();
  }
}

void expect_says(const std::string& bytes, const std::vector<std::string>& words) {
  const std::string said = error_of(bytes);
  for (const std::string& word : words)
    EXPECT_NE(said.find(word), std::string::npos) << "got: " << said << "\nexpected: " << word;
}

std::size_t count_of(const std::string& text, const std::string& what) {
  std::size_t count = 0;
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++count;
  return count;
}
/// Nodes of this operator: its field is 4.
std::size_t nodes_of(const std::string& file, const std::string& op) { return count_of(file, part(4, op)); }

std::string saved(const Model& model, const onnx::SaveOptions& options = {}) {
  TemporaryFolder folder;
  onnx::save(model, folder / "model.onnx", options);
  return read_text(folder / "model.onnx");
}

double greatest_difference(const Tensor& a, const Tensor& b) {
  EXPECT_EQ(a.shape(), b.shape());
  return a.shape() == b.shape() && !a.empty() ? (a - b).abs().max() / std::max(1.0, b.abs().max()) : 0;
}

Sequential small() {
  Sequential model{Conv2D(4, 3, "relu", {.padding = "same", .input_shape = {6, 6, 2}}), MaxPooling2D(),
                   Flatten(), Dense(3, "softmax")};
  model.build({6, 6, 2});
  return model;
}

TEST(OnnxFiles, Models_of_every_layer_come_back_with_their_names_and_predictions) {
  for (const OnnxCase& one : all_onnx_cases()) {
    SCOPED_TRACE(one.name);
    Model model = made(one);
    Model again = loaded(saved(model));
    EXPECT_EQ(again.input_names(), model.input_names());
    EXPECT_EQ(again.output_names(), model.output_names());
    for (const std::int64_t rows : {1, 3}) {
      const std::vector<Tensor> x = data_of(one, rows);
      const NamedTensors y = model.predict_all(x, {.verbose = 0}), z = again.predict_all(x, {.verbose = 0});
      ASSERT_EQ(y.size(), z.size());
      for (std::size_t i = 0; i < y.size(); ++i)
        EXPECT_LE(greatest_difference(z[i].tensor, y[i].tensor), 1e-6);
    }
  }
}

TEST(OnnxFiles, What_PyTorch_and_others_write_computes_as_in_ONNX_Runtime) {
  const Golden values("onnx/values.safetensors");
  ASSERT_EQ(values.cases().size(), 7u);
  for (const std::string& name : values.cases()) {
    SCOPED_TRACE(name);
    const std::string path = test::golden_folder() + "/onnx/" + name + ".onnx";
    const Tensor& y = values[name + "/y"];
    Model first = onnx::load(path, {.channels_first = true});
    EXPECT_LE(greatest_difference(first.predict(values[name + "/x"], {.verbose = 0}), y), 1e-5);
  }
}

TEST(OnnxFiles, Images_of_others_are_channels_last_here) {
  Model model = onnx::load(test::golden_folder() + "/onnx/cnn_script.onnx");
  EXPECT_EQ(model.inputs()[0].shape(), (Shape{10, 8, 3}));
  EXPECT_EQ(model.input_names(), std::vector<std::string>{"x"});
  EXPECT_EQ(model.output_names(), std::vector<std::string>{"y"});
  const Golden values("onnx/values.safetensors");
  const Tensor& x = values["cnn_script/x"];
  Tensor image = Tensor::zeros({3, 10, 8, 3});
  for (std::int64_t n = 0; n < 3; ++n)
    for (std::int64_t c = 0; c < 3; ++c)
      for (std::int64_t h = 0; h < 10; ++h)
        for (std::int64_t w = 0; w < 8; ++w) image.set({n, h, w, c}, x(n, c, h, w));
  EXPECT_LE(greatest_difference(model.predict(image, {.verbose = 0}), values["cnn_script/y"]), 1e-5);
}

TEST(OnnxFiles, Layers_are_called_as_the_file_calls_their_weights) {
  Model model = onnx::load(test::golden_folder() + "/onnx/channels_last.onnx");
  EXPECT_EQ(model.weight_names(),
            (std::vector<std::string>{"dense/conv2d/kernel", "dense/conv2d/bias", "y/kernel",
                                      "y/bias"}));  // the last gives the output "y"
  EXPECT_EQ(model.layers().size(),
            5u);  // the input, and an activation that a transpose parts from its convolution
}

TEST(OnnxFiles, A_network_for_images_has_a_transpose_at_its_start_and_one_before_Flatten) {
  EXPECT_EQ(nodes_of(saved(small()), "Transpose"), 2u);
  EXPECT_EQ(nodes_of(saved(small(), {.channels_first = true}), "Transpose"), 1u);
  Symbol x = Input({8, 8, 3});
  Symbol y = BatchNormalization()(Conv2D(4, 3, {.padding = "same"})(x));
  y = Activation("gelu")(add({y, Conv2D(4, 1)(x)}));
  y = concatenate({PReLU()(y), AveragePooling2D(1)(Dropout(0.1)(y))});
  EXPECT_EQ(nodes_of(saved(Model(x, GlobalAveragePooling2D()(y))), "Transpose"), 1u);
}

TEST(OnnxFiles, A_batch_size_is_written_and_read) {
  Sequential model = small();
  EXPECT_EQ(count_of(saved(model), part(2, "batch")), 2u);
  const std::string fixed = saved(model, {.batch_size = 7});
  EXPECT_EQ(count_of(fixed, part(2, "batch")), 0u);
  EXPECT_EQ(loaded(fixed).inputs()[0].shape(), (Shape{6, 6, 2}));
  expect_error<ValueError>([&] { saved(model, {.batch_size = -1}); }, {"batch_size -1"});
}

TEST(OnnxFiles, A_loaded_model_trains_on_the_device_that_was_asked_for) {
  Model model = loaded(saved(small()), {.device = Device::cpu()});
  EXPECT_TRUE(model.context().device() == Device::cpu());
  model.compile({.optimizer = "adam", .loss = "sparse_categorical_crossentropy"});
  const Tensor x = drawn({32, 6, 6, 2}, 1);
  Tensor y = Tensor::zeros({32}, DType::int32);
  for (std::int64_t i = 0; i < 32; ++i) y.set({i}, x(i, 0, 0, 0) > 0 ? 1 : 2);
  const double before = model.evaluate(x, y, {.verbose = 0})["loss"];
  model.fit(x, y, {.epochs = 20, .verbose = 0});
  EXPECT_LT(model.evaluate(x, y, {.verbose = 0})["loss"], 0.8 * before);
}

TEST(OnnxFiles, What_has_no_ONNX_form_is_named) {
  TemporaryFolder folder;
  const Sequential lambda{Dense(2, {.input_shape = {3}}),
                          Lambda([](const Symbol& x) { return exp(x); }, "my_formula")};
  expect_error<ValueError>([&] { saved(lambda); }, {"Lambda", "my_formula"});
  const Sequential unbuilt{Dense(2)};
  expect_error<StateError>([&] { saved(unbuilt); }, {"shape"});
  expect_error<FileError>([&] { onnx::save(small(), folder / "no folder/x.onnx"); }, {"no folder"});
  Symbol a = Input({3}), b = Dense(2)(a);
  const Model two({a}, {b, Dense(2)(b)}, {.name = "two"});
  const Symbol x = Input({3});
  const std::vector<Symbol> both = Layer(two).apply(x);
  expect_error<ValueError>([&] { saved(Model({x}, {both[0], both[1]})); }, {"outputs"});
}

TEST(OnnxFiles, What_Glia_has_no_layer_for_is_named_with_node_and_attribute) {
  expect_says(onnx_file({4}, onnx_node("LSTM", {"x"}, {"y"})),
              {"\"the LSTM\" (LSTM)", "no layer for the operator"});
  expect_says(onnx_file({4}, onnx_node("Relu", {"x"}, {"y"}, part(7, "com.microsoft"))),
              {"the Relu", "com.microsoft"});
  expect_says(onnx_file({4}, onnx_node("Relu", {"x"}, {"y"}, onnx_int("speed", 3))),
              {"the Relu", "\"speed\""});
  expect_says(onnx_file({4}, onnx_node("Softmax", {"x"}, {"y"}, onnx_text("axis", "last"))),
              {"the Softmax", "axis", "kind"});
  expect_says(onnx_file({2, 4}, onnx_node("Flatten", {"x"}, {"y"}, onnx_int("axis", 2))), {"axis is 2"});
  expect_says(onnx_file({2, 4}, onnx_node("Transpose", {"x"}, {"y"}, onnx_ints("perm", {1, 0, 2}))),
              {"perm", "batch"});
  expect_says(onnx_file({2, 4}, onnx_node("ReduceMean", {"x"}, {"y"}, onnx_ints("axes", {0})), 13),
              {"axis 0"});
  expect_says(
      onnx_file({2, 4, 4}, onnx_node("MaxPool", {"x"}, {"y"},
                                     onnx_ints("kernel_shape", {2, 2}) + onnx_ints("dilations", {2, 2}))),
      {"dilations", "(2, 2)"});
  expect_says(onnx_file({2, 4, 4}, onnx_node("Resize", {"x", "", "s"}, {"y"}, onnx_text("mode", "cubic")) +
                                       onnx_floats("s", {4}, 4)),
              {"cubic"});
  expect_says(onnx_file({4}, onnx_node("Erf", {"x"}, {"y"})), {"GELU"});
  expect_says(onnx_file({4}, onnx_node("Relu", {"x"}, {"y"}), 6), {"operator set 6"});
  expect_says(onnx_file({0}, onnx_node("Relu", {"x"}, {"y"})), {"\"x\"", "fixed"});
  expect_says(
      onnx_file({4}, onnx_node("MatMul", {"x", "w"}, {"y"}) +
                         part(5, number(1, 4) + number(1, 2) + number(2, 1) + part(8, "w") + number(14, 1))),
      {"\"w\"", "another file"});
}

TEST(OnnxFiles, Graphs_that_hang_together_wrongly_are_refused) {
  expect_says(onnx_file({4}, onnx_node("Relu", {"z"}, {"y"})), {"\"z\"", "which no input"});
  expect_says(onnx_file({4}, onnx_node("Add", {"x", "b"}, {"a"}) + onnx_node("Relu", {"a"}, {"b"}) +
                                 onnx_node("Relu", {"b"}, {"y"})),
              {"\"b\"", "before it"});
  expect_says(onnx_file({4}, onnx_node("Add", {"x", "y"}, {"y"})), {"\"y\""});
  expect_says(onnx_file({4}, onnx_node("Relu", {"x"}, {"y"}) + onnx_node("Tanh", {"x"}, {"y"})),
              {"name of its own"});
  expect_says(onnx_file({4}, onnx_node("Relu", {"x"}, {"other"})), {"output \"y\""});
  expect_says(onnx_file({4}, onnx_node("Relu", {}, {"y"})), {"no input 0"});
  expect_says(onnx_file({4}, onnx_node("Relu", {"w"}, {"y"}) + onnx_floats("w", {4}, 4)), {"constant"});
  expect_says(onnx_file({4}, onnx_floats("y", {4}, 4)), {"constant"});
  expect_says(onnx_file({4}, onnx_node("Add", {"x", "w"}, {"y"}) + onnx_floats("w", {4}, 4) +
                                 onnx_floats("w", {4}, 4)),
              {"\"w\"", "another"});
}

TEST(OnnxFiles, Sizes_that_lie_are_refused_before_memory_is_asked_for) {
  const auto with = [](const std::string& weight) {
    return onnx_file({4}, onnx_node("MatMul", {"x", "w"}, {"y"}) + weight);
  };
  EXPECT_EQ(error_of(with(onnx_floats("w", {4, 2}, 8))), "");
  expect_says(with(onnx_floats("w", {4, 3}, 8)), {"12 elements", "has 8"});
  expect_says(with(onnx_floats("w", {1 << 30, 1 << 30}, 8)), {"more than any file"});
  expect_says(with(onnx_floats("w", {-4, -2}, 8)), {"at least 0"});
  expect_says(with(onnx_floats("w", {std::int64_t{1} << 62, 4}, 8)), {"more than any file"});
  expect_says(with(onnx_floats("w", {5, 2}, 10)), {"(5, 2)"});
  expect_says(with(onnx_floats("w", {0, 2}, 0)), {"(0, 2)"});
  // What a small constant is repeated for.
  expect_says(onnx_file({1, 1 << 20, 1 << 20},
                        onnx_node("PRelu", {"x", "w"}, {"y"}) + onnx_floats("w", {1, 1, 2}, 2)),
              {"beside rows"});
  expect_says(onnx_file({2, 1 << 12, 1 << 12},
                        onnx_node("PRelu", {"x", "w"}, {"y"}) + onnx_floats("w", {2, 1, 1}, 2)),
              {"beyond those of the file"});
  expect_says(
      onnx_file({2, 1 << 12, 1 << 12}, onnx_node("Add", {"x", "w"}, {"y"}) + onnx_floats("w", {2, 1, 1}, 2)),
      {"beyond those of the file"});
  expect_says(
      onnx_file({2, 8, 8}, onnx_node("AveragePool", {"x"}, {"y"}, onnx_ints("kernel_shape", {1 << 30, 2}))),
      {"kernel_shape"});
  expect_says(onnx_file({2, 8, 8},
                        onnx_node("Pad", {"x"}, {"y"},
                                  onnx_ints("pads", {0, 0, 0, 0, 0, 0, std::int64_t{1} << 40, 0})),
                        10),
              {"pads"});
  expect_says(
      onnx_file({4},
                onnx_node("ConstantOfShape", {"s"}, {"c"}) + onnx_node("Add", {"x", "c"}, {"y"}) +
                    part(5, number(1, 1) + number(2, 7) + part(8, "s") + number(7, std::int64_t{1} << 40))),
      {"ConstantOfShape", "at most 1000"});
  // Two bytes a node, and a hundred times that in memory.
  std::string empty;
  for (int i = 0; i < 1'000'000; ++i) empty += part(1, "");
  expect_says(onnx_file({4}, empty), {"messages"});
  std::string dims;
  for (int i = 0; i < 1'000'000; ++i) dims += part(1, "");
  expect_says(number(1, 8) + part(7, part(11, part(2, part(1, part(2, dims))))), {"messages"});
}

TEST(OnnxFiles, Deep_nesting_is_no_recursion) {
  std::string deep;
  for (int i = 0; i < 10'000; ++i) deep = part(6, deep);  // graphs within attributes of nodes within graphs
  expect_says(
      onnx_file({4}, onnx_node("If", {"x"}, {"y"}, part(5, part(1, "then_branch") + number(20, 5) + deep))),
      {"\"the If\" (If)"});
  std::string chain = onnx_node("Relu", {"x"}, {"a0"});
  for (int i = 0; i < 2'000; ++i)
    chain += onnx_node("Tanh", {"a" + std::to_string(i)}, {"a" + std::to_string(i + 1)});
  EXPECT_EQ(error_of(onnx_file({4}, chain + onnx_node("Relu", {"a2000"}, {"y"}))), "");
  std::string groups(100'000, '\x0b');  // a group of field 1 begins, again and again
  expect_says(number(1, 8) + groups, {"no message of protobuf"});
}

TEST(OnnxFiles, Whatever_is_cut_off_or_changed_is_an_error_or_another_model) {
  const std::string file = saved(small());
  ASSERT_EQ(error_of(file), "");
  for (std::size_t size = 0; size < file.size(); size += size < 300 ? 1 : 37)
    EXPECT_NE(error_of(file.substr(0, size)), "") << size;
  std::vector<std::string> files{file};
  for (const char* const name : {"cnn_script", "attention_dynamo", "decoder_script"})
    files.push_back(read_text(test::golden_folder() + "/onnx/" + name + ".onnx"));
  std::uint32_t state = 1;
  for (const std::string& original : files)
    for (int i = 0; i < 1500; ++i) {
      std::string changed = original;
      for (int flips = 0; flips < 1 + i % 3; ++flips) {
        state = state * 1664525u + 1013904223u;
        char& byte = changed[state % changed.size()];
        byte = static_cast<char>(byte ^ (1 << (state >> 29)));
      }
      try {
        loaded(changed);
      } catch (const FileError&) {
      } catch (const OutOfMemoryError&) {
      }
    }
  expect_error<FileError>([] { onnx::load("/nowhere/x.onnx"); }, {"/nowhere/x.onnx"});
  EXPECT_NE(error_of(""), "");
  EXPECT_NE(error_of("PK\x03\x04 a zip archive"), "");
}

}  // namespace
}  // namespace glia
