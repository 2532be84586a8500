// Convolutions as graphs of cuDNN's operations (cuDNN documentation, "Graph API", by its backend descriptors): what cuDNN is told
// of one, which engines will do, and plans of them. Nothing here needs a GPU, so that tests ask for those of GPUs that are not
// here.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cuda/cudnn.h>          // defines: ConvolutionProblem
#include <cuda/cudnn_library.h>  // defines: CudnnApi

#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace glia::cuda {

/// A descriptor of cuDNN, which is made here and goes with this. What cuDNN refuses of its attributes throws.
class BackendDescriptor {
 public:
  BackendDescriptor(const CudnnApi& api, cudnnBackendDescriptorType_t type);
  BackendDescriptor(BackendDescriptor&& other) noexcept
      : api_(other.api_), made_(std::exchange(other.made_, nullptr)) {}
  ~BackendDescriptor();
  operator cudnnBackendDescriptor_t() const { return made_; }

  void set(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, std::int64_t count,
           const void* values);
  void set(cudnnBackendAttributeName_t name, std::initializer_list<std::int64_t> numbers);
  void set(cudnnBackendAttributeName_t name, cudnnDataType_t type);
  void set(cudnnBackendAttributeName_t name, cudnnBackendDescriptor_t descriptor);
  void finalize();
  /// False where cuDNN refuses.
  bool try_to_finalize();

  /// `count` says how many there are, of which at most so many are given.
  void get(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, std::int64_t most,
           std::int64_t* count, void* values) const;
  /// Of an attribute that has at most so many.
  template <class T>
  std::vector<T> values(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type,
                        std::int64_t most) const {
    std::vector<T> all(static_cast<std::size_t>(most));
    std::int64_t count = 0;
    get(name, type, most, &count, all.data());
    all.resize(static_cast<std::size_t>(count));
    return all;
  }

 private:
  const CudnnApi* api_;
  cudnnBackendDescriptor_t made_ = nullptr;
};

/// The GPU that engines are for: a handle's, or one that is only described (CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR).
struct CudnnTarget {
  cudnnHandle_t handle = nullptr;
  cudnnBackendDescriptor_t properties = nullptr;
};

/// An engine, ready to run.
class ConvolutionPlan {
 public:
  ConvolutionPlan(const CudnnApi& api, BackendDescriptor configuration, BackendDescriptor plan,
                  std::int64_t engine)
      : api_(&api), configuration_(std::move(configuration)), plan_(std::move(plan)), engine_(engine) {}

  /// cuDNN's number of it.
  std::int64_t engine() const { return engine_; }
  std::size_t workspace_bytes() const;
  /// On the handle's stream.
  cudnnStatus_t run(cudnnHandle_t handle, const ConvolutionProblem& problem,
                    const ConvolutionOperands& operands) const;

 private:
  const CudnnApi* api_;
  BackendDescriptor configuration_, plan_;
  std::int64_t engine_;
};

/// A convolution with what it fuses, as cuDNN is told of it. Everything is NHWC. Throws where cuDNN refuses.
class ConvolutionGraph {
 public:
  ConvolutionGraph(const CudnnApi& api, const CudnnTarget& target, const ConvolutionProblem& problem);

  /// The first in the heuristics' order whose engine rounds as the problem allows, repeats its bits where that is wanted, is
  /// compiled already, and which `serves`.
  std::optional<ConvolutionPlan> plan(bool deterministic,
                                      const std::function<bool(const ConvolutionPlan&)>& serves) const;

 private:
  std::vector<BackendDescriptor> configurations(cudnnBackendHeurMode_t mode) const;
  std::optional<ConvolutionPlan> plan_of(BackendDescriptor configuration, bool deterministic) const;

  const CudnnApi& api_;
  CudnnTarget target_;
  ConvolutionProblem problem_;
  std::vector<BackendDescriptor> parts_;  ///< what the graph is made of
  BackendDescriptor graph_;
};

}  // namespace glia::cuda
