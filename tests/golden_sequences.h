// Models of layers over sequences: the table of tests/golden/make_keras_sequences.py, for whatever suite wants to
// see masks, recurrent layers, and layers around them.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/glia.h>

#include <functional>
#include <string>
#include <vector>

#include "tests/golden_attention.h"  // defines: attention_cases
#include "tests/golden_graphs.h"     // defines: GraphCase, graphs::sgd, adam, sparse, binary

namespace glia::test {
namespace recurrence {

using graphs::adam, graphs::binary, graphs::sgd, graphs::sparse;

inline Symbol masked_if(bool masked, const Symbol& x) { return masked ? Masking()(x) : x; }

// one kind of recurrent layer

/// Its layers, how many states they have, and what two of them are to compute.
struct Kind {
  std::string name;
  std::function<Layer(int units, const RecurrentOptions& options)> layer;
  int states;
  RecurrentOptions first, second;
};

template <class Recurrent>
Layer recurrent(int units, const RecurrentOptions& options) {
  return Recurrent(units, options);
}

inline Layer reset_before(int units, RecurrentOptions options) {
  options.reset_after = false;
  return GRU(units, options);
}

inline std::vector<Kind> kinds() {
  return {
      {"simple_rnn", recurrent<SimpleRNN>, 1, {.activation = "relu"}, {.activation = "gelu"}},
      {"lstm",
       recurrent<LSTM>,
       2,
       {.activation = "elu", .recurrent_activation = "hard_sigmoid"},
       {.activation = "softsign", .recurrent_activation = "linear"}},
      {"gru",
       recurrent<GRU>,
       1,
       {.activation = "relu", .recurrent_activation = "hard_sigmoid"},
       {.activation = "gelu", .recurrent_activation = "softsign"}},
      {"gru_reset_before",
       reset_before,
       1,
       {.activation = "softsign", .recurrent_activation = "gelu"},
       {.activation = "elu", .recurrent_activation = "sigmoid"}},
  };
}

inline Model last(const Kind& kind) {
  Symbol x = Input({6, 3});
  return Model({x}, {Dense(2, {.name = "head"})(kind.layer(5, {.name = "rnn"})(x))});
}

inline Model every_step(const Kind& kind) {
  Symbol x = Input({5, 4});
  Symbol y = kind.layer(3, {.return_sequences = true, .name = "rnn"})(x);
  return Model({x}, {Dense(1, {.name = "head"})(y)});
}

/// Whose second layer has no bias.
inline Model backwards(const Kind& kind) {
  Symbol x = Input({5, 3});
  Symbol y = kind.layer(2, {.return_sequences = true, .go_backwards = true, .name = "all"})(x);
  return Model({x}, {kind.layer(2, {.use_bias = false, .go_backwards = true, .name = "last"})(y)});
}

inline Model activations(const Kind& kind) {
  Symbol x = Input({5, 3});
  RecurrentOptions first = kind.first, second = kind.second;
  first.return_sequences = true;
  first.name = "first", second.name = "last";
  return Model({x}, {kind.layer(2, second)(kind.layer(2, first)(x))});
}

/// The mask goes through the first layer, to the second and to the loss.
inline Model masked(const Kind& kind) {
  Symbol x = Input({5, 3});
  Symbol y = kind.layer(2, {.return_sequences = true, .name = "all"})(Masking()(x));
  return Model({x}, {Dense(1, {.name = "steps"})(y), kind.layer(2, {.name = "last"})(y)});
}

inline Model one_step(const Kind& kind) {
  Symbol x = Input({1, 3});
  return Model({x}, {kind.layer(2, {.name = "last"})(x)});
}

/// States that Dense layers make of another input.
inline std::vector<Symbol> initial_states(const Symbol& given, int count) {
  std::vector<Symbol> states;
  for (int i = 0; i < count; ++i)
    states.push_back(Dense(2, "tanh", {.name = "state_" + std::to_string(i)})(given));
  return states;
}

/// Of what a layer gives, what comes behind the sequence: side by side.
inline Symbol final_states(const std::vector<Symbol>& outputs) {
  const std::vector<Symbol> states(outputs.begin() + 1, outputs.end());
  return states.size() == 1 ? states[0] : concatenate(states);
}

/// A head of the sequence, and one of the final states.
inline Model two_heads(const Symbols& inputs, const std::vector<Symbol>& outputs) {
  return Model(inputs,
               {Dense(1, {.name = "steps"})(outputs[0]), Dense(1, {.name = "whole"})(final_states(outputs))});
}

/// Initial states, and all outputs used.
inline Model states(const Kind& kind, bool masked) {
  Symbol x = Input({5, 3}), given = Input({3});
  std::vector<Symbol> inputs = initial_states(given, kind.states);
  inputs.insert(inputs.begin(), masked_if(masked, x));
  Layer rnn = kind.layer(2, {.return_sequences = true, .return_state = true, .name = "rnn"});
  return two_heads({x, given}, rnn.apply(inputs));
}

// recurrent layers: order, states, weights

inline Model stacked() {
  Symbol x = Input({5, 3});
  Symbol y = LSTM(2, {.return_sequences = true, .name = "first"})(x);
  y = GRU(2, {.return_sequences = true, .name = "second"})(y);
  return Model({x}, {SimpleRNN(3, {.name = "last"})(y)});
}

inline Model shared() {
  Symbol a = Input({5, 3}), b = Input({6, 3});
  LSTM rnn(2, {.name = "rnn"});
  return Model({a, b}, {Dense(1, {.name = "head"})(concatenate({rnn(a), rnn(b)}))});
}

inline Model frozen() {
  Symbol x = Input({5, 3});
  Symbol y = Dense(2, {.name = "first"})(x);
  y = LSTM(2, {.return_sequences = true, .trainable = false, .name = "frozen"})(y);
  return Model({x}, {SimpleRNN(2, {.name = "last"})(y)});
}

/// A head of those of an LSTM's outputs that have these numbers.
inline Model final_outputs(const std::vector<std::size_t>& used, bool return_sequences = false) {
  Symbol x = Input({5, 3});
  LSTM rnn(2, {.return_sequences = return_sequences, .return_state = true, .name = "rnn"});
  const std::vector<Symbol> outputs = rnn.apply(x);
  std::vector<Symbol> chosen;
  for (const std::size_t i : used) chosen.push_back(outputs[i]);
  return Model({x}, {Dense(1, {.name = "head"})(chosen.size() == 1 ? chosen[0] : concatenate(chosen))});
}

/// The mask of the sequence keeps its order, though the sequence is turned round.
inline Model masked_backwards() {
  Symbol x = Input({5, 3});
  Symbol y = LSTM(2, {.return_sequences = true, .go_backwards = true, .name = "all"})(Masking()(x));
  Symbol z = SimpleRNN(2, {.go_backwards = true, .name = "last"})(Masking()(x));
  return Model({x}, {Dense(1, {.name = "steps"})(y), z});
}

inline Model regularized() {
  Symbol x = Input({5, 3});
  LSTM rnn(2, {.unit_forget_bias = false,
               .kernel_regularizer = "l2",
               .recurrent_regularizer = L1L2{.l1 = 0.02, .l2 = 0.03},
               .bias_regularizer = "l1",
               .name = "last"});
  return Model({x}, {rnn(x)});
}

template <class Recurrent>
Model constrained() {
  Symbol x = Input({5, 3});
  Recurrent rnn(2, {.kernel_constraint = MaxNorm{.max_value = 0.8},
                    .recurrent_constraint = "unit_norm",
                    .bias_constraint = MaxNorm{.max_value = 0.4},
                    .name = "last"});
  return Model({x}, {rnn(x)});
}

// Bidirectional

/// Over steps that are masked, and over the same where they are not.
inline Model bidirectional(const std::string& mode) {
  Symbol x = Input({5, 2});
  Symbol masked = Masking()(x);
  Bidirectional all(LSTM(2, {.return_sequences = true, .name = "rnn"}), {.merge_mode = mode, .name = "all"});
  Bidirectional last(LSTM(2, {.name = "rnn"}), {.merge_mode = mode, .name = "last"});
  Symbol whole = concatenate({last(masked), last(x), GlobalAveragePooling1D()(all(x))});
  return Model({x}, {Dense(1, {.name = "steps"})(all(masked)), Dense(1, {.name = "whole"})(whole)});
}

inline Model bidirectional_gru() {
  Symbol x = Input({5, 3});
  Symbol y = Bidirectional(GRU(2, {.return_sequences = true, .name = "rnn"}), {.name = "all"})(x);
  return Model({x}, {Bidirectional(SimpleRNN(2, {.name = "rnn"}), {.merge_mode = "sum", .name = "last"})(y)});
}

/// Initial states in this order, of two.
template <class Recurrent>
Model bidirectional_states(const std::vector<std::size_t>& order, bool masked) {
  Symbol x = Input({5, 3}), given = Input({3});
  const std::vector<Symbol> initial = initial_states(given, 2);
  std::vector<Symbol> inputs{masked_if(masked, x)};
  for (const std::size_t i : order) inputs.push_back(initial[i]);
  Recurrent rnn(2, {.return_sequences = true, .return_state = true, .name = "rnn"});
  return two_heads({x, given}, Bidirectional(rnn, {.name = "both"}).apply(inputs));
}

inline Model bidirectional_own() {
  Symbol x = Input({5, 3});
  LSTM forward(2, {.return_sequences = true, .name = "there"});
  GRU backward(2, {.activation = "softsign", .return_sequences = true, .go_backwards = true, .name = "back"});
  Symbol y = Bidirectional(forward, backward, {.name = "both"})(x);
  return Model({x}, {Dense(1, {.name = "head"})(y)});
}

/// Two outputs, and the mask on both.
inline Model bidirectional_none() {
  Symbol x = Input({5, 3});
  SimpleRNN rnn(2, {.return_sequences = true, .name = "rnn"});
  const std::vector<Symbol> y =
      Bidirectional(rnn, {.merge_mode = "none", .name = "both"}).apply(Masking()(x));
  return Model({x}, {Dense(1, {.name = "steps"})(y[0]), SimpleRNN(2, {.name = "last"})(y[1])});
}

// Embedding

inline Symbol words(const Symbol& x, int width = 2, const std::string& name = "words") {
  return Embedding(7, width, {.mask_zero = true, .name = name})(x);
}

inline Model embedded() {
  Symbol x = Input({6});
  return Model({x}, {Dense(1, "sigmoid", {.name = "head"})(LSTM(2, {.name = "rnn"})(words(x)))});
}

inline Model embedded_mean() {
  Symbol x = Input({6});
  return Model({x}, {Dense(1, "sigmoid", {.name = "head"})(GlobalAveragePooling1D()(words(x, 3)))});
}

inline Model labelled() {
  Symbol x = Input({5});
  Symbol y = LSTM(2, {.return_sequences = true, .name = "rnn"})(words(x));
  return Model({x}, {Dense(3, "softmax", {.name = "head"})(y)});
}

inline Model labelled_and_whole() {
  Symbol x = Input({6});
  Symbol y = GRU(2, {.return_sequences = true, .name = "all"})(words(x));
  Symbol whole = SimpleRNN(1, {.activation = "sigmoid", .name = "whole"})(y);
  return Model({x}, {Dense(1, "sigmoid", {.name = "steps"})(y), whole});
}

inline Model encoder_decoder() {
  Symbol source = Input({6}), target = Input({5});
  LSTM encoder(2, {.return_state = true, .name = "encoder"});
  LSTM decoder(2, {.return_sequences = true, .name = "decoder"});
  const std::vector<Symbol> encoded = encoder.apply(words(source, 3, "source_words"));
  Symbol y = decoder({words(target, 2, "target_words"), encoded[1], encoded[2]});
  return Model({source, target}, {Dense(3, "softmax", {.name = "head"})(y)});
}

// the ways of masks: layers before a loss that leaves masked steps out

template <class Merging>
Model merged(bool both_masked) {
  Symbol a = Input({5, 2}), b = Input({5, 2});
  Symbol left = Dense(2, "tanh", {.name = "left"})(Masking()(a));
  Symbol right = Dense(2, "tanh", {.name = "right"})(masked_if(both_masked, b));
  return Model({a, b}, {Dense(1, {.name = "head"})(Merging()({left, right}))});
}

template <class Merging>
Model merged_three(bool last_masked) {
  Symbol a = Input({5, 2}), b = Input({5, 2}), c = Input({5, 2});
  Symbol first = Dense(2, "tanh", {.name = "first"})(Masking()(a));
  Symbol second = Dense(2, "tanh", {.name = "second"})(Masking()(b));
  Symbol third = Dense(2, "tanh", {.name = "third"})(masked_if(last_masked, c));
  return Model({a, b, c}, {Dense(1, {.name = "head"})(Merging()({first, second, third}))});
}

/// What is masked has no say in mean and variance, and is masked still behind them.
inline Model normalized(BatchNormalizationOptions options) {
  Symbol x = Input({5, 3});
  options.momentum = 0.8, options.name = "norm";
  Symbol y = Dense(4, "tanh", {.name = "first"})(Masking()(x));
  y = Activation("relu")(BatchNormalization(options)(y));
  return Model({x}, {Dense(1, {.name = "steps"})(y), SimpleRNN(2, {.name = "last"})(y)});
}

inline Model normalized_words(std::int64_t steps) {
  Symbol x = Input({steps});
  Symbol y = BatchNormalization({.momentum = 0.8, .name = "norm"})(words(x, 3));
  return Model({x}, {Dense(3, "softmax", {.name = "head"})(y)});
}

inline Model kept_mask() {
  Symbol x = Input({5, 3});
  Symbol y = LayerNormalization({.name = "norm"})(Masking(1.5)(x));
  y = TimeDistributed(Dense(3, {.name = "each"}), "distributed")(Activation("tanh")(y));
  return Model({x}, {Dense(1, {.name = "head"})(y)});
}

/// Which loses the mask.
inline Model flattened() {
  Symbol x = Input({5, 3});
  Symbol y = SimpleRNN(2, {.return_sequences = true, .name = "rnn"})(Masking()(x));
  return Model({x}, {Dense(2, {.name = "head"})(Flatten()(y))});
}

/// Likewise.
inline Model reshaped() {
  Symbol x = Input({6, 2});
  Symbol y = SimpleRNN(3, {.return_sequences = true, .name = "rnn"})(Reshape({3, 4})(Masking()(x)));
  return Model({x}, {Dense(1, {.name = "head"})(y)});
}

// TimeDistributed

inline Model distributed_dense() {
  Symbol x = Input({5, 3});
  Dense each(4, "tanh", {.kernel_regularizer = "l2", .name = "each"});
  return Model({x}, {SimpleRNN(3, {.name = "last"})(TimeDistributed(each, "distributed")(x))});
}

inline Model distributed_windows() {
  Symbol x = Input({2, 3, 4, 1});
  Symbol y = TimeDistributed(Conv2D(3, 2, "tanh", {.name = "window"}), "windows")(x);
  y = TimeDistributed(GlobalAveragePooling2D(), "means")(y);
  return Model({x}, {SimpleRNN(2, {.name = "last"})(y)});
}

inline Model distributed_model() {
  Symbol x = Input({5, 3});
  Sequential block{Dense(4, "tanh", {.name = "one"}), Dense(3, "tanh", {.name = "two"})};
  block.set_name("block");
  Symbol y = TimeDistributed(Layer(block), "distributed")(x);
  return Model({x}, {Dense(1, {.name = "head"})(y)});
}

// the table

inline const CompileOptions plain = {.optimizer = sgd, .loss = "mse"};
inline const CompileOptions by_adam = {.optimizer = adam, .loss = "mse"};
inline const CompileOptions steps_and_last = {.optimizer = sgd, .loss = {{"steps", "mse"}, {"last", "mse"}}};
inline const CompileOptions steps_and_whole = {.optimizer = sgd,
                                               .loss = {{"steps", "mse"}, {"whole", "mse"}}};

/// Accuracy among the metrics, and among those of weighted rows.
inline CompileOptions twice_counted(const std::string& loss) {
  return {.optimizer = sgd,
          .loss = loss,
          .metrics = "accuracy",
          .weighted_metrics = {{"weighted_accuracy", "accuracy"}}};
}

inline std::vector<GraphCase> cases_of_kinds() {
  std::vector<GraphCase> cases;
  for (const Kind& kind : kinds()) {
    const auto add = [&](const char* what, Model (*model)(const Kind&), const CompileOptions& options) {
      cases.push_back({kind.name + '_' + what, [model, kind] { return model(kind); }, options});
    };
    add("last", last, plain), add("sequences", every_step, by_adam), add("backwards", backwards, plain);
    add("activations", activations, plain), add("masked", masked, steps_and_last);
    add("one_step", one_step, plain);
    cases.push_back({kind.name + "_states", [kind] { return states(kind, false); }, steps_and_whole});
    if (kind.name == "lstm")
      cases.push_back({"lstm_masked_states", [kind] { return states(kind, true); }, steps_and_whole});
  }
  return cases;
}

inline std::vector<GraphCase> recurrent_cases() {
  return {
      {"stacked", stacked, by_adam},
      {"shared", shared, plain},
      {"frozen", frozen, by_adam},
      {"lstm_final_c", [] { return final_outputs({2}); }, plain},
      {"lstm_sequence_unused",
       [] {
         return final_outputs({1, 2}, true);
       },
       plain},
      {"masked_backwards", masked_backwards, steps_and_last},
      {"lstm_regularized", regularized, plain},
      {"lstm_constrained", constrained<LSTM>, plain},
      {"gru_constrained", constrained<GRU>, plain},
  };
}

inline std::vector<GraphCase> bidirectional_cases() {
  std::vector<GraphCase> cases = {
      {"bidirectional_gru", bidirectional_gru, by_adam},
      {"bidirectional_states",
       [] {
         return bidirectional_states<LSTM>({0, 1, 1, 0}, false);
       },
       steps_and_whole},
      {"bidirectional_masked_states",
       [] {
         return bidirectional_states<GRU>({0, 1}, true);
       },
       steps_and_whole},
      {"bidirectional_own", bidirectional_own, plain},
      {"bidirectional_none", bidirectional_none, steps_and_last},
  };
  for (const std::string mode : {"concat", "sum", "mul", "ave"})
    cases.push_back({"bidirectional_" + mode, [mode] { return bidirectional(mode); }, steps_and_whole});
  return cases;
}

inline std::vector<GraphCase> embedding_cases() {
  const CompileOptions labels_by_adam = {.optimizer = adam, .loss = sparse, .metrics = "accuracy"};
  return {
      {"embedding", embedded, {.optimizer = adam, .loss = binary, .metrics = "accuracy"}, 0.2},
      {"embedding_weighted", embedded, twice_counted(binary)},
      {"embedding_mean", embedded_mean, {.optimizer = sgd, .loss = binary, .metrics = "accuracy"}},
      {"labelled", labelled, twice_counted(sparse), 0.2},
      {"labelled_empty_batch", labelled, labels_by_adam},
      {"labelled_and_whole",
       labelled_and_whole,
       {.optimizer = sgd,
        .loss = {{"steps", binary}, {"whole", binary}},
        .metrics = {{"steps", {"accuracy", "mae"}}, {"whole", "accuracy"}},
        .loss_weights = {{"steps", 0.5}, {"whole", 2}}}},
      {"encoder_decoder", encoder_decoder, labels_by_adam, 0.2},
  };
}

inline std::vector<GraphCase> mask_cases() {
  return {
      {"mask_add", [] { return merged<Add>(true); }, plain},
      {"mask_add_one", [] { return merged<Add>(false); }, plain},
      {"mask_concatenate", [] { return merged<Concatenate>(true); }, plain},
      {"mask_subtract", [] { return merged<Subtract>(true); }, plain},
      {"mask_average", [] { return merged<Average>(true); }, plain},
      {"mask_multiply", [] { return merged<Multiply>(true); }, plain},
      {"mask_multiply_one", [] { return merged<Multiply>(false); }, plain},
      {"mask_multiply_three", [] { return merged_three<Multiply>(true); }, plain},
      {"mask_maximum", [] { return merged<Maximum>(true); }, plain},
      {"mask_maximum_one", [] { return merged<Maximum>(false); }, plain},
      {"mask_maximum_three", [] { return merged_three<Maximum>(true); }, plain},
      {"mask_minimum", [] { return merged<Minimum>(true); }, plain},
      {"mask_minimum_two_of_three", [] { return merged_three<Minimum>(false); }, plain},
      {"mask_batch_norm", [] { return normalized({}); }, steps_and_last},
      {"mask_batch_norm_plain", [] { return normalized({.center = false, .scale = false}); }, steps_and_last},
      {"mask_batch_norm_frozen", [] { return normalized({.trainable = false}); }, steps_and_last},
      {"mask_batch_norm_empty_batch",
       [] { return normalized_words(5); },
       {.optimizer = adam, .loss = sparse, .metrics = "accuracy"}},
      {"mask_batch_norm_one_step", [] { return normalized_words(1); }, {.optimizer = sgd, .loss = sparse}},
      {"mask_kept", kept_mask, {.optimizer = sgd, .loss = "mse", .metrics = "mae"}},
      {"mask_flatten", flattened, plain},
      {"mask_reshape", reshaped, plain},
      {"distributed_dense", distributed_dense, plain},
      {"distributed_windows", distributed_windows, plain},
      {"distributed_model", distributed_model, by_adam},
  };
}

}  // namespace recurrence

inline std::vector<GraphCase> sequence_cases() {
  using namespace recurrence;
  std::vector<GraphCase> cases;
  for (const auto& part :
       {cases_of_kinds(), recurrent_cases(), bidirectional_cases(), embedding_cases(), mask_cases()})
    cases.insert(cases.end(), part.begin(), part.end());
  for (const GraphCase& one : attention_cases()) cases.push_back(one);
  return cases;
}

}  // namespace glia::test
