// What a recurrent layer does with each element in a step, beside its products, and the gradient of that.
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

/// Any other.
struct AnyActivation {
  AnyOf<ElementwiseActivation> function;

  template <class T>
  GLIA_HD T forward(T x) const {
    T y = x;
    function.visit([&](const auto& f) { y = f.forward(x); });
    return y;
  }
  template <class T>
  GLIA_HD T kept(T x, T y) const {
    T result = y;
    function.visit([&](const auto& f) { result = std::decay_t<decltype(f)>::saves == Saves::input ? x : y; });
    return result;
  }
  template <class T>
  GLIA_HD T value(T kept) const {
    T y = kept;
    function.visit([&](const auto& f) {
      if constexpr (std::decay_t<decltype(f)>::saves == Saves::input) y = f.forward(kept);
    });
    return y;
  }
  template <class T>
  GLIA_HD T backward(T gradient, T kept) const {
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

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    const std::int64_t units = patches.columns();
    each_unit(block, patches, [&](std::int64_t row, std::int64_t column, const auto& strip) {
      strip.for_each([&](auto j) {
        const std::int64_t i = row * units + column + j;
        const T state = initial_h ? initial_h[i] : T(0);
        h[i] = state;
        if (c) c[i] = initial_c ? initial_c[i] : T(0);
        if (fed) fed[i] = state * noise[i];
      });
    });
  }
};

/// Where a step finds what it computes with; everything (rows, ...), row-major, of this step.
template <class T>
struct StepOperands {
  T* gates;            ///< (rows, G units)
  const T* products;   ///< (rows, G units); null where the state is 0
  const T* bias;       ///< (G units,) or null
  const T* mask;       ///< null: nothing is masked
  std::int64_t mask_stride;
  const T* h_before;   ///< (rows, units), as all that follow
  const T* c_before;
  T* h;
  T* c;
  T* extra;            ///< null where it is not kept
  const T* noise;      ///< null: nothing is dropped
  const T* fed_before; ///< null without noise
  T* fed;              ///< null without noise, and in the last step
  T* out;              ///< null in all but the last step where only that one's is wanted
  std::int64_t out_stride;
  bool zero_masked;

  GLIA_HD bool is_masked(std::int64_t row) const { return mask && mask[row * mask_stride] == T(0); }
};

