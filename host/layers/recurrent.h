// The node of SimpleRNN, LSTM and GRU, for layers that have such within them.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/sequence_layers.h>
#include <host/layers/layer_node.h>

#include <memory>
#include <vector>

namespace glia {

class RecurrentNode final : public LayerNode {
 public:
  RecurrentNode(op::Cell cell, int units, const RecurrentOptions& options)
      : cell_(cell), units_(units), options_(options) {}

  const char* type() const override;
  void describe(Config& config) override;
  bool can_train() const override { return true; }
  Shapes output_shapes(const Shapes& inputs) const override;
  std::vector<Variable> variables_for(const Shapes& inputs) const override;
  Emission emit(Emitter& emitter, const std::vector<Operand>& inputs) const override;

  /// How many states it has: the outputs of an LSTM's return_state are h and c.
  std::size_t states() const { return cell_ == op::Cell::lstm ? 2 : 1; }
  const RecurrentOptions& options() const { return options_; }
  void go_the_other_way() { options_.go_backwards = !options_.go_backwards; }
  /// As Bidirectional wants it: masked steps of sequences are 0, and those of the way back are turned round.
  void be_within_bidirectional(bool is_way_back) {
    zero_masked_ = options_.return_sequences;
    turns_round_ = is_way_back && options_.return_sequences;
  }

 private:
  struct Operands;
  /// The weight that keeps h, or c.
  const Variable& state(std::size_t which) const { return variables[variables.size() - states() + which]; }
  bool resets_after() const { return cell_ == op::Cell::gru; }
  bool reverses_out() const { return options_.go_backwards != turns_round_; }
  std::vector<View> emit_backward(Emitter& emitter, const Operands& operands,
                                  const std::vector<View>& gradients, const std::vector<bool>& wanted) const;
  void emit_weights_gradients(Emitter& emitter, const Operands& operands, const View& recurrent) const;

  op::Cell cell_;
  int units_;
  RecurrentOptions options_;
  bool zero_masked_ = false, turns_round_ = false;
};

/// The node of such a layer; null of any other.
RecurrentNode* recurrent_node(const Layer& layer);

}  // namespace glia
