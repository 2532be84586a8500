// Restricted Boltzmann machines: chains of Gibbs sampling, free energies, and the gradients of contrastive divergence.
// SPDX-License-Identifier: Apache-2.0
#include <host/layers/boltzmann.h>
#include <host/layers/formulas.h>  // defines: contiguous_copy, emit_binary, emit_sum
#include <host/tensor/elements.h>  // defines: for_each_element

#include <cmath>

namespace glia {
namespace {

/// alpha a + beta b.
View emit_combination(Emitter& e, double alpha, const View& a, double beta, const View& b) {
  const View out = e.temporary(a.shape);
  e.add(op::Combine{alpha, beta, a, b, out});
  return out;
}

View emit_map(Emitter& e, const ElementwiseActivation& function, const View& in) {
  const View out = e.temporary(in.shape);
  e.add(op::Map{function, in, out});
  return out;
}

}  // namespace

void BoltzmannUnits::emit_hidden_input(Emitter& e, const View& v, const View& input) const {
  op::Matmul product{v, kernel, input};
  product.bias = hidden_bias;
  e.add(product);
}

void BoltzmannUnits::emit_hidden(Emitter& e, const View& v, const View& mean) const {
  const View input = e.temporary(mean.shape);
  emit_hidden_input(e, v, input);
  e.add(op::Map{Sigmoid{}, input, mean});
}

void BoltzmannUnits::emit_visible(Emitter& e, const View& h, const View& mean) const {
  const bool is_binary = visible == VisibleUnits::bernoulli;
  op::Matmul product{h, kernel.transposed(), is_binary ? e.temporary(mean.shape) : mean};
  product.bias = visible_bias;
  e.add(product);
  if (is_binary) e.add(op::Map{Sigmoid{}, product.out, mean});
  if (softmax_units == 0) return;
  const View input = e.temporary({h.shape[0], softmax_units}), shares = e.temporary(input.shape);
  op::Matmul of_group{h, kernel.part(0, others(), softmax_units).transposed(), input};
  of_group.bias = visible_bias.part(0, others(), softmax_units);
  e.add(of_group);
  e.add(op::SoftmaxRows{input, shares});
  e.add(op::Copy{shares, mean.part(1, others(), softmax_units)});
}

void BoltzmannUnits::emit_hidden_draw(Emitter& e, const View& mean, const View& h) const {
  e.add(op::Noise{BernoulliNoise{}, mean, h, e.noise_seed()});
}

void BoltzmannUnits::emit_visible_draw(Emitter& e, const View& mean, const View& v) const {
  const Noises draw = visible == VisibleUnits::bernoulli ? Noises(BernoulliNoise{}) : AdditiveNoise{1};
  e.add(op::Noise{draw, mean, v, e.noise_seed()});
  if (softmax_units == 0) return;
  const View shares = group_of(e, mean), drawn = e.temporary(shares.shape);
  op::Noise one{CategoricalNoise{}, shares, drawn, e.noise_seed()};
  one.positions = softmax_units;
  e.add(one);
  e.add(op::Copy{drawn, v.part(1, others(), softmax_units)});
}

View BoltzmannUnits::others_of(Emitter& e, const View& v) const {
  return contiguous_copy(e, v.part(1, 0, others()));
}

View BoltzmannUnits::group_of(Emitter& e, const View& v) const {
  return contiguous_copy(e, v.part(1, others(), softmax_units));
}

View BoltzmannUnits::emit_free_energy(Emitter& e, const View& v, const View& input) const {
  const View of_hidden = emit_sum(e, emit_map(e, Softplus{}, input), 1);
  const auto weighed = [&](const View& units, const View& bias) {  // (n, 1): the sum of bias * units
    const View sum = e.temporary({v.shape[0], 1});
    e.add(op::Matmul{units, bias.reshaped({units.shape[1], 1}), sum});
    return sum;
  };
  if (visible == VisibleUnits::bernoulli)
    return emit_combination(e, -1, weighed(v, visible_bias), -1, of_hidden);
  const View x = others_of(e, v), bias = visible_bias.part(0, 0, others()).reshaped({1, others()});
  const View apart = emit_binary(e, binary::Subtract{}, x, bias, x.shape);
  const View energy =
      emit_combination(e, 1, emit_sum(e, emit_map(e, Square{}, apart), 1, 0.5), -1, of_hidden);
  if (softmax_units == 0) return energy;
  return emit_combination(e, 1, energy, -1,
                          weighed(group_of(e, v), visible_bias.part(0, others(), softmax_units)));
}

/// With unit k on, -F is b_k + sum_j softplus(input_j + W_kj), and what the others add to all of them.
View BoltzmannUnits::emit_softmax_units(Emitter& e, const View& v, bool logarithm) const {
  const std::int64_t n = v.shape[0], k = softmax_units, hidden = kernel.shape[1];
  const View input = e.temporary({n, hidden}), shares = e.temporary({n, k});
  op::Matmul product{others_of(e, v), kernel.part(0, 0, others()), input};
  product.bias = hidden_bias;
  e.add(product);
  const View of_unit = kernel.part(0, others(), k).reshaped({1, k, hidden});
  const View inputs = emit_binary(e, binary::Add{}, input.reshaped({n, 1, hidden}), of_unit, {n, k, hidden});
  const View sums = emit_sum(e, emit_map(e, Softplus{}, inputs), 2).reshaped({n, k});
  const View bias = visible_bias.part(0, others(), k).reshaped({1, k});
  e.add(op::SoftmaxRows{emit_binary(e, binary::Add{}, sums, bias, {n, k}), shares, logarithm});
  return shares;
}

void BoltzmannNode::describe(Config&) {
  throw ValueError(
      "an Rbm is no layer that a model's file says: save its weights with model().save_weights, and what "
      "it taught with DeepBelief::to_model");
}

void BoltzmannNode::check_rows(const TensorView& x, bool unknown) const {
  const bool is_binary = options_.visible_units == VisibleUnits::bernoulli;
  detail::for_each_element(x, [&](std::int64_t i, double number) {
    GLIA_CHECK(is_binary ? number >= 0 && number <= 1 : std::isfinite(number), ValueError, "an Rbm with ",
               is_binary ? "bernoulli" : "gaussian", " visible units got ", number, " in row ",
               i / x.row_elements(), ", expected ",
               is_binary ? "probabilities of a 1, from 0 to 1: scale the rows, or take "
                           "VisibleUnits::gaussian for standardised features"
                         : "finite numbers");
  });
  if (options_.softmax_units == 0) return;
  const std::int64_t first = visible_ - options_.softmax_units;
  double sum = 0;         // of the row's softmax units so far
  std::int64_t unit = 0;  // of the row
  detail::for_each_element(x, [&](std::int64_t i, double number) {
    if (unit >= first) {
      GLIA_CHECK(number >= 0 && number <= 1, ValueError, "an Rbm got ", number, " in row ",
                 i / x.row_elements(), ", expected of its softmax units probabilities, from 0 to 1");
      sum += number;
    }
    if (++unit < visible_) return;
    GLIA_CHECK(std::abs(sum - 1) < 1e-3 || (unknown && sum == 0), ValueError, "an Rbm got a sum of ", sum,
               " in row ", i / x.row_elements(), ", of its last ", options_.softmax_units,
               " units, expected 1: exactly one of a softmax group is on");
    unit = 0, sum = 0;
  });
}

Shapes BoltzmannNode::output_shapes(const Shapes& inputs) const {
  GLIA_CHECK(inputs.size() == 1 && inputs[0] == Shape{visible_}, ShapeError, "an Rbm of ", visible_,
             " visible units got rows of shape ", inputs.empty() ? Shape{} : inputs[0], ", expected ",
             Shape{visible_});
  return {{1}};
}

std::vector<Variable> BoltzmannNode::variables_for(const Shapes&) const {
  std::vector<Variable> variables{{"kernel", {visible_, hidden_}, options_.kernel_initializer.value()},
                                  {"hidden_bias", {hidden_}, Zeros{}},
                                  {"visible_bias", {visible_}, Zeros{}}};
  if (is_persistent())
    variables.push_back({"chains", {options_.persistent_chains, hidden_}, Zeros{}, {}, {}, false});
  if (options_.sparsity_cost > 0) {
    variables.push_back({"mean_activation", {hidden_}, Zeros{}, {}, {}, false});
    variables.back().given = {static_cast<float>(options_.sparsity_target)};
  }
  return variables;
}

/// A chain of k steps ends with drawn visible units and the means of the hidden ones. It begins at the batch's hidden units, or, if
/// persistent, at those that the update before drew last.
BoltzmannNode::Phases BoltzmannNode::emit_chains(Emitter& e, const View& x) const {
  const BoltzmannUnits units = this->units(e);
  const std::int64_t n = x.shape[0], chains = is_persistent() ? options_.persistent_chains : n;
  const Phases phases{n, chains, e.temporary({n + chains, visible_}), e.temporary({n + chains, hidden_}),
                      e.temporary({n + chains, hidden_})};
  e.add(op::Copy{x, phases.positive(phases.v)});
  View h = e.temporary({chains, hidden_});
  if (is_persistent()) {
    h = e.value(variables[3]);
  } else {
    units.emit_hidden_input(e, phases.positive(phases.v), phases.positive(phases.input));
    e.add(op::Map{Sigmoid{}, phases.positive(phases.input), phases.positive(phases.h)});
    units.emit_hidden_draw(e, phases.positive(phases.h), h);
  }
  for (int step = 1; step <= options_.gibbs_steps; ++step) {
    const bool is_last = step == options_.gibbs_steps;
    const View mean = e.temporary({chains, visible_});
    const View v = is_last ? phases.negative(phases.v) : e.temporary(mean.shape);
    units.emit_visible(e, h, mean);
    units.emit_visible_draw(e, mean, v);
    if (is_last) break;
    const View hidden_mean = e.temporary(h.shape);
    h = e.temporary(h.shape);
    units.emit_hidden(e, v, hidden_mean);
    units.emit_hidden_draw(e, hidden_mean, h);
  }
  const auto part = [&](const View& all) { return is_persistent() ? all : phases.negative(all); };
  units.emit_hidden_input(e, part(phases.v), part(phases.input));
  e.add(op::Map{Sigmoid{}, part(phases.input), part(phases.h)});
  if (is_persistent() && e.keeps_statistics())
    units.emit_hidden_draw(e, phases.negative(phases.h), e.value(variables[3]));
  return phases;
}

View BoltzmannNode::emit_divergence(Emitter& e, const Phases& phases) const {
  const View energies = units(e).emit_free_energy(e, phases.v, phases.input);
  const View of_rows = phases.positive(energies), of_chains = phases.negative(energies);
  if (!is_persistent()) return emit_combination(e, 1, of_rows, -1, of_chains);
  const View mean = emit_sum(e, of_chains, 0, 1 / static_cast<double>(phases.chains));
  return emit_binary(e, binary::Subtract{}, of_rows, mean, of_rows.shape);
}

/// Those of mean F(rows) - mean F(chains), where dF/dc = -h, dF/dW = -v^T h and dF/db = -v (or b - v, whose b cancels), h being
/// sigmoid(c + v W): one product of both phases, whose hidden units bring sign and scale.
void BoltzmannNode::emit_gradients(Emitter& e, const Phases& phases) const {
  const double of_row = -1 / static_cast<double>(phases.rows),
               of_chain = 1 / static_cast<double>(phases.chains);
  const View weighted = e.temporary(phases.h.shape);
  e.add(op::Map{Rescale{of_row, 0}, phases.positive(phases.h), phases.positive(weighted)});
  e.add(op::Map{Rescale{of_chain, 0}, phases.negative(phases.h), phases.negative(weighted)});
  if (options_.sparsity_cost > 0) emit_sparsity(e, phases, phases.positive(weighted));
  op::Matmul product{phases.v.transposed(), weighted, e.gradient(variables[0])};
  product.bias_gradient = e.gradient(variables[1]);
  e.add(product);
  const View visible_bias = e.gradient(variables[2]);
  const auto sum = [&](const View& v, double scale) { return emit_sum(e, v, 0, scale).reshaped({visible_}); };
  e.add(op::Combine{1, 1, sum(phases.positive(phases.v), of_row), sum(phases.negative(phases.v), of_chain),
                    visible_bias});
  if (options_.weight_decay > 0)
    e.add(op::Combine{1, options_.weight_decay, product.out, e.value(variables[0]), product.out});
}

/// Of cross-entropy between the target and q, a moving mean of what a hidden unit does; its slope at the unit's input is q - target
/// (Hinton 2010, section 11), which is taken from the positive phase.
void BoltzmannNode::emit_sparsity(Emitter& e, const Phases& phases, const View& weighted) const {
  const double share = 1 / static_cast<double>(phases.rows), decay = options_.sparsity_decay;
  const View kept = e.value(variables.back());
  const View now = emit_sum(e, phases.positive(phases.h), 0, share).reshaped(kept.shape);
  const View q = e.keeps_statistics() ? kept : e.temporary(kept.shape);
  e.add(op::Combine{decay, 1 - decay, kept, now, q});
  const double cost = options_.sparsity_cost * share;
  const View slope = emit_map(e, Rescale{cost, -cost * options_.sparsity_target}, q);
  e.add(op::Binary{binary::Add{}, weighted, slope.broadcast_to(weighted.shape), weighted});
}

/// -n * log sigmoid(F(flipped) - F(x)), (rows, 1), of rows in each of which one of n units is flipped; less log p(unit | the others) of
/// a softmax group.
View BoltzmannNode::emit_pseudo_likelihood(Emitter& e, const View& x) const {
  const BoltzmannUnits units = this->units(e);
  const std::int64_t n = x.shape[0], others = units.others();
  const Phases phases{n, n, e.temporary({2 * n, visible_}), e.temporary({2 * n, hidden_}), {}};
  e.add(op::Copy{x, phases.positive(phases.v)});
  const View bits = units.others_of(e, x);
  const bool is_grouped = options_.softmax_units > 0;
  op::Noise flip{FlipNoise{}, bits, is_grouped ? e.temporary(bits.shape) : phases.negative(phases.v),
                 e.noise_seed()};
  flip.positions = others, flip.counts_rows = true;
  e.add(flip);
  if (is_grouped) {
    e.add(op::Copy{x, phases.negative(phases.v)});
    e.add(op::Copy{flip.out, phases.negative(phases.v).part(1, 0, others)});
  }
  units.emit_hidden_input(e, phases.v, phases.input);
  const View energies = units.emit_free_energy(e, phases.v, phases.input);
  const View higher =
      emit_combination(e, 1, phases.positive(energies), -1, phases.negative(energies));  // by how much x is
  const View cost = emit_map(e, Rescale{static_cast<double>(others), 0}, emit_map(e, Softplus{}, higher));
  if (!is_grouped) return cost;
  const View group = units.group_of(e, x), logs = units.emit_softmax_units(e, x, true);
  const View of_group = emit_sum(e, emit_binary(e, binary::Multiply{}, group, logs, group.shape), 1);
  return emit_combination(e, 1, cost, -1, of_group);
}

/// Half the squared error of a reconstruction, (rows, 1).
View BoltzmannNode::emit_error(Emitter& e, const View& x) const {
  const BoltzmannUnits units = this->units(e);
  const View h = e.temporary({x.shape[0], hidden_}), mean = e.temporary(x.shape);
  units.emit_hidden(e, x, h);
  units.emit_visible(e, h, mean);
  return emit_sum(e, emit_map(e, Square{}, emit_combination(e, 1, x, -1, mean)), 1, 0.5);
}

Emission BoltzmannNode::emit(Emitter& e, const std::vector<Operand>& inputs) const {
  const View& x = inputs[0].view;
  const auto no_gradient = [](Emitter&, const std::vector<View>&, const std::vector<bool>&) {
    return std::vector<View>(1);
  };
  if (!e.trains())
    return {{{options_.visible_units == VisibleUnits::bernoulli ? emit_pseudo_likelihood(e, x)
                                                                : emit_error(e, x)}},
            no_gradient};
  const Phases phases = emit_chains(e, x);
  return {{{emit_divergence(e, phases)}},
          [=, this](Emitter& e, const std::vector<View>&, const std::vector<bool>&) {
            if (e.trains(variables[0])) emit_gradients(e, phases);
            return std::vector<View>(1);
          }};
}

namespace {

class ReadingNode final : public LayerNode {
 public:
  ReadingNode(const Layer& machine, BoltzmannReading reading) : reading_(reading) { children = {machine}; }

