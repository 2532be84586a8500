// The legacy interface of cuDNN's convolutions (cuDNN documentation, "cudnn_cnn Library"), for those that its graphs have no
// engine for.
// SPDX-License-Identifier: Apache-2.0
#include <cuda/cudnn_check.h>
#include <cuda/cudnn_convolutions.h>
#include <cuda/cudnn_owned.h>
#include <cuda/faults.h>

#include <algorithm>
#include <array>
#include <string>

namespace glia::cuda {
namespace {

using Images = Owned<cudnnTensorDescriptor_t, &CudnnApi::DestroyTensorDescriptor>;
using Weights = Owned<cudnnFilterDescriptor_t, &CudnnApi::DestroyFilterDescriptor>;
using Geometry = Owned<cudnnConvolutionDescriptor_t, &CudnnApi::DestroyConvolutionDescriptor>;

/// What cuDNN is told of a convolution. Everything is NHWC; dimensions are given as N, C, H, W whatever the layout.
struct Description {
  explicit Description(const CudnnApi& api) : x(api), y(api), weights(api), geometry(api) {
    GLIA_CUDNN(api, CreateTensorDescriptor, x.made_here());
    GLIA_CUDNN(api, CreateTensorDescriptor, y.made_here());
    GLIA_CUDNN(api, CreateFilterDescriptor, weights.made_here());
    GLIA_CUDNN(api, CreateConvolutionDescriptor, geometry.made_here());
  }

  /// False where cuDNN refuses.
  bool describe(const CudnnApi& api, const ConvolutionProblem& p) {
    const auto dimension = [](std::int64_t n) { return static_cast<int>(n); };
    const auto accepted = [&api](cudnnStatus_t status, const char* call) {
      if (refuses(status)) return false;
      check(api, status, call);
      return true;
    };
    const bool is_double = p.dtype == DType::float64, is_bfloat16 = p.dtype == DType::bfloat16;
    const cudnnDataType_t sum_type = is_double ? CUDNN_DATA_DOUBLE : CUDNN_DATA_FLOAT;
    const cudnnDataType_t type = is_bfloat16 ? CUDNN_DATA_BFLOAT16 : sum_type;
    const auto describe_images = [&](cudnnTensorDescriptor_t images, const Shape& s) {
      return accepted(api.SetTensor4dDescriptor(images, CUDNN_TENSOR_NHWC, type, dimension(s[0]),
                                                dimension(s[3]), dimension(s[1]), dimension(s[2])),
                      "cudnnSetTensor4dDescriptor");
    };
    const Window& w = p.window;
    // The default type of mathematics allows TF32 from Ampere on; factors of bfloat16 are for tensor cores.
    const bool is_exact = p.dtype == DType::float32 && !p.allows_tf32 && !planted("convolution_in_tf32");
    const cudnnMathType_t math = is_bfloat16 ? CUDNN_TENSOR_OP_MATH
                                 : is_exact  ? CUDNN_FMA_MATH
                                             : CUDNN_DEFAULT_MATH;
    return describe_images(x, p.x_shape) && describe_images(y, p.y_shape) &&
           accepted(api.SetFilter4dDescriptor(weights, type, CUDNN_TENSOR_NHWC, dimension(p.y_shape[3]),
                                              dimension(p.x_shape[3] / p.groups), dimension(w.height),
                                              dimension(w.width)),
                    "cudnnSetFilter4dDescriptor") &&
           accepted(api.SetConvolution2dDescriptor(geometry, dimension(w.top), dimension(w.left),
                                                   dimension(w.stride_height), dimension(w.stride_width),
                                                   dimension(w.dilation_height), dimension(w.dilation_width),
                                                   CUDNN_CROSS_CORRELATION, sum_type),
                    "cudnnSetConvolution2dDescriptor") &&
           accepted(api.SetConvolutionGroupCount(geometry, dimension(p.groups)),
                    "cudnnSetConvolutionGroupCount") &&
           accepted(api.SetConvolutionMathType(geometry, math), "cudnnSetConvolutionMathType");
  }

  Images x, y;
  Weights weights;
  Geometry geometry;
};

/// A convolution's scaling factors: result = 1 * product + 0 * result.
struct Scale {
  explicit Scale(bool is_double)
      : one(is_double ? static_cast<const void*>(&one_double) : &one_float),
        zero(is_double ? static_cast<const void*>(&zero_double) : &zero_float) {}
  static constexpr double one_double = 1, zero_double = 0;
  static constexpr float one_float = 1, zero_float = 0;
  const void *one, *zero;
};

// How cuDNN calls the same things for each of the three results. `sums_products`: algorithms whose every output is a sum of
// products in float32, so that integers stay integers and a NaN goes where it belongs. Transforms (FFT, Winograd) do neither.
struct ForY {
  static constexpr const char* call = "cudnnConvolutionForward";
  using Algorithm = cudnnConvolutionFwdAlgo_t;
  using Candidate = cudnnConvolutionFwdAlgoPerf_t;
  static constexpr int count = CUDNN_CONVOLUTION_FWD_ALGO_COUNT;

