// Formulas on symbols: each function is a layer.
// SPDX-License-Identifier: Apache-2.0
#include <glia/merging_layers.h>
#include <glia/operations.h>
#include <host/layers/activation.h>  // defines: element_layer
#include <host/layers/config.h>
#include <host/layers/formulas.h>
#include <host/layers/layer_classes.h>
#include <host/layers/merging.h>  // defines: divide_layer

#include <algorithm>
#include <memory>
#include <utility>

namespace glia {
namespace {

void list(Config& config, std::vector<int>& axes, bool& keepdims) {
  config.field("axis", axes), config.field("keepdims", keepdims);
}

class ReduceNode final : public SimpleLayer {
 public:
  ReduceNode(const char* type, bool is_mean, std::vector<int> axes, bool keepdims)
      : type_(type), is_mean_(is_mean), axes_(std::move(axes)), keepdims_(keepdims) {}

  const char* type() const override { return type_; }
  void describe(Config& config) override { list(config, axes_, keepdims_); }

 protected:
  Shape shape_for(const Shape& row) const override {
    const std::vector<bool> summed = summed_axes(row);
    Shape shape;
    for (int axis = 0; axis < row.rank(); ++axis) {
      if (!summed[static_cast<std::size_t>(axis)])
        shape.push_back(row[axis]);
      else if (keepdims_)
        shape.push_back(1);
    }
    return shape.empty() ? Shape{1} : shape;
  }

  Emitted emit(Emitter& e, const View& x) const override {
    const Shape row = x.shape.row(), shape = shape_for(row).prepend(x.shape[0]);
    const std::vector<bool> summed = summed_axes(row);
    double share = 1;
    for (int axis = 0; axis < row.rank(); ++axis)
      if (is_mean_ && summed[static_cast<std::size_t>(axis)]) share /= static_cast<double>(row[axis]);
    View sum = x;
    bool scaled = false;
    for (int axis = row.rank(); axis-- > 0;)
      if (summed[static_cast<std::size_t>(axis)])
        sum = emit_sum(e, sum, 1 + axis, std::exchange(scaled, true) ? 1 : share);
    return {sum.reshaped(shape), [=](Emitter& e, const View& gradient, bool wanted) {
              if (!wanted) return View{};
              View shared = gradient;
              if (share != 1) {
                shared = e.temporary(gradient.shape);
                e.add(op::Map{Rescale{share, 0}, gradient, shared});
              }
              return contiguous_copy(e, shared.reshaped(sum.shape).broadcast_to(x.shape));
            }};
  }

 private:
  std::vector<bool> summed_axes(const Shape& row) const {
    std::vector<bool> summed(static_cast<std::size_t>(row.rank()), axes_.empty());
    for (const int axis : axes_) summed[static_cast<std::size_t>(row_axis(*this, axis, row))] = true;
    return summed;
  }

  const char* type_;
  bool is_mean_;
  std::vector<int> axes_;
  bool keepdims_;
};

class PermuteNode final : public SimpleLayer {
 public:
  explicit PermuteNode(std::vector<int> axes) : axes_(std::move(axes)) {}

  const char* type() const override { return "Permute"; }
  void describe(Config& config) override { config.field("dims", axes_); }

 protected:
  Shape shape_for(const Shape& row) const override {
    std::vector<int> sorted = axes_;
    std::sort(sorted.begin(), sorted.end());
    bool each_once = static_cast<int>(axes_.size()) == row.rank();
    for (std::size_t i = 0; each_once && i < sorted.size(); ++i)
      each_once = sorted[i] == static_cast<int>(i) + 1;
    GLIA_CHECK(each_once, ValueError, "transpose got ", axes_.size(), " axes for rows of shape ", row,
               ", expected each of 1 to ", row.rank(), " once");
    Shape shape;
    for (const int axis : axes_) shape.push_back(row[axis - 1]);
    return shape;
  }

  Emitted emit(Emitter& e, const View& x) const override {
    Shape order{0}, back = Shape{0};
    for (const int axis : axes_) order.push_back(axis), back.push_back(0);
    for (int i = 0; i < order.rank(); ++i) back[static_cast<int>(order[i])] = i;
    return {contiguous_copy(e, x.permuted(order)), [back](Emitter& e, const View& gradient, bool wanted) {
              return wanted ? contiguous_copy(e, gradient.permuted(back)) : View{};
            }};
  }