  const char* type() const override { return "RbmReading"; }
  bool gives_input_gradient() const override { return false; }
  void describe(Config& config) override { machine().describe(config); }
  void check_input(const TensorView& x) const override {
    if (reading_ != BoltzmannReading::visible)
      machine().check_rows(x, reading_ != BoltzmannReading::free_energy);
  }
  Shapes output_shapes(const Shapes& inputs) const override {
    if (reading_ != BoltzmannReading::visible) machine().output_shapes(inputs);  // which checks them
    switch (reading_) {
      case BoltzmannReading::hidden:
        return {{machine().hidden()}};
      case BoltzmannReading::free_energy:
        return {{1}};
      case BoltzmannReading::softmax_units:
        return {{machine().options().softmax_units}};
      default:
        return {{machine().visible()}};
    }
  }
  void specify(const Shapes& inputs) override {
    machine().specify({{machine().visible()}});
    LayerNode::specify(inputs);
  }

  Emission emit(Emitter& e, const std::vector<Operand>& inputs) const override {
    return {
        {{emit_reading(e, inputs[0].view)}},
        [](Emitter&, const std::vector<View>&, const std::vector<bool>&) { return std::vector<View>(1); }};
  }

 private:
  View emit_reading(Emitter& e, const View& x) const {
    const BoltzmannUnits units = machine().units(e);
    if (reading_ == BoltzmannReading::softmax_units) return units.emit_softmax_units(e, x, false);
    const std::int64_t n = x.shape[0];
    View h = x;
    if (reading_ != BoltzmannReading::visible) h = e.temporary({n, machine().hidden()});
    if (reading_ == BoltzmannReading::free_energy) {
      units.emit_hidden_input(e, x, h);
      return units.emit_free_energy(e, x, h);
    }
    if (reading_ != BoltzmannReading::visible) units.emit_hidden(e, x, h);
    if (reading_ == BoltzmannReading::hidden) return h;
    const View mean = e.temporary({n, machine().visible()});
    units.emit_visible(e, h, mean);
    return mean;
  }

  BoltzmannNode& machine() const { return static_cast<BoltzmannNode&>(children[0].node()); }

  BoltzmannReading reading_;
};

}  // namespace

Layer reading_of(const Layer& machine, BoltzmannReading reading) {
  return Layer(make_node<ReadingNode>(machine, reading));
}

}  // namespace glia
