// The one symbol that the backend's library exports.
// SPDX-License-Identifier: Apache-2.0
#include <cuda/backend.h>
#include <cuda/log.h>
#include <cuda/pointers.h>
#include <glia/backend_library.h>

namespace {

int devices(const char** reason, const char** description) {
  static thread_local glia::cuda::Devices found;  // the strings live until this thread asks again
  found = glia::cuda::find_devices();
  *reason = found.reason.c_str();
  *description = found.description.c_str();
  return found.count;
}

const char* unusable(int index) {
  static thread_local std::string reason;
  reason = glia::cuda::why_unusable(index);
  return reason.empty() ? nullptr : reason.c_str();
}

void log_to(const glia::LogSink& sink) { glia::cuda::log_sink = sink; }

const char* misplaced(const glia::Device& said, const void* data) {
  static thread_local std::string reason;
  try {
    reason = glia::cuda::why_misplaced(said, data);
  } catch (const glia::Error& failure) {
    reason = failure.what();
  }
  return reason.empty() ? nullptr : reason.c_str();
}

}  // namespace

extern "C" __attribute__((visibility("default"))) const glia::BackendLibrary* glia_backend_library() {
  static const glia::BackendLibrary library{glia::backend_abi,         &log_to,   &devices, &unusable,
                                            &glia::cuda::make_backend, &misplaced};
  return &library;
}
