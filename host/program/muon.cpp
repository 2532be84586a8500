// Muon: matrices by Newton and Schulz's iteration towards the nearest orthogonal matrix, the rest by AdamW.
// SPDX-License-Identifier: Apache-2.0
#include <host/program/muon.h>

#include <algorithm>
#include <cmath>
#include <string>

namespace glia {
namespace {

/// The part of a flat view that belongs to a variable, in its shape.
View part_of(const View& flat, const Variable& variable, std::int64_t row_offset = 0) {
  return View::contiguous(flat.buffer, flat.dtype, variable.shape, row_offset + variable.value.offset);
}

/// x (rows, columns) with its singular values brought near 1, rows <= columns: steps of a x + (b A + c A A) x with
/// A = x x^T.
View orthogonalized(Emitter& e, const Muon& muon, View x) {
  const bool tall = x.shape[0] > x.shape[1];
  const std::int64_t side = std::min(x.shape[0], x.shape[1]);
  for (int step = 0; step < muon.ns_steps; ++step) {
    const View gram = e.temporary({side, side}), square = e.temporary({side, side});
    const View mixed = e.temporary({side, side}), turned = e.temporary(x.shape), next = e.temporary(x.shape);
    // A tall x is taken as its transpose: A = x^T x, and the result is x (b A + c A A).
    e.add(tall ? op::Matmul{x.transposed(), x, gram} : op::Matmul{x, x.transposed(), gram});
    e.add(op::Matmul{gram, gram, square});
    e.add(op::Combine{muon.muon_b, muon.muon_c, gram, square, mixed});
    e.add(tall ? op::Matmul{x, mixed, turned} : op::Matmul{mixed, x, turned});
    e.add(op::Combine{muon.muon_a, 1, x, turned, next});
    x = next;
  }
  return x;
}

void emit_matrix(Emitter& e, const Muon& muon, const op::Optimize& all, const Variable& variable) {
  const View direction = e.temporary(variable.shape);
  e.add(op::Momentum{variable.gradient, part_of(all.slots, variable), direction, muon.momentum, muon.nesterov,
                     all.steps, muon.clipvalue});
  const View partials = e.temporary({op::pieces_of(direction.elements())}, DType::float64);
  e.add(op::Squares{direction, partials});
  e.add(op::RescaleToNorm{direction, partials, 0});
  const double longer = static_cast<double>(std::max(variable.shape[0], variable.shape[1]));
  e.add(op::Descend{variable.value, orthogonalized(e, muon, direction), muon.rms_rate * std::sqrt(longer),
                    muon.weight_decay, all.steps});
}

}  // namespace

void emit_muon(Emitter& e, const Muon& muon, const op::Optimize& all,
               const std::vector<const LayerNode*>& nodes) {
  for (const LayerNode* node : nodes) {
    for (const Variable& variable : node->variables) {
      if (!variable.trainable) continue;
      if (variable.shape.rank() == 2 && std::string(node->type()) != "Embedding") {
        emit_matrix(e, muon, all, variable);
        continue;
      }
      op::Optimize one = all;
      const std::int64_t elements = variable.shape.elements();
      one.parameters = variable.value.reshaped({elements});
      one.gradients = variable.gradient.reshaped({elements});
      one.slots.shape[1] = elements;  // its rows stay as far apart as all weights are
      one.slots.offset = variable.value.offset;
      one.weight_decay = muon.adam_weight_decay;
      e.add(one);
    }
  }
}

}  // namespace glia
