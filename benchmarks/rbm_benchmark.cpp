// An epoch of a restricted Boltzmann machine with persistent chains, as scikit-learn's BernoulliRBM trains it: compare_rbm.py puts
// the two beside each other.
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>

#include <benchmark/benchmark.h>

#include <cstdint>

#include "benchmarks/random_bytes.h"

namespace {

void epoch(benchmark::State& state) {
  const std::int64_t rows = state.range(0), visible = state.range(1), hidden = state.range(2),
                     batch = state.range(3);
  const glia::Tensor x(random_bytes(rows * visible, 2, 1), {rows, visible});
  glia::Rbm rbm(visible, hidden,
                {.persistent_chains = batch,
                 .optimizer = glia::SGD{.learning_rate = 0.05},
                 .context = glia::Context({.device = "cpu", .threads = static_cast<int>(state.range(4))})});
  const glia::FitOptions options{.batch_size = batch, .verbose = 0, .shuffle = false};
  rbm.fit(x, options);  // builds
  for (auto _ : state) rbm.fit(x, options);
  state.SetItemsProcessed(state.iterations() * rows);
}

/// The size of scikit-learn's digits with its default of units and batches, and images of MNIST's size.
BENCHMARK(epoch)
    ->ArgNames({"rows", "visible", "hidden", "batch", "threads"})
    ->ArgsProduct({{1797}, {64}, {256}, {10}, {1, 2}})
    ->ArgsProduct({{10'000}, {784}, {256}, {100}, {1, 2}})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

}  // namespace
