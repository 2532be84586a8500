// Gpu: streams, pool, capture.
// SPDX-License-Identifier: Apache-2.0
#include <cuda/check.h>
#include <cuda/gpu.h>
#include <cuda/log.h>
#include <cuda/lost.h>
#include <cuda/ranges.h>

#include <algorithm>
#include <cstdint>
#include <limits>

namespace glia::cuda {
namespace {

int attribute(int device, cudaDeviceAttr which) {
  int value = 0;
  GLIA_CUDA(cudaDeviceGetAttribute(&value, which, device));
  return value;
}

int device_count() {
  int count = 0;
  GLIA_CUDA(cudaGetDeviceCount(&count));
  return count;
}

Stream make_stream() {
  Stream stream;
  // Not blocking: work of the application on stream 0 does not order ours.
  GLIA_CUDA(cudaStreamCreateWithFlags(stream.made_here(), cudaStreamNonBlocking));
  return stream;
}

/// A pool that keeps what is freed, so that models which come and go do not pay the driver.
Pool make_pool(int device) {
  if (attribute(device, cudaDevAttrMemoryPoolsSupported) == 0) return {};
  cudaMemPoolProps properties = {};
  properties.allocType = cudaMemAllocationTypePinned;
  properties.location.type = cudaMemLocationTypeDevice;
  properties.location.id = device;
  Pool pool;
  GLIA_CUDA(cudaMemPoolCreate(pool.made_here(), &properties));
  std::uint64_t all = std::numeric_limits<std::uint64_t>::max();
  GLIA_CUDA(cudaMemPoolSetAttribute(pool, cudaMemPoolAttrReleaseThreshold, &all));
  return pool;
}

/// The device on which something is made from now on.
Origin current_origin() {
  Origin origin;
  origin.remember();
  return origin;
}

}  // namespace

Gpu::Gpu(const ContextOptions& options)
    : index_(options.device.index()),
      allocator_(options.allocator),
      workspace_limit_(options.workspace_limit > 0 ? options.workspace_limit
                                                   : std::numeric_limits<std::size_t>::max()),
      here_(current_origin()),
      is_only_device_(device_count() == 1),
      own_stream_(options.stream ? Stream() : make_stream()),
      copies_(make_stream()),
      recorded_(make_stream()),
      home_(options.stream ? static_cast<cudaStream_t>(*options.stream)
                           : static_cast<cudaStream_t>(own_stream_)),
      stream_(home_),
      target_(home_),
      pool_(allocator_ ? Pool() : make_pool(index_)),
      compute_capability_(10 * attribute(index_, cudaDevAttrComputeCapabilityMajor) +
                          attribute(index_, cudaDevAttrComputeCapabilityMinor)),
      most_blocks_(8u * static_cast<unsigned>(attribute(index_, cudaDevAttrMultiProcessorCount))),
      launches_in_ranges_(GLIA_HAS_NVTX && ranges_are_asked_for()) {}

PageLocked::PageLocked(Gpu& gpu, std::size_t bytes)
    : gpu_(&gpu), data_(gpu.take_page_locked(bytes)), bytes_(bytes) {}

PageLocked::~PageLocked() {
  if (!data_) return;
  gpu_->settle();
  gpu_->give_back_page_locked(data_, bytes_);
}

class Gpu::DeviceMemory final : public Memory {
 public:
  DeviceMemory(Gpu& gpu, std::size_t bytes, MemoryUse use)
      : Memory(bytes > 0 ? gpu.take(bytes) : nullptr, bytes), gpu_(gpu), use_(use) {
    gpu_.held_.add(use, bytes);
  }
  ~DeviceMemory() override {
    gpu_.held_.remove(use_, bytes_);
    if (data_) gpu_.give_back(data_, bytes_);
  }

