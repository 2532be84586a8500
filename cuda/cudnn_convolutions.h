// Convolutions of cuDNN by each of its two interfaces, and what both do before they take one.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cuda/check.h>
#include <cuda/cudnn.h>
#include <cuda/cudnn_library.h>
#include <cuda/gpu.h>

#include <cstddef>
#include <memory>

namespace glia::cuda {

/// By the legacy interface, which fuses nothing. Null where it has no algorithm.
std::unique_ptr<CudnnConvolution> find_algorithm(Gpu& gpu, const CudnnApi& api, cudnnHandle_t handle,
                                                 const ConvolutionProblem& problem,
                                                 const ConvolutionRules& rules);
/// As a graph, with all that the problem wants fused. Null where it has no engine.
std::unique_ptr<CudnnConvolution> find_engine(Gpu& gpu, const CudnnApi& api, cudnnHandle_t handle,
                                              const ConvolutionProblem& problem,
                                              const ConvolutionRules& rules);

/// False, for the next candidate; but an error that stays is no candidate's.
bool give_up(const char* call);

/// One run of a convolution on memory of its own, before any is captured: heuristics have been seen to name what then refuses.
/// It also loads kernels.
class ConvolutionTrial {
 public:
  ConvolutionTrial(Gpu& gpu, const ConvolutionProblem& problem) : gpu_(gpu), problem_(problem) {}

  /// Whether launch(operands) succeeds within the workspace that a convolution may have. What it reads is NaN where a ReLU is
  /// fused, else zero.
  template <class Launch>
  bool works(std::size_t workspace_bytes, const char* call, const Launch& launch) {
    if (workspace_bytes > most_workspace_bytes()) return false;
    try {
      if (launch(operands(workspace_bytes)) == CUDNN_STATUS_SUCCESS) return true;
    } catch (const OutOfMemoryError&) {  // another may do with less
    }
    return give_up(call);
  }
  /// Whether the result of the run that works() made is NaN. Waits.
  bool gave_nan() const;

 private:
  /// At most what the context allows, and a quarter of the memory that is left.
  std::size_t most_workspace_bytes() const;
  ConvolutionOperands operands(std::size_t workspace_bytes);

  Gpu& gpu_;
  const ConvolutionProblem& problem_;
  std::unique_ptr<Memory> x_, weights_, y_, workspace_, bias_;
};

}  // namespace glia::cuda
