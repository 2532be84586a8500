// Optimizers and losses as text, with the options that theirs have.
// SPDX-License-Identifier: Apache-2.0
#include <host/c/layers.h>
#include <host/c/words.h>

#include <variant>

namespace glia::c {
namespace {

// GLIA_TAKE is gone at the end of the file: a member's name cannot be said twice without it, as text and as itself.
#define GLIA_TAKE(member) \
  if constexpr (requires { of.member; }) from.take(#member, of.member)

template <class Optimizer>
void take_options(Arguments& from, Optimizer& of) {
  GLIA_TAKE(learning_rate);
  GLIA_TAKE(momentum);
  GLIA_TAKE(nesterov);
  GLIA_TAKE(rho);
  GLIA_TAKE(centered);
  GLIA_TAKE(beta_1);
  GLIA_TAKE(beta_2);
  GLIA_TAKE(beta);
  GLIA_TAKE(epsilon);
  GLIA_TAKE(amsgrad);
  GLIA_TAKE(initial_accumulator_value);
  GLIA_TAKE(learning_rate_power);
  GLIA_TAKE(l1_regularization_strength);
  GLIA_TAKE(l2_regularization_strength);
  GLIA_TAKE(l2_shrinkage_regularization_strength);
  GLIA_TAKE(adam_beta_1);
  GLIA_TAKE(adam_beta_2);
  GLIA_TAKE(adam_weight_decay);
  GLIA_TAKE(adam_lr_ratio);
  GLIA_TAKE(muon_a);
  GLIA_TAKE(muon_b);
  GLIA_TAKE(muon_c);
  GLIA_TAKE(ns_steps);
  GLIA_TAKE(rms_rate);
  GLIA_TAKE(weight_decay);
  GLIA_TAKE(clipnorm);
  GLIA_TAKE(global_clipnorm);
  GLIA_TAKE(clipvalue);
  GLIA_TAKE(use_ema);
  GLIA_TAKE(ema_momentum);
  GLIA_TAKE(ema_overwrite_frequency);
  GLIA_TAKE(gradient_accumulation_steps);
}

template <class Loss>
void take_loss_options(Arguments& from, Loss& of) {
  GLIA_TAKE(from_logits);
  GLIA_TAKE(label_smoothing);
  GLIA_TAKE(delta);
  GLIA_TAKE(alpha);
  GLIA_TAKE(gamma);
  GLIA_TAKE(apply_class_balancing);
}

#undef GLIA_TAKE

}  // namespace

OptimizerName optimizer_of(const std::string& text) {
  const Call call = parse_call(text, "optimizer");
  OptimizerName optimizer(call.name);
  Arguments arguments(call, {"learning_rate"});
  std::visit([&](auto& of) { take_options(arguments, of); }, optimizer.value());
  arguments.finish();
  return optimizer;
}

LossName loss_of(const std::string& text) {
  const Call call = parse_call(text, "loss");
  LossName loss(call.name);
  Arguments arguments(call, {});
  std::visit([&](auto& of) { take_loss_options(arguments, of); }, loss.value());
  arguments.finish();
  return loss;
}

}  // namespace glia::c