 private:
  std::vector<int> axes_;
};

void list(Config& config, int& axis, std::int64_t& first, std::int64_t& count) {
  config.needed("axis", axis), config.needed("first", first), config.needed("count", count);
}

class SliceNode final : public SimpleLayer {
 public:
  SliceNode(int axis, std::int64_t first, std::int64_t count) : axis_(axis), first_(first), count_(count) {}

  const char* type() const override { return "Slice"; }
  void describe(Config& config) override { list(config, axis_, first_, count_); }

 protected:
  Shape shape_for(const Shape& row) const override {
    const int axis = row_axis(*this, axis_, row);
    GLIA_CHECK(first_ >= 0 && count_ >= 1 && first_ <= row[axis] - count_, ValueError, "slice got ", count_,
               " elements from ", first_, " on, of axis ", axis + 1, " of rows of shape ", row,
               ", expected a part of it that is not empty");
    Shape shape = row;
    shape[axis] = count_;
    return shape;
  }

  Emitted emit(Emitter& e, const View& x) const override {
    const int axis = 1 + row_axis(*this, axis_, x.shape.row());
    const View out = e.temporary(shape_for(x.shape.row()).prepend(x.shape[0]));
    e.add(op::Copy{x.part(axis, first_, count_), out});
    return {out, [axis, first = first_, shape = x.shape](Emitter& e, const View& gradient, bool wanted) {
              if (!wanted) return View{};
              const View dx = e.temporary(shape);
              e.add(op::Shift{as_images(gradient, axis), as_images(dx, axis), 0, first});
              return dx;
            }};
  }

 private:
  /// (all before, 1, axis, all behind), so that the gradient is padding.
  static View as_images(const View& view, int axis) {
    std::int64_t before = 1, behind = 1;
    for (int i = 0; i < view.shape.rank(); ++i) (i < axis ? before : behind) *= i == axis ? 1 : view.shape[i];
    return view.reshaped({before, 1, view.shape[axis], behind});
  }

  int axis_;
  std::int64_t first_, count_;
};

class MatmulNode final : public LayerNode {
 public:
  const char* type() const override { return "Matmul"; }
  void describe(Config&) override {}

  Shapes output_shapes(const Shapes& inputs) const override {
    GLIA_CHECK(inputs.size() == 2, ShapeError, "matmul takes two symbols, got ", inputs.size());
    const Shape &a = inputs[0], &b = inputs[1];
    const int rank = a.rank();
    const bool fits = rank >= 2 && b.rank() == rank && a.slice(0, rank - 2) == b.slice(0, rank - 2) &&
                      a[rank - 1] == b[rank - 2];
    GLIA_CHECK(fits, ShapeError, "matmul got rows of shape ", a, " and ", b,
               ", expected (..., m, k) and (..., k, n)");
    Shape shape = a;
    shape[rank - 1] = b[rank - 1];
    return {shape};
  }

  Emission emit(Emitter& e, const std::vector<Operand>& inputs) const override {
    const View x = inputs[0].view, y = inputs[1].view;
    const Shape shape = output_shapes({x.shape.row(), y.shape.row()})[0].prepend(x.shape[0]);
    const View a = batch_of(x), b = batch_of(y), out = e.temporary(shape);
    e.add(op::Matmul{a, b, batch_of(out)});
    return {{{out}}, [=](Emitter& e, const std::vector<View>& gradients, const std::vector<bool>& wanted) {
              const View g = batch_of(gradients[0]);
              std::vector<View> result(2);
              if (wanted[0]) {
                result[0] = e.temporary(x.shape);
                e.add(op::Matmul{g, b.transposed(), batch_of(result[0])});
              }
              if (wanted[1]) {
                result[1] = e.temporary(y.shape);
                e.add(op::Matmul{a.transposed(), g, batch_of(result[1])});
              }
              return result;
            }};
  }

 private:
  /// (..., m, k) as (all before, m, k).
  static View batch_of(const View& view) {
    const int rank = view.shape.rank();
    const std::int64_t m = view.shape[rank - 2], k = view.shape[rank - 1];
    return view.reshaped({m * k > 0 ? view.elements() / (m * k) : 0, m, k});
  }
};

class StopGradientNode final : public SimpleLayer {
 public:
  const char* type() const override { return "StopGradient"; }
  bool keeps_mask() const override { return true; }
  void describe(Config&) override {}

