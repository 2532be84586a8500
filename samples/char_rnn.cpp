// Learns a text character by character, and writes on in its manner: a model of all steps of a window to train,
// and the same layers as a model of one step, which is given the states that the step before left, to write. Any
// text will do: char_rnn --text letters.txt --epochs 20 --temperature 0.8
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>

#include <CLI/CLI.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iomanip>
#include <iostream>
#include <iterator>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "common.h"

namespace {

const std::string file = "harbour.txt";
const std::string source = "a text that is there for this sample, and any other will do";

struct Options : samples::Options {
  int epochs = 25;
  int units = 128;
  std::int64_t length = 64;
  std::int64_t write = 500;
  double temperature = 0.5;
  std::string prompt;
};

/// A text as numbers, of which the last tenth is not for training.
struct Text {
  glia::StringLookup vocabulary{{.num_oov_indices = 0}};
  glia::Tensor codes;      // int32 (characters,)
  std::int64_t train = 0;  // how many of them
};

std::vector<std::string> characters(const std::string& text) {
  return glia::TextVectorization({.standardize = "none", .split = "character"}).tokens(text);
}

Text read_text(const std::string& path, std::int64_t length) {
  std::ifstream in(path, std::ios::binary);
  GLIA_CHECK(in && !std::filesystem::is_directory(path), glia::FileError, "cannot read ", path,
             ", expected a text file: check the path and the permissions");
  const std::string whole{std::istreambuf_iterator<char>(in), {}};
  const std::vector<std::string> all = characters(whole);
  Text text;
  const auto count = static_cast<std::int64_t>(all.size());
  text.train = count - count / 10;
  GLIA_CHECK(count >= 10 && text.train > length, glia::FileError, path, " has ", count,
             " characters, expected ", std::max<std::int64_t>(10, length * 10 / 9 + 2),
             " or more: choose another text, or a smaller --length");
  text.vocabulary.adapt(all);
  text.codes = text.vocabulary(all);
  return text;
}

/// What both models are made of.
struct Layers {
  glia::Embedding embedding;
  glia::LSTM lstm;
  glia::Dense next;
};

Layers make_layers(const Text& text, int units) {
  const auto size = static_cast<int>(text.vocabulary.vocabulary_size());
  return {glia::Embedding(size, 32), glia::LSTM(units, {.return_sequences = true, .return_state = true}),
          glia::Dense(size, "softmax")};
}

/// Of each step of a window, from zero states on, which character comes next.
glia::Model over_windows(const Layers& layers, std::int64_t length) {
  glia::Symbol window = glia::Input({length}, "window");
  glia::Symbol states = layers.lstm.apply(layers.embedding(window))[0];
  return glia::Model({window}, {layers.next(glia::Dropout(0.2)(states))});
}

/// Which character comes after one, and the states after it.
glia::Model of_one_step(const Layers& layers, int units) {
  glia::Symbol character = glia::Input({1}, "character"), h = glia::Input({units}, "h"),
               c = glia::Input({units}, "c");
  const std::vector<glia::Symbol> after = layers.lstm.apply({layers.embedding(character), h, c});
  return glia::Model({character, h, c}, {layers.next(after[0]), after[1], after[2]});
}

/// Reads character after character, and keeps what the LSTM remembers of them.
class Reader {
 public:
  Reader(glia::Model& step, int units)
      : step_(step), h_(glia::Tensor::zeros({1, units})), c_(glia::Tensor::zeros({1, units})) {}

  /// The probability of each character to come next.
  std::vector<double> read(std::int32_t code) {
    const glia::Tensor character(std::vector<std::int32_t>{code}, {1, 1});
    glia::NamedTensors after = step_.predict_all({character, h_, c_}, {.verbose = 0});
    h_ = std::move(after[1].tensor);
    c_ = std::move(after[2].tensor);
    return after[0].tensor.values();
  }
  std::vector<double> read(const glia::Tensor& codes) {
    std::vector<double> next;
    for (std::int64_t i = 0; i < codes.rows(); ++i) next = read(static_cast<std::int32_t>(codes(i)));
    return next;
  }

