// Gradients of layers for images, in training mode, against central differences in float64.
// SPDX-License-Identifier: Apache-2.0
#include <glia/image_layers.h>
#include <glia/sequential.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/slopes.h"

namespace glia::test {
namespace {

/// A model that has the layer, and which of its weights (in get_weights()'s order) are not trained.
struct Case {
  std::string name;
  std::vector<Layer> (*layers)();
  Shape row = {4, 3, 2};
  std::vector<std::size_t> fixed = {};

  friend std::ostream& operator<<(std::ostream& out, const Case& c) { return out << c.name; }
};

/// Between a layer that needs the gradient of its output, and Dense.
#define GLIA_BETWEEN(...) \
  [] { return std::vector<Layer>{Dense(3, "tanh"), __VA_ARGS__, Flatten(), Dense(2, "sigmoid")}; }
/// First, where the gradient of the input is not wanted.
#define GLIA_FIRST(...) [] { return std::vector<Layer>{__VA_ARGS__, Flatten(), Dense(2, "sigmoid")}; }

std::vector<Case> convolution_cases() {
  return {
      {"conv2d", GLIA_BETWEEN(Conv2D(2, 2))},
      {"conv2d_first", GLIA_FIRST(Conv2D(3, 2))},
      {"conv2d_last",
       [] {
         return std::vector<Layer>{Conv2D(2, 3, {.padding = "same"}), Conv2D(3, 2, {.activation = "tanh"})};
       }},
      {"conv2d_of_one_pixel", GLIA_BETWEEN(Conv2D(2, 3, {.padding = "same"})), {1, 1, 2}},
      {"conv2d_same_with_strides", GLIA_BETWEEN(Conv2D(2, 3, {.strides = {2, 3}, .padding = "same"}))},
      {"conv2d_strides_above_kernel", GLIA_BETWEEN(Conv2D(2, 1, {.strides = 2})), {5, 4, 2}},
      {"conv2d_kernel_above_image", GLIA_BETWEEN(Conv2D(2, {6, 5}, {.padding = "same"})), {3, 2, 2}},
      {"conv2d_dilated", GLIA_BETWEEN(Conv2D(2, 2, {.padding = "same", .dilation_rate = {3, 2}}))},
      {"conv2d_of_groups", GLIA_BETWEEN(Conv2D(6, {2, 1}, {.groups = 3, .activation = "gelu"}))},
      {"conv2d_of_groups_first", GLIA_FIRST(Conv2D(4, 3, {.padding = "same", .groups = 2}))},
      {"conv2d_softmax", GLIA_BETWEEN(Conv2D(3, 2, {.activation = "softmax", .use_bias = false}))},
      {"conv2d_regularized",
       GLIA_BETWEEN(Conv2D(2, 2, {.kernel_regularizer = "l2", .bias_regularizer = "l2"}))},
      {"conv1d", GLIA_BETWEEN(Conv1D(2, 3, {.activation = "tanh"})), {5, 2}},
      {"conv1d_first", GLIA_FIRST(Conv1D(2, 2, {.strides = 2, .padding = "same"})), {5, 2}},
      {"conv1d_dilated", GLIA_BETWEEN(Conv1D(3, 2, {.dilation_rate = 2, .groups = 3})), {5, 2}},
      {"conv2d_transpose", GLIA_BETWEEN(Conv2DTranspose(2, 2)), {3, 2, 2}},
      {"conv2d_transpose_first",
       GLIA_FIRST(Conv2DTranspose(2, 3, {.strides = 2, .padding = "same"})),
       {3, 2, 2}},
      {"conv2d_transpose_strides_above_kernel",
       GLIA_BETWEEN(Conv2DTranspose(2, {1, 2}, {.strides = {2, 3}})),
       {2, 2, 2}},
      {"conv2d_transpose_dilated",
       GLIA_BETWEEN(Conv2DTranspose(2, 2, {.dilation_rate = 2, .activation = "tanh", .use_bias = false})),
       {3, 2, 2}},
      {"depthwise_conv2d", GLIA_BETWEEN(DepthwiseConv2D(2, {.depth_multiplier = 2, .activation = "tanh"}))},
      {"depthwise_conv2d_first", GLIA_FIRST(DepthwiseConv2D({2, 3}, {.strides = 2, .padding = "same"}))},
      {"separable_conv2d", GLIA_BETWEEN(SeparableConv2D(2, 2, {.depth_multiplier = 2}))},
      {"separable_conv2d_first",
       GLIA_FIRST(SeparableConv2D(2, 3, {.strides = 2, .padding = "same", .activation = "tanh"}))},
  };
}

std::vector<Case> window_cases() {
  return {
      {"max_pooling", GLIA_BETWEEN(MaxPooling2D())},
      {"max_pooling_same_overlapping",
       GLIA_BETWEEN(MaxPooling2D({3, 2}, {.strides = {2, 1}, .padding = "same"}))},
      {"max_pooling_first", GLIA_FIRST(MaxPooling2D())},
      {"global_max_pooling_that_keeps", GLIA_BETWEEN(GlobalMaxPooling2D({.keepdims = true}))},
      {"average_pooling", GLIA_BETWEEN(AveragePooling2D(2, {.strides = 1}))},
      {"average_pooling_same", GLIA_BETWEEN(AveragePooling2D(3, {.strides = 2, .padding = "same"}))},
      {"global_max_pooling", GLIA_BETWEEN(GlobalMaxPooling2D())},
      {"global_average_pooling", GLIA_BETWEEN(GlobalAveragePooling2D())},
      {"global_average_pooling_of_one_pixel",
       GLIA_BETWEEN(GlobalAveragePooling2D({.keepdims = true})),
       {1, 1, 2}},
      {"zero_padding", GLIA_BETWEEN(ZeroPadding2D({0, 1, 2, 0}))},
      {"cropping", GLIA_BETWEEN(Cropping2D({1, 0, 0, 1}))},
      {"up_sampling_nearest", GLIA_BETWEEN(UpSampling2D({1, 3})), {2, 3, 2}},
      {"up_sampling_bilinear", GLIA_BETWEEN(UpSampling2D({2, 3}, {.interpolation = "bilinear"})), {2, 3, 2}},
      {"up_sampling_bilinear_of_one_pixel",
       GLIA_BETWEEN(UpSampling2D(3, {.interpolation = "bilinear"})),
       {1, 1, 2}},
      {"spatial_dropout", GLIA_BETWEEN(Conv2D(4, 2, {.activation = "relu"}), SpatialDropout2D(0.4))},
      {"windows_one_after_the_other",
       GLIA_BETWEEN(ZeroPadding2D(), AveragePooling2D(2, {.strides = 1}), Dense(3, "tanh"),
                    UpSampling2D(2, {.interpolation = "bilinear"}), MaxPooling2D(3, {.strides = 2}),
                    Cropping2D({1, 0, 0, 0}), UpSampling2D({1, 2}), GlobalAveragePooling2D()),
       {3, 2, 2}},
      {"batch_normalization_of_images", GLIA_BETWEEN(BatchNormalization(), Conv2D(2, 2)), {4, 3, 2}, {4, 5}},
  };
}

std::vector<Case> residual_cases() {
  return {
      {"residual", GLIA_BETWEEN(Residual({Conv2D(3, 3, {.padding = "same", .activation = "tanh"})}))},
      {"residual_first", GLIA_FIRST(Residual({Conv2D(2, 3, {.padding = "same"})}))},
      {"residual_of_dense", GLIA_BETWEEN(Residual({Dense(4, "tanh"), Dense(3)})), {2}},
      {"residual_with_shortcut",
       GLIA_BETWEEN(Residual({Conv2D(4, 3, {.strides = 2, .padding = "same"}), BatchNormalization()},
                             {.shortcut = {Conv2D(4, 1, {.strides = 2}), BatchNormalization()}})),
       {4, 3, 2},
       {6, 7, 12, 13}},
      {"residual_with_shortcut_first",
       GLIA_FIRST(Residual({Activation("tanh"), Conv2D(3, 1)}, {.shortcut = {Conv2D(3, 1)}}))},
      {"residual_whose_shortcut_alone_is_trained",
       GLIA_FIRST(
           Residual({Activation("tanh"), AveragePooling2D()}, {.shortcut = {Conv2D(2, 2, {.strides = 2})}}))},
      {"residual_without_weights_first", GLIA_FIRST(Residual({Activation("tanh")}), Dense(3, "tanh"))},
      {"residual_without_weights", GLIA_BETWEEN(Residual({Activation("tanh"), Rescaling(-0.5, 0.1)}))},
      {"residual_in_residual",
       GLIA_BETWEEN(Residual({Residual({Dense(3, "tanh")}), Conv2D(3, 2, {.padding = "same"}),
                              Residual({Activation("tanh")}, {.shortcut = {Dense(3)}})}))},
      {"residual_after_residual",
       GLIA_FIRST(Residual({Dense(2, "tanh")}), Residual({Dense(2, "tanh")}), Residual({Dense(2, "tanh")}))},
      {"residual_with_noise", GLIA_BETWEEN(Residual({Dense(4, "tanh"), Dropout(0.3), Dense(3)},
                                                    {.shortcut = {SpatialDropout2D(0.3)}}))},
      {"residual_last",
       [] {
         return std::vector<Layer>{Dense(3), Residual({Dense(3)})};
       }},
  };
}
#undef GLIA_BETWEEN
#undef GLIA_FIRST

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const auto& part : {convolution_cases(), window_cases(), residual_cases()})
    all.insert(all.end(), part.begin(), part.end());
  return all;
}

