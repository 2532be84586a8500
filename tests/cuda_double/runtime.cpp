// The rest of the CUDA runtime: devices, errors, launches; and what tests ask of the double.
// SPDX-License-Identifier: Apache-2.0
#include <cuda.h>
#include <cxxabi.h>
#include <dlfcn.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <numeric>
#include <set>
#include <stdexcept>

#include "cuda/kernels.h"  // defines: KernelParameter, which every kernel takes
#include "tests/cuda_double/device.h"
#include "tests/cuda_double/double.h"
#include "tests/cuda_double/fibres.h"

// After device.h, which defines what CUDA's headers then leave alone.
#include "cuda/lost.h"

namespace glia::cuda_double {
namespace {

// Nothing of the double is destroyed at exit: statics of a test go later, and call it (test double.outlives_main).

/// A failure that a test ordered.
struct Injection {
  int calls_before, times;
  cudaError_t error;
  bool sticky;
};

Settings default_settings() {
  Settings s;
  if (const char* seed = std::getenv("GLIA_CUDA_DOUBLE_SEED")) s.seed = std::strtoull(seed, nullptr, 10);
  const char* const ulps = std::getenv("GLIA_CUDA_DOUBLE_ULPS");
  s.ulps = !has_watched_kernels() ? 0 : ulps ? std::atoi(ulps) : 4;
  return s;
}

Settings& wanted = *new Settings(default_settings());
auto &call_log = *new std::vector<std::string>, &trap_log = *new std::vector<std::string>;
auto& injections = *new std::multimap<std::string, Injection>;
auto& objects = *new std::map<std::string, std::int64_t>;
auto& sticky = *new std::map<int, cudaError_t>;      // by device
auto& last_error = *new std::map<int, cudaError_t>;  // by device, too
int launches_before_failure = 0;
cudaError_t launch_error = cudaSuccess;
thread_local int chosen_device = 0;
thread_local int pushed_devices[64], pushed = 0;  // by the driver's calls, before what the runtime chose
auto& touched_devices = *new std::set<int>;
cudaError_t sticky_error() {
  const auto found = sticky.find(device_at_work >= 0 ? device_at_work : current_device());
  return found == sticky.end() ? cudaSuccess : found->second;
}
std::int64_t nondeterministic = 0, copied_to_host = 0, copied_to_device = 0;

class TheControls final : public Controls {
 public:
  Settings& settings() override { return wanted; }
  void reset() override {
    if (!sticky.empty()) run_all();
    wanted = default_settings();
    clear_calls(), trap_log.clear(), injections.clear();
    sticky.clear();
    cuda::LostDevices::forget();
    last_error.clear();
    launch_error = cudaSuccess;
    nondeterministic = 0;
    touched_devices.clear();
  }
  void fail(const std::string& function, int nth, int error, bool stays, int times) override {
    injections.insert({function, {nth - 1, times, static_cast<cudaError_t>(error), stays}});
  }
  void fail_launch(int nth, int error) override {
    launches_before_failure = nth - 1;
    launch_error = static_cast<cudaError_t>(error);
  }
  const std::vector<std::string>& calls() const override { return call_log; }
  void clear_calls() override {
    call_log.clear();
    copied_to_host = copied_to_device = 0;
  }
  std::int64_t bytes_to_host() const override { return copied_to_host; }
  std::int64_t bytes_to_device() const override { return copied_to_device; }
  const std::vector<std::string>& traps() const override { return trap_log; }
  std::int64_t device_allocations() const override { return live_device_allocations(); }
  std::int64_t host_allocations() const override { return live_host_allocations(); }
  std::map<std::string, std::int64_t> live_objects() const override { return objects; }
  std::int64_t nondeterministic_convolutions() const override { return nondeterministic; }
  std::set<int> contexts() const override { return touched_devices; }
  const std::vector<Traffic>& traffic() const override { return all_traffic(); }
  void clear_traffic() override { forget_traffic(); }
  std::vector<GraphNode> last_graph() const override { return last_captured(); }
};

// --- a launch

testing::Fibres& fibres() {
  static thread_local testing::Fibres
      instance;  // its stacks return to the stack of the thread that made them
  return instance;
}
uint3 running_block;
dim3 running_threads, running_grid;

using Kernel = void (*)(cuda::KernelParameter);
Kernel running = nullptr;

/// Every block to its end, in an order of chance; its threads are fibres.
void run_kernel(Kernel kernel, unsigned blocks, unsigned threads, const cuda::KernelParameter& parameter) {
  std::vector<unsigned> order(blocks);
  std::iota(order.begin(), order.end(), 0u);
  std::shuffle(order.begin(), order.end(), random_order());
  running_threads = dim3(threads);
  running_grid = dim3(blocks);
  running = kernel;
  try {
    for (const unsigned block : order) {
      running_block = {block, 0, 0};
      begin_block_of_traffic(threads);
      fibres().run(static_cast<int>(threads), 32, random_order(), [&](int) { kernel(parameter); });
      end_block_of_traffic();
    }
  } catch (const std::logic_error& error) {
    trap(cudaErrorLaunchFailure, error.what());
  }
  end_launch_of_traffic(blocks, threads);
}

}  // namespace

int device_at_work = -1;

std::recursive_mutex& mutex() {
  static std::recursive_mutex instance;
  return instance;
}

cudaError_t enter(const char* function) {
  if (!function) return sticky_error();
  call_log.emplace_back(function);
  if (wanted.unloaded) return cudaErrorCudartUnloading;
  if (const cudaError_t error = sticky_error(); error != cudaSuccess) return error;
  const auto [begin, end] = injections.equal_range(function);
  for (auto injection = begin; injection != end; ++injection) {
    Injection& i = injection->second;
    if (i.calls_before-- > 0) continue;
    const Injection due = i;
    if (--i.times == 0) injections.erase(injection);
    if (due.sticky) sticky[current_device()] = due.error;
    return due.error;
  }
  return cudaSuccess;
}

cudaError_t enter_to_destroy(const char* function) {
  if (wanted.unloaded) trap(cudaErrorCudartUnloading, std::string(function) + " when CUDA is gone");
  touch_device();
  return enter(function);
}

cudaError_t report(cudaError_t error) {
  if (error != cudaSuccess) last_error[current_device()] = error;
  return error;
}

void trap(cudaError_t error, const std::string& what) {
  trap_log.push_back(what);
  std::fprintf(stderr, "CUDA double: %s\n", what.c_str());
  sticky.emplace(device_at_work >= 0 ? device_at_work : current_device(), error);
}
bool has_trapped() { return sticky_error() != cudaSuccess; }
void count_object(const char* kind, int change) {
  if ((objects[kind] += change) == 0) objects.erase(kind);
}
int current_device() { return pushed > 0 ? pushed_devices[pushed - 1] : chosen_device; }
void touch_device() { touched_devices.insert(current_device()); }
void count_nondeterministic_convolution() { ++nondeterministic; }
void count_copy(std::size_t bytes, bool to_device) {
  (to_device ? copied_to_device : copied_to_host) += static_cast<std::int64_t>(bytes);
}
Settings& settings() { return wanted; }

std::string running_kernel() {
  Dl_info found = {};
  if (!dladdr(reinterpret_cast<void*>(running), &found) || !found.dli_sname) return "a kernel";
  char* const name = abi::__cxa_demangle(found.dli_sname, nullptr, nullptr, nullptr);
  const std::string result = name ? name : found.dli_sname;
  std::free(name);
  return result;
}

std::mt19937_64& random_order() {
  static std::mt19937_64 generator;
  static std::uint64_t seeded_with = ~std::uint64_t{0};
  if (seeded_with != wanted.seed) generator.seed(seeded_with = wanted.seed);
  return generator;
}

bool launch_fails() {
  if (launch_error == cudaSuccess || launches_before_failure-- > 0) return false;
  trap(std::exchange(launch_error, cudaSuccess), "a test ordered this launch to fail");
  return true;
}

uint3 thread_index() { return {static_cast<unsigned>(fibres().rank()), 0, 0}; }
uint3 block_index() { return running_block; }
dim3 block_size() { return running_threads; }
dim3 grid_size() { return running_grid; }
void block_barrier() { fibres().block_barrier(); }

std::uint64_t exchange(unsigned mask, std::uint64_t bits, int lane) {
  if (mask != 0xffffffffu) trap(cudaErrorLaunchFailure, "a shuffle of less than a warp");
  testing::Fibres& f = fibres();
  const int rank = f.rank();
  f.shared(rank).index = static_cast<std::int64_t>(bits);
  f.group_barrier();
  const auto other = static_cast<std::uint64_t>(f.shared(rank / f.lanes() * f.lanes() + lane).index);
  f.group_barrier();
  return other;
}

}  // namespace glia::cuda_double

