// Descriptors: plain structs that say what a step computes, never how. A layer, loss or optimizer emits them;
// a Backend prepares an Op of each. Trivially copyable.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/math/activations.h>
#include <glia/math/losses.h>
#include <glia/math/metrics.h>
#include <glia/math/optimizers.h>
#include <glia/math/precision.h>
#include <glia/view.h>

#include <cstdint>
#include <variant>

namespace glia {

enum class Access { read, write, update };

// Every descriptor lists its operands: operands(f) calls f(view, access) for each view, empty ones included.

namespace op {

/// Start of a pass over the feed's rows: cursor and totals to zero, the next order of the rows.
struct Begin {
  static constexpr auto name = "Begin";
  template <class F>
  void operands(F&&) {}
};

/// The step's rows, shuffled and scaled, into a batch: x (batch, ...), y (batch,) labels int32 or (batch,
/// ...) targets. With `advance_iteration` also makes state.iteration the number of this update and
/// state.learning_rate its rate.
struct Gather {
  static constexpr auto name = "Gather";
  View x, y;  ///< y is empty in inference
  DType x_from, y_from;
  bool advance_iteration = false;
  LearningRate learning_rate = 0.0;  ///< a constant leaves state.learning_rate as the host set it
  template <class F>
  void operands(F&& f) {
    f(x, Access::write), f(y, Access::write);
  }
};

/// out = derivative(saved) * activation(a b + bias); shapes (m, k) (k, n) -> (m, n), any of a, b transposed
/// by its strides. bias (n,). `derivative` multiplies by the activation's derivative at `saved` (m, n), its
/// output or input. bias_gradient (n,) = sum over the rows of b, for the weight gradient x^T dy. `precision` is
/// how a GPU may multiply float32.
struct Matmul {
  static constexpr auto name = "Matmul";
  View a, b, out;
  View bias = {};
  ElementwiseActivation activation = Linear{};
  View saved = {};
  ElementwiseActivation derivative = Linear{};
  View bias_gradient = {};
  Precisions precision = Float32{};
  template <class F>
  void operands(F&& f) {
    f(a, Access::read), f(b, Access::read), f(bias, Access::read), f(saved, Access::read);
    f(out, Access::write), f(bias_gradient, Access::write);
  }
};

/// out = function(in), element by element.
struct Map {
  static constexpr auto name = "Map";
  ElementwiseActivation function;
  View in, out;
  template <class F>
  void operands(F&& f) {
    f(in, Access::read), f(out, Access::write);
  }
};

/// in_gradient = out_gradient * function'(saved), element by element.
struct MapGradient {
  static constexpr auto name = "MapGradient";
  ElementwiseActivation function;
  View saved, out_gradient, in_gradient;
  template <class F>
  void operands(F&& f) {
    f(saved, Access::read), f(out_gradient, Access::read), f(in_gradient, Access::write);
  }
};

/// Softmax of each row of a matrix.
struct SoftmaxRows {
  static constexpr auto name = "Softmax";
  View in, out;
  template <class F>
  void operands(F&& f) {
    f(in, Access::read), f(out, Access::write);
  }
};

/// in_gradient = out * (out_gradient - sum(out * out_gradient)), row by row.
struct SoftmaxGradient {
  static constexpr auto name = "SoftmaxGradient";
  View out, out_gradient, in_gradient;
  template <class F>
  void operands(F&& f) {
    f(out, Access::read), f(out_gradient, Access::read), f(in_gradient, Access::write);
  }
};

/// Loss and metrics of predictions (rows, n) against targets (rows, n), or int32 labels (rows,), and where
/// wanted the gradient of the mean over rows. A loss whose from_logits is set takes logits: softmax or
/// sigmoid is part of it. Each block of loss_rows_per_block rows writes its sums of loss and metrics into
/// `partials` (blocks, 1 + metrics), float64.
struct Loss {
  static constexpr auto name = "Loss";
  static constexpr std::int64_t rows_per_block = 32;
  Losses function;
  View predictions, targets, partials;
  View gradient = {};
  int metric_count = 0;
  Metrics metrics[max_metrics] = {};
  template <class F>
  void operands(F&& f) {
    f(predictions, Access::read), f(targets, Access::read), f(gradient, Access::write),
        f(partials, Access::write);
  }
};

/// Copies rows to state.feed.out, from row `cursor` on: what inference returns.
struct Scatter {
  static constexpr auto name = "Scatter";
  View in;
  template <class F>
  void operands(F&& f) {
    f(in, Access::read);
  }
};

/// End of a step: folds the loss's partial sums into the running totals and moves the cursor by `batch` rows.
/// `loss_rows` is the number of rows the loss averaged over. Without partials only the cursor moves.
struct Advance {
  static constexpr auto name = "Advance";
  View partials = {};
  std::int64_t batch = 0;
  std::int64_t loss_rows = 0;
  template <class F>
  void operands(F&& f) {
    f(partials, Access::read);
  }
};

/// One pass over every parameter: parameters, gradients and slots are flat vectors of n elements, slots of
/// slots() * n. `advance` with batch > 0 is done on the way.
struct Optimize {
  static constexpr auto name = "Optimize";
  Optimizers optimizer;
  View parameters, gradients, slots;
  Advance advance = {};
  template <class F>
  void operands(F&& f) {
    f(gradients, Access::read), f(parameters, Access::update), f(slots, Access::update);
    advance.operands(f);
  }
};

}  // namespace op

using Descriptor = std::variant<op::Begin, op::Gather, op::Matmul, op::Map, op::MapGradient, op::SoftmaxRows,
                                op::SoftmaxGradient, op::Loss, op::Scatter, op::Advance, op::Optimize>;

/// Calls f(view, access) for each operand that is there.
template <class F>
void for_each_operand(Descriptor& descriptor, F&& f) {
  std::visit(
      [&](auto& d) {
        d.operands([&](View& view, Access access) {
          if (view) f(view, access);
        });
      },
      descriptor);
}

template <class F>
void for_each_operand(const Descriptor& descriptor, F&& f) {
  for_each_operand(const_cast<Descriptor&>(descriptor),
                   [&](const View& view, Access access) { f(view, access); });
}

}  // namespace glia
