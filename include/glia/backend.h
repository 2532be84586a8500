// Backend: what the host asks of a device. host/ and cuda/ meet here and at one factory function, and nowhere
// else.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/context.h>  // defines: ContextOptions
#include <glia/descriptors.h>
#include <glia/device.h>
#include <glia/step_state.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace glia {

/// The number a backend's library must answer with: raised whenever this header changes what a library must
/// do.
inline constexpr int backend_abi = 1;

/// An owned allocation on a device, at least tensor_alignment aligned.
class Memory {
 public:
  virtual ~Memory() = default;
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;

  std::byte* data() const { return data_; }
  std::size_t bytes() const { return bytes_; }

 protected:
  Memory(std::byte* data, std::size_t bytes) : data_(data), bytes_(bytes) {}

  std::byte* data_;
  std::size_t bytes_;
};

/// Where each flat buffer starts on the device: what turns a View into an address.
struct Bindings {
  std::array<std::byte*, buffer_count> base = {};

  template <class T = void>
  T* address(const View& view) const {
    if (!view) return nullptr;
    return reinterpret_cast<T*>(base[static_cast<int>(view.buffer)] + view.offset);
  }
  StepState* state() const { return reinterpret_cast<StepState*>(base[static_cast<int>(Buffer::state)]); }
};

/// A prepared descriptor: every choice is made. It keeps the addresses it was prepared with.
class Op {
 public:
  virtual ~Op() = default;
  /// Launches the work, in order after what was launched before. Neither allocates nor synchronises.
  virtual void run() = 0;
  /// How it will be done ("oneDNN 4 slices"), for explain().
  virtual std::string algorithm() const = 0;
};

/// A list of Ops that is run as one: on a GPU a captured graph.
class Sequence {
 public:
  virtual ~Sequence() = default;
  /// Enqueues the whole list `times` times. Neither allocates nor synchronises.
  virtual void run(std::int64_t times) = 0;
};

/// What a backend did, for tests: a step may raise none of these. A download is a synchronisation too.
struct BackendCounters {
  std::int64_t allocations = 0;
  std::int64_t synchronizations = 0;
};

/// A device with its stream, allocator, handles and workspace. Not thread-safe: one thread at a time.
class Backend {
 public:
  virtual ~Backend() = default;
  Backend() = default;
  Backend(const Backend&) = delete;
  Backend& operator=(const Backend&) = delete;

  virtual Device device() const = 0;
  /// Names and versions of what computes: {"oneDNN", "2.6.3"}, ...
  virtual std::vector<std::pair<std::string, std::string>> versions() const = 0;
  /// Host threads that compute; 1 on a GPU.
  virtual int threads() const = 0;

  /// Unspecified contents. Throws OutOfMemoryError.
  virtual std::unique_ptr<Memory> allocate(std::size_t bytes) = 0;
  /// Ordered after the work enqueued before; the host memory may be reused when the call returns.
  virtual void upload(void* device_to, const void* host_from, std::size_t bytes) = 0;
  /// Waits for the work enqueued before.
  virtual void download(void* host_to, const void* device_from, std::size_t bytes) = 0;
  /// Sets bytes to zero, in order.
  virtual void clear(void* device, std::size_t bytes) = 0;
  /// Waits for all the work enqueued before.
  virtual void synchronize() = 0;

  /// Settles algorithms, workspace and library objects for one descriptor. Throws ShapeError or ValueError
  /// for one that it cannot do, naming it.
  virtual std::unique_ptr<Op> prepare(const Descriptor& descriptor, const Bindings& bindings) = 0;
  /// The Ops must outlive the Sequence.
  virtual std::unique_ptr<Sequence> sequence(const std::vector<Op*>& ops) = 0;

  virtual BackendCounters counters() const = 0;
};

}  // namespace glia
