// Plain models: what was there before graphs came, for whatever suite wants to see it.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/glia.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace glia::test {

/// A model, what it is compiled with, and its rows.
struct Plain {
  std::function<Sequential()> make;
  CompileOptions options;
  Shape row;
};

/// Optimizers, losses and layers without roots of e: their sums and products have the same bits wherever they are made
/// without fused multiplication, as on x86-64-v2.
inline std::vector<std::pair<std::string, Plain>> plain_models() {
  const auto dense = [](const char* first = "relu") {
    return [first] { return Sequential{Flatten({7, 3}), Dense(13, first), Dense(5)}; };
  };
  const CompileOptions sgd{.optimizer = SGD{.learning_rate = 0.01, .momentum = 0.9}, .loss = "mse"};
  const auto with = [&sgd](OptimizerName optimizer) {
    CompileOptions options = sgd;
    options.optimizer = optimizer;
    return options;
  };
  CompileOptions metrics = sgd;
  metrics.metrics = {"mae", "accuracy", RootMeanSquaredError{}};
  return {
      {"dense", {dense(), sgd, {7, 3}}},
      {"metrics", {dense(), metrics, {7, 3}}},
      {"clipped, averaged and accumulated",
       {dense(),
        with(SGD{.learning_rate = 0.01,
                 .momentum = 0.9,
                 .global_clipnorm = 0.1,
                 .use_ema = true,
                 .gradient_accumulation_steps = 2}),
        {7, 3}}},
      {"clipped by weight", {dense(), with(SGD{.learning_rate = 0.01, .clipnorm = 0.05}), {7, 3}}},
      {"decayed", {dense(), with(SGD{.learning_rate = 0.01, .weight_decay = 0.01}), {7, 3}}},
      {"scheduled",
       {dense(),
        with(SGD{.learning_rate = LearningRate(InverseTimeDecay{0.01, 3, 0.5}), .nesterov = true}),
        {7, 3}}},
      {"muon", {dense(), with(Muon{.learning_rate = 0.01}), {7, 3}}},
      {"regularised",
       {[] {
          return Sequential{Dense(6, "relu", {.kernel_regularizer = "l2", .kernel_constraint = "max_norm"}),
                            Dropout(0.3), Dense(2, {.bias_regularizer = "l1"})};
        },
        sgd,
        {8}}},
      {"convolution",
       {[] {
          return Sequential{Conv2D(4, 3, {.padding = "same", .activation = "relu"}),
                            MaxPooling2D(2),
                            SeparableConv2D(6, 3),
                            BatchNormalization(),
                            ReLU(),
                            GlobalAveragePooling2D(),
                            Dense(3)};
        },
        sgd,
        {10, 10, 2}}},
      {"residual",
       {[] {
          return Sequential{Conv2D(4, 3, {.padding = "same"}),
                            Residual({Conv2D(4, 3, {.padding = "same", .activation = "relu"}),
                                      BatchNormalization(), Conv2D(4, 3, {.padding = "same"})}),
                            ReLU(),
                            Residual({Conv2D(6, 3, {.strides = 2, .padding = "same"})},
                                     {.shortcut = {Conv2D(6, 1, {.strides = 2})}}),
                            Flatten(),
                            Dense(3)};
        },
        sgd,
        {6, 6, 3}}},
      {"augmented",
       {[] {
          return Sequential{Rescaling(2, -1),
                            RandomFlip("horizontal"),
                            Conv2DTranspose(3, 2, {.strides = 2}),
                            LayerNormalization(),
                            Flatten(),
                            PReLU(),
                            Dense(2)};
        },
        sgd,
        {4, 4, 1}}},
      {"embedded",
       {[] {
          return Sequential{Embedding(64, 4, {.input_length = 5}), Flatten(), Dense(3, "relu"), Dense(2)};
        },
        sgd,
        {5}}},
  };
}

}  // namespace glia::test
