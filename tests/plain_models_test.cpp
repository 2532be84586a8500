// Plain models stay what they are: the Ops, the arena and the bits of the weights that training gives equal those in
// tests/golden/plain_models.txt. Where kernels are to round otherwise, this program writes it anew (GLIA_WRITE_GOLDEN=1).
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

#include "tests/golden.h"        // defines: golden_folder
#include "tests/plain_models.h"  // defines: plain_models

namespace glia {
namespace {

Tensor pixels(const Shape& row, std::int64_t rows) {
  Tensor x = Tensor::uninitialized(row.prepend(rows), DType::float64);
  for (std::int64_t i = 0; i < x.size(); ++i)
    x.data<double>()[i] = static_cast<double>((i * 37 + i / 11) % 64) / 64.0;
  return x;
}

std::uint64_t hash_of(const std::vector<Tensor>& weights) {
  std::uint64_t hash = 0xcbf29ce484222325u;  // FNV-1a
  for (const Tensor& weight : weights)
    for (std::int64_t i = 0; i < weight.bytes(); ++i)
      hash = (hash ^ static_cast<const std::uint8_t*>(weight.raw())[i]) * 0x100000001b3u;
  return hash;
}

/// What is told of a model, without the algorithms, which are the machine's.
std::string told(const std::string& name, const test::Plain& plain) {
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
  out << name << '\n' << std::regex_replace(model.explain(8), std::regex("  \\[[^\\n]*"), "");
  for (const Mode mode : {Mode::validate, Mode::infer})
    out << std::regex_replace(model.program(mode, 5).explain(), std::regex("  \\[[^\\n]*"), "");
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
  for (const auto& [name, plain] : test::plain_models()) all += told(name, plain);
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
