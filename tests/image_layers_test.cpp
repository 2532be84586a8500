// Pools, padding, cropping, enlarging and dropout of channels on every device: by hand, as Keras's, forward and backward.
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <string>
#include <vector>

#include "tests/close.h"
#include "tests/count_of.h"
#include "tests/devices.h"
#include "tests/tensor_values.h"

namespace glia {
namespace {

using test::close;
using test::count_of;
using Values = std::vector<double>;
constexpr test::Tolerance tolerance = {.relative = 2e-6, .absolute = 1e-6};

class ImageLayersOn : public test::DeviceTest {};
INSTANTIATE_TEST_SUITE_P(Devices, ImageLayersOn, ::testing::ValuesIn(test::test_devices()),
                         test::device_name);

/// A tensor of these numbers.
Tensor tensor(const Shape& shape, const Values& values) {
  return Tensor(std::vector<float>(values.begin(), values.end()), shape);
}

/// An odd one, of one channel.
Tensor image() {
  return tensor({1, 3, 5, 1}, {3, 1, 4, 1, 5,  //
                               9, 2, 6, 5, 3,  //
                               5, 8, 9, 7, 9});
}

Tensor out_of(const std::vector<Layer>& layers, const Tensor& x) {
  Sequential model(layers);
  model.compile({.loss = "mse", .device = test::current_device()});
  return model(x).to("cpu");
}

void expect_out(const Layer& layer, const Tensor& x, const Shape& shape, const Values& values) {
  const Tensor out = out_of({layer}, x);
  EXPECT_TRUE(close(out, tensor(shape.prepend(x.rows()), values), tolerance)) << layer.type();
}

/// What the layer makes of its output's gradient where `image` (h, w, c) goes in: the image is the weights of a Dense
/// whose input is 1, and the gradient those of another one, whose output the loss wants to be greater.
Tensor gradient_through(const Layer& layer, const Tensor& image, const Values& gradient) {
  const std::int64_t n = image.size(), m = static_cast<std::int64_t>(gradient.size());
  Sequential model{Dense(static_cast<int>(n), {.use_bias = false}), Reshape(image.shape()), layer, Flatten(),
                   Dense(1, {.use_bias = false})};
  model.compile({.loss = "mae", .device = test::current_device()});
  model.build({1});
  model.set_weights({image.clone().reshape({1, n}), tensor({m, 1}, gradient)});
  const Gradients got = model.gradients(Tensor::ones({1, 1}), Tensor::full({1, 1}, -1e6));
  return got.weights[0].to("cpu").reshape(image.shape());
}

void expect_gradient(const Layer& layer, const Tensor& image, const Values& out_gradient,
                     const Values& in_gradient) {
  EXPECT_TRUE(
      close(gradient_through(layer, image, out_gradient), tensor(image.shape(), in_gradient), tolerance))
      << layer.type();
}

TEST_P(ImageLayersOn, Max_pooling_has_the_greatest_of_each_window) {
  expect_out(MaxPooling2D(), image(), {1, 2, 1}, {9, 6});
  expect_out(MaxPooling2D(2, {.padding = "same"}), image(), {2, 3, 1}, {9, 6, 5, 8, 9, 9});
  expect_out(MaxPooling2D({3, 2}, {.strides = {1, 2}}), image(), {1, 2, 1}, {9, 9});
  expect_out(MaxPooling2D(3, {.strides = 1, .padding = "same"}), image(), {3, 5, 1},
             {9, 9, 6, 6, 5, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9});
  expect_out(MaxPooling2D({2, 3}, {.strides = {2, 1}, .padding = "same"}), image(), {2, 5, 1},
             {9, 9, 6, 6, 5, 8, 9, 9, 9, 9});
  expect_out(MaxPooling2D(1), image(), {3, 5, 1}, image().values());
  expect_out(MaxPooling2D(1, {.strides = {2, 3}}), image(), {2, 2, 1}, {3, 1, 5, 7});
}

TEST_P(ImageLayersOn, Average_pooling_has_the_mean_of_what_is_within_the_image) {
  expect_out(AveragePooling2D(), image(), {1, 2, 1}, {3.75, 4});
  expect_out(AveragePooling2D(2, {.padding = "same"}), image(), {2, 3, 1}, {3.75, 4, 4, 6.5, 8, 9});
  expect_out(AveragePooling2D({3, 2}, {.strides = {1, 2}}), image(), {1, 2, 1}, {28 / 6.0, 32 / 6.0});
  // The odd row or column of padding comes last.
  expect_out(AveragePooling2D({1, 2}, {.strides = 1, .padding = "same"}), tensor({1, 1, 4, 1}, {1, 2, 4, 8}),
             {1, 4, 1}, {1.5, 3, 6, 8});
  expect_out(AveragePooling2D({3, 1}, {.strides = 1, .padding = "same"}), tensor({1, 3, 1, 1}, {3, 6, 12}),
             {3, 1, 1}, {4.5, 7, 9});
}

TEST_P(ImageLayersOn, Padding_is_no_element_of_a_pool) {
  const Tensor x = image() * -1.0;
  expect_out(MaxPooling2D(2, {.padding = "same"}), x, {2, 3, 1}, {-1, -1, -3, -5, -7, -9});
  expect_out(MaxPooling2D(5, {.strides = 5, .padding = "same"}), x, {1, 1, 1}, {-1});
  expect_out(AveragePooling2D(7, {.strides = 7, .padding = "same"}), Tensor::full({1, 3, 5, 1}, 2), {1, 1, 1},
             {2});
}

/// Two images of two channels; (row, column) are (channel 0, channel 1).
TEST_P(ImageLayersOn, Channels_and_images_are_pooled_each_for_itself) {
  const Tensor x = tensor({2, 2, 2, 2}, {1, -1, 2, -2, 3, -3, 4, -4,  //
                                         10, 50, 20, 60, 30, 70, 40, 80});
  expect_out(MaxPooling2D(), x, {1, 1, 2}, {4, -1, 40, 80});
  expect_out(AveragePooling2D(), x, {1, 1, 2}, {2.5, -2.5, 25, 65});
  expect_out(GlobalMaxPooling2D(), x, {2}, {4, -1, 40, 80});
  expect_out(GlobalAveragePooling2D(), x, {2}, {2.5, -2.5, 25, 65});
  expect_out(GlobalMaxPooling2D({.keepdims = true}), x, {1, 1, 2}, {4, -1, 40, 80});
  expect_out(GlobalAveragePooling2D({.keepdims = true}), x, {1, 1, 2}, {2.5, -2.5, 25, 65});
  expect_out(GlobalAveragePooling2D(), image(), {1}, {77 / 15.0});
}

TEST_P(ImageLayersOn, Nan_is_the_greatest_of_its_windows_and_of_no_other) {
  Tensor x = image();
  x.set({0, 1, 1, 0}, NAN);
  const Values out = out_of({MaxPooling2D(2, {.strides = 1})}, x).values();
  const Values without = {NAN, NAN, 6, 5, NAN, NAN, 9, 9};  // (2, 4) windows
  ASSERT_EQ(out.size(), without.size());
  for (std::size_t i = 0; i < out.size(); ++i)
    EXPECT_TRUE(std::isnan(without[i]) ? std::isnan(out[i]) : out[i] == without[i]) << i << ": " << out[i];
  EXPECT_TRUE(std::isnan(out_of({GlobalMaxPooling2D()}, x).item()));
  x.set({0, 1, 1, 0}, testing::infinity);
  EXPECT_EQ(out_of({GlobalMaxPooling2D()}, x).item(), testing::infinity);
  EXPECT_EQ(out_of({GlobalMaxPooling2D()}, Tensor::full({1, 2, 2, 1}, -testing::infinity)).item(),
            -testing::infinity);
}

TEST_P(ImageLayersOn, The_gradient_of_a_maximum_goes_to_the_first_of_equals) {
  const MaxPooling2D overlapping(2, {.strides = 1});
  expect_gradient(overlapping, Tensor::ones({3, 3, 1}), {1, 2, 3, 4}, {1, 2, 0, 3, 4, 0, 0, 0, 0});
  expect_gradient(MaxPooling2D(2, {.strides = 1}), tensor({3, 3, 1}, {0, 7, 0, 7, 1, 0, 0, 0, 2}),
                  {1, 2, 3, 4}, {0, 3, 0, 3, 0, 0, 0, 0, 4});
  expect_gradient(MaxPooling2D(2, {.strides = 1}), tensor({3, 3, 1}, {1, 2, 3, 4, 9, 5, 6, 7, 8}),
                  {1, 2, 3, 4}, {0, 0, 0, 0, 10, 0, 0, 0, 0});
  // (3, 5): with "same" padding the windows of the last row and column are cut.
  expect_gradient(MaxPooling2D(2, {.padding = "same"}), image().reshape({3, 5, 1}), {1, 2, 3, 4, 5, 6},
                  {0, 0, 0, 0, 3, 1, 0, 2, 0, 0, 0, 4, 5, 0, 6});
  // Without, the last row and column are in no window.
  expect_gradient(MaxPooling2D(), image().reshape({3, 5, 1}), {1, 2},
                  {0, 0, 0, 0, 0, 1, 0, 2, 0, 0, 0, 0, 0, 0, 0});
  expect_gradient(GlobalMaxPooling2D(), image().reshape({3, 5, 1}), {7},
                  {0, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0});
  expect_gradient(GlobalMaxPooling2D({.keepdims = true}), tensor({2, 1, 2}, {1, 5, 1, 6}), {3, 4},
                  {3, 0, 0, 4});
}

TEST_P(ImageLayersOn, The_gradient_of_a_mean_is_shared_among_what_is_within_the_image) {
  expect_gradient(AveragePooling2D(2, {.strides = 1, .padding = "same"}), Tensor::ones({2, 3, 1}),
                  {4, 8, 2, 2, 4, 1}, {1, 3, 3, 2, 6, 6});
  expect_gradient(AveragePooling2D(), image().reshape({3, 5, 1}), {4, 8},
                  {1, 1, 2, 2, 0, 1, 1, 2, 2, 0, 0, 0, 0, 0, 0});
  expect_gradient(GlobalAveragePooling2D(), Tensor::ones({2, 2, 2}), {4, 8}, {1, 2, 1, 2, 1, 2, 1, 2});
}

TEST_P(ImageLayersOn, Enlarging_repeats_the_nearest) {
  const Tensor x = tensor({1, 2, 2, 1}, {1, 2, 3, 4});
  expect_out(UpSampling2D(), x, {4, 4, 1}, {1, 1, 2, 2, 1, 1, 2, 2, 3, 3, 4, 4, 3, 3, 4, 4});
  expect_out(UpSampling2D({1, 3}), x, {2, 6, 1}, {1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4});
  expect_out(UpSampling2D({2, 1}), tensor({1, 1, 2, 2}, {1, 2, 3, 4}), {2, 2, 2}, {1, 2, 3, 4, 1, 2, 3, 4});
  expect_gradient(UpSampling2D({1, 2}), tensor({2, 1, 1}, {0, 0}), {1, 2, 4, 8}, {3, 12});
}

TEST_P(ImageLayersOn, Enlarging_interpolates_between_the_centres) {
  const UpSampling2DOptions bilinear{.interpolation = "bilinear"};
  expect_out(UpSampling2D(2, bilinear), tensor({1, 2, 2, 1}, {1, 2, 3, 4}), {4, 4, 1},
             {1, 1.25, 1.75, 2, 1.5, 1.75, 2.25, 2.5, 2.5, 2.75, 3.25, 3.5, 3, 3.25, 3.75, 4});
  expect_out(UpSampling2D({1, 3}, bilinear), tensor({1, 1, 2, 1}, {0, 3}), {1, 6, 1}, {0, 0, 1, 2, 3, 3});
  expect_out(UpSampling2D({4, 1}, bilinear), tensor({1, 1, 1, 2}, {5, -7}), {4, 1, 2},
             {5, -7, 5, -7, 5, -7, 5, -7});
  expect_gradient(UpSampling2D({1, 2}, bilinear), tensor({1, 2, 1}, {0, 0}), {1, 2, 3, 4}, {3.25, 6.75});
  expect_gradient(UpSampling2D({3, 1}, bilinear), tensor({2, 1, 1}, {0, 0}), {1, 2, 3, 6, 12, 24}, {7, 41});
}

TEST_P(ImageLayersOn, Padding_puts_zeros_around_and_cropping_takes_them_away) {
  const Tensor x = tensor({1, 1, 2, 1}, {1, 2});
  expect_out(ZeroPadding2D(), x, {3, 4, 1}, {0, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 0});
  expect_out(ZeroPadding2D({0, 2}), x, {1, 6, 1}, {0, 0, 1, 2, 0, 0});
  expect_out(ZeroPadding2D({1, 0, 2, 1}), x, {2, 5, 1}, {0, 0, 0, 0, 0, 0, 0, 1, 2, 0});
  expect_out(Cropping2D(), image(), {3, 5, 1}, image().values());
  expect_out(Cropping2D(1), image(), {1, 3, 1}, {2, 6, 5});
  expect_out(Cropping2D({0, 2}), image(), {3, 1, 1}, {4, 6, 9});
  expect_out(Cropping2D({1, 0, 1, 2}), image(), {2, 2, 1}, {2, 6, 8, 9});
  const Border2D border{2, 1, 0, 3};
  EXPECT_TRUE(array_equal(out_of({ZeroPadding2D(border), Cropping2D(border)}, image()), image()));
  const Tensor channels = tensor({1, 2, 1, 2}, {1, 2, 3, 4});
  expect_out(ZeroPadding2D({0, 0, 1, 0}), channels, {2, 2, 2}, {0, 0, 1, 2, 0, 0, 3, 4});

  expect_gradient(ZeroPadding2D({1, 0, 2, 1}), tensor({1, 2, 1}, {0, 0}), {1, 2, 3, 4, 5, 6, 7, 8, 9, 10},
                  {8, 9});
  expect_gradient(Cropping2D({1, 0, 1, 2}), image().reshape({3, 5, 1}), {1, 2, 3, 4},
                  {0, 0, 0, 0, 0, 0, 1, 2, 0, 0, 0, 3, 4, 0, 0});
}

TEST(ImageLayers, Have_the_shapes_that_keras_says) {
  const struct {
    Layer layer;
    Shape row, out;
  } cases[] = {
      {MaxPooling2D(), {28, 28, 32}, {14, 14, 32}},
      {MaxPooling2D(), {7, 7, 5}, {3, 3, 5}},
      {MaxPooling2D(2, {.padding = "same"}), {7, 7, 5}, {4, 4, 5}},
      {MaxPooling2D(3, {.strides = 2}), {28, 27, 1}, {13, 13, 1}},
      {MaxPooling2D(3, {.strides = 2, .padding = "same"}), {28, 27, 1}, {14, 14, 1}},
      {AveragePooling2D({3, 2}, {.strides = {1, 4}}), {9, 9, 2}, {7, 2, 2}},
      {AveragePooling2D({3, 2}, {.strides = {1, 4}, .padding = "same"}), {9, 9, 2}, {9, 3, 2}},
      {GlobalMaxPooling2D(), {9, 8, 7}, {7}},
      {GlobalAveragePooling2D({.keepdims = true}), {9, 8, 7}, {1, 1, 7}},
      {ZeroPadding2D({1, 2, 3, 4}), {9, 8, 7}, {12, 15, 7}},
      {Cropping2D({1, 2, 3, 4}), {9, 8, 7}, {6, 1, 7}},
      {UpSampling2D({2, 3}), {5, 4, 3}, {10, 12, 3}},
      {SpatialDropout2D(0.5), {5, 4, 3}, {5, 4, 3}},
  };
  for (const auto& [layer, row, out] : cases) {
    Sequential model{layer};
    model.build(row);
    EXPECT_EQ(layer.output_shape(), out) << layer.type() << " of " << row;
    EXPECT_EQ(layer.count_params(), 0);
  }
}

TEST(ImageLayers, Are_named_as_in_keras) {
  const std::vector<std::pair<Layer, std::string>> layers = {
      {UpSampling2D(), "up_sampling2d"},
      {ZeroPadding2D(), "zero_padding2d"},
      {Cropping2D(), "cropping2d"},
      {SpatialDropout2D(0.1), "spatial_dropout2d"},
      {MaxPooling2D(), "max_pooling2d"},
      {AveragePooling2D(2, {.name = "mine"}), "mine"},
      {GlobalMaxPooling2D({.keepdims = true}), "global_max_pooling2d"},
      {GlobalAveragePooling2D(), "global_average_pooling2d"}};
  Sequential model;
  for (const auto& [layer, name] : layers) {
    model.add(layer);
    EXPECT_EQ(layer.name(), name);
  }
}

/// What a model of these layers does, in words.
std::string program_of(const std::vector<Layer>& layers, const Shape& row) {
  Sequential model(layers);
  model.compile({.loss = "mse"});
  model.build(row);
  return model.program(Mode::train, 2).explain();
}

TEST(ImageLayers, Take_an_activation_before_their_options_as_dense_does) {
  const std::string elu = "elu";
  const struct {
    Layer short_form, options_form;
  } cases[] = {
      {Conv2D(4, 3, "relu"), Conv2D(4, 3, {.activation = "relu"})},
      {Conv2D(4, {3, 2}, ActivationName("tanh"), {.padding = "same"}),
       Conv2D(4, {3, 2}, {.padding = "same", .activation = "tanh"})},
      {Conv2D(4, 3, LeakyRelu{0.1}), Conv2D(4, 3, {.activation = LeakyRelu{0.1}})},
      {Conv2D(4, 3, "relu", {.activation = "tanh"}), Conv2D(4, 3, {.activation = "relu"})},
      {Conv2DTranspose(4, 3, "relu", {.strides = 2}),
       Conv2DTranspose(4, 3, {.strides = 2, .activation = "relu"})},
      {Conv2DTranspose(4, {3, 2}, Relu{}), Conv2DTranspose(4, {3, 2}, {.activation = "relu"})},
      {DepthwiseConv2D(3, "relu"), DepthwiseConv2D(3, {.activation = "relu"})},
      {DepthwiseConv2D({3, 2}, elu, {.use_bias = false}),
       DepthwiseConv2D({3, 2}, {.activation = "elu", .use_bias = false})},
      {SeparableConv2D(4, 3, "sigmoid"), SeparableConv2D(4, 3, {.activation = "sigmoid"})},
      {SeparableConv2D(4, {3, 2}, Elu{0.5}, {.padding = "same"}),
       SeparableConv2D(4, {3, 2}, {.padding = "same", .activation = Elu{0.5}})},
      {Dense(4, elu), Dense(4, {.activation = "elu"})},
      {Dense(4, Relu{}, {.use_bias = false}), Dense(4, {.activation = "relu", .use_bias = false})},
  };
  for (const auto& [short_form, options_form] : cases) {
    const std::string text = program_of({short_form, Flatten(), Dense(1)}, {6, 5, 2});
    EXPECT_EQ(text, program_of({options_form, Flatten(), Dense(1)}, {6, 5, 2})) << short_form.type();
  }
  EXPECT_EQ(program_of({Conv1D(4, 3, "relu", {.strides = 2}), Flatten()}, {9, 2}),
            program_of({Conv1D(4, 3, {.strides = 2, .activation = "relu"}), Flatten()}, {9, 2}));
  EXPECT_NE(program_of({Conv1D(4, 3, "relu"), Flatten()}, {9, 2}),
            program_of({Conv1D(4, 3), Flatten()}, {9, 2}));
  EXPECT_THROW(Conv2D(4, 3, "relux"), ValueError);
  EXPECT_THROW(Conv2D(4, 3, LeakyRelu{NAN}), ValueError);
}

/// What a layer makes of `x` in the next steps of training: through weights of 0 into one unit, whose error has the
/// slope 1, so that SGD moves the weights by the mean of the rows' inputs.
class Shown {
 public:
  Shown(const Layer& layer, const Shape& image, const Device& device)
      : model_{layer, Flatten(), Dense(1, {.use_bias = false, .kernel_initializer = "zeros"})},
        elements_(image.elements()) {
    model_.set_seed(5);
    model_.compile({.optimizer = SGD{.learning_rate = 1.0}, .loss = "mse", .device = device});
    model_.build(image);
  }
  Values next(const Tensor& x) {
    model_.set_weights({Tensor::zeros({elements_, 1})});
    model_.train_on_batch(x, Tensor::full({x.rows(), 1}, -0.5));
    return (model_.get_weights()[0] * -1.0).values();
  }

