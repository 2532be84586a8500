// Attention layers and normalisations over axes: tests/golden/keras_attention.py's table.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/glia.h>

#include <functional>
#include <string>
#include <vector>

#include "tests/golden_graphs.h"  // defines: GraphCase

namespace glia::test {
namespace attention {

/// Attention of x to itself, of numbers.
inline std::function<Model()> of_numbers(const std::function<Layer()>& layer) {
  return [layer] {
    const Symbol x = Input({5, 4});
    return Model({x}, {Dense(2, {.name = "head"})(layer()({x, x}))});
  };
}

/// The same of words with padding, which the loss leaves out.
inline std::function<Model()> of_words(const std::function<Layer()>& layer) {
  return [layer] {
    const Symbol x = Input({5}), w = Embedding(7, 4, {.mask_zero = true, .name = "words"})(x);
    return Model({x}, {Dense(7, "softmax", {.name = "head"})(layer()({w, w}))});
  };
}

inline Layer heads() { return MultiHeadAttention(2, 3, {.use_bias = false, .name = "heads"}); }
inline Layer causal_heads() {
  return MultiHeadAttention(2, 3, {.use_causal_mask = true, .use_bias = false, .name = "heads"});
}
inline Layer groups() { return GroupQueryAttention(3, 4, 2, {.use_bias = false, .name = "grouped_heads"}); }

/// A key, a value and a query of other widths.
inline Model other_keys() {
  const Symbol query = Input({4, 5}), value = Input({3, 2}), key = Input({3, 6});
  const MultiHeadAttention layer(2, 3, {.value_dim = 2, .output_dim = 7, .use_bias = false, .name = "heads"});
  return Model({query, value, key}, {Dense(1, {.name = "head"})(layer({query, value, key}))});
}

/// Both outputs.
inline Model scores() {
  const Symbol query = Input({4, 3}), value = Input({3, 3});
  const std::vector<Symbol> y =
      GroupQueryAttention(3, 4, 2,
                          {.return_attention_scores = true, .use_bias = false, .name = "grouped_heads"})
          .apply({query, value});
  return Model({query, value},
               {Dense(1, {.name = "steps"})(y[0]), Dense(1, {.name = "whole"})(Flatten()(y[1]))});
}

inline std::function<Model()> plain_attention(const std::function<Layer()>& layer) {
  return [layer] {
    const Symbol query = Input({4, 3}), value = Input({5, 2}), key = Input({5, 3});
    return Model({query, value, key}, {Dense(1, {.name = "head"})(layer()({query, value, key}))});
  };
}

/// Of a Transformer, over words, of two blocks.
inline Model encoder() {
  const Symbol x = Input({5});
  Symbol y = Embedding(7, 4, {.mask_zero = true, .name = "words"})(x);
  for (const std::string part : {"first", "second"}) {
    const Symbol normal = LayerNormalization({.name = part + "_norm"})(y);
    y = y + MultiHeadAttention(2, 2, {.use_bias = false, .name = part + "_heads"})({normal, normal});
    const Symbol wide =
        Dense(6, "gelu", {.name = part + "_wide"})(LayerNormalization({.name = part + "_attended"})(y));
    y = y + Dense(4, {.name = part + "_narrow"})(wide);
  }
  return Model({x}, {Dense(1, "sigmoid", {.name = "head"})(GlobalAveragePooling1D()(y))});
}

inline std::function<Model()> normalized(const std::vector<int>& axis) {
  return [axis] {
    const Symbol x = Input({3, 4, 2}), hidden = Dense(5, "tanh", {.name = "hidden"})(x);
    const Symbol y = LayerNormalization({.axis = axis, .name = "normalized"})(hidden);
    return Model({x}, {Dense(2, {.name = "head"})(y)});
  };
}

}  // namespace attention

inline std::vector<GraphCase> attention_cases() {
  using namespace attention;
  const CompileOptions plain = {.optimizer = SGD{.learning_rate = 0.05}, .loss = "mse"};
  const CompileOptions labels = {.optimizer = SGD{.learning_rate = 0.05},
                                 .loss = "sparse_categorical_crossentropy"};
  const CompileOptions both = {.optimizer = SGD{.learning_rate = 0.05},
                               .loss = {{"steps", "mse"}, {"whole", "mse"}}};
  return {
      {"heads", of_numbers(heads), plain},
      {"heads_causal", of_numbers(causal_heads), {.optimizer = Adam{.learning_rate = 0.01}, .loss = "mse"}},
      {"heads_masked", of_words(heads), labels},
      {"heads_masked_causal", of_words(causal_heads), labels},
      {"heads_other_keys", other_keys, plain},
      {"groups", of_numbers(groups), plain},
      {"groups_masked", of_words(groups), labels},
      {"groups_scores", scores, both},
      {"attention", plain_attention([] { return Attention(); }), plain},
      {"attention_causal", plain_attention([] { return Attention({.use_causal_mask = true}); }), plain},
      {"attention_masked", of_words([] { return Attention(); }), labels},
      {"attention_scaled", plain_attention([] {
         return Attention({.use_scale = true, .use_causal_mask = true, .name = "scaled"});
       }),
       plain},
      {"attention_concat", plain_attention([] {
         return Attention({.use_scale = true, .score_mode = "concat", .name = "scaled"});
       }),
       plain},
      {"attention_concat_masked", of_words([] { return Attention({.score_mode = "concat"}); }), labels},
      {"encoder",
       encoder,
       {.optimizer = SGD{.learning_rate = 0.05}, .loss = "binary_crossentropy", .metrics = {"accuracy"}}},
      {"additive", plain_attention([] { return AdditiveAttention({.use_scale = true, .name = "additive"}); }),
       plain},
      {"additive_plain",
       plain_attention([] { return AdditiveAttention({.use_scale = false, .use_causal_mask = true}); }),
       plain},
      {"additive_masked", of_words([] { return AdditiveAttention({.use_scale = true, .name = "additive"}); }),
       labels},
      {"normalized_2_3", normalized({-2, -1}), plain},
      {"normalized_1_3", normalized({1, 3}), plain},
  };
}

}  // namespace glia::test
