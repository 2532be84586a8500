// check_gradients: a tiny model around a layer or loss, whose gradients are compared with differences of its loss.
// SPDX-License-Identifier: Apache-2.0
#include <glia/merging_layers.h>
#include <glia/model.h>
#include <glia/testing.h>
#include <host/layers/layer_node.h>
#include <host/program/custom_loss.h>  // defines: expect_computes
#include <host/program/heads.h>        // defines: TargetSpec

#include <algorithm>
#include <cmath>
#include <functional>
#include <ostream>
#include <random>
#include <utility>

namespace glia::testing {
namespace {

/// The same numbers with every compiler.
class Draws {
 public:
  explicit Draws(std::uint64_t seed) : engine_(seed) {}
  double between(double low, double high) {
    return low + (high - low) * static_cast<double>(engine_() >> 11) * 0x1p-53;
  }
  std::int64_t below(std::int64_t n) {
    return static_cast<std::int64_t>(engine_() % static_cast<std::uint64_t>(n));
  }
  Tensor tensor(const Shape& shape, DType dtype, double low, double high) {
    std::vector<double> values(static_cast<std::size_t>(shape.elements()));
    for (double& value : values) value = between(low, high);
    return Tensor(values, shape).cast(dtype);
  }

 private:
  std::mt19937_64 engine_;
};

double element(const Tensor& tensor, std::int64_t i) {
  return tensor.dtype() == DType::float64 ? tensor.data<double>()[i] : tensor.data<float>()[i];
}
/// Sets an element, and returns what it is then.
double set_element(Tensor& tensor, std::int64_t i, double value) {
  if (tensor.dtype() == DType::float64) return tensor.data<double>()[i] = value;
  return tensor.data<float>()[i] = static_cast<float>(value);
}

Shape index_of(std::int64_t i, const Shape& shape) {
  Shape index = shape;
  for (int axis = shape.rank() - 1; axis >= 0; --axis) index[axis] = i % shape[axis], i /= shape[axis];
  return index;
}

struct Settings {
  std::int64_t batch;
  DType dtype;
  double step, tolerance;
};

/// What options leave open, which the dtype answers.
Settings settings_of(const GradientCheckOptions& o, DType dtype) {
  const bool fine = dtype == DType::float64;
  return {o.batch, dtype,
          o.step > 0 ? o.step
          : fine     ? 1e-5
                     : 1e-2,
          o.tolerance > 0 ? o.tolerance
          : fine          ? 1e-6
                          : 5e-3};
}

void expect_possible(const GradientCheckOptions& o) {
  GLIA_CHECK(o.batch >= 1, ValueError, "check_gradients got a batch of ", o.batch, ", expected at least 1");
  GLIA_CHECK(std::isfinite(o.low) && std::isfinite(o.high) && o.low < o.high, ValueError,
             "check_gradients got numbers between ", o.low, " and ", o.high,
             ", expected a finite low below a finite high");
  GLIA_CHECK(o.step >= 0 && std::isfinite(o.step) && o.tolerance >= 0 && std::isfinite(o.tolerance),
             ValueError, "check_gradients got a step of ", o.step, " and a tolerance of ", o.tolerance,
             ", expected finite numbers above 0, or 0 for those that fit the dtype");
  GLIA_CHECK(!o.dtype || is_floating(*o.dtype), ValueError, "check_gradients got the dtype ", *o.dtype,
             ", expected float32 or float64");
}

Device device_of(const GradientCheckOptions& o) { return o.context ? o.context->device() : o.device; }

/// float64 on a CPU where that can be had.
template <class ExpectComputes>
DType dtype_of(const GradientCheckOptions& o, const ExpectComputes& expect_computes) {
  if (o.dtype) return *o.dtype;
  if (!device_of(o).is_cpu()) return DType::float32;
  try {
    expect_computes(Device::cpu(), DType::float64);
    return DType::float64;
  } catch (const DeviceError&) {
    return DType::float32;
  }
}

/// A model with one number of its own, since one without cannot be trained: an input beside the others, a sum of which is part of
/// its loss and always 0.
struct Beside {
  Symbol in = Input({1}, "beside");
  Symbol out = Dense(1, {.use_bias = false, .kernel_initializer = "zeros", .name = "check_gradients"})(in);
};

void compile(Model& model, const Settings& settings, const GradientCheckOptions& options,
             const LossNames& loss) {
  model.set_seed(options.seed);
  model.set_dtype(settings.dtype);
  CompileOptions compile{.optimizer = "sgd", .loss = loss};
  if (options.context)
    compile.context = options.context;
  else
    compile.device = options.device;
  model.compile(compile);
}

/// Slopes of a loss in a tensor's elements, beside gradients that were got.
class Comparison {
 public:
  Comparison(const Settings& settings, std::function<double()> loss)
      : settings_(settings), loss_(std::move(loss)) {}

