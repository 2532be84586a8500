// Context: a device in use, with its threads or stream, memory and library handles.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/allocator.h>
#include <glia/device.h>
#include <glia/macros.h>
#include <glia/memory_report.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace GLIA_API glia {

class Backend;

struct ContextOptions {
  Device device = "auto";
  int threads = 0;  ///< CPU threads that compute; 0: one for each core. Results do not depend on it.
  /// CUDA: the application's cudaStream_t, on which all work is enqueued: nullptr and 1 are the legacy default stream, 2 the
  /// calling thread's, as CUDA has it. Unless given a stream of Glia's own.
  std::optional<void*> stream = {};
  /// CUDA: only what gives the same bits in every run. Without it cuDNN may take algorithms that add in an order of chance,
  /// where it thinks them faster; the CPU's bits are always the same.
  bool deterministic = true;
  /// CUDA: NaN passes a ReLU, as it does on the CPU and in Keras, so that a diverged training shows. Without it a library's own
  /// ReLU, which may make 0 of NaN, is used in any case: fewer kernels a step where it does.
  bool propagate_nan = true;
  /// Gives all the memory that Glia allocates for the context; without it the host's heap, or a pool of the context's own.
  std::shared_ptr<Allocator> allocator = {};
  /// CUDA: the most bytes that a product or a convolution may take to work in: those from cuBLASLt (whose products share
  /// them), from cuDNN for a convolution, and for the products of the pieces of a long k. 0 is Glia's choice: 4 MiB, or 32
  /// from compute capability 9.0 on; as much as a convolution's operands and a quarter more, 64 MiB at least; 32 MiB. With
  /// less, libraries have slower algorithms or none, long k is summed less exactly, and bits may be others.
  std::size_t workspace_limit = 0;
};

/// A handle: copies share the device's state, which lives until the last is gone. There is no global one; a
/// model makes its own unless it is given one, and models that share one share its threads. One thread at a
/// time may use a context, its models and tensors among them: another gets a StateError. So does a child process
/// of fork(); it can destroy what it inherits, and make contexts of its own on the CPU, and on CUDA if nobody had
/// asked for CUDA before the fork. A GPU that is lost to an error (such as an illegal address in a kernel) is told
/// once with that error; every later call on that device is a DeviceError at once, until the process is started
/// again. Other devices go on.
///
///     glia::Context context({.device = "cpu", .threads = 2});
///     model.compile({.loss = "mse", .context = context});
class Context {
 public:
  /// Starts the device. Throws DeviceError, with the reason, where a device asked for by name cannot be had.
  explicit Context(const ContextOptions& options = {});

  Device device() const;
  /// Threads that compute (1 on a GPU).
  int threads() const;
  /// Versions of what computes: {"glia", "0.1.0"}, {"oneDNN", "2.6.3"}, {"instruction set", "x86-64-v4"}, ...
  std::vector<std::pair<std::string, std::string>> versions() const;
  Backend& backend() const { return *backend_; }

  /// CUDA: what this context enqueues from now on waits for `event`, a cudaEvent_t that another stream recorded. The host does
  /// not wait, and nothing is allocated. Throws StateError on the CPU, where every call returns when its work is done,
  /// ValueError for a null event, DeviceError for one that CUDA refuses.
  void wait(void* event) const;
  /// CUDA: `event`, a cudaEvent_t, stands for all that this context enqueued so far. The rest as wait().
  void record(void* event) const;
  /// Waits for all work, and gives memory that was kept for later models and tensors back to the device; on the CPU none is
  /// kept. Throws StateError while the application captures its stream.
  void trim() const;
  /// What it holds, and for what. With an allocator the total is what that has given out. Neither synchronises nor allocates.
  MemoryReport memory() const;

 private:
  std::shared_ptr<Backend> backend_;
};

}  // namespace glia
