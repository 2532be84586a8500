// Descriptors of what goes along sequences: masks, recurrent layers, one for all steps, and attention.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/macros.h>  // defines: GLIA_HD
#include <glia/math/activations.h>
#include <glia/math/noise.h>  // defines: DropoutNoise
#include <glia/view.h>

#include <cstdint>

namespace glia::op {

/// All elements of out = value, which is contiguous; or, `below`, of each of its matrices those on and below the diagonal, and 0 above.
struct Fill {
  static constexpr auto name = "Fill";
  View out;
  double value = 0;
  bool below = false;
  template <class F>
  void operands(F&& f) {
    f(out, Access::write);
  }
};

/// out (rows,) = 1 where any element of in (rows, width) is not `value`, else 0. NaN is not.
struct Mask {
  static constexpr auto name = "Mask";
  View in, out;
  double value = 0;
  template <class F>
  void operands(F&& f) {
    f(in, Access::read), f(out, Access::write);
  }
};

/// What a recurrent layer does in a step, with x W + b of the step in z, and U recurrent weights; (.) is the product of elements.
///
///     simple            h' = f(z + h U)
///     lstm              i, f, g, o = z + h U (Hochreiter and Schmidhuber 1997; Gers et al. 2000)
///                       c' = s(f) c + s(i) a(g);  h' = s(o) a(c')
///     gru               u, r = s(z + h U + b'), n = a(z + r (h U + b'));  h' = u h + (1 - u) n (Cho et al. 2014, as cuDNN has it)
///     gru_reset_before  u, r = s(z + h U), n = a(z + (r h) U);  h' = u h + (1 - u) n
///
/// Gates lie in that order, which is Keras's.
enum class Cell : std::uint8_t { simple, lstm, gru, gru_reset_before };
GLIA_HD constexpr std::int64_t gates_of(Cell cell) {
  return cell == Cell::simple ? 1 : cell == Cell::lstm ? 4 : 3;
}
constexpr const char* name_of(Cell cell) {
  constexpr const char* names[] = {"simple", "LSTM", "GRU", "GRU, reset before"};
  return names[static_cast<int>(cell)];
}

/// A recurrent layer over all steps, the last of them first where `backwards`. Everything but `mask` and `out` is time-major;
/// u is the units, G the number of gates. A row whose mask is 0 keeps its state. Where no gradient is to come, h, c, extra and fed are
/// (1, rows, u): what was there before goes under.
struct Recurrent {
  static constexpr auto name = "Recurrent";
  Cell cell;
  ElementwiseActivation activation, recurrent_activation;
  View gates;      ///< (steps, rows, G u): x W + b, in whose place comes what the gradient wants of the gates
  View kernel;     ///< (u, G u)
  View bias = {};  ///< of a gru (3 u,); empty for none
  View mask = {};  ///< (rows, steps)
  View initial_h = {}, initial_c = {};  ///< (rows, u); empty for zeros
  View h;              ///< (steps + 1, rows, u): in the order of time, before the first step and behind each
  View c = {};         ///< likewise, of an lstm
  View extra = {};     ///< (steps, rows, u): of a gru the n-part of h U + b', or r h where it resets before
  View noise = {};     ///< (rows, u): what h is multiplied by on its way to U; empty for nothing
  View fed = {};       ///< (steps, rows, u), with `noise`: h as it went to U
  View out = {};       ///< (rows, steps, u), or (rows, u): behind the last step
  View products = {};  ///< (rows, G u): room to work in
  bool backwards = false;
  bool zero_masked = false;   ///< out is 0 in masked steps; else what it was before
  bool reverses_out = false;  ///< out begins with the step that is the last in time