  static const char* name(Algorithm algorithm) {
    constexpr const char* names[] = {"IMPLICIT_GEMM", "IMPLICIT_PRECOMP_GEMM", "GEMM", "DIRECT"};
    return algorithm < 4 ? names[algorithm] : "transform";
  }
  static bool sums_products(Algorithm algorithm) { return algorithm <= CUDNN_CONVOLUTION_FWD_ALGO_DIRECT; }
  static cudnnStatus_t candidates(const CudnnApi& api, cudnnHandle_t handle, const Description& d, int* found,
                                  Candidate* results) {
    return api.GetConvolutionForwardAlgorithm_v7(handle, d.x, d.weights, d.geometry, d.y, count, found,
                                                 results);
  }
  static cudnnStatus_t workspace(const CudnnApi& api, cudnnHandle_t handle, const Description& d,
                                 Algorithm algorithm, std::size_t* bytes) {
    return api.GetConvolutionForwardWorkspaceSize(handle, d.x, d.weights, d.geometry, d.y, algorithm, bytes);
  }
  static cudnnStatus_t run(const CudnnApi& api, cudnnHandle_t handle, const Description& d,
                           Algorithm algorithm, const Scale& scale, const ConvolutionOperands& at,
                           std::size_t workspace_bytes) {
    return api.ConvolutionForward(handle, scale.one, d.x, at.x, d.weights, at.weights, d.geometry, algorithm,
                                  at.workspace, workspace_bytes, scale.zero, d.y, at.y);
  }
};

struct ForX {
  static constexpr const char* call = "cudnnConvolutionBackwardData";
  using Algorithm = cudnnConvolutionBwdDataAlgo_t;
  using Candidate = cudnnConvolutionBwdDataAlgoPerf_t;
  static constexpr int count = CUDNN_CONVOLUTION_BWD_DATA_ALGO_COUNT;

  static const char* name(Algorithm algorithm) {
    return algorithm == CUDNN_CONVOLUTION_BWD_DATA_ALGO_1 ? "BWD_DATA_ALGO_1" : "BWD_DATA_ALGO_0";
  }
  static bool sums_products(Algorithm algorithm) { return algorithm <= CUDNN_CONVOLUTION_BWD_DATA_ALGO_1; }
  static cudnnStatus_t candidates(const CudnnApi& api, cudnnHandle_t handle, const Description& d, int* found,
                                  Candidate* results) {
    return api.GetConvolutionBackwardDataAlgorithm_v7(handle, d.weights, d.y, d.geometry, d.x, count, found,
                                                      results);
  }
  static cudnnStatus_t workspace(const CudnnApi& api, cudnnHandle_t handle, const Description& d,
                                 Algorithm algorithm, std::size_t* bytes) {
    return api.GetConvolutionBackwardDataWorkspaceSize(handle, d.weights, d.y, d.geometry, d.x, algorithm,
                                                       bytes);
  }
  static cudnnStatus_t run(const CudnnApi& api, cudnnHandle_t handle, const Description& d,
                           Algorithm algorithm, const Scale& scale, const ConvolutionOperands& at,
                           std::size_t workspace_bytes) {
    return api.ConvolutionBackwardData(handle, scale.one, d.weights, at.weights, d.y, at.y, d.geometry,
                                       algorithm, at.workspace, workspace_bytes, scale.zero, d.x, at.x);
  }
};

struct ForWeights {
  static constexpr const char* call = "cudnnConvolutionBackwardFilter";
  using Algorithm = cudnnConvolutionBwdFilterAlgo_t;
  using Candidate = cudnnConvolutionBwdFilterAlgoPerf_t;
  static constexpr int count = CUDNN_CONVOLUTION_BWD_FILTER_ALGO_COUNT;

