// Predictor::Engine: what stands behind a Predictor. Programs of inference for some batch sizes, on a context and in an arena of
// its own, over weights that it shares.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/predictor.h>
#include <host/model/core.h>
#include <host/weights/weight_gate.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace glia {

class Predictor::Engine {
 public:
  /// For a model that is built, whose weights are not written meanwhile. Throws ValueError for options that cannot be,
  /// OutOfMemoryError.
  Engine(const Core& model, const PredictorOptions& options);

  void enqueue(std::span<const void* const> x, std::span<void* const> y, std::int64_t batch,
               std::optional<void*> stream);
  void enqueue(std::span<const TensorView> x, std::span<const MutableTensorView> y,
               std::optional<void*> stream);
  Tensor predict(const TensorView& x);
  void predict(const TensorView& x, const MutableTensorView& y);
  void update(const std::vector<TensorView>& weights, std::optional<void*> stream);
  void synchronize();
  /// Has calls recorded from now on. Throws StateError where another profiler watches.
  void watch(std::shared_ptr<Profile> profile);

  const Context& context() const { return context_; }
  const Shapes& input_shapes() const { return input_shapes_; }
  const Shapes& output_shapes() const { return output_shapes_; }
  DType dtype() const { return dtype_; }
  std::vector<std::int64_t> batch_sizes() const;
  /// Of the smallest size that holds so many rows. Throws ValueError where none does.
  const Program& program_for(std::int64_t batch) const;

 private:
  class Using;
  /// Throws ValueError for another number of inputs and outputs than the model's.
  void check_counts(std::size_t inputs, std::size_t outputs) const;
  void check_view(const TensorView& view, const Shape& row, std::int64_t rows, DType dtype, const char* what,
                  std::size_t number) const;
  /// Throws ValueError where outputs overlap what else a call has.
  void check_apart(std::int64_t batch) const;
  /// Enqueues what sources_ say.
  void run(const Program& program, std::int64_t batch, std::optional<void*> stream);
  std::vector<Tensor> converted(const std::vector<TensorView>& weights) const;

  std::vector<Layer> layers_;  // whose variables these are
  std::vector<const Variable*> variables_;
  std::vector<std::string> names_;
  VariablePlaces places_;  // before the context: blocks go when its work is done
  Shapes input_shapes_, output_shapes_;
  DType dtype_, input_dtype_;
  double scale_;
  Context context_;
  std::list<WeightGate::Reader> readers_;
  std::unique_ptr<Memory> state_;
  std::shared_ptr<Memory> arena_;
  std::vector<Program> programs_;  // ascending
  std::vector<Source> sources_;    // of the call that is made
  // Addresses that are known to be here, so that CUDA is asked once about each that an application uses again and again.
  std::array<const void*, 16> known_ = {};
  std::size_t next_known_ = 0;
  std::unique_ptr<Memory> rows_in_, rows_out_;  // of rows that come from the host, once some did
  std::shared_ptr<Profile> profile_;            // where a profiler watches
};

}  // namespace glia
