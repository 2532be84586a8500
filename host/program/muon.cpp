// Muon: matrices by Newton and Schulz's iteration towards the nearest orthogonal matrix, the rest by AdamW.
// SPDX-License-Identifier: Apache-2.0
#include <host/program/muon.h>

#include <algorithm>
#include <cmath>
#include <string>

namespace glia {
namespace {

/// The part of the first row of the slots that belongs to a weight, in its shape.
View part_of(const View& slots, const Trained& weight) {
  return View::contiguous(slots.buffer, slots.dtype, weight.value.shape,
                          slots.offset + weight.gradient.offset);
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

void emit_matrix(Emitter& e, const Muon& muon, const op::Optimize& all, const Trained& weight) {
  const View direction = e.temporary(weight.value.shape);
  e.add(op::Momentum{weight.gradient, part_of(all.slots, weight), direction, muon.momentum, muon.nesterov,
                     all.steps, muon.clipvalue});
  const View partials = e.temporary({op::pieces_of(direction.elements())}, DType::float64);
  e.add(op::Squares{direction, partials});
  e.add(op::RescaleToNorm{direction, partials, 0});
  const double longer = static_cast<double>(std::max(direction.shape[0], direction.shape[1]));
  e.add(op::Descend{weight.value, orthogonalized(e, muon, direction), muon.rms_rate * std::sqrt(longer),
                    muon.weight_decay, all.steps});
}

}  // namespace

void emit_muon(Emitter& e, const Muon& muon, const op::Optimize& all, const std::vector<Trained>& weights) {
  for (const Trained& weight : weights) {
    if (weight.value.shape.rank() == 2 && std::string(weight.layer->type()) != "Embedding") {
      emit_matrix(e, muon, all, weight);
      continue;
    }
    op::Optimize one = all;
    const std::int64_t elements = weight.value.elements();
    one.parameters = weight.value.reshaped({elements});
    one.gradients = weight.gradient.reshaped({elements});
    one.slots.shape[1] = elements;  // its rows stay as far apart as all weights are
    one.slots.offset = weight.gradient.offset;
    one.weight_decay = muon.adam_weight_decay;
    one.spans = {};
    e.add(one);
  }
}

}  // namespace glia