 private:
  Gpu& gpu_;
  MemoryUse use_;
};

/// No work may be left that uses the pool.
Gpu::~Gpu() { settle(); }

namespace {

/// Throws where a stream is another device's.
void expect_here(cudaStream_t stream, int index) {
#if CUDART_VERSION >= 12080  // before, nothing tells: launching fails
  int device = index;
  GLIA_CUDA(cudaStreamGetDevice(stream, &device));
  GLIA_CHECK(device == index, DeviceError, "got a stream of cuda:", device, ", expected one of cuda:", index,
             ", where the weights are: make it while that device is current");
#endif
}

bool is_captured(cudaStream_t stream) {
  cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
  GLIA_CUDA(cudaStreamIsCapturing(stream, &status));
  return status != cudaStreamCaptureStatusNone;
}

}  // namespace

bool Gpu::application_captures() const { return stream_ != own_stream_ && is_captured(); }
bool Gpu::is_captured() const { return cuda::is_captured(stream_); }

void Gpu::enqueue_on(std::optional<void*> stream) {
  if (is_on(stream)) return;
  const cudaStream_t wanted = stream_of(stream);
  expect_here(wanted, index_);
  if (!switched_) switched_ = event();
  order(stream_, wanted, switched_);
  stream_ = target_ = wanted;
}

void Gpu::order(cudaStream_t first, cudaStream_t second, const Event& between) {
  if (cuda::is_captured(first) || cuda::is_captured(second)) return;
  GLIA_CUDA(cudaEventRecord(between, first));
  GLIA_CUDA(cudaStreamWaitEvent(second, between, cudaEventWaitDefault));
}

void Gpu::expect_no_capture(const char* what) const {
  GLIA_CHECK(!application_captures(), StateError, what,
             " while the application's stream is being captured, which takes ",
             "nothing but steps that are prepared: build first (model.program(mode, batch_size)), then "
             "capture what runs it");
}

void Gpu::trim() {
  wait();
  if (pool_) GLIA_CUDA(cudaMemPoolTrimTo(pool_, 0));
}

cudaError_t Gpu::allocate(void** data, std::size_t bytes) const {
  return pool_ ? cudaMallocFromPoolAsync(data, bytes, pool_, home_) : cudaMalloc(data, bytes);
}

/// In the order of the context's own stream, on which it was allocated: a call's stream may be being captured, or gone by the
/// time that the allocator hears of it. cudaFree waits for the whole device first. Of a lost device there is nothing left but the
/// application's books.
void Gpu::give_back(std::byte* data, std::size_t bytes) noexcept {
  here_.destroy([&] {
    const bool is_lost = LostDevices::error_of(index_) != cudaSuccess;
    if (const cudaStream_t last = stream_; last != home_ && !is_lost) try {
        order(last, home_, event());
      } catch (const Error&) {  // of a device that is lost only now
      }
    if (allocator_)
      allocator_->free(data, bytes, MemorySpace::device, home_);
    else if (!is_lost)
      static_cast<void>(pool_ ? cudaFreeAsync(data, home_) : cudaFree(data));
  });
}

std::byte* Gpu::take_page_locked(std::size_t bytes) {
  const std::size_t wanted = std::max<std::size_t>(bytes, 1);
  void* data = nullptr;
  if (allocator_)
    data = detail::allocate_by(*allocator_, wanted, MemorySpace::page_locked, nullptr);
  else
    GLIA_CUDA(cudaMallocHost(&data, wanted));
  held_.add(MemoryUse::page_locked, wanted);
  return static_cast<std::byte*>(data);
}

void Gpu::give_back_page_locked(std::byte* data, std::size_t bytes) noexcept {
  const std::size_t taken = std::max<std::size_t>(bytes, 1);
  held_.remove(MemoryUse::page_locked, taken);
  here_.destroy([&] {
    if (allocator_)
      allocator_->free(data, taken, MemorySpace::page_locked, nullptr);
    else
      static_cast<void>(cudaFreeHost(data));
  });
}

MemoryReport Gpu::memory() const {
  MemoryReport report = held_.report();
  if (!pool_) return report;
  std::uint64_t reserved = 0, used = 0;
  GLIA_CUDA(cudaMemPoolGetAttribute(pool_, cudaMemPoolAttrReservedMemCurrent, &reserved));
  GLIA_CUDA(cudaMemPoolGetAttribute(pool_, cudaMemPoolAttrUsedMemCurrent, &used));
  report.kept = static_cast<std::int64_t>(reserved - std::min(reserved, used));
  return report;
}

std::size_t Gpu::free_bytes() const {
  if (allocator_) return std::numeric_limits<std::size_t>::max();
  std::size_t free = 0, all = 0;
  GLIA_CUDA(cudaMemGetInfo(&free, &all));
  return free;
}

std::byte* Gpu::take(std::size_t bytes) {
  if (stream_ != home_) enqueue_on({});  // where memory is had; the call that wants it goes on there
  if (allocator_) return detail::allocate_by(*allocator_, bytes, MemorySpace::device, home_);
  void* data = nullptr;
  cudaError_t error = allocate(&data, bytes);
  if (error == cudaErrorMemoryAllocation) {
    static_cast<void>(cudaGetLastError());
    log(LogLevel::info, "GPU ", index_, " has no ", bytes,
        " bytes of memory left: what was kept for reuse is given back, and they are asked for again");
    trim();  // after what is being freed
    error = allocate(&data, bytes);
  }
  if (error == cudaErrorMemoryAllocation) {
    static_cast<void>(cudaGetLastError());
    throw OutOfMemoryError(
        detail::concat("GPU ", index_, " has no ", bytes,
                       " bytes of memory left: use smaller batches, a memory_budget for fit, "
                       "or free other tensors and models first"));
  }
  check(error, pool_ ? "cudaMallocFromPoolAsync" : "cudaMalloc");
  return static_cast<std::byte*>(data);
}

std::unique_ptr<Memory> Gpu::allocate(std::size_t bytes, MemoryUse use) {
  ++counters_.allocations;
  return std::make_unique<DeviceMemory>(*this, bytes, use);
}

PageLocked Gpu::page_locked(std::size_t bytes) {
  ++counters_.allocations;
  return PageLocked(*this, bytes);
}

Event Gpu::event() const {
  Event event;
  GLIA_CUDA(cudaEventCreateWithFlags(event.made_here(), cudaEventDisableTiming));
  return event;
}

Event Gpu::timed_event() const {
  Event event;
  GLIA_CUDA(cudaEventCreateWithFlags(event.made_here(), cudaEventDefault));
  return event;
}

void Gpu::wait() {
  const Event done = event();
  GLIA_CUDA(cudaEventRecord(done, stream_));
  wait(done);
}

void Gpu::wait(const Event& event) {
  ++counters_.synchronizations;
  GLIA_CUDA(cudaEventSynchronize(event));
}

bool Gpu::is_over(const Event& event) {
  const cudaError_t error = cudaEventQuery(event);
  if (error == cudaErrorNotReady) return false;
  GLIA_CUDA(error);
  return true;
}

void Gpu::settle() noexcept {
  if (!here_.can_be_reached()) return;
  try {
    const CurrentDevice current(index_);
    const Event done = event();
    for (const cudaStream_t stream : {static_cast<cudaStream_t>(copies_), stream_.load()}) {
      GLIA_CUDA(cudaEventRecord(done, stream));
      GLIA_CUDA(cudaEventSynchronize(done));
    }
  } catch (const Error&) {  // a lost device has nothing left to wait for
  }
}

Gpu::Recording::Recording(Gpu& gpu) : gpu_(gpu) {
  // Thread-local: another thread of the application may allocate meanwhile.
  GLIA_CUDA(cudaStreamBeginCapture(gpu.recorded_, cudaStreamCaptureModeThreadLocal));
  gpu.target_ = gpu.recorded_;
}

Graph Gpu::Recording::finish() {
  recording_ = false;
  gpu_.target_ = gpu_.stream_;
  Graph graph;
  GLIA_CUDA(cudaStreamEndCapture(gpu_.recorded_, graph.made_here()));
  return graph;
}

Gpu::Recording::~Recording() {
  if (!recording_) return;
  gpu_.target_ = gpu_.stream_;
  Graph broken;
  static_cast<void>(cudaStreamEndCapture(gpu_.recorded_, broken.made_here()));
  static_cast<void>(cudaGetLastError());
}

}  // namespace glia::cuda