class EveryImageLayer : public ::testing::TestWithParam<Case> {};
INSTANTIATE_TEST_SUITE_P(Float64, EveryImageLayer, ::testing::ValuesIn(cases()),
                         [](const auto& info) { return info.param.name; });

TEST_P(EveryImageLayer, Has_the_slope_that_its_gradient_says) {
  const Case& c = GetParam();
  const auto is_trained = [&](std::size_t i) { return std::count(c.fixed.begin(), c.fixed.end(), i) == 0; };
  std::uint64_t seed = 601;
  for (const std::int64_t batch : {1, 3, 8}) {
    Draws draws(seed++);
    Sequential model(c.layers());
    model.set_dtype(DType::float64);
    model.compile({.loss = "mse", .device = "cpu"});
    model.build(c.row);
    std::vector<Tensor> weights = model.get_weights();
    for (std::size_t i = 0; i < weights.size(); ++i)
      if (is_trained(i)) weights[i] = draws.tensor(weights[i].shape());
    model.set_weights(weights);
    const Tensor x = draws.tensor(c.row.prepend(batch));
    const Tensor y = draws.tensor(model(x).shape());
    const Gradients got = model.gradients(x, y);
    const auto loss = [&] { return model.gradients(x, y).loss; };
    EXPECT_EQ(loss(), got.loss);
    EXPECT_TRUE(close(got.weights, slopes(model, loss, is_trained), wide_slope_tolerance))
        << "batch " << batch << ", seed " << seed - 1;
  }
}

}  // namespace
}  // namespace glia::test
