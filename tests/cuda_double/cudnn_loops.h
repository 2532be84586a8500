// Convolutions of the double's cuDNN by plain loops, for both of its interfaces.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cudnn.h>

#include <cstddef>
#include <cstdint>

#include "tests/cuda_double/cudnn.h"

namespace glia::cuda_double {

/// What is computed of the other two.
enum class Computed { x, w, y };

/// A convolution as it is asked for.
struct Problem {
  cudnnTensorStruct x, y;
  cudnnFilterStruct w;
  cudnnConvolutionStruct convolution;

  static int windows(int n, int pad, int taps, int dilation, int stride) {
    const int span = (taps - 1) * dilation + 1;
    return n + 2 * pad < span ? 0 : (n + 2 * pad - span) / stride + 1;
  }
  std::int64_t x_elements() const { return std::int64_t{x.n} * x.c * x.h * x.w; }
  std::int64_t y_elements() const { return std::int64_t{y.n} * y.c * y.h * y.w; }
  std::int64_t w_elements() const { return std::int64_t{w.k} * w.c * w.h * w.w; }

  /// Descriptors that were set and fit each other; then types and layouts that go together.
  cudnnStatus_t status() const;
  bool allows_tf32() const { return x.type == CUDNN_DATA_FLOAT && convolution.math != CUDNN_FMA_MATH; }
};

/// How an algorithm or an engine computes.
struct Manner {
  bool of_chance = false;     ///< adds in an order of chance
  bool transforms = false;    ///< FFT, Winograd: rounds where a sum of products would not
  bool in_tf32 = false;       ///< rounds what is multiplied
  std::size_t workspace = 0;  ///< bytes that it overwrites
};

/// What is done with y: y + bias, then the ReLU of it.
struct Fused {
  const void* bias = nullptr;
  bool relu = false, relu_hides_nan = false;
};

/// Of the type of sums are alpha and beta.
struct Operands {
  const void *alpha, *beta;
  const void *x, *w, *y;
  void* workspace;
  std::size_t workspace_bytes;
};

/// Adds the convolution to the stream's queue: result = alpha * product + beta * result. `function` is the call's name.
cudaError_t enqueue_convolution(Computed computed, const char* function, const Problem& p,
                                const Manner& manner, const Operands& at, const Fused& fused,
                                cudaStream_t stream);

}  // namespace glia::cuda_double
