// Operators that work on each element, or along the features: activations and normalisations.
// SPDX-License-Identifier: Apache-2.0
#include <glia/merging_layers.h>
#include <glia/operations.h>
#include <interchange/onnx/importer.h>

#include <cmath>
#include <numeric>

namespace glia::onnx {
namespace {

bool is_near(double a, double b) { return std::fabs(a - b) <= 1e-5 * std::fabs(b); }

/// Bounds of Clip, which are attributes up to operator set 10, then inputs.
std::pair<double, double> bounds(Node& node, const Importer& to) {
  double least = -HUGE_VAL, most = HUGE_VAL;
  if (node.has("min") || node.has("max") || node.inputs() < 2) {
    least = node.real("min", least), most = node.real("max", most);
    if (least < -3e38) least = -HUGE_VAL;  // the greatest float, which means none
    if (most > 3e38) most = HUGE_VAL;
    return {least, most};
  }
  return {to.number(node, 1).value_or(least), to.number(node, 2).value_or(most)};
}

bool is_last(Node& node, const Importer& to, std::int64_t axis, std::int64_t rank) {
  const std::int64_t given = node.integer("axis", to.operator_set() >= 13 ? -1 : 1);
  const std::int64_t counted = given < 0 ? given + rank : given;
  // Before operator set 13 the axes from there on were one.
  return counted == axis && (to.operator_set() >= 13 || counted == rank - 1);
}

/// An activation where it stands alone.
void read_activation(Importer& to, Node& node) {
  const Given& x = to.dynamic(node, 0);
  const std::int64_t rank = to.row(x).rank() + 1;
  const std::optional<ActivationName> activation =
      activation_of(node, to, x.order == Order::first ? 1 : rank - 1, rank);
  Given y = x;
  y.scaled = {};
  y.nonnegative = node.op() == "Relu" || node.op() == "Sigmoid" || node.op() == "HardSigmoid" ||
                  node.op() == "Softmax" || node.op() == "Softplus" || node.op() == "Exp";
  if (activation) {
    y.symbol = Activation(*activation)(*x.symbol);
    return to.put(node, std::move(y));
  }
  if (node.op() == "Clip") {
    const auto [least, most] = bounds(node, to);
    y.symbol = clipped(*x.symbol, least, most), y.nonnegative = least >= 0;
  } else if (node.op() == "HardSigmoid") {
    const double alpha = node.real("alpha", 0.2), beta = node.real("beta", 0.5);
    y.symbol = ReLU({.max_value = 1})(Rescaling(alpha, beta)(*x.symbol));
  } else {  // softmax along another axis
    const std::int64_t given = node.integer("axis", -1);
    GLIA_CHECK(to.operator_set() >= 13, ValueError,
               "its softmax is over several axes, as operator sets before 13 "
               "have it: convert the file to a newer one");
    const Symbol symbol = to.plain(x);
    Given in(symbol);
    const int axis = to.axis(in, given), last = symbol.shape().rank();
    std::vector<int> order(static_cast<std::size_t>(last));
    std::iota(order.begin(), order.end(), 1);
    std::swap(order[static_cast<std::size_t>(axis) - 1], order.back());
    y = Given(transpose(
        Activation(node.op() == "Softmax" ? "softmax" : "log_softmax")(transpose(symbol, order)), order));
  }
  to.put(node, std::move(y));
}

/// The slope of each element of a row.
void read_prelu(Importer& to, Node& node) {
  const Given& x = to.dynamic(node, 0);
  const Constant& slopes = to.constant(node, 1);
  Given y = x;
  y.nonnegative = false, y.scaled = {};
  if (slopes.is_number() && slopes.number() >= 0) {
    y.symbol = LeakyReLU(slopes.number())(*x.symbol);
    return to.put(node, std::move(y));
  }
  // alpha of PReLU has the row's shape: the slopes are ones, times what the file has.
  const Given image(x.order == Order::flattened ? to.plain(x) : *x.symbol,
                    x.order == Order::flattened ? Order::plain : x.order);
  const Shape row = to.row(image), shape = image.symbol->shape();
  Integers dims(static_cast<std::size_t>(row.rank()), 1);
  const Integers& given = slopes.dims();
  for (std::size_t i = 1; i <= std::min(dims.size(), given.size()); ++i)
    dims[dims.size() - i] = given[given.size() - i];
  bool fits = given.size() <= dims.size() || (given.size() == dims.size() + 1 && given[0] == 1);
  for (std::size_t i = 0; i < dims.size(); ++i)
    fits = fits && (dims[i] == 1 || dims[i] == row[static_cast<int>(i)]);
  GLIA_CHECK(fits, ShapeError, "its slopes have the dimensions ", text_of(given), " beside rows of shape ",
             row);
  to.spend(2 * row.elements());
  const std::vector<float> numbers = slopes.floats();
  std::vector<float> alpha;
  for (std::int64_t at = 0; at < shape.elements(); ++at) {
    std::int64_t rest = at, place = 0;
    Integers index(dims.size());
    for (int axis = shape.rank() - 1; axis >= 0; --axis) {
      const int of_file = image.order != Order::first ? axis : axis == shape.rank() - 1 ? 0 : axis + 1;
      index[static_cast<std::size_t>(of_file)] = rest % shape[axis], rest /= shape[axis];
    }
    for (std::size_t i = 0; i < dims.size(); ++i) place = place * dims[i] + (dims[i] == 1 ? 0 : index[i]);
    alpha.push_back(numbers[static_cast<std::size_t>(place)]);
  }
  y.symbol = to.weighted(PReLU({.name = to.name_for(node.input(1))}), *image.symbol, [&] {
    std::vector<Tensor> weights;
    weights.emplace_back(alpha, shape);
    return weights;
  }());
  y.order = image.order, y.image = {};
  to.put(node, std::move(y));
}

void read_batch_normalization(Importer& to, Node& node) {
  node.expect("training_mode", 0), node.expect("spatial", 1), node.expect("is_test", 1);
  node.pass_over("momentum"), node.pass_over("consumed_inputs");
  const Given& x = to.dynamic(node, 0);
  Given y = x;
  if (x.order == Order::plain && to.row(x).rank() >= 2)
    y.symbol = to.channels_last(x), y.order = Order::first;
  const std::int64_t features = y.symbol->shape().back();
  std::vector<Tensor> weights;
  for (int i = 1; i <= 4; ++i) {
    const Constant& numbers = to.constant(node, i);
    GLIA_CHECK(numbers.elements() == features, ShapeError, "its input ", i, " has the dimensions ",
               text_of(numbers.dims()), ", expected one number for each of ", features, " channels");
    weights.emplace_back(to.features(x, numbers.floats()));
  }
  const BatchNormalization layer({.epsilon = node.real("epsilon", 1e-5), .name = to.name_for(node.input(1))});
  y.symbol = to.weighted(layer, *y.symbol, std::move(weights));
  y.nonnegative = false, y.scaled = {};
  to.put(node, std::move(y));
}

void read_layer_normalization(Importer& to, Node& node) {
  node.pass_over("stash_type");
  const Given& x = to.dynamic(node, 0);
  const Shape row = to.row(x);
  const int axis = to.axis(Given(to.plain(x)), node.integer("axis", -1));
  std::int64_t features = 1;
  for (int i = axis - 1; i < row.rank(); ++i) features *= row[i];
  GLIA_CHECK(axis == row.rank() || axis == 1, ValueError, "its attribute axis is ", axis,
             " of rows of shape ", row, ", expected the last axis, or all of the row");
  std::vector<Tensor> weights;
  for (int i = 1; i <= 2 && node.has_input(i); ++i) {
    const Constant& numbers = to.constant(node, i);
    GLIA_CHECK(numbers.elements() == features, ShapeError, "its input ", i, " has the dimensions ",
               text_of(numbers.dims()), ", expected ", features, " numbers");
    weights.emplace_back(numbers.floats());
  }
  const Given in(to.plain(x));
  const Given flat = axis == row.rank() ? in : to.reshaped(in, {features});
  const LayerNormalization layer({.epsilon = node.real("epsilon", 1e-5),
                                  .center = node.has_input(2),
                                  .name = to.name_for(node.input(1))});
  const Given normalized(to.weighted(layer, *flat.symbol, std::move(weights)));
  to.put(node, to.reshaped(normalized, row));
}

/// x times what is left of a formula of GELU, or a Where of two cases: see read_arithmetic.cpp.
void read_erf(Importer& to, Node& node) {
  const Given& x = to.dynamic(node, 0);
  GLIA_CHECK(x.scaled && is_near(x.scaled->factor, std::sqrt(0.5)), ValueError,
             "Glia has erf within GELU alone, x (1 + erf(x / sqrt 2)) / 2");
  Given y;
  y.erf = Given::Erf{x.scaled->of, 1, 0};
  y.order = x.order, y.image = x.image;
  to.put(node, std::move(y));
}

template <Symbol (*function)(const Symbol&)>
void read_function(Importer& to, Node& node) {
  const Given& x = to.dynamic(node, 0);
  Given y = x;
  y.symbol = function(*x.symbol), y.scaled = {};
  y.nonnegative = node.op() == "Sqrt" || node.op() == "Abs" || node.op() == "Exp";
  to.put(node, std::move(y));
}

Symbol negative(const Symbol& x) { return Rescaling(-1)(x); }
Symbol reciprocal(const Symbol& x) { return pow(x, -1); }

}  // namespace

Symbol clipped(const Symbol& x, double least, double most) {
  if (least == 0 && most == 6) return Activation("relu6")(x);
  GLIA_CHECK(least <= most, ValueError, "its bounds are ", least, " and ", most,
             ", expected the lower one first");
  if (least == 0) return ReLU({.max_value = most})(x);
  // A ReLU of slope 1 is min(x, max_value), to the bit, but for bounds below 0.
  const auto at_most = [](const Symbol& value, double bound) -> Symbol {
    if (std::isinf(bound)) return value;
    if (bound >= 0) return ReLU({.max_value = bound, .negative_slope = 1})(value);
    return Rescaling(1, bound)(ReLU({.max_value = 0, .negative_slope = 1})(Rescaling(1, -bound)(value)));
  };
  Symbol y = at_most(x, most);
  if (!std::isinf(least)) y = Rescaling(-1)(at_most(Rescaling(-1)(y), -least));
  return y == x ? Activation("linear")(x) : y;
}

std::optional<ActivationName> activation_of(Node& node, const Importer& to, std::int64_t axis,
                                            std::int64_t rank) {
  const std::string& op = node.op();
  if (op == "Relu") return Relu{};
  if (op == "Sigmoid") return Sigmoid{};
  if (op == "Tanh") return Tanh{};
  if (op == "LeakyRelu") return LeakyRelu{node.real("alpha", 0.01)};
  if (op == "Elu") return Elu{node.real("alpha", 1)};
  if (op == "Celu") return Celu{node.real("alpha", 1)};
  if (op == "Softplus") return Softplus{};
  if (op == "Softsign") return Softsign{};
  if (op == "HardSwish") return HardSilu{};
  if (op == "Mish") return Mish{};
  if (op == "Exp") return Exponential{};
  if (op == "Softmax" && is_last(node, to, axis, rank)) return Softmax{};
  if (op == "LogSoftmax" && is_last(node, to, axis, rank)) return LogSoftmax{};
  if (op == "Gelu") {
    const std::string approximate = node.text("approximate", "none");
    GLIA_CHECK(approximate == "none" || approximate == "tanh", ValueError, "its attribute approximate is \"",
               layer_name(approximate), "\", expected \"none\" or \"tanh\"");
    return Gelu{approximate == "tanh"};
  }
  if (op == "Selu") {
    const bool is_selu = is_near(node.real("alpha", Selu::alpha), Selu::alpha) &&
                         is_near(node.real("gamma", Selu::scale), Selu::scale);
    GLIA_CHECK(is_selu, ValueError, "its attributes alpha and gamma are not those of SELU");
    return Selu{};
  }
  if (op == "HardSigmoid" && is_near(node.real("alpha", 0.2), 1.0 / 6) && node.real("beta", 0.5) == 0.5)
    return HardSigmoid{};
  if (op == "Clip" && bounds(node, to) == std::pair(0.0, 6.0)) return Relu6{};
  return std::nullopt;
}

OperatorReads element_reads() {
  OperatorReads reads{{"PRelu", read_prelu},
                      {"BatchNormalization", read_batch_normalization},
                      {"LayerNormalization", read_layer_normalization},
                      {"Erf", read_erf},
                      {"Sqrt", read_function<sqrt>},
                      {"Log", read_function<log>},
                      {"Abs", read_function<abs>},
                      {"Neg", read_function<negative>},
                      {"Reciprocal", read_function<reciprocal>},
                      {"ThresholdedRelu", [](Importer& to, Node& node) {
                         const Given& x = to.dynamic(node, 0);
                         Given y = x;
                         y.symbol = ReLU({.threshold = node.real("alpha", 1)})(*x.symbol);
                         y.nonnegative = true, y.scaled = {};
                         to.put(node, std::move(y));
                       }}};
  for (const char* const op :
       {"Relu", "Sigmoid", "Tanh", "LeakyRelu", "Elu", "Celu", "Softplus", "Softsign", "HardSwish", "Mish",
        "Exp", "Softmax", "LogSoftmax", "Gelu", "Selu", "HardSigmoid", "Clip"})
    reads.emplace_back(op, read_activation);
  return reads;
}

}  // namespace glia::onnx
