// Operators whose inputs are all constants: computed while the file is read.
// SPDX-License-Identifier: Apache-2.0
#include <interchange/onnx/importer.h>

#include <algorithm>
#include <cmath>

namespace glia::onnx {
namespace {

/// Index arithmetic, in which the rows of a batch are unknown, and what depends on them.
std::int64_t of_integers(const std::string& op, std::int64_t a, std::int64_t b) {
  std::int64_t result = 0;
  if (a == any_rows || b == any_rows) return any_rows;
  if (op == "Div") {
    GLIA_CHECK(b != 0, ValueError, "it divides by 0");
    return b == -1 ? 0 - a : a / b;
  }
  if (op == "Mod") {  // of the divisor's sign
    GLIA_CHECK(b != 0, ValueError, "it divides by 0");
    const std::int64_t rest = b == -1 ? 0 : a % b;
    return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
  }
  if (op == "Equal") return a == b;
  const bool overflows = op == "Add"   ? __builtin_add_overflow(a, b, &result)
                         : op == "Sub" ? __builtin_sub_overflow(a, b, &result)
                                       : __builtin_mul_overflow(a, b, &result);
  GLIA_CHECK(!overflows, ValueError, "its integers are beyond 64 bits");
  return result;
}

double of_reals(const std::string& op, double a, double b) {
  return op == "Add"   ? a + b
         : op == "Sub" ? a - b
         : op == "Mul" ? a * b
         : op == "Div" ? a / b
                       : std::pow(a, b);
}

/// Shapes of which one is repeated along the other: those of one number, or of as many.
Constant binary(const std::string& op, const Constant& a, const Constant& b) {
  const Constant& larger = a.elements() >= b.elements() ? a : b;
  const Constant& smaller = a.elements() >= b.elements() ? b : a;
  const auto ends_alike = [&] {
    Integers dims = smaller.dims();
    while (!dims.empty() && dims[0] == 1) dims.erase(dims.begin());
    return dims.size() <= larger.dims().size() &&
           std::equal(dims.rbegin(), dims.rend(), larger.dims().rbegin());
  };
  GLIA_CHECK(smaller.elements() == 1 || ends_alike(), ValueError, "it computes with constants of dimensions ",
             text_of(a.dims()), " and ", text_of(b.dims()),
             ": simplify the file first, with onnxsim for example");
  const auto count = static_cast<std::size_t>(larger.elements());
  const Integers& dims = larger.rank() >= smaller.rank() ? larger.dims() : smaller.dims();
  if (a.is_integer() && b.is_integer() && op != "Pow") {
    const Integers x = a.integers(), y = b.integers();
    Integers result;
    for (std::size_t i = 0; i < count; ++i)
      result.push_back(of_integers(op, x[i % x.size()], y[i % y.size()]));
    return {dims, result};
  }
  GLIA_CHECK(op != "Mod" && op != "Equal", ValueError, "its constants are no integers");
  const std::vector<double> x = a.reals(), y = b.reals();
  std::vector<double> result;
  for (std::size_t i = 0; i < count; ++i) result.push_back(of_reals(op, x[i % x.size()], y[i % y.size()]));
  return {dims, result};
}

Constant unary(const std::string& op, const Constant& a) {
  if (op == "Neg" && a.is_integer()) {
    Integers integers = a.integers();
    for (std::int64_t& x : integers) x = x == any_rows ? any_rows : -x;
    return {a.dims(), integers};
  }
  std::vector<double> values = a.reals();
  for (double& x : values)
    x = op == "Sqrt" ? std::sqrt(x) : op == "Neg" ? -x : op == "Exp" ? std::exp(x) : 1 / x;
  return {a.dims(), values};
}

/// Of integers, as many of each or one.
Constant chosen(const Importer& to, Node& node) {
  const Integers conditions = to.constant(node, 0).integers(), a = to.constant(node, 1).integers(),
                 b = to.constant(node, 2).integers();
  const std::size_t count = std::max({conditions.size(), a.size(), b.size()});
  const auto fits = [&](const Integers& list) { return list.size() == count || list.size() == 1; };
  GLIA_CHECK(fits(conditions) && fits(a) && fits(b), ValueError, "it chooses by ", conditions.size(),
             " conditions from ", a.size(), " and ", b.size(), " constants, expected as many");
  Integers result, dims;
  for (std::size_t i = 0; i < count; ++i) {
    const std::int64_t condition = conditions[i % conditions.size()];
    GLIA_CHECK(condition != any_rows, ValueError, "it chooses by how many rows a batch has");
    result.push_back(condition != 0 ? a[i % a.size()] : b[i % b.size()]);
  }
  for (int i = 0; i < 3; ++i)
    if (to.constant(node, i).elements() == static_cast<std::int64_t>(count) &&
        to.constant(node, i).dims().size() >= dims.size())
      dims = to.constant(node, i).dims();
  return {dims, result};
}

Constant concatenated(const Importer& to, Node& node) {
  Integers all;
  node.expect("axis", 0);
  for (int i = 0; i < node.inputs(); ++i) {
    const Constant& part = to.constant(node, i);
    GLIA_CHECK(part.rank() == 1, ValueError, "it joins constants of dimensions ", text_of(part.dims()),
               ", expected lists");
    const Integers integers = part.integers();
    all.insert(all.end(), integers.begin(), integers.end());
    GLIA_CHECK(all.size() <= 1000, ValueError, "it joins more than 1000 integers");
  }
  return {{static_cast<std::int64_t>(all.size())}, all};
}

Constant gathered(const Importer& to, Node& node) {
  node.expect("axis", 0);
  const Constant &from = to.constant(node, 0), &at = to.constant(node, 1);
  GLIA_CHECK(from.rank() == 1, ValueError, "it takes elements of a constant of dimensions ",
             text_of(from.dims()), ", expected a list");
  const Integers list = from.integers(), places = at.integers();
  Integers result;
  for (std::int64_t place : places) {
    if (place < 0) place += from.elements();
    GLIA_CHECK(place >= 0 && place < from.elements(), ValueError, "it takes element ", place, " of ",
               from.elements());
    result.push_back(list[static_cast<std::size_t>(place)]);
  }
  return {at.dims(), result};
}

/// Along the first axis, forwards or backwards.
Constant sliced(const Importer& to, Node& node) {
  const Constant& from = to.constant(node, 0);
  const Integers starts = to.list(node, "starts", 1).value_or(Integers{}),
                 ends = to.list(node, "ends", 2).value_or(Integers{});
  const Integers axes = to.list(node, "axes", 3).value_or(Integers{0});
  const double step = node.has_input(4) ? to.constant(node, 4).number() : 1;
  GLIA_CHECK(from.rank() >= 1 && starts.size() == 1 && ends.size() == 1 && axes == Integers{0} &&
                 (step == 1 || step == -1) && from.elements() > 0,
             ValueError, "it takes parts of a constant of dimensions ", text_of(from.dims()),
             ", expected some along the first axis");
  const Integers list = from.integers();
  const std::int64_t count = from.dims()[0], each = from.elements() / count;
  const auto counted = [&](std::int64_t at, std::int64_t least, std::int64_t most) {
    return std::clamp<std::int64_t>(at < 0 ? std::max(at, -count - 1) + count : at, least, most);
  };
  Integers part, dims = from.dims();
  if (step == 1)
    for (std::int64_t i = counted(starts[0], 0, count); i < counted(ends[0], 0, count); ++i)
      part.insert(part.end(), list.begin() + i * each, list.begin() + (i + 1) * each);
  else
    for (std::int64_t i = counted(starts[0], 0, count - 1); i > counted(ends[0], -1, count - 1); --i)
      part.insert(part.end(), list.begin() + i * each, list.begin() + (i + 1) * each);
  dims[0] = static_cast<std::int64_t>(part.size()) / each;
  return {dims, part};
}

/// Other dimensions for as many elements.
Constant redimensioned(const Importer& to, Node& node) {
  const Constant& x = to.constant(node, 0);
  Integers dims = x.dims();
  if (node.op() == "Reshape") {
    dims = to.list(node, "shape", 1).value_or(Integers{});
    node.pass_over("allowzero");
    std::int64_t known = 1, open = -1;
    for (std::size_t i = 0; i < dims.size(); ++i) {
      if (dims[i] == 0 && i < x.dims().size()) dims[i] = x.dims()[i];
      if (dims[i] == -1) open = static_cast<std::int64_t>(i), dims[i] = 1;
    }
    known = elements_of(dims);
    if (open >= 0 && known > 0) dims[static_cast<std::size_t>(open)] = x.elements() / known;
    return x.with_dims(dims);
  }
  Integers axes = to.list(node, "axes", 1).value_or(Integers{});
  GLIA_CHECK(axes.size() <= 8 && dims.size() <= 8, ValueError, "it has ", axes.size(),
             " axes, expected at most 8");
  const bool adds = node.op() == "Unsqueeze";
  const auto rank = static_cast<std::int64_t>(dims.size() + (adds ? axes.size() : 0));
  for (std::int64_t& axis : axes) {
    if (axis < 0) axis += rank;
    GLIA_CHECK(axis >= 0 && axis < rank, ValueError, "it has the axis ", axis, " of ", rank);
  }
  std::sort(axes.begin(), axes.end());
  if (adds)
    for (const std::int64_t axis : axes)
      dims.insert(dims.begin() + std::min<std::int64_t>(axis, static_cast<std::int64_t>(dims.size())), 1);
  else if (axes.empty())
    std::erase(dims, 1);
  else
    for (std::size_t i = axes.size(); i-- > 0;)
      if (axes[i] < static_cast<std::int64_t>(dims.size())) dims.erase(dims.begin() + axes[i]);
  return x.with_dims(dims);
}

Constant transposed(const Importer& to, Node& node) {
  const Constant& x = to.constant(node, 0);
  const Integers& dims = x.dims();
  Integers perm;
  for (int i = x.rank() - 1; i >= 0; --i) perm.push_back(i);
  perm = node.integers("perm", perm);
  Integers sorted = perm, result;
  std::sort(sorted.begin(), sorted.end());
  bool is_order = sorted.size() == dims.size();
  for (std::size_t i = 0; i < sorted.size() && is_order; ++i)
    is_order = sorted[i] == static_cast<std::int64_t>(i);
  GLIA_CHECK(is_order, ValueError, "its attribute perm is ", text_of(perm), " for ", dims.size(), " axes");
  for (const std::int64_t axis : perm) result.push_back(dims[static_cast<std::size_t>(axis)]);
  const std::vector<float> values = permuted(x, dims, {perm.begin(), perm.end()});
  if (x.is_integer()) return {result, Integers(values.begin(), values.end())};
  return {result, std::vector<double>(values.begin(), values.end())};
}

/// One value as often as a shape says.
Constant repeated(const Importer& to, Node& node) {
  const Integers dims = to.constant(node, 0).integers();
  const std::int64_t count = elements_of(dims);
  GLIA_CHECK(count <= 1000, ValueError, "it repeats a constant ", count, " times, expected at most 1000");
  const format::Tensor* const tensor = node.tensor("value");
  if (!tensor) return {dims, std::vector<double>(static_cast<std::size_t>(count), 0)};
  const Constant value(*tensor);
  if (!value.is_integer())
    return {dims, std::vector<double>(static_cast<std::size_t>(count), value.number())};
  return {dims, Integers(static_cast<std::size_t>(count), static_cast<std::int64_t>(value.number()))};
}

std::optional<Constant> of_node(Node& node) {
  if (const format::Tensor* const tensor = node.tensor("value")) return Constant(*tensor);
  if (node.has("value_float")) return Constant({}, std::vector<double>{node.real("value_float", 0)});
  if (node.has("value_int")) return Constant({}, Integers{node.integer("value_int", 0)});
  if (const auto reals = node.reals("value_floats"))
    return Constant({static_cast<std::int64_t>(reals->size())}, *reals);
  const Integers integers = node.integers("value_ints", {});
  GLIA_CHECK(node.has("value_ints"), ValueError,
             "its value is none that Glia has something for, expected numbers");
  return Constant({static_cast<std::int64_t>(integers.size())}, integers);
}

}  // namespace

std::optional<Constant> folded(const Importer& to, Node& node) {
  const std::string& op = node.op();
  if (op == "Constant") return of_node(node);
  if (op == "Identity") return to.constant(node, 0);
  if (op == "Add" || op == "Sub" || op == "Mul" || op == "Div" || op == "Pow")
    return binary(op, to.constant(node, 0), to.constant(node, 1));
  if (op == "Mod" || op == "Equal") {
    node.expect("fmod", 0);
    return binary(op, to.constant(node, 0), to.constant(node, 1));
  }
  if (op == "Where") return chosen(to, node);
  if (op == "Sqrt" || op == "Neg" || op == "Exp" || op == "Reciprocal")
    return unary(op, to.constant(node, 0));
  if (op == "Concat") return concatenated(to, node);
  if (op == "Gather" && to.constant(node, 0).rank() == 1) return gathered(to, node);
  if (op == "Slice") return sliced(to, node);
  if (op == "Reshape" || op == "Squeeze" || op == "Unsqueeze") return redimensioned(to, node);
  if (op == "Transpose") return transposed(to, node);
  if (op == "ConstantOfShape") return repeated(to, node);
  if (op == "Shape") {
    const Integers dims = to.constant(node, 0).dims();
    return Constant({static_cast<std::int64_t>(dims.size())}, dims);
  }
  if (op != "Cast") return std::nullopt;
  node.pass_over("saturate"), node.pass_over("round_mode");
  const auto type = static_cast<ElementType>(node.integer("to", 0));
  const Constant& x = to.constant(node, 0);
  const bool to_integer = type == ElementType::int64 || type == ElementType::int32;
  if (to_integer == x.is_integer()) return x;
  if (!to_integer) return Constant(x.dims(), x.reals());
  Integers integers;
  for (const double value : x.reals()) {
    GLIA_CHECK(std::fabs(value) < 0x1p53, ValueError, "it casts ", value, " to an integer");
    integers.push_back(static_cast<std::int64_t>(value));
  }
  return Constant(x.dims(), integers);
}

}  // namespace glia::onnx
