// The members that options have, listed for a Config: each by its own name, in Keras's order.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <host/layers/config.h>

namespace glia {

// GLIA_FIELD is gone at the end of the file: a member's name cannot be said twice without it, as text and as itself. Constants of
// a class, which are none of its options, are left out.
#define GLIA_FIELD(member) \
  if constexpr (requires { config.field(#member, of.member); }) config.field(#member, of.member)

/// What windows over images have.
template <class Options>
void list_window(Config& config, Options& of) {
  GLIA_FIELD(strides);
  GLIA_FIELD(padding);
  GLIA_FIELD(dilation_rate);
  GLIA_FIELD(groups);
  GLIA_FIELD(depth_multiplier);
}

/// What layers with weights have.
template <class Options>
void list_weights(Config& config, Options& of) {
  GLIA_FIELD(activation);
  GLIA_FIELD(use_bias);
  GLIA_FIELD(kernel_initializer);
  GLIA_FIELD(depthwise_initializer);
  GLIA_FIELD(bias_initializer);
  GLIA_FIELD(kernel_regularizer);
  GLIA_FIELD(depthwise_regularizer);
  GLIA_FIELD(bias_regularizer);
  GLIA_FIELD(kernel_constraint);
  GLIA_FIELD(depthwise_constraint);
  GLIA_FIELD(bias_constraint);
  GLIA_FIELD(momentum);
  GLIA_FIELD(epsilon);
  GLIA_FIELD(center);
  GLIA_FIELD(scale);
  GLIA_FIELD(beta_initializer);
  GLIA_FIELD(gamma_initializer);
  GLIA_FIELD(moving_mean_initializer);
  GLIA_FIELD(moving_variance_initializer);
  GLIA_FIELD(beta_regularizer);
  GLIA_FIELD(gamma_regularizer);
  GLIA_FIELD(beta_constraint);
  GLIA_FIELD(gamma_constraint);
  GLIA_FIELD(alpha_initializer);
  GLIA_FIELD(alpha_regularizer);
  GLIA_FIELD(alpha_constraint);
  GLIA_FIELD(embeddings_initializer);
  GLIA_FIELD(embeddings_regularizer);
  GLIA_FIELD(embeddings_constraint);
}

/// What recurrent layers have, but for what not all have.
template <class Options>
void list_recurrent(Config& config, Options& of) {
  GLIA_FIELD(use_bias);
  GLIA_FIELD(kernel_initializer);
  GLIA_FIELD(recurrent_initializer);
  GLIA_FIELD(bias_initializer);
  GLIA_FIELD(kernel_regularizer);
  GLIA_FIELD(recurrent_regularizer);
  GLIA_FIELD(bias_regularizer);
  GLIA_FIELD(kernel_constraint);
  GLIA_FIELD(recurrent_constraint);
  GLIA_FIELD(bias_constraint);
  GLIA_FIELD(dropout);
  GLIA_FIELD(recurrent_dropout);
  GLIA_FIELD(return_sequences);
  GLIA_FIELD(return_state);
  GLIA_FIELD(go_backwards);
  GLIA_FIELD(stateful);
  GLIA_FIELD(batch_size);
  GLIA_FIELD(unroll);
}

/// What attention layers have.
template <class Options>
void list_attention(Config& config, Options& of) {
  GLIA_FIELD(use_causal_mask);
  GLIA_FIELD(use_attention_mask);
  GLIA_FIELD(return_attention_scores);
  GLIA_FIELD(dropout);
}

/// What functions have: activations, initializers, regularizers, constraints, losses, metrics.
template <class Function>
void list_function(Config& config, Function& of) {
  GLIA_FIELD(negative_slope);
  GLIA_FIELD(max_value);
  GLIA_FIELD(min_value);
  GLIA_FIELD(threshold);
  GLIA_FIELD(alpha);
  GLIA_FIELD(approximate);
  GLIA_FIELD(exponent);
  GLIA_FIELD(scale);
  GLIA_FIELD(offset);
  GLIA_FIELD(value);
  GLIA_FIELD(mean);
  GLIA_FIELD(stddev);
  GLIA_FIELD(minval);
  GLIA_FIELD(maxval);
  GLIA_FIELD(mode);
  GLIA_FIELD(distribution);
  GLIA_FIELD(gain);
  GLIA_FIELD(l1);
  GLIA_FIELD(l2);
  GLIA_FIELD(rate);
  GLIA_FIELD(delta);
  GLIA_FIELD(from_logits);
  GLIA_FIELD(label_smoothing);
  GLIA_FIELD(apply_class_balancing);
  GLIA_FIELD(gamma);
  GLIA_FIELD(ignore_class);
  GLIA_FIELD(class_id);
  GLIA_FIELD(average);
  GLIA_FIELD(beta);
  GLIA_FIELD(num_thresholds);
  GLIA_FIELD(curve);
  GLIA_FIELD(k);
  GLIA_FIELD(loss);
}

template <class Schedule>
void list_schedule(Config& config, Schedule& of) {
  GLIA_FIELD(initial_learning_rate);
  GLIA_FIELD(decay_steps);
  GLIA_FIELD(decay_rate);
  GLIA_FIELD(staircase);
  GLIA_FIELD(end_learning_rate);
  GLIA_FIELD(power);
  GLIA_FIELD(cycle);
  GLIA_FIELD(alpha);
  GLIA_FIELD(warmup_target);
  GLIA_FIELD(warmup_steps);
  GLIA_FIELD(first_decay_steps);
  GLIA_FIELD(t_mul);
  GLIA_FIELD(m_mul);
  GLIA_FIELD(max_learning_rate);
  GLIA_FIELD(total_steps);
  GLIA_FIELD(pct_start);
  GLIA_FIELD(div_factor);
  GLIA_FIELD(final_div_factor);
}

template <class Optimizer>
void list_optimizer(Config& config, Optimizer& of) {
  GLIA_FIELD(learning_rate);
  GLIA_FIELD(momentum);
  GLIA_FIELD(nesterov);
  GLIA_FIELD(rho);
  GLIA_FIELD(centered);
  GLIA_FIELD(beta_1);
  GLIA_FIELD(beta_2);
  GLIA_FIELD(beta);
  GLIA_FIELD(epsilon);
  GLIA_FIELD(amsgrad);
  GLIA_FIELD(initial_accumulator_value);
  GLIA_FIELD(learning_rate_power);
  GLIA_FIELD(l1_regularization_strength);
  GLIA_FIELD(l2_regularization_strength);
  GLIA_FIELD(l2_shrinkage_regularization_strength);
  GLIA_FIELD(adam_beta_1);
  GLIA_FIELD(adam_beta_2);
  GLIA_FIELD(adam_weight_decay);
  GLIA_FIELD(adam_lr_ratio);
  GLIA_FIELD(muon_a);
  GLIA_FIELD(muon_b);
  GLIA_FIELD(muon_c);
  GLIA_FIELD(ns_steps);
  GLIA_FIELD(rms_rate);
  GLIA_FIELD(weight_decay);
  GLIA_FIELD(clipnorm);
  GLIA_FIELD(global_clipnorm);
  GLIA_FIELD(clipvalue);
  GLIA_FIELD(use_ema);
  GLIA_FIELD(ema_momentum);
  GLIA_FIELD(ema_overwrite_frequency);
  GLIA_FIELD(gradient_accumulation_steps);
}

#undef GLIA_FIELD

}  // namespace glia
