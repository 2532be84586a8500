// A small Transformer (Vaswani et al. 2017) of Glia's layers, twice: one that sorts numbers by saying one after another, each
// seen by those behind it alone (a decoder), and one that tells praise from complaint (an encoder).
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>

#include <CLI/CLI.hpp>

#include <algorithm>
#include <cstdint>
#include <iomanip>
#include <iostream>
#include <random>
#include <vector>

#include "common.h"
#include "sentences.h"

namespace {

struct Options : samples::Options {
  int epochs = 8;
  std::int64_t lists = 20000;
  std::int64_t numbers = 6;
};

constexpr int width = 32, heads = 4, blocks = 2, greatest = 16;
constexpr float start = greatest;  // the token between a list and what is to come of it

/// Attention of x to itself and a layer for each step, each added to what went in, and normalised.
glia::Symbol block(const glia::Symbol& x, bool is_decoder) {
  const glia::MultiHeadAttention attention(heads, width / heads, {.use_causal_mask = is_decoder});
  const glia::Symbol y = glia::LayerNormalization()(x + attention({x, x}));
  const glia::Symbol z = glia::Dense(width)(glia::Dense(4 * width, "relu")(y));
  return glia::LayerNormalization()(y + z);
}

glia::Symbol transform(const glia::Symbol& tokens, int vocabulary, bool is_decoder) {
  const glia::Symbol words = glia::Embedding(vocabulary, width, {.mask_zero = !is_decoder})(tokens);
  const auto steps = static_cast<int>(tokens.shape()[0]);
  glia::Symbol x = words + glia::PositionEmbedding(steps)(words);
  for (int i = 0; i < blocks; ++i) x = block(x, is_decoder);
  return x;
}

/// Lists of numbers with what a sorter is to read and to say: the list, `start`, and the sorted numbers but for the last; all
/// of these.
struct Lists {
  glia::Tensor x, y;
};

Lists random_lists(std::int64_t count, std::int64_t numbers, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<float> x, y;
  for (std::int64_t row = 0; row < count; ++row) {
    std::vector<float> list;
    for (std::int64_t i = 0; i < numbers; ++i) list.push_back(static_cast<float>(random() % greatest));
    x.insert(x.end(), list.begin(), list.end());
    std::sort(list.begin(), list.end());
    x.push_back(start);
    x.insert(x.end(), list.begin(), list.end() - 1);
    y.insert(y.end(), list.begin(), list.end());
  }
  return {glia::Tensor(x, {count, 2 * numbers}), glia::Tensor(y, {count, numbers})};
}

/// The share of lists that it sorts without a mistake, saying one number after another.
double share_sorted(glia::Model& model, const Lists& lists, std::int64_t numbers) {
  glia::Tensor said = lists.x.clone();
  const std::int64_t rows = said.rows();
  std::vector<bool> right(static_cast<std::size_t>(rows), true);
  for (std::int64_t i = 0; i < numbers; ++i) {
    const glia::Tensor probabilities = model.predict(said, {.batch_size = 256, .verbose = 0});
    const glia::Tensor answers =
        probabilities.reshape({rows * numbers, greatest}).argmax(1).reshape({rows, numbers});
    for (std::int64_t row = 0; row < rows; ++row) {
      const auto answer = static_cast<float>(static_cast<double>(answers(row, i)));
      if (static_cast<double>(lists.y(row, i)) != answer) right[static_cast<std::size_t>(row)] = false;
      if (i + 1 < numbers) said.data<float>()[row * 2 * numbers + numbers + 1 + i] = answer;
    }
  }
  return static_cast<double>(std::count(right.begin(), right.end(), true)) / static_cast<double>(rows);
}

double sort_numbers(const Options& options) {
  const std::int64_t n = options.numbers;
  const glia::Symbol tokens = glia::Input({2 * n});
  const glia::Symbol said = glia::slice(transform(tokens, greatest + 1, true), 1, n, n);
  glia::Model model({tokens}, {glia::Dense(greatest, "softmax")(said)});
  model.set_seed(options.seed);
  model.compile({.optimizer = glia::Adam{.learning_rate = 0.002},
                 .loss = "sparse_categorical_crossentropy",
                 .metrics = "accuracy",
                 .device = options.device});
  model.summary();
  const Lists train = random_lists(options.lists, n, options.seed),
              test = random_lists(500, n, options.seed + 1);
  model.fit(train.x, train.y, {.epochs = options.epochs, .batch_size = 64, .verbose = 2});
  return share_sorted(model, test, n);
}

double tell_praise(const Options& options) {
  const auto [texts, praises] = samples::generate_sentences(3000, options.seed);
  glia::TextVectorization vectorize({.output_sequence_length = 16});
  vectorize.adapt(texts);
  const glia::Split data = glia::train_test_split(vectorize(texts), glia::Tensor(praises),
                                                  {.test_size = 0.2, .random_state = options.seed});
  const glia::Symbol words = glia::Input({16});
  const glia::Symbol x = transform(words, static_cast<int>(vectorize.vocabulary_size()), false);
  glia::Model model({words}, {glia::Dense(1, "sigmoid")(glia::GlobalAveragePooling1D()(x))});
  model.set_seed(options.seed);
  model.compile({.optimizer = glia::Adam{.learning_rate = 0.002},
                 .loss = "binary_crossentropy",
                 .metrics = "accuracy",
                 .device = options.device});
  model.fit(data.x_train, data.y_train, {.epochs = options.epochs, .verbose = 2});
  return model.evaluate(data.x_test, data.y_test, {.verbose = 0})["accuracy"];
}

void run(const Options& options) {
  std::cout << "Sorting " << options.numbers << " numbers from 0 to " << greatest - 1 << '\n';
  const double sorted = sort_numbers(options);
  std::cout << "\nPraise and complaint\n";
  const double told = tell_praise(options);
  std::cout << std::fixed << std::setprecision(3) << "\nLists sorted without a mistake: " << sorted
            << ", test accuracy on sentences: " << told << '\n';
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("A Transformer that sorts numbers, and one that reads sentences.");
  samples::add_options(app, options);
  samples::add_epochs_option(app, options.epochs, "Passes over the training data");
  app.add_option("--lists", options.lists, "Lists of numbers to learn from")->check(CLI::Range(100, 1000000));
  app.add_option("--numbers", options.numbers, "In a list")->check(CLI::Range(2, 16));
  return samples::run(app, argc, argv, [&] { run(options); });
}