 private:
  glia::Model& step_;
  glia::Tensor h_, c_;
};

void train(glia::Model& model, const Text& text, const Options& options) {
  // One character more than a window: the first `length` are the input, the last `length` what comes next.
  const glia::Tensor windows =
      glia::timeseries_dataset_from_array(text.codes.rows(0, text.train), {},
                                          {.sequence_length = options.length + 1,
                                           .sequence_stride = std::max<std::int64_t>(1, options.length / 2)})
          .all()
          .x;
  model.summary();
  std::cout << windows.rows() << " windows of " << options.length << " characters\n";
  model.fit(windows.columns(0, options.length), windows.columns(1, options.length + 1),
            {.epochs = options.epochs, .batch_size = 16, .verbose = 2});
}

/// A temperature below 1 makes what is likely likelier; 0 takes the likeliest.
std::int32_t draw(const std::vector<double>& probabilities, double temperature, std::mt19937_64& random) {
  const auto likeliest = std::max_element(probabilities.begin(), probabilities.end());
  if (temperature == 0) return static_cast<std::int32_t>(likeliest - probabilities.begin());
  std::vector<double> weights;
  for (double p : probabilities) weights.push_back(std::pow(p / *likeliest, 1 / temperature));
  return std::discrete_distribution<std::int32_t>(weights.begin(), weights.end())(random);
}

void write(glia::Model& step, const Text& text, const glia::Tensor& prompt, const Options& options) {
  const auto print = [&](const glia::Tensor& codes) {
    for (const std::string& character : text.vocabulary.inverse(codes)) std::cout << character;
  };
  std::cout << "\nBegun with: ";
  print(prompt);
  std::cout << "\nGone on at temperature " << options.temperature << ":\n";
  Reader reader(step, options.units);
  std::mt19937_64 random(options.seed);
  std::vector<double> next = reader.read(prompt);
  for (std::int64_t i = 0; i < options.write; ++i) {
    const std::int32_t code = draw(next, options.temperature, random);
    print(glia::Tensor(std::vector<std::int32_t>{code}));
    next = reader.read(code);
  }
  std::cout << "\n\n";
}

/// The mean of -log2 of the probability that each character of the last tenth was given before it was read.
double bits(glia::Model& step, const Text& text, const Options& options) {
  Reader reader(step, options.units);
  std::vector<double> next = reader.read(text.codes.rows(text.train - options.length, text.train));
  double sum = 0;
  for (std::int64_t i = text.train; i < text.codes.rows(); ++i) {
    const auto code = static_cast<std::int32_t>(text.codes(i));
    sum -= std::log2(std::max(next[static_cast<std::size_t>(code)], 1e-12));
    next = reader.read(code);
  }
  return sum / static_cast<double>(text.codes.rows() - text.train);
}

/// The same by how frequent each character is in the training part: the entropy of single characters.
double bits_of_frequencies(const Text& text) {
  const std::int64_t size = text.vocabulary.vocabulary_size();
  const glia::Tensor counts = text.codes.rows(0, text.train).bincount(size) + 1;  // none is impossible
  double sum = 0;
  for (std::int64_t i = text.train; i < text.codes.rows(); ++i)
    sum -= std::log2(counts(static_cast<std::int64_t>(text.codes(i))) / counts.sum());
  return sum / static_cast<double>(text.codes.rows() - text.train);
}

void run(const Options& options) {
  const Text text = read_text(samples::find_data(options.data, file, source), options.length);
  std::cout << text.codes.rows() << " characters, " << text.vocabulary.vocabulary_size()
            << " of them different; " << text.train << " to train\n";
  const glia::Tensor prompt = options.prompt.empty()
                                  ? text.codes.rows(text.train - options.length, text.train)
                                  : text.vocabulary(characters(options.prompt));
  const Layers layers = make_layers(text, options.units);
  glia::Model model = over_windows(layers, options.length), step = of_one_step(layers, options.units);
  model.set_seed(options.seed);
  model.compile({.optimizer = glia::Adam{.learning_rate = 0.004},
                 .loss = "sparse_categorical_crossentropy",
                 .metrics = "accuracy",
                 .device = options.device});
  train(model, text, options);
  write(step, text, prompt, options);
  std::cout << std::fixed << std::setprecision(3)
            << "Bits per character of the last tenth: " << bits(step, text, options)
            << "; by the frequencies of single characters " << bits_of_frequencies(text) << '\n';
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("Learns a text character by character, and writes on in its manner.");
  samples::add_options(app, options);
  app.add_option("--text,--data", options.data, "Text to learn; default: " + file + ", in the usual places");
  samples::add_epochs_option(app, options.epochs, "Passes over the text");
  app.add_option("--units", options.units, "Of the LSTM")->check(CLI::PositiveNumber);
  app.add_option("--length", options.length, "Characters in a window")->check(CLI::PositiveNumber);
  app.add_option("--write", options.write, "Characters to write")->check(CLI::NonNegativeNumber);
  app.add_option("--temperature", options.temperature,
                 "How bold it writes: 1 as probable as it thinks, 0 always the likeliest")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--prompt", options.prompt, "What to go on from; default: where the training text ends");
  return samples::run(app, argc, argv, [&] { run(options); });
}