 private:
  Sequential model_;
  std::int64_t elements_;
};

TEST_P(ImageLayersOn, Spatial_dropout_drops_whole_channels) {
  const std::int64_t channels = 4001;
  const Shape shape{2, 3, channels};
  for (const double rate : {0.3, 0.75}) {
    Shown shown(SpatialDropout2D(rate), shape, test::current_device());
    const double kept = static_cast<float>(1 / (1 - rate));
    std::set<Values> masks;
    for (int step = 0; step < 2; ++step) {
      const Values values = shown.next(Tensor::ones(shape.prepend(1)));
      double dropped = 0;
      for (std::size_t c = 0; c < channels; ++c) {
        EXPECT_TRUE(values[c] == 0 || values[c] == kept) << values[c];
        dropped += values[c] == 0;
        for (std::size_t position = 1; position < 6; ++position)
          ASSERT_EQ(values[position * channels + c], values[c]) << "channel " << c;
      }
      const double n = static_cast<double>(channels);
      EXPECT_NEAR(dropped / n, rate, 4.5 * std::sqrt(rate * (1 - rate) / n));
      masks.insert(values);
    }
    EXPECT_EQ(masks.size(), 2u) << "the same in every step";
  }
}

/// The first image is 2, the second 32: the mean of a batch tells which of them was kept.
TEST_P(ImageLayersOn, Spatial_dropout_draws_for_each_image_and_the_same_on_every_device) {
  const Shape shape{2, 2, 300};
  Tensor x = Tensor::full(shape.prepend(2), 2);
  for (std::int64_t i = 0; i < shape.elements(); ++i) x.data<float>()[shape.elements() + i] = 32;
  Shown here(SpatialDropout2D(0.5), shape, test::current_device());
  Shown cpu(SpatialDropout2D(0.5), shape, Device::cpu());
  for (int step = 0; step < 3; ++step) {
    const Values values = here.next(x);
    EXPECT_EQ(values, cpu.next(x)) << step;
    EXPECT_EQ(std::set<double>(values.begin(), values.end()), (std::set<double>{0, 2, 32, 34}));
  }
}

TEST_P(ImageLayersOn, Spatial_dropout_acts_in_training_only_and_a_rate_of_0_never) {
  const Tensor x = image();
  EXPECT_TRUE(array_equal(out_of({SpatialDropout2D(0.9)}, x), x));
  Shown none(SpatialDropout2D(0), {3, 5, 1}, test::current_device());
  EXPECT_EQ(none.next(x), x.values());
}

/// The greatest of ReLUs is the ReLU of the greatest, and so are the gradients: in one order they are fused.
TEST_P(ImageLayersOn, A_relu_is_fused_with_a_normalisation_before_and_a_maximum_after_it) {
  const auto layers = [](const Layer& first, const Layer& second) {
    return std::vector<Layer>{Conv2D(6, 3, {.padding = "same", .input_shape = {7, 5, 2}}),
                              BatchNormalization(),
                              first,
                              second,
                              Flatten(),
                              Dense(2)};
  };
  Tensor x = Tensor::zeros({9, 7, 5, 2}), y = Tensor::zeros({9, 2});
  for (std::int64_t i = 0; i < x.size(); ++i) x.data<float>()[i] = std::sin(static_cast<float>(i * i));
  for (const int size : {2, 3}) {
    std::vector<Gradients> gradients;
    std::vector<Tensor> outputs;
    for (const bool relu_first : {true, false}) {
      const Layer pool = MaxPooling2D(size, {.strides = 2}), relu = Activation("relu");
      Sequential model(relu_first ? layers(relu, pool) : layers(pool, relu));
      model.compile({.loss = "mse", .device = test::current_device()});
      gradients.push_back(model.gradients(x, y));
      outputs.push_back(model(x).to("cpu"));
      const std::string text = model.program(Mode::train, 9).explain();
      EXPECT_EQ(count_of("by the batch, relu", text), relu_first ? 1 : 0) << text;
      EXPECT_EQ(count_of("stride 2x2, (9, 7, 5, 6), gradient of relu", text), relu_first ? 1 : 0) << text;
      EXPECT_EQ(count_of("Map", text), relu_first ? 0 : 1) << text;
    }
    EXPECT_TRUE(array_equal(outputs[0], outputs[1]));
    for (std::size_t i = 0; i < gradients[0].weights.size(); ++i)
      EXPECT_TRUE(array_equal(gradients[0].weights[i], gradients[1].weights[i])) << size << ", " << i;
  }
  // What others read too stays.
  Sequential shared{BatchNormalization(), Residual({Activation("relu"), Conv2D(2, 1)}), Flatten(), Dense(1)};
  shared.compile({.loss = "mse", .device = test::current_device()});
  shared.build({7, 5, 2});
  EXPECT_EQ(count_of("by the batch, relu", shared.program(Mode::train, 9).explain()), 0);
}

TEST_P(ImageLayersOn, A_program_says_what_it_does_to_images) {
  Sequential model{
      Dense(20), ZeroPadding2D({1, 0, 0, 2}), MaxPooling2D(3), AveragePooling2D({1, 2}), Flatten(), Dense(3)};
  model.compile({.loss = "mse", .device = test::current_device()});
  model.build({6, 5, 2});
  const std::string text = model.program(Mode::train, 8).explain();
  for (const char* part :
       {"Pool         maximum of 3x3", "PoolGradient mean of 1x2", "(8, 6, 5, 20) -> (8, 7, 7, 20)"})
    EXPECT_NE(text.find(part), std::string::npos) << part << " is not in\n" << text;
}

}  // namespace
}  // namespace glia