  template <class F>
  void operands(F&& f) {
    f(gates, Access::update), f(kernel, Access::read), f(bias, Access::read), f(mask, Access::read);
    f(initial_h, Access::read), f(initial_c, Access::read), f(noise, Access::read);
    f(h, Access::write), f(c, Access::write), f(extra, Access::write), f(fed, Access::write);
    f(out, Access::write), f(products, Access::write);
  }
  std::int64_t steps() const { return gates.shape[0]; }
  std::int64_t rows() const { return gates.shape[1]; }
  std::int64_t units() const { return kernel.shape[0]; }
};

/// Gradients of a Recurrent, from the last computed step to the first.
struct RecurrentGradient {
  static constexpr auto name = "RecurrentGradient";
  Cell cell;
  ElementwiseActivation activation, recurrent_activation;
  View
      gates;  ///< (steps, rows, G u): as the Recurrent left them, in whose place come the gradients of x W + b
  View kernel, h, c = {}, extra = {}, mask = {}, noise = {}, fed = {};  ///< as of the Recurrent
  View out_gradient = {};  ///< as its out; empty where nothing depends on that
  View last_h_gradient = {},
       last_c_gradient = {};  ///< (rows, u): of the states behind the last step, beside out
  View recurrent_gradients =
      {};  ///< (steps, rows, 3 u), of a gru: gradients of h U + b', which are not those of x W + b
  View initial_h_gradient = {}, initial_c_gradient = {};  ///< (rows, u); empty where they are not wanted
  View products = {};                                     ///< (rows, u): room to work in, as the next two
  View carried_h = {}, carried_c = {};                    ///< (rows, u), the latter of an lstm
  bool backwards = false, zero_masked = false, reverses_out = false;

  template <class F>
  void operands(F&& f) {
    f(gates, Access::update), f(kernel, Access::read), f(h, Access::read), f(c, Access::read);
    f(extra, Access::read), f(mask, Access::read), f(noise, Access::read), f(fed, Access::read);
    f(out_gradient, Access::read), f(last_h_gradient, Access::read), f(last_c_gradient, Access::read);
    f(recurrent_gradients, Access::write), f(initial_h_gradient, Access::write);
    f(initial_c_gradient, Access::write), f(products, Access::write), f(carried_h, Access::write);
    f(carried_c, Access::write);
  }
  std::int64_t steps() const { return gates.shape[0]; }
  std::int64_t rows() const { return gates.shape[1]; }
  std::int64_t units() const { return kernel.shape[0]; }
};

/// out = softmax(scale q k^T, of the keys that are seen) v, for each head of each row (Vaswani et al. 2017, 3.2.1); so many heads of
/// queries as there are more of them share a head of keys and values (Ainslie et al. 2023). Views are (rows, heads, steps, width),
/// whose last axis lies together.
///
/// Where a key is not seen the score is -1e9, or with `lowers` 1e9 less than it was: that matters to queries that see none.
struct Attention {
  static constexpr auto name = "Attention";
  View queries, keys, values, out;
  View mask =
      {};  ///< (rows, heads, queries, keys), mostly by strides of 0: 1 where a key is seen, 0 where not
  View weights =
      {};  ///< (rows, heads, queries, keys): the softmax, before dropout; empty where nobody wants it
  double scale = 1;
  bool causal = false;  ///< keys of later steps than a query's have no weight
  bool lowers = false;
  DropoutNoise dropout = {};  ///< of the weights, as Noise has it, where `drops`
  std::uint64_t seed = 0;
  bool drops = false;

  template <class F>
  void operands(F&& f) {
    f(queries, Access::read), f(keys, Access::read), f(values, Access::read), f(mask, Access::read);
    f(weights, Access::write), f(out, Access::write);
  }
  std::int64_t rows() const { return queries.shape[0]; }
  std::int64_t heads() const { return queries.shape[1]; }
  std::int64_t steps() const { return queries.shape[2]; }
  /// Of queries that share a head of keys.
  std::int64_t shared() const { return heads() / keys.shape[1]; }
};

/// Gradients of an Attention that kept its weights, from those of its out and of its weights, of which one may be empty.
struct AttentionGradient {
  static constexpr auto name = "AttentionGradient";
  Attention of;  ///< whose out is not read
  View out_gradient = {}, weights_gradient = {};
  View scores_gradient =
      {};  ///< (rows, heads, queries, keys), for room: of the scores, before they were scaled
  View queries_gradient = {}, keys_gradient = {};
  View values_gradient = {};  ///< empty without out_gradient

  template <class F>
  void operands(F&& f) {
    f(of.queries, Access::read), f(of.keys, Access::read), f(of.values, Access::read),
        f(of.mask, Access::read);
    f(of.weights, Access::read), f(out_gradient, Access::read), f(weights_gradient, Access::read);
    f(scores_gradient, Access::write), f(queries_gradient, Access::write), f(keys_gradient, Access::write);
    f(values_gradient, Access::write);
  }
};

}  // namespace glia::op
