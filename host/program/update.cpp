// Penalties, clipping, the optimizer's pass and what follows it.
// SPDX-License-Identifier: Apache-2.0
#include <host/program/muon.h>  // defines: emit_muon
#include <host/program/update.h>

#include <type_traits>

namespace glia {

View UpdateOf::flat(Buffer buffer, std::int64_t row) const {
  return View::contiguous(buffer, dtype, {elements}, row * elements * size_of(dtype));
}

KeptRows kept_rows(const Optimizers& optimizer) {
  return std::visit(
      [](const auto& o) {
        return KeptRows{o.slots(), o.gradient_accumulation_steps > 1, o.use_ema};
      },
      optimizer);
}

View emit_penalties(Emitter& e, const std::vector<Trained>& weights, bool wants_gradients) {
  const Emitter::Of of(e, "loss");
  std::vector<op::Penalty> penalties;
  std::int64_t partials = 0;
  for (const auto& [layer, variable, value, gradient] : weights) {
    std::visit(
        [&, &value = value, &gradient = gradient](const auto& regularizer) {
          op::Penalty penalty{};
          if constexpr (requires { regularizer.as_l1_l2(); })
            penalty.function = regularizer.as_l1_l2();
          else if constexpr (requires { regularizer.l1; })
            penalty.function = regularizer;
          else
            return;
          if (penalty.function.l1 == 0 && penalty.function.l2 == 0) return;
          penalty.parameter = value;
          if (wants_gradients) penalty.gradient = gradient;
          penalty.first_partial = partials;
          partials += op::pieces_of(value.elements());
          penalties.push_back(penalty);
        },
        variable->regularizer);
  }
  if (penalties.empty()) return {};
  const View sums = e.temporary({partials}, DType::float64);
  for (op::Penalty& penalty : penalties) {
    penalty.partials = sums;
    e.add(penalty);
  }
  return sums;
}

namespace {

void emit_norm_limit(Emitter& e, const View& values, double limit) {
  const View partials = e.temporary({op::pieces_of(values.elements())}, DType::float64);
  e.add(op::Squares{values, partials});
  e.add(op::RescaleToNorm{values, partials, limit});
}

/// A weight as the matrix whose columns a constraint is about, along the first axis as in Keras: a vector is one
/// column.
View columns_of_weight(const View& weight) {
  const std::int64_t first = weight.shape.front();
  return weight.reshaped({first, weight.elements() / first});
}

}  // namespace

void emit_update(Emitter& e, const UpdateOf& update) {
  const View gradients = update.flat(Buffer::gradients);
  std::visit(
      [&](const auto& o) {
        const std::int64_t steps = o.gradient_accumulation_steps;
        std::int64_t row = o.slots();
        if (steps > 1) e.add(op::Accumulate{gradients, update.flat(Buffer::slots, row++), steps});
        if (o.global_clipnorm > 0) emit_norm_limit(e, gradients, o.global_clipnorm);
        for (const Trained& weight : update.weights)
          if (o.clipnorm > 0) emit_norm_limit(e, weight.gradient, o.clipnorm);
        const View slots =
            o.slots() ? View::contiguous(Buffer::slots, update.dtype, {o.slots(), update.elements}) : View{};
        const op::Optimize all{
            update.optimizer, update.parameters, gradients, slots, steps, o.weight_decay, {}, update.spans};
        if constexpr (std::is_same_v<std::decay_t<decltype(o)>, Muon>)
          emit_muon(e, o, all, update.weights);
        else
          e.add(all);
        if (o.use_ema)
          e.add(op::MovingAverage{update.parameters, update.flat(Buffer::slots, row), o.ema_momentum, steps,
                                  o.ema_overwrite_frequency, update.spans});
      },
      update.optimizer);
  for (const Trained& weight : update.weights)
    if (!std::holds_alternative<NoConstraint>(weight.variable->constraint))
      e.add(op::Constrain{weight.variable->constraint, columns_of_weight(weight.value)});
}

}  // namespace glia
