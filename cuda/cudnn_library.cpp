// Opens cuDNN. The CUDA double has a function of its own in the place of this one.
// SPDX-License-Identifier: Apache-2.0
#include <cuda/cudnn_library.h>
#include <dlfcn.h>
#include <glia/text.h>

namespace glia::cuda {
namespace {

/// False where there is no such function.
template <class Function>
bool find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(library, name));
  return function != nullptr;
}

}  // namespace

std::optional<CudnnApi> load_cudnn(std::string& why_not) {
  void* library = dlopen("libcudnn.so.9", RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    const detail::UntranslatedMessages plain;
    why_not = dlerror();
    library = dlopen("libcudnn.so", RTLD_NOW | RTLD_LOCAL);
  }
  if (!library) return {};
  CudnnApi api = {};
#define GLIA_FIND(name)                          \
  if (!find(library, "cudnn" #name, api.name)) { \
    why_not = "libcudnn.so has no cudnn" #name;  \
    return {};                                   \
  }
  GLIA_CUDNN_FUNCTIONS(GLIA_FIND)
#undef GLIA_FIND
  return api;
}

}  // namespace glia::cuda
