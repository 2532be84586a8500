// MemoryReport: how much memory a context holds, and what for.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/macros.h>

#include <cstdint>
#include <ostream>

namespace GLIA_API glia {

/// What memory of a context is for.
enum class MemoryUse {
  weights,
  gradients,
  optimizer,
  temporaries,
  states,
  data,
  tensors,
  workspaces,
  page_locked,
};
inline constexpr int memory_uses = static_cast<int>(MemoryUse::page_locked) + 1;

/// Bytes that a context holds, all its models and tensors together. What was asked for counts; an allocator
/// may round it up.
///
///     std::cout << context.memory();
///     if (context.memory().total() > budget) context.trim();
struct MemoryReport {
  std::int64_t weights = 0;
  std::int64_t gradients = 0;
  std::int64_t optimizer = 0;    ///< slots, and the table of what is updated
  std::int64_t temporaries = 0;  ///< of programs: each model's arena
  std::int64_t states = 0;       ///< step states; on the CPU also what they are read into
  std::int64_t data = 0;         ///< of a fit, evaluation or prediction: kept on the device, or staged for it
  std::int64_t tensors = 0;      ///< that lie in the context's memory: on a device, or what predict gave
  std::int64_t workspaces =
      0;  ///< of cuBLASLt, cuDNN and oneDNN, weights in their layouts, sums of parts, masks
  std::int64_t page_locked = 0;  ///< CUDA: of the host, for copies and staged data
  std::int64_t kept = 0;  ///< CUDA: what the context's own pool keeps for reuse, which trim() gives back

  std::int64_t total() const {
    return weights + gradients + optimizer + temporaries + states + data + tensors + workspaces +
           page_locked + kept;
  }
  friend bool operator==(const MemoryReport&, const MemoryReport&) = default;
};

/// A line for each that is not 0, in bytes, and the total.
std::ostream& operator<<(std::ostream& out, const MemoryReport& report);

}  // namespace glia
