// Descriptors of what ends a step of training: penalties, the totals, and the update of parameters by their gradients.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/math/optimizers.h>
#include <glia/math/penalties.h>
#include <glia/view.h>
#include <glia/weight_span.h>  // defines: WeightSpan

#include <cstdint>

namespace glia::op {

/// How many pieces, of partial sums one each, a sum over n elements is cut into.
constexpr std::int64_t summed_elements = 4096;
constexpr std::int64_t pieces_of(std::int64_t n) { return (n + summed_elements - 1) / summed_elements; }

/// gradient += that of a penalty on a parameter (empty: not wanted), and its sums, in blocks, from
/// `first_partial` on.
struct Penalty {
  static constexpr auto name = "Penalty";
  L1L2 function;
  View parameter, gradient, partials;
  std::int64_t first_partial = 0;
  template <class F>
  void operands(F&& f) {
    f(parameter, Access::read), f(gradient, Access::update), f(partials, Access::update);
  }
};

/// End of a step: folds the loss's partial sums, and the penalties', into the running totals, those of its metrics into the
/// first counters, and moves the cursor by `batch` rows. `loss_rows` is the number of rows the loss averaged over. Without
/// partials only the cursor moves.
struct Advance {
  static constexpr auto name = "Advance";
  View partials = {};
  View penalties = {};
  std::int64_t batch = 0;
  std::int64_t loss_rows = 0;
  template <class F>
  void operands(F&& f) {
    f(partials, Access::read), f(penalties, Access::read);
  }
};

/// sums += gradients, but every steps-th time gradients = (sums + gradients) / steps, and sums = 0.
struct Accumulate {
  static constexpr auto name = "Accumulate";
  View gradients, sums;
  std::int64_t steps;
  template <class F>
  void operands(F&& f) {
    f(gradients, Access::update), f(sums, Access::update);
  }
};

/// partials (blocks,) = sums of squares of pieces of `in`.
struct Squares {
  static constexpr auto name = "Squares";
  View in, partials;
  template <class F>
  void operands(F&& f) {
    f(in, Access::read), f(partials, Access::write);
  }
};

/// partials (blocks,) = sums of pieces of `in`; each element of `gradient` (empty: not wanted) = `slope`.
struct Sums {
  static constexpr auto name = "Sums";
  View in, partials, gradient = {};
  double slope = 0;
  template <class F>
  void operands(F&& f) {
    f(in, Access::read), f(partials, Access::write), f(gradient, Access::write);
  }
};

/// Cuts `values`, whose squares `partials` has, to a norm of `limit`; with limit 0 makes their norm 1.
struct RescaleToNorm {
  static constexpr auto name = "RescaleToNorm";
  View values, partials;
  double limit;
  template <class F>
  void operands(F&& f) {
    f(values, Access::update), f(partials, Access::read);
  }
};

/// One pass over parameters: parameters and gradients are flat vectors of n elements, slots (slots(), n), whatever
/// lies between its rows. Every steps-th step updates. `advance` with batch > 0 is done on the way. Where the parameters lie in
/// several pieces, `spans` (pieces, 3) are their WeightSpans, and `parameters` is the first piece.
struct Optimize {
  static constexpr auto name = "Optimize";
  Optimizers optimizer;
  View parameters, gradients, slots;
  std::int64_t steps = 1;
  double weight_decay = 0;
  Advance advance = {};
  View spans = {};
  template <class F>
  void operands(F&& f) {
    f(gradients, Access::read), f(parameters, Access::update), f(slots, Access::update);
    f(spans, Access::read), advance.operands(f);
  }
};

/// averages (n,) of the parameters over updates, which take their place every overwrite_every-th (0: never). `spans` as
/// Optimize's.
struct MovingAverage {
  static constexpr auto name = "MovingAverage";
  View parameters, averages;
  double momentum;
  std::int64_t steps = 1, overwrite_every = 0;
  View spans = {};
  template <class F>
  void operands(F&& f) {
    f(parameters, Access::update), f(averages, Access::update), f(spans, Access::read);
  }
};

/// Brings a weight (rows, columns) within its constraint.
struct Constrain {
  static constexpr auto name = "Constrain";
  Constraints function;
  View weight;
  template <class F>
  void operands(F&& f) {
    f(weight, Access::update);
  }
};

/// Muon's momentum of a matrix, and `out` the direction it gives: 0 in steps that update nothing.
struct Momentum {
  static constexpr auto name = "Momentum";
  View gradients, momentum, out;
  double mu;
  bool nesterov;
  std::int64_t steps = 1;
  double clipvalue = 0;  ///< 0: gradients are taken as they are
  template <class F>
  void operands(F&& f) {
    f(gradients, Access::read), f(momentum, Access::update), f(out, Access::write);
  }
};

/// out = alpha a + beta b.
struct Combine {
  static constexpr auto name = "Combine";
  double alpha, beta;
  View a, b, out;
  template <class F>
  void operands(F&& f) {
    f(a, Access::read), f(b, Access::read), f(out, Access::write);
  }
};

/// parameters -= decay * learning rate * parameters + scale * learning rate * step.
struct Descend {
  static constexpr auto name = "Descend";
  View parameters, step;
  double scale, decay;
  std::int64_t steps = 1;
  template <class F>
  void operands(F&& f) {
    f(parameters, Access::update), f(step, Access::read);
  }
};

}  // namespace glia::op
