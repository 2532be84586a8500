// Trainer: what compile makes. Losses, metrics and optimizer, which weights they train, and the memory beside those: gradients,
// slots, and the table of the spans in which the weights lie.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/compile.h>
#include <glia/history.h>       // defines: Logs
#include <host/model/passes.h>  // defines: PassState
#include <host/program/heads.h>
#include <host/program/update.h>

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

namespace glia {

class Trainer {
 public:
  /// For a model with outputs of these names. Throws ValueError for options that cannot be.
  Trainer(const CompileOptions& options, const std::vector<std::string>& outputs, DType dtype);

  const Optimizers& optimizer() const { return optimizer_; }
  const Precisions& precision() const { return precision_; }
  bool has_loss() const { return !heads_.all.empty(); }
  bool has_constant_rate() const;
  /// At this training step.
  double learning_rate(std::int64_t step) const;
  /// Throws ValueError for a schedule that cannot be.
  void set_learning_rate(const LearningRate& rate);
  int steps_of_an_update() const;

  /// The names of what logs() gives: "loss", those of several outputs' losses, metrics.
  std::vector<std::string> names() const;
  /// Those that are better the greater they are.
  std::vector<std::string> rising_names() const;

  /// Goes with outputs of these shapes. Throws ValueError for metrics that do not.
  void resolve(const Shapes& outputs);
  const Heads& heads() const { return heads_; }

  /// Notes which of these layers, and of those within them, are to be trained, as they are told now.
  void note_trainable(const std::vector<Layer>& layers);
  /// Trains these layers' weights, but for those of layers that were told not to when this was noted, or, where it was not, are
  /// now; notes both in `places`.
  void bind(const std::vector<const LayerNode*>& layers, VariablePlaces& places);
  std::int64_t trained_count() const;  ///< weights
  /// The gradients, slots and table, made where they are not there yet. Throws OutOfMemoryError.
  void ensure_memory(Backend& backend, const VariablePlaces& places);
  void release_memory();
  bool has_memory() const { return gradients_ != nullptr; }
  void bind_memory(Bindings& bindings) const;
  UpdateOf update(const VariablePlaces& places) const;
  /// One a trained weight, on the CPU.
  TensorList gradients(Backend& backend) const;
  /// Copies of moving averages into the weights' place; none where the optimizer keeps none.
  std::vector<Descriptor> averages_to_weights(const VariablePlaces& places) const;
  /// Numbers that the optimizer keeps, its iteration and learning rate among them as Keras counts.
  std::int64_t optimizer_count() const;

  /// Loss and metrics as a pass ended, each a mean where it is one.
  Logs logs(const PassState& pass) const;
  /// The confusion_matrix among the metrics, or null.
  const ResolvedMetric* metric_that_counts_classes() const;

 private:
  /// A piece of the weights that is one in the gradients too.
  struct Span {
    std::int32_t block;
    std::int64_t weights, gradients, bytes;
  };
  View first_piece() const;
  View spans() const;

  Optimizers optimizer_;
  Precisions precision_;
  DType dtype_;
  std::size_t outputs_;  // of the model
  Heads heads_;
  std::vector<Layer> noted_;  // kept, so that no other layer comes to lie where one of them did
  std::unordered_map<const LayerNode*, bool> trainable_;
  std::vector<std::pair<const LayerNode*, const Variable*>> trained_;  // in the order of their gradients
  std::vector<Span> spans_;
  std::int64_t bytes_ = 0;  // of the gradients
  std::unique_ptr<Memory> gradients_, slots_, table_;
};

}  // namespace glia
