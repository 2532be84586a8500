// From the descriptors of attention to their kernels.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <kernels/attention.h>
#include <kernels/lowering.h>

namespace glia::kernels {
inline namespace GLIA_ISA {

template <class T>
HeadSteps<T> head_steps(const View& view, const Bindings& at) {
  if (!view) return {nullptr, 0, 0, 0};
  return {at.template address<std::remove_const_t<T>>(view), view.strides[0], view.strides[1],
          view.strides[2]};
}

template <class T>
AttentionOperands<T> attention_operands(const op::Attention& d, const Bindings& at) {
  AttentionOperands<T> on{d.rows(),
                          d.heads(),
                          d.shared(),
                          d.steps(),
                          d.keys.shape[2],
                          d.queries.shape[3],
                          d.values.shape[3],
                          head_steps<const T>(d.queries, at),
                          head_steps<const T>(d.keys, at),
                          head_steps<const T>(d.values, at),
                          at.template address<T>(d.mask),
                          {},
                          at.template address<T>(d.weights),
                          static_cast<T>(d.scale),
                          d.causal,
                          d.lowers,
                          d.drops,
                          d.dropout,
                          d.seed,
                          at.state};
  for (int axis = 0; axis < 4 && d.mask; ++axis) on.mask_strides[axis] = d.mask.strides[axis];
  return on;
}

/// A group for each piece of so many steps of each head.
inline Work pieces_work(std::int64_t rows, std::int64_t heads, std::int64_t steps, std::int64_t others,
                        std::int64_t width) {
  return {Work::groups, rows * heads * ((steps + steps_at_once - 1) / steps_at_once),
          steps_at_once * others * width};
}

/// In float32 or float64, whichever T is.
template <class T, class Launch>
void lower_as(const op::Attention& d, const Bindings& at, Launch&& launch) {
  const AttentionOperands<T> on = attention_operands<T>(d, at);
  launch(AttentionKernel<T>{on, head_steps<T>(d.out, at)},
         pieces_work(on.rows, on.heads, on.queries, on.keys, on.width));
}

template <class T, class Launch>
void lower_as(const op::AttentionGradient& d, const Bindings& at, Launch&& launch) {
  const AttentionOperands<T> on = attention_operands<T>(d.of, at);
  const HeadSteps<const T> out_gradient = head_steps<const T>(d.out_gradient, at);
  T* const scores = at.template address<T>(d.scores_gradient);
  launch(AttentionScoresGradientKernel<T>{on, out_gradient, at.template address<T>(d.weights_gradient),
                                          scores, head_steps<T>(d.queries_gradient, at)},
         pieces_work(on.rows, on.heads, on.queries, on.keys, on.width));
  launch(AttentionKeysGradientKernel<T>{on, out_gradient, scores, head_steps<T>(d.keys_gradient, at),
                                        head_steps<T>(d.values_gradient, at)},
         pieces_work(on.rows, on.heads / on.shared, on.keys, on.queries * on.shared, on.width));
}

template <class Launch>
void lower(const op::Attention& d, const Bindings& at, Launch&& launch) {
  visit_floating(d.queries.dtype, [&](auto type) { lower_as<typename decltype(type)::type>(d, at, launch); });
}
template <class Launch>
void lower(const op::AttentionGradient& d, const Bindings& at, Launch&& launch) {
  visit_floating(d.of.queries.dtype,
                 [&](auto type) { lower_as<typename decltype(type)::type>(d, at, launch); });
}

}  // namespace GLIA_ISA
}  // namespace glia::kernels