  /// `tensor` is left as it was. `changed` is called after each change of it.
  CheckedGradient compare(std::string of, Tensor& tensor, const Tensor& got,
                          const std::function<void()>& changed) const {
    CheckedGradient result{std::move(of), tensor.shape(), 0, {}, 0, 0, 0};
    const auto slope = [&](std::int64_t i, double step) {
      const double here = element(tensor, i);
      const double above = set_element(tensor, i, here + step);
      changed();
      const double loss_above = loss_();
      const double below = set_element(tensor, i, here - step);
      changed();
      const double loss_below = loss_();
      set_element(tensor, i, here);
      changed();
      return (loss_above - loss_below) / (above - below);
    };
    std::vector<double> slopes;
    double greatest = 0;
    for (std::int64_t i = 0; i < tensor.size(); ++i) {
      slopes.push_back(slope(i, settings_.step));
      greatest = std::max(greatest, std::abs(slopes.back()));
    }
    const auto difference = [&](double a, double b) {
      if (std::isnan(a) || std::isnan(b)) return std::isnan(a) && std::isnan(b) ? 0.0 : HUGE_VAL;
      if (a == b) return 0.0;
      return std::abs(a - b) / std::max({std::abs(a), std::abs(b), greatest / 100});
    };
    for (std::int64_t i = 0; i < tensor.size(); ++i) {
      const double expected = slopes[static_cast<std::size_t>(i)], gradient = element(got, i);
      const double error = difference(gradient, expected);
      if (error > settings_.tolerance &&
          difference(slope(i, settings_.step / 4), expected) > settings_.tolerance) {
        ++result.skipped;
        continue;
      }
      if (error < result.error || (error == result.error && !result.at.empty())) continue;
      result.error = error, result.at = index_of(i, tensor.shape());
      result.got = gradient, result.expected = expected;
    }
    return result;
  }

