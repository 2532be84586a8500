// Descriptors: plain structs that say what a step computes, never how. A layer, loss or optimizer emits them;
// a Backend prepares an Op of each. Trivially copyable.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/augmentation.h>
#include <glia/custom_descriptor.h>
#include <glia/few_rows_descriptor.h>
#include <glia/image_descriptors.h>
#include <glia/macros.h>  // defines: GLIA_HD
#include <glia/math/activations.h>
#include <glia/math/losses.h>
#include <glia/math/metrics.h>
#include <glia/math/noise.h>
#include <glia/math/precision.h>
#include <glia/math/schedules.h>
#include <glia/merge_descriptors.h>
#include <glia/sequence_descriptors.h>
#include <glia/update_descriptors.h>
#include <glia/view.h>

#include <cstdint>
#include <memory>
#include <string>
#include <variant>

namespace GLIA_API glia {

// Every descriptor lists its operands: operands(f) calls f(view, access) for each view, empty ones included. A product also
// lists its factors(f), the two that are multiplied; both float32 or float64 as the result is, or bfloat16 where that is
// float32, Backend::multiplies_bfloat16() says so, and no bias gradient is asked for.

namespace op {

/// How many chunks, whose rows are summed column by column, a matrix of n rows is cut into.
constexpr std::int64_t chunk_rows = 256;
GLIA_HD constexpr std::int64_t chunks_of(std::int64_t n) { return (n + chunk_rows - 1) / chunk_rows; }

/// Start of a pass over the feed's rows: cursor, totals and the metrics' counters to zero, the next order of the
/// rows.
struct Begin {
  static constexpr auto name = "Begin";
  std::int64_t counters = 0;
  template <class F>
  void operands(F&&) {}
};

/// state.learning_rate of the update that is to come, by a schedule.
struct Schedule {
  static constexpr auto name = "Schedule";
  LearningRate learning_rate;
  template <class F>
  void operands(F&&) {}
};

/// The step's rows, shuffled and scaled, into a batch: x (batch, ...), y (batch,) labels int32 or (batch,
/// ...) targets, weights (batch,), each of the source of its number; what is empty is not read. With `advance_iteration` also
/// makes state.iteration the number of this step and, every steps-th time, state.powers those of its update; `updates` says that
/// the step is one of training. The rows of x go through the augmentation on their way.
struct Gather {
  static constexpr auto name = "Gather";
  View x, y;  ///< y is empty in inference
  DType x_from, y_from;
  View weights = {};  ///< empty where all rows count alike
  int x_source = 0, y_source = 0, weights_source = 0;
  bool updates = false, advance_iteration = false;
  Augmentation augmentation = {};
  Powers powers = {};
  std::int64_t steps = 1;
  template <class F>
  void operands(F&& f) {
    f(x, Access::write), f(y, Access::write), f(weights, Access::write), augmentation.operands(f);
  }
};

/// out = derivative(saved) * activation(a b + bias); shapes (m, k) (k, n) -> (m, n), any of a, b transposed
/// by its strides. bias (n,). `derivative` multiplies by the activation's derivative at `saved` (m, n), its
/// output or input. bias_gradient (n,) = sum over the rows of b, for the weight gradient x^T dy. `precision` is
/// how float32 may be multiplied. Or, without all that, a batch of products (batch, m, k) (batch, k, n) -> (batch, m, n); a or
/// b may be one matrix for all, by a stride of 0.
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
  template <class F>
  void factors(F&& f) {
    f(a), f(b);
  }