  static const char* name(Algorithm algorithm) {
    constexpr const char* names[] = {"BWD_FILTER_ALGO_0", "BWD_FILTER_ALGO_1", "transform",
                                     "BWD_FILTER_ALGO_3"};
    return names[std::min<int>(algorithm, 3)];
  }
  static bool sums_products(Algorithm algorithm) {
    return algorithm <= CUDNN_CONVOLUTION_BWD_FILTER_ALGO_1 ||
           algorithm == CUDNN_CONVOLUTION_BWD_FILTER_ALGO_3;
  }
  static cudnnStatus_t candidates(const CudnnApi& api, cudnnHandle_t handle, const Description& d, int* found,
                                  Candidate* results) {
    return api.GetConvolutionBackwardFilterAlgorithm_v7(handle, d.x, d.y, d.geometry, d.weights, count, found,
                                                        results);
  }
  static cudnnStatus_t workspace(const CudnnApi& api, cudnnHandle_t handle, const Description& d,
                                 Algorithm algorithm, std::size_t* bytes) {
    return api.GetConvolutionBackwardFilterWorkspaceSize(handle, d.x, d.y, d.geometry, d.weights, algorithm,
                                                         bytes);
  }
  static cudnnStatus_t run(const CudnnApi& api, cudnnHandle_t handle, const Description& d,
                           Algorithm algorithm, const Scale& scale, const ConvolutionOperands& at,
                           std::size_t workspace_bytes) {
    return api.ConvolutionBackwardFilter(handle, scale.one, d.x, at.x, d.y, at.y, d.geometry, algorithm,
                                         at.workspace, workspace_bytes, scale.zero, d.weights, at.weights);
  }
};

/// The algorithm is set by find(), which gives up an object that it finds none for.
template <class Kind>
class Convolution final : public CudnnConvolution {
 public:
  Convolution(Gpu& gpu, const CudnnApi& api, cudnnHandle_t handle, const ConvolutionProblem& problem)
      : gpu_(gpu), api_(api), handle_(handle), problem_(problem), description_(api) {}

  bool find(bool deterministic) {
    if (!description_.describe(api_, problem_)) return false;
    std::array<typename Kind::Candidate, Kind::count> candidates;
    int found = 0;
    const cudnnStatus_t status = Kind::candidates(api_, handle_, description_, &found, candidates.data());
    if (refuses(status)) return false;
    check(api_, status, question("Algorithm_v7").c_str());
    return std::any_of(candidates.begin(), candidates.begin() + found, [&](const auto& candidate) {
      return is_wanted(candidate, deterministic) && works(candidate);
    });
  }

  void run(const ConvolutionOperands& operands) const override {
    gpu_.count_launch();
    GLIA_CUDNN(api_, SetStream, handle_, gpu_.target());
    check(api_, launch(operands), Kind::call);
  }
  std::size_t workspace_bytes() const override { return workspace_bytes_; }
  ConvolutionProblem::Fused fused() const override { return ConvolutionProblem::nothing; }
  std::string name() const override { return std::string("cuDNN ") + Kind::name(algorithm_); }

 private:
  /// "cudnnGetConvolutionForwardAlgorithm_v7" of "cudnnConvolutionForward".
  static std::string question(const char* what) {
    return std::string("cudnnGet").append(Kind::call + sizeof "cudnn" - 1).append(what);
  }

  static bool is_wanted(const typename Kind::Candidate& candidate, bool deterministic) {
    return candidate.status == CUDNN_STATUS_SUCCESS && Kind::sums_products(candidate.algo) &&
           (candidate.determinism == CUDNN_DETERMINISTIC || !deterministic ||
            planted("nondeterministic_convolution"));
  }

  /// Asks for the workspace under our own type of mathematics, which a candidate's may differ from.
  bool works(const typename Kind::Candidate& candidate) {
    algorithm_ = candidate.algo;
    const cudnnStatus_t status = Kind::workspace(api_, handle_, description_, algorithm_, &workspace_bytes_);
    if (status != CUDNN_STATUS_SUCCESS) return give_up(question("WorkspaceSize").c_str());
    return ConvolutionTrial(gpu_, problem_)
        .works(workspace_bytes_, Kind::call,
               [&](const ConvolutionOperands& operands) { return launch(operands); });
  }

  cudnnStatus_t launch(const ConvolutionOperands& operands) const {
    return Kind::run(api_, handle_, description_, algorithm_, Scale(problem_.dtype == DType::float64),
                     operands, workspace_bytes_);
  }

  Gpu& gpu_;
  const CudnnApi& api_;
  cudnnHandle_t handle_;
  ConvolutionProblem problem_;
  Description description_;
  typename Kind::Algorithm algorithm_ = {};
  std::size_t workspace_bytes_ = 0;
};

template <class Kind>
std::unique_ptr<CudnnConvolution> find_by(Gpu& gpu, const CudnnApi& api, cudnnHandle_t handle,
                                          const ConvolutionProblem& problem, bool deterministic) {
  auto convolution = std::make_unique<Convolution<Kind>>(gpu, api, handle, problem);
  if (!convolution->find(deterministic)) return nullptr;
  return convolution;
}

}  // namespace

std::unique_ptr<CudnnConvolution> find_algorithm(Gpu& gpu, const CudnnApi& api, cudnnHandle_t handle,
                                                 const ConvolutionProblem& problem,
                                                 const ConvolutionRules& rules) {
  const auto find = problem.result == ConvolutionProblem::y   ? find_by<ForY>
                    : problem.result == ConvolutionProblem::x ? find_by<ForX>
                                                              : find_by<ForWeights>;
  return find(gpu, api, handle, problem, rules.deterministic);
}

}  // namespace glia::cuda
