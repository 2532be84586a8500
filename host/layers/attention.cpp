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

/// (rows, steps, heads, width), heads before steps.
View by_heads(const View& steps) { return steps.permuted({0, 2, 1, 3}); }

/// All masks as one, among them a causal one where it is wanted; empty where there are none.
View emit_mask(Emitter& e, const SeenKeys& seen, bool causal, const Shape& scores) {
  View mask;
  if (causal) e.add(op::Fill{mask = e.temporary({1, 1, scores[2], scores[3]}), 1, true});
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
  return mask;
}

}  // namespace

AttendedScores emit_attended_scores(Emitter& e, const View& scores, const View& values, const SeenKeys& seen,
                                    double dropout) {
  const View mask = emit_mask(e, seen, seen.causal, scores.shape);
  View masked = scores;
  if (mask) {
    constexpr double much = 1e9;  // as in Keras
    const View lower = e.temporary(mask.shape);
    e.add(op::Map{Rescale{much, -much}, mask, lower});
    masked = emit_binary(e, binary::Add{}, scores, lower, scores.shape);
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
    const View of_scores = e.temporary(scores.shape);
    e.add(op::SoftmaxGradient{weights.matrix(), of_weights.matrix(), of_scores.matrix()});
    return std::pair(of_scores, of_values);
  };
  return {{out, weights}, backward};
}

Attended emit_attention(Emitter& e, const View& queries, const View& keys, const View& values, double scale,
                        const SeenKeys& seen, double dropout, bool wants_weights) {
  const Shape &q = queries.shape, &v = values.shape;
  const Shape scores{q[0], q[2], q[1], v[1]};
  const View out = e.temporary({q[0], q[1], q[2], v[3]});
  op::Attention attention{by_heads(queries), by_heads(keys), by_heads(values), by_heads(out)};
  // Where a query sees none of the keys that are left to it, and so all, later ones are asked, too.
  const bool sees_all = seen.causal && !seen.masks.empty();
  if (const View mask = emit_mask(e, seen, sees_all, scores)) attention.mask = mask.broadcast_to(scores);
  if (wants_weights || e.trains()) attention.weights = e.temporary(scores);
  attention.scale = scale, attention.causal = seen.causal && !sees_all,
  attention.lowers = seen.how == Masked::lowered;
  if (e.trains() && dropout > 0)
    attention.drops = true, attention.dropout = dropout_noise(dropout), attention.seed = e.noise_seed();
  e.add(attention);
  const auto backward = [=](Emitter& e, const View& out_gradient, const View& weights_gradient) {
    op::AttentionGradient gradient;
    gradient.of = attention, gradient.of.out = {};
    if (out_gradient) gradient.out_gradient = by_heads(out_gradient);
    gradient.weights_gradient = weights_gradient, gradient.scores_gradient = e.temporary(scores);
    Attended::Gradients of{e.temporary(queries.shape), e.temporary(keys.shape),
                           out_gradient ? e.temporary(values.shape) : View{}};
    gradient.queries_gradient = by_heads(of.queries), gradient.keys_gradient = by_heads(of.keys);
    if (of.values) gradient.values_gradient = by_heads(of.values);
    e.add(gradient);
    return of;
  };
  return {{out, attention.weights}, backward};
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
