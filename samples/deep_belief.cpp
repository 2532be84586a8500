// A deep belief network learns Fashion-MNIST's images without their labels, and then needs fewer of them: a table of what
// fine-tuning reaches from 500, 2000 and all labels, with and without it. Another learns labels, too, and dreams images of each class.
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>

#include <CLI/CLI.hpp>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <iomanip>
#include <iostream>
#include <string>
#include <vector>

#include "common.h"
#include "fashion_mnist_options.h"

namespace {

constexpr std::int64_t pixels = 28 * 28, classes = 10;

struct Options : samples::FashionMnistOptions {
  std::int64_t hidden = 256;
  int fine_epochs = 10;
  std::int64_t steps = 1000;
  std::string out = ".";
};

glia::RbmOptions machines(const Options& options) {
  return {.optimizer = glia::SGD{.learning_rate = 0.05, .momentum = 0.5},
          .weight_decay = 0.0002,
          .seed = options.seed,
          .device = options.device};
}

void draw(const glia::Tensor& images, const std::filesystem::path& path, int columns,
          const std::string& title) {
  std::vector<std::int64_t> all;
  for (std::int64_t i = 0; i < images.rows(); ++i) all.push_back(i);
  glia::plot_images(images, glia::Tensor{}, path.string(),
                    {.indices = all, .columns = columns, .title = title});
  std::cout << path.string() << ": " << images.rows() << " pictures\n";
}

/// What a hidden unit of the first machine looks for is a column of its kernel.
void draw_filters(glia::DeepBelief& dbn, const std::filesystem::path& path) {
  const glia::Tensor filters = dbn.rbm(0).get_weights()[0].transpose();
  const std::int64_t shown = std::min<std::int64_t>(filters.rows(), 32);
  draw(filters.rows(0, shown).reshape({shown, 28, 28}), path, 8, "What hidden units look for");
}

/// The accuracy on the test images that training with these labels reaches.
double fine_tuned(glia::Sequential model, const glia::Dataset& train, const glia::Dataset& test,
                  const Options& options) {
  model.compile({.optimizer = "adam",
                 .loss = "sparse_categorical_crossentropy",
                 .metrics = "accuracy",
                 .device = options.device});
  // Few rows are gone over more often, but for no more than twenty times.
  const std::int64_t more = std::clamp<std::int64_t>(20'000 / train.x.rows(), 1, 20);
  model.fit(train, {.epochs = static_cast<int>(options.fine_epochs * more), .batch_size = 50, .verbose = 0});
  return model.evaluate(test, {.verbose = 0})["accuracy"];
}

glia::Sequential from_scratch(const Options& options) {
  const int hidden = static_cast<int>(options.hidden);
  glia::Sequential model{glia::Flatten({28, 28}), glia::Dense(hidden, "sigmoid"),
                         glia::Dense(hidden, "sigmoid"), glia::Dense(classes, "softmax")};
  model.set_seed(options.seed);
  return model;
}

void compare(const glia::DeepBelief& dbn, const glia::TrainTest& data, const Options& options) {
  std::cout << "\n  labels  from scratch  pretrained\n";
  std::int64_t before = 0;
  for (const std::int64_t wanted : {std::int64_t{500}, std::int64_t{2000}, data.train.x.rows()}) {
    const std::int64_t count = std::min(wanted, data.train.x.rows());
    if (count == before) continue;
    before = count;
    const glia::Dataset some{data.train.x.rows(0, count), data.train.y.rows(0, count)};
    std::cout << std::setw(8) << count << std::fixed << std::setprecision(4) << std::setw(14)
              << fine_tuned(from_scratch(options), some, data.test, options) << std::setw(12)
              << fine_tuned(dbn.to_model({.units = classes, .input_shape = {28, 28}}), some, data.test,
                            options)
              << std::endl;
  }
  std::cout << '\n';
}

/// The last machine of another stack learns features and labels together. Chains that are to go far from where they begin want to have
/// been longer in training, too, and steps that get shorter.
void dream(const glia::TrainTest& data, const Options& options) {
  const glia::FitOptions fit{.epochs = options.epochs, .batch_size = 100, .verbose = 0};
  const auto updates =
      static_cast<double>(std::max<std::int64_t>(options.epochs * data.train.x.rows() / fit.batch_size, 1));
  glia::RbmOptions rbm = machines(options);
  rbm.gibbs_steps = 5;
  rbm.optimizer = glia::SGD{.learning_rate = glia::PolynomialDecay{0.05, updates, 0}, .momentum = 0.5};
  glia::DeepBelief memory(pixels, {options.hidden, 2 * options.hidden}, {.rbm = rbm, .classes = classes});
  memory.fit(data.train.x, data.train.y, fit);
  const glia::Tensor said = memory.predict(data.test.x).argmax(1);
  std::cout << "The label that a memory of images and labels finds likeliest is right for "
            << (said == data.test.y.cast(said.dtype())).mean() << " of the test images\n";
  std::vector<glia::Tensor> dreams;
  std::vector<const glia::Tensor*> rows;
  for (std::int64_t label = 0; label < classes; ++label)
    dreams.push_back(memory.sample_class(
        label,
        {.rows = 8, .steps = options.steps, .seed = options.seed + static_cast<std::uint64_t>(label)}));
  for (const glia::Tensor& one : dreams) rows.push_back(&one);
  draw(glia::concatenate(rows).reshape({-1, 28, 28}),
       std::filesystem::path(options.out) / "deep_belief_dreams.svg", 8, "Dreams of each class, a row each");
}

void run(const Options& options) {
  const glia::TrainTest data = samples::fashion_mnist(options);
  glia::DeepBelief dbn(pixels, {options.hidden, options.hidden}, {.rbm = machines(options)});
  std::cout << "Two machines of " << options.hidden << " units learn " << data.train.x.rows()
            << " images without labels\n";
  const glia::Tensor held_out = data.test.x.rows(0, 1000);
  dbn.fit(data.train.x, {.epochs = options.epochs,
                         .batch_size = 100,
                         .verbose = 2,
                         .validation_data = glia::ValidationData(held_out, {})});
  std::cout << "Log pseudo-likelihood of images they have not seen: "
            << dbn.rbm(0).pseudo_likelihood(held_out) << '\n';
  draw_filters(dbn, std::filesystem::path(options.out) / "deep_belief_filters.svg");
  compare(dbn, data, options);
  dream(data, options);
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  options.epochs = 10;
  CLI::App app("Learns Fashion-MNIST's images without labels, then with few; dreams images of each class.");
  samples::add_fashion_mnist_options(app, options);
  app.add_option("--hidden", options.hidden, "Units of each machine")->check(CLI::Range(1, 10'000));
  app.add_option("--fine-epochs", options.fine_epochs,
                 "Passes over all labels; over few up to 20 times as many")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--steps", options.steps, "Of the chains that dream")->check(CLI::PositiveNumber);
  samples::add_out_option(app, options.out, {"deep_belief_filters.svg", "deep_belief_dreams.svg"});
  return samples::run(app, argc, argv, [&] { run(options); });
}
