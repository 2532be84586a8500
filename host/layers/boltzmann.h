// Restricted Boltzmann machines as layers: one that holds the weights and gives what training descends, and readings of it. The
// formulas are those of <glia/rbm.h>.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/rbm.h>  // defines: RbmOptions
#include <host/layers/layer_node.h>

#include <cstdint>
#include <memory>
#include <vector>

namespace glia {

/// A machine's weights in a program, and what is emitted of them.
struct BoltzmannUnits {
  VisibleUnits visible;
  std::int64_t softmax_units;  ///< the last of the visible ones
  View kernel, hidden_bias, visible_bias;

  /// input (n, hidden) = v kernel + hidden_bias.
  void emit_hidden_input(Emitter& e, const View& v, const View& input) const;
  /// mean (n, hidden) = p(h = 1 | v).
  void emit_hidden(Emitter& e, const View& v, const View& mean) const;
  /// mean (n, visible) of p(v | h).
  void emit_visible(Emitter& e, const View& h, const View& mean) const;
  /// Draws from these means.
  void emit_hidden_draw(Emitter& e, const View& mean, const View& h) const;
  void emit_visible_draw(Emitter& e, const View& mean, const View& v) const;
  /// (n, 1): F of rows v, whose hidden inputs are given.
  View emit_free_energy(Emitter& e, const View& v, const View& input) const;
  /// (n, softmax units): log p(unit | the others of v), or, not `logarithm`, p.
  View emit_softmax_units(Emitter& e, const View& v, bool logarithm) const;

  /// How many are outside of the softmax group.
  std::int64_t others() const { return visible_bias.elements() - softmax_units; }
  /// The columns outside of the softmax group, and within it; copies, but where they are all there are.
  View others_of(Emitter& e, const View& v) const;
  View group_of(Emitter& e, const View& v) const;
};

/// Holds a machine's weights: kernel, hidden and visible bias; persistent chains and mean activations, where it has them. Its output
/// is, in training, F(row) - mean F(chains), (rows, 1), whose gradient it writes as an update of contrastive divergence has it; else
/// what validation reports: see Rbm::fit.
class BoltzmannNode final : public LayerNode {
 public:
  BoltzmannNode(std::int64_t visible, std::int64_t hidden, const RbmOptions& options)
      : visible_(visible), hidden_(hidden), options_(options) {}

  const char* type() const override { return "Rbm"; }
  bool can_train() const override { return true; }
  bool gives_input_gradient() const override { return false; }
  void describe(Config& config) override;
  void check_input(const TensorView& x) const override { check_rows(x, false); }
  /// `unknown`: softmax units may be all 0, too.
  void check_rows(const TensorView& x, bool unknown) const;
  Shapes output_shapes(const Shapes& inputs) const override;
  std::vector<Variable> variables_for(const Shapes& inputs) const override;
  Emission emit(Emitter& e, const std::vector<Operand>& inputs) const override;

  std::int64_t visible() const { return visible_; }
  std::int64_t hidden() const { return hidden_; }
  const RbmOptions& options() const { return options_; }
  template <class Place>
  BoltzmannUnits units(const Place& place) const {
    return {options_.visible_units, options_.softmax_units, place.value(variables[0]),
            place.value(variables[1]), place.value(variables[2])};
  }

 private:
  /// The rows of a batch above those of the chains that are compared with them: (rows + chains, ...).
  struct Phases {
    std::int64_t rows, chains;
    View v, input, h;

    View positive(const View& all) const { return all.part(0, 0, rows); }
    View negative(const View& all) const { return all.part(0, rows, chains); }
  };
  bool is_persistent() const { return options_.persistent_chains > 0; }
  Phases emit_chains(Emitter& e, const View& x) const;
  View emit_divergence(Emitter& e, const Phases& phases) const;
  void emit_gradients(Emitter& e, const Phases& phases) const;
  void emit_sparsity(Emitter& e, const Phases& phases, const View& weighted) const;
  View emit_pseudo_likelihood(Emitter& e, const View& x) const;
  View emit_error(Emitter& e, const View& x) const;

  std::int64_t visible_, hidden_;
  RbmOptions options_;
};

/// What is read of a machine: a layer on its weights. `visible` takes hidden units, the others visible ones.
enum class BoltzmannReading { hidden, reconstruction, free_energy, softmax_units, visible };
Layer reading_of(const Layer& machine, BoltzmannReading reading);

}  // namespace glia