/// A step, behind its product. Where a gru resets before the product, `second` is what comes behind that of the candidate.
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
      const std::int64_t first = row * patches.columns() + column;
      if (cell == op::Cell::gru_reset_before && !second) {
        GLIA_INDEPENDENT
        for (std::int64_t j = 0; j < strip.width; ++j) reset(row, column + j, first + j);
      } else if (at.is_masked(row)) {
        for (std::int64_t j = 0; j < strip.width; ++j) pass(row, column + j, first + j);
      } else {
        GLIA_INDEPENDENT
        for (std::int64_t j = 0; j < strip.width; ++j) compute(row, column + j, first + j);
      }
    });
  }

 private:
  static constexpr std::int64_t gates = op::gates_of(cell);

  GLIA_HD std::int64_t gate_at(std::int64_t row, std::int64_t unit, std::int64_t g) const {
    return (row * gates + g) * patches.columns() + unit;
  }
  /// h U + b' of a gate.
  GLIA_HD T product(std::int64_t row, std::int64_t unit, std::int64_t g) const {
    return (at.products ? at.products[gate_at(row, unit, g)] : T(0)) +
           (at.bias ? at.bias[g * patches.columns() + unit] : T(0));
  }
  /// f of x, of which is kept at a gate's place what is wanted later.
  template <class F>
  GLIA_HD T through(const F& f, T x, T& place) const {
    const T y = f.forward(x);
    place = f.kept(x, y);
    return y;
  }
  GLIA_HD void give(std::int64_t row, std::int64_t unit, std::int64_t i, T h, T out) const {
    at.h[i] = h;
    if (at.fed) at.fed[i] = h * at.noise[i];
    if (at.out) at.out[row * at.out_stride + unit] = out;
  }
  /// A masked step.
  GLIA_HD void pass(std::int64_t row, std::int64_t unit, std::int64_t i) const {
    const T h = at.h_before[i];
    if (at.c) at.c[i] = at.c_before[i];
    if (cell == op::Cell::gru && at.extra) at.extra[i] = 0;
    give(row, unit, i, h, at.zero_masked ? T(0) : h);
  }
  /// Of a gru that resets before: its gates, and what the candidate's product reads.
  GLIA_HD void reset(std::int64_t row, std::int64_t unit, std::int64_t i) const {
    T& u = at.gates[gate_at(row, unit, 0)];
    T& r = at.gates[gate_at(row, unit, 1)];
    through(gate, u + product(row, unit, 0), u);
    const T reset = through(gate, r + product(row, unit, 1), r);
    at.extra[i] = reset * (at.fed_before ? at.fed_before[i] : at.h_before[i]);
  }
  GLIA_HD void compute(std::int64_t row, std::int64_t unit, std::int64_t i) const {
    T h;
    if constexpr (cell == op::Cell::simple) {
      T& z = at.gates[i];
      h = through(activation, z + product(row, unit, 0), z);
    } else if constexpr (cell == op::Cell::lstm) {
      T& zi = at.gates[gate_at(row, unit, 0)];
      T& zf = at.gates[gate_at(row, unit, 1)];
      T& zg = at.gates[gate_at(row, unit, 2)];
      T& zo = at.gates[gate_at(row, unit, 3)];
      const T input = through(gate, zi + product(row, unit, 0), zi);
      const T forget = through(gate, zf + product(row, unit, 1), zf);
      const T fresh = through(activation, zg + product(row, unit, 2), zg);
      const T output = through(gate, zo + product(row, unit, 3), zo);
      const T c = forget * at.c_before[i] + input * fresh;
      at.c[i] = c;
      h = output * activation.forward(c);
    } else {
      T& zu = at.gates[gate_at(row, unit, 0)];
      T& zr = at.gates[gate_at(row, unit, 1)];
      T& zn = at.gates[gate_at(row, unit, 2)];
      T update, inner = product(row, unit, 2);
      if constexpr (cell == op::Cell::gru) {
        update = through(gate, zu + product(row, unit, 0), zu);
        const T reset = through(gate, zr + product(row, unit, 1), zr);
        if (at.extra) at.extra[i] = inner;
        inner *= reset;
      } else {
        update = gate.value(zu);
      }
      const T fresh = through(activation, zn + inner, zn);
      h = update * at.h_before[i] + (T(1) - update) * fresh;
    }
    give(row, unit, i, h, h);
  }
};

