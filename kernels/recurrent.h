// What a recurrent layer does with each element in a step, beside its products.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/descriptors.h>  // defines: op::Cell
#include <kernels/any_of.h>
#include <kernels/patches.h>

namespace glia::kernels {
inline namespace GLIA_ISA {

/// An activation that the compiler knows. Of a gate is kept what its derivative wants, from which its value can be had again.
template <class Function>
struct KnownActivation {
  Function function;

  template <class T>
  GLIA_HD T forward(T x) const {
    return function.forward(x);
  }
  /// Of x and y = forward(x).
  template <class T>
  GLIA_HD T kept(T x, T y) const {
    return Function::saves == Saves::input ? x : y;
  }
  template <class T>
  GLIA_HD T value(T kept) const {
    return Function::saves == Saves::input ? function.forward(kept) : kept;
  }
  template <class T>
  GLIA_HD T backward(T gradient, T kept) const {
    return function.backward(gradient, kept);
  }
};

/// Any other: chosen for each element, and called, since few ask for it.
struct AnyActivation {
  AnyOf<ElementwiseActivation> function;

  template <class T>
  GLIA_HD_CALL T forward(T x) const {
    T y = x;
    function.visit([&](const auto& f) { y = f.forward(x); });
    return y;
  }
  template <class T>
  GLIA_HD_CALL T kept(T x, T y) const {
    T result = y;
    function.visit([&](const auto& f) { result = std::decay_t<decltype(f)>::saves == Saves::input ? x : y; });
    return result;
  }
  template <class T>
  GLIA_HD_CALL T value(T kept) const {
    T y = kept;
    function.visit([&](const auto& f) {
      if constexpr (std::decay_t<decltype(f)>::saves == Saves::input) y = f.forward(kept);
    });
    return y;
  }
  template <class T>
  GLIA_HD_CALL T backward(T gradient, T kept) const {
    T result = gradient;
    function.visit([&](const auto& f) { result = f.backward(gradient, kept); });
    return result;
  }
};

/// f(row, first unit, strip) for the rows and units of a place that are the thread's.
template <class T, class Block, class F>
GLIA_HD void each_unit(Block& block, const Patches<T>& patches, const F& f) {
  patches.each_place(block, [&](const auto& strip, const Place& place) {
    for (std::int64_t row = place.begin + place.y; row < place.end; row += place.down)
      f(row, place.column, strip);
  });
}

/// to = from, or zeros where that is null, of a strip.
template <class Strip, class T>
GLIA_HD void copy_or_clear(const Strip& strip, T* to, const T* from) {
  if (from)
    strip.for_each([&](auto j) { to[j] = from[j]; });
  else
    strip.for_each([&](auto j) { to[j] = 0; });
}

/// Before the first step: the state before it, and what goes to the recurrent weights.
template <class T>
struct RecurrentBeginKernel {
  Patches<T> patches;  ///< (rows, units)
  const T* initial_h;  ///< null for zeros
  const T* initial_c;
  const T* noise;
  T* h;
  T* c;
  T* fed;
  T* products;  ///< (rows, gates * units), where the first step finds no product; null where it does
  std::int64_t gates;

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    const std::int64_t units = patches.columns();
    each_unit(block, patches, [&](std::int64_t row, std::int64_t column, const auto& strip) {
      const std::int64_t first = row * units + column;
      copy_or_clear(strip, h + first, initial_h ? initial_h + first : nullptr);
      if (c) copy_or_clear(strip, c + first, initial_c ? initial_c + first : nullptr);
      if (fed) strip.for_each([&](auto j) { fed[first + j] = h[first + j] * noise[first + j]; });
      for (std::int64_t g = 0; products && g < gates; ++g)
        copy_or_clear(strip, products + (row * gates + g) * units + column, static_cast<const T*>(nullptr));
    });
  }
};

/// Where a step finds what it computes with; everything (rows, ...), row-major, of this step.
template <class T>
struct StepOperands {
  T* gates;           ///< (rows, G units)
  const T* products;  ///< (rows, G units)
  const T* bias;      ///< (G units,) or null, of a gru
  const T* mask;      ///< null: nothing is masked
  std::int64_t mask_stride;
  const T* h_before;  ///< (rows, units), as all that follow
  const T* c_before;
  T* h;
  T* c;
  T* extra;
  const T* noise;       ///< null: nothing is dropped
  const T* fed_before;  ///< what went to the recurrent weights: with noise not h_before
  T* fed;               ///< null without noise, and in the last step
  T* out;               ///< null in all but the last step where only that one's is wanted
  std::int64_t out_stride;
  bool zero_masked;

