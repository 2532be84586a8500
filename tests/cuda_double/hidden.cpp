// The double as tests meet a GPU's backend, of which nothing is to be seen but this one symbol: its controls are out of
// reach, and what an application calls is in another library. That is the double itself, as $GLIA_CUDA_RUNTIME.
// SPDX-License-Identifier: Apache-2.0
#include <dlfcn.h>
#include <glia/backend_library.h>

#include <cstdlib>

extern "C" __attribute__((visibility("default"))) const glia::BackendLibrary* glia_backend_library() {
  void* const library = dlopen(std::getenv("GLIA_CUDA_RUNTIME"), RTLD_NOW | RTLD_LOCAL);
  void* const function = library ? dlsym(library, "glia_backend_library") : nullptr;
  return function ? reinterpret_cast<const glia::BackendLibrary* (*)()>(function)() : nullptr;
}
