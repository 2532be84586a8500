// What attention layers share: masked scores, their softmax, and what that makes of values.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <host/layers/emitter.h>
#include <host/layers/layer_node.h>

#include <functional>
#include <string>
#include <vector>

namespace glia {

/// How scores at masked places are put out: MultiHeadAttention has -1e9 there, Attention 1e9 less than there was. That matters where
/// all keys of a query are masked, and all are seen.
enum class Masked { replaced, lowered };

/// Which keys a query sees: each view shaped as goes with scores (rows, heads, queries, keys), or empty.
struct SeenKeys {
  std::vector<View> masks;
  Masked how = Masked::replaced;
};

/// 1 on and below the diagonal, (1, 1, queries, keys).
View emit_causal_mask(Emitter& emitter, std::int64_t queries, std::int64_t keys);

/// softmax of scores (rows, heads, queries, keys), of what is seen, times values (rows, heads, keys, width).
struct AttendedValues {
  View out;      ///< (rows, heads, queries, width)
  View weights;  ///< (rows, heads, queries, keys): the softmax, before dropout
  /// The gradients of scores and values, from those of out and of weights; either may be empty, not both.
  std::function<std::pair<View, View>(Emitter& emitter, const View& out_gradient,
                                      const View& weights_gradient)>
      backward;
};
AttendedValues emit_attended_values(Emitter& emitter, const View& scores, const View& values,
                                    const SeenKeys& seen, double dropout);

/// Throws ShapeError where these are no query and value, or query, value and key: rows (steps, width), with as many keys as values; `more`
/// inputs may follow.
void expect_queries_and_keys(const LayerNode& node, const Shapes& inputs, std::size_t more = 0);

/// The mask of the keys, (rows, 1, 1, keys) where there is one: of the value's and, where that is another input, the key's.
std::vector<View> masks_of_keys(const std::vector<Operand>& inputs, bool has_key);

/// The sum of gradients of one input; either may be empty.
View emit_sum_of_gradients(Emitter& emitter, const View& a, const View& b);

}  // namespace glia