 protected:
  Shape shape_for(const Shape& row) const override { return row; }
  Emitted emit(Emitter&, const View& x) const override {
    return {x, [](Emitter&, const View&, bool) { return View{}; }};
  }
};

Layer read_reduction(Config& config, const char* type, bool is_mean) {
  std::vector<int> axes;
  bool keepdims = false;
  list(config, axes, keepdims);
  return Layer(make_node<ReduceNode>(type, is_mean, axes, keepdims));
}

constexpr LayerClass classes[] = {
    {"Sum", [](Config& config) { return read_reduction(config, "Sum", false); }},
    {"Mean", [](Config& config) { return read_reduction(config, "Mean", true); }},
    {"Permute",
     [](Config& config) {
       std::vector<int> axes;
       config.needed("dims", axes);
       return Layer(make_node<PermuteNode>(axes));
     }},
    {"Slice",
     [](Config& config) {
       int axis = 0;
       std::int64_t first = 0, count = 0;
       list(config, axis, first, count);
       return Layer(make_node<SliceNode>(axis, first, count));
     }},
    {"Matmul", [](Config&) { return Layer(make_node<MatmulNode>()); }},
    {"StopGradient", [](Config&) { return Layer(make_node<StopGradientNode>()); }},
};

template <class Node, class... Arguments>
Symbol applied(const Symbols& inputs, Arguments&&... arguments) {
  return Layer(make_node<Node>(std::forward<Arguments>(arguments)...))(inputs);
}

Symbol rescaled(const Symbol& x, double scale, double offset) { return Rescaling(scale, offset)(x); }

}  // namespace

LayerClasses operation_classes() { return classes; }

Symbol operator+(const Symbol& a, const Symbol& b) { return Add()({a, b}); }
Symbol operator-(const Symbol& a, const Symbol& b) { return Subtract()({a, b}); }
Symbol operator*(const Symbol& a, const Symbol& b) { return Multiply()({a, b}); }
Symbol operator/(const Symbol& a, const Symbol& b) { return divide_layer()({a, b}); }
Symbol operator+(const Symbol& a, double b) { return rescaled(a, 1, b); }
Symbol operator-(const Symbol& a, double b) { return rescaled(a, 1, -b); }
Symbol operator*(const Symbol& a, double b) { return rescaled(a, b, 0); }
Symbol operator/(const Symbol& a, double b) {
  GLIA_CHECK(b != 0, ValueError, "a symbol was divided by 0, expected another number");
  return rescaled(a, 1 / b, 0);
}
Symbol operator+(double a, const Symbol& b) { return rescaled(b, 1, a); }
Symbol operator-(double a, const Symbol& b) { return rescaled(b, -1, a); }
Symbol operator*(double a, const Symbol& b) { return rescaled(b, a, 0); }
Symbol operator/(double a, const Symbol& b) { return rescaled(pow(b, -1), a, 0); }
Symbol operator-(const Symbol& a) { return rescaled(a, -1, 0); }

Symbol exp(const Symbol& x) { return element_layer("Exp", Exponential{})(x); }
Symbol log(const Symbol& x) { return element_layer("Log", Log{})(x); }
Symbol sqrt(const Symbol& x) { return element_layer("Sqrt", Sqrt{})(x); }
Symbol abs(const Symbol& x) { return element_layer("Abs", Abs{})(x); }
Symbol square(const Symbol& x) { return element_layer("Square", Square{})(x); }
Symbol pow(const Symbol& x, double exponent) { return element_layer("Power", Power{exponent})(x); }

Symbol sum(const Symbol& x, const std::vector<int>& axes, bool keepdims) {
  return applied<ReduceNode>(x, "Sum", false, axes, keepdims);
}
Symbol mean(const Symbol& x, const std::vector<int>& axes, bool keepdims) {
  return applied<ReduceNode>(x, "Mean", true, axes, keepdims);
}
Symbol reshape(const Symbol& x, const Shape& shape) { return Reshape(shape)(x); }
Symbol transpose(const Symbol& x, const std::vector<int>& axes) { return applied<PermuteNode>(x, axes); }
Symbol slice(const Symbol& x, int axis, std::int64_t first, std::int64_t count) {
  return applied<SliceNode>(x, axis, first, count);
}
Symbol matmul(const Symbol& a, const Symbol& b) { return applied<MatmulNode>(Symbols{a, b}); }
Symbol stop_gradient(const Symbol& x) { return applied<StopGradientNode>(x); }

}  // namespace glia