using namespace glia::cuda_double;

extern "C" {

Controls* glia_cuda_double() {
  static TheControls* const controls = new TheControls;
  return controls;
}

cudaError_t cudaGetDeviceCount(int* count) {
  *count = 0;
  GLIA_DOUBLE_ENTER();
  if (settings().driver_version / 1000 < CUDART_VERSION / 1000) return report(cudaErrorInsufficientDriver);
  if (settings().devices == 0) return report(cudaErrorNoDevice);
  *count = settings().devices;
  return cudaSuccess;
}

cudaError_t cudaGetDevice(int* device) {
  GLIA_DOUBLE_ENTER();
  *device = current_device();
  return cudaSuccess;
}

cudaError_t cudaSetDevice(int device) {
  GLIA_DOUBLE_ENTER();
  if (device < 0 || device >= settings().devices) return report(cudaErrorInvalidDevice);
  chosen_device = device;
  if (pushed > 0) pushed_devices[pushed - 1] = device;
  touch_device();
  return cudaSuccess;
}

// The driver's calls for contexts; a device's primary context is its number and one.
CUresult cuDeviceGet(CUdevice* device, int index) {
  const std::lock_guard lock(mutex());
  enter("cuDeviceGet");
  if (index < 0 || index >= settings().devices) return CUDA_ERROR_INVALID_DEVICE;
  *device = index;
  return CUDA_SUCCESS;
}
CUresult cuDevicePrimaryCtxRetain(CUcontext* context, CUdevice device) {
  const std::lock_guard lock(mutex());
  enter("cuDevicePrimaryCtxRetain");
  touched_devices.insert(device);
  *context = reinterpret_cast<CUcontext>(static_cast<std::intptr_t>(device) + 1);
  return CUDA_SUCCESS;
}
CUresult cuCtxPushCurrent(CUcontext context) {
  const std::lock_guard lock(mutex());
  enter("cuCtxPushCurrent");
  if (pushed == 64) return CUDA_ERROR_OUT_OF_MEMORY;
  pushed_devices[pushed++] = static_cast<int>(reinterpret_cast<std::intptr_t>(context)) - 1;
  touch_device();
  return CUDA_SUCCESS;
}
CUresult cuCtxPopCurrent(CUcontext* context) {
  const std::lock_guard lock(mutex());
  enter("cuCtxPopCurrent");
  if (pushed == 0) return CUDA_ERROR_INVALID_CONTEXT;
  *context = reinterpret_cast<CUcontext>(static_cast<std::intptr_t>(pushed_devices[--pushed]) + 1);
  return CUDA_SUCCESS;
}
cudaError_t cudaGetDriverEntryPointByVersion(const char* symbol, void** function, unsigned,
                                             unsigned long long, cudaDriverEntryPointQueryResult* result) {
  GLIA_DOUBLE_ENTER();
  const std::map<std::string, void*> known{
      {"cuDeviceGet", reinterpret_cast<void*>(&cuDeviceGet)},
      {"cuDevicePrimaryCtxRetain", reinterpret_cast<void*>(&cuDevicePrimaryCtxRetain)},
      {"cuCtxPushCurrent", reinterpret_cast<void*>(&cuCtxPushCurrent)},
      {"cuCtxPopCurrent", reinterpret_cast<void*>(&cuCtxPopCurrent)}};
  const auto found = known.find(symbol);
  *function = found == known.end() ? nullptr : found->second;
  *result = *function ? cudaDriverEntryPointSuccess : cudaDriverEntryPointSymbolNotFound;
  return cudaSuccess;
}

// 0 where there is no driver.
cudaError_t cudaDriverGetVersion(int* version) {
  GLIA_DOUBLE_ENTER();
  *version = settings().driver_version;
  return cudaSuccess;
}

cudaError_t cudaRuntimeGetVersion(int* version) {
  GLIA_DOUBLE_ENTER();
  *version = CUDART_VERSION;
  return cudaSuccess;
}

cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int device) {
  GLIA_DOUBLE_ENTER();
  if (device < 0 || device >= settings().devices) return report(cudaErrorInvalidDevice);
  switch (attribute) {
    case cudaDevAttrMultiProcessorCount:
      *value = settings().multiprocessors;
      return cudaSuccess;
    case cudaDevAttrMemoryPoolsSupported:
      *value = settings().has_pools ? 1 : 0;
      return cudaSuccess;
    case cudaDevAttrPageableMemoryAccess:
      *value = settings().reads_pageable ? 1 : 0;
      return cudaSuccess;
    case cudaDevAttrComputeCapabilityMajor:
      *value = settings().compute_capability / 10;
      return cudaSuccess;
    case cudaDevAttrComputeCapabilityMinor:
      *value = settings().compute_capability % 10;
      return cudaSuccess;
    default:
      return report(cudaErrorInvalidValue);
  }
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device) {
  GLIA_DOUBLE_ENTER();
  if (device < 0 || device >= settings().devices) return report(cudaErrorInvalidDevice);
  *properties = {};
  std::snprintf(properties->name, sizeof properties->name, "double of a CUDA device");
  properties->major = settings().compute_capability / 10;
  properties->minor = settings().compute_capability % 10;
  properties->multiProcessorCount = settings().multiprocessors;
  properties->totalGlobalMem = settings().device_bytes;
  return cudaSuccess;
}

