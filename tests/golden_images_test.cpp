// What Keras computes, Glia computes: layers for images while a model predicts, and epochs of small models of them.
// The tables mirror those of tests/golden/make_keras_images.py.
// SPDX-License-Identifier: Apache-2.0
#include <glia/image_layers.h>
#include <glia/sequential.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "tests/close.h"
#include "tests/devices.h"
#include "tests/golden.h"

namespace glia::test {
namespace {

// forward

struct ImageCase {
  std::string name;
  std::function<Layers()> layers;

  friend std::ostream& operator<<(std::ostream& out, const ImageCase& one) { return out << one.name; }
};

/// A size in a case's name: 2, or 2x3.
std::string word(Size2D size) {
  const std::string width = std::to_string(size.width);
  return size.height == size.width ? width : std::to_string(size.height) + 'x' + width;
}

/// A model of one layer, made anew by each call.
template <class LayerType, class... Arguments>
ImageCase single(const std::string& name, const Arguments&... arguments) {
  return {name, [=] { return Layers{LayerType(arguments...)}; }};
}

const std::initializer_list<std::string> paddings = {"valid", "same"};

std::vector<ImageCase> conv2d_cases() {
  std::vector<ImageCase> cases;
  for (const std::string& padding : paddings) {
    for (const Size2D kernel : {Size2D(1), Size2D(2), Size2D(3), Size2D(3, 2)})
      for (const Size2D strides : {Size2D(1), Size2D(2), Size2D(1, 2), Size2D(3)})
        cases.push_back(single<Conv2D>("conv2d_" + padding + '_' + word(kernel) + "_by_" + word(strides), 4,
                                       kernel, Conv2DOptions{.strides = strides, .padding = padding}));
    const std::pair<Size2D, Size2D> dilated[] = {{2, 2}, {3, 2}, {2, {1, 3}}, {{2, 3}, {3, 1}}};
    for (const auto& [kernel, dilation] : dilated)
      cases.push_back(single<Conv2D>("conv2d_" + padding + '_' + word(kernel) + "_dilated_" + word(dilation),
                                     4, kernel,
                                     Conv2DOptions{.padding = padding, .dilation_rate = dilation}));
    for (const int groups : {2, 4})
      cases.push_back(single<Conv2D>("conv2d_" + padding + "_of_" + std::to_string(groups) + "_groups", 8, 3,
                                     Conv2DOptions{.strides = {2, 1}, .padding = padding, .groups = groups}));
  }
  for (const std::string activation : {"relu", "tanh", "softmax", "gelu"})
    cases.push_back(single<Conv2D>("conv2d_" + activation, 4, 3, Conv2DOptions{.activation = activation}));
  const Conv2DOptions same{.padding = "same"};
  cases.push_back(single<Conv2D>("conv2d_no_bias", 4, 3, Conv2DOptions{.use_bias = false}));
  cases.push_back(single<Conv2D>("conv2d_of_one_channel", 1, 2, same));
  cases.push_back(
      single<Conv2D>("conv2d_of_one_pixel", 2, 3, Conv2DOptions{.strides = 2, .padding = "same"}));
  cases.push_back(single<Conv2D>("conv2d_kernel_above_image", 2, 7, same));
  cases.push_back(single<Conv2D>("conv2d_many_filters", 33, 3, same));
  return cases;
}

std::vector<ImageCase> conv1d_cases() {
  std::vector<ImageCase> cases;
  for (const std::string& padding : paddings)
    for (const int kernel : {2, 3})
      for (const int strides : {1, 2})
        cases.push_back(single<Conv1D>(
            "conv1d_" + padding + '_' + std::to_string(kernel) + "_by_" + std::to_string(strides), 4, kernel,
            Conv1DOptions{.strides = strides, .padding = padding}));
  cases.push_back(single<Conv1D>("conv1d_dilated", 4, 3,
                                 Conv1DOptions{.padding = "same", .dilation_rate = 2, .use_bias = false}));
  cases.push_back(
      single<Conv1D>("conv1d_of_2_groups", 6, 3, Conv1DOptions{.groups = 2, .activation = "relu"}));
  return cases;
}

std::vector<ImageCase> conv2d_transpose_cases() {
  std::vector<ImageCase> cases;
  for (const std::string& padding : paddings)
    for (const Size2D kernel : {Size2D(1), Size2D(2), Size2D(3), Size2D(4), Size2D(2, 3)})
      for (const Size2D strides : {Size2D(1), Size2D(2), Size2D(3), Size2D(1, 2)})
        cases.push_back(single<Conv2DTranspose>(
            "conv2d_transpose_" + padding + '_' + word(kernel) + "_by_" + word(strides), 2, kernel,
            Conv2DTransposeOptions{.strides = strides, .padding = padding}));
  const auto dilated = [&](const std::string& padding, Size2D kernel, Size2D dilation) {
    cases.push_back(single<Conv2DTranspose>(
        "conv2d_transpose_" + padding + '_' + word(kernel) + "_dilated_" + word(dilation), 2, kernel,
        Conv2DTransposeOptions{.padding = padding, .dilation_rate = dilation}));
  };
  dilated("valid", 3, 2), dilated("same", 3, 2), dilated("same", 2, 3), dilated("same", {2, 3}, {1, 2});
  cases.push_back(
      single<Conv2DTranspose>("conv2d_transpose_relu", 2, 3,
                              Conv2DTransposeOptions{.strides = 2, .padding = "same", .activation = "relu"}));
  cases.push_back(
      single<Conv2DTranspose>("conv2d_transpose_no_bias", 2, 3, Conv2DTransposeOptions{.use_bias = false}));
  return cases;
}

std::vector<ImageCase> depthwise_cases() {
  std::vector<ImageCase> cases;
  for (const std::string& padding : paddings)
    for (const int strides : {1, 2})
      for (const int depth : {1, 2}) {
        const std::string end = "_by_" + std::to_string(strides) + "_of_" + std::to_string(depth);
        for (const int kernel : {2, 3})
          cases.push_back(single<DepthwiseConv2D>(
              "depthwise_conv2d_" + padding + '_' + std::to_string(kernel) + end, kernel,
              DepthwiseConv2DOptions{.strides = strides, .padding = padding, .depth_multiplier = depth}));
        cases.push_back(single<SeparableConv2D>(
            "separable_conv2d_" + padding + end, 4, 3,
            SeparableConv2DOptions{.strides = strides, .padding = padding, .depth_multiplier = depth}));
      }
  cases.push_back(single<DepthwiseConv2D>("depthwise_conv2d_dilated", Size2D(3, 2),
                                          DepthwiseConv2DOptions{.dilation_rate = 2}));
  cases.push_back(single<DepthwiseConv2D>("depthwise_conv2d_relu", 3,
                                          DepthwiseConv2DOptions{.activation = "relu", .use_bias = false}));
  cases.push_back(single<SeparableConv2D>(
      "separable_conv2d_dilated", 4, 2,
      SeparableConv2DOptions{.padding = "same", .dilation_rate = 2, .activation = "tanh"}));
  return cases;
}

std::vector<ImageCase> pooling_cases() {
  std::vector<ImageCase> cases;
  const auto both = [&cases](const std::string& name, Size2D pool, const Pooling2DOptions& options) {
    cases.push_back(single<MaxPooling2D>("max_pooling_" + name, pool, options));
    cases.push_back(single<AveragePooling2D>("average_pooling_" + name, pool, options));
  };
  for (const std::string& padding : paddings)
    for (const Size2D pool : {Size2D(2), Size2D(3), Size2D(3, 2)}) {
      const std::string name = padding + '_' + word(pool);
      both(name, pool, {.padding = padding});
      for (const Size2D strides : {Size2D(1), Size2D(2), Size2D(2, 1)})
        both(name + "_by_" + word(strides), pool, {.strides = strides, .padding = padding});
    }
  both("strides_above_pool", 2, {.strides = 3, .padding = "same"});
  for (const bool keepdims : {false, true}) {
    const std::string end = keepdims ? "_keepdims" : "";
    const GlobalPooling2DOptions options{.keepdims = keepdims};
    cases.push_back(single<GlobalMaxPooling2D>("global_max_pooling" + end, options));
    cases.push_back(single<GlobalAveragePooling2D>("global_average_pooling" + end, options));
  }
  return cases;
}

std::vector<ImageCase> resizing_cases() {
  std::vector<ImageCase> cases;
  const std::pair<std::string, Border2D> borders[] = {{"1", 1}, {"1x2", {1, 2}}, {"1_0_2_1", {1, 0, 2, 1}}};
  for (const auto& [name, border] : borders) {
    cases.push_back(single<ZeroPadding2D>("zero_padding_" + name, border));
    cases.push_back(single<Cropping2D>("cropping_" + name, border));
  }
  for (const std::string interpolation : {"nearest", "bilinear"})
    for (const Size2D size : {Size2D(1), Size2D(2), Size2D(3, 2), Size2D(1, 4)})
      cases.push_back(single<UpSampling2D>("up_sampling_" + interpolation + '_' + word(size), size,
                                           UpSampling2DOptions{.interpolation = interpolation}));
  cases.push_back(single<SpatialDropout2D>("spatial_dropout_predicts", 0.5));
  return cases;
}

Layers residual_with_normalizations() {
  const Conv2DOptions no_bias{.padding = "same", .use_bias = false};
  const Layers main{Conv2D(4, 3, no_bias), BatchNormalization(), ReLU(), Conv2D(4, 3, no_bias),
                    BatchNormalization()};
  return {
      Conv2D(3, 1),
      Residual(main, {.shortcut = {Conv2D(4, 1, no_bias), BatchNormalization()}}),
      ReLU(),
      Residual({ZeroPadding2D(), Conv2D(4, 3)}),
  };
}

std::vector<ImageCase> model_cases() {
  const Conv2DOptions same{.padding = "same"};
  return {
      {"batch_normalization",
       [] {
         return Layers{Conv2D(3, 2), BatchNormalization()};
       }},
      {"dense_of_channels",
       [] {
         return Layers{Conv2D(3, 2, {.activation = "relu"}), Dense(4, "softmax")};
       }},
      {"residual", [=] { return Layers{Residual({Conv2D(2, 3, same)})}; }},
      {"residual_with_shortcut",
       [] {
         const Conv2DOptions first{.strides = 2, .padding = "same", .activation = "relu"};
         return Layers{
             Residual({Conv2D(3, 3, first), Conv2D(4, 1)}, {.shortcut = {Conv2D(4, 1, {.strides = 2})}}),
             ReLU()};
       }},
      {"residual_with_normalizations", residual_with_normalizations},
      {"residual_in_residual",
       [=] {
         return Layers{
             Residual({Residual({Conv2D(2, 1)}), Conv2D(2, 2, same)}, {.shortcut = {MaxPooling2D(1)}})};
       }},
      {"lenet",
       [] {
         return Layers{Conv2D(3, 3, {.padding = "same", .activation = "tanh"}),
                       AveragePooling2D(2),
                       Conv2D(5, 3, {.activation = "tanh"}),
                       MaxPooling2D(2),
                       Flatten(),
                       Dense(6, "softmax")};
       }},
  };
}

std::vector<ImageCase> image_cases() {
  std::vector<ImageCase> cases;
  for (const auto& part : {conv2d_cases(), conv1d_cases(), conv2d_transpose_cases(), depthwise_cases(),
                           pooling_cases(), resizing_cases(), model_cases()})
    cases.insert(cases.end(), part.begin(), part.end());
  return cases;
}

const Golden& image_values() {
  static const Golden golden("image_forward.safetensors");
  return golden;
}

using GoldenImages = GoldenTest<ImageCase>;

TEST_P(GoldenImages, Outputs_are_those_of_Keras) {
  const Golden& golden = image_values();
  const std::string& name = one().name;
  const Tensor& x = golden[name + "/x"];
  Sequential model = this->model(one().layers(), x.shape().row(), golden.list(name + "/weights", dtype()));
  for (const std::int64_t batch_size : {1, 64}) {
    const Tensor out = model.predict(x, {.batch_size = batch_size, .verbose = 0});
    EXPECT_EQ(out.dtype(), dtype());
    EXPECT_TRUE(close(out, golden[name + "/out"], golden_tolerance(dtype())))
        << "case " << name << ", batch_size " << batch_size;
  }
}

INSTANTIATE_TEST_SUITE_P(Golden, GoldenImages,
                         ::testing::Combine(::testing::ValuesIn(image_cases()),
                                            ::testing::ValuesIn(test_runs())),
                         name_of_case<ImageCase>);

TEST(GoldenFiles, Every_forward_case_of_the_file_is_tested) {
  EXPECT_EQ(names_of(image_cases()), image_values().cases());
  EXPECT_EQ(names_of(image_cases()).size(), image_cases().size()) << "two cases of one name";
}

// fit

struct ImageFitCase {
  std::string name;
  Layers (*layers)();
  std::int64_t batch_size;

