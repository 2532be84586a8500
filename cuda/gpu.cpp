// Gpu: streams, pool, capture.
// SPDX-License-Identifier: Apache-2.0
#include <cuda/check.h>
#include <cuda/gpu.h>
#include <cuda/log.h>
#include <cuda/ranges.h>

#include <cstdint>
#include <limits>

namespace glia::cuda {
namespace {

int attribute(int device, cudaDeviceAttr which) {
  int value = 0;
  GLIA_CUDA(cudaDeviceGetAttribute(&value, which, device));
  return value;
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

class GpuMemory final : public Memory {
 public:
  GpuMemory(std::byte* data, std::size_t bytes, const Gpu& gpu) : Memory(data, bytes), gpu_(gpu) {}
  ~GpuMemory() override {
    if (data_) gpu_.free(data_);
  }

 private:
  const Gpu& gpu_;
};

}  // namespace

Gpu::Gpu(int index, std::optional<void*> stream)
    : index_(index),
      own_stream_(stream ? Stream() : make_stream()),
      copies_(make_stream()),
      recorded_(make_stream()),
      home_(stream ? static_cast<cudaStream_t>(*stream) : static_cast<cudaStream_t>(own_stream_)),
      stream_(home_),
      target_(home_),
      pool_(make_pool(index)),
      compute_capability_(10 * attribute(index, cudaDevAttrComputeCapabilityMajor) +
                          attribute(index, cudaDevAttrComputeCapabilityMinor)),
      most_blocks_(8u * static_cast<unsigned>(attribute(index, cudaDevAttrMultiProcessorCount))),
      launches_in_ranges_(GLIA_HAS_NVTX && ranges_are_asked_for()) {}

PageLocked::PageLocked(Gpu& gpu, std::size_t bytes) : gpu_(&gpu) {
  GLIA_CUDA(cudaMallocHost(data_.made_here(), bytes > 0 ? bytes : 1));
}

PageLocked::~PageLocked() {
  if (data_) gpu_->settle();
}

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
  if (!cuda::is_captured(wanted) && !is_captured()) {
    if (!switched_) switched_ = event();
    GLIA_CUDA(cudaEventRecord(switched_, stream_));
    GLIA_CUDA(cudaStreamWaitEvent(wanted, switched_, cudaEventWaitDefault));
  }
  stream_ = target_ = wanted;
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
  return pool_ ? cudaMallocFromPoolAsync(data, bytes, pool_, stream_) : cudaMalloc(data, bytes);
}

/// cudaFree waits for the whole device first.
void Gpu::free(std::byte* data) const noexcept {
  try {
    const CurrentDevice current(index_);
    static_cast<void>(pool_ ? cudaFreeAsync(data, stream_) : cudaFree(data));
  } catch (const Error&) {  // CUDA is gone, or the device lost: there is nothing to free
  }
}

std::size_t Gpu::free_bytes() const {
  std::size_t free = 0, all = 0;
  GLIA_CUDA(cudaMemGetInfo(&free, &all));
  return free;
}

std::unique_ptr<Memory> Gpu::allocate(std::size_t bytes) {
  ++counters_.allocations;
  void* data = nullptr;
  if (bytes > 0) {
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
  }
  return std::make_unique<GpuMemory>(static_cast<std::byte*>(data), bytes, *this);
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
  try {
    const CurrentDevice current(index_);
    const Event done = event();
    for (const cudaStream_t stream : {static_cast<cudaStream_t>(copies_), stream_}) {
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

ExecutableGraph Gpu::instantiated(const Graph& graph) {
  ExecutableGraph executable;
  GLIA_CUDA(cudaGraphInstantiate(executable.made_here(), graph, 0));
  return executable;
}

Gpu::Recording::~Recording() {
  if (!recording_) return;
  gpu_.target_ = gpu_.stream_;
  Graph broken;
  static_cast<void>(cudaStreamEndCapture(gpu_.recorded_, broken.made_here()));
  static_cast<void>(cudaGetLastError());
}

}  // namespace glia::cuda
