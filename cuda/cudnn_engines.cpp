// Convolutions by cuDNN's graphs (cudnn_graph.h), each tried before it is taken.
// SPDX-License-Identifier: Apache-2.0
#include <cuda/cudnn_check.h>
#include <cuda/cudnn_convolutions.h>
#include <cuda/cudnn_graph.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

namespace glia::cuda {
namespace {

constexpr const char* execute = "cudnnBackendExecute";

class Engine final : public CudnnConvolution {
 public:
  Engine(Gpu& gpu, const CudnnApi& api, cudnnHandle_t handle, const ConvolutionProblem& problem,
         std::unique_ptr<ConvolutionGraph> graph, ConvolutionPlan plan)
      : gpu_(gpu), api_(api), handle_(handle), problem_(problem) {
    origin_.remember();
    prepared_ = std::make_unique<Prepared>(Prepared{std::move(graph), std::move(plan)});
  }
  ~Engine() override {
    Prepared* const prepared = prepared_.release();
    origin_.destroy([&] { delete prepared; });
  }

  void run(const ConvolutionOperands& operands) const override {
    gpu_.count_launch();
    GLIA_CUDNN(api_, SetStream, handle_, gpu_.target());
    check(api_, prepared_->plan.run(handle_, problem_, operands), execute);
  }
  std::size_t workspace_bytes() const override { return prepared_->plan.workspace_bytes(); }
  ConvolutionProblem::Fused fused() const override { return problem_.fused; }
  std::string name() const override {
    constexpr const char* with[] = {"", ", with bias", ", with bias and relu"};
    return detail::concat("cuDNN graph, engine ", prepared_->plan.engine(), with[problem_.fused]);
  }

 private:
  struct Prepared {
    std::unique_ptr<ConvolutionGraph> graph;  // which nobody says that a plan may outlive
    ConvolutionPlan plan;
  };

  Gpu& gpu_;
  const CudnnApi& api_;
  cudnnHandle_t handle_;
  ConvolutionProblem problem_;
  Origin origin_;
  std::unique_ptr<Prepared> prepared_;
};

}  // namespace

std::unique_ptr<CudnnConvolution> find_engine(Gpu& gpu, const CudnnApi& api, cudnnHandle_t handle,
                                              const ConvolutionProblem& problem,
                                              const ConvolutionRules& rules) {
  const auto serves = [&](const ConvolutionPlan& plan) {
    ConvolutionTrial trial(gpu, problem);
    const bool works = trial.works(plan.workspace_bytes(), execute, [&](const ConvolutionOperands& operands) {
      return plan.run(handle, problem, operands);
    });
    // cuDNN does not say what a fused ReLU makes of NaN.
    const bool may_hide_nan = rules.propagate_nan && problem.fused == ConvolutionProblem::bias_relu;
    return works && (!may_hide_nan || trial.gave_nan());
  };
  try {
    auto graph = std::make_unique<ConvolutionGraph>(api, CudnnTarget{.handle = handle}, problem);
    std::optional<ConvolutionPlan> plan = graph->plan(rules.deterministic, serves);
    if (plan) return std::make_unique<Engine>(gpu, api, handle, problem, std::move(graph), std::move(*plan));
  } catch (const DeviceError&) {  // a graph that it does not take: there is another interface
    give_up(execute);
  }
  return nullptr;
}

bool give_up(const char* call) {
  fail_if_lost(call, SourceLocation::here());
  return false;
}

bool ConvolutionTrial::gave_nan() const {
  const std::size_t element = static_cast<std::size_t>(size_of(problem_.dtype));
  const PageLocked seen = gpu_.page_locked(element);
  GLIA_CUDA(cudaMemcpyAsync(seen.data(), y_->data(), element, cudaMemcpyDeviceToHost, gpu_.stream()));
  gpu_.wait();
  const auto is_nan = [&](auto value) {
    std::memcpy(&value, seen.data(), sizeof value);
    return value != value;
  };
  return problem_.dtype == DType::float64 ? is_nan(0.0) : is_nan(0.0f);
}

std::size_t ConvolutionTrial::most_workspace_bytes() const {
  const std::size_t own = workspace_limit(problem_.x_bytes() + problem_.y_bytes() + problem_.weights_bytes());
  return std::min({own, gpu_.workspace_limit(), gpu_.free_bytes() / 4});
}

ConvolutionOperands ConvolutionTrial::operands(std::size_t workspace_bytes) {
  const auto filled = [&](std::unique_ptr<Memory>& memory, std::size_t bytes, int byte) -> void* {
    memory = gpu_.allocate(bytes);
    // Not to be read before it is written.
    if (bytes > 0) GLIA_CUDA(cudaMemsetAsync(memory->data(), byte, bytes, gpu_.stream()));
    return memory->data();
  };
  const int factor = problem_.fused == ConvolutionProblem::bias_relu ? 0xFF : 0;  // all bits set is a NaN
  return {filled(x_, problem_.x_bytes(), factor), filled(weights_, problem_.weights_bytes(), factor),
          filled(y_, problem_.y_bytes(), 0), filled(workspace_, workspace_bytes, 0),
          filled(bias_, problem_.bias_bytes(), factor)};
}

}  // namespace glia::cuda
