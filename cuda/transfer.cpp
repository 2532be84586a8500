// Copies between host and device: events tell when a page-locked buffer may be written again.
// SPDX-License-Identifier: Apache-2.0
#include <cuda/check.h>
#include <cuda/faults.h>
#include <cuda/transfer.h>

#include <algorithm>
#include <cstring>

namespace glia::cuda {

void Transfer::make_slots(std::size_t bytes) {
  const std::size_t wanted = std::min(bytes, slot_bytes);
  if (wanted <= capacity_) return;
  capacity_ = 0;
  for (Slot& slot : slots_) {
    if (!slot.done) slot.done = gpu_.event();
    slot.memory = gpu_.page_locked(wanted);
  }
  capacity_ = wanted;
}

void Transfer::upload(void* to, const void* from, std::size_t bytes) {
  make_slots(bytes);
  for (std::size_t at = 0; at < bytes; at += capacity_) {
    const std::size_t count = std::min(capacity_, bytes - at);
    const Slot& slot = slots_[next_++ % 2];
    if (!planted("host_buffer_reused_early")) gpu_.wait(slot.done);  // an event never recorded is over
    std::memcpy(slot.memory.data(), static_cast<const std::byte*>(from) + at, count);
    GLIA_CUDA(cudaMemcpyAsync(static_cast<std::byte*>(to) + at, slot.memory.data(), count,
                              cudaMemcpyHostToDevice, gpu_.stream()));
    GLIA_CUDA(cudaEventRecord(slot.done, gpu_.stream()));
  }
}

/// The piece before is taken out while the next one comes.
void Transfer::download(void* to, const void* from, std::size_t bytes) {
  make_slots(bytes);
  const auto take_out = [&](const Slot& slot, std::size_t at) {
    if (!planted("result_read_early")) gpu_.wait(slot.done);
    std::memcpy(static_cast<std::byte*>(to) + at, slot.memory.data(), std::min(capacity_, bytes - at));
  };
  const Slot* before = nullptr;
  std::size_t at = 0;
  for (; at < bytes; at += capacity_) {
    const Slot& slot = slots_[next_++ % 2];
    GLIA_CUDA(cudaMemcpyAsync(slot.memory.data(), static_cast<const std::byte*>(from) + at,
                              std::min(capacity_, bytes - at), cudaMemcpyDeviceToHost, gpu_.stream()));
    GLIA_CUDA(cudaEventRecord(slot.done, gpu_.stream()));
    if (before) take_out(*before, at - capacity_);
    before = &slot;
  }
  if (before) take_out(*before, at - capacity_);
}

namespace {

class CudaReader final : public Reader {
 public:
  CudaReader(Gpu& gpu, std::size_t bytes)
      : gpu_(gpu), bytes_(bytes), memory_(gpu.page_locked(bytes)), done_(gpu.event()) {}

  void start(const void* from) override {
    const CurrentDevice current(gpu_.index());
    GLIA_CUDA(cudaMemcpyAsync(memory_.data(), from, bytes_, cudaMemcpyDeviceToHost, gpu_.stream()));
    GLIA_CUDA(cudaEventRecord(done_, gpu_.stream()));
  }
  bool is_done() override {
    const CurrentDevice current(gpu_.index());
    return gpu_.is_over(done_);
  }
  const std::byte* wait() override {
    const CurrentDevice current(gpu_.index());
    gpu_.wait(done_);
    return memory_.data();
  }

 private:
  Gpu& gpu_;
  std::size_t bytes_;
  PageLocked memory_;
  Event done_;
};

/// The copies run on a stream of their own; events order them against the steps, both ways.
class CudaStaging final : public Staging {
 public:
  CudaStaging(Gpu& gpu, std::size_t bytes)
      : gpu_(gpu),
        page_locked_(gpu.page_locked(bytes)),
        memory_(gpu.allocate(bytes, MemoryUse::data)),
        free_(gpu.event()),
        sent_(gpu.event()) {
    host_ = page_locked_.data();
    device_ = memory_->data();
    GLIA_CUDA(cudaEventRecord(free_, gpu.stream()));  // after the allocation
  }
  /// Before the device memory goes, which the steps' stream frees: a copy may still write there.
  ~CudaStaging() override { gpu_.settle(); }

  void send(std::size_t bytes) override {
    const CurrentDevice current(gpu_.index());
    if (!planted("forgotten_event_before_copy"))
      GLIA_CUDA(cudaStreamWaitEvent(gpu_.copies(), free_, cudaEventWaitDefault));
    GLIA_CUDA(cudaMemcpyAsync(memory_->data(), host_, bytes, cudaMemcpyHostToDevice, gpu_.copies()));
    GLIA_CUDA(cudaEventRecord(sent_, gpu_.copies()));
    if (!planted("forgotten_event_after_copy"))
      GLIA_CUDA(cudaStreamWaitEvent(gpu_.stream(), sent_, cudaEventWaitDefault));
  }
  void reuse() override {
    const CurrentDevice current(gpu_.index());
    GLIA_CUDA(cudaEventRecord(free_, gpu_.stream()));
    gpu_.wait(sent_);
  }

 private:
  Gpu& gpu_;
  PageLocked page_locked_;
  std::unique_ptr<Memory> memory_;
  Event free_, sent_;
};

}  // namespace

std::unique_ptr<Reader> make_reader(Gpu& gpu, std::size_t bytes) {
  return std::make_unique<CudaReader>(gpu, bytes);
}
std::unique_ptr<Staging> make_staging(Gpu& gpu, std::size_t bytes) {
  return std::make_unique<CudaStaging>(gpu, bytes);
}

}  // namespace glia::cuda
