// Models with branches that merge, share, freeze and nest layers: the table of tests/golden/make_keras_graphs.py,
// for whatever suite wants to see graphs.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/glia.h>

#include <functional>
#include <ostream>
#include <string>
#include <vector>

namespace glia::test {

/// A model of the table, how Keras compiled it, and the share of the rows that fit kept for validation.
struct GraphCase {
  std::string name;
  std::function<Model()> model;
  CompileOptions options = {};
  double validation_split = 0;

  friend std::ostream& operator<<(std::ostream& out, const GraphCase& one) { return out << one.name; }
};

namespace graphs {

// merging layers

template <class Merging>
std::function<Model()> merge(std::vector<std::int64_t> widths) {
  return [widths] {
    std::vector<Symbol> inputs, hidden;
    for (const std::int64_t width : widths) {
      inputs.push_back(Input({width}));
      hidden.push_back(Dense(6, "tanh", {.name = "hidden_" + std::to_string(hidden.size())})(inputs.back()));
    }
    return Model(inputs, {Dense(2, {.name = "head"})(Merging()(hidden))});
  };
}

inline Model concatenated() {
  Symbol a = Input({3}), b = Input({4});
  Symbol left = Dense(2, "tanh", {.name = "hidden_2"})(a), right = Dense(5, "tanh", {.name = "hidden_5"})(b);
  return Model({a, b}, {Dense(2, {.name = "head"})(concatenate({left, right, a}))});
}

inline Model concatenated_on_axis_1() {
  Symbol a = Input({2, 4}), b = Input({3, 4});
  Symbol left = Dense(5, "tanh", {.name = "left"})(a), right = Dense(5, "sigmoid", {.name = "right"})(b);
  return Model({a, b}, {Dense(2, {.name = "head"})(concatenate({left, right}, 1))});
}

inline Model concatenated_images() {
  Symbol x = Input({5, 6, 2});
  std::vector<Symbol> parts;
  for (const int n : {1, 2, 3})
    parts.push_back(
        Conv2D(n, n, {.padding = "same", .activation = "tanh", .name = "window_" + std::to_string(n)})(x));
  Symbol y = Conv2D(3, 2, {.activation = "tanh", .name = "mixed"})(Concatenate()(parts));
  return Model({x}, {Dense(2, {.name = "head"})(GlobalAveragePooling2D()(y))});
}

inline Model dotted() {
  Symbol a = Input({3}), b = Input({4});
  Symbol left = Dense(5, "tanh", {.name = "left"})(a), right = Dense(5, "sigmoid", {.name = "right"})(b);
  return Model({a, b}, {Dense(2, {.name = "head"})(Dot({.axes = {1, 1}})({left, right}))});
}

inline Model dotted_on_axes() {
  Symbol a = Input({4, 3}), b = Input({3, 2});
  Symbol left = Dense(3, "tanh", {.name = "left"})(a), right = Dense(5, "tanh", {.name = "right"})(b);
  return Model({a, b}, {Dense(2, {.name = "head"})(Dot({.axes = {2, 1}})({left, right}))});
}

inline Model dotted_normalized() {
  Symbol a = Input({3}), b = Input({4});
  Symbol left = Dense(5, "tanh", {.name = "left"})(a), right = Dense(5, {.name = "right"})(b);
  Symbol y = Dot({.axes = {1, 1}, .normalize = true})({left, right});
  return Model({a, b}, {Dense(2, {.name = "head"})(y)});
}

inline Model dotted_normalized_rows() {
  Symbol a = Input({4, 3}), b = Input({2, 5});
  Symbol left = Dense(6, "tanh", {.name = "left"})(a), right = Dense(6, {.name = "right"})(b);
  Symbol y = Dot({.axes = {2, 2}, .normalize = true})({left, right});
  return Model({a, b}, {Dense(3, {.name = "head"})(y)});
}

// branches

inline Model residual() {
  Symbol x = Input({5, 5, 2});
  Symbol y = Conv2D(3, 3, {.padding = "same", .use_bias = false, .name = "first"})(x);
  y = Activation("tanh")(BatchNormalization({.momentum = 0.8, .name = "first_norm"})(y));
  y = Conv2D(3, 3, {.padding = "same", .use_bias = false, .name = "second"})(y);
  y = BatchNormalization({.momentum = 0.8, .name = "second_norm"})(y);
  y = Activation("tanh")(add({y, Conv2D(3, 1, {.use_bias = false, .name = "shortcut"})(x)}));
  return Model({x}, {Dense(3, "softmax", {.name = "head"})(GlobalAveragePooling2D()(y))});
}

/// The layers' names are those that they get where none is given.
inline Model diamond() {
  Symbol x = Input({4});
  Symbol top = Dense(5, "tanh")(x);
  Symbol left = Dense(6, "tanh")(top);
  Symbol right = Dense(6, "sigmoid")(top);
  return Model({x}, {Dense(2)(multiply({left, right}))});
}

inline Model read_by_three() {
  Symbol x = Input({4});
  Symbol y = Dense(5, "tanh", {.name = "read"})(x);
  Symbol left = Dense(5, "tanh", {.name = "left"})(y), right = Dense(3, "tanh", {.name = "right"})(y);
  return Model({x}, {Dense(2, {.name = "head"})(concatenate({add({y, left}), right, y}))});
}

inline Model input_beside_hidden() {
  Symbol x = Input({4});
  Symbol y = concatenate({x, Dense(5, "tanh", {.name = "hidden"})(x)});
  y = concatenate({y, x, Dense(3, "tanh", {.name = "deeper"})(y)});
  return Model({x}, {Dense(2, {.name = "head"})(y)});
}

// shared layers

/// A block with weights that no gradient moves.
inline Model normalized_block() {
  Symbol x = Input({5});
  Symbol y = Dense(6, "tanh", {.use_bias = false, .name = "one"})(x);
  y = BatchNormalization({.momentum = 0.8, .name = "norm"})(y);
  Model block({x}, {Dense(4, "tanh", {.name = "two"})(y)});
  block.set_name("block");
  return block;
}

inline Model dense_twice() {
  Symbol x = Input({5});
  Dense shared(5, "tanh", {.name = "shared"});
  return Model({x}, {Dense(2, {.name = "head"})(shared(shared(x)))});
}

inline Model siamese_twins() {
  Symbol a = Input({4}), b = Input({4});
  Sequential twin{Dense(5, "tanh", {.name = "one"}), Dense(3, "tanh", {.name = "two"})};
  twin.set_name("twin");
  return Model({a, b}, {Dense(1, "sigmoid", {.name = "same"})(subtract({twin(a), twin(b)}))});
}

inline Model convolution_of_two_sizes() {
  Symbol large = Input({6, 6, 1}), small = Input({4, 5, 1});
  Conv2D shared(3, 2, {.activation = "tanh", .name = "shared"});
  Symbol left = GlobalAveragePooling2D()(shared(large)), right = GlobalAveragePooling2D()(shared(small));
  return Model({large, small}, {Dense(2, {.name = "head"})(concatenate({left, right}))});
}

inline Model shared_regularized() {
  Symbol a = Input({4}), b = Input({4});
  Dense shared(5, "tanh", {.kernel_regularizer = "l2", .bias_regularizer = "l1", .name = "shared"});
  Symbol y = concatenate({shared(a), shared(b)});
  return Model({a, b}, {Dense(2, {.kernel_regularizer = "l2", .name = "head"})(y)});
}

inline Model shared_normalization() {
  Symbol a = Input({5}), b = Input({5});
  Model block = normalized_block();
  return Model({a, b}, {Dense(2, {.name = "head"})(concatenate({block(a), block(b)}))});
}

// frozen layers

inline Model frozen_dense() {
  Symbol x = Input({4});
  Symbol y = Dense(5, "tanh", {.name = "first"})(x);
  y = Dense(6, "tanh", {.trainable = false, .name = "frozen"})(y);
  return Model({x}, {Dense(2, {.name = "head"})(y)});
}

/// Which infers while the model trains.
inline Model frozen_batch_normalization() {
  Symbol x = Input({4});
  BatchNormalization frozen({.momentum = 0.8, .name = "frozen"});
  frozen.set_trainable(false);
  Symbol y = Activation("tanh")(frozen(Dense(6, {.use_bias = false, .name = "first"})(x)));
  y = Dense(5, "tanh", {.use_bias = false, .name = "second"})(y);
  return Model({x},
               {Dense(2, {.name = "head"})(BatchNormalization({.momentum = 0.8, .name = "trained"})(y))});
}

inline Model frozen_nested() {
  Symbol x = Input({4});
  Model block = normalized_block();
  block.set_trainable(false);
  return Model({x}, {Dense(2, {.name = "head"})(block(Dense(5, "tanh", {.name = "first"})(x)))});
}

inline Model all_but_last_frozen() {
  Symbol x = Input({4});
  Symbol y = Dense(6, "tanh", {.name = "first"})(x);
  y = BatchNormalization({.momentum = 0.8, .name = "norm"})(y);
  y = add({y, Dense(6, "tanh", {.name = "second"})(y)});
  Model model({x}, {Dense(3, "softmax", {.name = "head"})(y)});
  model.set_trainable(false);
  model.layer("head").set_trainable(true);
  return model;
}

// models as layers

inline Model sequential_in_model() {
  Symbol x = Input({4});
  Sequential block{Dense(6, "tanh", {.use_bias = false, .name = "one"}),
                   BatchNormalization({.momentum = 0.8, .name = "norm"}), Dense(4, {.name = "two"})};
  block.set_name("block");
  return Model({x}, {Dense(2, {.name = "head"})(add({block(x), x}))});
}

inline Model model_in_model() {
  Symbol x = Input({4});
  Symbol y = normalized_block()(Dense(5, "tanh", {.name = "first"})(x));
  return Model({x}, {Dense(2, {.name = "head"})(y)});
}

inline Model two_levels() {
  Sequential core{Dense(6, "tanh", {.name = "one"}), Dense(5, "tanh", {.name = "two"})};
  core.set_name("core");
  Symbol inside = Input({5});
  Model block({inside}, {Dense(4, "tanh", {.name = "inner"})(add({core(inside), inside}))});
  block.set_name("block");
  Symbol x = Input({4});
  return Model({x}, {Dense(2, {.name = "two"})(block(Dense(5, "tanh", {.name = "one"})(x)))});
}

inline Model nested_twice() {
  Symbol inside = Input({4});
  Symbol value = Dense(4, "tanh", {.name = "value"})(inside);
  Symbol gate = Dense(4, "sigmoid", {.name = "gate"})(inside);
  Model step({inside}, {multiply({value, gate})});
  step.set_name("step");
  Symbol x = Input({4});
  return Model({x}, {Dense(2, {.name = "head"})(add({step(step(x)), x}))});
}

// several inputs and outputs

inline Model image_and_table() {
  Symbol image = Input({6, 5, 2}), table = Input({4});
  Symbol window = Conv2D(3, 3, {.activation = "tanh", .name = "window"})(image);
  Symbol columns = Dense(5, "tanh", {.name = "columns"})(table);
  Symbol y = concatenate({Flatten()(AveragePooling2D(2)(window)), columns});
  return Model({image, table}, {Dense(3, "softmax", {.name = "head"})(y)});
}

inline Model two_heads() {
  Symbol x = Input({5});
  Symbol y = Dense(6, "tanh", {.name = "hidden"})(x);
  return Model({x}, {Dense(4, "softmax", {.name = "digit"})(y), Dense(1, "sigmoid", {.name = "even"})(y)});
}

inline Model outputs_of_two_ranks() {
  Symbol x = Input({3, 5});
  Symbol y = Dense(4, "tanh", {.name = "hidden"})(x);
  return Model({x}, {Dense(2, {.name = "steps"})(y), Dense(1, "sigmoid", {.name = "whole"})(Flatten()(y))});
}

inline Model intermediate_output() {
  Symbol x = Input({4});
  Symbol middle = Dense(3, "sigmoid", {.name = "middle"})(x);
  Symbol end = Dense(2, {.name = "end"})(Dense(5, "tanh", {.name = "between"})(middle));
  return Model({x}, {middle, end});
}

inline Model input_is_output() {
  Symbol x = Input({4}, "given");
  return Model({x}, {Dense(2, {.name = "head"})(Dense(5, "tanh", {.name = "hidden"})(x)), x});
}

inline Model clipped_outputs() {
  Symbol a = Input({4}), b = Input({3});
  Symbol shared = concatenate({a, Dense(5, "tanh", {.name = "hidden"})(b)});
  return Model({a, b}, {Dense(2, {.name = "near"})(shared), Dense(3, {.name = "far"})(b)});
}

inline Model with_added_loss() {
  Symbol x = Input({4});
  Symbol mean = Dense(3, {.name = "mean"})(x), spread = Dense(3, {.name = "spread"})(x);
  Model model({x}, {Dense(2, {.name = "head"})(concatenate({mean, spread}))});
  model.add_loss((exp(spread) + mean * mean - spread - 1) * 0.5);
  return model;
}

// the table

inline const SGD sgd = {.learning_rate = 0.05};
inline const Adam adam = {.learning_rate = 0.01};
inline const Adam decayed = {.learning_rate = 0.01, .weight_decay = 0.1};
inline const std::string sparse = "sparse_categorical_crossentropy", binary = "binary_crossentropy";

inline std::vector<GraphCase> merging_cases() {
  const CompileOptions plain = {.optimizer = sgd, .loss = "mse"};
  return {
      {"add_of_three", merge<Add>({5, 4, 3}), plain},
      {"subtract", merge<Subtract>({5, 4}), plain},
      {"multiply_of_three", merge<Multiply>({5, 4, 3}), plain},
      {"average_of_three", merge<Average>({5, 4, 3}), plain},
      {"maximum_of_two", merge<Maximum>({5, 4}), plain},
      {"maximum_of_three", merge<Maximum>({5, 4, 3}), plain},
      {"minimum_of_two", merge<Minimum>({5, 4}), plain},
      {"concatenate", concatenated, plain},
      {"concatenate_axis_1", concatenated_on_axis_1, plain},
      {"concatenate_images", concatenated_images, plain},
      {"dot", dotted, plain},
      {"dot_axes", dotted_on_axes, plain},
      {"dot_normalized", dotted_normalized, plain},
      {"dot_normalized_rows", dotted_normalized_rows, plain},
  };
}

inline std::vector<GraphCase> one_output_cases() {
  const CompileOptions plain = {.optimizer = sgd, .loss = "mse"},
                       by_adam = {.optimizer = adam, .loss = "mse"};
  const CompileOptions by_decayed = {.optimizer = decayed, .loss = "mse"};
  return {
      {"residual", residual, {.optimizer = sgd, .loss = sparse, .metrics = "accuracy"}},
      {"diamond", diamond, by_adam},
      {"read_by_three", read_by_three, by_adam},
      {"input_beside_hidden", input_beside_hidden, plain},
      {"dense_twice", dense_twice, by_adam},
      {"siamese_twins", siamese_twins, {.optimizer = sgd, .loss = binary, .metrics = "accuracy"}},
      {"convolution_of_two_sizes", convolution_of_two_sizes, plain},
      {"shared_regularized", shared_regularized, plain},
      {"shared_normalization", shared_normalization, plain},
      {"frozen_dense", frozen_dense, by_decayed},
      {"frozen_batch_normalization", frozen_batch_normalization, plain},
      {"frozen_nested", frozen_nested, by_decayed},
      {"all_but_last_frozen",
       all_but_last_frozen,
       {.optimizer = decayed, .loss = sparse, .metrics = "accuracy"}},
      {"sequential_in_model", sequential_in_model, plain},
      {"model_in_model", model_in_model, plain, 0.2},
      {"two_levels", two_levels, by_adam},
      {"nested_twice", nested_twice, plain},
      {"added_loss", with_added_loss, by_adam, 0.2},
      {"image_and_table", image_and_table, {.optimizer = adam, .loss = sparse, .metrics = "accuracy"}, 0.2},
  };
}

inline std::vector<GraphCase> two_output_cases() {
  const SGD clipped = {.learning_rate = 0.2, .global_clipnorm = 0.7};
  return {
      {"two_outputs",
       two_heads,
       {.optimizer = adam,
        .loss = {{"digit", sparse}, {"even", binary}},
        .metrics = {{"digit", "accuracy"}, {"even", {"accuracy", "mae"}}},
        .loss_weights = {{"even", 0.3}}},
       0.2},
      {"outputs_of_two_ranks",
       outputs_of_two_ranks,
       {.optimizer = sgd, .loss = {{"steps", "mse"}, {"whole", binary}}, .metrics = {{"steps", "mae"}}}},
      {"intermediate_output",
       intermediate_output,
       {.optimizer = sgd,
        .loss = {{"middle", binary}, {"end", "mse"}},
        .loss_weights = {{"middle", 0.5}, {"end", 2}}}},
      {"input_is_output", input_is_output, {.optimizer = sgd, .loss = {{"head", "mse"}, {"given", "mse"}}}},
      {"global_clipnorm",
       clipped_outputs,
       {.optimizer = clipped, .loss = {{"near", "mse"}, {"far", "log_cosh"}}}},
      {"sample_weights",
       two_heads,
       {.optimizer = sgd,
        .loss = {{"digit", sparse}, {"even", binary}},
        .weighted_metrics = {{"even", "accuracy"}},
        .loss_weights = {{"even", 0.3}}}},
  };
}

}  // namespace graphs

inline std::vector<GraphCase> graph_cases() {
  std::vector<GraphCase> cases;
  for (const auto& part : {graphs::merging_cases(), graphs::one_output_cases(), graphs::two_output_cases()})
    cases.insert(cases.end(), part.begin(), part.end());
  return cases;
}

}  // namespace glia::test
