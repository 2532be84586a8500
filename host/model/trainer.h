// Trainer: what compile makes. Losses, metrics and optimizer, which weights they train, and the memory beside those: gradients,
// slots, and the table of the spans in which the weights lie.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/compile.h>
#include <glia/history.h>  // defines: Logs
#include <glia/mutable_tensor_view.h>
#include <host/model/passes.h>  // defines: PassState
#include <host/program/heads.h>
#include <host/program/update.h>

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

namespace glia {

/// Notes of layers, and those within them, whether they are frozen: told not to train, or within one that is. Those that are
/// noted stay as they are.
void note_frozen(const std::vector<Layer>& layers, bool within_frozen,
                 std::unordered_map<const LayerNode*, bool>& frozen);

class Trainer {
 public:
  /// For a model with outputs of these names, and of these layers, of which those are frozen that were told not to train.
  /// Throws ValueError for options that cannot be.
  Trainer(const CompileOptions& options, const std::vector<std::string>& outputs, DType dtype,
          const std::vector<Layer>& layers);

  /// What compile was told, but for the device and for what set_learning_rate changed.
  const CompileOptions& told() const { return told_; }
  bool is_frozen(const LayerNode& layer) const;
  const Optimizers& optimizer() const { return optimizer_; }
  const Precisions& precision() const { return precision_; }
  bool has_loss() const { return !heads_.all.empty() || !heads_.added.empty(); }
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

  /// Goes with outputs of these shapes, and what the model adds to its loss. Throws ValueError for metrics that do not.
  void resolve(const Shapes& outputs, const std::vector<AddedLoss>& added);
  /// Takes the masks that layers give the outputs along (shapes of a row's, empty for none). Throws ShapeError for one that does not
  /// go with the loss of its output, ValueError for one of an output with a loss of the application's own.
  void resolve_masks(const Shapes& masks);
  const Heads& heads() const { return heads_; }

  /// Trains the weights of these layers but for those of frozen ones, and but for `left_out`; notes in `places` where their
  /// gradients lie. Frozen are also layers that came after compile and do not want to be trained.
  void bind(const std::vector<Layer>& layers, DType dtype, VariablePlaces& places,
            const std::unordered_set<const Variable*>& left_out = {});
  /// Forgets what compile noted of a layer that the model no longer has.
  void forget(const LayerNode& layer) { frozen_.erase(&layer); }
  std::int64_t trained_count() const;  ///< weights
  /// The gradients, slots and table, made where they are not there yet. Throws OutOfMemoryError.
  void ensure_memory(Backend& backend, const VariablePlaces& places);
  void release_memory();
  bool has_memory() const { return gradients_ != nullptr; }
  void bind_memory(Bindings& bindings) const;
  UpdateOf update(const VariablePlaces& places) const;
  /// A row of what the optimizer keeps, of one weight: (row, variable, values), in the order in which set_kept takes them.
  struct Kept {
    int row;
    const Variable* variable;
    Tensor values;  ///< on the CPU; of what is only listed, none
  };
  /// What there would be, without values. Those that no loss depends on are left out once there is memory.
  std::vector<Kept> listed_kept() const;
  /// Filled in from the memory, which is there.
  void read_kept(Backend& backend, std::vector<Kept>& kept) const;
  void write_kept(Backend& backend, const std::vector<Kept>& kept) const;
  /// One a weight that is not frozen, on the CPU; zeros for those that were left out.
  TensorList gradients(Backend& backend) const;
  /// Where they lie; of shape (0,) for those that were left out.
  std::vector<MutableTensorView> gradient_views(const Device& device) const;
  /// The same, set. Throws ShapeError for other numbers or shapes.
  void set_gradients(Backend& backend, const std::vector<Tensor>& gradients) const;
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
  std::byte* address_of(const Kept& kept) const;
  View first_piece() const;
  View spans() const;

  CompileOptions told_;
  Optimizers optimizer_;
  Precisions precision_;
  DType dtype_;
  Heads heads_;
  std::unordered_map<const LayerNode*, bool> frozen_;                  // as compile found them
  std::vector<std::pair<const LayerNode*, const Variable*>> trained_;  // in the order of their gradients
  std::vector<std::pair<const LayerNode*, const Variable*>> listed_;   // those that were left out among them
  std::vector<Span> spans_;
  std::int64_t bytes_ = 0;  // of the gradients
  std::unique_ptr<Memory> gradients_, slots_, table_;
};

}  // namespace glia
