// An application beside Glia, with streams and events of its own: it calls the CUDA double's functions, or on a GPU those of
// the CUDA runtime's shared library. That is another copy of the runtime than the backend's, which does not matter: both use
// the device's one context.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include <initializer_list>

#include "tests/double_controls.h"

namespace glia::test {

/// Whether a library is a runtime whose functions are those of the header (since CUDA 12), and whose driver is there.
inline bool is_cuda_runtime(void* library) {
  const auto version =
      reinterpret_cast<decltype(&cudaRuntimeGetVersion)>(dlsym(library, "cudaRuntimeGetVersion"));
  const auto count = reinterpret_cast<decltype(&cudaGetDeviceCount)>(dlsym(library, "cudaGetDeviceCount"));
  int number = 0, devices = 0;
  return version && count && version(&number) == cudaSuccess && number >= 12000 &&
         count(&devices) == cudaSuccess;
}

/// The library that an application's calls go to: the double, else what $GLIA_CUDA_RUNTIME names or the loader finds. Null
/// where there is none.
inline void* application_runtime() {
  static void* const found = []() -> void* {
    void* const backend = backend_library();
    if (backend && dlsym(backend, "cudaStreamCreateWithFlags")) return backend;
    for (const char* name : {static_cast<const char*>(std::getenv("GLIA_CUDA_RUNTIME")), "libcudart.so.13",
                             "libcudart.so.12", "libcudart.so"}) {
      void* const library = name ? dlopen(name, RTLD_NOW | RTLD_LOCAL) : nullptr;
      if (library && is_cuda_runtime(library)) return library;
    }
    return nullptr;
  }();
  return found;
}

/// Calls a function of the runtime, which must succeed:
///     call_cuda<decltype(cudaStreamSynchronize)>("cudaStreamSynchronize", stream);
template <class Function, class... Arguments>
void call_cuda(const char* name, Arguments... arguments) {
  void* const function = dlsym(application_runtime(), name);
  ASSERT_TRUE(function) << name;
  EXPECT_EQ(reinterpret_cast<Function*>(function)(arguments...), cudaSuccess) << name;
}

/// A suite that plays the application.
class ApplicationTest : public CudaTest {
 protected:
  void SetUp() override {
    CudaTest::SetUp();
    if (!IsSkipped() && !application_runtime())
      GTEST_SKIP()
          << "needs the CUDA runtime that an application has: libcudart.so.13 or .12 where the loader "
             "finds it, or $GLIA_CUDA_RUNTIME";
  }
};

class ApplicationStream {
 public:
  ApplicationStream() {
    call_cuda<decltype(cudaStreamCreateWithFlags)>("cudaStreamCreateWithFlags", &stream_,
                                                   static_cast<unsigned>(cudaStreamNonBlocking));
  }
  ~ApplicationStream() { call_cuda<decltype(cudaStreamDestroy)>("cudaStreamDestroy", stream_); }
  ApplicationStream(const ApplicationStream&) = delete;
  ApplicationStream& operator=(const ApplicationStream&) = delete;
  cudaStream_t get() const { return stream_; }

 private:
  cudaStream_t stream_ = nullptr;
};

class ApplicationEvent {
 public:
  ApplicationEvent() {
    call_cuda<decltype(cudaEventCreateWithFlags)>("cudaEventCreateWithFlags", &event_,
                                                  static_cast<unsigned>(cudaEventDisableTiming));
  }
  ~ApplicationEvent() { call_cuda<decltype(cudaEventDestroy)>("cudaEventDestroy", event_); }
  ApplicationEvent(const ApplicationEvent&) = delete;
  ApplicationEvent& operator=(const ApplicationEvent&) = delete;
  cudaEvent_t get() const { return event_; }

 private:
  cudaEvent_t event_ = nullptr;
};

/// What a stream of the application records between its construction and end().
class ApplicationCapture {
 public:
  ApplicationCapture(cudaStream_t stream, cudaStreamCaptureMode mode) : stream_(stream) {
    call_cuda<decltype(cudaStreamBeginCapture)>("cudaStreamBeginCapture", stream_, mode);
  }
  ~ApplicationCapture() {
    if (graph_) call_cuda<decltype(cudaGraphDestroy)>("cudaGraphDestroy", graph_);
  }
  ApplicationCapture(const ApplicationCapture&) = delete;
  ApplicationCapture& operator=(const ApplicationCapture&) = delete;

  /// The number of nodes.
  std::size_t end() {
    call_cuda<decltype(cudaStreamEndCapture)>("cudaStreamEndCapture", stream_, &graph_);
    std::size_t nodes = 0;
    call_cuda<decltype(cudaGraphGetNodes)>("cudaGraphGetNodes", graph_, nullptr, &nodes);
    return nodes;
  }
  cudaGraph_t graph() const { return graph_; }
  /// What was recorded, on the same stream.
  void launch() {
    cudaGraphExec_t executable = nullptr;
    call_cuda<decltype(cudaGraphInstantiate)>("cudaGraphInstantiate", &executable, graph_, 0ull);
    call_cuda<decltype(cudaGraphLaunch)>("cudaGraphLaunch", executable, stream_);
    call_cuda<decltype(cudaGraphExecDestroy)>("cudaGraphExecDestroy", executable);
  }

 private:
  cudaStream_t stream_;
  cudaGraph_t graph_ = nullptr;
};

}  // namespace glia::test
