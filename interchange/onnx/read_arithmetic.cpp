// Operators of two values or more: arithmetic, what joins, and the two formulas of which Glia has the whole alone.
// SPDX-License-Identifier: Apache-2.0
#include <glia/merging_layers.h>
#include <glia/operations.h>
#include <interchange/onnx/importer.h>

#include <algorithm>
#include <cmath>

namespace glia::onnx {
namespace {

double inverse(double number) { return 1 / number; }

void put_merged(Importer& to, Node& node, const std::vector<const Given*>& values, const Layer& layer) {
  Given y;
  const std::vector<Symbol> symbols = to.alike(values, y);
  y.symbol = layer(symbols);
  const bool adds = node.op() == "Add" || node.op() == "Sum" || node.op() == "Mul" || node.op() == "Max" ||
                    node.op() == "Min" || node.op() == "Concat" || node.op() == "Mean" || node.op() == "Div";
  y.nonnegative = adds && std::all_of(values.begin(), values.end(),
                                      [](const Given* value) { return value->nonnegative; });
  to.put(node, std::move(y));
}

/// factor (1 + erf(x / sqrt 2)) * y, where y is x times a number.
Given gelu(const Given::Erf& erf, const Given& y, Order order, const Shape& image) {
  GLIA_CHECK(y.symbol && erf.offset == erf.factor, ValueError,
             "Glia has erf within GELU alone, x (1 + erf(x / sqrt 2)) / 2");
  double factor = 2 * erf.factor;
  if (y.scaled && y.scaled->of == erf.x)
    factor *= y.scaled->factor;
  else
    GLIA_CHECK(*y.symbol == erf.x, ValueError, "Glia has erf within GELU alone, x (1 + erf(x / sqrt 2)) / 2");
  Symbol symbol = Activation("gelu")(erf.x);
  if (std::fabs(factor - 1) > 1e-6) symbol = Rescaling(factor)(symbol);
  Given result(symbol, order);
  result.image = image;
  return result;
}

/// An operation on a formula of erf that is not whole yet: true where there was one.
bool is_within_gelu(Importer& to, Node& node, const Given& a, const Given& b) {
  if (!a.erf && !b.erf) return false;
  const Given &erf = a.erf ? a : b, &other = a.erf ? b : a;
  const std::string& op = node.op();
  if (op == "Mul" && !other.constant) {
    to.put(node, gelu(*erf.erf, other, erf.order, erf.image));
    return true;
  }
  GLIA_CHECK(other.constant && other.constant->is_number(), ValueError,
             "Glia has erf within GELU alone, x (1 + erf(x / sqrt 2)) / 2");
  const double number = other.constant->number();
  Given result = erf;
  if (op == "Add")
    result.erf->offset += number;
  else if (op == "Mul" || (op == "Div" && a.erf))
    result.erf->factor *= op == "Mul" ? number : 1 / number,
        result.erf->offset *= op == "Mul" ? number : 1 / number;
  else
    throw ValueError("Glia has erf within GELU alone, x (1 + erf(x / sqrt 2)) / 2");
  to.put(node, std::move(result));
  return true;
}

void read_add(Importer& to, Node& node) {
  const Given &a = to.given(node, 0), &b = to.given(node, 1);
  if (is_within_gelu(to, node, a, b)) return;
  if (b.constant)
    to.put(node, to.moved(to.dynamic(node, 0), *b.constant, 1));
  else if (a.constant)
    to.put(node, to.moved(to.dynamic(node, 1), *a.constant, 1));
  else
    put_merged(to, node, {&to.dynamic(node, 0), &to.dynamic(node, 1)}, Add());
}

void read_sub(Importer& to, Node& node) {
  const Given &a = to.given(node, 0), &b = to.given(node, 1);
  if (b.constant)
    to.put(node, to.moved(to.dynamic(node, 0), *b.constant, -1));
  else if (a.constant)
    to.put(node,
           to.moved(to.scaled(to.dynamic(node, 1), Constant({}, std::vector<double>{-1})), *a.constant, 1));
  else
    put_merged(to, node, {&to.dynamic(node, 0), &to.dynamic(node, 1)}, Subtract());
}

void read_mul(Importer& to, Node& node) {
  const Given &a = to.given(node, 0), &b = to.given(node, 1);
  if (is_within_gelu(to, node, a, b)) return;
  if (b.constant) return to.put(node, to.scaled(to.dynamic(node, 0), *b.constant));
  if (a.constant) return to.put(node, to.scaled(to.dynamic(node, 1), *a.constant));
  const Given &x = to.dynamic(node, 0), &y = to.dynamic(node, 1);
  if (x.symbol == y.symbol) {
    Given squared = x;
    squared.symbol = square(*x.symbol), squared.nonnegative = true, squared.scaled = {};
    return to.put(node, std::move(squared));
  }
  put_merged(to, node, {&x, &y}, Multiply());
}

void read_div(Importer& to, Node& node) {
  const Given &a = to.given(node, 0), &b = to.given(node, 1);
  if (is_within_gelu(to, node, a, b)) return;
  if (b.constant) return to.put(node, to.scaled(to.dynamic(node, 0), *b.constant, inverse));
  if (a.constant) {
    Given y = to.dynamic(node, 1);
    y.symbol = pow(*y.symbol, -1), y.scaled = {};
    return to.put(node, to.scaled(y, *a.constant));
  }
  Given y;
  const std::vector<Symbol> symbols = to.alike({&to.dynamic(node, 0), &to.dynamic(node, 1)}, y);
  y.symbol = symbols[0] / symbols[1];
  to.put(node, std::move(y));
}

void read_pow(Importer& to, Node& node) {
  const Given& x = to.dynamic(node, 0);
  const double exponent = to.constant(node, 1).number();
  Given y = x;
  y.symbol = exponent == 2 ? square(*x.symbol) : exponent == 0.5 ? sqrt(*x.symbol) : pow(*x.symbol, exponent);
  y.nonnegative = x.nonnegative || std::fmod(exponent, 2) == 0, y.scaled = {};
  to.put(node, std::move(y));
}

/// Sum, Mean, Max and Min of any number; of Max and Min constants too, which are bounds.
void read_many(Importer& to, Node& node) {
  std::vector<const Given*> values;
  double least = -HUGE_VAL, most = HUGE_VAL;
  const bool is_max = node.op() == "Max", is_min = node.op() == "Min";
  for (int i = 0; i < node.inputs(); ++i) {
    if ((is_max || is_min) && to.is_constant(node, i)) {
      const double bound = to.constant(node, i).number();
      (is_max ? least : most) = is_max ? std::max(least, bound) : std::min(most, bound);
    } else {
      values.push_back(&to.dynamic(node, i));
    }
  }
  Given y;
  std::vector<Symbol> symbols = to.alike(values, y);
  Symbol result = symbols.at(0);
  if (symbols.size() > 1)
    result = is_max               ? maximum(symbols)
             : is_min             ? minimum(symbols)
             : node.op() == "Sum" ? add(symbols)
                                  : average(symbols);
  if (!std::isinf(least) || !std::isinf(most)) result = clipped(result, least, most);
  y.symbol = result, y.nonnegative = least >= 0;
  to.put(node, std::move(y));
}

void read_concat(Importer& to, Node& node) {
  std::vector<const Given*> values;
  for (int i = 0; i < node.inputs(); ++i) values.push_back(&to.dynamic(node, i));
  std::vector<Given> flat;  // whose elements would not lie as those of the whole
  for (const Given* const value : values)
    flat.emplace_back(value->order == Order::flattened ? to.plain(*value) : *value->symbol,
                      value->order == Order::flattened ? Order::plain : value->order);
  for (std::size_t i = 0; i < flat.size(); ++i)
    flat[i].nonnegative = values[i]->nonnegative, values[i] = &flat[i];
  Given y;
  const std::vector<Symbol> symbols = to.alike(values, y);
  y.symbol = symbols[0];
  const int axis = to.axis(y, node.integer("axis", 1));
  if (symbols.size() > 1) y.symbol = Concatenate(axis)(symbols);
  to.put(node, std::move(y));
}

/// Comparisons with a number: halves of a Where, or steps once they are cast. Glia's step is 1 from 0 on.
void read_comparison(Importer& to, Node& node) {
  const Given& x = to.dynamic(node, 0);
  const double bound = to.constant(node, 1).number();
  const std::string& op = node.op();
  const bool is_below = op == "LessOrEqual" || op == "Greater", is_not = op == "Less" || op == "Greater";
  Symbol moved = *x.symbol;
  if (is_below)
    moved = Rescaling(-1, bound)(moved);
  else if (bound != 0)
    moved = Rescaling(1, -bound)(moved);
  const Symbol step = Activation("step")(moved);
  Given y;
  y.condition = is_not ? Rescaling(-1, 1)(step) : step;
  y.order = x.order, y.image = x.image;
  to.put(node, std::move(y));
}

void read_where(Importer& to, Node& node) {
  const Given& condition = to.given(node, 0);
  GLIA_CHECK(condition.condition, ValueError,
             "its condition is none that Glia has, expected a value compared with a number");
  const auto part = [&](int input, const Symbol& weight) {
    if (to.is_constant(node, input)) return Rescaling(to.constant(node, input).number())(weight);
    const Given& value = to.dynamic(node, input);
    GLIA_CHECK(value.order == condition.order && value.image == condition.image, ValueError,
               "its condition has another order of axes than what it chooses from");
    return multiply({*value.symbol, weight});
  };
  Given y(add({part(1, *condition.condition), part(2, Rescaling(-1, 1)(*condition.condition))}),
          condition.order);
  y.image = condition.image;
  to.put(node, std::move(y));
}

/// Numbers of any type are float32 here; what indices are cast to does not matter to Embedding.
void read_cast(Importer& to, Node& node) {
  node.pass_over("saturate"), node.pass_over("round_mode");
  const auto type = static_cast<ElementType>(node.integer("to", 1));
  const Given& x = to.given(node, 0);
  if (x.condition && type == ElementType::boolean) return to.put(node, Given(x));
  if (x.condition) {
    Given y(*x.condition, x.order);
    y.image = x.image, y.nonnegative = true;
    return to.put(node, std::move(y));
  }
  const bool is_real = type == ElementType::float32 || type == ElementType::float64 ||
                       type == ElementType::float16 || type == ElementType::bfloat16;
  const format::Node* const reader = to.only_reader(node.output());
  GLIA_CHECK(is_real || (reader && reader->op_type() == "Gather"), ValueError, "it casts to ONNX's type ",
             static_cast<int>(type), ", expected a floating type, or indices that a Gather reads alone");
  to.put(node, Given(to.dynamic(node, 0)));
}

void read_identity(Importer& to, Node& node) {
  node.pass_over("ratio"), node.pass_over("seed"), node.pass_over("is_test");
  to.put(node, Given(to.given(node, 0)));
}

}  // namespace

OperatorReads arithmetic_reads() {
  return {{"Add", read_add},
          {"Sub", read_sub},
          {"Mul", read_mul},
          {"Div", read_div},
          {"Pow", read_pow},
          {"Sum", read_many},
          {"Mean", read_many},
          {"Max", read_many},
          {"Min", read_many},
          {"Concat", read_concat},
          {"Less", read_comparison},
          {"LessOrEqual", read_comparison},
          {"Greater", read_comparison},
          {"GreaterOrEqual", read_comparison},
          {"Where", read_where},
          {"Cast", read_cast},
          {"Identity", read_identity},
          {"Dropout", read_identity}};
}

}  // namespace glia::onnx
