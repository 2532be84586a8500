// What shapes and dtypes the operands of a descriptor must have: the words of include/glia/descriptors.h, executable.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/descriptors.h>

#include <string>
#include <type_traits>
#include <utility>

namespace glia::test {

/// One descriptor's operands; says what is wrong with them.
template <class Say>
class OperandRules {
 public:
  /// `rounded`: factors of products may be bfloat16 now.
  OperandRules(bool rounded, const Say& say) : rounded_(rounded), say_(say) {}

  void operator()(const op::Begin&) {}
  void operator()(const op::Schedule&) {}
  void operator()(const op::Gather& d) {
    require(static_cast<bool>(d.x || d.y), "gathers nothing");
    if (d.x && d.y) require(d.x.shape[0] == d.y.shape[0], "x and y have other numbers of rows");
    const View& rows = d.x ? d.x : d.y;
    if (d.weights) require(d.weights.shape == Shape{rows.shape[0]}, "weights are not one a row");
    require(d.x_source >= 0 && d.y_source >= 0 && d.weights_source >= 0, "a source has no number");
    if (d.y) require(!d.x || d.y_source != d.x_source, "x and y have one source");
    if (d.weights) require(d.weights_source != d.y_source, "targets and weights have one source");
  }
  void operator()(const op::Augment& d) {
    require(d.in.shape[0] == d.out.shape[0], "rows are lost"), same_dtype(d.in, d.out);
  }
  void operator()(const op::Matmul& d) {
    const int rank = d.out.shape.rank();
    require(rank == 2 || rank == 3, "no matrix is made");
    require(d.a.shape.rank() == rank && d.b.shape.rank() == rank, "factors of other ranks");
    if (d.a.shape.rank() != rank || d.b.shape.rank() != rank || rank < 2) return;
    const std::int64_t m = d.out.shape[rank - 2], n = d.out.shape[rank - 1];
    require(
        d.a.shape[rank - 2] == m && d.b.shape[rank - 1] == n && d.a.shape[rank - 1] == d.b.shape[rank - 2],
        detail::concat("cannot multiply ", d.a.shape, " and ", d.b.shape, " to ", d.out.shape));
    if (rank == 3) {
      require(d.a.shape[0] == d.out.shape[0] && d.b.shape[0] == d.out.shape[0], "batches of other sizes");
      require(!d.bias && !d.saved && !d.bias_gradient && std::holds_alternative<Linear>(d.activation),
              "a batch of products makes nothing else");
    }
    if (d.bias) vector(d.bias, n, "bias");
    if (d.bias_gradient) vector(d.bias_gradient, n, "bias_gradient");
    if (d.saved) require(d.saved.shape == d.out.shape, "saved is not shaped as out");
    factors(d, d.a, d.b, d.out, static_cast<bool>(d.bias_gradient));
  }
  void operator()(const op::Round& d) {
    require(rounded_, "rounded too early");
    same_count(d.in, d.out);
    require(d.out.dtype == DType::bfloat16 || d.out.dtype == DType::float32, "rounded to another dtype");
  }
  void operator()(const op::Map& d) { alike(d.in, d.out); }
  void operator()(const op::MapGradient& d) {
    alike(d.saved, d.in_gradient), alike(d.out_gradient, d.in_gradient);
  }
  void operator()(const op::SoftmaxRows& d) { matrices(d.in, d.out); }
  void operator()(const op::SoftmaxGradient& d) {
    matrices(d.out, d.in_gradient), matrices(d.out_gradient, d.in_gradient);
  }
  void operator()(const op::Noise& d) {
    alike(d.in, d.out);
    require(d.in.elements() % (d.positions * d.channels) == 0,
            "positions and channels do not go with the rows");
  }
  void operator()(const op::BatchNorm& d) {
    const std::int64_t columns = d.x.shape.back();
    require(d.x.shape.rank() == 2, "x is no matrix"), alike(d.x, d.out);
    for (const View& one : {d.gamma, d.beta, d.moving_mean, d.moving_variance})
      if (one) vector(one, columns, "a weight");
    require(static_cast<bool>(d.saved) == static_cast<bool>(d.partials), "saved and partials go together");
    require(!d.moves || d.saved, "moving averages move without statistics");
    require(!d.mask || d.saved, "a mask without statistics");
    if (d.saved) statistics(d, columns);
    if (d.partials)
      require(d.partials.shape == Shape({op::chunks_of(d.x.shape[0]), d.saved.shape[0], columns}),
              "partials of another shape");
  }
  void operator()(const op::BatchNormGradient& d) {
    const std::int64_t columns = d.x.shape.back();
    alike(d.x, d.out_gradient);
    if (d.in_gradient) alike(d.x, d.in_gradient);
    for (const View& one : {d.gamma, d.gamma_gradient, d.beta_gradient})
      if (one) vector(one, columns, "a weight");
    statistics(d, columns);
    require(d.partials.shape == Shape({op::chunks_of(d.x.shape[0]), 2, columns}),
            "partials of another shape");
  }
  void operator()(const op::LayerNorm& d) {
    alike(d.x, d.out), require(d.saved.shape == Shape({d.x.shape[0], 3}), "saved is not (rows, 3)");
    for (const View& one : {d.gamma, d.beta})
      if (one) vector(one, d.x.shape.back(), "a weight");
  }
  void operator()(const op::LayerNormGradient& d) { alike(d.x, d.out_gradient), alike(d.x, d.in_gradient); }
  void operator()(const op::LayerNormWeights& d) {
    alike(d.x, d.out_gradient);
    require(d.partials.shape == Shape({op::chunks_of(d.x.shape[0]), 2, d.x.shape[1]}), "no room for chunks");
    for (const View& one : {d.gamma_gradient, d.beta_gradient})
      if (one) vector(one, d.x.shape.back(), "a gradient");
  }
  void operator()(const op::Standardize& d) {
    alike(d.in, d.out);
    vector(d.mean, d.in.shape.back(), "mean"), vector(d.variance, d.in.shape.back(), "variance");
  }
  void operator()(const op::Prelu& d) { alike(d.in, d.out), vector(d.alpha, d.in.shape.back(), "alpha"); }
  void operator()(const op::PreluGradient& d) {
    alike(d.in, d.out_gradient), vector(d.alpha_gradient, d.in.shape.back(), "alpha's gradient");
    if (d.in_gradient) alike(d.in, d.in_gradient);
  }
  void operator()(const op::Lookup& d) {
    require(d.out.elements() == d.indices.elements() * d.table.shape.back(), "not a row for each index");
    same_dtype(d.table, d.out);
  }
  void operator()(const op::LookupGradient& d) {
    require(d.links.dtype == DType::int32 &&
                d.links.elements() == d.table_gradient.shape[0] + d.indices.elements(),
            "links of another size");
    require(d.out_gradient.elements() == d.indices.elements() * d.table_gradient.shape.back(),
            "not a gradient for each index");
  }
  void operator()(const op::Convolution& d) {
    images(d.x, d.out), kernel(d.weights, d.window, d.x.shape.back() / d.groups, d.out.shape.back());
    epilogue(d, d.out.shape.back());
    factors(d, d.x, d.weights, d.out, false);
  }
  void operator()(const op::ConvolutionTranspose& d) {
    images(d.x, d.out), kernel(d.weights, d.window, d.out.shape.back() / d.groups, d.x.shape.back());
    epilogue(d, d.out.shape.back());
    factors(d, d.x, d.weights, d.out, false);
  }
  void operator()(const op::ConvolutionWeights& d) {
    images(d.x, d.out_gradient);
    kernel(d.weights_gradient, d.window, d.x.shape.back() / d.groups, d.out_gradient.shape.back());
    if (d.bias_gradient) vector(d.bias_gradient, d.out_gradient.shape.back(), "bias_gradient");
    factors(d, d.x, d.out_gradient, d.weights_gradient, static_cast<bool>(d.bias_gradient));
  }
  void operator()(const op::Pool& d) { images(d.in, d.out), same_channels(d.in, d.out); }
  void operator()(const op::PoolGradient& d) {
    images(d.in_gradient, d.out_gradient), same_channels(d.in_gradient, d.out_gradient);
    require(d.average != static_cast<bool>(d.in), "a maximum, and no mean, needs what was pooled");
    if (d.in) alike(d.in, d.in_gradient);
  }
  void operator()(const op::Shift& d) { images(d.in, d.out), same_channels(d.in, d.out); }
  void operator()(const op::Upsample& d) {
    images(d.in, d.out), same_channels(d.in, d.out);
    const View &small = d.backward ? d.out : d.in, &large = d.backward ? d.in : d.out;
    require(large.shape[1] % small.shape[1] == 0 && large.shape[2] % small.shape[2] == 0, "no whole factors");
  }
  void operator()(const op::Loss& d) {
    const std::int64_t rows = d.predictions.shape[0];
    require(d.predictions.shape.rank() == 2, "predictions are no matrix");
    targets(d.function, d.predictions, d.targets);
    const std::int64_t blocks = (rows + op::Loss::rows_per_block - 1) / op::Loss::rows_per_block;
    require(d.partials.dtype == DType::float64 && d.partials.shape == Shape({blocks, 1 + d.metric_count}),
            "partials of another shape or dtype");
    require(d.metric_count >= 0 && d.metric_count <= max_row_metrics, "too many metrics");
    if (d.gradient)
      require(d.gradient.shape == d.predictions.shape, "gradient is not shaped as the predictions");
    if (d.judged) require(d.judged.shape == d.predictions.shape, "judged is not shaped as the predictions");
    weights(d.weights, rows);
  }
  void operator()(const op::Tally& d) { weights(d.weights, d.predictions.shape[0]); }
  void operator()(const op::Fold& d) {
    require(d.partials.shape.rank() == 2 && d.first_column < d.partials.shape[1], "no column is folded");
    require(d.first_counter >= 0 && d.rows >= 0, "counters have no place");
  }
  void operator()(const op::Penalty& d) {
    if (d.gradient) alike(d.parameter, d.gradient);
    require(d.first_partial >= 0 &&
                d.first_partial + op::pieces_of(d.parameter.elements()) <= d.partials.elements(),
            "its sums lie beyond the partials");
  }
  void operator()(const op::Scatter& d) { require(d.source >= 0, "a source has no number"); }
  void operator()(const op::Advance& d) { require(d.batch > 0, "the cursor stays"); }
  void operator()(const op::Accumulate& d) { alike(d.gradients, d.sums), require(d.steps > 1, "steps"); }
  void operator()(const op::Squares& d) { sums(d.in, d.partials); }
  void operator()(const op::Sums& d) {
    sums(d.in, d.partials);
    if (d.gradient) alike(d.in, d.gradient);
  }
  void operator()(const op::RescaleToNorm& d) {
    require(d.partials.elements() == op::pieces_of(d.values.elements()), "partials of another size");
  }
  void operator()(const op::Optimize& d) {
    if (d.spans)
      require(d.spans.dtype == DType::int64 && d.spans.shape.rank() == 2 && d.spans.shape[1] == 3 &&
                  d.parameters.elements() < d.gradients.elements(),
              "a table of spans is for several pieces, the first of which is a part");
    else
      alike(d.parameters, d.gradients);
    if (d.slots) require(d.slots.shape[1] == d.gradients.elements(), "slots are not one for each gradient");
    require(d.steps >= 1, "steps");
  }
  void operator()(const op::MovingAverage& d) {
    require(d.spans || d.parameters.elements() == d.averages.elements(), "averages");
  }
  void operator()(const op::Constrain& d) { require(d.weight.shape.rank() == 2, "weight is no matrix"); }
  void operator()(const op::Momentum& d) { alike(d.gradients, d.momentum), alike(d.gradients, d.out); }
  void operator()(const op::Combine& d) { alike(d.a, d.out), alike(d.b, d.out); }
  void operator()(const op::Descend& d) { alike(d.parameters, d.step); }
  void operator()(const op::Copy& d) {
    require(d.in.shape == d.out.shape, "in and out have other shapes"), same_dtype(d.in, d.out);
    require(!d.in.overlaps(d.out), "in and out overlap");
  }
  void operator()(const op::Binary& d) {
    require(d.a.shape == d.out.shape && d.b.shape == d.out.shape, "a, b and out have other shapes");
    same_dtype(d.a, d.out), same_dtype(d.b, d.out), require(d.out.is_contiguous(), "out has gaps");
  }
  void operator()(const op::FewRows& d) {
    const std::int64_t k = d.weights.shape[0], n = d.weights.shape[1];
    require(d.rows > 0, "no rows");
    require(static_cast<bool>(d.x) == (d.x_source < 0), "x is a view, or else a source's rows");
    require(static_cast<bool>(d.out) == (d.out_source < 0), "out is a view, or else a source's rows");
    if (d.x) require(d.x.shape == Shape({d.rows, k}), "x is not (rows, k)"), same_dtype(d.x, d.weights);
    if (d.out)
      require(d.out.shape == Shape({d.rows, n}), "out is not (rows, n)"), same_dtype(d.out, d.weights);
    for (const View& view : {d.x, d.weights, d.bias, d.out})
      if (view) require(view.is_contiguous(), "an operand has gaps");
    if (d.bias) vector(d.bias, n, "bias"), same_dtype(d.bias, d.weights);
    require(!d.advance.partials && !d.advance.penalties, "it folds no losses");
  }
  void operator()(const op::Reduce& d) {
    require(d.in.shape.rank() == 3 && d.in.is_contiguous() && d.out.is_contiguous(),
            "in is not (outer, reduced, inner)");
    require(d.out.shape == Shape({d.in.shape[0], d.in.shape[2]}), "out is not (outer, inner)"),
        same_dtype(d.in, d.out);
    if (d.partials)
      require(d.partials.dtype == DType::float64 && d.partials.shape == op::Reduce::partials_for(d.in),
              "partials");
  }
  void operator()(const op::Fill& d) { require(d.out.is_contiguous(), "out has gaps"); }
  void operator()(const op::Mask& d) {
    require(d.in.shape.rank() == 2 && d.out.shape == Shape{d.in.shape[0]}, "not a number for each row");
    require(d.in.is_contiguous() && d.out.is_contiguous(), "an operand has gaps"), same_dtype(d.in, d.out);
  }
  void operator()(const op::Recurrent& d) {
    const std::int64_t kept = d.h.shape[0] > 1 ? d.steps() : 1, u = d.units();
    recurrent(d);
    state(d.initial_h, d, "initial_h"), state(d.initial_c, d, "initial_c");
    if (d.out) {
      const Shape all{d.rows(), d.steps(), u}, last{d.rows(), u};
      require(d.out.shape == all || d.out.shape == last, "out is neither of all steps nor of the last");
    }
    require(d.h.shape[0] == 1 || d.h.shape[0] == d.steps() + 1, "h is not kept, and not of all steps");
    for (const View* view : {&d.extra, &d.fed})
      if (*view) require(view->shape == Shape({kept, d.rows(), u}), "what is kept is not of all steps");
    require(d.products.shape == Shape({d.rows(), op::gates_of(d.cell) * u}), "products have no room");
    require(static_cast<bool>(d.fed) == static_cast<bool>(d.noise), "fed goes along with noise");
  }
  void operator()(const op::RecurrentGradient& d) {
    recurrent(d);
    require(d.h.shape[0] == d.steps() + 1, "states were not kept");
    for (const View* view : {&d.last_h_gradient, &d.last_c_gradient, &d.initial_h_gradient,
                             &d.initial_c_gradient, &d.products, &d.carried_h, &d.carried_c})
      state(*view, d, "a state's gradient, or room for one,");
    require((d.cell == op::Cell::gru) == static_cast<bool>(d.recurrent_gradients),
            "recurrent_gradients are a gru's");
    if (d.recurrent_gradients) require(d.recurrent_gradients.shape == d.gates.shape, "recurrent_gradients");
  }
  void operator()(const op::Attention& d) {
    attention(d);
    require(d.out.shape == Shape({d.rows(), d.heads(), d.steps(), d.values.shape[3]}),
            "out has another shape");
  }
  void operator()(const op::AttentionGradient& d) {
    attention(d.of);
    const Shape scores{d.of.rows(), d.of.heads(), d.of.steps(), d.of.keys.shape[2]};
    require(d.out_gradient || d.weights_gradient, "there is nothing to go back from");
    require(static_cast<bool>(d.out_gradient) == static_cast<bool>(d.values_gradient),
            "values get no gradient, or one of nothing");
    require(static_cast<bool>(d.of.weights), "the weights were not kept");
    require(d.scores_gradient.shape == scores && d.scores_gradient.is_contiguous(), "no room for scores");
    if (d.weights_gradient)
      require(d.weights_gradient.shape == scores && d.weights_gradient.is_contiguous(),
              "gradients of other weights");
    for (const auto& [view, gradient] :
         {std::pair(&d.of.queries, &d.queries_gradient), std::pair(&d.of.keys, &d.keys_gradient),
          std::pair(&d.of.values, &d.values_gradient)})
      if (*gradient)
        require(view->shape == gradient->shape && gradient->strides[3] == 1, "a gradient of another shape");
  }
  void operator()(const op::Custom& d) {
    using Role = op::Custom::Role;
    require(d.body != nullptr, "there is no body");
    int of[8] = {};
    for (int i = 0; i < d.count; ++i) {
      const auto& [role, view] = d.list[i];
      ++of[static_cast<int>(role)];
      if (!view) continue;
      require(view.is_contiguous(), "an operand has gaps");
      require(view.offset % tensor_alignment == 0, "an operand is not aligned");
      require(view.dtype == d.dtype || (d.part == op::Custom::Part::loss && role == Role::input),
              detail::concat("an operand of ", view.dtype, " in a step of ", d.dtype));
    }
    const auto count = [&](Role role) { return of[static_cast<int>(role)]; };
    if (d.part == op::Custom::Part::backward) {
      require(count(Role::output) == count(Role::output_gradient), "not a gradient for each output");
      require(count(Role::input) == count(Role::input_gradient), "not a gradient for each input");
      require(count(Role::variable) == count(Role::variable_gradient), "not a gradient for each variable");
    } else {
      require(count(Role::input) > 0 && count(Role::output) > 0, "nothing is read or written");
    }
  }