  /// How many products; 1 where it is no batch.
  std::int64_t batch() const { return out.shape.rank() == 3 ? out.shape[0] : 1; }
  std::int64_t k() const { return a.shape.back(); }
  /// The product of one of the batch, or all of it where it is none.
  Matmul matrix_at(std::int64_t i) const {
    Matmul one = *this;
    one.a = a.matrix_at(i), one.b = b.matrix_at(i), one.out = out.matrix_at(i);
    return one;
  }
};

/// Beyond this k a product of float32 is made of pieces of k, whose results are added in float64. Below, its sums are short
/// enough: 4096 equal products are summed to a relative 6e-5 at worst, and numbers that are not all alike much closer.
constexpr std::int64_t longest_plain_k = 4096;

/// What is done with each element of a product's output on the way: out = derivative(saved) * activation(out + bias).
/// out and saved lie as matrices (rows, columns) with `stride` elements a row, bias (columns,).
struct Epilogue {
  View out, bias;
  ElementwiseActivation activation;
  View saved;
  ElementwiseActivation derivative;
  std::int64_t rows, columns, stride;
};
[[gnu::always_inline]] inline Epilogue epilogue_of(const Matmul& d) {
  return {d.out,        d.bias,         d.activation,   d.saved,
          d.derivative, d.out.shape[0], d.out.shape[1], d.out.strides[0]};
}
/// Of a Convolution or a ConvolutionTranspose; a row is a pixel.
template <class Convolution>
[[gnu::always_inline]] inline Epilogue epilogue_of(const Convolution& d) {
  const std::int64_t columns = d.out.shape.back();
  return {d.out, d.bias, d.activation, d.saved, d.derivative, d.out.elements() / columns, columns, columns};
}

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

/// out = in rounded to bfloat16. in float32 or bfloat16; out bfloat16, or float32 for what multiplies no other.
struct Round {
  static constexpr auto name = "Round";
  View in, out;
  template <class F>
  void operands(F&& f) {
    f(in, Access::read), f(out, Access::write);
  }
};

/// Softmax of each row of a matrix, or its logarithm.
struct SoftmaxRows {
  static constexpr auto name = "Softmax";
  View in, out;
  bool logarithm = false;
  template <class F>
  void operands(F&& f) {
    f(in, Access::read), f(out, Access::write);
  }
};

/// in_gradient = out * (out_gradient - sum(out * out_gradient)), row by row; of the logarithm out_gradient - e^out
/// * sum(out_gradient).
struct SoftmaxGradient {
  static constexpr auto name = "SoftmaxGradient";
  View out, out_gradient, in_gradient;
  bool logarithm = false;
  template <class F>
  void operands(F&& f) {
    f(out, Access::read), f(out_gradient, Access::read), f(in_gradient, Access::write);
  }
};

/// out = what noise makes of in, with random numbers keyed by `seed` and state.iteration; or, backward, of a gradient.
/// in (n, positions, channels): the positions of a channel share their numbers. `counts_rows`: the numbers are also keyed by the
/// pass's cursor, so that batches of a pass that trains nothing draw their own.
struct Noise {
  static constexpr auto name = "Noise";
  Noises function;
  View in, out;
  std::uint64_t seed = 0;
  bool backward = false;
  std::int64_t positions = 1, channels = 1;
  bool counts_rows = false;
  template <class F>
  void operands(F&& f) {
    f(in, Access::read), f(out, Access::write);
  }
};

/// Batch normalisation of each column of x (rows, columns). In training by the batch's mean and variance, kept in
/// `saved` (3, columns), towards which the moving ones go where `moves`; else, saved empty, by the moving ones.
/// `partials` (chunks_of(rows), 3, columns) is room to work in, empty with `saved`. With `relu` a ReLU follows.
/// Rows whose `mask` is 0 are left out of the batch's mean and variance, which are sums over those that count divided by their
/// number and 1e-7, and are normalised like the others; `saved` and `partials` are then (..., 4, columns).
struct BatchNorm {
  static constexpr auto name = "BatchNorm";
  View x, gamma, beta, moving_mean, moving_variance, out, saved, partials;
  double momentum, epsilon;
  bool moves = false;
  bool relu = false;
  View mask = {};  ///< (rows,), in training alone
  /// How many numbers of each column are `saved`, and how many `partials` has of each chunk.
  static std::int64_t numbers_of_column(bool masked) { return masked ? 4 : 3; }
  template <class F>
  void operands(F&& f) {
    f(x, Access::read), f(gamma, Access::read), f(beta, Access::read), f(mask, Access::read);
    f(moving_mean, moves ? Access::update : Access::read);
    f(moving_variance, moves ? Access::update : Access::read);
    f(out, Access::write), f(saved, Access::write), f(partials, Access::write);
  }
};

/// Gradients of a BatchNorm in training; in_gradient, gamma_gradient and beta_gradient may be empty. `partials`
/// (chunks_of(rows), 2, columns). `mask` as of the BatchNorm.
struct BatchNormGradient {
  static constexpr auto name = "BatchNormGradient";
  View x, out_gradient, gamma, saved, partials, in_gradient, gamma_gradient, beta_gradient;
  View mask = {};
  template <class F>
  void operands(F&& f) {
    f(x, Access::read), f(out_gradient, Access::read), f(gamma, Access::read), f(saved, Access::read);
    f(mask, Access::read), f(in_gradient, Access::write), f(gamma_gradient, Access::write),
        f(beta_gradient, Access::write);
    f(partials, Access::write);
  }
};

/// Normalisation of each row of x (rows, columns) by its mean (where `centers`) and deviation, kept in `saved`
/// (rows, 3).
struct LayerNorm {
  static constexpr auto name = "LayerNorm";
  View x, gamma, beta, out, saved;
  double epsilon;
  bool centers = true;
  template <class F>
  void operands(F&& f) {
    f(x, Access::read), f(gamma, Access::read), f(beta, Access::read), f(out, Access::write);
    f(saved, Access::write);
  }
};

/// in_gradient of a LayerNorm.
struct LayerNormGradient {
  static constexpr auto name = "LayerNormGradient";
  View x, out_gradient, gamma, saved, in_gradient;
  bool centers = true;
  template <class F>
  void operands(F&& f) {
    f(x, Access::read), f(out_gradient, Access::read), f(gamma, Access::read), f(saved, Access::read);
    f(in_gradient, Access::write);
  }
};

/// Gradients of a LayerNorm's gamma and beta; either may be empty. `partials` (chunks_of(rows), 2, columns) is room to work in.
struct LayerNormWeights {
  static constexpr auto name = "LayerNormWeights";
  View x, out_gradient, saved, partials, gamma_gradient, beta_gradient;
  template <class F>
  void operands(F&& f) {
    f(x, Access::read), f(out_gradient, Access::read), f(saved, Access::read);
    f(gamma_gradient, Access::write), f(beta_gradient, Access::write), f(partials, Access::write);
  }
};

/// out = (in - mean) / deviation, column by column, mean and variance given; backward in / deviation.
struct Standardize {
  static constexpr auto name = "Standardize";
  View in, mean, variance, out;
  bool backward = false;
  template <class F>
  void operands(F&& f) {
    f(in, Access::read), f(mean, Access::read), f(variance, Access::read), f(out, Access::write);
  }
};

/// out = in above 0, else alpha in; in (rows, columns), alpha (columns,).
struct Prelu {
  static constexpr auto name = "PReLU";
  View in, alpha, out;
  template <class F>
  void operands(F&& f) {
    f(in, Access::read), f(alpha, Access::read), f(out, Access::write);
  }
};

/// Gradients of a Prelu; in_gradient may be empty.
struct PreluGradient {
  static constexpr auto name = "PReLUGradient";
  View in, alpha, out_gradient, in_gradient, alpha_gradient;
  template <class F>
  void operands(F&& f) {
    f(in, Access::read), f(alpha, Access::read), f(out_gradient, Access::read);
    f(in_gradient, Access::write), f(alpha_gradient, Access::write);
  }
};

/// out (n, width) = rows of table (rows, width) that indices (n,) name, as numbers of the model's dtype.
struct Lookup {
  static constexpr auto name = "Lookup";
  View indices, table, out;
  template <class F>
  void operands(F&& f) {
    f(indices, Access::read), f(table, Access::read), f(out, Access::write);
  }
};

/// table_gradient (=) of a Lookup: the sums of the out_gradient of each row. `links` (rows + n,) of int32 is room to work
/// in, so n is below 2^31.
struct LookupGradient {
  static constexpr auto name = "LookupGradient";
  View indices, out_gradient, table_gradient, links;
  template <class F>
  void operands(F&& f) {
    f(indices, Access::read), f(out_gradient, Access::read), f(table_gradient, Access::write);
    f(links, Access::write);
  }
};

/// Loss and row-wise metrics of predictions (rows, n) against targets (rows, n), or int32 labels (rows,), and where
/// wanted the gradient of the mean over rows. A loss whose from_logits is set takes logits: softmax or
/// sigmoid is part of it. `weights` (batch,), each for rows / batch rows, multiply the rows' losses. Each block of
/// rows_per_block rows writes its sums of loss and metrics into `partials` (blocks, 1 + metrics), float64. Metrics judge
/// `judged`, shaped as the predictions; where it is empty the predictions themselves.
struct Loss {
  static constexpr auto name = "Loss";
  static constexpr std::int64_t rows_per_block = 8;
  Losses function;
  View predictions, targets, partials;
  View gradient = {};
  View weights = {};
  View judged = {};
  int metric_count = 0;
  RowMetric metrics[max_row_metrics] = {};
  template <class F>
  void operands(F&& f) {
    f(predictions, Access::read), f(targets, Access::read), f(weights, Access::read), f(judged, Access::read);
    f(gradient, Access::write), f(partials, Access::write);
  }
};

/// Adds what a metric counts in a batch to its counters, behind the step state from `first_counter` on.
struct Tally {
  static constexpr auto name = "Tally";
  Metrics function;
  View predictions, targets;
  View weights = {};
  std::int64_t first_counter = 0;
  template <class F>
  void operands(F&& f) {
    f(predictions, Access::read), f(targets, Access::read), f(weights, Access::read);
  }
};

/// The same for what a Loss sums: adds the columns of its partial sums (blocks, columns), from `first_column` on and times
/// `scale`, to counters, and to the one behind them the number of rows, or the sum of their weights.
struct Fold {
  static constexpr auto name = "Fold";
  View partials;
  View weights = {};
  std::int64_t rows = 0;
  std::int64_t first_counter = 0;
  std::int64_t first_column = 0;
  double scale = 1;
  template <class F>
  void operands(F&& f) {
    f(partials, Access::read), f(weights, Access::read);
  }
};

/// Copies rows to where the source of this number lies, from row `cursor` on: what inference returns.
struct Scatter {
  static constexpr auto name = "Scatter";
  View in;
  int source = 0;
  template <class F>
  void operands(F&& f) {
    f(in, Access::read);
  }
};

}  // namespace op

