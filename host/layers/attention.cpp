// What attention layers share.
// SPDX-License-Identifier: Apache-2.0
#include <host/layers/attention.h>
#include <host/layers/formulas.h>
#include <host/layers/noise.h>

#include <utility>

namespace glia {
namespace {

/// (rows, heads, a, b) as a batch of matrices.
View as_batch(const View& view) {
  return view.reshaped({view.shape[0] * view.shape[1], view.shape[2], view.shape[3]});
}

}  // namespace

View emit_causal_mask(Emitter& e, std::int64_t queries, std::int64_t keys) {
  const View mask = e.temporary({1, 1, queries, keys});
  e.add(op::Fill{mask, 1, true});
  return mask;
}

AttendedValues emit_attended_values(Emitter& e, const View& scores, const View& values, const SeenKeys& seen,
                                    double dropout) {
  View mask, masked = scores;
  for (const View& more : seen.masks) {
    if (!mask) {
      mask = more;
      continue;
    }
    Shape both = mask.shape;
    for (int axis = 0; axis < both.rank(); ++axis)
      if (both[axis] == 1) both[axis] = more.shape[axis];
    mask = emit_binary(e, binary::Multiply{}, mask, more, both);
  }
  const bool replaces = mask && seen.how == Masked::replaced;
  if (mask) {
    constexpr double much = 1e9;  // as in Keras
    const View lower = e.temporary(mask.shape);
    e.add(op::Map{Rescale{much, -much}, mask, lower});
    if (replaces) masked = emit_binary(e, binary::Multiply{}, scores, mask, scores.shape);
    masked = emit_binary(e, binary::Add{}, masked, lower, scores.shape);
  }
  const View weights = e.temporary(scores.shape);
  e.add(op::SoftmaxRows{masked.matrix(), weights.matrix()});
  op::Noise noise{dropout_noise(dropout), weights, weights, 0, false};
  const bool drops = e.trains() && dropout > 0;
  if (drops) {
    noise.out = e.temporary(scores.shape), noise.seed = e.noise_seed();
    e.add(noise);
  }
  const View kept = noise.out,
             out = e.temporary({values.shape[0], values.shape[1], scores.shape[2], values.shape[3]});
  e.add(op::Matmul{as_batch(kept), as_batch(values), as_batch(out)});
  const auto backward = [=](Emitter& e, const View& out_gradient, const View& weights_gradient) {
    View of_values, of_weights = weights_gradient;
    if (out_gradient) {
      of_values = e.temporary(values.shape);
      e.add(op::Matmul{as_batch(kept).transposed(), as_batch(out_gradient), as_batch(of_values)});
      View by_out = e.temporary(scores.shape);
      e.add(op::Matmul{as_batch(out_gradient), as_batch(values).transposed(), as_batch(by_out)});
      if (drops) {
        op::Noise back = noise;
        back.in = by_out, back.out = e.temporary(scores.shape), back.backward = true;
        e.add(back);
        by_out = back.out;
      }
      of_weights = emit_sum_of_gradients(e, of_weights, by_out);
    }
    View of_scores = e.temporary(scores.shape);
    e.add(op::SoftmaxGradient{weights.matrix(), of_weights.matrix(), of_scores.matrix()});
    if (replaces) of_scores = emit_binary(e, binary::Multiply{}, of_scores, mask, scores.shape);
    return std::pair(of_scores, of_values);
  };
  return {out, weights, backward};
}

void expect_queries_and_keys(const LayerNode& node, const Shapes& inputs, std::size_t more) {
  GLIA_CHECK(inputs.size() >= 2 + more && inputs.size() <= 3 + more, ShapeError, "layer \"", node.name,
             "\" (", node.type(), ") takes {query, value} or {query, value, key}",
             more > 0 ? ", and a mask," : "", " got ", inputs.size(), " inputs");
  for (std::size_t i = 0; i < inputs.size() - more; ++i)
    GLIA_CHECK(inputs[i].rank() == 2 && inputs[i].elements() > 0, ShapeError, "layer \"", node.name, "\" (",
               node.type(), ") needs rows of shape (steps, width), at least one of each, got rows of shape ",
               inputs[i]);
  GLIA_CHECK(inputs.size() == 2 + more || inputs[1][0] == inputs[2][0], ShapeError, "layer \"", node.name,
             "\" (", node.type(), ") got a value of ", inputs[1][0], " steps and a key of ",
             inputs.size() > 2 ? inputs[2][0] : 0, ", expected as many");
}

std::vector<View> masks_of_keys(const std::vector<Operand>& inputs, bool has_key) {
  std::vector<View> masks;
  for (std::size_t i = 1; i < (has_key ? 3u : 2u); ++i)
    if (const View& mask = inputs[i].mask)
      masks.push_back(mask.reshaped({mask.shape[0], 1, 1, mask.shape[1]}));
  return masks;
}

View emit_sum_of_gradients(Emitter& e, const View& a, const View& b) {
  if (!a || !b) return a ? a : b;
  const View sum = e.temporary(a.shape);
  e.add(op::Combine{1, 1, a, b.reshaped(a.shape), sum});
  return sum;
}

}  // namespace glia
