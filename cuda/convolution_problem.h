// What cuDNN is asked of a convolution's descriptor.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cuda/cudnn.h>        // defines: ConvolutionProblem
#include <glia/descriptors.h>  // defines: op::Convolution, op::ConvolutionTranspose, op::ConvolutionWeights

#include <cstdint>

namespace glia::cuda {

/// A convolution of x with weights to y, one of which is the result of the other two, its factors.
struct Convolved {
  ConvolutionProblem::Result result;
  View x, weights, y;
  Window window;
  std::int64_t groups;
  Precisions precision;
  ConvolutionProblem::Fused fused = ConvolutionProblem::nothing;
  View bias = {};

  View& result_view() {
    return result == ConvolutionProblem::x ? x : result == ConvolutionProblem::y ? y : weights;
  }
  DType type_of_factors() const { return result == ConvolutionProblem::x ? y.dtype : x.dtype; }
};

Convolved convolved(const op::Convolution& d);
Convolved convolved(const op::ConvolutionTranspose& d);
Convolved convolved(const op::ConvolutionWeights& d);

/// Whether the padding is the same on both sides. cuDNN would take any, but exact float32 then has its slowest engine alone
/// below compute capability 9.0, and the legacy interface none.
bool is_padded_alike(const Convolved& c);

/// As cuDNN is asked for it: of an image that the windows cover exactly, where padding differs. TF32 keeps all of a float32 that
/// was rounded to bfloat16.
ConvolutionProblem problem_of(const Convolved& c);

}  // namespace glia::cuda
