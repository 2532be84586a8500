// What attention layers share: what is seen, the softmax of its scores, and what that makes of values.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <host/layers/emitter.h>
#include <host/layers/layer_node.h>

#include <functional>
#include <utility>
#include <vector>

namespace glia {

/// How scores at masked places are put out: MultiHeadAttention has -1e9 there, Attention 1e9 less than there was. That matters where
/// all keys of a query are masked, and all are seen.
enum class Masked { replaced, lowered };

/// Which keys a query sees: each view shaped as goes with scores (rows, heads, queries, keys), or empty.
struct SeenKeys {
  std::vector<View> masks;
  Masked how = Masked::replaced;
  bool causal = false;  ///< none of a later step
};

/// softmax of scores, of what is seen, times values.
struct AttendedValues {
  View out;  ///< (rows, queries, heads, width)
  View
      weights;  ///< (rows, heads, queries, keys): the softmax, before dropout; may be empty where it was not asked for
};

/// Of scores that a layer made, (rows, 1, queries, keys), and values (rows, 1, keys, width); those of masked keys are lowered.
struct AttendedScores : AttendedValues {
  /// The gradients of scores and values, from those of out and of weights; either may be empty, not both.
  std::function<std::pair<View, View>(Emitter& emitter, const View& out_gradient,
                                      const View& weights_gradient)>
      backward;
};
AttendedScores emit_attended_scores(Emitter& emitter, const View& scores, const View& values,
                                    const SeenKeys& seen, double dropout);

/// Of the scores `scale` q k^T; all are (rows, steps, heads, width), and queries may have more heads, of which as many share one of keys.
struct Attended : AttendedValues {
  /// As what they are of; that of values is empty without out_gradient.
  struct Gradients {
    View queries, keys, values;
  };
  std::function<Gradients(Emitter& emitter, const View& out_gradient, const View& weights_gradient)> backward;
};
Attended emit_attention(Emitter& emitter, const View& queries, const View& keys, const View& values,
                        double scale, const SeenKeys& seen, double dropout, bool wants_weights);

/// Throws ShapeError where these are no query and value, or query, value and key: rows (steps, width), with as many keys as values; `more`
/// inputs may follow.
void expect_queries_and_keys(const LayerNode& node, const Shapes& inputs, std::size_t more = 0);

/// The mask of the keys, (rows, 1, 1, keys) where there is one: of the value's and, where that is another input, the key's.
std::vector<View> masks_of_keys(const std::vector<Operand>& inputs, bool has_key);

/// The sum of gradients of one input; either may be empty.
View emit_sum_of_gradients(Emitter& emitter, const View& a, const View& b);

}  // namespace glia
