// Steps on views: repetition, sums, functions of two, and their gradients.
// SPDX-License-Identifier: Apache-2.0
#include <host/layers/formulas.h>

#include <algorithm>
#include <type_traits>

namespace glia {

int row_axis(const LayerNode& layer, int axis, const Shape& row) {
  const int place = axis < 0 ? axis + row.rank() : axis - 1;
  GLIA_CHECK(axis != 0 && place >= 0 && place < row.rank(), ValueError, "layer \"", layer.name, "\" (",
             layer.type(), ") got axis ", axis, " of rows of shape ", row, ", expected 1 to ", row.rank(),
             ", or -1 for the last: axis 0 counts the rows");
  return place;
}

Shape broadcast_shape(const LayerNode& layer, const Shape& a, const Shape& b) {
  const int rank = std::max(a.rank(), b.rank());
  Shape shape;
  for (int axis = 0; axis < rank; ++axis) {
    const int at_a = axis - (rank - a.rank()), at_b = axis - (rank - b.rank());
    const std::int64_t in_a = at_a < 0 ? 1 : a[at_a], in_b = at_b < 0 ? 1 : b[at_b];
    GLIA_CHECK(in_a == in_b || in_a == 1 || in_b == 1, ShapeError, "layer \"", layer.name, "\" (",
               layer.type(), ") cannot merge rows of shape ", a, " and ", b,
               ": each axis, from the last on, must be equally long, or 1");
    shape.push_back(in_a == 1 ? in_b : in_a);
  }
  return shape;
}

View contiguous_copy(Emitter& e, const View& view) {
  if (view.is_contiguous()) return view;
  const View copy = e.temporary(view.shape);
  e.add(op::Copy{view, copy});
  return copy;
}

View emit_sum(Emitter& e, const View& in, int axis, double scale) {
  std::int64_t outer = 1, inner = 1;
  for (int i = 0; i < axis; ++i) outer *= in.shape[i];
  for (int i = axis + 1; i < in.shape.rank(); ++i) inner *= in.shape[i];
  Shape shape = in.shape;
  shape[axis] = 1;
  const View out = e.temporary(shape);
  op::Reduce reduce{in.reshaped({outer, in.shape[axis], inner}), out.reshaped({outer, inner}), scale};
  if (const Shape partials = op::Reduce::partials_for(reduce.in); !partials.empty())
    reduce.partials = e.temporary(partials, DType::float64);
  e.add(reduce);
  return out;
}

View sum_to(Emitter& e, const View& gradient, const Shape& shape) {
  View sum = contiguous_copy(e, gradient);
  const int added = gradient.shape.rank() - shape.rank();
  for (int axis = 1; axis < gradient.shape.rank(); ++axis)  // the rows are never repeated
    if (const std::int64_t own = axis <= added ? 1 : shape[axis - added]; own == 1 && sum.shape[axis] != 1)
      sum = emit_sum(e, sum, axis);
  return sum.reshaped(shape);
}

View with_rank(const View& view, int rank) {
  Shape shape{view.shape[0]};
  for (int i = view.shape.rank(); i < rank; ++i) shape.push_back(1);
  for (const std::int64_t dimension : view.shape.row()) shape.push_back(dimension);
  return view.reshaped(shape);
}

View beside_features(const View& mask, const View& x) {
  Shape shape = mask.shape;
  while (shape.rank() < x.shape.rank()) shape.push_back(1);
  return mask.reshaped(shape);
}

View emit_binary(Emitter& e, const BinaryFunction& function, const View& a, const View& b,
                 const Shape& shape) {
  const View out = e.temporary(shape);
  const bool same = a.shape == shape && b.shape == shape;
  if (same && std::holds_alternative<binary::Add>(function))
    e.add(op::Combine{1, 1, a, b, out});
  else if (same && std::holds_alternative<binary::Subtract>(function))
    e.add(op::Combine{1, -1, a, b, out});
  else
    e.add(op::Binary{function, with_rank(a, shape.rank()).broadcast_to(shape),
                     with_rank(b, shape.rank()).broadcast_to(shape), out});
  return out;
}

namespace {

View negative(Emitter& e, const View& view) {
  const View out = e.temporary(view.shape);
  e.add(op::Map{Rescale{-1, 0}, view, out});
  return out;
}

}  // namespace

std::pair<View, View> binary_gradients(Emitter& e, const BinaryFunction& function, const View& a,
                                       const View& b, const View& out, const View& g, bool wants_a,
                                       bool wants_b) {
  const Shape& shape = out.shape;
  const auto of = [&](const BinaryFunction& f, const View& x, const View& y) {
    return emit_binary(e, f, x, y, shape);
  };
  const binary::Multiply multiply;
  View da, db;
  std::visit(
      [&](const auto& f) {
        using Function = std::decay_t<decltype(f)>;
        if constexpr (std::is_same_v<Function, binary::Add>) {
          da = db = g;
        } else if constexpr (std::is_same_v<Function, binary::Subtract>) {
          da = g;
          if (wants_b) db = negative(e, g);
        } else if constexpr (std::is_same_v<Function, binary::Multiply>) {
          if (wants_a) da = of(multiply, g, b);
          if (wants_b) db = of(multiply, g, a);
        } else if constexpr (std::is_same_v<Function, binary::Divide>) {
          const View by_b = of(f, g, b);
          da = by_b;
          if (wants_b) db = negative(e, of(multiply, by_b, out));
        } else if constexpr (std::is_same_v<Function, binary::Maximum> ||
                             std::is_same_v<Function, binary::Minimum>) {
          constexpr bool greater = std::is_same_v<Function, binary::Maximum>;
          const binary::ShareOfMaximum share;
          if (wants_a) da = of(multiply, g, greater ? of(share, a, b) : of(share, b, a));
          if (wants_b) db = of(multiply, g, greater ? of(share, b, a) : of(share, a, b));
        } else if constexpr (std::is_same_v<Function, binary::Keep>) {
          if (wants_a) da = of(binary::Keep{}, g, b);  // a mask has none
        }                                              // a share has no gradient
      },
      function);
  return {wants_a && da ? sum_to(e, da, a.shape) : View{}, wants_b && db ? sum_to(e, db, b.shape) : View{}};
}

}  // namespace glia
