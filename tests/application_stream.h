// An application's stream and event, made through the CUDA double's own functions.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include "tests/double_controls.h"

namespace glia::test {

/// Calls a function of the imitated runtime, which must succeed.
template <class Function, class... Arguments>
void call_cuda(const char* name, Arguments... arguments) {
  EXPECT_EQ(double_function<Function>(name)(arguments...), cudaSuccess) << name;
}

class ApplicationStream {
 public:
  ApplicationStream() {
    call_cuda<decltype(cudaStreamCreateWithFlags)>("cudaStreamCreateWithFlags", &stream_,
                                                   cudaStreamNonBlocking);
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
                                                  unsigned{cudaEventDisableTiming});
  }
  ~ApplicationEvent() { call_cuda<decltype(cudaEventDestroy)>("cudaEventDestroy", event_); }
  ApplicationEvent(const ApplicationEvent&) = delete;
  ApplicationEvent& operator=(const ApplicationEvent&) = delete;
  cudaEvent_t get() const { return event_; }

 private:
  cudaEvent_t event_ = nullptr;
};

}  // namespace glia::test
