// Rbm::Machine: what stands behind an Rbm. A layer holds the weights; models on it train and read them, so that their loops, their
// Programs and what feeds them are those of any model.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/rbm.h>
#include <host/layers/boltzmann.h>
#include <host/model/core.h>

#include <cstdint>
#include <memory>

namespace glia {

/// Chains of Gibbs sampling, as Rbm::sample says.
Tensor sample_chains(Core& core, const BoltzmannNode& machine, const SampleOptions& options);

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

 private:
  explicit Machine(const Layer& machine);
  Machine(const Layer& machine, const Symbol& rows, const Symbol& hidden_rows);
};

}  // namespace glia
