// Context: a device in use, with its threads or stream, memory and library handles.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/device.h>
#include <glia/macros.h>

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
};

/// A handle: copies share the device's state, which lives until the last is gone. There is no global one; a
/// model makes its own unless it is given one, and models that share one share its threads. One thread at a
/// time may use a context, its models and tensors among them: another gets a StateError.
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

 private:
  std::shared_ptr<Backend> backend_;
};

}  // namespace glia
