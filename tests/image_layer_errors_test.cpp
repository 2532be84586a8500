// What bad parameters and shapes get of the layers of images: one typed error that says what was got, what was expected and
// what to do; and the model can go on.
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "tests/devices.h"
#include "tests/expect_error.h"

namespace glia {
namespace {

using test::expect_error;

class ImageLayerErrorsOn : public test::DeviceTest {};
INSTANTIATE_TEST_SUITE_P(Devices, ImageLayerErrorsOn, ::testing::ValuesIn(test::test_devices()),
                         test::device_name);

std::string in_brackets(const Size2D& size) {
  return detail::concat('(', size.height, ", ", size.width, ')');
}

void expect_not_built(const Layer& layer, const Shape& row, const std::vector<std::string>& parts) {
  expect_error<ShapeError>([&] { Sequential{layer}.build(row); }, parts);
}

/// One of each, that takes images of at least 2x2.
std::vector<Layer> all_kinds() {
  return {MaxPooling2D(),           AveragePooling2D(),    GlobalMaxPooling2D(),
          GlobalAveragePooling2D(), ZeroPadding2D(),       Cropping2D(),
          UpSampling2D(),           SpatialDropout2D(0.5), SpatialDropout2D(0)};
}

TEST(ImageLayerErrors, Sizes_and_strides_of_pools) {
  for (const Size2D& size : {Size2D(0), Size2D(-2), Size2D(2, 0), Size2D(-1, 2)}) {
    const std::string got = "pool_size " + in_brackets(size);
    expect_error<ValueError>([&] { MaxPooling2D{size}; }, {"MaxPooling2D", got, "at least 1"});
    expect_error<ValueError>([&] { AveragePooling2D{size}; }, {"AveragePooling2D", got, "at least 1"});
  }
  for (const Size2D& strides : {Size2D(-1), Size2D(0, 1), Size2D(2, 0), Size2D(1, -3)}) {
    const std::string got = "strides " + in_brackets(strides);
    expect_error<ValueError>([&] { MaxPooling2D(2, {.strides = strides}); },
                             {"MaxPooling2D", got, "at least 1", "0"});
    expect_error<ValueError>([&] { AveragePooling2D(2, {.strides = strides}); },
                             {"AveragePooling2D", got, "at least 1", "0"});
  }
  expect_error<ValueError>([] { MaxPooling2D(2, {.padding = "sane"}); }, {"sane", "did you mean \"same\""});
  expect_error<ValueError>([] { AveragePooling2D(2, {.padding = ""}); }, {"\"\"", "valid, same"});
}

TEST(ImageLayerErrors, Windows_that_do_not_fit) {
  const std::string remedy = "padding \"same\"";
  expect_not_built(MaxPooling2D(4), {3, 5, 2},
                   {"max_pooling2d", "MaxPooling2D", "(4, 4)", "(3, 5, 2)", remedy});
  expect_not_built(MaxPooling2D({3, 6}), {3, 5, 2}, {"(3, 6)", "(3, 5, 2)", remedy});
  expect_not_built(AveragePooling2D(2, {.strides = 1, .name = "mean"}), {1, 9, 1},
                   {"\"mean\"", "AveragePooling2D", "(2, 2)", "(1, 9, 1)", remedy});
  Sequential fits{MaxPooling2D({3, 5}), MaxPooling2D(4, {.padding = "same"})};
  fits.build({3, 5, 2});
  EXPECT_EQ(fits.layer(1).output_shape(), (Shape{1, 1, 2}));
}

TEST(ImageLayerErrors, Windows_that_do_not_fit_after_others) {
  expect_error<ShapeError>(
      [] {
        Sequential{MaxPooling2D(), MaxPooling2D(), MaxPooling2D()}.build({6, 6, 2});
      },
      {"max_pooling2d_2", "(1, 1, 2)"});
}

TEST(ImageLayerErrors, Rows_that_are_no_images) {
  for (const Shape& row : {Shape{784}, Shape{28, 28}, Shape{4, 28, 28, 1}})
    for (const Layer& layer : all_kinds())
      expect_not_built(layer, row,
                       {layer.type(), "(height, width, channels)", detail::concat(row), "Reshape"});
  expect_not_built(MaxPooling2D(2, {.name = "second"}), {28, 28}, {"\"second\" (MaxPooling2D)"});
}

TEST(ImageLayerErrors, Borders) {
  for (const Border2D& border :
       {Border2D(-1), Border2D(0, -2), Border2D(1, -1, 0, 0), Border2D(0, 0, -5, 9)}) {
    const std::string got =
        detail::concat('(', border.top, ", ", border.bottom, ", ", border.left, ", ", border.right, ')');
    expect_error<ValueError>([&] { ZeroPadding2D{border}; },
                             {"ZeroPadding2D", "padding " + got, "at least 0"});
    expect_error<ValueError>([&] { Cropping2D{border}; }, {"Cropping2D", "cropping " + got, "at least 0"});
  }
  expect_not_built(Cropping2D(2), {4, 5, 3},
                   {"cropping2d", "Cropping2D", "(2, 2, 2, 2)", "(4, 5, 3)", "less"});
  expect_not_built(Cropping2D({0, 0, 3, 2}, "cut"), {4, 5, 3}, {"\"cut\"", "(0, 0, 3, 2)", "(4, 5, 3)"});
  expect_not_built(Cropping2D({9, 0, 0, 0}), {4, 5, 3}, {"(9, 0, 0, 0)"});
  Sequential model{Cropping2D({3, 0, 2, 2})};
  model.build({4, 5, 3});
  EXPECT_EQ(model.layer(0).output_shape(), (Shape{1, 1, 3}));
}

TEST(ImageLayerErrors, Factors_and_interpolations) {
  for (const Size2D& size : {Size2D(0), Size2D(-1), Size2D(2, 0), Size2D(-3, 2)})
    expect_error<ValueError>([&] { UpSampling2D{size}; },
                             {"UpSampling2D", "size " + in_brackets(size), "at least 1"});
  expect_error<ValueError>([] { UpSampling2D(2, {.interpolation = "bicubic"}); },
                           {"bicubic", "nearest, bilinear"});
  expect_error<ValueError>([] { UpSampling2D(2, {.interpolation = "nearst"}); },
                           {"did you mean \"nearest\""});
}

/// Whose elements no 64 bits count.
TEST(ImageLayerErrors, Images_too_large_to_count) {
  const int most = std::numeric_limits<int>::max();
  for (const Layer& layer : {Layer(UpSampling2D(most)), Layer(ZeroPadding2D(most))})
    expect_not_built(layer, {8, 8, 8}, {"elements"});
}

TEST(ImageLayerErrors, Rates_of_spatial_dropout) {
  for (const double rate : {1.5, 1.0, -0.1, static_cast<double>(NAN)})
    expect_error<ValueError>([&] { SpatialDropout2D{rate}; },
                             {"SpatialDropout2D", detail::concat("rate ", rate), "at least 0 and below 1"});
}

/// Built by the first batch: the next call says so again, or takes images that fit.
TEST_P(ImageLayerErrorsOn, A_build_that_fails_leaves_a_model_that_takes_other_images) {
  Sequential model{MaxPooling2D(3), Flatten(), Dense(2)};
  model.compile({.loss = "mse", .device = test::current_device()});
  for (int again = 0; again < 2; ++again)
    expect_error<ShapeError>(
        [&] {
          model.fit(Tensor::ones({4, 2, 5, 1}), Tensor::ones({4, 2}), {.verbose = 0});
        },
        {"max_pooling2d", "(3, 3)", "(2, 5, 1)"});
  EXPECT_FALSE(model.built());
  expect_error<ShapeError>(
      [&] {
        model.predict(Tensor::ones({4, 5}), {.verbose = 0});
      },
      {"(5,)", "(height, width, channels)"});
  model.fit(Tensor::ones({4, 3, 6, 1}), Tensor::ones({4, 2}), {.verbose = 0});
  EXPECT_EQ(model.predict(Tensor::ones({4, 3, 6, 1}), {.verbose = 0}).shape(), (Shape{4, 2}));
}

}  // namespace
}  // namespace glia
