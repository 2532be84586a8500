// The controls of the CUDA double, where it is what "cuda" means in this process.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dlfcn.h>
#include <tests/cuda_double/controls.h>
#include <tests/devices.h>

#include <cstdlib>

namespace glia::test {

/// A symbol of the library that $GLIA_CUDA_LIBRARY names; null where there is none.
inline void* backend_symbol(const char* name) {
  const char* path = std::getenv("GLIA_CUDA_LIBRARY");
  void* library = path ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : nullptr;
  return library ? dlsym(library, name) : nullptr;
}

/// Null on a real GPU, or without one.
inline cuda_double::Controls* double_controls() {
  void* function = backend_symbol("glia_cuda_double");
  return function ? reinterpret_cast<cuda_double::Controls* (*)()>(function)() : nullptr;
}

/// A function of the imitated runtime, for a test that plays the application:
///     double_function<decltype(cudaStreamQuery)>("cudaStreamQuery")(stream)
template <class Function>
Function* double_function(const char* name) {
  return reinterpret_cast<Function*>(backend_symbol(name));
}

/// A suite of the CUDA backend alone that asks the double; skipped on anything else. Its one parameter makes "cuda" a
/// part of the tests' names.
class DoubleTest : public OnDevice, public ::testing::WithParamInterface<Device> {
 protected:
  void SetUp() override {
    controls_ = double_controls();
    if (!controls_) GTEST_SKIP() << "needs the CUDA double";
    controls_->reset();
    start(GetParam(), Start::fresh);
    controls_->clear_calls();
  }
  void TearDown() override {
    OnDevice::TearDown();
    if (controls_) controls_->reset();
  }
  cuda_double::Controls& controls() { return *controls_; }

 private:
  cuda_double::Controls* controls_ = nullptr;
};

inline auto only_cuda() { return ::testing::Values(Device::cuda()); }

}  // namespace glia::test
