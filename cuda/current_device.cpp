// The calls of the driver for contexts, found through the runtime: nothing links the driver's library.
// SPDX-License-Identifier: Apache-2.0
#include <cuda.h>
#include <cuda/check.h>
#include <cuda/current_device.h>
#include <cuda/lost.h>

#include <map>
#include <mutex>

namespace glia::cuda {
namespace {

template <class Function>
Function* driver_function(const char* name) {
  void* found = nullptr;
  cudaDriverEntryPointQueryResult result = cudaDriverEntryPointSymbolNotFound;
#if CUDART_VERSION >= 12050
  GLIA_CUDA(cudaGetDriverEntryPointByVersion(name, &found, 12000, cudaEnableDefault, &result));
#else
  GLIA_CUDA(cudaGetDriverEntryPoint(name, &found, cudaEnableDefault, &result));
#endif
  GLIA_CHECK(found, DeviceError, "the NVIDIA driver lacks ", name, "; update the driver");
  return reinterpret_cast<Function*>(found);
}

struct Driver {
  decltype(&cuDeviceGet) device = driver_function<decltype(cuDeviceGet)>("cuDeviceGet");
  decltype(&cuDevicePrimaryCtxRetain) retain =
      driver_function<decltype(cuDevicePrimaryCtxRetain)>("cuDevicePrimaryCtxRetain");
  decltype(&cuCtxPushCurrent) push = driver_function<decltype(cuCtxPushCurrent)>("cuCtxPushCurrent");
  decltype(&cuCtxPopCurrent) pop = driver_function<decltype(cuCtxPopCurrent)>("cuCtxPopCurrent");
};

const Driver& driver() {
  static const Driver found;
  return found;
}

void check(CUresult result, const char* call) {
  GLIA_CHECK(result != CUDA_ERROR_OUT_OF_MEMORY, OutOfMemoryError, call,
             " failed: there is no memory for a context on the device; end other programs");
  GLIA_CHECK(result == CUDA_SUCCESS, DeviceError, call, " failed with error ", static_cast<int>(result),
             " of the CUDA driver; see device_report(), and nvidia-smi for the driver's view");
}

/// The context that the runtime uses on a device. It is retained for good, as the runtime itself does.
CUcontext primary_context(int index) {
  static std::mutex mutex;
  static std::map<int, CUcontext>& contexts = *new std::map<int, CUcontext>;
  const std::lock_guard lock(mutex);
  const auto [at, is_new] = contexts.emplace(index, nullptr);
  if (!is_new && at->second) return at->second;
  CUdevice device = 0;
  check(driver().device(&device, index), "cuDeviceGet");
  check(driver().retain(&at->second, device), "cuDevicePrimaryCtxRetain");
  return at->second;
}

thread_local int innermost_device = -1;

/// A thread whose current device is lost may not be able to ask which that is.
bool is_current(int index) {
  if (LostDevices::any()) return false;
  int current = 0;
  GLIA_CUDA(cudaGetDevice(&current));
  return current == index;
}

}  // namespace

CurrentDevice::CurrentDevice(int index) : outer_(innermost_device) {
  const cudaError_t lost = LostDevices::error_of(index);
  GLIA_CHECK(lost == cudaSuccess, DeviceError, "GPU ", index, " was lost to an earlier error, ",
             in_words(lost), ", and nothing on it can be used any more: end the process and start again");
  if (!is_current(index)) {
    check(driver().push(primary_context(index)), "cuCtxPushCurrent");
    pushed_ = true;
  }
  innermost_device = index;
}

int CurrentDevice::innermost() noexcept { return innermost_device; }

CurrentDevice::~CurrentDevice() {
  innermost_device = outer_;
  CUcontext popped = nullptr;
  if (pushed_) static_cast<void>(driver().pop(&popped));
}

}  // namespace glia::cuda