// Needs machine code or PTX for the device: Glia has it from sm_75 on.
cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* attributes, const void*) {
  GLIA_DOUBLE_ENTER();
  touch_device();
  *attributes = {};
  const bool has_kernels =
      settings().compute_capability >= 75 && settings().without_kernels.count(current_device()) == 0;
  return report(has_kernels ? cudaSuccess : cudaErrorNoKernelImageForDevice);
}

// Arguments are copied at the call.
cudaError_t cudaLaunchKernel(const void* function, dim3 grid, dim3 block, void** arguments, std::size_t,
                             cudaStream_t stream) {
  GLIA_DOUBLE_ENTER();
  if (grid.x == 0 || block.x == 0 || block.x > 1024) return report(cudaErrorInvalidConfiguration);
  const auto kernel = reinterpret_cast<Kernel>(const_cast<void*>(function));
  const auto parameter = *static_cast<const glia::cuda::KernelParameter*>(arguments[0]);
  return report(enqueue(stream, Kind::kernel, "kernel", [=] {
    if (launch_fails()) return;
    run_kernel(kernel, grid.x, block.x, parameter);
  }));
}

// The last error of any call, which is forgotten unless it is sticky.
cudaError_t cudaGetLastError() {
  const std::lock_guard lock(mutex());
  const cudaError_t last = std::exchange(last_error[current_device()], cudaSuccess), stays = sticky_error();
  return stays != cudaSuccess ? stays : last;
}
const char* cudaGetErrorName(cudaError_t error) {
  switch (error) {
#define GLIA_NAMED(name) \
  case name:             \
    return #name;
    GLIA_NAMED(cudaSuccess)
    GLIA_NAMED(cudaErrorInvalidValue)
    GLIA_NAMED(cudaErrorMemoryAllocation)
    GLIA_NAMED(cudaErrorInitializationError)
    GLIA_NAMED(cudaErrorInvalidConfiguration)
    GLIA_NAMED(cudaErrorInvalidMemcpyDirection)
    GLIA_NAMED(cudaErrorStubLibrary)
    GLIA_NAMED(cudaErrorInsufficientDriver)
    GLIA_NAMED(cudaErrorDevicesUnavailable)
    GLIA_NAMED(cudaErrorNoDevice)
    GLIA_NAMED(cudaErrorInvalidDevice)
    GLIA_NAMED(cudaErrorNoKernelImageForDevice)
    GLIA_NAMED(cudaErrorInvalidResourceHandle)
    GLIA_NAMED(cudaErrorIllegalState)
    GLIA_NAMED(cudaErrorNotReady)
    GLIA_NAMED(cudaErrorIllegalAddress)
    GLIA_NAMED(cudaErrorLaunchTimeout)
    GLIA_NAMED(cudaErrorAssert)
    GLIA_NAMED(cudaErrorLaunchFailure)
    GLIA_NAMED(cudaErrorSystemNotReady)
    GLIA_NAMED(cudaErrorSystemDriverMismatch)
    GLIA_NAMED(cudaErrorCompatNotSupportedOnDevice)
    GLIA_NAMED(cudaErrorStreamCaptureUnsupported)
    GLIA_NAMED(cudaErrorStreamCaptureInvalidated)
    GLIA_NAMED(cudaErrorStreamCaptureMerge)
    GLIA_NAMED(cudaErrorStreamCaptureUnmatched)
    GLIA_NAMED(cudaErrorStreamCaptureUnjoined)
    GLIA_NAMED(cudaErrorStreamCaptureIsolation)
    GLIA_NAMED(cudaErrorStreamCaptureImplicit)
    GLIA_NAMED(cudaErrorCapturedEvent)
    GLIA_NAMED(cudaErrorUnknown)
#undef GLIA_NAMED
    default:
      return "unrecognized error code";
  }
}

const char* cudaGetErrorString(cudaError_t error) { return cudaGetErrorName(error); }

}  // extern "C"
