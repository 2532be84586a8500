// What a GPU is asked first: which Ops and algorithms a training step becomes, whether small and odd networks train there as
// on the CPU, and steps one by one for a profiler. Prints Markdown; scripts/gpu_report.sh runs it.
// SPDX-License-Identifier: Apache-2.0
//
//     gpu_steps explain [--device cuda] [--batch 0]
//     gpu_steps small   [--device cuda]
//     gpu_steps run     [--device cuda] [--batch 0] [--model mlp] [--precision float32] [--steps 50]
//
// A batch of 0 is the network's own. Ends with 1 where a network failed, after all were tried, and with 2 on wrong usage.
#include <glia/glia.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <exception>
#include <functional>
#include <iomanip>
#include <iostream>
#include <map>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "benchmarks/networks.h"  // defines: Network, networks, make
#include "benchmarks/random_bytes.h"

namespace {

using Options = std::map<std::string, std::string>;

const Network& network(const std::string& name) {
  for (const Network& one : networks())
    if (name == one.name) return one;
  throw std::invalid_argument("no network " + name + ", expected mlp, cnn or resnet");
}

std::int64_t batch_of(const Network& network, const Options& options) {
  const std::int64_t batch = std::stoll(options.at("--batch"));
  return batch > 0 ? batch : network.batch;
}

/// Calls `attempt`; where that throws, the words are printed, and counted as a failure.
bool survives(const std::function<void()>& attempt) {
  try {
    attempt();
    return true;
  } catch (const std::exception& error) {
    std::cout << "**failed**: " << error.what() << std::endl;
    return false;
  }
}

/// Every network in every precision: the Ops of a training step.
bool explain(const Options& options) {
  const glia::Context context({.device = options.at("--device")});
  bool all = true;
  for (const Network& one : networks()) {
    for (const char* precision : {"float32", "tf32", "mixed_bfloat16"}) {
      const std::int64_t batch = batch_of(one, options);
      std::cout << "\n### " << one.title << ", batch " << batch << ", " << precision << "\n\n";
      all &= survives([&] {
        const std::string text = make(one, precision, context).explain(batch);
        std::cout << "```\n" << text << "```" << std::endl;
      });
    }
  }
  return all;
}

// --- small and odd networks

struct Case {
  const char* name;
  samples::Layers layers;
  glia::Shape row;
  int classes;  // 1: one output in 0..1
  std::int64_t rows, batch;
};

std::vector<Case> cases() {
  using glia::Dense;
  const auto binary = [] { return samples::Layers{Dense(16, "relu"), Dense(1, "sigmoid")}; };
  const auto deep = [] { return samples::Layers{Dense(16, "relu"), Dense(8, "relu"), Dense(1, "sigmoid")}; };
  const auto ten = [] { return samples::Layers{Dense(128, "relu"), Dense(10, "softmax")}; };
  const auto image = [] {
    return samples::Layers{glia::Conv2D(3, 3, {.activation = "relu"}), glia::BatchNormalization(),
                           glia::MaxPooling2D(), glia::Flatten(), Dense(4, "softmax")};
  };
  return {
      {"one weight", {Dense(1)}, {1}, 1, 64, 32},
      {"one output", {Dense(1, "sigmoid")}, {30}, 1, 64, 32},
      {"ReLU before one output, batch 1", binary(), {4}, 1, 12, 1},
      {"ReLU before one output, batch 31", binary(), {4}, 1, 62, 31},
      {"ReLU before one output, batch 32", binary(), {4}, 1, 64, 32},
      {"two ReLUs before one output", deep(), {7}, 1, 64, 32},
      {"a last batch of one row", binary(), {4}, 1, 65, 32},
      {"ten outputs, batch 1", ten(), {784}, 10, 8, 1},
      {"ten outputs, a partial batch", ten(), {784}, 10, 100, 32},
      {"ten outputs, more rows than one batch takes", ten(), {784}, 10, 200, 512},
      {"products over long k", {Dense(3, "relu"), Dense(2, "softmax")}, {5000}, 2, 64, 32},
      {"layer normalisation, dropout, PReLU",
       {Dense(33), glia::LayerNormalization(), glia::PReLU(), glia::Dropout(0.3), Dense(3, "softmax")},
       {5},
       3,
       96,
       32},
      {"images, three filters, batch 1", image(), {9, 7, 2}, 4, 8, 1},
      {"images, three filters, a partial batch", image(), {9, 7, 2}, 4, 40, 32},
  };
}

struct Trained {
  glia::TensorList weights;
  double loss;
};

Trained train(const Case& one, const glia::Context& context) {
  glia::Shape shape{one.rows};
  for (const std::int64_t dimension : one.row) shape.push_back(dimension);
  glia::Tensor x(random_bytes(shape.elements(), 256, 1), shape);
  x.set_scale(1.0 / 255);
  const glia::Tensor y(random_bytes(one.rows, one.classes > 1 ? one.classes : 2, 2));
  glia::Sequential layers{glia::Input(one.row)};
  for (const glia::Layer& layer : one.layers) layers.add(layer);
  glia::Sequential model = glia::clone_model(layers);  // with weights that no other training changes
  model.set_seed(7);
  model.compile(
      {.optimizer = glia::SGD{.learning_rate = 0.05},
       .loss = one.classes > 1 ? glia::LossName("sparse_categorical_crossentropy") : glia::LossName("mse"),
       .context = context});
  const glia::History history = model.fit(x, y, {.epochs = 3, .batch_size = one.batch, .verbose = 0});
  return {model.get_weights(), history["loss"].back()};
}

/// Of all weights, in units of the largest weight of their tensor, but at least of 0.01.
double distance(const Trained& a, const Trained& b) {
  double worst = 0;
  for (std::size_t w = 0; w < a.weights.size(); ++w) {
    const std::vector<double> left = a.weights[w].values(), right = b.weights[w].values();
    double largest = 0.01, difference = 0;
    for (std::size_t i = 0; i < left.size(); ++i) {
      largest = std::max(largest, std::abs(left[i]));
      const double apart = std::abs(left[i] - right[i]);
      difference = std::isnan(apart) ? INFINITY : std::max(difference, apart);
    }
    worst = std::max(worst, difference / largest);
  }
  return worst;
}

/// After up to 24 steps of SGD, which makes nothing of a gradient that is only rounded (Adam makes it a whole step).
constexpr double allowed = 1e-4;

bool small(const Options& options) {
  const glia::Context device({.device = options.at("--device")}), cpu({.device = "cpu"});
  bool all = true;
  std::cout << "| network | loss after three epochs | on the CPU | weights apart, relative | "
               "|\n|---|---|---|---|---|\n";
  for (const Case& one : cases()) {
    std::cout << "| " << one.name << " | " << std::flush;
    all &= survives([&] {
      const Trained there = train(one, device), here = train(one, cpu);
      const double apart = distance(there, here);
      std::cout << std::setprecision(7) << there.loss << " | " << here.loss << " | " << std::setprecision(2)
                << apart << " | ";
      if (!(apart <= allowed)) throw std::runtime_error("the weights are too far apart");
      std::cout << "as on the CPU |" << std::endl;
    });
  }
  return all;
}

/// `steps` training steps, Op by Op, after one in which everything is prepared.
bool run(const Options& options) {
  const Network& one = network(options.at("--model"));
  const std::int64_t batch = batch_of(one, options), steps = std::stoll(options.at("--steps"));
  const std::int64_t rows = batch * (steps + 2);
  const glia::Context context({.device = options.at("--device")});
  // float32, which is what program() below is for.
  const glia::Tensor x = glia::Tensor(random_bytes(rows * 784, 256, 1), {rows, 28, 28, 1})
                             .set_scale(1.0 / 255)
                             .cast(glia::DType::float32)
                             .to(context);
  const glia::Tensor y = glia::Tensor(random_bytes(rows, 10, 2)).cast(glia::DType::float32).to(context);
  glia::Sequential model = make(one, options.at("--precision"), context);
  // Leaves a feed over x and y, with the cursor after the first batch.
  model.train_on_batch(glia::TensorView(x).rows(0, batch), glia::TensorView(y).rows(0, batch));
  const glia::Program& program = model.program(glia::Mode::train, batch);
  for (std::int64_t step = 0; step < steps; ++step) program.run_eagerly();
  std::cout << steps << " steps of " << one.title << ", batch " << batch << ", " << options.at("--precision")
            << ", iterations " << model.iterations() << std::endl;
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  const std::map<std::string, bool (*)(const Options&)> commands{
      {"explain", explain}, {"small", small}, {"run", run}};
  Options options{{"--device", "cuda"},
                  {"--batch", "0"},
                  {"--model", "mlp"},
                  {"--precision", "float32"},
                  {"--steps", "50"}};
  const auto command = argc > 1 ? commands.find(argv[1]) : commands.end();
  bool usable = command != commands.end() && argc % 2 == 0;
  for (int i = 2; usable && i < argc; i += 2) {
    usable = options.count(argv[i]) > 0;
    if (usable) options[argv[i]] = argv[i + 1];
  }
  if (!usable) {
    std::cerr << "usage: gpu_steps explain|small|run [--device NAME] [--batch N] [--model mlp|cnn|resnet] "
                 "[--precision NAME] [--steps N]\n";
    return 2;
  }
  try {
    return command->second(options) ? 0 : 1;
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 2;
  }
}
