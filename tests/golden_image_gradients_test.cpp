// What Keras computes, Glia computes: loss and gradients of models in which a layer for images stands between a
// convolution and a Dense. The table mirrors that of tests/golden/make_keras_images.py.
// SPDX-License-Identifier: Apache-2.0
#include <glia/image_layers.h>
#include <glia/sequential.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "tests/close.h"
#include "tests/devices.h"
#include "tests/golden.h"

namespace glia::test {
namespace {

struct ImageGradientCase {
  std::string name;
  std::function<Layers()> layers;

  friend std::ostream& operator<<(std::ostream& out, const ImageGradientCase& one) { return out << one.name; }
};

/// The layers of a case between those that all have.
#define GLIA_BETWEEN(...)                                                                               \
  [=] {                                                                                                 \
    return Layers{Conv2D(4, {2, 1}, {.padding = "same", .activation = "tanh"}), __VA_ARGS__, Flatten(), \
                  Dense(2)};                                                                            \
  }

std::vector<ImageGradientCase> window_cases() {
  std::vector<ImageGradientCase> cases;
  for (const std::string padding : {"valid", "same"}) {
    const auto name = [&](const std::string& layer, int kernel, const std::string& strides) {
      return layer + '_' + padding + '_' + std::to_string(kernel) + "_by_" + strides;
    };
    for (const int kernel : {2, 3}) {
      const auto convolution = [&](const std::string& word, Size2D strides) {
        const Conv2DOptions options{.strides = strides, .padding = padding};
        cases.push_back({name("conv2d", kernel, word), GLIA_BETWEEN(Conv2D(3, kernel, options))});
      };
      convolution("1", 1), convolution("2", 2), convolution("1x2", {1, 2});
      for (const int strides : {1, 2, 3}) {
        const Conv2DTransposeOptions options{.strides = strides, .padding = padding};
        cases.push_back({name("conv2d_transpose", kernel, std::to_string(strides)),
                         GLIA_BETWEEN(Conv2DTranspose(strides == 3 ? 1 : 2, kernel, options))});
      }
      for (const int strides : {1, 2}) {
        const Pooling2DOptions options{.strides = strides, .padding = padding};
        cases.push_back({name("max_pooling", kernel, std::to_string(strides)),
                         GLIA_BETWEEN(MaxPooling2D(kernel, options))});
        cases.push_back({name("average_pooling", kernel, std::to_string(strides)),
                         GLIA_BETWEEN(AveragePooling2D(kernel, options))});
      }
    }
    for (const int strides : {1, 2}) {
      const std::string end = padding + "_by_" + std::to_string(strides);
      const Conv1DOptions steps{.strides = strides, .padding = padding};
      const DepthwiseConv2DOptions depthwise{.strides = strides, .padding = padding, .depth_multiplier = 2};
      const SeparableConv2DOptions separable{.strides = strides, .padding = padding, .depth_multiplier = 2};
      cases.push_back({"conv1d_" + end, GLIA_BETWEEN(Reshape({8, 10}), Conv1D(3, 3, steps))});
      cases.push_back({"depthwise_conv2d_" + end, GLIA_BETWEEN(DepthwiseConv2D(3, depthwise))});
      cases.push_back({"separable_conv2d_" + end, GLIA_BETWEEN(SeparableConv2D(3, 2, separable))});
    }
  }
  return cases;
}

std::vector<ImageGradientCase> other_cases() {
  const Conv2DOptions no_bias{.strides = 2, .padding = "same", .use_bias = false};
  const Conv2DOptions shortcut{.strides = 2, .use_bias = false};
  return {
      {"conv2d_dilated", GLIA_BETWEEN(Conv2D(3, 2, {.padding = "same", .dilation_rate = {2, 3}}))},
      {"conv2d_of_2_groups", GLIA_BETWEEN(Conv2D(6, 3, {.groups = 2, .activation = "relu"}))},
      {"conv2d_of_4_groups",
       GLIA_BETWEEN(Conv2D(4, 3, {.strides = 2, .padding = "same", .groups = 4, .use_bias = false}))},
      {"conv2d_softmax", GLIA_BETWEEN(Conv2D(3, 1, {.activation = "softmax"}))},
      {"conv2d_transpose_dilated",
       GLIA_BETWEEN(Conv2DTranspose(2, 2, {.padding = "same", .dilation_rate = 3, .activation = "tanh"}))},
      {"conv2d_regularized",
       GLIA_BETWEEN(Conv2D(3, 3, {.kernel_regularizer = "l2", .bias_regularizer = "l1"}))},
      {"separable_conv2d_dilated",
       GLIA_BETWEEN(SeparableConv2D(3, 2, {.dilation_rate = 2, .activation = "tanh"}))},
      {"global_max_pooling", GLIA_BETWEEN(GlobalMaxPooling2D())},
      {"global_average_pooling", GLIA_BETWEEN(GlobalAveragePooling2D({.keepdims = true}))},
      {"zero_padding", GLIA_BETWEEN(ZeroPadding2D({1, 0, 2, 1}))},
      {"cropping", GLIA_BETWEEN(Cropping2D({1, 0, 0, 2}))},
      {"up_sampling_nearest", GLIA_BETWEEN(UpSampling2D({3, 2}))},
      {"up_sampling_bilinear", GLIA_BETWEEN(UpSampling2D({3, 2}, {.interpolation = "bilinear"}))},
      {"batch_normalization", GLIA_BETWEEN(ZeroPadding2D(), BatchNormalization({.epsilon = 0.1}))},
      {"residual", GLIA_BETWEEN(Residual({Conv2D(4, 3, {.padding = "same", .activation = "tanh"})}))},
      {"residual_with_shortcut",
       GLIA_BETWEEN(Residual({Conv2D(3, 3, no_bias), BatchNormalization(), Activation("tanh")},
                             {.shortcut = {Conv2D(3, 1, shortcut), BatchNormalization({.epsilon = 0.1})}}))},
      {"residual_without_weights", GLIA_BETWEEN(Residual({AveragePooling2D(1), Activation("tanh")}))},
  };
}
#undef GLIA_BETWEEN

std::vector<ImageGradientCase> image_gradient_cases() {
  std::vector<ImageGradientCase> cases = window_cases();
  for (const ImageGradientCase& one : other_cases()) cases.push_back(one);
  return cases;
}

const Golden& image_gradient_values() {
  static const Golden golden("image_gradients.safetensors");
  return golden;
}

using GoldenImageGradients = GoldenTest<ImageGradientCase>;

TEST_P(GoldenImageGradients, Loss_and_gradients_are_those_of_Keras) {
  const Golden& golden = image_gradient_values();
  const std::vector<Tensor> weights = golden.list(one().name + "/weights", dtype());
  for (const int batch : {1, 3}) {
    const std::string name = one().name + "/" + std::to_string(batch);
    const Tensor& x = golden[name + "/x"];
    Sequential model = this->model(one().layers(), x.shape().row(), weights, {.loss = "mse"});
    const Gradients got = model.gradients(x, golden[name + "/y"]);
    EXPECT_TRUE(close(got.loss, golden[name + "/loss"].item(), golden_tolerance(dtype())))
        << "loss of " << name;
    EXPECT_TRUE(close(got.weights, golden.list(name + "/gradients"), golden_tolerance(dtype())))
        << "gradients of " << name;
  }
}

INSTANTIATE_TEST_SUITE_P(Golden, GoldenImageGradients,
                         ::testing::Combine(::testing::ValuesIn(image_gradient_cases()),
                                            ::testing::ValuesIn(test_runs())),
                         name_of_case<ImageGradientCase>);

TEST(GoldenFiles, Every_gradient_case_of_the_file_is_tested) {
  EXPECT_EQ(names_of(image_gradient_cases()), image_gradient_values().cases());
}

}  // namespace
}  // namespace glia::test
