// Inference inside an application's loop, on the CPU: it makes the input in its own memory, a Predictor reads it there and writes
// where the application wants the output. embed_inference.cu is the same on a GPU, within a captured graph.
// SPDX-License-Identifier: Apache-2.0
#include "embed_inference.h"

#include <CLI/CLI.hpp>

#include <vector>

#include "common.h"

namespace {

void run(std::int64_t points, std::int64_t ticks, std::uint64_t seed) {
  const glia::Sequential model = samples::model_of_rings("cpu", seed);
  glia::Predictor predictor = model.predictor({.max_batch = points});
  std::vector<samples::Point> x(static_cast<std::size_t>(points));
  std::vector<float> y(static_cast<std::size_t>(points * samples::rings));
  int counts[samples::rings] = {};
  std::int64_t right = 0;
  for (std::int64_t tick = 0; tick < ticks; ++tick) {
    glia::InterruptGuard::check("inference");
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = samples::point_at(static_cast<std::int64_t>(i), tick);
    predictor.enqueue(x.data(), y.data(), points);
    for (std::size_t i = 0; i < x.size(); ++i) {
      const int said = samples::best_of(&y[i * samples::rings]);
      ++counts[said];
      right += said == samples::ring_of(x[i]);
    }
  }
  samples::print_counts(counts, right, ticks, points);
}

}  // namespace

int main(int argc, char** argv) {
  samples::Options options;
  std::int64_t points = 256, ticks = 200;
  CLI::App app("Asks a model within an application's own loop, in the application's memory.");
  app.option_defaults()->always_capture_default();
  app.add_option("--points", points)->check(CLI::Range(1, 1'000'000));
  app.add_option("--ticks", ticks)->check(CLI::Range(1, 100'000'000));
  app.add_option("--seed", options.seed)->check(CLI::NonNegativeNumber);
  return samples::run(app, argc, argv, [&] { run(points, ticks, options.seed); });
}
