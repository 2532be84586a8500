// Rbm: the models on its weights, and what its calls ask of them.
// SPDX-License-Identifier: Apache-2.0
#include <host/energy/machine.h>
#include <host/training/using.h>

#include <cmath>
#include <utility>

namespace glia {
namespace {

Layer made_machine(std::int64_t visible, std::int64_t hidden, const RbmOptions& o) {
  GLIA_CHECK(visible >= 1 && hidden >= 1, ValueError, "an Rbm got ", visible, " visible and ", hidden,
             " hidden units, expected at least 1 of each");
  GLIA_CHECK(o.softmax_units == 0 || (o.softmax_units >= 2 && o.softmax_units < visible), ValueError,
             "an Rbm of ", visible, " visible units got ", o.softmax_units,
             " softmax_units, expected at least 2 and fewer than there are, or 0 for none");
  GLIA_CHECK(o.gibbs_steps >= 1, ValueError, "an Rbm got ", o.gibbs_steps,
             " gibbs_steps, expected at least 1: the k of CD-k");
  GLIA_CHECK(o.persistent_chains >= 0, ValueError, "an Rbm got ", o.persistent_chains,
             " persistent_chains, expected at least 1, or 0 for chains that begin at the rows");
  for (const double cost : {o.weight_decay, o.sparsity_cost})
    GLIA_CHECK(cost >= 0 && std::isfinite(cost), ValueError, "an Rbm got weight_decay ", o.weight_decay,
               " and sparsity_cost ", o.sparsity_cost, ", expected finite numbers of at least 0");
  GLIA_CHECK(o.sparsity_target > 0 && o.sparsity_target < 1, ValueError, "an Rbm got sparsity_target ",
             o.sparsity_target, ", expected a probability between 0 and 1");
  GLIA_CHECK(o.sparsity_decay >= 0 && o.sparsity_decay < 1, ValueError, "an Rbm got sparsity_decay ",
             o.sparsity_decay, ", expected a share of at least 0 and below 1");
  Layer layer(make_node<BoltzmannNode>(visible, hidden, o));
  layer.node().name = "rbm";
  return layer;
}

/// Rows of any shape as those of the machine.
TensorView as_rows(const TensorView& x, const BoltzmannNode& machine, const char* call) {
  GLIA_CHECK(x.shape().rank() >= 1 && x.row_elements() == machine.visible(), ShapeError, call,
             " got data of shape ", x.shape(), ", expected rows of ", machine.visible(),
             " elements, one for each visible unit");
  return TensorView::of(x.raw(), {x.rows(), machine.visible()}, x.dtype(), x.device(), x.scale());
}

}  // namespace

Rbm::Machine::Machine(std::int64_t visible_units, std::int64_t hidden_units, const RbmOptions& options)
    : Machine(made_machine(visible_units, hidden_units, options)) {
  training.add_loss(training.outputs()[0]);
  training.set_seed(options.seed);
  training.compile({.optimizer = options.optimizer, .device = options.device, .context = options.context});
  const Using core(core_of(training));
  core->build_if_known();
}

Rbm::Machine::Machine(const Layer& machine)
    : Machine(machine, Input({node_of(machine).visible()}), Input({node_of(machine).hidden()})) {}

Rbm::Machine::Machine(const Layer& machine, const Symbol& rows, const Symbol& hidden_rows)
    : layer(machine),
      training({rows}, {layer({rows})}, {.name = "rbm"}),
      hidden({rows}, {reading_of(layer, BoltzmannReading::hidden)({rows})}),
      reconstruction({rows}, {reading_of(layer, BoltzmannReading::reconstruction)({rows})}),
      free_energy({rows}, {reading_of(layer, BoltzmannReading::free_energy)({rows})}),
      visible({hidden_rows}, {reading_of(layer, BoltzmannReading::visible)({hidden_rows})}) {
  if (node().options().softmax_units > 0)
    softmax_units.emplace(Symbols{rows}, Symbols{reading_of(layer, BoltzmannReading::softmax_units)({rows})});
}

Rbm::Rbm(std::int64_t visible, std::int64_t hidden, const RbmOptions& options)
    : machine_(std::make_unique<Machine>(visible, hidden, options)) {}
Rbm::Rbm(Rbm&&) noexcept = default;
Rbm& Rbm::operator=(Rbm&&) noexcept = default;
Rbm::~Rbm() = default;

Rbm::Machine& Rbm::machine() const {
  GLIA_CHECK(machine_, StateError, "this Rbm was moved from: use the one it was moved to");
  return *machine_;
}

std::int64_t Rbm::visible() const { return machine().node().visible(); }
std::int64_t Rbm::hidden() const { return machine().node().hidden(); }
const RbmOptions& Rbm::options() const { return machine().node().options(); }
Model& Rbm::model() { return machine().training; }
const Model& Rbm::model() const { return machine().training; }

History Rbm::fit(const TensorView& x, const FitOptions& options) {
  FitOptions flat = options;
  if (const ValidationData& given = options.validation_data) {
    GLIA_CHECK(given.x().size() == 1 && !given.y(), ValueError,
               "an Rbm's validation_data has targets, or several inputs, expected rows alone: {x, {}}");
    flat.validation_data =
        ValidationData(as_rows(given.x()[0].view, machine().node(), "fit's validation_data"), {});
  }
  return machine().training.fit(Tensors(as_rows(x, machine().node(), "fit")), Tensors(), flat);
}

Tensor Rbm::transform(const TensorView& x, const PredictOptions& options) {
  return machine().hidden.predict(as_rows(x, machine().node(), "transform"), options);
}
Tensor Rbm::reconstruct(const TensorView& x, const PredictOptions& options) {
  return machine().reconstruction.predict(as_rows(x, machine().node(), "reconstruct"), options);
}
Tensor Rbm::inverse_transform(const TensorView& h, const PredictOptions& options) {
  return machine().visible.predict(h, options);
}
Tensor Rbm::free_energy(const TensorView& x, const PredictOptions& options) {
  Tensor energies = machine().free_energy.predict(as_rows(x, machine().node(), "free_energy"), options);
  return std::move(energies).reshape({-1});
}

Tensor Rbm::predict(const TensorView& x, const PredictOptions& options) {
  GLIA_CHECK(
      machine().softmax_units, StateError,
      "predict says which softmax unit is on, and this Rbm has none: say .softmax_units when it is made");
  return machine().softmax_units->predict(as_rows(x, machine().node(), "predict"), options);
}

double Rbm::pseudo_likelihood(const TensorView& x, const EvaluateOptions& options) {
  GLIA_CHECK(machine().node().options().visible_units == VisibleUnits::bernoulli, StateError,
             "pseudo_likelihood flips units that are 0 or 1, and this Rbm's are gaussian: look at "
             "\"val_loss\", or at the error of reconstruct");
  const TensorView rows = as_rows(x, machine().node(), "pseudo_likelihood");
  return -machine().training.evaluate(Tensors(rows), Tensors(), options)["loss"];
}

Tensor Rbm::sample(const SampleOptions& options) {
  const Using core(core_of(machine().training));
  return sample_chains(*core, machine().node(), options);
}

namespace {

constexpr std::size_t weights_of_machine = 3;  // what comes behind them is of training

}  // namespace

TensorList Rbm::get_weights() const {
  TensorList all = machine().layer.get_weights();
  all.erase(all.begin() + weights_of_machine, all.end());
  return all;
}

void Rbm::set_weights(const std::vector<Tensor>& weights) {
  const Using core(core_of(machine().training));
  std::vector<const Variable*> variables;
  for (std::size_t i = 0; i < weights_of_machine; ++i) variables.push_back(&machine().node().variables[i]);
  write(variables, {weights.begin(), weights.end()}, [&](std::size_t i) { return variables[i]->name; });
}

}  // namespace glia
