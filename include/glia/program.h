// Program: a model compiled for one mode and batch size. A list of Ops, and the arena their temporaries
// share.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/backend.h>
#include <glia/macros.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace GLIA_API glia {

/// What a Program does with a batch.
enum class Mode {
  train,     ///< forward, loss, gradients, update
  update,    ///< update, by gradients that are there
  gradient,  ///< forward, loss, gradients
  validate,  ///< forward, loss
  infer,     ///< forward, outputs stored
};

const char* name_of(Mode mode);

/// An Op in words and numbers.
struct OpOutline {
  std::string layer;      ///< whose it is: "dense", "block/dense", "loss"; empty where nobody said
  std::string name;       ///< "Matmul"
  std::string words;      ///< "(32, 784) x (784, 128) + bias, relu"
  std::string algorithm;  ///< "oneDNN gemm:jit, 4 slices"
  /// What a call must at least read and write, and compute: of products and convolutions two operations for each
  /// multiply-add, padding included; of the rest few for each element, a function such as an exponential being one.
  std::int64_t bytes = 0, flops = 0;

  friend bool operator==(const OpOutline&, const OpOutline&) = default;
};

/// Descriptors, placed and prepared. Running, capturing, counting, explaining: all read this one list.
class Program {
 public:
  /// Takes descriptors whose temporaries are placed in an arena of `arena_bytes` and prepares an Op for each.
  Program(Backend& backend, Mode mode, std::int64_t batch, std::vector<Descriptor> descriptors,
          const Bindings& bindings, std::int64_t arena_bytes);

  Device device() const { return backend_->device(); }
  Mode mode() const { return mode_; }
  std::int64_t batch() const { return batch_; }
  const std::vector<Descriptor>& descriptors() const { return descriptors_; }
  std::size_t size() const { return sequence_->ops().size(); }
  std::int64_t arena_bytes() const { return arena_bytes_; }

  /// Enqueues `steps` steps over the rows that were fed last; those must live until the backend is synchronised.
  /// Neither synchronises nor, once it has run as many, allocates.
  /// Throws StateError where another thread uses the context.
  void run(std::int64_t steps) const {
    const detail::InUse::Hold mark(backend_->in_use(), Backend::in_use_elsewhere);
    sequence_->run(steps);
  }
  /// Enqueues one step over these rows, where it was made with Bindings::given. Neither synchronises nor allocates.
  void run_given(const Given& given) const { sequence_->run_given(given); }
  /// Enqueues one step op by op, not as a captured sequence: the same results.
  void run_eagerly() const;
  /// Runs one step op by op, of `given` rows where it was made with Bindings::given, and waits: a time for each Op, and
  /// the same results. None, having waited for nothing, where the application captures the stream.
  std::vector<OpTime> run_timed(const Given* given = nullptr) const;

  /// One for each Op; kept, so that who asks again gets the same list.
  std::shared_ptr<const std::vector<OpOutline>> outline() const;
  /// One line an Op: number, name, operands, what is fused into it, layer and algorithm.
  std::string explain() const;

 private:
  std::string summary() const;

  Mode mode_;
  std::int64_t batch_;
  std::vector<Descriptor> descriptors_;
  std::int64_t arena_bytes_;
  Backend* backend_;
  std::unique_ptr<Sequence> sequence_;
  mutable std::shared_ptr<const std::vector<OpOutline>> outline_;  // made when it is asked for
};

}  // namespace glia
