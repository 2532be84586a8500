// Every layer of the public headers, with no option as it is by itself.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/glia.h>

#include <functional>
#include <string>
#include <vector>

#include "tests/drawn.h"

namespace glia::test {

/// A layer with no option as it is by itself, and the rows that it is applied to.
struct Sample {
  std::string type;
  std::vector<Shape> rows;
  std::function<Layer()> make;
};

inline const InitializerName drawn_weights =
    VarianceScaling{1.5, Fan::average, Distribution::untruncated_normal};

template <class Options>
Options with_kernel(Options options) {
  options.activation = LeakyRelu{0.1 + 0.2};
  options.bias_initializer = Constant{0.125};
  options.bias_regularizer = L1{0.003};
  options.bias_constraint = MinMaxNorm{0.1, 1.5, 0.7};
  if constexpr (requires { options.kernel_initializer; }) {
    options.kernel_initializer = drawn_weights;
    options.kernel_regularizer = L1L2{1e-5, 2e-5};
    options.kernel_constraint = MaxNorm{1.75};
  } else {
    options.depthwise_initializer = drawn_weights;
    options.depthwise_regularizer = L2{1e-5};
    options.depthwise_constraint = "unit_norm";
  }
  if constexpr (requires { options.pointwise_initializer; }) {
    options.pointwise_initializer = RandomUniform{-0.3, 0.4};
    options.pointwise_regularizer = L2{3e-5};
    options.pointwise_constraint = "non_neg";
  }
  if constexpr (requires { options.padding; }) options.padding = "same";
  if constexpr (requires { options.depth_multiplier; }) options.depth_multiplier = 2;
  if constexpr (requires { options.groups; }) options.groups = 2;
  options.name = "named";
  return options;
}

/// What recurrent layers have, none as it is by itself.
inline RecurrentOptions recurrent(RecurrentOptions options) {
  options.kernel_initializer = drawn_weights;
  options.recurrent_initializer = Orthogonal{0.75};
  options.bias_initializer = Constant{0.125};
  options.kernel_regularizer = L1L2{1e-5, 2e-5};
  options.recurrent_regularizer = L2{1e-5};
  options.bias_regularizer = L1{0.003};
  options.kernel_constraint = MaxNorm{1.75};
  options.recurrent_constraint = "unit_norm";
  options.bias_constraint = MinMaxNorm{0.1, 1.5, 0.7};
  options.dropout = 0.15, options.recurrent_dropout = 0.1;
  options.return_sequences = options.return_state = options.go_backwards = true;
  options.name = "named";
  return options;
}

inline std::vector<Sample> samples() {
  const Shape image{6, 5, 2};
  const std::vector<Shape> two{{3, 4}, {3, 4}};
  Normalization adapted;
  adapted.adapt(drawn(8, {9, 3}));
  return {
      {"Input", {{4}}, [] { return Activation("relu", {4}); }},
      {"Dense", {{4}}, [] { return Dense(3, with_kernel(DenseOptions{.trainable = false})); }},
      {"Dense",
       {{4}},
       [] { return Dense(3, {.use_bias = false, .kernel_initializer = Orthogonal{1.25}, .input_dim = 4}); }},
      {"Flatten", {image}, [image] { return Flatten(image, "flat"); }},
      {"Activation", {{4}}, [] { return Activation(Gelu{true}, {4}, "gelu"); }},
      {"Activation", {{4}}, [] { return Activation("log_softmax"); }},
      {"ReLU", {{4}}, [] { return ReLU({.max_value = 0.75, .negative_slope = 0.1, .threshold = 0.25}); }},
      {"ReLU", {{4}}, [] { return ReLU({.negative_slope = 0.1}); }},
      {"LeakyReLU", {{4}}, [] { return LeakyReLU(0.07); }},
      {"ELU", {{4}}, [] { return ELU(0.6); }},
      {"PReLU",
       {{4}},
       [] {
         return PReLU(
             {.alpha_initializer = Constant{0.3}, .alpha_regularizer = "l2", .alpha_constraint = MaxNorm{3}});
       }},
      {"Dropout", {{4}}, [] { return Dropout(1.0 / 3); }},
      {"GaussianNoise", {{4}}, [] { return GaussianNoise(0.11); }},
      {"GaussianDropout", {{4}}, [] { return GaussianDropout(0.12); }},
      {"AlphaDropout", {{4}}, [] { return AlphaDropout(0.13); }},
      {"SpatialDropout2D", {image}, [] { return SpatialDropout2D(0.14); }},
      {"BatchNormalization",
       {{4}},
       [] {
         return BatchNormalization({.momentum = 0.9,
                                    .epsilon = 1e-4,
                                    .beta_initializer = Constant{0.1},
                                    .gamma_initializer = RandomNormal{1, 0.1},
                                    .moving_mean_initializer = Constant{0.2},
                                    .moving_variance_initializer = Constant{1.5},
                                    .beta_regularizer = "l1",
                                    .gamma_regularizer = "l2",
                                    .beta_constraint = "non_neg",
                                    .gamma_constraint = MaxNorm{2.5}});
       }},
      {"BatchNormalization", {{4}}, [] { return BatchNormalization({.center = false, .scale = false}); }},
      {"LayerNormalization",
       {{4}},
       [] {
         return LayerNormalization(
             {.epsilon = 1e-4, .beta_initializer = Constant{0.1}, .gamma_initializer = Constant{0.9}});
       }},
      {"LayerNormalization", {{4}}, [] { return LayerNormalization({.center = false}); }},
      {"LayerNormalization",
       {{4, 3}},
       [] {
         return LayerNormalization({.axis = {1, 2}});
       }},
      {"RMSNormalization", {{4}}, [] { return RMSNormalization(1e-5); }},
      {"Reshape",
       {{4, 3}},
       [] {
         return Reshape({2, -1});
       }},
      {"Rescaling", {{4}}, [] { return Rescaling(1.0 / 3, -0.0); }},
      {"Normalization",
       {{3}},
       [] {
         return Normalization({.mean = {0.1, 0.2, 0.3}, .variance = {1, 2, 3}});
       }},
      {"Normalization", {{3}}, [] { return Normalization({.mean = {0.1}, .variance = {2}}); }},
      {"Normalization", {{3}}, [adapted] { return adapted; }},
      {"Embedding",
       {{4}},
       [] {
         return Embedding(2, 3,
                          {.embeddings_initializer = Constant{0.4},
                           .embeddings_regularizer = "l2",
                           .embeddings_constraint = "unit_norm",
                           .mask_zero = true,
                           .input_length = 4});
       }},
      {"Conv2D",
       {image},
       [] {
         return Conv2D(4, {2, 3}, with_kernel(Conv2DOptions{.strides = {1, 2}}));
       }},
      {"Conv2D",
       {image},
       [image] {
         return Conv2D(4, 2, {.dilation_rate = {2, 1}, .input_shape = image});
       }},
      {"Conv1D", {{7, 2}}, [] { return Conv1D(4, 3, with_kernel(Conv1DOptions{.strides = 2})); }},
      {"Conv1D", {{7, 2}}, [] { return Conv1D(4, 2, {.dilation_rate = 2, .use_bias = false}); }},
      {"Conv2DTranspose",
       {image},
       [] {
         return Conv2DTranspose(3, {2, 3}, with_kernel(Conv2DTransposeOptions{.strides = {2, 1}}));
       }},
      {"DepthwiseConv2D",
       {image},
       [] {
         return DepthwiseConv2D({2, 3}, with_kernel(DepthwiseConv2DOptions{.strides = 2}));
       }},
      {"SeparableConv2D",
       {image},
       [] {
         return SeparableConv2D(3, {3, 2}, with_kernel(SeparableConv2DOptions{}));
       }},
      {"MaxPooling2D",
       {image},
       [] {
         return MaxPooling2D({2, 3}, {.strides = {1, 2}, .padding = "same"});
       }},
      {"AveragePooling2D",
       {image},
       [] {
         return AveragePooling2D({3, 2});
       }},
      {"GlobalMaxPooling2D", {image}, [] { return GlobalMaxPooling2D({.keepdims = true}); }},
      {"GlobalAveragePooling2D", {image}, [] { return GlobalAveragePooling2D({.keepdims = true}); }},
      {"ZeroPadding2D",
       {image},
       [] {
         return ZeroPadding2D({1, 2, 3, 0});
       }},
      {"Cropping2D",
       {image},
       [] {
         return Cropping2D({1, 2, 0, 3});
       }},
      {"UpSampling2D",
       {image},
       [] {
         return UpSampling2D({2, 3}, {.interpolation = "bilinear"});
       }},
      {"Residual",
       {image},
       [] {
         return Residual({Conv2D(3, 3, {.padding = "same", .name = "first"}), BatchNormalization()},
                         {.shortcut = {Conv2D(3, 1), Activation("tanh")}, .name = "around"});
       }},
      {"Add", two, [] { return Add(); }},
      {"Subtract", two, [] { return Subtract(); }},
      {"Multiply", two, [] { return Multiply(); }},
      {"Average", two, [] { return Average(); }},
      {"Maximum", two, [] { return Maximum(); }},
      {"Minimum", two, [] { return Minimum("least"); }},
      {"Concatenate", two, [] { return Concatenate(1); }},
      {"Dot", two,
       [] {
         return Dot({.axes = {1, 1}, .normalize = true});
       }},
      {"RandomFlip", {image}, [] { return RandomFlip("vertical"); }},
      {"RandomTranslation",
       {image},
       [] {
         return RandomTranslation({-0.3, 0.1}, 0.2, {.fill_mode = "constant", .fill_value = 0.3});
       }},
      {"RandomErasing",
       {image},
       [] {
         return RandomErasing({.factor = {0.5, 0.9}, .scale = {0.1, 0.2}, .fill_value = 0.3});
       }},
      {"RandomErasing", {image}, [] { return RandomErasing({.factor = 0.4, .scale = 0.2}); }},
      {"Cutout",
       {image},
       [] {
         return Cutout({2, 3}, {.fill_value = -1});
       }},
      {"Masking", {{5, 2}}, [] { return Masking(0.25); }},
      {"GlobalAveragePooling1D", {{5, 2}}, [] { return GlobalAveragePooling1D(true); }},
      {"SimpleRNN", {{5, 2}}, [] { return SimpleRNN(3, recurrent({.activation = Elu{0.5}})); }},
      {"LSTM",
       {{5, 2}, {3}, {3}},
       [] {
         return LSTM(3, recurrent({.recurrent_activation = "hard_sigmoid", .unit_forget_bias = false}));
       }},
      {"LSTM", {{5, 2}}, [] { return LSTM(3, {.stateful = true, .batch_size = 7}); }},
      {"GRU", {{5, 2}, {3}}, [] { return GRU(3, recurrent({.reset_after = false})); }},
      {"GRU", {{5, 2}}, [] { return GRU(3, {.use_bias = false, .unroll = true}); }},
      {"Bidirectional",
       {{5, 2}},
       [] {
         return Bidirectional(LSTM(3, {.return_sequences = true, .name = "there"}),
                              GRU(3, {.return_sequences = true, .go_backwards = true, .name = "back"}),
                              {.merge_mode = "ave", .name = "both"});
       }},
      {"TimeDistributed",
       {{5, 2}},
       [] { return TimeDistributed(Dense(3, with_kernel(DenseOptions{})), "each"); }},
      {"MultiHeadAttention",
       {{5, 2}, {4, 3}, {4, 2}, {5, 4}},
       [] {
         return MultiHeadAttention(2, 3,
                                   {.use_causal_mask = true,
                                    .use_attention_mask = true,
                                    .return_attention_scores = true,
                                    .value_dim = 2,
                                    .output_dim = 5,
                                    .dropout = 0.15,
                                    .kernel_initializer = drawn_weights,
                                    .bias_initializer = Constant{0.1},
                                    .kernel_regularizer = "l2",
                                    .bias_regularizer = "l1",
                                    .kernel_constraint = MaxNorm{1.5},
                                    .bias_constraint = "non_neg",
                                    .name = "heads"});
       }},
      {"GroupQueryAttention",
       {{5, 2}, {4, 3}},
       [] { return GroupQueryAttention(3, 4, 2, {.use_bias = false}); }},
      {"Attention",
       {{5, 2}, {4, 2}},
       [] {
         return Attention({.use_scale = true,
                           .score_mode = "concat",
                           .use_causal_mask = true,
                           .return_attention_scores = true,
                           .dropout = 0.15});
       }},
      {"AdditiveAttention",
       {{5, 2}, {4, 2}},
       [] { return AdditiveAttention({.use_scale = false, .use_causal_mask = true, .dropout = 0.15}); }},
      {"PositionEmbedding",
       {{5, 2}},
       [] {
         return PositionEmbedding(
             6, {.initializer = drawn_weights, .regularizer = "l2", .constraint = MaxNorm{1.5}});
       }},
  };
}

}  // namespace glia::test
