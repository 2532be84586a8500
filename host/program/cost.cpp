// Cost: bytes by operands, operations by formulas.
// SPDX-License-Identifier: Apache-2.0
#include <host/program/cost.h>

#include <variant>

namespace glia {
namespace {

using Count = std::int64_t;

/// Elements that lie apart in memory: those that strides of 0 repeat count once.
Count distinct(const View& view) {
  Count count = view ? 1 : 0;
  for (int axis = 0; view && axis < view.shape.rank(); ++axis)
    if (view.strides[axis] != 0 || view.shape[axis] == 0) count *= view.shape[axis];
  return count;
}
Count bytes_in(const View& view) { return distinct(view) * size_of(view.dtype); }
Count elements_in(const View& view) { return view ? view.elements() : 0; }

/// Of all operands as they stand.
template <class D>
Count bytes_of_operands(D d) {
  Count bytes = 0;
  d.operands(
      [&](const View& view, Access access) { bytes += bytes_in(view) * (access == Access::update ? 2 : 1); });
  return bytes;
}

/// The same with `room` left out, which an Op works in.
template <class D>
Count bytes_without(D d, View D::*room) {
  d.*room = {};
  return bytes_of_operands(d);
}

template <class D>
Count bytes_moved(const D& d) {
  return bytes_of_operands(d);
}
Count bytes_moved(const op::BatchNorm& d) { return bytes_without(d, &op::BatchNorm::partials); }
Count bytes_moved(const op::BatchNormGradient& d) {
  return bytes_without(d, &op::BatchNormGradient::partials);
}
Count bytes_moved(const op::LayerNormWeights& d) { return bytes_without(d, &op::LayerNormWeights::partials); }
Count bytes_moved(const op::Recurrent& d) {
  // The weights come once, as long as they stay in a cache.
  op::Recurrent other = d;
  other.products = {};
  return bytes_of_operands(other);
}
Count bytes_moved(const op::RecurrentGradient& d) {
  op::RecurrentGradient other = d;
  other.products = other.carried_h = other.carried_c = {};
  return bytes_of_operands(other);
}
Count bytes_moved(const op::AttentionGradient& d) {
  return bytes_without(d, &op::AttentionGradient::scores_gradient);
}
Count bytes_moved(const op::Reduce& d) { return bytes_without(d, &op::Reduce::partials); }
/// Sources lie nowhere in the model.
Count bytes_moved(const op::Gather& d) {
  return bytes_of_operands(d) + elements_in(d.x) * size_of(d.x_from) + elements_in(d.y) * size_of(d.y_from) +
         elements_in(d.weights) * size_of(DType::float32);
}
Count bytes_moved(const op::Scatter& d) { return 2 * bytes_in(d.in); }
Count bytes_moved(const op::FewRows& d) {
  const Count of_x = d.x ? 0 : d.rows * d.k() * size_of(d.x_from);
  return bytes_of_operands(d) + of_x + (d.out ? 0 : d.rows * d.n() * size_of(d.weights.dtype));
}
/// Of the table the rows that are looked up.
Count bytes_moved(const op::Lookup& d) { return bytes_in(d.indices) + 2 * bytes_in(d.out); }
Count bytes_moved(const op::LookupGradient& d) { return bytes_without(d, &op::LookupGradient::links); }
/// Where the parameters lie in pieces, `parameters` is only the first: there are as many as gradients, or averages.
Count bytes_moved(const op::Optimize& d) {
  op::Optimize other = d;
  other.parameters = {};
  return bytes_of_operands(other) + 2 * elements_in(d.gradients) * size_of(d.parameters.dtype);
}
Count bytes_moved(const op::MovingAverage& d) {
  op::MovingAverage other = d;
  other.parameters = {};
  const Count times = d.overwrite_every > 0 ? 2 : 1;  // else they are only read
  return bytes_of_operands(other) + times * elements_in(d.averages) * size_of(d.parameters.dtype);
}

bool is_linear(const ElementwiseActivation& function) { return std::holds_alternative<Linear>(function); }

/// Of what is done with each element of a product on its way to memory.
template <class Product>
Count epilogue_flops(const Product& d) {
  const Count for_each = (d.bias ? 1 : 0) + (is_linear(d.activation) ? 0 : 1) + (d.saved ? 2 : 0);
  return for_each * d.out.elements();
}

/// Multiply-adds of a convolution's weights at each of `pixels` elements, whose last axis counts filters.
Count convolution_flops(const View& pixels, const View& weights) {
  const Count filters = weights.shape.back();
  return filters > 0 ? 2 * pixels.elements() * (weights.elements() / filters) : 0;
}

Count window_flops(const View& small, const Window& window) {
  return small.elements() * window.height * window.width;
}

// What only moves numbers computes nothing.
Count flops(const op::Begin&) { return 0; }
Count flops(const op::Schedule&) { return 0; }
Count flops(const op::Scatter&) { return 0; }
Count flops(const op::Round&) { return 0; }
Count flops(const op::Lookup&) { return 0; }
Count flops(const op::Shift&) { return 0; }
Count flops(const op::Copy&) { return 0; }
Count flops(const op::Fill&) { return 0; }
Count flops(const op::Mask& d) { return d.in.elements(); }
/// The products of each step, and of an element of a gate about one function and two sums.
Count flops(const op::Recurrent& d) {
  return d.steps() * d.rows() * d.kernel.elements() * 2 + 3 * d.gates.elements();
}
Count flops(const op::RecurrentGradient& d) {
  return d.steps() * d.rows() * d.kernel.elements() * 2 + 5 * d.gates.elements();
}

/// Two products, and a softmax of five for each score; backwards twice as many, and three.
Count flops(const op::Attention& d) {
  const Count scores = d.rows() * d.heads() * d.steps() * d.keys.shape[2];
  return scores * (2 * (d.queries.shape[3] + d.values.shape[3]) + 5);
}
Count flops(const op::AttentionGradient& d) {
  const op::Attention& of = d.of;
  const Count scores = of.rows() * of.heads() * of.steps() * of.keys.shape[2];
  return scores * (4 * (of.queries.shape[3] + of.values.shape[3]) + 3);
}

Count flops(const op::Gather& d) {
  return elements_in(d.x) * (1 + d.augmentation.count);
}  // the scale is one
Count flops(const op::Augment& d) { return d.out.elements() * d.augmentation.count; }

Count flops(const op::Matmul& d) {
  const Count summed = d.bias_gradient ? d.b.elements() : 0;
  return 2 * d.out.elements() * d.k() + epilogue_flops(d) + summed;
}
/// With a softmax of five for each.
Count flops(const op::FewRows& d) {
  const Count for_each = (d.bias ? 1 : 0) + (is_linear(d.activation) ? 0 : 1) +
                         (d.row_function == op::FewRows::RowFunction::none ? 0 : 5);
  return d.rows * d.n() * (2 * d.k() + for_each);
}
/// What a body of the application computes, it alone knows.
Count flops(const op::Custom&) { return 0; }
Count flops(const op::Convolution& d) { return convolution_flops(d.out, d.weights) + epilogue_flops(d); }
Count flops(const op::ConvolutionTranspose& d) {
  return convolution_flops(d.x, d.weights) + epilogue_flops(d);
}
Count flops(const op::ConvolutionWeights& d) {
  return convolution_flops(d.out_gradient, d.weights_gradient) +
         (d.bias_gradient ? d.out_gradient.elements() : 0);
}
Count flops(const op::Pool& d) { return window_flops(d.out, d.window); }
Count flops(const op::PoolGradient& d) { return window_flops(d.out_gradient, d.window); }
Count flops(const op::Upsample& d) {
  if (d.bilinear) return 7 * (d.backward ? d.in : d.out).elements();  // four products, three sums
  return d.backward ? d.in.elements() : 0;
}

Count flops(const op::Map& d) { return d.out.elements(); }
Count flops(const op::MapGradient& d) { return 2 * d.in_gradient.elements(); }
Count flops(const op::Binary& d) { return d.out.elements(); }
Count flops(const op::Combine& d) { return 3 * d.out.elements(); }
Count flops(const op::Noise& d) { return 2 * d.out.elements(); }
Count flops(const op::Standardize& d) { return (d.backward ? 1 : 2) * d.out.elements(); }
Count flops(const op::Prelu& d) { return 2 * d.out.elements(); }
Count flops(const op::PreluGradient& d) {
  return d.out_gradient.elements() * ((d.in_gradient ? 2 : 0) + (d.alpha_gradient ? 2 : 0));
}
Count flops(const op::Reduce& d) { return d.in.elements() + (d.scale == 1 ? 0 : d.out.elements()); }

/// The maximum, a difference and its exponential, their sum, and a quotient.
Count flops(const op::SoftmaxRows& d) { return 5 * d.out.elements(); }
Count flops(const op::SoftmaxGradient& d) { return 4 * d.in_gradient.elements(); }

// Mean and variance take 1 and 3, what they are applied with 4: less the mean, by the deviation, by gamma, plus beta.
Count flops(const op::BatchNorm& d) { return d.x.elements() * ((d.saved ? 4 : 0) + 4 + (d.relu ? 1 : 0)); }
Count flops(const op::BatchNormGradient& d) { return d.x.elements() * (5 + (d.in_gradient ? 5 : 0)); }
Count flops(const op::LayerNorm& d) { return d.x.elements() * (d.centers ? 8 : 6); }
Count flops(const op::LayerNormGradient& d) { return d.x.elements() * (d.centers ? 10 : 8); }
Count flops(const op::LayerNormWeights& d) { return 5 * d.x.elements(); }

Count flops(const op::LookupGradient& d) { return d.out_gradient.elements(); }

Count flops(const op::Loss& d) {
  return d.predictions.elements() * (5 + (d.gradient ? 2 : 0) + d.metric_count);
}
Count flops(const op::Tally& d) { return d.predictions.elements(); }
Count flops(const op::Fold& d) { return d.partials.elements(); }
Count flops(const op::Advance& d) { return elements_in(d.partials) + elements_in(d.penalties); }
Count flops(const op::Penalty& d) { return d.parameter.elements() * (d.gradient ? 6 : 4); }
Count flops(const op::Accumulate& d) { return 2 * d.sums.elements(); }
Count flops(const op::Squares& d) { return 2 * d.in.elements(); }
Count flops(const op::Sums& d) { return d.in.elements(); }
Count flops(const op::RescaleToNorm& d) { return d.values.elements() + d.partials.elements(); }
/// A product and a sum for the parameter, and about five for each number that the optimizer keeps beside it.
Count flops(const op::Optimize& d) {
  const int slots = std::visit([](const auto& optimizer) { return optimizer.slots(); }, d.optimizer);
  return d.gradients.elements() * (2 + 5 * slots + (d.weight_decay != 0 ? 2 : 0)) + flops(d.advance);
}
Count flops(const op::MovingAverage& d) { return 3 * d.averages.elements(); }
Count flops(const op::Constrain& d) { return 3 * d.weight.elements(); }
Count flops(const op::Momentum& d) { return (d.nesterov ? 4 : 2) * d.out.elements(); }
Count flops(const op::Descend& d) { return 4 * d.step.elements(); }

}  // namespace

Cost cost_of(const Descriptor& descriptor) {
  return std::visit([](const auto& d) { return Cost{bytes_moved(d), flops(d)}; }, descriptor);
}

}  // namespace glia
