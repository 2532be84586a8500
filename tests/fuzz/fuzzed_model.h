// The model whose file model_file_fuzz lies about.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/glia.h>

namespace glia::testing {

inline Sequential fuzzed_model() {
  Sequential chain{Dense(3, "relu", {.input_dim = 2}), BatchNormalization(), Dropout(0.5),
                   Dense(2, "softmax")};
  chain.compile({.optimizer = Adam{.learning_rate = ExponentialDecay{0.01, 5, 0.5}, .use_ema = true},
                 .loss = "categorical_crossentropy",
                 .metrics = {"accuracy"},
                 .device = "cpu"});
  chain.fit(Tensor::zeros({4, 2}), Tensor::ones({4, 2}), {.verbose = 0});
  return chain;
}

}  // namespace glia::testing
