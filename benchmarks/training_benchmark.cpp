// Training and inference of multi-layer perceptrons, a convolutional network, an LSTM and attention, through the public interface, on data
// of Fashion-MNIST's size.
// SPDX-License-Identifier: Apache-2.0
//
//     training_benchmark --benchmark_filter=train/784-128-10/batch:32
//
// Training reports samples a second (items_per_second) and time_per_step, inference the time of one predict.
#include <glia/glia.h>

#include <benchmark/benchmark.h>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <iostream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "benchmarks/random_bytes.h"

namespace {

constexpr std::int64_t training_rows = 60'000;
constexpr int classes = 10;
constexpr int pixels = 28 * 28;
using Layers = std::vector<glia::Layer> (*)();

std::vector<glia::Layer> perceptron(const std::vector<int>& hidden) {
  std::vector<glia::Layer> layers{glia::Flatten({28, 28})};
  for (int units : hidden) layers.push_back(glia::Dense(units, "relu"));
  layers.push_back(glia::Dense(classes, "softmax"));
  return layers;
}
std::vector<glia::Layer> narrow() { return perceptron({128}); }
std::vector<glia::Layer> wide() { return perceptron({512, 512}); }

std::vector<glia::Layer> cnn() {
  return {glia::Input({28, 28}),
          glia::Reshape({28, 28, 1}),
          glia::Conv2D(32, 3, {.padding = "same", .activation = "relu"}),
          glia::MaxPooling2D(),
          glia::Conv2D(64, 3, {.padding = "same", .activation = "relu"}),
          glia::MaxPooling2D(),
          glia::Flatten(),
          glia::Dense(128, "relu"),
          glia::Dense(classes, "softmax")};
}

/// Images row by row.
std::vector<glia::Layer> lstm() {
  return {glia::LSTM(128, {.input_shape = {28, 28}}), glia::Dense(classes, "softmax")};
}

/// Images with a border of 2, as 64 positions 128 wide, attention of 4 heads to themselves, and the mean.
std::vector<glia::Layer> attention() {
  const glia::Symbol x = glia::Input({64, 128});
  const glia::Symbol y = glia::LayerNormalization()(x + glia::MultiHeadAttention(4, 32)({x, x}));
  return {glia::Input({28, 28}),
          glia::Reshape({28, 28, 1}),
          glia::ZeroPadding2D(2),
          glia::Reshape({64, 16}),
          glia::Dense(128),
          glia::Layer(glia::Model({x}, {y})),
          glia::GlobalAveragePooling1D(),
          glia::Dense(classes, "softmax")};
}

/// Images of ten classes, each a pattern of its own under as much noise. Labels that cannot be learned would let
/// units die, and what is then timed is how an optimizer bears denormals.
glia::Dataset make_data(std::int64_t rows) {
  const std::vector<std::uint8_t> patterns = random_bytes(classes * pixels, 128, 1);
  const std::vector<std::uint8_t> labels = random_bytes(rows, classes, 2);
  std::vector<std::uint8_t> images = random_bytes(rows * pixels, 128, 3);
  for (std::size_t i = 0; i < images.size(); ++i)
    images[i] += patterns[static_cast<std::size_t>(labels[i / pixels] * pixels) + i % pixels];
  glia::Tensor x(images, {rows, 28, 28});
  x.set_scale(1.0 / 255);
  return glia::Dataset(std::move(x), glia::Tensor(labels));
}

glia::Sequential make_model(Layers layers, int threads, const char* precision = "float32") {
  glia::Sequential model(layers());
  model.compile({.optimizer = "adam",
                 .loss = "sparse_categorical_crossentropy",
                 .metrics = "accuracy",
                 .context = glia::Context({.device = "cpu", .threads = threads}),
                 .precision = precision});
  return model;
}

void train(benchmark::State& state, Layers layers, std::int64_t batch_size, int threads,
           const char* precision) {
  static const glia::Dataset data = make_data(training_rows);
  glia::Sequential model = make_model(layers, threads, precision);
  const glia::FitOptions epoch{.batch_size = batch_size, .verbose = 0};
  model.fit(data, epoch);  // the first epoch also plans and allocates
  for (auto _ : state) model.fit(data, epoch);

  const auto epochs = static_cast<double>(state.iterations());
  const auto steps = static_cast<double>((training_rows + batch_size - 1) / batch_size);
  state.SetItemsProcessed(state.iterations() * training_rows);
  state.counters["time_per_step"] =
      benchmark::Counter(epochs * steps, benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

void predict(benchmark::State& state, Layers layers, std::int64_t batch_size, int threads) {
  glia::Sequential model = make_model(layers, threads);
  const glia::Tensor x = make_data(batch_size).x.cast(glia::DType::float32);
  const glia::PredictOptions whole{.batch_size = batch_size, .verbose = 0};
  model.predict(x, whole);
  for (auto _ : state) benchmark::DoNotOptimize(model.predict(x, whole).raw());
  state.SetItemsProcessed(state.iterations() * batch_size);
}

/// What a user waits for before training begins: the data set read, inflated and verified, the model built, one step made.
void startup(benchmark::State& state) {
  for (auto _ : state) {
    try {
      const glia::TrainTest data = glia::datasets::fashion_mnist();
      glia::Sequential model = make_model(narrow, 0);
      model.fit(glia::TensorView(data.train.x).rows(0, 32), glia::TensorView(data.train.y).rows(0, 32),
                {.verbose = 0});
    } catch (const glia::FileError& error) {
      state.SkipWithError(error.what());
      break;
    }
  }
}

void register_all() {
  struct Case {
    std::string name;
    Layers layers;
    std::vector<std::int64_t> batch_sizes;
    const char* precision = "float32";
  };
  const Case trained[] = {{"784-128-10", narrow, {32, 128, 512}},
                          {"784-512-512-10", wide, {128}},
                          {"cnn", cnn, {128}},
                          {"cnn-mixed_bfloat16", cnn, {128}, "mixed_bfloat16"},
                          {"lstm-128", lstm, {128}},
                          {"attention-128", attention, {128}}};
  const Case asked[] = {{"784-128-10", narrow, {1, 8, 1024}}, {"lstm-128", lstm, {1}}};

  std::vector<int> thread_counts{1};
  const int cores = static_cast<int>(std::thread::hardware_concurrency());
  if (cores > 1) thread_counts.push_back(cores);

  const auto name = [](const char* what, const Case& of, std::int64_t batch_size, int threads) {
    return what + ("/" + of.name) + "/batch:" + std::to_string(batch_size) +
           "/threads:" + std::to_string(threads);
  };
  benchmark::RegisterBenchmark("startup", startup)->UseRealTime()->Unit(benchmark::kMillisecond);
  for (int threads : thread_counts) {
    for (const Case& of : trained)
      for (std::int64_t batch_size : of.batch_sizes)
        benchmark::RegisterBenchmark(name("train", of, batch_size, threads).c_str(), train, of.layers,
                                     batch_size, threads, of.precision)
            ->Iterations(2)  // epochs; the library's own search would repeat the first, untimed one
            ->UseRealTime()
            ->Unit(benchmark::kMillisecond);
    for (const Case& of : asked)
      for (std::int64_t batch_size : of.batch_sizes)
        benchmark::RegisterBenchmark(name("predict", of, batch_size, threads).c_str(), predict, of.layers,
                                     batch_size, threads)
            ->UseRealTime()
            ->Unit(benchmark::kMicrosecond);
  }
}

}  // namespace

int main(int argc, char** argv) {
  try {
    register_all();
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
    benchmark::RunSpecifiedBenchmarks();
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 2;
  }
}
