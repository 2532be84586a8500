// Gpu: what all parts of the backend share of one device: its streams, its memory pool, and what it can do.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cuda/current_device.h>
#include <cuda/handle.h>
#include <glia/backend.h>  // defines: Memory, BackendCounters
#include <glia/held_memory.h>

#include <atomic>
#include <cstddef>
#include <memory>
#include <optional>
#include <utility>

namespace glia::cuda {

class Gpu;

/// Page-locked memory of the host. Before it goes, all work is waited for: a copy may be under way whose event an error
/// kept from being recorded.
class PageLocked {
 public:
  PageLocked() = default;
  PageLocked(Gpu& gpu, std::size_t bytes);
  ~PageLocked();
  PageLocked(PageLocked&& other) noexcept { *this = std::move(other); }
  PageLocked& operator=(PageLocked&& other) noexcept {
    std::swap(gpu_, other.gpu_), std::swap(data_, other.data_), std::swap(bytes_, other.bytes_);
    return *this;
  }
  std::byte* data() const { return data_; }

 private:
  Gpu* gpu_ = nullptr;
  std::byte* data_ = nullptr;
  std::size_t bytes_ = 0;
};

/// A device, with one stream that all work is in order on. It is never synchronised, since it may be the
/// application's: the host waits for events.
class Gpu {
 public:
  /// On the application's stream, or one of our own; with memory of the application's, or of a pool.
  explicit Gpu(const ContextOptions& options);
  ~Gpu();
  Gpu(const Gpu&) = delete;
  Gpu& operator=(const Gpu&) = delete;

  int index() const { return index_; }
  /// Whether the machine has this device alone, so that it is current whoever calls.
  bool is_only_device() const { return is_only_device_; }
  /// What work is enqueued on: the context's stream, but for what a call gives another.
  cudaStream_t stream() const { return stream_; }
  /// Enqueues on this stream from now on, or on the context's, in order after what was enqueued on the one before, unless either
  /// is being captured. Throws DeviceError for one of another device.
  void enqueue_on(std::optional<void*> stream);
  bool is_on(std::optional<void*> stream) const { return stream_ == stream_of(stream); }
  bool is_captured() const;
  /// A second stream, for copies beside the work.
  cudaStream_t copies() const { return copies_; }
  /// Where Ops launch: stream(), or the one that a Recording captures.
  cudaStream_t target() const { return target_; }
  /// Whether the application captures the stream just now.
  bool application_captures() const;
  /// Throws StateError where it does, for `what`, which cannot be part of a graph.
  void expect_no_capture(const char* what) const;

  /// Whether the user wants every step launched Op by Op, in ranges for tools: asked when the context is made.
  bool launches_in_ranges() const { return launches_in_ranges_; }
  int compute_capability() const { return compute_capability_; }  ///< major * 10 + minor
  unsigned most_blocks() const { return most_blocks_; }           ///< of a launch whose blocks take turns

  /// From the application's allocator or the pool, in order; contents unspecified. Before it throws OutOfMemoryError it gives
  /// back what the pool keeps and tries again.
  std::unique_ptr<Memory> allocate(std::size_t bytes, MemoryUse use = MemoryUse::workspaces);
  PageLocked page_locked(std::size_t bytes);
  /// What is held, and kept by the pool.
  MemoryReport memory() const;
  /// Of the device, just now; no limit where the application allocates, who may keep more.
  std::size_t free_bytes() const;
  /// Bytes that a library may work in, at most (ContextOptions).
  std::size_t workspace_limit() const { return workspace_limit_; }
  Event event() const;
  /// One that also keeps the time.
  Event timed_event() const;
  /// Gives what the pool keeps back to the device.
  void trim();
  /// The host waits for all work so far.
  void wait();
  /// The host waits for an event.
  void wait(const Event& event);
  /// Whether it is over.
  static bool is_over(const Event& event);
  /// The host waits for all work on both streams; errors are for others to find. For destructors.
  void settle() noexcept;

  const BackendCounters& counters() const { return counters_; }
  /// To be said by whatever launches on target().
  void count_launch() const { ++counters_.launches; }

  /// While it lives, Ops are captured, not run.
  class Recording {
   public:
    explicit Recording(Gpu& gpu);
    /// Ends a capture that an exception broke off.
    ~Recording();
    /// What was captured.
    Graph finish();

   private:
    Gpu& gpu_;
    bool recording_ = true;
  };

 private:
  class DeviceMemory;
  friend class PageLocked;
  std::byte* take(std::size_t bytes);
  void give_back(std::byte* data, std::size_t bytes) noexcept;
  std::byte* take_page_locked(std::size_t bytes);
  void give_back_page_locked(std::byte* data, std::size_t bytes) noexcept;
  cudaError_t allocate(void** data, std::size_t bytes) const;
  /// What is enqueued on `second` from now on comes after what is on `first`, unless either is being captured.
  static void order(cudaStream_t first, cudaStream_t second, const Event& between);
  cudaStream_t stream_of(std::optional<void*> stream) const {
    return stream ? static_cast<cudaStream_t>(*stream) : home_;
  }

  int index_;
  std::shared_ptr<Allocator> allocator_;
  std::size_t workspace_limit_;
  Origin here_;
  bool is_only_device_;
  detail::HeldMemory held_;
  Stream own_stream_, copies_, recorded_;
  const cudaStream_t home_;           ///< the context's
  std::atomic<cudaStream_t> stream_;  ///< of a call; memory is freed by whichever thread
  cudaStream_t target_;
  Event switched_;  ///< the end of what was enqueued on the stream before
  /// None where the device has no pools, as shares of one may (plain allocations then), or the application allocates.
  Pool pool_;
  int compute_capability_ = 0;
  unsigned most_blocks_ = 0;
  bool launches_in_ranges_;
  mutable BackendCounters counters_;
};

}  // namespace glia::cuda
