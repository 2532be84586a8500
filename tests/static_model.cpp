// A model and a context that are static: they go after main, when CUDA may be gone already. Ends with 0, and 77 without a
// device. On the double CUDA goes where a GPU's runtime goes: in a function that exit calls before it destroys statics.
// SPDX-License-Identifier: Apache-2.0
#include <dlfcn.h>
#include <glia/glia.h>
#include <tests/cuda_double/controls.h>

#include <cmath>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <optional>

namespace {

std::optional<glia::Context> context;
std::optional<glia::Sequential> model;
std::optional<glia::Tensor> rows;

/// Null on a GPU.
glia::cuda_double::Controls* double_controls() {
  const char* const path = std::getenv("GLIA_CUDA_LIBRARY");
  void* const library = path ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : nullptr;
  void* const function = library ? dlsym(library, "glia_cuda_double") : nullptr;
  return function ? reinterpret_cast<glia::cuda_double::Controls* (*)()>(function)() : nullptr;
}

}  // namespace

int main() {
  try {
    if (!glia::Device("auto").is_cuda()) {
      std::cout << "needs a CUDA device: " << glia::device_report();
      return 77;
    }
    context.emplace(glia::ContextOptions{.device = "cuda"});
    rows.emplace(glia::Tensor::ones({8, 4}).to(glia::Device::cuda()));
    model.emplace(
        std::initializer_list<glia::Layer>{glia::Input({4}), glia::Dense(3, "relu"), glia::Dense(1)});
    model->compile({.loss = "mse", .context = *context});
    const glia::Logs logs = model->train_on_batch(*rows, glia::Tensor::zeros({8, 1}));
    if (double_controls()) std::atexit([] { double_controls()->settings().unloaded = true; });
    return std::isfinite(logs["loss"]) ? 0 : 1;
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
