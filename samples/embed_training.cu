// Training inside an application: a simulation whose law drifts makes rows on the device with Thrust, and an online learner follows
// it there, step by step. Nothing is copied but the loss that is shown. Compiled by nvcc it computes on a GPU, by g++, where
// Thrust's device is the host, on the CPU.
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>
#include <glia/thrust.h>

#include <thrust/device_vector.h>
#include <thrust/execution_policy.h>
#include <thrust/iterator/counting_iterator.h>
#include <thrust/tabulate.h>
#include <thrust/transform.h>

#include <CLI/CLI.hpp>

#include <cmath>
#include <cstdint>
#include <iomanip>
#include <iostream>
#include <optional>
#include <stdexcept>

#include "common.h"

#if defined(__CUDACC__)
#define SAMPLE_HD __host__ __device__
#else
#define SAMPLE_HD
#endif

namespace {

/// The stream of the application: on the CPU there is none.
class ApplicationStream {
 public:
#if defined(__CUDACC__)
  ApplicationStream() { check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking)); }
  ~ApplicationStream() { cudaStreamDestroy(stream_); }
  std::optional<void*> get() const { return stream_; }
  /// Enqueues, and does not wait.
  auto policy() const { return thrust::cuda::par_nosync.on(stream_); }
  static constexpr const char* device = "cuda";

 private:
  static void check(cudaError_t error) {
    if (error != cudaSuccess) throw std::runtime_error(cudaGetErrorString(error));
  }
  cudaStream_t stream_ = nullptr;
#else
  std::optional<void*> get() const { return {}; }
  auto policy() const { return thrust::device; }
  static constexpr const char* device = "cpu";
#endif
};

/// Two numbers a row, from -1 to 1, other ones at each tick.
struct MakeInput {
  std::int64_t tick;
  SAMPLE_HD float operator()(std::int64_t i) const {
    auto hash = static_cast<std::uint32_t>(i + 7919 * tick) * 2654435761u;
    hash = (hash ^ (hash >> 15)) * 2246822519u;
    return static_cast<float>((hash ^ (hash >> 13)) >> 8) / (1 << 23) - 1;
  }
};

/// What the simulated system answers: its law turns slowly.
struct Observe {
  const float* x;
  std::int64_t tick;
  SAMPLE_HD float operator()(std::int64_t row) const {
    const float angle = 0.001f * static_cast<float>(tick);
    return sinf(3 * (cosf(angle) * x[2 * row] + sinf(angle) * x[2 * row + 1]));
  }
};

void run(std::int64_t ticks, std::int64_t rows, std::uint64_t seed) {
  const ApplicationStream stream;
  glia::Sequential model{glia::Input({2}), glia::Dense(32, "tanh"), glia::Dense(32, "tanh"), glia::Dense(1)};
  model.set_seed(seed);
  model.compile({.optimizer = glia::Adam{.learning_rate = 0.005},
                 .loss = "mse",
                 .context = glia::Context({.device = ApplicationStream::device, .stream = stream.get()})});
  glia::Learner learner = model.learner();

  thrust::device_vector<float> x(static_cast<std::size_t>(2 * rows)), y(static_cast<std::size_t>(rows));
  const glia::TensorView inputs = glia::as_view(x, {rows, 2}), targets = glia::as_view(y, {rows, 1});
  const std::int64_t shown = std::max<std::int64_t>(ticks / 5, 1);
  std::cout << std::fixed << std::setprecision(4);
  for (std::int64_t tick = 1; tick <= ticks; ++tick) {
    glia::InterruptGuard::check("training");
    thrust::tabulate(stream.policy(), x.begin(), x.end(), MakeInput{tick});
    thrust::transform(stream.policy(), thrust::counting_iterator<std::int64_t>(0),
                      thrust::counting_iterator<std::int64_t>(rows), y.begin(),
                      Observe{thrust::raw_pointer_cast(x.data()), tick});
    learner.enqueue_train(inputs, targets);
    if (tick % shown == 0) {
      learner.enqueue_logs();
      std::cout << "tick " << std::setw(6) << tick << "  mean loss since the last " << learner.logs()["loss"]
                << '\n';
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  samples::Options options;
  std::int64_t ticks = 2000, rows = 64;
  CLI::App app("Learns online from a simulation that runs on the same device.");
  app.option_defaults()->always_capture_default();
  app.add_option("--ticks", ticks)->check(CLI::Range(1, 100'000'000));
  app.add_option("--rows", rows, "That the simulation makes at each tick")->check(CLI::Range(1, 1'000'000));
  app.add_option("--seed", options.seed)->check(CLI::NonNegativeNumber);
  return samples::run(app, argc, argv, [&] { run(ticks, rows, options.seed); });
}
