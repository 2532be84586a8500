// Convolutions by cuDNN: algorithms found once, then only launched. All of its calls are in cudnn.cpp, and no type of
// its is here: Glia can be built without cuDNN (cudnn_absent.cpp).
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cuda/gpu.h>
#include <glia/descriptors.h>  // defines: Window

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace glia::cuda {

/// A convolution of x (n, h, w, c) to y (n, out h, out w, filters). Which of the three is computed of the others.
struct ConvolutionProblem {
  enum Result { y, x, weights } result;
  DType dtype;  ///< of all three
  Shape x_shape, y_shape;
  Window window;  ///< top and left are the padding on either side
  std::int64_t groups;
  bool allows_tf32;
};

/// Contiguous images, weights as (filters, window height, window width, c / groups), and workspace_bytes().
struct ConvolutionOperands {
  void *x, *weights, *y, *workspace;
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
  /// "cuDNN IMPLICIT_GEMM".
  virtual std::string name() const = 0;
};

/// cuDNN of a context, opened at the first convolution.
class Cudnn {
 public:
  Cudnn(Gpu& gpu, bool deterministic);
  ~Cudnn();

  /// The heuristics' first algorithm that rounds as sums of products do and, where that is wanted, gives the same bits in
  /// every run. Null where there is none, or no cuDNN; why_not() then has the reason.
  std::unique_ptr<CudnnConvolution> find(const ConvolutionProblem& problem);
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

  Gpu& gpu_;
  bool deterministic_;
  std::unique_ptr<Library> library_;
  bool looked_for_ = false;
  std::string missing_, why_not_;
  std::shared_ptr<Memory> scratch_;
};

}  // namespace glia::cuda
