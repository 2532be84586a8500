// Keras's files in Glia's hands, for tests in Python, which give arrays in safetensors-like order: NumPy's .npz.
// SPDX-License-Identifier: Apache-2.0
//
// Usage: keras_bridge predict MODEL INPUTS.npz OUTPUTS.npz
//        keras_bridge copy MODEL OTHER.keras                 load, compiled where it was, and save
//        keras_bridge weights MODEL WEIGHTS OTHER.keras      load, then other weights, by name; print what matched
//        keras_bridge export NAME OTHER.keras INPUTS.npz OUTPUTS.npz   a model made here, saved, and what it predicts
//        keras_bridge train MODEL X.npz OTHER.keras          goes on for some steps, and saves
#include <glia/glia.h>
#include <glia/keras.h>

#include <iostream>
#include <string>
#include <vector>

namespace {

using glia::Symbol;

void predict(glia::Model& model, const std::string& from, const std::string& to) {
  const glia::NamedTensors inputs = glia::load_npz(from);
  std::vector<glia::Tensor> given;  // in order, whatever they are called
  for (const glia::NamedTensor& input : inputs) given.push_back(input.tensor.clone());
  glia::save_npz(to, glia::Tensors(model.predict_all(glia::Tensors(given), {.verbose = 0})));
}

/// Layers of Glia that Keras says otherwise, and graphs in which the order of layers matters.
glia::Model made(const std::string& name) {
  if (name == "chain") {
    glia::Sequential model{
        glia::Conv2D(4, 3, "relu", {.padding = "same", .input_shape = {8, 8, 3}}),
        glia::BatchNormalization(),
        glia::Residual({glia::Conv2D(4, 3, {.padding = "same"}), glia::BatchNormalization()}),
        glia::Residual({glia::Conv2D(6, 3, {.padding = "same"})}, {.shortcut = {glia::Conv2D(6, 1)}}),
        glia::MaxPooling2D(),
        glia::Flatten(),
        glia::Dropout(0.2),
        glia::Dense(
            5, glia::LeakyRelu{0.1},
            {.kernel_regularizer = glia::L2{0.01}, .kernel_constraint = glia::MaxNorm{.max_value = 3}}),
        glia::Dense(3, "softmax")};
    model.compile({.optimizer = glia::Adam{.learning_rate = 0.01},
                   .loss = "categorical_crossentropy",
                   .metrics = {"accuracy", "auc"},
                   .device = "cpu"});
    return model;
  }
  if (name == "formulas") {
    Symbol a = glia::Input({4}, "a"), b = glia::Input({4}, "b");
    Symbol square = glia::reshape(a, {2, 2});
    Symbol x = a / (b * b + 1.0) + glia::exp(a) - glia::log(glia::abs(b) + 1.0) +
               glia::sqrt(glia::square(a)) + glia::pow(b, 2);
    Symbol y = glia::matmul(square, glia::transpose(square, {2, 1}));
    Symbol all = glia::sum(y) + glia::mean(a, {1}, true) + glia::sum(y, {-1, 1});
    Symbol part =
        glia::slice(a, -1, 1, 2) * glia::mean(square, {1}) + glia::stop_gradient(glia::slice(b, 1, 0, 2));
    return glia::Model({a, b},
                       {glia::Dense(2, {.name = "x"})(x), glia::Dense(2, {.name = "all"})(all), part});
  }
  if (name == "sequences") {
    Symbol x = glia::Input({5, 4}, "x"), h = glia::Input({3}, "h");
    Symbol masked = glia::Masking()(x);
    const std::vector<Symbol> told =
        glia::GRU(3, {.return_sequences = true, .return_state = true}).apply({masked, h});
    Symbol both =
        glia::Bidirectional(glia::SimpleRNN(2, {.return_sequences = true}), {.merge_mode = "ave"})(told[0]);
    Symbol seen =
        glia::MultiHeadAttention(2, 3, {.use_causal_mask = true, .output_dim = 3})({both, told[0], x});
    Symbol sum = glia::Attention({.use_scale = true})({seen, told[0]});
    Symbol last = glia::LSTM(4)(glia::LayerNormalization({.axis = {1, 2}})(sum));
    glia::Model model({x, h}, {glia::Dense(2, "softmax")(glia::concatenate({last, told[1]}))});
    model.compile({.optimizer = glia::Adam{.learning_rate = 0.01},
                   .loss = "categorical_crossentropy",
                   .device = "cpu"});
    return model;
  }
  // Branches of unlike depths, shared layers, models within the model.
  Symbol a = glia::Input({6}, "a"), b = glia::Input({6}, "b");
  glia::Dense shared(6, "tanh");
  Symbol inner_in = glia::Input({6}, "inner_in");
  glia::Model inner({inner_in}, {glia::Dense(5, "relu")(glia::Dense(4)(inner_in)), glia::Dense(3)(inner_in)},
                    {.name = "inner"});
  glia::Sequential chain{glia::Dense(5, {.input_shape = {6}}), glia::LayerNormalization()};
  Symbol deep = glia::Dense(6, "relu")(shared(glia::Dense(6)(a)));
  Symbol wide = shared(b);
  const std::vector<Symbol> both = glia::Layer(inner).apply(wide);
  Symbol joined = glia::concatenate({deep, both[0], both[1], glia::Layer(chain)(deep)});
  Symbol late = glia::Dense(7)(b);
  glia::Model model({a, b}, {glia::Dense(2, "softmax", {.name = "first"})(joined),
                             glia::Dense(1, {.name = "second"})(glia::concatenate({late, wide}))});
  model.compile({.optimizer = glia::SGD{.learning_rate = 0.05, .momentum = 0.9},
                 .loss = {{"first", "categorical_crossentropy"}, {"second", glia::Huber{.delta = 2}}},
                 .metrics = {{"first", {"accuracy"}}, {"second", {"mae"}}},
                 .loss_weights = {{"second", 0.5}},
                 .device = "cpu"});
  return model;
}

int run(const std::vector<std::string>& words) {
  const std::string& what = words.at(0);
  if (what == "export") {
    glia::Model model = made(words.at(1));
    glia::keras::save(model, words.at(2));
    predict(model, words.at(3), words.at(4));
    return 0;
  }
  glia::Model model = glia::keras::load(words.at(1), {.device = glia::Device("cpu")});
  if (what == "predict") predict(model, words.at(2), words.at(3));
  if (what == "copy") glia::keras::save(model, words.at(2));
  if (what == "weights") {
    const glia::LoadedWeights report = glia::keras::load_weights(model, words.at(2));
    std::cout << report.loaded.size() << " loaded\n";
    glia::keras::save(model, words.at(3));
    glia::keras::save_weights(model, words.at(3) + ".weights.h5");
  }
  if (what == "train") {
    const glia::NamedTensors data = glia::load_npz(words.at(2));
    for (int step = 0; step < 3; ++step)
      std::cout << model.train_on_batch(data["x"], data["y"])["loss"] << '\n';
    glia::keras::save(model, words.at(3));
  }
  return 0;
}

}  // namespace

int main(int count, char** words) {
  try {
    return run({words + 1, words + count});
  } catch (const glia::Error& error) {
    std::cerr << "GliaError: " << error.what() << '\n';
  } catch (const std::exception& error) {
    std::cerr << "Other: " << error.what() << '\n';
  }
  return 1;
}
