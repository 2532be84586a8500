// Predictor::Engine: what stands behind a Predictor. Programs of inference for some batch sizes, on a context and in an arena of
// its own, over weights that it shares.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/predictor.h>
#include <host/model/core.h>
#include <host/weights/weight_gate.h>

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
  void check_rows(std::span<const void* const> x, std::span<void* const> y) const;
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
  std::vector<Program> programs_;     // ascending
  std::vector<Source> sources_;       // of the call that is made
  std::shared_ptr<Profile> profile_;  // where a profiler watches
};

}  // namespace glia