 private:
  template <class Recurrent>
  void state(const View& view, const Recurrent& d, const char* what) {
    if (view)
      require(view.shape == Shape({d.rows(), d.units()}), detail::concat(what, " is not (rows, units)"));
  }
  /// What a batch normalisation and its gradient have in common.
  template <class Normalization>
  void statistics(const Normalization& d, std::int64_t columns) {
    const std::int64_t numbers = op::BatchNorm::numbers_of_column(static_cast<bool>(d.mask));
    require(d.saved.shape == Shape({numbers, columns}),
            detail::concat("saved is not (", numbers, ", columns)"));
    if (d.mask) require(d.mask.shape == Shape({d.x.shape[0]}), "the mask is not one a row");
  }
  /// What a recurrent layer and its gradient have in common.
  template <class Recurrent>
  void recurrent(const Recurrent& d) {
    const std::int64_t gates = op::gates_of(d.cell) * d.units();
    require(d.gates.shape == Shape({d.steps(), d.rows(), gates}), "gates are not (steps, rows, G units)");
    require(d.kernel.shape == Shape({d.units(), gates}), "the kernel is not (units, G units)");
    if (d.mask) require(d.mask.shape == Shape({d.rows(), d.steps()}), "the mask is not (rows, steps)");
    require((d.cell == op::Cell::lstm) == static_cast<bool>(d.c), "c is an LSTM's");
    if (d.c) require(d.c.shape == d.h.shape, "h and c of other shapes");
    state(d.noise, d, "noise");
  }
  void attention(const op::Attention& d) {
    require(d.heads() % d.keys.shape[1] == 0, "heads of keys go not into those of queries");
    require(d.keys.shape == Shape({d.rows(), d.keys.shape[1], d.keys.shape[2], d.queries.shape[3]}),
            "keys go not with queries");
    require(d.values.shape == Shape({d.rows(), d.keys.shape[1], d.keys.shape[2], d.values.shape[3]}),
            "values go not with keys");
    for (const View* view : {&d.queries, &d.keys, &d.values})
      require(view->strides[3] == 1, "numbers of a step do not lie together");
    const Shape scores{d.rows(), d.heads(), d.steps(), d.keys.shape[2]};
    if (d.mask) require(d.mask.shape == scores, "a mask of other scores");
    if (d.weights)
      require(d.weights.shape == scores && d.weights.is_contiguous(), "other weights than scores");
  }
  void require(bool ok, const std::string& what) {
    if (!ok) say_(what);
  }
  void same_dtype(const View& a, const View& b) {
    require(a.dtype == b.dtype, detail::concat("operands of ", a.dtype, " and ", b.dtype));
  }
  void same_count(const View& a, const View& b) {
    require(a.elements() == b.elements(), detail::concat("operands of ", a.shape, " and ", b.shape));
  }
  void alike(const View& a, const View& b) { same_count(a, b), same_dtype(a, b); }
  void sums(const View& in, const View& partials) {
    require(partials.dtype == DType::float64 && partials.elements() == op::pieces_of(in.elements()),
            "partials of another size or dtype");
  }
  void matrices(const View& a, const View& b) {
    require(a.shape.rank() == 2 && a.shape == b.shape,
            detail::concat("no matrices alike: ", a.shape, ", ", b.shape));
    same_dtype(a, b);
  }
  void vector(const View& view, std::int64_t n, const char* what) {
    require(view.elements() == n, detail::concat(what, " of shape ", view.shape, ", expected (", n, ",)"));
  }
  void images(const View& a, const View& b) {
    require(a.shape.rank() == 4 && b.shape.rank() == 4 && a.shape[0] == b.shape[0],
            detail::concat("no batches of images: ", a.shape, ", ", b.shape));
  }
  void same_channels(const View& a, const View& b) {
    require(a.shape.back() == b.shape.back(), "channels are lost"), same_dtype(a, b);
  }
  void kernel(const View& view, const Window& window, std::int64_t in, std::int64_t out) {
    require(view.shape == Shape({window.height, window.width, in, out}),
            detail::concat("a kernel of shape ", view.shape, ", expected ",
                           Shape({window.height, window.width, in, out})));
  }
  template <class D>
  void epilogue(const D& d, std::int64_t columns) {
    if (d.bias) vector(d.bias, columns, "bias");
    if (d.saved) require(d.saved.shape == d.out.shape, "saved is not shaped as out");
  }
  template <class D>
  void factors(const D& d, const View& a, const View& b, const View& out, bool sums_bias) {
    require(a.dtype == b.dtype, "factors of two dtypes");
    require(a.dtype == out.dtype ||
                (rounded_ && a.dtype == DType::bfloat16 && out.dtype == DType::float32 && !sums_bias),
            detail::concat("factors of ", a.dtype, " make ", out.dtype));
    if (rounded_ && std::holds_alternative<MixedBFloat16>(d.precision))
      require(a.buffer == Buffer::arena && b.buffer == Buffer::arena, "a factor was not rounded");
  }
  void targets(const Losses& function, const View& predictions, const View& y) {
    const bool sparse =
        std::visit([](const auto& l) { return l.targets; }, function) == Targets::sparse_labels;
    if (sparse)
      require(y.dtype == DType::int32 && y.elements() == predictions.shape[0], "no label for each row");
    else
      alike(y, predictions);
  }
  void weights(const View& view, std::int64_t rows) {
    if (view) require(view.shape.rank() == 1 && rows % view.shape[0] == 0, "weights do not go with the rows");
  }

  bool rounded_;
  const Say& say_;
};

/// Calls say(what) for each rule that a descriptor breaks.
template <class Say>
void shape_faults(const Descriptor& descriptor, bool rounded, const Say& say) {
  std::visit(OperandRules<Say>(rounded, say), descriptor);
}

}  // namespace glia::test
