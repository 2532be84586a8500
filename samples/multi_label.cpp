// Says in which of three overlapping discs a point lies: several right answers at once, so several sigmoid outputs,
// each with a binary cross-entropy of its own.
// SPDX-License-Identifier: Apache-2.0
#include "common.h"

#include <glia/glia.h>

#include <array>
#include <cmath>
#include <cstdint>
#include <iomanip>
#include <random>

namespace {

struct Disc {
  const char* name;
  double x, y, radius;
};
constexpr std::array<Disc, 3> discs{
    {{"left", -0.3, -0.2, 0.6}, {"right", 0.3, -0.2, 0.6}, {"top", 0, 0.4, 0.5}}};

/// Points of the square from -1 to 1, (rows, 2), and for each disc 1 inside and 0 outside, (rows, 3).
glia::Dataset generate(std::int64_t rows, std::uint64_t seed) {
  glia::Dataset data(glia::Tensor::zeros({rows, 2}), glia::Tensor::zeros({rows, discs.size()}));
  std::mt19937_64 random(seed);
  std::uniform_real_distribution<double> uniform(-1, 1);
  for (std::int64_t i = 0; i < rows; ++i) {
    const double x = uniform(random), y = uniform(random);
    data.x.set({i, 0}, x);
    data.x.set({i, 1}, y);
    for (std::int64_t j = 0; const Disc& disc : discs)
      data.y.set({i, j++}, std::hypot(x - disc.x, y - disc.y) < disc.radius ? 1 : 0);
  }
  return data;
}

void learn(const samples::Options& options, int epochs) {
  const auto [train, test] =
      glia::train_test_split(generate(4000, options.seed), {.test_size = 0.25, .random_state = options.seed});
  const glia::Context context({.device = options.device});

  std::vector<glia::MetricName> metrics{"binary_accuracy"};
  for (int j = 0; const Disc& disc : discs) {
    metrics.push_back({std::string("precision_") + disc.name, glia::Precision{.class_id = j}});
    metrics.push_back({std::string("recall_") + disc.name, glia::Recall{.class_id = j++}});
  }
  glia::Sequential model{glia::Dense(32, "relu", {.input_dim = 2}), glia::Dense(32, "relu"),
                         glia::Dense(discs.size(), "sigmoid")};
  model.set_seed(options.seed);
  model.compile({.optimizer = glia::Adam{.learning_rate = 0.01},
                 .loss = "binary_crossentropy",
                 .metrics = metrics,
                 .context = context});
  model.fit(train, {.epochs = epochs, .verbose = 0});
  const glia::Logs score = model.evaluate(test, {.verbose = 0});

  // Every label right at once is less likely than each for itself.
  const glia::Tensor labels = model(test.x) > 0.5;  // (rows, 3)
  const double all_right = ((labels == test.y).min(1) == 1).mean();
  std::cout << std::fixed << std::setprecision(4) << "Test: loss " << score["loss"] << ", binary accuracy "
            << score["binary_accuracy"] << ", all labels right " << all_right << "\n\n"
            << "Label  Share of points  Precision  Recall\n";
  for (int j = 0; const Disc& disc : discs)
    std::cout << std::left << std::setw(5) << disc.name << std::right << std::setw(17)
              << test.y.column(j++).mean() << std::setw(11) << score[std::string("precision_") + disc.name]
              << std::setw(8) << score[std::string("recall_") + disc.name] << '\n';

  const glia::Tensor points{{0, 0}, {-0.7, -0.3}, {0, 0.8}, {0.9, 0.9}};
  const glia::Tensor probabilities = model(points);
  std::cout << "\n     Point  P(left)  P(right)  P(top)\n";
  for (std::int64_t i = 0; i < points.rows(); ++i)
    std::cout << std::setprecision(1) << std::setw(5) << points(i, 0) << std::setw(5) << points(i, 1)
              << std::setprecision(2) << std::setw(9) << probabilities(i, 0) << std::setw(10)
              << probabilities(i, 1) << std::setw(8) << probabilities(i, 2) << '\n';
}

}  // namespace

int main(int argc, char** argv) {
  samples::Options options;
  int epochs = 30;
  CLI::App app("Learns several labels at once.");
  samples::add_options(app, options);
  samples::add_epochs_option(app, epochs, "Passes over the training data");
  return samples::run(app, argc, argv, [&] { learn(options, epochs); });
}
