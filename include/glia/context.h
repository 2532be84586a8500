// Context: a device in use, with its threads or stream, memory and library handles.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/device.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace glia {

class Backend;

struct ContextOptions {
  Device device = "auto";
  int threads = 0;         ///< CPU threads that compute; 0: one for each core. Results do not depend on it.
  void* stream = nullptr;  ///< CUDA: the application's cudaStream_t; null: a stream of Glia's own
  /// CUDA: only what gives the same bits in every run. Without it cuDNN may take algorithms that add in an order of chance,
  /// where it thinks them faster; the CPU's bits are always the same.
  bool deterministic = true;
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

 private:
  std::shared_ptr<Backend> backend_;
};

}  // namespace glia