  GLIA_HD bool is_masked(std::int64_t row) const { return mask && mask[row * mask_stride] == T(0); }
};

/// A step, behind its product. Where a gru resets before the product, `second` is what comes behind that of the candidate. A
/// processor's loops have no branches: what depends on the step or the row is decided outside of them, so that they are a vector's.
template <op::Cell cell, class Activation, class Gate, class T>
struct RecurrentKernel {
  Patches<T> patches;  ///< (rows, units)
  StepOperands<T> at;
  Activation activation;
  Gate gate;
  bool second;

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    each_unit(block, patches, [&](std::int64_t row, std::int64_t column, const auto& strip) {
      const std::int64_t units = patches.columns(), first = row * units + column;
      const std::int64_t first_gate = row * op::gates_of(cell) * units + column;
      if constexpr (cell == op::Cell::gru_reset_before) {
        if (!second) return reset(strip, first, first_gate);
      }
      const bool masked = at.is_masked(row);
      if (masked)
        strip.for_each([&](auto j) { pass(first + j); });
      else if constexpr (cell == op::Cell::simple)
        step_simple(strip, first);
      else if constexpr (cell == op::Cell::lstm)
        step_lstm(strip, first, first_gate);
      else if (at.bias)
        step_gru<true>(strip, first, first_gate, column);
      else
        step_gru<false>(strip, first, first_gate, column);
      if (at.fed) strip.for_each([&](auto j) { at.fed[first + j] = at.h[first + j] * at.noise[first + j]; });
      if (!at.out) return;
      T* const out = at.out + row * at.out_stride + column;
      if (masked && at.zero_masked)
        strip.for_each([&](auto j) { out[j] = 0; });
      else
        strip.for_each([&](auto j) { out[j] = at.h[first + j]; });
    });
  }

 private:
  /// f of x, of which is kept at a gate's place what is wanted later.
  template <class F>
  GLIA_HD static T through(const F& f, T x, T& place) {
    const T y = f.forward(x);
    place = f.kept(x, y);
    return y;
  }
  /// A masked step.
  GLIA_HD void pass(std::int64_t i) const {
    at.h[i] = at.h_before[i];
    if (cell == op::Cell::lstm) at.c[i] = at.c_before[i];
    if (cell == op::Cell::gru) at.extra[i] = 0;
  }
  /// Of a gru that resets before: its gates, and what the candidate's product reads.
  template <class Strip>
  GLIA_HD void reset(const Strip& strip, std::int64_t first, std::int64_t first_gate) const {
    const std::int64_t units = patches.columns();
    T* const update = at.gates + first_gate;
    T* const reset = update + units;
    const T* const product = at.products + first_gate;
    const T* const state = at.fed_before + first;
    T* const extra = at.extra + first;
    strip.for_each([&](auto j) {
      through(gate, update[j] + product[j], update[j]);
      extra[j] = through(gate, reset[j] + product[units + j], reset[j]) * state[j];
    });
  }
  template <class Strip>
  GLIA_HD void step_simple(const Strip& strip, std::int64_t first) const {
    T* const z = at.gates + first;
    T* const h = at.h + first;
    const T* const product = at.products + first;
    strip.for_each([&](auto j) { h[j] = through(activation, z[j] + product[j], z[j]); });
  }
  template <class Strip>
  GLIA_HD void step_lstm(const Strip& strip, std::int64_t first, std::int64_t first_gate) const {
    const std::int64_t u = patches.columns();
    strip.for_each(LstmElement{*this, u, at.gates + first_gate, at.products + first_gate, at.c_before + first,
                               at.c + first, at.h + first});
  }
  struct LstmElement {
    const RecurrentKernel& kernel;
    std::int64_t units;
    T* z;
    const T* product;
    const T* before;
    T* c;
    T* h;

    GLIA_HD void operator()(std::int64_t j) const {
      T* const input = z + j;
      T* const forget = input + units;
      T* const fresh = forget + units;
      T* const output = fresh + units;
      const T i = through(kernel.gate, *input + product[j], *input);
      const T f = through(kernel.gate, *forget + product[units + j], *forget);
      const T g = through(kernel.activation, *fresh + product[2 * units + j], *fresh);
      const T o = through(kernel.gate, *output + product[3 * units + j], *output);
      const T state = f * before[j] + i * g;
      c[j] = state;
      h[j] = o * kernel.activation.forward(state);
    }
  };
  template <bool has_bias, class Strip>
  GLIA_HD void step_gru(const Strip& strip, std::int64_t first, std::int64_t first_gate,
                        std::int64_t column) const {
    strip.for_each(GruElement<has_bias>{*this, patches.columns(), at.gates + first_gate,
                                        at.products + first_gate, has_bias ? at.bias + column : nullptr,
                                        at.h_before + first, at.extra + first, at.h + first});
  }
  template <bool has_bias>
  struct GruElement {
    const RecurrentKernel& kernel;
    std::int64_t units;
    T* z;
    const T* product;
    const T* bias;
    const T* before;
    T* extra;
    T* h;

    GLIA_HD T inner_of(std::int64_t place) const {
      return has_bias ? product[place] + bias[place] : product[place];
    }
    GLIA_HD void operator()(std::int64_t j) const {
      T* const update = z + j;
      T* const reset = update + units;
      T* const fresh = reset + units;
      T u, inner = inner_of(2 * units + j);
      if constexpr (cell == op::Cell::gru) {
        u = through(kernel.gate, *update + inner_of(j), *update);
        const T r = through(kernel.gate, *reset + inner_of(units + j), *reset);
        extra[j] = inner;
        inner *= r;
      } else {
        u = kernel.gate.value(*update);
      }
      const T n = through(kernel.activation, *fresh + inner, *fresh);
      h[j] = u * before[j] + (T(1) - u) * n;
    }
  };
};

}  // namespace GLIA_ISA
}  // namespace glia::kernels
