// The end of a training step: from gradients to new weights.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <host/layers/emitter.h>
#include <host/layers/layer_node.h>

#include <vector>

namespace glia {

/// A weight that is trained.
struct Trained {
  const LayerNode* layer;
  const Variable* variable;
  View value, gradient;
};

/// What an update goes over.
struct UpdateOf {
  const Optimizers& optimizer;
  DType dtype;
  std::int64_t elements;         ///< of the gradients, gaps between weights included
  View parameters;               ///< the first piece, (elements,) where it is the only one
  View spans;                    ///< of all pieces, where there are several
  std::vector<Trained> weights;  ///< in the order of their gradients

  /// Row `row` of a buffer that has a number for each gradient.
  View flat(Buffer buffer, std::int64_t row = 0) const;
};

/// Rows of numbers that training keeps beside the parameters, in the order of their places in the slots' buffer.
struct KeptRows {
  int slots, accumulated, averaged;
  int count() const { return slots + accumulated + averaged; }
};
KeptRows kept_rows(const Optimizers& optimizer);

/// Penalties of regularised weights, whose sums the view has; empty where there are none. Adds their gradients where wanted.
View emit_penalties(Emitter& emitter, const std::vector<Trained>& weights, bool wants_gradients);

/// In Keras's order: accumulate, clip, update, average, constrain.
void emit_update(Emitter& emitter, const UpdateOf& update);

}  // namespace glia
