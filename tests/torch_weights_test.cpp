// PyTorch's weights in Glia's models: tests/golden/torch.safetensors, which tests/golden/make_onnx.py trained, by name and by order.
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "host/io/safetensors.h"  // defines: save_safetensors
#include "tests/expect_error.h"
#include "tests/golden.h"
#include "tests/temporary_folder.h"

namespace glia {
namespace {

using test::expect_error;
using testing::TemporaryFolder;

std::string file() { return test::golden_folder() + "/torch.safetensors"; }

/// The network of make_onnx.py; `named` as there, else as Glia calls layers.
Sequential network(bool named) {
  const auto name = [&](const char* given) { return std::string(named ? given : ""); };
  Sequential model{Conv2D(4, 3, {.padding = "same", .input_shape = {3, 4, 2}, .name = name("conv1")}),
                   BatchNormalization({.epsilon = 1e-5, .name = name("bn1")}),
                   ReLU(),
                   DepthwiseConv2D(3, {.padding = "same", .depth_multiplier = 2, .name = name("depth")}),
                   Conv2DTranspose(3, 2, {.strides = 2, .name = name("up")}),
                   Flatten(),
                   Dropout(0.1),
                   Dense(7, {.activation = "relu", .name = name("fc1")}),
                   Dense(3, {.name = name("fc2")})};
  model.build({3, 4, 2});
  return model;
}

void expect_predicts_as_torch(Model& model) {
  const test::Golden values("torch_values.safetensors");
  EXPECT_TRUE(all_close(model.predict(values["x"], {.verbose = 0}), values["y"], 1e-5, 1e-5));
}

TEST(TorchWeights, By_name_predictions_are_PyTorchs) {
  Sequential model = network(true);
  const LoadedWeights report = model.load_weights(file(), {.layout = "pytorch"});
  EXPECT_EQ(report.loaded.size(), 14u);
  EXPECT_TRUE(report.unused.empty());
  expect_predicts_as_torch(model);
}

/// Files sort modules by name; here numbers stand in front, of more than one digit.
TEST(TorchWeights, By_order_they_are_too_where_modules_are_numbered) {
  TemporaryFolder folder;
  const std::vector<std::pair<std::string, std::string>> numbers{{"conv1", "0"}, {"bn1", "1"}, {"depth", "3"},
                                                                 {"up", "4"},    {"fc1", "7"}, {"fc2", "10"}};
  std::vector<io::NamedTensor> tensors = io::load_safetensors(file());
  std::vector<io::NamedView> views;
  for (const io::NamedTensor& one : tensors)
    for (const auto& [name, number] : numbers)
      if (one.name.starts_with(name + '.'))
        views.push_back({"features." + number + one.name.substr(name.size()), one.tensor});
  io::save_safetensors(folder / "numbered.safetensors", views);
  Sequential model = network(false);
  EXPECT_EQ(
      model.load_weights(folder / "numbered", {.by = MatchBy::order, .layout = "pytorch"}).loaded.size(),
      14u);
  expect_predicts_as_torch(model);
}

TEST(TorchWeights, Rows_of_a_Dense_in_a_model_within_the_model_are_permuted_too) {
  Symbol x = Input({3, 4, 2});
  const Sequential head{Dropout(0.1), Dense(7, {.activation = "relu", .name = "fc1"}),
                        Dense(3, {.name = "fc2"})};
  Symbol y = BatchNormalization({.epsilon = 1e-5, .name = "bn1"})(
      Conv2D(4, 3, {.padding = "same", .name = "conv1"})(x));
  y = DepthwiseConv2D(3, {.padding = "same", .depth_multiplier = 2, .name = "depth"})(ReLU()(y));
  y = Reshape({-1})(Conv2DTranspose(3, 2, {.strides = 2, .name = "up"})(y));
  Model model(x, Layer(head)(y));
  const LoadedWeights report = model.load_weights(file(), {.skip_mismatch = true, .layout = "pytorch"});
  EXPECT_EQ(report.missing.size(), 4u);  // of modules that the file calls fc1 and fc2, not sequential.fc1
  TemporaryFolder folder;
  std::vector<io::NamedTensor> tensors = io::load_safetensors(file());
  std::vector<io::NamedView> views;
  for (const io::NamedTensor& one : tensors)
    views.push_back({one.name.starts_with("fc") ? "sequential." + one.name : one.name, one.tensor});
  io::save_safetensors(folder / "nested.safetensors", views);
  EXPECT_EQ(model.load_weights(folder / "nested", {.layout = "pytorch"}).loaded.size(), 14u);
  expect_predicts_as_torch(model);
}

TEST(TorchWeights, Other_layers_take_them_by_their_kinds) {
  TemporaryFolder folder;
  const Tensor filters = Tensor::arange(2 * 3 * 5).reshape({2, 3, 5}), slopes({0.5, 0.25}),
               table = Tensor::arange(6).reshape({3, 2});
  io::save_safetensors(folder / "x.safetensors",
                       std::vector<io::NamedView>{{"a.weight", filters}, {"b.weight", slopes}});
  Sequential model{Conv1D(2, 5, {.use_bias = false, .input_shape = {7, 3}, .name = "a"}),
                   PReLU({.name = "b"})};
  model.load_weights(folder / "x", {.layout = "pytorch"});
  const TensorList weights = model.get_weights();
  EXPECT_EQ(weights[0].shape(), (Shape{5, 3, 2}));
  EXPECT_EQ(weights[0](4, 2, 1), filters(1, 2, 4));
  EXPECT_EQ(weights[0](1, 0, 1), filters(1, 0, 1));
  EXPECT_EQ(weights[1].shape(), (Shape{3, 2}));
  for (int step = 0; step < 3; ++step) EXPECT_EQ(weights[1](step, 1), 0.25);
  io::save_safetensors(folder / "y.safetensors", std::vector<io::NamedView>{{"c.weight", table}});
  Sequential words{Embedding(3, 2, {.input_length = 4, .name = "c"})};
  words.load_weights(folder / "y", {.layout = "pytorch"});
  EXPECT_TRUE(array_equal(words.get_weights()[0], table));
}

TEST(TorchWeights, Rows_behind_a_Flatten_of_images_go_by_channels_first_there) {
  TemporaryFolder folder;
  const Tensor matrix = Tensor::arange(2 * 24).reshape({2, 24}), bias({1, 2});
  io::save_safetensors(folder / "x.safetensors",
                       std::vector<io::NamedView>{{"d.weight", matrix}, {"d.bias", bias}});
  Sequential model{Flatten({3, 4, 2}), Dense(2, {.name = "d"})};
  model.load_weights(folder / "x", {.layout = "pytorch"});
  const Tensor kernel = model.get_weights()[0];
  for (int h = 0; h < 3; ++h)
    for (int w = 0; w < 4; ++w)
      for (int c = 0; c < 2; ++c)
        for (int unit = 0; unit < 2; ++unit)
          EXPECT_EQ(kernel((h * 4 + w) * 2 + c, unit), matrix(unit, (c * 3 + h) * 4 + w));
}

TEST(TorchWeights, What_does_not_fit_is_told_and_changes_nothing) {
  Sequential model = network(true);
  const TensorList before = model.get_weights();
  expect_error<ValueError>([&] { model.load_weights(file(), {.layout = "torch"}); },
                           {"\"torch\"", "pytorch"});
  expect_error<ShapeError>([&] { model.load_weights(file()); }, {"conv1/kernel"});
  Sequential wider{Flatten({3, 4, 2}), Dense(5, {.name = "fc1"})};
  expect_error<ShapeError>([&] { wider.load_weights(file(), {.layout = "pytorch"}); }, {"fc1"});
  const LoadedWeights report = wider.load_weights(file(), {.skip_mismatch = true, .layout = "pytorch"});
  EXPECT_EQ(report.mismatched.size(), 2u);
  EXPECT_EQ(report.unused.size(), 12u);  // all of PyTorch's but num_batches_tracked
  const TensorList after = model.get_weights();
  for (std::size_t i = 0; i < before.size(); ++i) EXPECT_TRUE(array_equal(before[i], after[i]));
}

}  // namespace
}  // namespace glia
