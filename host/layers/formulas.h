// What merging layers and formulas emit: steps on views, with their gradients.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <host/layers/emitter.h>
#include <host/layers/layer_node.h>  // defines: Shapes

#include <utility>

namespace glia {

/// The axis of a row that Keras counts as `axis`: 1 is the first, -1 the last. Throws ValueError for one that there is not.
int row_axis(const LayerNode& layer, int axis, const Shape& row);

/// The shape that rows of both have once they are repeated. Throws ShapeError where they do not go together.
Shape broadcast_shape(const LayerNode& layer, const Shape& a, const Shape& b);

/// A copy in an order, or with repetitions, that makes it contiguous; the view itself where it is.
View contiguous_copy(Emitter& emitter, const View& view);

/// scale * the sums over an axis, which stays with a length of 1.
View emit_sum(Emitter& emitter, const View& in, int axis, double scale = 1);

/// The gradient of something of `shape` that was repeated to that of `gradient`.
View sum_to(Emitter& emitter, const View& gradient, const Shape& shape);

/// A batch (n, ...) as (n, 1, ..., 1, ...) of this rank.
View with_rank(const View& view, int rank);

/// The mask of x, (n, steps), as it lies beside x: (n, steps, 1, ...).
View beside_features(const View& mask, const View& x);

/// out = function(a, b), where shapes are repeated; of `shape`.
View emit_binary(Emitter& emitter, const BinaryFunction& function, const View& a, const View& b,
                 const Shape& shape);

/// The gradients of such a step, each empty where it is not wanted, shaped as a and b.
std::pair<View, View> binary_gradients(Emitter& emitter, const BinaryFunction& function, const View& a,
                                       const View& b, const View& out, const View& gradient, bool wants_a,
                                       bool wants_b);

}  // namespace glia