  friend std::ostream& operator<<(std::ostream& out, const ImageFitCase& one) { return out << one.name; }
};

Layers cnn() {
  return {Conv2D(4, 3, {.padding = "same", .activation = "relu"}), MaxPooling2D(2),
          Conv2D(5, 2, {.activation = "tanh"}), GlobalAveragePooling2D(), Dense(3, "softmax")};
}

Layers residual_network() {
  const Layers main{SeparableConv2D(5, 3, {.padding = "same"}), BatchNormalization({.momentum = 0.7}),
                    Activation("tanh")};
  return {Conv2D(4, 3, {.strides = 2, .padding = "same", .use_bias = false}),
          BatchNormalization({.momentum = 0.8}),
          ReLU(),
          Residual(main, {.shortcut = {Conv2D(5, 1), BatchNormalization({.momentum = 0.9})}}),
          Flatten(),
          Dense(3, "softmax")};
}

std::vector<ImageFitCase> image_fit_cases() {
  return {{"cnn", cnn, 8}, {"residual_network", residual_network, 7}};
}

const Golden& image_fit_values() {
  static const Golden golden("image_fit.safetensors");
  return golden;
}

using GoldenImageFit = GoldenTest<ImageFitCase>;

TEST_P(GoldenImageFit, Four_epochs_are_those_of_Keras) {
  const Golden& golden = image_fit_values();
  const std::string& name = one().name;
  const SGD optimizer{.learning_rate = 0.05, .momentum = 0.9};
  const Tensor& x = golden[name + "/x"];
  Sequential model =
      this->model(one().layers(), x.shape().row(), golden.list(name + "/weights", dtype()),
                  {.optimizer = optimizer, .loss = "sparse_categorical_crossentropy", .metrics = "accuracy"});
  const History history = model.fit(
      x, golden[name + "/y"],
      {.epochs = 4, .batch_size = one().batch_size, .verbose = 0, .validation_split = 0.2, .shuffle = false});
  std::vector<std::string> keys = history.keys(), expected = golden.below(name + "/history/");
  std::sort(keys.begin(), keys.end()), std::sort(expected.begin(), expected.end());
  EXPECT_EQ(keys, expected);
  for (const std::string& key : keys)
    EXPECT_TRUE(close(Tensor(history[key]), golden[name + "/history/" + key], golden_tolerance(dtype())))
        << key << " of " << name;
  EXPECT_TRUE(close(model.get_weights(), golden.list(name + "/after"), golden_tolerance(dtype())))
      << "weights after " << name;
}

INSTANTIATE_TEST_SUITE_P(Golden, GoldenImageFit,
                         ::testing::Combine(::testing::ValuesIn(image_fit_cases()),
                                            ::testing::ValuesIn(test_runs())),
                         name_of_case<ImageFitCase>);

TEST(GoldenFiles, Every_fit_of_the_file_is_tested) {
  EXPECT_EQ(names_of(image_fit_cases()), image_fit_values().cases());
}

}  // namespace
}  // namespace glia::test
