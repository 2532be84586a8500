// Backend: what the host asks of a device. host/ and cuda/ meet here and at one factory function, and nowhere
// else.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/context.h>  // defines: ContextOptions
#include <glia/descriptors.h>
#include <glia/device.h>
#include <glia/in_use.h>
#include <glia/macros.h>
#include <glia/step_state.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace GLIA_API glia {

/// The number a backend's library must answer with: raised whenever this header changes what a library must
/// do.
inline constexpr int backend_abi = 12;

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

/// Where each flat buffer starts on the device, which turns a View into an address, and which step state counts.
struct Bindings {
  std::array<std::byte*, buffer_count> base = {};
  std::vector<std::byte*> more_blocks = {};  ///< of parameters, behind the first
  StepState* state = nullptr;

  template <class T = void>
  T* address(const View& view) const {
    if (!view) return nullptr;
    std::byte* const start = view.block == 0 ? base[static_cast<int>(view.buffer)]
                                             : more_blocks[static_cast<std::size_t>(view.block - 1)];
    return reinterpret_cast<T*>(start + view.offset);
  }
};

/// A prepared descriptor: every choice is made. It keeps the addresses it was prepared with.
class Op {
 public:
  virtual ~Op() = default;
  /// Launches the work, in order after what was launched before. Neither allocates nor synchronises.
  virtual void run() = 0;
  /// How it will be done ("oneDNN 4 slices"), for explain().
  virtual std::string algorithm() const = 0;
  /// What a user should know of that, such as that it will be slow and why; mostly nothing.
  virtual std::string warning() const { return {}; }
};

/// A list of Ops that is run as one: on a GPU a captured graph.
class Sequence {
 public:
  explicit Sequence(std::vector<std::unique_ptr<Op>> ops) : ops_(std::move(ops)) {}
  virtual ~Sequence() = default;
  Sequence(const Sequence&) = delete;
  Sequence& operator=(const Sequence&) = delete;

  /// Enqueues the whole list `times` times. Neither synchronises nor, once it has run as often, allocates.
  virtual void run(std::int64_t times) = 0;
  /// Enqueues the list once, Op by Op: the same results.
  virtual void run_one_by_one() {
    for (const std::unique_ptr<Op>& op : ops_) op->run();
  }
  /// One for each descriptor.
  const std::vector<std::unique_ptr<Op>>& ops() const { return ops_; }

 private:
  std::vector<std::unique_ptr<Op>> ops_;
};

/// Device memory read without holding up the device.
class Reader {
 public:
  virtual ~Reader() = default;
  /// Enqueues the read, in order after what was enqueued before. Neither allocates nor waits.
  virtual void start(const void* device_from) = 0;
  /// What the last start() read; waits for it.
  virtual const std::byte* wait() = 0;
};

/// Memory that the host fills for steps to read: two of them are the double buffers of a stream of data.
class Staging {
 public:
  virtual ~Staging() = default;
  /// Where the host writes. Any thread may, between reuse() and send().
  std::byte* host() const { return host_; }
  /// Where steps read; the same memory on the CPU.
  const std::byte* device() const { return device_; }
  /// Starts copying the first `bytes` to the device beside the steps that run; steps enqueued from now on wait for them.
  virtual void send(std::size_t bytes) = 0;
  /// To be called when the last step that reads what was sent is enqueued: waits until the host may write again.
  virtual void reuse() = 0;

 protected:
  std::byte* host_ = nullptr;
  std::byte* device_ = nullptr;
};

/// What a backend did, for tests: a step may raise none of these. A download is a synchronisation too.
struct BackendCounters {
  std::int64_t allocations = 0;
  std::int64_t synchronizations = 0;
};

/// A device with its stream, allocator, handles and workspace. Not thread-safe: one thread at a time, which those who call
/// hold in_use() for.
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
  /// What is enqueued from now on waits for an event of CUDA; an event stands for all enqueued so far. Throws StateError
  /// where there are none.
  virtual void wait_for(void* event) = 0;
  virtual void record(void* event) = 0;
  /// Waits, and gives back the memory that is kept for reuse.
  virtual void trim() = 0;
  /// Throws OutOfMemoryError.
  virtual std::unique_ptr<Reader> reader(std::size_t bytes) = 0;
  /// Throws OutOfMemoryError.
  virtual std::unique_ptr<Staging> staging(std::size_t bytes) = 0;

  /// Whether prepare() takes this product, a Matmul or a convolution to float32, with bfloat16 factors, because the
  /// device multiplies those itself.
  virtual bool multiplies_bfloat16(const Descriptor& product) = 0;
  /// Settles algorithms, workspace and library objects for each descriptor. Throws ShapeError or ValueError
  /// for one that it cannot do, naming it.
  virtual std::unique_ptr<Sequence> prepare(const std::vector<Descriptor>& descriptors,
                                            const Bindings& bindings) = 0;

  virtual BackendCounters counters() const = 0;

  detail::InUse& in_use() { return in_use_; }
  /// What StateError says to a thread that finds it held by another.
  static std::string in_use_elsewhere() {
    return "the context is in use by another thread: one thread at a time may use a context and the models, "
           "programs "
           "and tensors on it; give each thread a context of its own, or take turns with a std::mutex";
  }

 private:
  detail::InUse in_use_;
};

}  // namespace glia
