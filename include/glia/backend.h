// Backend: what the host asks of a device. host/ and cuda/ meet here and at one factory function, and nowhere
// else.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/context.h>  // defines: ContextOptions
#include <glia/descriptors.h>
#include <glia/device.h>
#include <glia/in_use.h>
#include <glia/macros.h>
#include <glia/memory_report.h>  // defines: MemoryUse, MemoryReport
#include <glia/process_mark.h>
#include <glia/step_state.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace GLIA_API glia {

struct TensorWork;  // what tensors on a device compute; <glia/tensor_work.h>

/// The number a backend's library must answer with: raised whenever this header changes what a library must
/// do.
inline constexpr int backend_abi = 16;

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

/// Where each flat buffer starts on the device, which turns a View into an address, and which step state counts. Where `given` is
/// set, Sequence::run_given() names the rows, and what it points to is of Ops that were never told of any.
struct Bindings {
  std::array<std::byte*, buffer_count> base = {};
  std::vector<std::byte*> more_blocks = {};  ///< of parameters, behind the first
  StepState* state = nullptr;
  const Given* given = nullptr;

  template <class T = void>
  T* address(const View& view) const {
    if (!view) return nullptr;
    std::byte* const start = view.block == 0 ? base[static_cast<std::size_t>(view.buffer)]
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
  /// Of one that reads or writes sources and was prepared with Bindings::given: those of the runs to come. Allocates nothing.
  virtual void give(const Given&) {}
};

/// When an Op was begun and done, in seconds after its list was begun, and how much it launched.
struct OpTime {
  double begin = 0, end = 0;
  std::int64_t launches = 0;  ///< as BackendCounters has them
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
  /// Enqueues the list once for these rows, where it was prepared with Bindings::given: the same results. Neither allocates nor
  /// synchronises.
  virtual void run_given(const Given& given) {
    give(given);
    run_one_by_one();
  }
  /// Runs the list once, Op by Op, over the rows of the last give() where it was prepared for given ones: the same
  /// results. Waits, and allocates. Returns a time for each Op; none, having waited for nothing, where the application
  /// captures the stream.
  virtual std::vector<OpTime> run_timed() = 0;
  /// Of a list that was prepared with Bindings::given: the rows of the runs to come. Allocates nothing.
  void give(const Given& given) {
    for (const std::unique_ptr<Op>& op : ops_) op->give(given);
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
  /// Whether that is over; does not wait.
  virtual bool is_done() = 0;
  /// What the last start() read; waits for it.
  virtual const std::byte* wait() = 0;
};

/// An event of CUDA, as Backend::record() and wait_for() take it.
class OwnedEvent {
 public:
  virtual ~OwnedEvent() = default;
  void* get() const { return event_; }

 protected:
  void* event_ = nullptr;
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
  /// Kernels and calls of libraries that were launched, of captured graphs as they were captured; on the CPU slices.
  std::int64_t launches = 0;
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

  /// Unspecified contents; memory() tells what it is for. From the application's allocator where the context has one. Throws
  /// OutOfMemoryError.
  virtual std::unique_ptr<Memory> allocate(std::size_t bytes, MemoryUse use = MemoryUse::tensors) = 0;
  /// What is held of allocate(), reader(), staging() and prepare(). Neither synchronises nor allocates.
  virtual MemoryReport memory() const = 0;
  /// Ordered after the work enqueued before; the host memory may be reused when the call returns.
  virtual void upload(void* device_to, const void* host_from, std::size_t bytes) = 0;
  /// Waits for the work enqueued before.
  virtual void download(void* host_to, const void* device_from, std::size_t bytes) = 0;
  /// Copies within the device, in order.
  virtual void copy(void* device_to, const void* device_from, std::size_t bytes) = 0;
  /// Sets bytes to zero, in order.
  virtual void clear(void* device, std::size_t bytes) = 0;
  /// Waits for all the work enqueued before.
  virtual void synchronize() = 0;
  /// What is enqueued from now on waits for an event of CUDA; an event stands for all enqueued so far. Throws StateError
  /// where there are none.
  virtual void wait_for(void* event) = 0;
  virtual void record(void* event) = 0;
  /// A new one; null where there are none. Throws DeviceError.
  virtual std::unique_ptr<OwnedEvent> event() = 0;
  /// What is enqueued from now on goes to this stream of CUDA, or where none is given to that of the context, in order after what was
  /// enqueued before, unless either is being captured. Makes no call of CUDA where it is that already. Throws StateError where there are no streams, DeviceError for a stream of another device.
  virtual void enqueue_on(std::optional<void*> stream) = 0;
  /// Whether that stream is being captured just now.
  virtual bool is_captured() = 0;
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

  /// Enqueues what tensors on the device compute, at once and in order; it allocates what it needs on the way, and does not
  /// wait. Throws StateError on the CPU, whose tensors compute without a backend (host/tensor), and while the application
  /// captures its stream; OutOfMemoryError.
  virtual void compute(const TensorWork&) {
    throw StateError(
        "the CPU's backend was asked for what tensors of a GPU compute: call the functions of Tensor "
        "instead");
  }
  /// What is enqueued from now on waits for all that `other`, a context of the same device, enqueued so far. The host does not
  /// wait. On the CPU there is nothing to wait for.
  virtual void follow(Backend&) {}

  virtual BackendCounters counters() const = 0;

  /// Throws StateError in a child process of the one that made the context.
  detail::InUse& in_use() {
    if (!process_.is_here()) throw StateError(made_before_fork());
    return in_use_;
  }
  /// What StateError says to a thread that finds it held by another.
  static std::string in_use_elsewhere() {
    return "the context is in use by another thread: one thread at a time may use a context and the models, "
           "programs "
           "and tensors on it; give each thread a context of its own, or take turns with a std::mutex";
  }

 private:
  static std::string made_before_fork() {
    return "the context was made before fork(), and this is the child, which has none of its threads and may "
           "not use its device: make a context on the CPU and models in the child, or start another program "
           "(exec, posix_spawn)";
  }

  detail::InUse in_use_;
  detail::ProcessMark process_;
};

}  // namespace glia
