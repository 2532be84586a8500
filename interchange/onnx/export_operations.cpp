// Layers that join symbols, products, and operations on the axes of a row, in ONNX's operators.
// SPDX-License-Identifier: Apache-2.0
#include <interchange/onnx/exporter.h>

#include <algorithm>

namespace glia::onnx {
namespace {

using Graph = GraphWriter;

/// An axis of a row, from 0; Glia counts from 1, or from the end.
int row_axis(int axis, const Shape& row) { return axis < 0 ? axis + row.rank() : axis - 1; }
/// The same among the axes of a batch, in the order in which a value stands.
std::int64_t batch_axis(int axis, const Shape& row, bool channels_first) {
  if (!channels_first) return axis + 1;
  return axis == row.rank() - 1 ? 1 : axis + 2;
}

/// (batch, row...), where 0 is the batch.
std::string reshaped(Graph& g, const std::string& x, const Shape& row) {
  Integers shape{0};
  shape.insert(shape.end(), row.begin(), row.end());
  return g.add("Reshape", {x, g.integers(shape)});
}

/// Whether all are better taken with their channels first: by the elements that would have to be transposed.
bool better_first(const Values& in) {
  std::int64_t to_first = 0, to_last = 0;
  for (const ValuePtr& value : in) {
    if (value->row.rank() != in[0]->row.rank() || !value->has_channels()) return false;
    if (value->first.empty()) to_first += value->row.elements();
    if (value->last.empty()) to_last += value->row.elements();
  }
  return to_first < to_last;
}

/// The inputs in one order of axes, those of fewer axes with axes of length 1 in front.
Strings aligned(const Applied& a, bool channels_first) {
  Graph& g = a.to.onnx();
  Strings names;
  int rank = 0;
  for (const ValuePtr& value : a.in) rank = std::max(rank, value->row.rank());
  for (const ValuePtr& value : a.in) {
    std::string name = channels_first ? g.first(value) : g.last(value);
    if (value->row.rank() < rank) {
      Shape row;
      for (int i = value->row.rank(); i < rank; ++i) row.push_back(1);
      for (const std::int64_t dimension : value->row) row.push_back(dimension);
      name = reshaped(g, name, row);
    }
    names.push_back(name);
  }
  return names;
}

ValuePtr placed(const Applied& a, const std::string& name, bool channels_first) {
  return channels_first ? a.to.first(a.row, name) : a.to.last(a.row, name);
}

/// Of all inputs at once, or of two and two.
ValuePtr merged(const Applied& a, const char* op, bool at_once) {
  const bool channels_first = better_first(a.in);
  const Strings inputs = aligned(a, channels_first);
  if (at_once) return placed(a, a.to.onnx().add(op, inputs), channels_first);
  std::string result = inputs[0];
  for (std::size_t i = 1; i < inputs.size(); ++i) result = a.to.onnx().add(op, {result, inputs[i]});
  return placed(a, result, channels_first);
}

ValuePtr concatenate(const Applied& a) {
  const bool channels_first = better_first(a.in);
  const int axis = row_axis(a.config.at("axis"), a.x()->row);
  return placed(a,
                a.to.onnx().add("Concat", aligned(a, channels_first),
                                {{"axis", batch_axis(axis, a.x()->row, channels_first)}}),
                channels_first);
}

ValuePtr residual(const Applied& a) {
  const ValuePtr x = a.x();
  const ValuePtr straight = a.to.chain(a.config.at("layers"), x);
  const ValuePtr around = a.config.contains("shortcut") ? a.to.chain(a.config.at("shortcut"), x) : x;
  return merged({a.to, a.json, a.config, {straight, around}, straight->row}, "Add", false);
}

/// (batch, ..., axis) as matrices (batch, all other axes, axis), of length 1 where they are to be.
std::string matrices(const Applied& a, const ValuePtr& x, int axis) {
  Graph& g = a.to.onnx();
  std::string y = g.last(x);
  const bool normalizes = a.config.at("normalize");
  if (normalizes) {
    const std::string sum = g.add("ReduceSum", {g.add("Mul", {y, y}), g.integers({axis + 1})});
    const std::string inverse = g.add("Reciprocal", {g.add("Sqrt", {sum})});
    y = g.add("Mul", {y, g.add("Min", {inverse, g.scalar(1e12)})});
  }
  Integers order{0};
  for (int i = 0; i < x->row.rank(); ++i)
    if (i != axis) order.push_back(i + 1);
  order.push_back(axis + 1);
  if (axis + 1 != x->row.rank()) y = g.add("Transpose", {y}, {{"perm", order}});
  return reshaped(g, y, {x->row.elements() / x->row[axis], x->row[axis]});
}

ValuePtr dot(const Applied& a) {
  Graph& g = a.to.onnx();
  const Integers axes = a.config.at("axes").get<Integers>();
  Strings sides;
  for (std::size_t i = 0; i < 2; ++i)
    sides.push_back(matrices(a, a.in[i], row_axis(static_cast<int>(axes[i]), a.in[i]->row)));
  const std::string behind = g.add("Transpose", {sides[1]}, {{"perm", Integers{0, 2, 1}}});
  return a.to.last(a.row, reshaped(g, g.add("MatMul", {sides[0], behind}), a.row));
}

ValuePtr matmul(const Applied& a) {
  Graph& g = a.to.onnx();
  const std::string &left = g.last(a.in[0]), &right = g.last(a.in[1]);
  return a.to.last(a.row, g.add("MatMul", {left, right}));
}

ValuePtr dense(const Applied& a) {
  Graph& g = a.to.onnx();
  const bool has_bias = a.config.at("use_bias");
  const std::string& x = g.last(a.x());
  const std::string kernel = a.to.constant(a, "kernel");
  std::string y;
  if (a.row.rank() == 1 && has_bias) {
    y = g.add("Gemm", {x, kernel, a.to.constant(a, "bias")});
  } else {
    y = g.add("MatMul", {x, kernel});
    if (has_bias) y = g.add("Add", {y, a.to.constant(a, "bias")});
  }
  return a.to.activated(a.config.at("activation"), a.to.last(a.row, y));
}

ValuePtr embedding(const Applied& a) {
  Graph& g = a.to.onnx();
  const std::string indices = g.add("Cast", {g.last(a.x())}, {{"to", std::int64_t{7}}});
  return a.to.last(a.row,
                   g.add("Gather", {a.to.constant(a, "embeddings"), indices}, {{"axis", std::int64_t{0}}}));
}

ValuePtr reshape(const Applied& a) {
  Graph& g = a.to.onnx();
  return a.to.last(a.row, reshaped(g, g.last(a.x()), a.row));
}

ValuePtr reduction(const Applied& a, const char* op) {
  Graph& g = a.to.onnx();
  const Shape& row = a.x()->row;
  const bool keeps = a.config.at("keepdims");
  std::vector<int> axes;
  for (const int axis : a.config.at("axis").get<std::vector<int>>()) axes.push_back(row_axis(axis, row));
  const bool takes_all = axes.empty();
  for (int axis = 0; takes_all && axis < row.rank(); ++axis) axes.push_back(axis);
  std::sort(axes.begin(), axes.end());
  axes.erase(std::unique(axes.begin(), axes.end()), axes.end());
  // What is left is in the same order, whether the channels stand first or last, where no axis is or the channels are.
  const bool in_any_order = keeps || static_cast<int>(axes.size()) >= row.rank() - 1;
  const bool channels_first = in_any_order && !a.x()->first.empty();
  Integers of_batch;
  for (const int axis : axes) of_batch.push_back(batch_axis(axis, row, channels_first));
  std::string y = g.add(op, {channels_first ? g.first(a.x()) : g.last(a.x()), g.integers(of_batch)},
                        {{"keepdims", std::int64_t{keeps}}});
  if (!keeps && static_cast<int>(axes.size()) == row.rank()) y = g.add("Reshape", {y, g.integers({-1, 1})});
  return keeps ? placed(a, y, channels_first) : a.to.last(a.row, y);
}

/// Where channels go to the front or to the back nothing moves: it is the same value in the other order.
ValuePtr permute(const Applied& a) {
  Graph& g = a.to.onnx();
  const Integers dims = a.config.at("dims").get<Integers>();
  const auto rank = static_cast<std::int64_t>(dims.size());
  bool to_front = rank >= 2 && dims[0] == rank, to_back = rank >= 2 && dims.back() == 1;
  for (std::int64_t i = 1; i < rank; ++i) {
    to_front = to_front && dims[static_cast<std::size_t>(i)] == i;
    to_back = to_back && dims[static_cast<std::size_t>(i) - 1] == i + 1;
  }
  if (to_front) return a.to.last(a.row, g.first(a.x()));
  if (to_back) return a.to.first(a.row, g.last(a.x()));
  Integers order{0};
  order.insert(order.end(), dims.begin(), dims.end());
  return a.to.last(a.row, g.add("Transpose", {g.last(a.x())}, {{"perm", order}}));
}

ValuePtr slice(const Applied& a) {
  Graph& g = a.to.onnx();
  const auto first = a.config.at("first").get<std::int64_t>(),
             count = a.config.at("count").get<std::int64_t>();
  const int axis = row_axis(a.config.at("axis"), a.x()->row);
  const std::int64_t at = batch_axis(axis, a.x()->row, !a.x()->first.empty());
  return a.to.each(a.x(), a.row, [&](const std::string& x) {
    return g.add("Slice", {x, g.integers({first}), g.integers({first + count}), g.integers({at})});
  });
}

}  // namespace

LayerExports merge_exports() {
  return {{"Add", [](const Applied& a) { return merged(a, "Add", false); }},
          {"Subtract", [](const Applied& a) { return merged(a, "Sub", false); }},
          {"Multiply", [](const Applied& a) { return merged(a, "Mul", false); }},
          {"Divide", [](const Applied& a) { return merged(a, "Div", false); }},
          {"Average", [](const Applied& a) { return merged(a, "Mean", true); }},
          {"Maximum", [](const Applied& a) { return merged(a, "Max", true); }},
          {"Minimum", [](const Applied& a) { return merged(a, "Min", true); }},
          {"Concatenate", concatenate},
          {"Residual", residual},
          {"Dot", dot}};
}

LayerExports product_exports() { return {{"Dense", dense}, {"Matmul", matmul}, {"Embedding", embedding}}; }

LayerExports operation_exports() {
  return {{"Flatten", reshape},
          {"Reshape", reshape},
          {"Permute", permute},
          {"Slice", slice},
          {"Sum", [](const Applied& a) { return reduction(a, "ReduceSum"); }},
          {"Mean", [](const Applied& a) { return reduction(a, "ReduceMean"); }}};
}

}  // namespace glia::onnx
