// Plain models stay what they are: the Ops, the arena and the bits of the weights that training gives equal those in
// tests/golden/plain_models.txt, which this program wrote (GLIA_WRITE_GOLDEN=1) before graphs came.
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <regex>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "tests/golden.h"  // defines: golden_folder

namespace glia {
namespace {

/// A model, what it is compiled with, and its rows.
struct Plain {
  std::function<Sequential()> make;
  CompileOptions options;
  Shape row;
};

Tensor pixels(const Shape& row, std::int64_t rows) {
  Tensor x = Tensor::uninitialized(row.prepend(rows), DType::float64);
  for (std::int64_t i = 0; i < x.size(); ++i)
    x.data<double>()[i] = static_cast<double>((i * 37 + i / 11) % 64) / 64.0;
  return x;
}

/// Optimizers, losses and layers without roots of e: their sums and products have the same bits wherever they are made
/// without fused multiplication, as on x86-64-v2.
std::vector<std::pair<std::string, Plain>> models() {
  const auto dense = [](const char* first = "relu") {
    return [first] { return Sequential{Flatten({7, 3}), Dense(13, first), Dense(5)}; };
  };
  const CompileOptions sgd{.optimizer = SGD{.learning_rate = 0.01, .momentum = 0.9}, .loss = "mse"};
  const auto with = [&sgd](OptimizerName optimizer) {
    CompileOptions options = sgd;
    options.optimizer = optimizer;
    return options;
  };
  CompileOptions metrics = sgd;
  metrics.metrics = {"mae", "accuracy", RootMeanSquaredError{}};
  return {
      {"dense", {dense(), sgd, {7, 3}}},
      {"metrics", {dense(), metrics, {7, 3}}},
      {"clipped, averaged and accumulated",
       {dense(),
        with(SGD{.learning_rate = 0.01,
                 .momentum = 0.9,
                 .global_clipnorm = 0.1,
                 .use_ema = true,
                 .gradient_accumulation_steps = 2}),
        {7, 3}}},
      {"clipped by weight", {dense(), with(SGD{.learning_rate = 0.01, .clipnorm = 0.05}), {7, 3}}},
      {"decayed", {dense(), with(SGD{.learning_rate = 0.01, .weight_decay = 0.01}), {7, 3}}},
      {"scheduled",
       {dense(),
        with(SGD{.learning_rate = LearningRate(InverseTimeDecay{0.01, 3, 0.5}), .nesterov = true}),
        {7, 3}}},
      {"muon", {dense(), with(Muon{.learning_rate = 0.01}), {7, 3}}},
      {"regularised",
       {[] {
          return Sequential{Dense(6, "relu", {.kernel_regularizer = "l2", .kernel_constraint = "max_norm"}),
                            Dropout(0.3), Dense(2, {.bias_regularizer = "l1"})};
        },
        sgd,
        {8}}},
      {"convolution",
       {[] {
          return Sequential{Conv2D(4, 3, {.padding = "same", .activation = "relu"}),
                            MaxPooling2D(2),
                            SeparableConv2D(6, 3),
                            BatchNormalization(),
                            ReLU(),
                            GlobalAveragePooling2D(),
                            Dense(3)};
        },
        sgd,
        {10, 10, 2}}},
      {"residual",
       {[] {
          return Sequential{Conv2D(4, 3, {.padding = "same"}),
                            Residual({Conv2D(4, 3, {.padding = "same", .activation = "relu"}),
                                      BatchNormalization(), Conv2D(4, 3, {.padding = "same"})}),
                            ReLU(),
                            Residual({Conv2D(6, 3, {.strides = 2, .padding = "same"})},
                                     {.shortcut = {Conv2D(6, 1, {.strides = 2})}}),
                            Flatten(),
                            Dense(3)};
        },
        sgd,
        {6, 6, 3}}},
      {"augmented",
       {[] {
          return Sequential{Rescaling(2, -1),
                            RandomFlip("horizontal"),
                            Conv2DTranspose(3, 2, {.strides = 2}),
                            LayerNormalization(),
                            Flatten(),
                            PReLU(),
                            Dense(2)};
        },
        sgd,
        {4, 4, 1}}},
      {"embedded",
       {[] {
          return Sequential{Embedding(64, 4, {.input_length = 5}), Flatten(), Dense(3, "relu"), Dense(2)};
        },
        sgd,
        {5}}},
  };
}

std::uint64_t hash_of(const std::vector<Tensor>& weights) {
  std::uint64_t hash = 0xcbf29ce484222325u;  // FNV-1a
  for (const Tensor& weight : weights)
    for (std::int64_t i = 0; i < weight.bytes(); ++i)
      hash = (hash ^ static_cast<const std::uint8_t*>(weight.raw())[i]) * 0x100000001b3u;
  return hash;
}

/// What is told of a model, without the algorithms, which are the machine's.
std::string told(const std::string& name, const Plain& plain) {
  Sequential model = plain.make();
  model.set_seed(11);
  model.set_dtype(DType::float64);
  CompileOptions options = plain.options;
  options.device = "cpu";
  model.compile(options);
  Tensor x = pixels(plain.row, 37);
  if (name == "embedded") x = (x * 64).cast(DType::float64);
  model.build(plain.row);
  const Shape output = model.layer(-1).output_shape();
  const Tensor y = pixels(output, 37);
  std::ostringstream out;
  out << name << '\n' << std::regex_replace(model.explain(8), std::regex("  \\[[^\\n]*\\]"), "");
  for (const Mode mode : {Mode::validate, Mode::infer})
    out << std::regex_replace(model.program(mode, 5).explain(), std::regex("  \\[[^\\n]*\\]"), "");
  model.fit(x, y, {.epochs = 3, .batch_size = 8, .verbose = 0});
  out << "weights " << std::hex << hash_of(model.get_weights()) << std::dec << "\n\n";
  return out.str();
}

/// Whether kernels for x86-64-v2 were built: those of a sanitizer's build are for one level alone.
bool multiplies_and_adds_apart() {
  setenv("GLIA_CPU_ISA", "x86-64-v2", 1);
  try {
    const Context context({.device = "cpu"});
    return true;
  } catch (const Error&) {
    unsetenv("GLIA_CPU_ISA");
    return false;
  }
}

TEST(PlainModels, are_the_Ops_the_arena_and_the_bits_that_they_were) {
  const bool bits = multiplies_and_adds_apart();
  std::string all;
  for (const auto& [name, plain] : models()) all += told(name, plain);
  const std::string path = test::golden_folder() + "/plain_models.txt";
  if (std::getenv("GLIA_WRITE_GOLDEN")) std::ofstream(path) << all;
  std::ifstream file(path);
  std::stringstream golden;
  golden << file.rdbuf();
  const std::regex weights(bits ? "$^" : "weights [0-9a-f]*\n");
  EXPECT_EQ(std::regex_replace(all, weights, ""), std::regex_replace(golden.str(), weights, ""));
}

}  // namespace
}  // namespace glia
