// SPDX-License-Identifier: Apache-2.0
#include <cuda/convolution_problem.h>

#include <variant>

namespace glia::cuda {
namespace {

/// The epilogue, where it may be an engine's: not of bfloat16, whose sums it would round before the bias is added.
ConvolutionProblem::Fused fused_of(const op::Convolution& d) {
  if (!d.bias || d.saved || d.x.dtype != d.out.dtype) return ConvolutionProblem::nothing;
  if (std::holds_alternative<Linear>(d.activation)) return ConvolutionProblem::bias;
  return std::holds_alternative<Relu>(d.activation) ? ConvolutionProblem::bias_relu
                                                    : ConvolutionProblem::nothing;
}

/// Whether an axis of n elements padded by `pad` on both sides has `windows` windows.
bool is_padded_alike(std::int64_t n, std::int64_t pad, std::int64_t span, std::int64_t stride,
                     std::int64_t windows) {
  return pad >= 0 && n + 2 * pad >= span && (n + 2 * pad - span) / stride + 1 == windows;
}

/// Of an image that the windows cover exactly.
Shape covered_shape(const Convolved& c) {
  const Window& w = c.window;
  return {c.x.shape[0], (c.y.shape[1] - 1) * w.stride_height + w.span_height(),
          (c.y.shape[2] - 1) * w.stride_width + w.span_width(), c.x.shape[3]};
}

}  // namespace

Convolved convolved(const op::Convolution& d) {
  return {ConvolutionProblem::y, d.x, d.weights, d.out, d.window, d.groups, d.precision, fused_of(d), d.bias};
}
Convolved convolved(const op::ConvolutionTranspose& d) {
  return {ConvolutionProblem::x, d.out, d.weights, d.x, d.window, d.groups, d.precision};
}
Convolved convolved(const op::ConvolutionWeights& d) {
  return {
      ConvolutionProblem::weights, d.x, d.weights_gradient, d.out_gradient, d.window, d.groups, d.precision};
}

bool is_padded_alike(const Convolved& c) {
  const Window& w = c.window;
  return is_padded_alike(c.x.shape[1], w.top, w.span_height(), w.stride_height, c.y.shape[1]) &&
         is_padded_alike(c.x.shape[2], w.left, w.span_width(), w.stride_width, c.y.shape[2]);
}

ConvolutionProblem problem_of(const Convolved& c) {
  ConvolutionProblem problem{c.result,
                             c.type_of_factors(),
                             c.x.shape,
                             c.y.shape,
                             c.window,
                             c.groups,
                             !std::holds_alternative<Float32>(c.precision),
                             c.fused};
  if (!is_padded_alike(c)) problem.x_shape = covered_shape(c), problem.window.top = problem.window.left = 0;
  return problem;
}

}  // namespace glia::cuda
