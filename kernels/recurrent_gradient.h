// The gradient of what a recurrent layer does with each element in a step, beside its products.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <kernels/recurrent.h>

namespace glia::kernels {
inline namespace GLIA_ISA {

/// Where the gradient of a step finds what it computes with.
template <class T>
struct StepGradientOperands {
  T* gates;  ///< (rows, G units): what was kept, in whose place comes the gradient
  const T* mask;
  std::int64_t mask_stride;
  const T* h_before;  ///< (rows, units), as all that follow
  const T* c_before;
  const T* c;
  const T* extra;
  const T* noise;
  const T* fed_before;    ///< as of the step
  const T* out_gradient;  ///< null where there is none
  std::int64_t out_stride;
  const T* last_h_gradient;  ///< null for zeros
  const T* last_c_gradient;
  T* recurrent_gradients;  ///< (rows, 3 units) of a gru
  const T* products;
  T* carried_h;
  T* carried_c;
  bool is_last, zero_masked;

  GLIA_HD bool is_masked(std::int64_t row) const { return mask && mask[row * mask_stride] == T(0); }
};

/// The gradients of a step's gates, from those of its state: carried_h is what goes on to the state before beside the products with
/// the recurrent weights. Where a gru resets before the product, `second` is what comes behind that with the candidate's weights.
template <op::Cell cell, class Activation, class Gate, class T>
struct RecurrentGradientKernel {
  Patches<T> patches;  ///< (rows, units)
  StepGradientOperands<T> at;
  Activation activation;
  Gate gate;
  bool second;

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    each_unit(block, patches, [&](std::int64_t row, std::int64_t column, const auto& strip) {
      const std::int64_t units = patches.columns(), first = row * units + column;
      const std::int64_t first_gate = row * gates * units + column;
      const bool masked = at.is_masked(row);
      if constexpr (cell == op::Cell::gru_reset_before) {
        if (second) {
          if (!masked) reset(strip, first, first_gate);
          return;
        }
      }
      collect(strip, first);
      if (at.out_gradient && !(masked && at.zero_masked)) {
        const T* const out = at.out_gradient + row * at.out_stride + column;
        strip.for_each([&](auto j) { at.carried_h[first + j] += out[j]; });
      }
      if (masked)
        strip.for_each([&](auto j) { pass(first_gate + j); });
      else if constexpr (cell == op::Cell::simple)
        step_simple(strip, first);
      else if constexpr (cell == op::Cell::lstm)
        step_lstm(strip, first, first_gate);
      else
        step_gru(strip, first, first_gate);
    });
  }

 private:
  static constexpr std::int64_t gates = op::gates_of(cell);

  /// carried_h and carried_c = the gradients of the states behind the step, as far as later steps and who reads them say.
  template <class Strip>
  GLIA_HD void collect(const Strip& strip, std::int64_t first) const {
    T* const h = at.carried_h + first;
    if (!at.is_last) {
      const T* const product = at.products + first;
      if (at.noise)
        strip.for_each([&](auto j) { h[j] += product[j] * at.noise[first + j]; });
      else
        strip.for_each([&](auto j) { h[j] += product[j]; });
      return;
    }
    const auto begin = [&](T* to, const T* from) { copy_or_clear(strip, to, from ? from + first : nullptr); };
    begin(h, at.last_h_gradient);
    if (cell == op::Cell::lstm) begin(at.carried_c + first, at.last_c_gradient);
  }
  /// A masked step: what is carried stays.
  GLIA_HD void pass(std::int64_t first_gate) const {
    for (std::int64_t g = 0; g < gates; ++g) {
      at.gates[first_gate + g * patches.columns()] = 0;
      if (cell == op::Cell::gru) at.recurrent_gradients[first_gate + g * patches.columns()] = 0;
    }
  }
  template <class Strip>
  GLIA_HD void step_simple(const Strip& strip, std::int64_t first) const {
    T* const z = at.gates + first;
    T* const dh = at.carried_h + first;
    strip.for_each([&](auto j) {
      z[j] = activation.backward(dh[j], z[j]);
      dh[j] = 0;
    });
  }
  template <class Strip>
  GLIA_HD void step_lstm(const Strip& strip, std::int64_t first, std::int64_t first_gate) const {
    strip.for_each(LstmElement{*this, patches.columns(), at.gates + first_gate, at.c_before + first,
                               at.c + first, at.carried_h + first, at.carried_c + first});
  }
  struct LstmElement {
    const RecurrentGradientKernel& kernel;
    std::int64_t units;
    T* z;
    const T* before;
    const T* c;
    T* carried_h;
    T* carried_c;

    GLIA_HD void operator()(std::int64_t j) const {
      const Activation& activation = kernel.activation;
      const Gate& gate = kernel.gate;
      T* const input = z + j;
      T* const forget = input + units;
      T* const fresh = forget + units;
      T* const output = fresh + units;
      const T i = gate.value(*input), f = gate.value(*forget), o = gate.value(*output);
      const T g = activation.value(*fresh), bent = activation.forward(c[j]), dh = carried_h[j];
      const T dc = carried_c[j] + activation.backward(dh * o, activation.kept(c[j], bent));
      *input = gate.backward(dc * g, *input);
      *forget = gate.backward(dc * before[j], *forget);
      *fresh = activation.backward(dc * i, *fresh);
      *output = gate.backward(dh * bent, *output);
      carried_c[j] = dc * f;
      carried_h[j] = 0;
    }
  };
  template <class Strip>
  GLIA_HD void step_gru(const Strip& strip, std::int64_t first, std::int64_t first_gate) const {
    strip.for_each(GruElement{*this, patches.columns(), at.gates + first_gate,
                              cell == op::Cell::gru ? at.recurrent_gradients + first_gate : nullptr,
                              at.h_before + first, at.extra + first, at.carried_h + first});
  }
  struct GruElement {
    const RecurrentGradientKernel& kernel;
    std::int64_t units;
    T* z;
    T* recurrent;
    const T* before;
    const T* extra;
    T* carried_h;

    GLIA_HD void operator()(std::int64_t j) const {
      const Activation& activation = kernel.activation;
      const Gate& gate = kernel.gate;
      T* const update = z + j;
      T* const reset = update + units;
      T* const fresh = reset + units;
      const T dh = carried_h[j], u = gate.value(*update), n = activation.value(*fresh);
      const T du = gate.backward(dh * (before[j] - n), *update);
      const T dn = activation.backward(dh * (T(1) - u), *fresh);
      if constexpr (cell == op::Cell::gru) {
        const T r = gate.value(*reset), dr = gate.backward(dn * extra[j], *reset);
        *reset = dr;
        recurrent[j] = du, recurrent[units + j] = dr, recurrent[2 * units + j] = dn * r;
      }
      *update = du, *fresh = dn;
      carried_h[j] = dh * u;
    }
  };
  /// Of a gru that resets before: products is the gradient of r h.
  template <class Strip>
  GLIA_HD void reset(const Strip& strip, std::int64_t first, std::int64_t first_gate) const {
    T* const reset = at.gates + first_gate + patches.columns();
    const T* const state = at.fed_before + first;
    const T* const product = at.products + first;
    T* const carried_h = at.carried_h + first;
    strip.for_each([&](auto j) {
      const T by_state = product[j] * gate.value(reset[j]);
      reset[j] = gate.backward(product[j] * state[j], reset[j]);
      carried_h[j] += at.noise ? by_state * at.noise[first + j] : by_state;
    });
  }
};

/// Behind the gradient of the first step: that of the state before it.
template <class T>
struct RecurrentEndKernel {
  Patches<T> patches;  ///< (rows, units)
  const T* products;
  const T* noise;
  const T* carried_h;
  const T* carried_c;
  T* initial_h_gradient;  ///< null where it is not wanted
  T* initial_c_gradient;

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    const std::int64_t units = patches.columns();
    each_unit(block, patches, [&](std::int64_t row, std::int64_t column, const auto& strip) {
      strip.for_each([&](auto j) {
        const std::int64_t i = row * units + column + j;
        if (initial_h_gradient)
          initial_h_gradient[i] = (noise ? products[i] * noise[i] : products[i]) + carried_h[i];
        if (initial_c_gradient) initial_c_gradient[i] = carried_c[i];
      });
    });
  }
};

}  // namespace GLIA_ISA
}  // namespace glia::kernels