using AnyOp =
    std::variant<op::Begin, op::Schedule, op::Gather, op::Augment, op::Matmul, op::Round, op::Map,
                 op::MapGradient, op::SoftmaxRows, op::SoftmaxGradient, op::Noise, op::BatchNorm,
                 op::BatchNormGradient, op::LayerNorm, op::LayerNormGradient, op::LayerNormWeights,
                 op::Standardize, op::Prelu, op::PreluGradient, op::Lookup, op::LookupGradient,
                 op::Convolution, op::ConvolutionTranspose, op::ConvolutionWeights, op::Pool,
                 op::PoolGradient, op::Shift, op::Upsample, op::Loss, op::Tally, op::Fold, op::Penalty,
                 op::Scatter, op::Advance, op::Accumulate, op::Squares, op::Sums, op::RescaleToNorm,
                 op::Optimize, op::MovingAverage, op::Constrain, op::Momentum, op::Combine, op::Descend,
                 op::Copy, op::Binary, op::Reduce, op::Fill, op::Mask, op::Recurrent, op::RecurrentGradient,
                 op::Attention, op::AttentionGradient, op::FewRows, op::Custom>;

/// One of them, and whose it is: what passes over descriptors keep, move, or put another in the place of, has its name.
struct Descriptor : AnyOp {
  using AnyOp::AnyOp;
  using AnyOp::operator=;  ///< of an op, in whose place it comes: `layer` stays
  /// "dense", or of a layer within another "block/dense"; "input", "loss", "optimizer" and "output" are what is no layer's. Null
  /// where nobody said.
  std::shared_ptr<const std::string> layer = {};
};

/// Whether it reads or writes sources, which the caller of a run may give.
inline bool has_sources(const Descriptor& descriptor) {
  const auto* few_rows = std::get_if<op::FewRows>(&descriptor);
  return std::holds_alternative<op::Gather>(descriptor) || std::holds_alternative<op::Scatter>(descriptor) ||
         (few_rows && few_rows->has_sources());
}

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
