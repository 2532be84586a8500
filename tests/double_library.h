// The CUDA double in the library that the backend is, where it is one.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dlfcn.h>
#include <tests/cuda_double/controls.h>

#include <cstdlib>

namespace glia::test {

/// The library that $GLIA_CUDA_LIBRARY names; null where there is none.
inline void* backend_library() {
  const char* path = std::getenv("GLIA_CUDA_LIBRARY");
  return path ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : nullptr;
}

/// Null on a real GPU, or without one.
inline cuda_double::Controls* double_controls() {
  void* const library = backend_library();
  void* const function = library ? dlsym(library, "glia_cuda_double") : nullptr;
  return function ? reinterpret_cast<cuda_double::Controls* (*)()>(function)() : nullptr;
}

}  // namespace glia::test
