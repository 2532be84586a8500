// Tells whether a sentence praises or complains, where the order of words counts: "good, not bad" has those of
// "bad, not good". An LSTM that reads both ways, beside a bag of words. Sentences of your own are arguments:
// sentiment "the soup was not bad at all" "nobody would call the film boring"
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>

#include <CLI/CLI.hpp>

#include <cstddef>
#include <cstdint>
#include <iomanip>
#include <iostream>
#include <string>
#include <vector>

#include "common.h"
#include "sentences.h"

namespace {

struct Options : samples::Options {
  int epochs = 8;
  std::int64_t sentences = 3000;
  std::vector<std::string> own = {"The soup was good.",
                                  "The soup was not good at all.",
                                  "The soup was not bad at all.",
                                  "I was told that the hotel was awful, but it was lovely.",
                                  "I was told that the hotel was lovely, but it was awful.",
                                  "Nobody would call the service brilliant."};
};

glia::Sequential reader(int vocabulary) {
  return {glia::Embedding(vocabulary, 16, {.mask_zero = true}), glia::Bidirectional(glia::LSTM(16)),
          glia::Dense(1, "sigmoid")};
}

/// The mean of its words' vectors is all that it has of a sentence.
glia::Sequential bag_of_words(int vocabulary) {
  return {glia::Embedding(vocabulary, 16, {.mask_zero = true}), glia::GlobalAveragePooling1D(),
          glia::Dense(1, "sigmoid")};
}

/// The accuracy on the test sentences, after a training on the others.
double learn(glia::Sequential& model, const glia::Split& data, const Options& options) {
  model.set_seed(options.seed);
  model.compile({.optimizer = glia::Adam{.learning_rate = 0.005},
                 .loss = "binary_crossentropy",
                 .metrics = "accuracy",
                 .device = options.device});
  model.fit(data.x_train, data.y_train, {.epochs = options.epochs, .verbose = 2});
  return model.evaluate(data.x_test, data.y_test, {.verbose = 0})["accuracy"];
}

void classify(glia::Sequential& model, const glia::TextVectorization& vectorize,
              const std::vector<std::string>& texts) {
  const glia::Tensor codes = vectorize(texts);
  const glia::Tensor probabilities = model(codes);
  std::cout << "\nPraise  Sentence\n" << std::fixed << std::setprecision(3);
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const auto row = static_cast<std::int64_t>(i);
    const double unknown = (codes.row(row) == 1).sum();
    std::cout << std::setw(6) << probabilities(row, 0) << "  " << texts[i];
    if (unknown > 0) std::cout << "  (" << std::setprecision(0) << unknown << " unknown)";
    std::cout << std::setprecision(3) << '\n';
  }
}

void run(const Options& options) {
  const auto [texts, praises] = samples::generate_sentences(options.sentences, options.seed);
  glia::TextVectorization vectorize({.output_sequence_length = 16});
  vectorize.adapt(texts);
  const auto vocabulary = static_cast<int>(vectorize.vocabulary_size());
  const glia::Split data = glia::train_test_split(vectorize(texts), glia::Tensor(praises),
                                                  {.test_size = 0.2, .random_state = options.seed});
  std::cout << data.x_train.rows() << " sentences to train, " << data.x_test.rows() << " to test, "
            << vocabulary << " words\n";

  std::cout << "\nBag of words\n";
  glia::Sequential bag = bag_of_words(vocabulary);
  const double of_bag = learn(bag, data, options);
  std::cout << "\nLSTM, both ways\n";
  glia::Sequential model = reader(vocabulary);
  const double of_model = learn(model, data, options);
  model.summary();
  classify(model, vectorize, options.own);
  std::cout << "\nTest accuracy: LSTM " << of_model << ", bag of words " << of_bag << '\n';
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("Tells praise from complaint in sentences where the order of words counts.");
  samples::add_options(app, options);
  samples::add_epochs_option(app, options.epochs, "Passes over the training sentences");
  app.add_option("--sentences", options.sentences, "To train and test with, of those that are generated")
      ->check(CLI::Range(10, 5000));
  app.add_option("sentence", options.own, "Sentences to classify");
  return samples::run(app, argc, argv, [&] { run(options); });
}
