// Convolutions by cuDNN: engines found once, then only launched. No type of cuDNN's is here: Glia can be built without it
// (cudnn_absent.cpp).
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cuda/gpu.h>
#include <glia/descriptors.h>  // defines: Window

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace glia::cuda {

/// A convolution of x (n, h, w, c) to y (n, out h, out w, filters). Which of the three is computed of the others.
struct ConvolutionProblem {
  enum Result { y, x, weights } result;
  DType dtype;  ///< of all three
  Shape x_shape, y_shape;
  Window window;  ///< top and left are the padding on either side
  std::int64_t groups;
  bool allows_tf32;
  /// What is done with y on its way to memory, where cuDNN can: y + bias, or the ReLU of that, which NaN passes. For a result y
  /// of float32 or float64.
  enum Fused { nothing, bias, bias_relu } fused = nothing;

  std::size_t x_bytes() const { return bytes_of(x_shape.elements()); }
  std::size_t y_bytes() const { return bytes_of(y_shape.elements()); }
  std::size_t weights_bytes() const {
    return bytes_of(window.height * window.width * x_shape[3] / groups * y_shape[3]);
  }
  std::size_t bias_bytes() const { return fused == nothing ? 0 : bytes_of(y_shape[3]); }
  std::size_t bytes_of(std::int64_t elements) const {
    return static_cast<std::size_t>(elements * size_of(dtype));
  }
};

/// Contiguous images, weights as (filters, window height, window width, c / groups), workspace_bytes(), and (filters) where a
/// bias is fused.
struct ConvolutionOperands {
  void *x, *weights, *y, *workspace, *bias;
};

/// What a convolution whose operands have so many bytes together may use beside them: what any may, or what exact gradients
/// of images in float32 want, copies of all three (seen on sm_90: x, y, weights and 16 bytes).
constexpr std::size_t workspace_limit(std::size_t operand_bytes) {
  return std::max(std::size_t{64} << 20, operand_bytes + operand_bytes / 4);
}

/// A prepared convolution.
class CudnnConvolution {
 public:
  virtual ~CudnnConvolution() = default;
  CudnnConvolution() = default;
  CudnnConvolution(const CudnnConvolution&) = delete;
  CudnnConvolution& operator=(const CudnnConvolution&) = delete;

  /// Launches it; the result is overwritten (=).
  virtual void run(const ConvolutionOperands& operands) const = 0;
  virtual std::size_t workspace_bytes() const = 0;
  /// What it does of what the problem wanted fused: all or nothing.
  virtual ConvolutionProblem::Fused fused() const = 0;
  /// "cuDNN graph, engine 47, with bias and relu", "cuDNN IMPLICIT_GEMM".
  virtual std::string name() const = 0;
};

/// What a context wants of all its convolutions (ContextOptions).
struct ConvolutionRules {
  bool deterministic = true;
  bool propagate_nan = true;
};

/// cuDNN of a context, opened at the first convolution.
class Cudnn {
 public:
  Cudnn(Gpu& gpu, const ConvolutionRules& rules);
  ~Cudnn();

  /// The heuristics' first engine that rounds as sums of products do and, where that is wanted, gives the same bits in every
  /// run: of the graph interface with what is fused, then without, then of the legacy one. Equal problems share it while anyone
  /// has it, since plans take milliseconds. Null where there is none, or no cuDNN; why_not() then has the reason.
  std::shared_ptr<const CudnnConvolution> find(const ConvolutionProblem& problem);
  const std::string& why_not() const { return why_not_; }

  /// Memory that convolutions share, since they run one after another. It is never moved: who needs more gets
  /// another, and those before keep theirs.
  std::shared_ptr<Memory> scratch(std::size_t bytes);

  /// "9.19.0", or why there is none; empty before the first convolution.
  std::string version() const;

 private:
  struct Library;
  void start();
  std::unique_ptr<Library> opened();
  std::unique_ptr<CudnnConvolution> look_for(ConvolutionProblem problem);

  Gpu& gpu_;
  ConvolutionRules rules_;
  std::unique_ptr<Library> library_;
  bool looked_for_ = false;
  std::string missing_, why_not_;
  std::shared_ptr<Memory> scratch_;
  std::vector<std::pair<ConvolutionProblem, std::weak_ptr<const CudnnConvolution>>> kept_;
};

}  // namespace glia::cuda
