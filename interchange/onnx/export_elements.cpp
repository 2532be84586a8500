// Layers that work on each element, or along the features, in ONNX's operators: activations, normalisations, and what vanishes.
// SPDX-License-Identifier: Apache-2.0
#include <interchange/onnx/exporter.h>

#include <cmath>

namespace glia::onnx {
namespace {

using Graph = GraphWriter;

double number(const Json& json) {
  return json.is_string() ? (json == "inf"    ? HUGE_VAL
                             : json == "-inf" ? -HUGE_VAL
                                              : NAN)
                          : json.get<double>();
}
double option(const Json& function, const char* name, double otherwise) {
  if (!function.is_object() || !function.contains("config")) return otherwise;
  const Json& config = function.at("config");
  return config.contains(name) ? number(config.at(name)) : otherwise;
}

std::string affine(Graph& g, const std::string& x, double scale, double offset) {
  std::string y = x;
  if (scale != 1) y = g.add("Mul", {y, g.scalar(scale)});
  if (offset != 0) y = g.add("Add", {y, g.scalar(offset)});
  return scale == 1 && offset == 0 ? g.add("Identity", {x}) : y;
}

std::string clip(Graph& g, const std::string& x, double least, double most) {
  return g.add("Clip", {x, std::isinf(least) ? "" : g.scalar(least), std::isinf(most) ? "" : g.scalar(most)});
}

/// x Phi(x): ONNX has had an operator of its own since operator set 20 alone.
std::string gelu(Graph& g, const std::string& x) {
  const std::string erf = g.add("Erf", {g.add("Mul", {x, g.scalar(std::sqrt(0.5))})});
  const std::string below = g.add("Add", {erf, g.scalar(1)});
  return g.add("Mul", {g.add("Mul", {x, below}), g.scalar(0.5)});
}
std::string approximate_gelu(Graph& g, const std::string& x) {
  const std::string cube = g.add("Mul", {g.add("Mul", {x, x}), x});
  const std::string inner = g.add("Add", {x, g.add("Mul", {cube, g.scalar(0.044715)})});
  const std::string bend = g.add("Tanh", {g.add("Mul", {inner, g.scalar(std::sqrt(2 / M_PI))})});
  return g.add("Mul", {g.add("Mul", {x, g.add("Add", {bend, g.scalar(1)})}), g.scalar(0.5)});
}

/// max_value from there on, x from threshold on, below it slope * (x - threshold).
std::string bounded_relu(Graph& g, const std::string& x, double most, double slope, double threshold) {
  std::string y = x;
  if (threshold == 0) {
    y = slope == 0 ? g.add("Relu", {x}) : g.add("LeakyRelu", {x}, {{"alpha", slope}});
  } else {
    const std::string is_below = g.add("Less", {x, g.scalar(threshold)});
    y = g.add("Where", {is_below, affine(g, x, slope, -slope * threshold), x});
  }
  if (std::isinf(most)) return y;
  if (threshold <= most) return g.add("Min", {y, g.scalar(most)});
  return g.add("Where", {g.add("GreaterOrEqual", {x, g.scalar(most)}), g.scalar(most), y});
}

std::string step(Graph& g, const std::string& x) {
  return g.add("Cast", {g.add("GreaterOrEqual", {x, g.scalar(0)})}, {{"to", std::int64_t{1}}});
}

/// A function by Keras's name.
std::string function_of(Graph& g, const Json& function, const std::string& x) {
  const std::string name = function.is_object() ? function.at("class_name") : function;
  if (name == "relu") return g.add("Relu", {x});
  if (name == "sigmoid") return g.add("Sigmoid", {x});
  if (name == "tanh") return g.add("Tanh", {x});
  if (name == "relu6") return clip(g, x, 0, 6);
  if (name == "leaky_relu")
    return g.add("LeakyRelu", {x}, {{"alpha", option(function, "negative_slope", 0.2)}});
  if (name == "elu") return g.add("Elu", {x}, {{"alpha", option(function, "alpha", 1)}});
  if (name == "selu") return g.add("Selu", {x});
  if (name == "celu") return g.add("Celu", {x}, {{"alpha", option(function, "alpha", 1)}});
  if (name == "hard_sigmoid") return g.add("HardSigmoid", {x}, {{"alpha", 1.0 / 6}, {"beta", 0.5}});
  if (name == "softplus") return g.add("Softplus", {x});
  if (name == "softsign") return g.add("Softsign", {x});
  if (name == "silu") return g.add("Mul", {x, g.add("Sigmoid", {x})});
  if (name == "hard_silu") return g.add("HardSwish", {x});
  if (name == "gelu") {
    const bool is_approximate = function.is_object() && function.at("config").value("approximate", false);
    return is_approximate ? approximate_gelu(g, x) : gelu(g, x);
  }
  if (name == "mish") return g.add("Mish", {x});
  if (name == "exponential") return g.add("Exp", {x});
  if (name == "step") return step(g, x);
  throw ValueError("the activation \"" + name + "\" of the layer \"" + g.path() +
                   "\" has no ONNX form: take another, or save the model with Model::save");
}

template <class Make>
ValuePtr each(const Applied& a, Make&& make) {
  return a.to.each(a.x(), [&](const std::string& x) { return make(a.to.onnx(), x); });
}

ValuePtr same(const Applied& a) { return a.x(); }
ValuePtr activation(const Applied& a) { return a.to.activated(a.config.at("activation"), a.x()); }
/// One without options says none.
ValuePtr relu(const Applied& a) {
  const auto option = [&](const char* name, double otherwise) {
    return a.config.contains(name) ? number(a.config.at(name)) : otherwise;
  };
  return each(a, [&](Graph& g, const std::string& x) {
    return bounded_relu(g, x, option("max_value", HUGE_VAL), option("negative_slope", 0),
                        option("threshold", 0));
  });
}

/// One number a feature, so that it goes with x as it stands.
Shape beside(const ValuePtr& x) {
  Shape shape{x->row.back()};
  if (!x->first.empty())
    for (int axis = 1; axis < x->row.rank(); ++axis) shape.push_back(1);
  return shape;
}

ValuePtr prelu(const Applied& a) {
  const int rank = a.row.rank();
  std::vector<int> channels_first{rank - 1};
  for (int axis = 0; axis + 1 < rank; ++axis) channels_first.push_back(axis);
  return each(a, [&](Graph& g, const std::string& x) {
    const bool is_first = !a.x()->first.empty();
    return g.add("PRelu", {x, a.to.constant(a, "alpha", is_first ? channels_first : std::vector<int>{})});
  });
}

std::vector<float> floats(const Tensor& tensor) {
  const std::vector<double> values = tensor.values();
  return {values.begin(), values.end()};
}

ValuePtr batch_normalization(const Applied& a) {
  const bool scales = a.config.at("scale"), centers = a.config.at("center");
  const double epsilon = a.config.at("epsilon");
  const auto features = static_cast<std::size_t>(a.row.back());
  if (a.row.rank() == 1 || !a.x()->first.empty())
    return each(a, [&](Graph& g, const std::string& x) {
      const Shape shape{a.row.back()};
      const std::string gamma = scales ? a.to.constant(a, "gamma")
                                       : a.to.numbers(a, "gamma", std::vector<float>(features, 1), shape);
      const std::string beta = centers ? a.to.constant(a, "beta")
                                       : a.to.numbers(a, "beta", std::vector<float>(features, 0), shape);
      return g.add("BatchNormalization",
                   {x, gamma, beta, a.to.constant(a, "moving_mean"), a.to.constant(a, "moving_variance")},
                   {{"epsilon", epsilon}});
    });
  const std::vector<double> mean = a.to.weight(a, "moving_mean").values(),
                            variance = a.to.weight(a, "moving_variance").values();
  const std::vector<double> gamma =
      scales ? a.to.weight(a, "gamma").values() : std::vector<double>(features, 1);
  const std::vector<double> beta =
      centers ? a.to.weight(a, "beta").values() : std::vector<double>(features, 0);
  std::vector<float> scale(features), offset(features);
  for (std::size_t i = 0; i < features; ++i) {
    const double factor = gamma[i] / std::sqrt(variance[i] + epsilon);
    scale[i] = static_cast<float>(factor), offset[i] = static_cast<float>(beta[i] - mean[i] * factor);
  }
  return each(a, [&](Graph& g, const std::string& x) {
    const Shape shape{a.row.back()};
    const std::string scaled = g.add("Mul", {x, a.to.numbers(a, "scale", scale, shape)});
    return g.add("Add", {scaled, a.to.numbers(a, "offset", offset, shape)});
  });
}

ValuePtr layer_normalization(const Applied& a) {
  Graph& g = a.to.onnx();
  const auto axis = a.config.value("axis", std::vector<int>{-1});
  GLIA_CHECK(axis == std::vector<int>{-1} || axis == std::vector<int>{a.row.rank()}, ValueError, "layer \"",
             a.name(),
             "\" (LayerNormalization) normalises over other axes than the last, which is not exported");
  const std::vector<float> ones(static_cast<std::size_t>(a.row.back()), 1);
  Strings inputs{g.last(a.x()), a.config.at("scale").get<bool>()
                                    ? a.to.constant(a, "gamma")
                                    : a.to.numbers(a, "gamma", ones, {a.row.back()})};
  if (a.config.at("center").get<bool>()) inputs.push_back(a.to.constant(a, "beta"));
  return a.to.last(a.row,
                   g.add("LayerNormalization", inputs,
                         {{"axis", std::int64_t{-1}}, {"epsilon", a.config.at("epsilon").get<double>()}}));
}

ValuePtr rms_normalization(const Applied& a) {
  Graph& g = a.to.onnx();
  const std::string& x = g.last(a.x());
  const std::string mean = g.add("ReduceMean", {g.add("Mul", {x, x}), g.integers({-1})});
  const std::string root =
      g.add("Sqrt", {g.add("Add", {mean, g.scalar(a.config.at("epsilon").get<double>())})});
  return a.to.last(a.row, g.add("Mul", {g.add("Div", {x, root}), a.to.constant(a, "scale")}));
}

ValuePtr normalization(const Applied& a) {
  std::vector<float> deviation = floats(a.to.weight(a, "variance"));
  for (float& value : deviation) value = std::max(std::sqrt(value), 1e-7F);
  return each(a, [&](Graph& g, const std::string& x) {
    const Shape shape = beside(a.x());
    const std::string centred = g.add("Sub", {x, a.to.constant(a, "mean", {}, shape)});
    return g.add("Div", {centred, a.to.numbers(a, "deviation", deviation, shape)});
  });
}

template <const char* op>
ValuePtr operator_of(const Applied& a) {
  return each(a, [](Graph& g, const std::string& x) { return g.add(op, {x}); });
}
constexpr char exp_op[] = "Exp", log_op[] = "Log", sqrt_op[] = "Sqrt", abs_op[] = "Abs";

}  // namespace

ValuePtr Exporter::activated(const Json& function, const ValuePtr& x) {
  const std::string name = function.is_object() ? function.at("class_name") : function;
  if (name == "linear") return x;
  if (name == "softmax" || name == "log_softmax") {
    const std::int64_t axis = x->first.empty() ? -1 : 1;
    return each(x, [&](const std::string& in) {
      return graph_.add(name == "softmax" ? "Softmax" : "LogSoftmax", {in}, {{"axis", axis}});
    });
  }
  return each(x, [&](const std::string& in) { return function_of(graph_, function, in); });
}

LayerExports element_exports() {
  return {
      {"Activation", activation},
      {"ReLU", relu},
      {"LeakyReLU",
       [](const Applied& a) {
         return each(a, [&](Graph& g, const std::string& x) {
           return g.add("LeakyRelu", {x}, {{"alpha", a.config.at("negative_slope").get<double>()}});
         });
       }},
      {"ELU",
       [](const Applied& a) {
         return each(a, [&](Graph& g, const std::string& x) {
           return g.add("Elu", {x}, {{"alpha", a.config.at("alpha").get<double>()}});
         });
       }},
      {"PReLU", prelu},
      {"Rescaling",
       [](const Applied& a) {
         return each(a, [&](Graph& g, const std::string& x) {
           return affine(g, x, a.config.at("scale").get<double>(), a.config.at("offset").get<double>());
         });
       }},
      {"BatchNormalization", batch_normalization},
      {"LayerNormalization", layer_normalization},
      {"RMSNormalization", rms_normalization},
      {"Normalization", normalization},
      {"Exp", operator_of<exp_op>},
      {"Log", operator_of<log_op>},
      {"Sqrt", operator_of<sqrt_op>},
      {"Abs", operator_of<abs_op>},
      {"Square",
       [](const Applied& a) {
         return each(a, [](Graph& g, const std::string& x) { return g.add("Mul", {x, x}); });
       }},
      {"Power",
       [](const Applied& a) {
         return each(a, [&](Graph& g, const std::string& x) {
           return g.add("Pow", {x, g.scalar(number(a.config.at("exponent")))});
         });
       }},
      // What is there while a model trains.
      {"Dropout", same},
      {"SpatialDropout2D", same},
      {"GaussianNoise", same},
      {"GaussianDropout", same},
      {"AlphaDropout", same},
      {"RandomFlip", same},
      {"RandomTranslation", same},
      {"RandomErasing", same},
      {"Cutout", same},
      {"StopGradient", same},
  };
}

}  // namespace glia::onnx
