// Inference inside a CUDA application: a kernel of its own makes the input on its stream, a Predictor runs there, another kernel
// consumes the output, and all three are one captured graph that the application replays. Neither host nor device waits for the
// other until the end. embed_inference.cpp is the same on the CPU.
// SPDX-License-Identifier: Apache-2.0
#include "embed_inference.h"

#include <cuda_runtime.h>

#include <CLI/CLI.hpp>

#include <stdexcept>

#include "common.h"

namespace {

void check(cudaError_t error) {
  if (error != cudaSuccess) throw std::runtime_error(cudaGetErrorString(error));
}

/// What the application counts on the device.
struct Counts {
  std::int64_t tick;
  int rings[samples::rings];
  unsigned long long right;
};

__global__ void make_input(samples::Point* x, std::int64_t points, const Counts* counts) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i < points) x[i] = samples::point_at(i, counts->tick);
}

__global__ void consume_output(const samples::Point* x, const float* y, std::int64_t points, Counts* counts) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= points) return;
  const int said = samples::best_of(y + i * samples::rings);
  atomicAdd(&counts->rings[said], 1);
  if (said == samples::ring_of(x[i])) atomicAdd(&counts->right, 1ull);
}

__global__ void next_tick(Counts* counts) { ++counts->tick; }

/// An allocation, freed at the end of its scope.
template <class T>
struct DeviceArray {
  explicit DeviceArray(std::int64_t count) {
    const auto bytes = static_cast<std::size_t>(count) * sizeof(T);
    check(cudaMalloc(&data, bytes));
    check(cudaMemset(data, 0, bytes));
  }
  ~DeviceArray() { cudaFree(data); }
  DeviceArray(const DeviceArray&) = delete;
  T* data = nullptr;
};

void run(std::int64_t points, std::int64_t ticks, std::uint64_t seed) {
  const glia::Sequential model = samples::model_of_rings("cuda", seed);
  cudaStream_t stream;
  check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
  {
    glia::Predictor predictor = model.predictor({.max_batch = points, .stream = stream});
    const DeviceArray<samples::Point> x(points);
    const DeviceArray<float> y(points * samples::rings);
    const DeviceArray<Counts> counts(1);
    check(cudaDeviceSynchronize());  // what cudaMemset set is there

    const unsigned threads = 128, blocks = static_cast<unsigned>((points + threads - 1) / threads);
    cudaGraph_t graph;
    cudaGraphExec_t tick;
    check(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
    make_input<<<blocks, threads, 0, stream>>>(x.data, points, counts.data);
    predictor.enqueue(x.data, y.data, points);
    consume_output<<<blocks, threads, 0, stream>>>(x.data, y.data, points, counts.data);
    next_tick<<<1, 1, 0, stream>>>(counts.data);
    check(cudaStreamEndCapture(stream, &graph));
    check(cudaGraphInstantiate(&tick, graph, 0));
    for (std::int64_t t = 0; t < ticks; ++t) check(cudaGraphLaunch(tick, stream));

    Counts counted;
    check(cudaMemcpyAsync(&counted, counts.data, sizeof counted, cudaMemcpyDeviceToHost, stream));
    check(cudaStreamSynchronize(stream));
    samples::print_counts(counted.rings, static_cast<std::int64_t>(counted.right), ticks, points);
    check(cudaGraphExecDestroy(tick));
    check(cudaGraphDestroy(graph));
  }
  check(cudaStreamDestroy(stream));
}

}  // namespace

int main(int argc, char** argv) {
  samples::Options options;
  std::int64_t points = 256, ticks = 200;
  CLI::App app("Asks a model within a CUDA application's own graph, in the application's memory.");
  app.option_defaults()->always_capture_default();
  app.add_option("--points", points)->check(CLI::Range(1, 1'000'000));
  app.add_option("--ticks", ticks)->check(CLI::Range(1, 100'000'000));
  app.add_option("--seed", options.seed)->check(CLI::NonNegativeNumber);
  return samples::run(app, argc, argv, [&] { run(points, ticks, options.seed); });
}
