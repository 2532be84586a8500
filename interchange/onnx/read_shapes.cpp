// Operators that move elements without changing them, and sums over axes.
// SPDX-License-Identifier: Apache-2.0
#include <glia/merging_layers.h>
#include <glia/operations.h>
#include <interchange/onnx/importer.h>

#include <algorithm>

namespace glia::onnx {
namespace {

/// The row of a shape for batches of rows with so many elements. Throws ValueError for one that mixes rows.
Shape row_of(const Importer& to, const Integers& wanted, const Shape& from, bool zero_copies) {
  const std::int64_t elements = from.elements();
  const std::string text = "it reshapes batches of rows of shape ";
  GLIA_CHECK(!wanted.empty() && wanted.size() <= 7, ValueError, text, from, " to ", text_of(wanted),
             ", expected 1 to 7 dimensions");
  Shape row;
  int open = -1;
  for (std::size_t i = 1; i < wanted.size(); ++i) {
    std::int64_t dimension = wanted[i];
    if (dimension == 0 && zero_copies && static_cast<int>(i) <= from.rank())
      dimension = from[static_cast<int>(i) - 1];
    GLIA_CHECK((dimension >= 1 && dimension < std::int64_t{1} << 32) || (dimension == -1 && open < 0),
               ValueError, text, from, " to ", text_of(wanted),
               ", expected dimensions of which one is not said");
    if (dimension == -1) open = row.rank();
    row.push_back(dimension == -1 ? 1 : dimension);
  }
  elements_of({row.begin(), row.end()});  // throws where there are too many
  if (open >= 0 && row.elements() > 0) row[open] = elements / row.elements();
  const std::int64_t rows = wanted[0];
  const bool keeps_rows = rows == any_rows || (rows == 0 && zero_copies) || rows == -1 ||
                          (to.rows() && rows == *to.rows()) || rows == 1;
  GLIA_CHECK(keeps_rows && row.elements() == elements, ValueError, text, from, " to ", text_of(wanted),
             ", which does not keep rows apart: the first dimension is to be that of the batch");
  return row;
}

void read_reshape(Importer& to, Node& node) {
  const bool zero_copies = node.integer("allowzero", 0) == 0;
  const Given& x = to.dynamic(node, 0);
  const std::optional<Integers> shape = to.list(node, "shape", 1);
  GLIA_CHECK(shape, ValueError, "it has no shape");
  to.put(node, to.reshaped(x, row_of(to, *shape, to.row(x), zero_copies)));
}

void read_flatten(Importer& to, Node& node) {
  const Given& x = to.dynamic(node, 0);
  const Shape row = to.row(x);
  const std::int64_t axis = node.integer("axis", 1);
  GLIA_CHECK(axis == 1 || axis == -row.rank(), ValueError, "its attribute axis is ", axis,
             ", expected 1: rows stay apart");
  to.put(node, to.reshaped(x, {row.elements()}));
}

void read_squeeze(Importer& to, Node& node) {
  const Given& x = to.dynamic(node, 0);
  const Shape row = to.row(x);
  std::optional<Integers> axes = to.list(node, "axes", 1);
  Shape left;
  std::vector<bool> goes(static_cast<std::size_t>(row.rank()) + 1);
  for (std::int64_t axis : axes.value_or(Integers{})) {
    if (axis < 0) axis += row.rank() + 1;
    GLIA_CHECK(axis >= 1 && axis <= row.rank() && row[static_cast<int>(axis) - 1] == 1, ValueError,
               "it takes axis ", axis, " from rows of shape ", row,
               ", expected one of length 1 that is not the batch");
    goes[static_cast<std::size_t>(axis)] = true;
  }
  for (int i = 0; i < row.rank(); ++i)
    if (!(goes[static_cast<std::size_t>(i) + 1] || (!axes && row[i] == 1))) left.push_back(row[i]);
  to.put(node, to.reshaped(x, left));
}

void read_unsqueeze(Importer& to, Node& node) {
  const Given& x = to.dynamic(node, 0);
  const Shape row = to.row(x);
  const Integers axes = to.list(node, "axes", 1).value_or(Integers{});
  const std::int64_t rank = row.rank() + 1 + static_cast<std::int64_t>(axes.size());
  GLIA_CHECK(rank <= 7, ValueError, "it makes ", rank, " axes, expected at most 7");
  std::vector<bool> is_new(static_cast<std::size_t>(rank));
  for (const std::int64_t axis : axes) {
    const std::int64_t counted = axis < 0 ? axis + rank : axis;
    GLIA_CHECK(counted >= 1 && counted < rank, ValueError, "it puts an axis at ", axis,
               ", expected one behind the batch");
    is_new[static_cast<std::size_t>(counted)] = true;
  }
  Shape more;
  int next = 0;
  for (std::size_t i = 1; i < is_new.size(); ++i)
    more.push_back(is_new[i] || next >= row.rank() ? 1 : row[next++]);
  to.put(node, to.reshaped(x, more));
}

/// Where channels go to the front or to the back nothing moves: the file's order changes, not the symbol's.
void read_transpose(Importer& to, Node& node) {
  const Given& x = to.dynamic(node, 0);
  const Shape row = to.row(x);
  const int rank = row.rank() + 1;
  Integers perm;
  for (int i = rank - 1; i >= 0; --i) perm.push_back(i);
  perm = node.integers("perm", perm);
  Integers sorted = perm;
  std::sort(sorted.begin(), sorted.end());
  bool is_order = static_cast<int>(perm.size()) == rank;
  for (std::size_t i = 0; i < sorted.size() && is_order; ++i)
    is_order = sorted[i] == static_cast<std::int64_t>(i);
  GLIA_CHECK(is_order && perm[0] == 0, ValueError, "its attribute perm is ", text_of(perm),
             ", expected an order of ", rank, " axes in which the batch stays in front");
  bool stays = true, to_front = rank >= 3 && perm[1] == rank - 1, to_back = rank >= 3 && perm.back() == 1;
  for (int i = 1; i < rank; ++i) {
    const std::int64_t axis = perm[static_cast<std::size_t>(i)];
    stays = stays && axis == i;
    to_front = to_front && (i == 1 || axis == i - 1);
    to_back = to_back && (i == rank - 1 || axis == i + 1);
  }
  if (stays) return to.put(node, Given(x));
  Given y(*x.symbol);
  y.nonnegative = x.nonnegative;
  if (x.order == Order::plain && to_front) {
    y.order = Order::first;
  } else if (!(x.order == Order::first && to_back)) {
    std::vector<int> axes;
    for (std::size_t i = 1; i < perm.size(); ++i) axes.push_back(to.axis(x, perm[i]));
    y.symbol = transpose(*x.symbol, axes);
  }
  to.put(node, std::move(y));
}

/// Copies, one behind another, along axes of length 1.
void read_expand(Importer& to, Node& node) {
  constexpr std::int64_t most_copies = 64;
  const Given& given = to.dynamic(node, 0);
  Given x = given.order == Order::flattened ? Given(to.plain(given)) : given;
  x.scaled = {};
  const Shape row = to.row(x);
  const Integers wanted = to.constant(node, 1).integers();
  GLIA_CHECK(static_cast<int>(wanted.size()) == row.rank() + 1 && (wanted[0] == 1 || wanted[0] == any_rows),
             ValueError, "it expands batches of rows of shape ", row, " to ", text_of(wanted),
             ", expected as many axes, and 1 for the batch's");
  for (int i = 1; i <= row.rank(); ++i) {
    const std::int64_t length = wanted[static_cast<std::size_t>(i)];
    if (length == 1 || length == row[i - 1]) continue;
    GLIA_CHECK(row[i - 1] == 1 && length >= 2 && length <= most_copies, ValueError, "it expands axis ", i,
               " of rows of shape ", row, " to ", length, ", expected one of length 1, and at most ",
               most_copies);
    x.symbol = Concatenate(to.axis(x, i))(std::vector<Symbol>(static_cast<std::size_t>(length), *x.symbol));
  }
  to.put(node, std::move(x));
}

/// From `first` to before `last` along an axis.
Given part_of(Importer& to, const Given& x, std::int64_t axis, std::int64_t first, std::int64_t last) {
  const Given in = x.order == Order::flattened ? Given(to.plain(x)) : x;
  const int along = to.axis(in, axis);
  const std::int64_t length = in.symbol->shape()[along - 1];
  const auto clamped = [&](std::int64_t at) {
    return std::clamp<std::int64_t>(at < 0 ? std::max(at, -length) + length : at, 0, length);
  };
  const std::int64_t from = clamped(first), to_end = clamped(last);
  GLIA_CHECK(from < to_end, ValueError, "it takes nothing from an axis of ", length, ": from ", first, " to ",
             last);
  Given y(from == 0 && to_end == length ? *in.symbol : slice(*in.symbol, along, from, to_end - from),
          in.order);
  y.nonnegative = x.nonnegative;
  return y;
}

void read_slice(Importer& to, Node& node) {
  Given x = to.dynamic(node, 0);
  const Integers starts = to.list(node, "starts", 1).value_or(Integers{}),
                 ends = to.list(node, "ends", 2).value_or(Integers{});
  Integers all;
  for (std::size_t i = 0; i < starts.size(); ++i) all.push_back(static_cast<std::int64_t>(i));
  const Integers axes = to.list(node, "axes", 3).value_or(all);
  const Integers steps = node.has_input(4) ? to.constant(node, 4).integers() : Integers(starts.size(), 1);
  GLIA_CHECK(starts.size() == ends.size() && starts.size() == axes.size() &&
                 steps == Integers(starts.size(), 1) && axes.size() <= 8,
             ValueError, "it takes parts from ", text_of(starts), " to ", text_of(ends), " in steps of ",
             text_of(steps), ", expected as many of both, and steps of 1");
  for (std::size_t i = 0; i < axes.size(); ++i) {
    if (axes[i] == 0 && starts[i] == 0 && ends[i] >= 1 << 30) continue;  // all rows
    x = part_of(to, x, axes[i], starts[i], ends[i]);
  }
  to.put(node, std::move(x));
}

void read_split(Importer& to, Node& node) {
  const Given& x = to.dynamic(node, 0);
  const std::int64_t axis = node.integer("axis", 0);
  const std::int64_t length = x.symbol->shape()[to.axis(x, axis) - 1], parts = node.outputs();
  const std::int64_t each = (length + parts - 1) / std::max<std::int64_t>(parts, 1);
  static_cast<void>(node.integer("num_outputs", parts));
  const Integers sizes = to.list(node, "split", 1).value_or(Integers(static_cast<std::size_t>(parts), each));
  GLIA_CHECK(static_cast<std::int64_t>(sizes.size()) == parts, ValueError, "it has ", parts,
             " outputs and sizes ", text_of(sizes));
  std::int64_t first = 0;
  for (int i = 0; i < parts; ++i) {
    const std::int64_t size = std::min(sizes[static_cast<std::size_t>(i)], length);
    GLIA_CHECK(size >= 1 && first < length, ValueError, "it splits ", length, " elements into ",
               text_of(sizes));
    to.put(node, part_of(to, x, axis, first, std::min(first + size, length)), i);
    first += std::min(size, length);
  }
}

void read_reduction(Importer& to, Node& node) {
  const std::optional<Integers> given = to.list(node, "axes", 1);
  const bool keeps = node.integer("keepdims", 1) != 0, is_mean = node.op() == "ReduceMean",
             is_max = node.op() == "ReduceMax";
  const Given& x = to.dynamic(node, 0);
  const Shape row = to.row(x);
  GLIA_CHECK(given && !given->empty(), ValueError,
             "it has no axes, or none that are constant, expected some: rows stay apart");
  node.expect("noop_with_empty_axes", 0);
  std::vector<bool> goes(static_cast<std::size_t>(row.rank()));
  for (const std::int64_t axis : *given) {
    to.axis(x, axis);  // throws for one that there is not
    goes[static_cast<std::size_t>(axis < 0 ? axis + row.rank() : axis - 1)] = true;
  }
  Shape left;
  for (int i = 0; i < row.rank(); ++i)
    if (!goes[static_cast<std::size_t>(i)])
      left.push_back(row[i]);
    else if (keeps)
      left.push_back(1);
  const Given in = x.order == Order::flattened ? Given(to.plain(x)) : x;
  std::vector<int> axes;
  for (int i = 0; i < row.rank(); ++i)
    if (goes[static_cast<std::size_t>(i)]) axes.push_back(to.axis(in, i + 1));
  std::sort(axes.begin(), axes.end());
  Given y(*in.symbol, in.order);
  y.nonnegative = x.nonnegative;
  if (is_max) {
    GLIA_CHECK(in.symbol->shape().rank() == 3 && axes == std::vector<int>({1, 2}), ValueError,
               "it takes the greatest over the axes ", text_of(*given), ", expected those of images");
    y.symbol = GlobalMaxPooling2D({.keepdims = true})(*in.symbol);
  } else {
    const Symbol of =
        node.op() == "ReduceL2" || node.op() == "ReduceSumSquare" ? square(*in.symbol) : *in.symbol;
    y.symbol = is_mean ? mean(of, axes, true) : sum(of, axes, true);
    if (node.op() == "ReduceL2") y.symbol = sqrt(*y.symbol);
  }
  to.put(node, to.reshaped(y, left));
}

}  // namespace

OperatorReads shape_reads() {
  return {{"Reshape", read_reshape},
          {"Flatten", read_flatten},
          {"Squeeze", read_squeeze},
          {"Unsqueeze", read_unsqueeze},
          {"Transpose", read_transpose},
          {"Expand", read_expand},
          {"Slice", read_slice},
          {"Split", read_split},
          {"ReduceMean", read_reduction},
          {"ReduceSum", read_reduction},
          {"ReduceMax", read_reduction},
          {"ReduceL2", read_reduction},
          {"ReduceSumSquare", read_reduction},
          {"Shape", [](Importer& to, Node& node) {
             const Shape row = to.row(to.dynamic(node, 0));
             Integers dims{any_rows};
             dims.insert(dims.end(), row.begin(), row.end());
             const auto rank = static_cast<std::int64_t>(dims.size());
             const auto counted = [&](std::int64_t at) {
               return std::clamp<std::int64_t>(at < 0 ? at + rank : at, 0, rank);
             };
             const std::int64_t from = counted(node.integer("start", 0)),
                                until = counted(node.integer("end", rank));
             const Integers part(dims.begin() + from, dims.begin() + std::max(from, until));
             to.put(node, Given(Constant({static_cast<std::int64_t>(part.size())}, part)));
           }}};
}

}  // namespace glia::onnx
