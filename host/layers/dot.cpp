// Dot: products of two inputs, summed over an axis of each.
// SPDX-License-Identifier: Apache-2.0
#include <glia/merging_layers.h>
#include <host/layers/config.h>
#include <host/layers/formulas.h>
#include <host/layers/layer_classes.h>

#include <memory>

namespace glia {
namespace {

/// y = x / its length along an axis.
struct Normalized {
  View y, inverse;
};

Normalized emit_normalized(Emitter& e, const View& x, int axis) {
  const View squares = e.temporary(x.shape);
  e.add(op::Map{Square{}, x, squares});
  const View sum = emit_sum(e, squares, axis), root = e.temporary(sum.shape),
             inverse = e.temporary(sum.shape);
  e.add(op::Map{Power{-0.5}, sum, root});
  constexpr double most = 1e12;  // of the reciprocal, as in Keras: what is all 0 stays so
  e.add(op::Map{BoundedRelu{most, 0, 0}, root, inverse});
  return {emit_binary(e, binary::Multiply{}, x, inverse, x.shape), inverse};
}

/// dx = (g - y sum(g y)) / length.
View normalized_gradient(Emitter& e, const Normalized& n, const View& g, int axis) {
  const Shape& shape = n.y.shape;
  const View along = emit_sum(e, emit_binary(e, binary::Multiply{}, g, n.y, shape), axis);
  const View rest =
      emit_binary(e, binary::Subtract{}, g, emit_binary(e, binary::Multiply{}, n.y, along, shape), shape);
  return emit_binary(e, binary::Multiply{}, rest, n.inverse, shape);
}

/// Of the axes of a batch, all but `axis`, and that behind them.
Shape with_last(int rank, int axis) {
  Shape axes;
  for (int i = 0; i < rank; ++i)
    if (i != axis) axes.push_back(i);
  axes.push_back(axis);
  return axes;
}

/// x as (rows, all other axes, the axis).
View as_matrices(Emitter& e, const View& x, int axis) {
  const std::int64_t k = x.shape[axis], rows = x.shape[0];
  if (x.shape.rank() == 3 && axis == 1) return x.transposed();
  return contiguous_copy(e, x.permuted(with_last(x.shape.rank(), axis)))
      .reshaped({rows, rows * k > 0 ? x.elements() / rows / k : 0, k});
}

/// The way back, to a batch of this shape.
View from_matrices(Emitter& e, const View& matrices, const Shape& shape, int axis) {
  const Shape axes = with_last(shape.rank(), axis);
  Shape moved, back = axes;
  for (const std::int64_t place : axes) moved.push_back(shape[static_cast<int>(place)]);
  for (int i = 0; i < axes.rank(); ++i) back[static_cast<int>(axes[i])] = i;
  return contiguous_copy(e, matrices.reshaped(moved).permuted(back));
}

void list(Config& config, DotOptions& options) {
  config.field("axes", options.axes), config.field("normalize", options.normalize);
}

class DotNode final : public LayerNode {
 public:
  explicit DotNode(const DotOptions& options) : options_(options) {}

  const char* type() const override { return "Dot"; }
  void describe(Config& config) override { list(config, options_); }

  Shapes output_shapes(const Shapes& inputs) const override {
    GLIA_CHECK(inputs.size() == 2, ShapeError, "layer \"", name, "\" (Dot) takes two inputs, got ",
               inputs.size());
    const int a = row_axis(*this, options_.axes[0], inputs[0]),
              b = row_axis(*this, options_.axes[1], inputs[1]);
    GLIA_CHECK(inputs[0][a] == inputs[1][b], ShapeError, "layer \"", name, "\" (Dot) cannot multiply axis ",
               a + 1, " of rows of shape ", inputs[0], " by axis ", b + 1, " of rows of shape ", inputs[1],
               ": they must be equally long");
    Shape shape;
    for (int axis = 0; axis < inputs[0].rank(); ++axis)
      if (axis != a) shape.push_back(inputs[0][axis]);
    for (int axis = 0; axis < inputs[1].rank(); ++axis)
      if (axis != b) shape.push_back(inputs[1][axis]);
    return {shape.empty() ? Shape{1} : shape};
  }

  Emission emit(Emitter& e, const std::vector<Operand>& inputs) const override {
    View x = inputs[0].view, y = inputs[1].view;
    const Shape shape = output_shapes({x.shape.row(), y.shape.row()})[0].prepend(x.shape[0]);
    const int at_x = 1 + row_axis(*this, options_.axes[0], x.shape.row());
    const int at_y = 1 + row_axis(*this, options_.axes[1], y.shape.row());
    Normalized unit_x, unit_y;
    if (options_.normalize) {
      unit_x = emit_normalized(e, x, at_x), unit_y = emit_normalized(e, y, at_y);
      x = unit_x.y, y = unit_y.y;
    }
    const View a = as_matrices(e, x, at_x), b = as_matrices(e, y, at_y);  // (n, M, k), (n, N, k)
    const View out = e.temporary({a.shape[0], a.shape[1], b.shape[1]});
    e.add(op::Matmul{a, b.transposed(), out});
    return {{{out.reshaped(shape)}},
            [=, this](Emitter& e, const std::vector<View>& gradients, const std::vector<bool>& wanted) {
              const View g = gradients[0].reshaped(out.shape);
              View dx, dy;
              if (wanted[0]) {  // g b
                const View da = e.temporary(a.shape);
                e.add(op::Matmul{g, b, da});
                dx = from_matrices(e, da, x.shape, at_x);
                if (options_.normalize) dx = normalized_gradient(e, unit_x, dx, at_x);
              }
              if (wanted[1]) {  // g^T a
                const View db = e.temporary(b.shape);
                e.add(op::Matmul{g.transposed(), a, db});
                dy = from_matrices(e, db, y.shape, at_y);
                if (options_.normalize) dy = normalized_gradient(e, unit_y, dy, at_y);
              }
              return std::vector<View>{dx, dy};
            }};
  }

 private:
  DotOptions options_;
};

constexpr LayerClass classes[] = {{"Dot", [](Config& config) -> Layer {
                                     DotOptions options;
                                     list(config, options);
                                     return Dot(options);
                                   }}};

}  // namespace

LayerClasses dot_classes() { return classes; }

Dot::Dot(const DotOptions& options) : Layer(make_node<DotNode>(options)) { node().name = options.name; }
Dot::Dot(int axis) : Dot(DotOptions{.axes = {axis, axis}}) {}

Symbol dot(const Symbols& inputs, const DotOptions& options) { return Dot(options)(inputs); }

}  // namespace glia
