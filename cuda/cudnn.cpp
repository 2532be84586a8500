// Every call of cuDNN: the legacy interface of its convolutions (cuDNN documentation, "cudnn_cnn Library").
// SPDX-License-Identifier: Apache-2.0
#include <cuda/check.h>
#include <cuda/cudnn.h>
#include <cuda/cudnn_library.h>
#include <cuda/faults.h>

#include <algorithm>
#include <array>
#include <limits>
#include <optional>
#include <utility>

namespace glia::cuda {
namespace {

constexpr std::size_t least_version = 90000;

[[noreturn]] void fail(const CudnnApi& api, cudnnStatus_t status, const char* call, SourceLocation where) {
  const std::string message = detail::concat(call, " failed: ", api.GetErrorString(status), "; ");
  if (status == CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED ||
      status == CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED)
    throw OutOfMemoryError(message + "use smaller batches, or free other tensors first", where);
  throw DeviceError(message + "check that cuDNN's version goes with the driver's", where);
}

void check(const CudnnApi& api, cudnnStatus_t status, const char* call,
           SourceLocation where = SourceLocation::here()) {
  if (status != CUDNN_STATUS_SUCCESS) fail(api, status, call, where);
}
#define GLIA_CUDNN(api, name, ...) check(api, (api).name(__VA_ARGS__), "cudnn" #name)

/// Whether cuDNN says that it does not do what it was asked for. For sizes beyond its limits it may call a parameter bad.
bool refuses(cudnnStatus_t status) {
  const int category = CUDNN_STATUS_CATEGORY(status);
  return category == CUDNN_STATUS_NOT_SUPPORTED || category == CUDNN_STATUS_BAD_PARAM;
}

/// Whether cuDNN cannot be used at all: a library of its own is missing, or the driver or GPU is not served.
bool cannot_start(cudnnStatus_t status) { return CUDNN_STATUS_CATEGORY(status) == 1000 || refuses(status); }

/// Handle (handle.h) for objects that a function of the table destroys.
template <class T, auto destroy>
class Owned {
 public:
  explicit Owned(const CudnnApi& api) : api_(&api) {}
  Owned(Owned&& other) noexcept
      : api_(other.api_), handle_(std::exchange(other.handle_, nullptr)), origin_(other.origin_) {}
  ~Owned() {
    if (handle_) origin_.destroy([&] { static_cast<void>((api_->*destroy)(handle_)); });
  }
  operator T() const { return handle_; }
  T* made_here() {
    origin_.remember();
    return &handle_;
  }

 private:
  const CudnnApi* api_;
  T handle_ = nullptr;
  Origin origin_;
};
using OwnedHandle = Owned<cudnnHandle_t, &CudnnApi::Destroy>;
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

}  // namespace

struct Cudnn::Library {
  explicit Library(const CudnnApi& a) : api(a), handle(api) {}
  CudnnApi api;
  OwnedHandle handle;
};

namespace {

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
    GLIA_CUDNN(api_, SetStream, handle_, gpu_.target());
    check(api_, launch(operands), Kind::call);
  }
  std::size_t workspace_bytes() const override { return workspace_bytes_; }
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

  /// Asks for the workspace under our own type of mathematics, which a candidate's may differ from, and tries the algorithm:
  /// heuristics have been seen to name some that then refuse. It also loads its kernels before a capture.
  bool works(const typename Kind::Candidate& candidate) {
    algorithm_ = candidate.algo;
    if (Kind::workspace(api_, handle_, description_, algorithm_, &workspace_bytes_) != CUDNN_STATUS_SUCCESS ||
        workspace_bytes_ > most_workspace_bytes())
      return give_up(question("WorkspaceSize").c_str());
    GLIA_CUDNN(api_, SetStream, handle_, gpu_.stream());
    try {
      const std::unique_ptr<Memory> x = cleared(x_bytes()), y = cleared(y_bytes()),
                                    weights = cleared(weights_bytes()), workspace = cleared(workspace_bytes_);
      if (launch({x->data(), weights->data(), y->data(), workspace->data()}) == CUDNN_STATUS_SUCCESS)
        return true;
    } catch (const OutOfMemoryError&) {  // another may do with less
    }
    return give_up(Kind::call);
  }

  /// False, for the next candidate; but an error that stays is no candidate's.
  static bool give_up(const char* call) {
    const cudaError_t error = cudaGetLastError();
    if (is_sticky(error)) cuda::fail(error, call, SourceLocation::here());
    return false;
  }

