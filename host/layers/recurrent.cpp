// SimpleRNN, LSTM and GRU: one product of the input for all steps, and one descriptor for the steps.
// SPDX-License-Identifier: Apache-2.0
#include <host/layers/activation.h>
#include <host/layers/formulas.h>  // defines: contiguous_copy
#include <host/layers/layer_classes.h>
#include <host/layers/noise.h>
#include <host/layers/options.h>
#include <host/layers/recurrent.h>

#include <string>
#include <type_traits>
#include <utility>

namespace glia {
namespace {

void list(Config& config, op::Cell cell, int& units, RecurrentOptions& options) {
  config.needed("units", units);
  config.field("activation", options.activation);
  if (cell != op::Cell::simple) config.field("recurrent_activation", options.recurrent_activation);
  list_recurrent(config, options);
  if (cell == op::Cell::lstm) config.field("unit_forget_bias", options.unit_forget_bias);
  if (cell == op::Cell::gru || cell == op::Cell::gru_reset_before)
    config.field("reset_after", options.reset_after);
}

/// The function of elements of this name. Throws ValueError for one of rows, such as softmax.
ElementwiseActivation elementwise(const LayerNode& node, const char* option, const ActivationName& name) {
  return std::visit(
      [&](const auto& function) -> ElementwiseActivation {
        using Function = std::decay_t<decltype(function)>;
        if constexpr (std::is_constructible_v<ElementwiseActivation, Function>) {
          return function;
        } else {
          throw ValueError(
              detail::concat(node.type(), " got ", option, " \"", function.name,
                             "\", expected a function of each element, such as tanh or sigmoid"));
        }
      },
      name.value());
}

/// A batch (rows, steps, width) as (steps, rows, width), and the way back.
View with_axes_exchanged(Emitter& e, const View& view) {
  if (view.shape[0] == 1 || view.shape[1] == 1)
    return view.reshaped({view.shape[1], view.shape[0], view.shape[2]});
  return contiguous_copy(e, view.permuted({1, 0, 2}));
}

/// The i-th of a time-major view.
View one_of(const View& view, std::int64_t i) {
  return view.part(0, i, 1).reshaped({view.shape[1], view.shape[2]});
}

/// All steps' rows below each other.
View below_each_other(const View& view) {
  return view.reshaped({view.shape[0] * view.shape[1], view.shape[2]});
}

/// The bias of LSTMs whose forget gates begin with 1; nothing where the initializer is not one number.
std::vector<float> forgetting_bias(const Initializers& initializer, std::int64_t units) {
  float number = 0;
  if (std::holds_alternative<Ones>(initializer))
    number = 1;
  else if (const auto* constant = std::get_if<Constant>(&initializer))
    number = static_cast<float>(constant->value);
  else if (!std::holds_alternative<Zeros>(initializer))
    return {};
  std::vector<float> bias(static_cast<std::size_t>(4 * units), number);
  for (std::int64_t i = units; i < 2 * units; ++i) bias[static_cast<std::size_t>(i)] = 1;
  return bias;
}

}  // namespace

const char* RecurrentNode::type() const {
  return cell_ == op::Cell::simple ? "SimpleRNN" : cell_ == op::Cell::lstm ? "LSTM" : "GRU";
}

void RecurrentNode::describe(Config& config) { list(config, cell_, units_, options_); }

Shapes RecurrentNode::output_shapes(const Shapes& inputs) const {
  GLIA_CHECK(inputs.size() == 1 || inputs.size() == 1 + states(), ShapeError, "layer \"", name, "\" (",
             type(), ") takes a sequence, or a sequence and ", states(),
             states() == 1 ? " initial state" : " initial states (h and c)", ", got ", inputs.size(),
             " inputs");
  const Shape& rows = inputs[0];
  GLIA_CHECK(rows.rank() == 2 && rows.elements() > 0, ShapeError, "layer \"", name, "\" (", type(),
             ") needs rows of shape (steps, features), at least one of each, got rows of shape ", rows);
  for (std::size_t i = 1; i < inputs.size(); ++i)
    GLIA_CHECK(inputs[i] == Shape{units_}, ShapeError, "layer \"", name, "\" (", type(),
               ") got an initial state with rows of shape ", inputs[i], ", expected ", Shape{units_});
  Shapes outputs{options_.return_sequences ? Shape{rows[0], units_} : Shape{units_}};
  for (std::size_t i = 0; options_.return_state && i < states(); ++i) outputs.push_back({units_});
  return outputs;
}

std::vector<Variable> RecurrentNode::variables_for(const Shapes& inputs) const {
  const std::int64_t gates = op::gates_of(cell_) * units_;
  std::vector<Variable> weights{{"kernel",
                                 {inputs[0][1], gates},
                                 options_.kernel_initializer.value(),
                                 options_.kernel_regularizer.value(),
                                 options_.kernel_constraint.value()},
                                {"recurrent_kernel",
                                 {units_, gates},
                                 options_.recurrent_initializer.value(),
                                 options_.recurrent_regularizer.value(),
                                 options_.recurrent_constraint.value()}};
  if (options_.use_bias) {
    weights.push_back({"bias", resets_after() ? Shape{2, gates} : Shape{gates},
                       options_.bias_initializer.value(), options_.bias_regularizer.value(),
                       options_.bias_constraint.value()});
    if (cell_ == op::Cell::lstm && options_.unit_forget_bias)
      weights.back().given = forgetting_bias(options_.bias_initializer.value(), units_);
  }
  for (std::size_t i = 0; options_.stateful && i < states(); ++i) {
    weights.push_back({i == 0 ? "state" : "carry", {options_.batch_size, units_}, Zeros{}, {}, {}, false});
    weights.back().is_state = true;
  }
  return weights;
}

/// What the backward part wants of the forward part.
struct RecurrentNode::Operands {
  op::Recurrent forward;
  View x;      ///< (steps, rows, features), as it was multiplied
  View input;  ///< (rows, steps, features)
  op::Noise dropped = {};
  bool drops = false;
};

Emission RecurrentNode::emit(Emitter& e, const std::vector<Operand>& inputs) const {
  const View& input = inputs[0].view;
  const std::int64_t rows = input.shape[0], steps = input.shape[1], gates = op::gates_of(cell_) * units_;
  const View& mask = inputs[0].mask;
  GLIA_CHECK(!mask || mask.shape == Shape({rows, steps}), ShapeError, "layer \"", name, "\" (", type(),
             ") got a mask of shape ", mask.shape, ", expected one for each step: ", Shape({rows, steps}));
  GLIA_CHECK(!options_.stateful || rows == options_.batch_size, ShapeError, "layer \"", name, "\" (", type(),
             ", stateful) got a batch of ", rows, " rows, expected ", options_.batch_size,
             ", its batch_size: it goes on with the states of each row. Give a multiple of that many rows, "
             "in batches "
             "of that size");
  Operands operands{{}, {}, input};
  View x = input;
  if (e.trains() && options_.dropout > 0) {
    operands.drops = true;
    operands.dropped = {
        dropout_noise(options_.dropout), x, e.temporary(x.shape), e.noise_seed(), false, steps, x.shape[2]};
    e.add(operands.dropped);
    x = operands.dropped.out;
  }
  operands.x = with_axes_exchanged(e, x);

  op::Recurrent& d = operands.forward;
  d.cell = cell_;
  d.activation = elementwise(*this, "activation", options_.activation);
  d.recurrent_activation = elementwise(*this, "recurrent_activation", options_.recurrent_activation);
  d.gates = e.temporary({steps, rows, gates});
  d.kernel = e.value(variables[1]);
  op::Matmul product{below_each_other(operands.x), e.value(variables[0]), below_each_other(d.gates)};
  if (options_.use_bias) {
    const View bias = e.value(variables[2]);
    product.bias = resets_after() ? bias.part(0, 0, 1).reshaped({gates}) : bias;
    if (resets_after()) d.bias = bias.part(0, 1, 1).reshaped({gates});
  }
  e.add(product);

  const auto kept = [&](std::int64_t count) { return e.temporary({e.trains() ? count : 1, rows, units_}); };
  d.mask = mask;
  if (options_.stateful) {
    d.initial_h = e.value(state(0));
    if (states() > 1) d.initial_c = e.value(state(1));
  }
  if (inputs.size() > 1) d.initial_h = inputs[1].view;
  if (inputs.size() > 2) d.initial_c = inputs[2].view;
  d.h = kept(steps + 1);
  if (cell_ == op::Cell::lstm) d.c = kept(steps + 1);
  if (cell_ == op::Cell::gru || cell_ == op::Cell::gru_reset_before) d.extra = kept(steps);
  if (e.trains() && options_.recurrent_dropout > 0) {
    const View ones = e.temporary({rows, units_});
    d.noise = e.temporary({rows, units_});
    e.add(op::Fill{ones, 1});
    e.add(op::Noise{dropout_noise(options_.recurrent_dropout), ones, d.noise, e.noise_seed(), false});
    d.fed = kept(steps);
  }
  d.out = e.temporary(options_.return_sequences ? Shape{rows, steps, units_} : Shape{rows, units_});
  d.products = e.temporary({rows, gates});
  d.backwards = options_.go_backwards, d.zero_masked = zero_masked_, d.reverses_out = reverses_out();
  e.add(d);

  Emission result;
  result.outputs.push_back({d.out, options_.return_sequences ? mask : View{}});
  const std::int64_t last = options_.go_backwards || !e.trains() ? 0 : steps;
  for (std::size_t i = 0; i < states(); ++i) {
    const View ends = one_of(i == 0 ? d.h : d.c, last);
    if (options_.stateful && e.keeps_states()) e.add(op::Copy{ends, e.value(state(i))});
    if (!options_.return_state) continue;
    result.outputs.push_back({e.temporary({rows, units_})});
    e.add(op::Copy{ends, result.outputs.back().view});
  }
  result.backward = [operands, this](Emitter& e, const std::vector<View>& gradients,
                                     const std::vector<bool>& wanted) {
    return emit_backward(e, operands, gradients, wanted);
  };
  return result;
}

std::vector<View> RecurrentNode::emit_backward(Emitter& e, const Operands& operands,
                                               const std::vector<View>& gradients,
                                               const std::vector<bool>& wanted) const {
  const op::Recurrent& f = operands.forward;
  const Shape state{f.rows(), units_};
  op::RecurrentGradient d{f.cell, f.activation, f.recurrent_activation, f.gates, f.kernel, f.h};
  d.c = f.c, d.extra = f.extra, d.mask = f.mask, d.noise = f.noise, d.fed = f.fed;
  d.out_gradient = gradients[0];
  if (gradients.size() > 1) d.last_h_gradient = gradients[1];
  if (gradients.size() > 2) d.last_c_gradient = gradients[2];
  if (resets_after()) d.recurrent_gradients = e.temporary(f.gates.shape);
  std::vector<View> result(wanted.size());
  if (wanted.size() > 1 && wanted[1]) d.initial_h_gradient = result[1] = e.temporary(state);
  if (wanted.size() > 2 && wanted[2]) d.initial_c_gradient = result[2] = e.temporary(state);
  d.products = e.temporary(state), d.carried_h = e.temporary(state);
  if (f.c) d.carried_c = e.temporary(state);
  d.backwards = f.backwards, d.zero_masked = f.zero_masked, d.reverses_out = f.reverses_out;
  e.add(d);

  if (wanted[0]) {
    const View dx = e.temporary(operands.x.shape);
    e.add(op::Matmul{below_each_other(f.gates), e.value(variables[0]).transposed(), below_each_other(dx)});
    result[0] = with_axes_exchanged(e, dx);
    if (operands.drops) {
      op::Noise back = operands.dropped;
      back.in = result[0], back.out = e.temporary(operands.input.shape), back.backward = true;
      e.add(back);
      result[0] = back.out;
    }
  }
  if (e.trains(variables[0])) emit_weights_gradients(e, operands, d.recurrent_gradients);
  return result;
}

/// `recurrent`: the gradients of h U + b' where they are others than those of x W + b.
void RecurrentNode::emit_weights_gradients(Emitter& e, const Operands& operands,
                                           const View& recurrent) const {
  const op::Recurrent& f = operands.forward;
  const View gates = below_each_other(f.gates), of_kernel = e.gradient(variables[1]);
  const View bias = options_.use_bias ? e.gradient(variables[2]) : View{};
  const auto row_of_bias = [&](std::int64_t row) {
    return resets_after() ? bias.part(0, row, 1).reshaped({gates.shape[1]}) : bias;
  };
  op::Matmul of_input{below_each_other(operands.x).transposed(), gates, e.gradient(variables[0])};
  if (bias) of_input.bias_gradient = row_of_bias(0);
  e.add(of_input);

  const bool has_bias = bias && resets_after();
  // The first step's state is 0 where none was given: only a bias asks for that step.
  const bool leaves_first = !f.initial_h && !has_bias && f.steps() > 1;
  const std::int64_t first = leaves_first && !f.backwards ? 1 : 0, steps = f.steps() - (leaves_first ? 1 : 0);
  const auto of_steps = [&](const View& all) { return below_each_other(all.part(0, first, steps)); };
  const View states = of_steps(f.fed ? f.fed : f.h.part(0, f.backwards ? 1 : 0, f.steps()));
  if (cell_ == op::Cell::gru_reset_before) {
    const std::int64_t u = units_;
    const View of_gates = of_steps(f.gates);
    e.add(op::Matmul{states.transposed(), of_gates.part(1, 0, 2 * u), of_kernel.part(1, 0, 2 * u)});
    e.add(
        op::Matmul{of_steps(f.extra).transposed(), of_gates.part(1, 2 * u, u), of_kernel.part(1, 2 * u, u)});
    return;
  }
  op::Matmul of_states{states.transposed(), of_steps(recurrent ? recurrent : f.gates), of_kernel};
  if (has_bias) of_states.bias_gradient = row_of_bias(1);
  e.add(of_states);
}

RecurrentNode* recurrent_node(const Layer& layer) { return dynamic_cast<RecurrentNode*>(&layer.node()); }

namespace {

std::shared_ptr<LayerNode> recurrent(op::Cell cell, int units, const RecurrentOptions& o) {
  auto node = make_node<RecurrentNode>(cell, units, o);
  const char* const type = node->type();
  GLIA_CHECK(units >= 1, ValueError, type, " got ", units, " units, expected at least 1");
  GLIA_CHECK(!o.stateful || o.batch_size >= 1, ValueError, type, " got stateful and a batch_size of ",
             o.batch_size, ", expected batch_size to say how many rows each batch has");
  checked_rate(type, o.dropout, "dropout"), checked_rate(type, o.recurrent_dropout, "recurrent_dropout");
  elementwise(*node, "activation", o.activation);
  elementwise(*node, "recurrent_activation", o.recurrent_activation);
  check_options(o.activation), check_options(o.recurrent_activation);
  check_options(o.kernel_initializer), check_options(o.recurrent_initializer);
  check_options(o.bias_initializer), check_options(o.kernel_regularizer);
  check_options(o.recurrent_regularizer), check_options(o.bias_regularizer);
  check_options(o.kernel_constraint), check_options(o.recurrent_constraint);
  check_options(o.bias_constraint);
  if (cell == op::Cell::lstm && o.use_bias && o.unit_forget_bias)
    GLIA_CHECK(
        !forgetting_bias(o.bias_initializer.value(), 1).empty(), ValueError,
        "LSTM got unit_forget_bias and a bias_initializer that draws numbers, expected zeros, ones or a "
        "constant: set unit_forget_bias = false");
  node->name = o.name, node->trainable = o.trainable;
  node->declare_input_shape(o.input_shape);
  return node;
}

template <class Of>
Layer read_recurrent(Config& config, op::Cell cell) {
  int units = 0;
  RecurrentOptions options;
  list(config, cell, units, options);
  return Of(units, options);
}

constexpr LayerClass classes[] = {
    {"SimpleRNN", [](Config& config) { return read_recurrent<SimpleRNN>(config, op::Cell::simple); }},
    {"LSTM", [](Config& config) { return read_recurrent<LSTM>(config, op::Cell::lstm); }},
    {"GRU", [](Config& config) { return read_recurrent<GRU>(config, op::Cell::gru); }},
};

}  // namespace

LayerClasses recurrent_classes() { return classes; }

SimpleRNN::SimpleRNN(int units, const RecurrentOptions& options)
    : Layer(recurrent(op::Cell::simple, units, options)) {}
LSTM::LSTM(int units, const RecurrentOptions& options) : Layer(recurrent(op::Cell::lstm, units, options)) {}
GRU::GRU(int units, const RecurrentOptions& options)
    : Layer(recurrent(options.reset_after ? op::Cell::gru : op::Cell::gru_reset_before, units, options)) {}

}  // namespace glia
