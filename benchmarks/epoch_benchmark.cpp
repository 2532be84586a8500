// Seconds of an epoch of training on a device, data resident there: one line of JSON for each model and batch size.
// SPDX-License-Identifier: Apache-2.0
//
//     epoch_benchmark [--device cuda] [--epochs 7] [--rows 60000]
//
// benchmarks/gpu_epochs.py runs it beside the peers.
#include <glia/glia.h>

#include <algorithm>
#include <cstdint>
#include <exception>
#include <iomanip>
#include <iostream>
#include <map>
#include <string>
#include <vector>

#include "benchmarks/random_bytes.h"

namespace {

constexpr std::int64_t pixels = 784, classes = 10;

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

void run(const std::string& device, int epochs, std::int64_t rows) {
  struct Case {
    const char* name;
    std::vector<int> hidden;
    std::vector<std::int64_t> batches;
  };
  const Case cases[] = {{"784-128-10", {128}, {32, 128, 512, 4096}}, {"784-512-512-10", {512, 512}, {128}}};
  const glia::Context context({.device = device});
  glia::Tensor images(random_bytes(rows * pixels, 256, 1), {rows, pixels});
  images.set_scale(1.0 / 255);
  const glia::Tensor x = images.to(context);
  const glia::Tensor y = glia::Tensor(random_bytes(rows, classes, 2)).to(context);
  for (const Case& one : cases) {
    for (const std::int64_t batch : one.batches) {
      glia::Sequential model;
      for (int units : one.hidden) model.add(glia::Dense(units, "relu"));
      model.add(glia::Dense(static_cast<int>(classes), "softmax"));
      model.compile({.optimizer = "adam", .loss = "sparse_categorical_crossentropy", .context = context});
      model.fit(x, y,
                {.epochs = 2, .batch_size = batch, .verbose = 0});  // plans, captures, finds the launch size
      const glia::History history = model.fit(x, y, {.epochs = epochs, .batch_size = batch, .verbose = 0});
      std::cout << R"({"peer": "Glia", "model": ")" << one.name << R"(", "batch": )" << batch
                << R"(, "epoch_seconds": )" << std::setprecision(6) << median(history.seconds())
                << R"(, "device": ")" << context.device() << "\"}" << std::endl;
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  std::map<std::string, std::string> options{{"--device", "auto"}, {"--epochs", "7"}, {"--rows", "60000"}};
  try {
    for (int i = 1; i < argc; i += 2) {
      if (i + 1 == argc || !options.count(argv[i])) {
        std::cerr << "usage: epoch_benchmark [--device NAME] [--epochs N] [--rows N]\n";
        return 2;
      }
      options[argv[i]] = argv[i + 1];
    }
    run(options["--device"], std::stoi(options["--epochs"]), std::stoll(options["--rows"]));
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 2;
  }
}
