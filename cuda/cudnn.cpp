// cuDNN of a context: opened at the first convolution, and asked by each of its interfaces in turn.
// SPDX-License-Identifier: Apache-2.0
#include <cuda/cudnn_check.h>
#include <cuda/cudnn_convolutions.h>
#include <cuda/cudnn_owned.h>
#include <cuda/log.h>

#include <algorithm>
#include <limits>
#include <optional>
#include <tuple>

namespace glia::cuda {
namespace {

constexpr std::size_t least_version = 90000;

/// cuDNN counts in int.
bool has_dimensions_of_int(const ConvolutionProblem& p) {
  const Window& w = p.window;
  const auto fits = [](std::int64_t n) { return n > 0 && n <= std::numeric_limits<int>::max(); };
  return std::all_of(p.x_shape.begin(), p.x_shape.end(), fits) &&
         std::all_of(p.y_shape.begin(), p.y_shape.end(), fits) && fits(w.span_height()) &&
         fits(w.span_width()) && fits(w.stride_height) && fits(w.stride_width);
}

bool is_same(const ConvolutionProblem& a, const ConvolutionProblem& b) {
  const auto numbers = [](const ConvolutionProblem& p) {
    const Window& w = p.window;
    return std::make_tuple(p.result, p.dtype, p.groups, p.allows_tf32, p.fused, w.height, w.width,
                           w.stride_height, w.stride_width, w.dilation_height, w.dilation_width, w.top,
                           w.left);
  };
  return a.x_shape == b.x_shape && a.y_shape == b.y_shape && numbers(a) == numbers(b);
}

/// major * 10000 + minor * 100 + patch; before version 9 major * 1000.
std::string version_in_words(std::size_t version) {
  const std::size_t one = version < least_version ? 1000 : 10000;
  return detail::concat(version / one, '.', version % one / 100, '.', version % 100);
}

/// Whether cuDNN cannot be used at all: a library of its own is missing, or the driver or GPU is not served.
bool cannot_start(cudnnStatus_t status) { return CUDNN_STATUS_CATEGORY(status) == 1000 || refuses(status); }

using OwnedHandle = Owned<cudnnHandle_t, &CudnnApi::Destroy>;

}  // namespace

struct Cudnn::Library {
  explicit Library(const CudnnApi& a) : api(a), handle(api) {}
  CudnnApi api;
  OwnedHandle handle;
};

Cudnn::Cudnn(Gpu& gpu, const ConvolutionRules& rules) : gpu_(gpu), rules_(rules) {}
Cudnn::~Cudnn() = default;

/// What is not there at the first convolution is not looked for again.
void Cudnn::start() {
  if (looked_for_) return;
  library_ = opened();
  looked_for_ = true;
  if (library_)
    log(LogLevel::info, "cuDNN ", version(), " was opened");
  else
    log(LogLevel::info, "cuDNN was not opened (", missing_, "): convolutions run as plain loops");
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

std::shared_ptr<const CudnnConvolution> Cudnn::find(const ConvolutionProblem& problem) {
  start();
  why_not_ = library_ ? "cuDNN has no algorithm" : "no cuDNN";
  if (!library_ || !has_dimensions_of_int(problem)) return nullptr;
  std::erase_if(kept_, [](const auto& one) { return one.second.expired(); });
  const auto equal = [&](const auto& one) { return is_same(one.first, problem); };
  if (const auto kept = std::find_if(kept_.begin(), kept_.end(), equal); kept != kept_.end())
    return kept->second.lock();
  std::shared_ptr<const CudnnConvolution> found = look_for(problem);
  if (found) kept_.emplace_back(problem, found);
  return found;
}

std::unique_ptr<CudnnConvolution> Cudnn::look_for(ConvolutionProblem problem) {
  GLIA_CUDNN(library_->api, SetStream, library_->handle, gpu_.stream());  // of trials
  const auto by = [&](const auto& find) {
    return find(gpu_, library_->api, library_->handle, problem, rules_);
  };
  if (auto fused = by(find_engine)) return fused;
  const auto refused = [&](const char* what, const char* next) {
    log(LogLevel::debug, "cuDNN has no ", what, " for ", problem.x_shape, " and ", problem.y_shape, ": ",
        next);
  };
  if (std::exchange(problem.fused, ConvolutionProblem::nothing) != ConvolutionProblem::nothing) {
    refused("engine with a bias fused", "the convolution alone is asked for");
    if (auto engine = by(find_engine)) return engine;
  }
  refused("engine", "the legacy interface is asked");
  auto algorithm = by(find_algorithm);
  if (!algorithm) refused("algorithm", "plain loops serve");
  return algorithm;
}

std::shared_ptr<Memory> Cudnn::scratch(std::size_t bytes) {
  if (!scratch_ || scratch_->bytes() < bytes) scratch_ = gpu_.allocate(bytes);
  return scratch_;
}

std::string Cudnn::version() const {
  return library_ ? version_in_words(library_->api.GetVersion()) : missing_;
}

}  // namespace glia::cuda
