// What layers for images get that they cannot take: one typed error that says what was got, and the shapes.
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>
#include <glia/image_layers.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "tests/devices.h"
#include "tests/expect_error.h"

namespace glia {
namespace {

using test::expect_error;
using Parts = std::vector<std::string>;

/// Expects a model of one layer to refuse such rows, in build and in predict, and to stay unbuilt.
void refuse_rows(const Layer& layer, const Shape& rows, const Parts& parts) {
  Sequential model{layer};
  model.compile({.loss = "mse", .device = test::current_device()});
  expect_error<ShapeError>([&] { model.build(rows); }, parts);
  expect_error<ShapeError>([&] { model.predict(Tensor::ones(rows.prepend(2)), {.verbose = 0}); }, parts);
  EXPECT_FALSE(model.built());
}

void refuse(const std::function<void()>& make, const Parts& parts) { expect_error<ValueError>(make, parts); }

class ImageErrorsOn : public test::DeviceTest {};
INSTANTIATE_TEST_SUITE_P(Devices, ImageErrorsOn, ::testing::ValuesIn(test::test_devices()),
                         test::device_name);

TEST_P(ImageErrorsOn, Windows_that_do_not_fit_into_the_image) {
  refuse_rows(Conv2D(4, 5), {4, 9, 3}, {"conv2d", "(5, 5)", "(4, 9, 3)", "\"same\""});
  refuse_rows(Conv2D(4, 3, {.dilation_rate = {1, 4}}), {9, 8, 3}, {"(3, 9)", "(9, 8, 3)"});
  refuse_rows(Conv1D(4, 6), {5, 3}, {"conv1d", "6", "5", "\"same\""});
  refuse_rows(DepthwiseConv2D({1, 4}), {3, 3, 3}, {"depthwise_conv2d", "(1, 4)", "(3, 3, 3)"});
  refuse_rows(SeparableConv2D(2, 4), {3, 3, 3}, {"separable_conv2d", "(4, 4)", "(3, 3, 3)"});
  refuse_rows(MaxPooling2D(), {1, 8, 3}, {"max_pooling2d", "(2, 2)", "(1, 8, 3)"});
  refuse_rows(AveragePooling2D({2, 9}), {8, 8, 3}, {"average_pooling2d", "(2, 9)", "(8, 8, 3)"});
  refuse_rows(Cropping2D({2, 3}), {4, 9, 1}, {"cropping2d", "(4, 9, 1)"});
  refuse_rows(Cropping2D({0, 0, 5, 4}), {4, 8, 1}, {"cropping2d", "(4, 8, 1)"});
}

/// Where the first layer says what it takes, compile says what does not fit, and the model stays as it was.
TEST_P(ImageErrorsOn, Shapes_that_are_known_at_compile) {
  const CompileOptions options{.loss = "mse", .device = test::current_device()};
  Sequential deep{Conv2D(4, 3, {.input_shape = {6, 6, 1}}), MaxPooling2D(), Conv2D(4, 3)};
  for (int again = 0; again < 2; ++again)
    expect_error<ShapeError>([&] { deep.compile(options); }, {"conv2d_1", "(3, 3)", "(2, 2, 4)"});
  EXPECT_FALSE(deep.built());
  Sequential ways{Residual({Conv2D(4, 3)}, {.shortcut = {Conv2D(4, 1)}})};
  ways.compile(options);  // of whatever images
  Sequential grouped{Conv2D(4, 3, {.groups = 2, .input_shape = {8, 8, 3}})};
  expect_error<ShapeError>([&] { grouped.compile(options); }, {"2 groups", "3 channels", "(8, 8, 3)"});
  Sequential cropped{Input({9, 8, 1}), Cropping2D(4), Flatten(), Dense(2)};
  expect_error<ShapeError>([&] { cropped.compile(options); }, {"cropping2d", "(9, 8, 1)"});
  // The layers are as good as new.
  Sequential fits{Conv2D(4, 3, {.input_shape = {6, 6, 1}}), MaxPooling2D()};
  fits.compile(options);
  fits.add(Conv2D(4, 3));
  expect_error<ShapeError>([&] { fits.get_weights(); }, {"conv2d_1", "(3, 3)", "(2, 2, 4)"});
}

TEST_P(ImageErrorsOn, Rows_that_are_not_images) {
  refuse_rows(Conv2D(4, 3), {28, 28}, {"conv2d", "(height, width, channels)", "(28, 28)", "Reshape"});
  refuse_rows(Conv2DTranspose(4, 3), {784}, {"conv2d_transpose", "(784,)"});
  refuse_rows(DepthwiseConv2D(3), {2, 8, 8, 3}, {"depthwise_conv2d", "(2, 8, 8, 3)"});
  refuse_rows(SeparableConv2D(3, 3), {8, 8}, {"separable_conv2d", "(8, 8)"});
  refuse_rows(Conv1D(4, 3), {8, 8, 3}, {"conv1d", "(steps, channels)", "(8, 8, 3)"});
  refuse_rows(MaxPooling2D(), {8, 8}, {"max_pooling2d", "(8, 8)"});
  refuse_rows(GlobalMaxPooling2D(), {8, 8}, {"global_max_pooling2d", "(8, 8)"});
  refuse_rows(GlobalAveragePooling2D(), {8}, {"global_average_pooling2d", "(8,)"});
  refuse_rows(ZeroPadding2D(), {8, 8}, {"zero_padding2d", "(8, 8)"});
  refuse_rows(Cropping2D(1), {8, 8}, {"cropping2d", "(8, 8)"});
  refuse_rows(UpSampling2D(), {8, 8}, {"up_sampling2d", "(8, 8)"});
  refuse_rows(SpatialDropout2D(0.5), {8, 8}, {"spatial_dropout2d", "(8, 8)"});
}

TEST_P(ImageErrorsOn, Channels_that_groups_do_not_divide) {
  refuse_rows(Conv2D(4, 3, {.groups = 2}), {8, 8, 3}, {"2 groups", "3 channels", "(8, 8, 3)"});
  refuse_rows(Conv1D(6, 3, {.groups = 3}), {8, 4}, {"3 groups", "4 channels", "(8, 4)"});
  refuse([] { Conv2D(5, 3, {.groups = 2}); }, {"Conv2D", "5 filters", "2 groups"});
  refuse([] { Conv1D(5, 3, {.groups = 3}); }, {"Conv1D", "5 filters", "3 groups"});
}

TEST_P(ImageErrorsOn, Images_of_another_size_than_the_model_was_built_for) {
  Sequential model{Conv2D(4, 3, {.input_shape = {8, 8, 3}}), GlobalAveragePooling2D(), Dense(2)};
  model.compile({.loss = "mse", .device = test::current_device()});
  const std::vector<Tensor> before = model.get_weights();
  const Tensor y = Tensor::ones({2, 2});
  for (const Shape& other : {Shape{9, 8, 3}, Shape{8, 8, 1}, Shape{3, 8, 8}, Shape{8, 24}}) {
    const Tensor x = Tensor::ones(other.prepend(2));
    const Parts parts = {"(8, 8, 3)", ::testing::PrintToString(x.shape())};
    expect_error<ShapeError>([&] { model.predict(x, {.verbose = 0}); }, parts);
    expect_error<ShapeError>([&] { model.fit(x, y, {.verbose = 0}); }, parts);
    expect_error<ShapeError>([&] { model.evaluate(x, y, {.verbose = 0}); }, parts);
  }
  for (std::size_t i = 0; i < before.size(); ++i) EXPECT_TRUE(array_equal(model.get_weights()[i], before[i]));
  EXPECT_EQ(model(Tensor::ones({5, 8, 8, 3})).shape(), (Shape{5, 2}));
}

/// Built by the first batch: the next call says so again, or takes images that fit.
TEST_P(ImageErrorsOn, A_build_that_fails_leaves_a_model_that_takes_other_images) {
  Sequential model{MaxPooling2D(3), Flatten(), Dense(2)};
  model.compile({.loss = "mse", .device = test::current_device()});
  for (int again = 0; again < 2; ++again)
    expect_error<ShapeError>(
        [&] {
          model.fit(Tensor::ones({4, 2, 5, 1}), Tensor::ones({4, 2}), {.verbose = 0});
        },
        {"max_pooling2d", "(3, 3)", "(2, 5, 1)"});
  EXPECT_FALSE(model.built());
  model.fit(Tensor::ones({4, 3, 6, 1}), Tensor::ones({4, 2}), {.verbose = 0});
  EXPECT_EQ(model(Tensor::ones({5, 3, 6, 1})).shape(), (Shape{5, 2}));
}

/// Whose elements no 64 bits count: refused before the next layer takes them for none.
TEST_P(ImageErrorsOn, Images_too_large_to_count) {
  const int most = std::numeric_limits<int>::max();
  for (const auto& [layer, shape] :
       {std::pair<Layer, std::string>(UpSampling2D(1 << 27), "(1073741824, 1073741824, 8)"),
        {ZeroPadding2D(most), "(4294967302, 4294967302, 8)"}}) {
    Sequential model{layer, GlobalMaxPooling2D()};
    model.compile({.loss = "mse", .device = test::current_device()});
    const Parts parts = {shape, "more bytes than a computer can address"};
    expect_error<OutOfMemoryError>([&] { model.build({8, 8, 8}); }, parts);
    expect_error<OutOfMemoryError>([&] { model.predict(Tensor::ones({2, 8, 8, 8}), {.verbose = 0}); }, parts);
  }
}

TEST_P(ImageErrorsOn, Ways_of_a_residual_that_do_not_meet) {
  refuse_rows(Residual({Conv2D(4, 3)}), {8, 8, 4}, {"residual", "(6, 6, 4)", "(8, 8, 4)", "shortcut"});
  refuse_rows(Residual({Conv2D(5, 1)}), {8, 8, 4}, {"(8, 8, 5)", "(8, 8, 4)", "Conv2D(5, 1)"});
  refuse_rows(Residual({Conv2D(4, 1)}, {.shortcut = {Conv2D(4, 1, {.strides = 2})}}), {8, 8, 4},
              {"(8, 8, 4)", "(4, 4, 4)", "shortcut"});
  refuse_rows(Residual({Conv2D(4, 9)}), {8, 8, 4}, {"conv2d", "(9, 9)", "(8, 8, 4)"});
  refuse([] { Residual(std::vector<Layer>{}); }, {"Residual", "no layers"});
}

TEST_P(ImageErrorsOn, A_layer_is_in_a_chain_once) {
  const Layer shared = Conv2D(4, 1);
  Sequential owner{Residual({shared})};
  refuse([&] { owner.add(shared); }, {"conv2d", "in the model already"});
  refuse([&] { owner.add(Residual({shared})); }, {"conv2d", "in the model already"});
  EXPECT_EQ(owner.layers().size(), 1u);
}

TEST(ImageErrors, Numbers_below_1) {
  refuse([] { Conv2D(0, 3); }, {"Conv2D", "filters 0"});
  refuse([] { Conv2D(4, 0); }, {"Conv2D", "kernel_size (0, 0)"});
  refuse([] { Conv2D(4, {3, -1}); }, {"kernel_size (3, -1)"});
  refuse([] { Conv2D(4, 3, {.strides = {0, 1}}); }, {"strides (0, 1)"});
  refuse([] { Conv2D(4, 3, {.dilation_rate = -2}); }, {"dilation_rate (-2, -2)"});
  refuse([] { Conv2D(4, 3, {.groups = 0}); }, {"groups 0"});
  refuse([] { Conv1D(-4, 3); }, {"Conv1D", "filters -4"});
  refuse([] { Conv1D(4, 0); }, {"Conv1D", "kernel_size"});
  refuse([] { Conv1D(4, 3, {.strides = 0}); }, {"Conv1D", "strides"});
  refuse([] { Conv1D(4, 3, {.dilation_rate = 0}); }, {"Conv1D", "dilation_rate"});
  refuse([] { Conv1D(4, 3, {.groups = -1}); }, {"Conv1D", "groups -1"});
  refuse([] { Conv2DTranspose(0, 3); }, {"Conv2DTranspose", "filters 0"});
  refuse([] { Conv2DTranspose(4, 3, {.strides = 0}); }, {"Conv2DTranspose", "strides (0, 0)"});
  refuse([] { DepthwiseConv2D(0); }, {"DepthwiseConv2D", "kernel_size (0, 0)"});
  refuse([] { DepthwiseConv2D(3, {.depth_multiplier = 0}); }, {"depth_multiplier 0"});
  refuse([] { SeparableConv2D(0, 3); }, {"SeparableConv2D", "filters 0"});
  refuse([] { SeparableConv2D(4, 3, {.depth_multiplier = -1}); }, {"depth_multiplier -1"});
  refuse([] { MaxPooling2D(0); }, {"MaxPooling2D", "pool_size", "0"});
  refuse([] { MaxPooling2D(2, {.strides = -1}); }, {"MaxPooling2D", "strides", "-1"});
  refuse(
      [] {
        MaxPooling2D(2, {.strides = {0, 1}});
      },
      {"strides (0, 1)", "at least 1", "0: as the pool's size"});
  refuse([] { AveragePooling2D(2, {.strides = {2, 0}}); }, {"AveragePooling2D", "strides (2, 0)"});
  refuse([] { AveragePooling2D({2, 0}); }, {"AveragePooling2D", "pool_size", "(2, 0)"});
  refuse([] { UpSampling2D(0); }, {"UpSampling2D", "0"});
  refuse([] { UpSampling2D({2, -1}); }, {"UpSampling2D", "-1"});
}

TEST(ImageErrors, Borders_below_0_and_rates_outside_0_to_1) {
  refuse([] { ZeroPadding2D(-1); }, {"ZeroPadding2D", "-1"});
  refuse([] { ZeroPadding2D({0, 0, 0, -2}); }, {"ZeroPadding2D", "-2"});
  refuse([] { Cropping2D({1, -1}); }, {"Cropping2D", "-1"});
  refuse([] { SpatialDropout2D(1); }, {"SpatialDropout2D", "rate 1", "below 1"});
  refuse([] { SpatialDropout2D(-0.1); }, {"SpatialDropout2D", "-0.1"});
  refuse([] { SpatialDropout2D(NAN); }, {"SpatialDropout2D", "nan"});
}

TEST(ImageErrors, Strides_together_with_dilation) {
  refuse([] { Conv2D(4, 3, {.strides = 2, .dilation_rate = 2}); },
         {"strides (2, 2)", "dilation_rate (2, 2)"});
  refuse([] { Conv2D(4, 3, {.strides = {1, 2}, .dilation_rate = {2, 1}}); }, {"(1, 2)", "(2, 1)"});
  refuse([] { Conv1D(4, 3, {.strides = 2, .dilation_rate = 3}); }, {"Conv1D", "strides", "dilation_rate"});
  refuse([] { Conv2DTranspose(4, 3, {.strides = 2, .dilation_rate = 2}); }, {"Conv2DTranspose", "(2, 2)"});
  refuse([] { DepthwiseConv2D(3, {.strides = 2, .dilation_rate = 2}); }, {"DepthwiseConv2D", "(2, 2)"});
  refuse([] { SeparableConv2D(4, 3, {.strides = 2, .dilation_rate = 2}); }, {"SeparableConv2D", "(2, 2)"});
}

TEST(ImageErrors, Names_that_there_are_not) {
  refuse([] { Conv2D(4, 3, {.padding = "sane"}); }, {"sane", "did you mean", "same"});
  refuse([] { MaxPooling2D(2, {.padding = "full"}); }, {"full", "valid", "same"});
  refuse([] { UpSampling2D(2, {.interpolation = "bilinaer"}); }, {"bilinaer", "bilinear"});
  refuse([] { Conv2D(4, 3, {.activation = "rleu"}); }, {"rleu", "relu"});
  refuse([] { Conv2D(4, 3, {.kernel_initializer = VarianceScaling{.scale = 0}}); }, {"scale"});
  refuse([] { Conv2D(4, 3, {.bias_regularizer = L1{-0.5}}); }, {"-0.5"});
  refuse([] { DepthwiseConv2D(3, {.depthwise_constraint = MaxNorm{-1}}); }, {"max_value", "-1"});
  refuse([] { SeparableConv2D(4, 3, {.pointwise_regularizer = L1{-0.5}}); }, {"-0.5"});
  refuse([] { Conv2DTranspose(4, 3, {.bias_initializer = RandomNormal{.stddev = -1}}); }, {"stddev"});
  refuse([] { Conv1D(4, 3, {.kernel_constraint = MaxNorm{-1}}); }, {"max_value"});
}

}  // namespace
}  // namespace glia
