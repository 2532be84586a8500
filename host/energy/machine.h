// Rbm::Machine: what stands behind an Rbm. A layer holds the weights; models on it train and read them, so that their loops, their
// Programs and what feeds them are those of any model.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/rbm.h>
#include <host/layers/boltzmann.h>
#include <host/model/core.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

namespace glia {

/// Chains of Gibbs sampling, as Rbm::sample says.
Tensor sample_chains(Core& core, const BoltzmannNode& machine, const SampleOptions& options);
/// Rows of bits at even odds, the last `softmax_units` of each a group of which one is on, each as likely: (rows, visible).
std::vector<float> even_odds(std::int64_t rows, std::int64_t visible, std::int64_t softmax_units,
                             std::uint64_t seed);

class Rbm::Machine {
 public:
  Machine(std::int64_t visible, std::int64_t hidden, const RbmOptions& options);

  static const BoltzmannNode& node_of(const Layer& layer) {
    return static_cast<const BoltzmannNode&>(layer.node());
  }
  const BoltzmannNode& node() const { return node_of(layer); }

  Layer layer;
  Model training;
  Model hidden, reconstruction, free_energy, visible;
  std::optional<Model> softmax_units;  // of a machine that has some

 private:
  explicit Machine(const Layer& machine);
  Machine(const Layer& machine, const Symbol& rows, const Symbol& hidden_rows);
};

}  // namespace glia