  std::size_t bytes_of(std::int64_t elements) const {
    return static_cast<std::size_t>(elements * size_of(problem_.dtype));
  }
  std::size_t x_bytes() const { return bytes_of(problem_.x_shape.elements()); }
  std::size_t y_bytes() const { return bytes_of(problem_.y_shape.elements()); }
  std::size_t weights_bytes() const {
    const Window& w = problem_.window;
    return bytes_of(w.height * w.width * problem_.x_shape[3] / problem_.groups * problem_.y_shape[3]);
  }
  /// Not to be read before it is written.
  std::unique_ptr<Memory> cleared(std::size_t bytes) const {
    std::unique_ptr<Memory> memory = gpu_.allocate(bytes);
    if (bytes > 0) GLIA_CUDA(cudaMemsetAsync(memory->data(), 0, bytes, gpu_.stream()));
    return memory;
  }

  /// At most a quarter of the memory that is left.
  std::size_t most_workspace_bytes() const {
    return std::min(workspace_limit(x_bytes() + y_bytes() + weights_bytes()), gpu_.free_bytes() / 4);
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
std::unique_ptr<CudnnConvolution> found(Gpu& gpu, const CudnnApi& api, cudnnHandle_t handle,
                                        const ConvolutionProblem& problem, bool deterministic) {
  auto convolution = std::make_unique<Convolution<Kind>>(gpu, api, handle, problem);
  if (!convolution->find(deterministic)) return nullptr;
  return convolution;
}

/// cuDNN counts in int.
bool has_dimensions_of_int(const ConvolutionProblem& p) {
  const Window& w = p.window;
  const auto fits = [](std::int64_t n) { return n > 0 && n <= std::numeric_limits<int>::max(); };
  return std::all_of(p.x_shape.begin(), p.x_shape.end(), fits) &&
         std::all_of(p.y_shape.begin(), p.y_shape.end(), fits) && fits(w.span_height()) &&
         fits(w.span_width()) && fits(w.stride_height) && fits(w.stride_width);
}

/// major * 10000 + minor * 100 + patch; before version 9 major * 1000.
std::string version_in_words(std::size_t version) {
  const std::size_t one = version < least_version ? 1000 : 10000;
  return detail::concat(version / one, '.', version % one / 100, '.', version % 100);
}

}  // namespace

Cudnn::Cudnn(Gpu& gpu, bool deterministic) : gpu_(gpu), deterministic_(deterministic) {}
Cudnn::~Cudnn() = default;

/// What is not there at the first convolution is not looked for again.
void Cudnn::start() {
  if (looked_for_) return;
  library_ = opened();
  looked_for_ = true;
}

std::unique_ptr<Cudnn::Library> Cudnn::opened() {
  const std::optional<CudnnApi> api = load_cudnn(missing_);
  if (!api) return nullptr;
  const std::string name = "cuDNN " + version_in_words(api->GetVersion());
  if (api->GetVersion() < least_version) {
    missing_ = name + " is too old: " + version_in_words(least_version) + " or later is needed";
    return nullptr;
  }
  auto library = std::make_unique<Library>(*api);
  const cudnnStatus_t status = api->Create(library->handle.made_here());
  if (cannot_start(status)) {
    missing_ = name + " cannot start: " + api->GetErrorString(status);
    return nullptr;
  }
  check(*api, status, "cudnnCreate");
  return library;
}

std::unique_ptr<CudnnConvolution> Cudnn::find(const ConvolutionProblem& problem) {
  start();
  why_not_ = library_ ? "cuDNN has no algorithm" : "no cuDNN";
  if (!library_ || !has_dimensions_of_int(problem)) return nullptr;
  const auto find_for = problem.result == ConvolutionProblem::y   ? found<ForY>
                        : problem.result == ConvolutionProblem::x ? found<ForX>
                                                                  : found<ForWeights>;
  return find_for(gpu_, library_->api, library_->handle, problem, deterministic_);
}

std::shared_ptr<Memory> Cudnn::scratch(std::size_t bytes) {
  if (!scratch_ || scratch_->bytes() < bytes) scratch_ = gpu_.allocate(bytes);
  return scratch_;
}

std::string Cudnn::version() const {
  return library_ ? version_in_words(library_->api.GetVersion()) : missing_;
}

}  // namespace glia::cuda
