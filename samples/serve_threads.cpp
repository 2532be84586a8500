// Serves one model from many threads: a Predictor each, weights shared, and new weights put in place while they serve. Tells how
// long requests took.
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>

#include <CLI/CLI.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <iomanip>
#include <iostream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "common.h"

namespace {

struct ServeOptions {
  samples::Options common;
  int threads = 4;
  std::int64_t requests = 2000;  // of each thread
  std::int64_t batch = 1;
};

using Clock = std::chrono::steady_clock;

/// Rows that are easily told apart: the class is where the largest of three sums is.
std::pair<glia::Tensor, glia::Tensor> make_rows(std::int64_t count) {
  std::vector<float> x, y;
  std::uint32_t state = 12345;
  for (std::int64_t row = 0; row < count; ++row) {
    float sums[3] = {};
    for (int i = 0; i < 24; ++i) {
      state = state * 1664525u + 1013904223u;
      x.push_back(static_cast<float>(state >> 8) / (1 << 24) - 0.5f);
      sums[i % 3] += x.back();
    }
    y.push_back(static_cast<float>(std::max_element(sums, sums + 3) - sums));
  }
  return {glia::Tensor(x, {count, 24}), glia::Tensor(y)};
}

glia::Sequential trained(const ServeOptions& options, std::uint64_t seed, const glia::Tensor& x,
                         const glia::Tensor& y) {
  glia::Sequential model{glia::Input({24}), glia::Dense(64, "relu"), glia::Dense(3, "softmax")};
  model.set_seed(seed);
  model.compile(
      {.optimizer = "adam", .loss = "sparse_categorical_crossentropy", .device = options.common.device});
  model.fit(x, y, {.epochs = 3, .verbose = 0});
  return model;
}

double percentile(const std::vector<double>& sorted, double part) {
  return sorted[static_cast<std::size_t>(part * static_cast<double>(sorted.size() - 1))];
}

void serve(const ServeOptions& options) {
  const auto [x, y] = make_rows(4096);
  glia::Sequential model = trained(options, options.common.seed, x, y);
  glia::Sequential better = trained(options, options.common.seed + 1, x, y);
  const std::vector<glia::Tensor> new_weights = better.get_weights();

  std::vector<std::vector<double>> microseconds(static_cast<std::size_t>(options.threads));
  std::atomic<std::int64_t> right{0}, refused{0};
  std::vector<std::thread> workers;
  std::vector<glia::Predictor> predictors;
  for (int t = 0; t < options.threads; ++t)
    predictors.push_back(model.predictor({.max_batch = options.batch}));
  const auto start = Clock::now();
  for (int t = 0; t < options.threads; ++t)
    workers.emplace_back([&, t] {
      glia::Predictor& predictor = predictors[static_cast<std::size_t>(t)];
      for (std::int64_t r = 0; r < options.requests && !glia::InterruptGuard::signal(); ++r) {
        const std::int64_t first = (t * 997 + r * options.batch) % (x.rows() - options.batch);
        const auto before = Clock::now();
        try {
          const glia::Tensor probabilities =
              predictor.predict(glia::TensorView(x).rows(first, first + options.batch));
          const std::chrono::duration<double, std::micro> took = Clock::now() - before;
          microseconds[static_cast<std::size_t>(t)].push_back(took.count());
          const glia::Tensor said = probabilities.argmax(1);
          for (std::int64_t i = 0; i < options.batch; ++i) right += said(i) == y(first + i);
        } catch (const glia::StateError&) {  // on the CPU, while new weights were put in place: ask again
          ++refused, --r;
        }
      }
    });
  int updates = 0;
  glia::Predictor updating = model.predictor();
  for (; updates < 3 && !glia::InterruptGuard::signal(); ++updates) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    try {
      updating.update(new_weights);
    } catch (const glia::StateError&) {  // on the CPU, while a request was being served
      --updates;
    }
  }
  for (std::thread& worker : workers) worker.join();
  glia::InterruptGuard::check("serving");
  const std::chrono::duration<double> seconds = Clock::now() - start;

  std::vector<double> all;
  for (const std::vector<double>& some : microseconds) all.insert(all.end(), some.begin(), some.end());
  std::sort(all.begin(), all.end());
  const auto rows = static_cast<double>(all.size()) * static_cast<double>(options.batch);
  std::cout << options.threads << " threads on " << model.context().device() << ", " << all.size()
            << " requests of " << options.batch << (options.batch == 1 ? " row, " : " rows, ") << updates
            << " updates\n"
            << std::fixed << std::setprecision(1);
  for (const auto& [name, part] : {std::pair{"median", 0.5}, {"90 %", 0.9}, {"99 %", 0.99}, {"slowest", 1.0}})
    std::cout << std::setw(8) << name << std::setw(10) << percentile(all, part) << " us\n";
  std::cout << std::setprecision(0) << rows / seconds.count() << " rows a second, " << std::setprecision(3)
            << static_cast<double>(right) / rows << " of them right\n";
}

}  // namespace

int main(int argc, char** argv) {
  ServeOptions options;
  CLI::App app(
      "Serves one model from many threads, with a predictor each, and tells how long requests took.");
  samples::add_options(app, options.common);
  app.add_option("--threads", options.threads)->check(CLI::Range(1, 256));
  app.add_option("--requests", options.requests, "Of each thread")->check(CLI::Range(1, 100'000'000));
  app.add_option("--batch", options.batch, "Rows of a request")->check(CLI::Range(1, 4000));
  return samples::run(app, argc, argv, [&] { serve(options); });
}