 private:
  Settings settings_;
  std::function<double()> loss_;
};

GradientReport report_of(std::string what, const Settings& settings, std::vector<CheckedGradient> gradients) {
  GradientReport report;
  report.what = std::move(what), report.tolerance = settings.tolerance;
  report.ok = true;
  for (const CheckedGradient& one : gradients) {
    report.ok = report.ok && one.error <= settings.tolerance && 2 * one.skipped <= one.shape.elements();
    if (!report.where.empty() && one.error <= report.error) continue;
    report.error = one.error, report.where = one.of;
  }
  report.gradients = std::move(gradients);
  return report;
}

/// The gradients of the second run: what was added to what was there, and not written, is twice as much by then.
Gradients gradients_of(Model& model, const std::vector<Tensor>& x, const std::vector<Tensor>& y) {
  static_cast<void>(model.gradients(x, y, {.inputs = true}));
  return model.gradients(x, y, {.inputs = true});
}

std::string place_in_words(const std::string& what, const GradientCheckOptions& options, DType dtype) {
  return detail::concat(what, " on ", device_of(options), " in ", dtype);
}

}  // namespace

GradientReport check_gradients(const Layer& layer, const std::vector<Shape>& input_shapes,
                               const GradientCheckOptions& options) {
  expect_possible(options);
  GLIA_CHECK(!input_shapes.empty(), ValueError,
             "check_gradients got no input shapes, expected those of one row of each input: {{5}}");
  LayerCopies copies;
  Layer copy = copies.of(layer);
  copy.set_trainable(true);
  const Settings settings = settings_of(options, dtype_of(options, [&](const Device& device, DType dtype) {
                                          for (const LayerNode* node : all_nodes(copy.node()))
                                            node->expect_computes(device, dtype);
                                        }));
  Draws draws(options.seed);
  std::vector<Symbol> in, factors;
  for (const Shape& shape : input_shapes) in.push_back(Input(shape));
  std::vector<Symbol> out = copy.apply(in);
  std::vector<Tensor> x;
  for (const Shape& shape : input_shapes)
    x.push_back(draws.tensor(shape.prepend(settings.batch), settings.dtype, options.low, options.high));
  for (const Symbol& symbol : out) {
    factors.push_back(Input(symbol.shape()));
    x.push_back(draws.tensor(symbol.shape().prepend(settings.batch), settings.dtype, -1, 1));
  }
  const Beside beside;
  x.push_back(Tensor::zeros({settings.batch, 1}, settings.dtype));
  std::vector<Symbol> inputs = in, products;  // which are the model's outputs, and its losses
  inputs.insert(inputs.end(), factors.begin(), factors.end());
  inputs.push_back(beside.in);
  for (std::size_t i = 0; i < out.size(); ++i) products.push_back(multiply({out[i], factors[i]}));
  products.push_back(beside.out);

  Model model(inputs, products);
  for (const Symbol& product : products) model.add_loss(product);
  compile(model, settings, options, {});
  model.count_params();                                 // builds
  std::vector<std::pair<std::string, bool>> variables;  // and whether an optimizer changes it
  for (const LayerNode* node : all_nodes(copy.node()))
    for (const Variable& variable : node->variables)
      variables.emplace_back(node == &copy.node() ? variable.name : node->name + '/' + variable.name,
                             variable.trainable);
  std::vector<Tensor> weights = copy.get_weights();
  for (std::size_t i = 0; i < weights.size(); ++i)
    for (std::int64_t e = 0; variables[i].second && e < weights[i].size(); ++e)
      set_element(weights[i], e, element(weights[i], e) + draws.between(-0.25, 0.25));
  if (!weights.empty()) copy.set_weights(weights);

  const Gradients got = gradients_of(model, x, {});
  const Comparison comparison(settings, [&] { return model.gradients(x, {}).loss; });
  std::vector<CheckedGradient> checked;
  for (std::size_t i = 0; i < in.size() && copy.node().gives_input_gradient(); ++i)
    checked.push_back(comparison.compare("input " + std::to_string(i), x[i], got.inputs[i], [] {}));
  const bool comes_first = model.weight_names()[0].rfind("check_gradients/", 0) == 0;
  std::size_t next = comes_first ? 1 : 0;  // of the gradients
  for (std::size_t i = 0; i < weights.size(); ++i)
    if (variables[i].second)
      checked.push_back(comparison.compare(variables[i].first, weights[i], got.weights[next++],
                                           [&] { copy.set_weights(weights); }));
  return report_of(place_in_words("layer " + layer.type(), options, settings.dtype), settings,
                   std::move(checked));
}

namespace {

/// Labels among the classes, or numbers like the predictions'.
Tensor draw_targets(const LossName& loss, const Shape& row, const Settings& settings,
                    const GradientCheckOptions& options, Draws& draws) {
  Head head{0, "", loss.value(), 1, row, {}};
  const TargetSpec targets = head.targets();
  const Shape shape = targets.row.prepend(settings.batch);
  if (targets.kind == Targets::dense) return draws.tensor(shape, settings.dtype, options.low, options.high);
  std::vector<std::int32_t> labels;
  for (std::int64_t i = 0; i < shape.elements(); ++i)
    labels.push_back(static_cast<std::int32_t>(draws.below(row.back())));
  return Tensor(labels, shape);
}

}  // namespace

GradientReport check_gradients(const LossName& loss, const Shape& prediction_shape,
                               const GradientCheckOptions& options) {
  expect_possible(options);
  const Settings settings = settings_of(options, dtype_of(options, [&](const Device& device, DType dtype) {
                                          expect_computes(loss, device, dtype);
                                        }));
  Draws draws(options.seed);
  const Symbol in = Input(prediction_shape);
  const Symbol out = Activation("linear", {}, "predictions")(in);
  const Beside beside;
  Model model({in, beside.in}, {out, beside.out});
  model.add_loss(beside.out);
  compile(model, settings, options, {{"predictions", loss}});
  std::vector<Tensor> x, y;
  x.push_back(
      draws.tensor(prediction_shape.prepend(settings.batch), settings.dtype, options.low, options.high));
  x.push_back(Tensor::zeros({settings.batch, 1}, settings.dtype));
  y.push_back(draw_targets(loss, prediction_shape, settings, options, draws));
  const Gradients got = gradients_of(model, x, y);
  const Comparison comparison(settings, [&] { return model.gradients(x, y).loss; });
  std::vector<CheckedGradient> checked;
  checked.push_back(comparison.compare("predictions", x[0], got.inputs[0], [] {}));
  return report_of(place_in_words("loss " + loss.name(), options, settings.dtype), settings,
                   std::move(checked));
}

std::string GradientReport::text() const {
  detail::TextStream out;
  out << "gradients of " << what << (ok ? " are right" : " are WRONG") << ": worst relative error " << error
      << " in " << (where.empty() ? "none" : where) << ", tolerance " << tolerance << '\n';
  for (const CheckedGradient& one : gradients) {
    out << "  " << one.of << ' ' << one.shape << ": " << one.error;
    if (!one.at.empty())
      out << " at " << one.at << ", got " << one.got << ", differences give " << one.expected;
    if (one.skipped > 0)
      out << "; " << one.skipped << " of " << one.shape.elements()
          << " not judged, where differences do not settle";
    out << '\n';
  }
  return out.str();
}

std::ostream& operator<<(std::ostream& out, const GradientReport& report) { return out << report.text(); }

}  // namespace glia::testing