/// Where the gradient of a step finds what it computes with.
template <class T>
struct StepGradientOperands {
  T* gates;             ///< (rows, G units): what was kept, in whose place comes the gradient
  const T* mask;
  std::int64_t mask_stride;
  const T* h_before;    ///< (rows, units), as all that follow
  const T* c_before;
  const T* c;
  const T* extra;
  const T* noise;
  const T* fed_before;
  const T* out_gradient;  ///< null where there is none
  std::int64_t out_stride;
  const T* last_h_gradient;  ///< in the last step alone
  const T* last_c_gradient;
  T* recurrent_gradients;  ///< (rows, 3 units) of a gru
  const T* products;       ///< null in the last step
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
      const std::int64_t first = row * patches.columns() + column;
      const bool masked = at.is_masked(row);
      if (cell == op::Cell::gru_reset_before && second) {
        GLIA_INDEPENDENT
        for (std::int64_t j = 0; j < strip.width; ++j) reset(row, column + j, first + j, masked);
      } else if (masked) {
        for (std::int64_t j = 0; j < strip.width; ++j) pass(row, column + j, first + j);
      } else {
        GLIA_INDEPENDENT
        for (std::int64_t j = 0; j < strip.width; ++j) compute(row, column + j, first + j);
      }
    });
  }

 private:
  static constexpr std::int64_t gates = op::gates_of(cell);

  GLIA_HD std::int64_t gate_at(std::int64_t row, std::int64_t unit, std::int64_t g) const {
    return (row * gates + g) * patches.columns() + unit;
  }
  /// Of the state behind the step, as far as later steps and who reads it say.
  GLIA_HD T of_state(std::int64_t i) const {
    if (at.is_last) return at.last_h_gradient ? at.last_h_gradient[i] : T(0);
    const T by_weights = at.products[i];
    return (at.noise ? by_weights * at.noise[i] : by_weights) + at.carried_h[i];
  }
  GLIA_HD T of_out(std::int64_t row, std::int64_t unit) const {
    return at.out_gradient ? at.out_gradient[row * at.out_stride + unit] : T(0);
  }
  GLIA_HD T of_cell_state(std::int64_t i) const {
    if (at.is_last) return at.last_c_gradient ? at.last_c_gradient[i] : T(0);
    return at.carried_c[i];
  }
  /// A masked step.
  GLIA_HD void pass(std::int64_t row, std::int64_t unit, std::int64_t i) const {
    at.carried_h[i] = of_state(i) + (at.zero_masked ? T(0) : of_out(row, unit));
    if (cell == op::Cell::lstm) at.carried_c[i] = of_cell_state(i);
    for (std::int64_t g = 0; g < gates; ++g) {
      at.gates[gate_at(row, unit, g)] = 0;
      if (cell == op::Cell::gru) at.recurrent_gradients[gate_at(row, unit, g)] = 0;
    }
  }
  GLIA_HD void compute(std::int64_t row, std::int64_t unit, std::int64_t i) const {
    const T dh = of_state(i) + of_out(row, unit);
    if constexpr (cell == op::Cell::simple) {
      at.gates[i] = activation.backward(dh, at.gates[i]);
      at.carried_h[i] = 0;
    } else if constexpr (cell == op::Cell::lstm) {
      T& zi = at.gates[gate_at(row, unit, 0)];
      T& zf = at.gates[gate_at(row, unit, 1)];
      T& zg = at.gates[gate_at(row, unit, 2)];
      T& zo = at.gates[gate_at(row, unit, 3)];
      const T input = gate.value(zi), forget = gate.value(zf), output = gate.value(zo);
      const T fresh = activation.value(zg), c = at.c[i], bent = activation.forward(c);
      const T dc = of_cell_state(i) + activation.backward(dh * output, activation.kept(c, bent));
      zo = gate.backward(dh * bent, zo);
      zi = gate.backward(dc * fresh, zi);
      zf = gate.backward(dc * at.c_before[i], zf);
      zg = activation.backward(dc * input, zg);
      at.carried_c[i] = dc * forget;
      at.carried_h[i] = 0;
    } else {
      T& zu = at.gates[gate_at(row, unit, 0)];
      T& zn = at.gates[gate_at(row, unit, 2)];
      const T update = gate.value(zu), fresh = activation.value(zn);
      const T du = gate.backward(dh * (at.h_before[i] - fresh), zu);
      const T dn = activation.backward(dh * (T(1) - update), zn);
      if constexpr (cell == op::Cell::gru) {
        T& zr = at.gates[gate_at(row, unit, 1)];
        const T reset = gate.value(zr), dr = gate.backward(dn * at.extra[i], zr);
        zr = dr;
        at.recurrent_gradients[gate_at(row, unit, 0)] = du;
        at.recurrent_gradients[gate_at(row, unit, 1)] = dr;
        at.recurrent_gradients[gate_at(row, unit, 2)] = dn * reset;
      }
      zu = du, zn = dn;
      at.carried_h[i] = dh * update;
    }
  }
  /// Of a gru that resets before: products is the gradient of r h.
  GLIA_HD void reset(std::int64_t row, std::int64_t unit, std::int64_t i, bool masked) const {
    if (masked) return;
    T& zr = at.gates[gate_at(row, unit, 1)];
    const T state = at.fed_before ? at.fed_before[i] : at.h_before[i];
    const T by_state = at.products[i] * gate.value(zr);
    zr = gate.backward(at.products[i] * state, zr);
    at.carried_h[i] += at.noise ? by_state * at.noise[i] : by_state;
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

/// out = value, n elements.
template <class T>
struct FillKernel {
  T* out;
  std::int64_t n;
  T value;
  bool packed;

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    each_element<T>(
        block, n, packed, [](const auto&, std::int64_t) { return 0; },
        [&](const auto& strip, std::int64_t i, int) { strip.store(out + i, [&](auto) { return value; }); });
  }
};

/// out (rows,) = whether any element of a row of in (rows, width) is not `value`, as 1 or 0.
template <class T>
struct MaskKernel {
  const T* in;
  T* out;
  std::int64_t rows, width;
  T value;

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    const auto range = block.elements(rows);
    for (std::int64_t row = range.begin; row < range.end; row += range.stride) {
      bool any = false;
      for (std::int64_t j = 0; j < width; ++j) any |= in[row * width + j] != value;
      out[row] = any ? T(1) : T(0);
    }
  }
};

}  // namespace GLIA_ISA
}  // namespace glia::kernels
