// cuDNN's legacy convolutions in the double (cuDNN documentation, "cudnn_cnn Library"). Its heuristics put first
// what a careful caller must not take: what may give other bits the next time, what rounds as a transform does, what does not
// work, and what wants more memory than there is.
// SPDX-License-Identifier: Apache-2.0
#include <vector>

#include "tests/cuda_double/cudnn_loops.h"

namespace glia::cuda_double {
namespace {

/// An algorithm of the lists below.
struct Offer {
  int algorithm;
  cudnnDeterminism_t determinism;
  bool transforms;  // FFT, Winograd: rounds where a sum of products would not
  bool works = true;
  std::size_t workspace = 256;
};

bool works(const Offer& offer) {
  const Settings& s = settings();
  return offer.works && !s.refuses_algorithms &&
         !(s.repeats_no_bits && offer.determinism == CUDNN_DETERMINISTIC);
}

constexpr std::size_t enormous = std::size_t{1} << 40;

/// Tells cuDNN's enumerations apart.
struct Forward {
  static constexpr Computed computed = Computed::y;
  static constexpr const char *name = "forward", *function = "cudnnConvolutionForward";
  static std::vector<Offer> offers() {
    return {{CUDNN_CONVOLUTION_FWD_ALGO_GEMM, CUDNN_NON_DETERMINISTIC, false},
            {CUDNN_CONVOLUTION_FWD_ALGO_WINOGRAD, CUDNN_DETERMINISTIC, true},
            {CUDNN_CONVOLUTION_FWD_ALGO_DIRECT, CUDNN_DETERMINISTIC, false, false},
            {CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM, CUDNN_DETERMINISTIC, false, true, enormous},
            {CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_GEMM, CUDNN_DETERMINISTIC, false}};
  }
};
struct BackwardData {
  static constexpr Computed computed = Computed::x;
  static constexpr const char *name = "backward data", *function = "cudnnConvolutionBackwardData";
  static std::vector<Offer> offers() {
    return {{CUDNN_CONVOLUTION_BWD_DATA_ALGO_0, CUDNN_NON_DETERMINISTIC, false},
            {CUDNN_CONVOLUTION_BWD_DATA_ALGO_WINOGRAD, CUDNN_DETERMINISTIC, true},
            {CUDNN_CONVOLUTION_BWD_DATA_ALGO_FFT, CUDNN_DETERMINISTIC, true, false},
            {CUDNN_CONVOLUTION_BWD_DATA_ALGO_1, CUDNN_DETERMINISTIC, false}};
  }
};
struct BackwardFilter {
  static constexpr Computed computed = Computed::w;
  static constexpr const char *name = "backward filter", *function = "cudnnConvolutionBackwardFilter";
  static std::vector<Offer> offers() {
    return {{CUDNN_CONVOLUTION_BWD_FILTER_ALGO_3, CUDNN_NON_DETERMINISTIC, false},
            {CUDNN_CONVOLUTION_BWD_FILTER_ALGO_0, CUDNN_NON_DETERMINISTIC, false},
            {CUDNN_CONVOLUTION_BWD_FILTER_ALGO_FFT, CUDNN_DETERMINISTIC, true},
            {CUDNN_CONVOLUTION_BWD_FILTER_ALGO_WINOGRAD, CUDNN_DETERMINISTIC, true, false},
            {CUDNN_CONVOLUTION_BWD_FILTER_ALGO_1, CUDNN_DETERMINISTIC, false}};
  }
};

cudnnStatus_t read(Problem& p, cudnnTensorDescriptor_t x, cudnnFilterDescriptor_t w,
                   cudnnConvolutionDescriptor_t convolution, cudnnTensorDescriptor_t y) {
  if (!x || !w || !convolution || !y) return CUDNN_STATUS_BAD_PARAM_NULL_POINTER;
  p = {*x, *y, *w, *convolution};
  const cudnnStatus_t status = p.status();
  const bool is_refused = x->type == CUDNN_DATA_DOUBLE && settings().refuses_float64_images;
  return status == CUDNN_STATUS_SUCCESS && is_refused ? CUDNN_STATUS_NOT_SUPPORTED : status;
}

template <class Kind>
cudnnStatus_t find_offer(int algorithm, Offer& offer) {
  if (settings().refused_convolutions.count(Kind::name)) return CUDNN_STATUS_NOT_SUPPORTED;
  for (const Offer& one : Kind::offers()) {
    if (one.algorithm != algorithm) continue;
    if (!works(one)) return CUDNN_STATUS_NOT_SUPPORTED;
    offer = one;
    offer.workspace += settings().convolution_workspace;
    return CUDNN_STATUS_SUCCESS;
  }
  return CUDNN_STATUS_NOT_SUPPORTED;
}

template <class Kind>
cudnnStatus_t convolve(cudnnHandle_t handle, cudnnTensorDescriptor_t x, cudnnFilterDescriptor_t w,
                       cudnnConvolutionDescriptor_t convolution, cudnnTensorDescriptor_t y, int algorithm,
                       const Operands& at) {
  if (!handle || !at.alpha || !at.beta || !at.x || !at.w || !at.y) return CUDNN_STATUS_BAD_PARAM_NULL_POINTER;
  Problem p;
  Offer offer = {};
  cudnnStatus_t status = read(p, x, w, convolution, y);
  if (status == CUDNN_STATUS_SUCCESS) status = find_offer<Kind>(algorithm, offer);
  if (status != CUDNN_STATUS_SUCCESS) return status;
  if (!at.workspace || at.workspace_bytes < offer.workspace) return CUDNN_STATUS_BAD_PARAM_SIZE_INSUFFICIENT;
  const Manner manner{.of_chance = offer.determinism == CUDNN_NON_DETERMINISTIC,
                      .transforms = offer.transforms,
                      .in_tf32 = p.allows_tf32(),
                      .workspace = offer.workspace};
  return cudnn_status_of(
      enqueue_convolution(Kind::computed, Kind::function, p, manner, at, {}, handle->stream));
}

/// Those that work first, as cuDNN has them; a status says which do.
template <class Kind, class Performance>
cudnnStatus_t candidates(cudnnHandle_t handle, cudnnTensorDescriptor_t x, cudnnFilterDescriptor_t w,
                         cudnnConvolutionDescriptor_t convolution, cudnnTensorDescriptor_t y, int wanted,
                         int* found, Performance* results) {
  if (!handle || !found || !results) return CUDNN_STATUS_BAD_PARAM_NULL_POINTER;
  *found = 0;
  Problem p;
  const cudnnStatus_t status = read(p, x, w, convolution, y);
  if (status != CUDNN_STATUS_SUCCESS) return status;
  if (wanted < 1) return CUDNN_STATUS_BAD_PARAM;
  if (settings().refused_convolutions.count(Kind::name)) return CUDNN_STATUS_NOT_SUPPORTED;
  for (const Offer& offer : Kind::offers()) {
    if (*found == wanted) break;
    Performance& result = results[(*found)++];
    result = {};
    result.algo = static_cast<decltype(result.algo)>(offer.algorithm);
    result.status = works(offer) ? CUDNN_STATUS_SUCCESS : CUDNN_STATUS_NOT_SUPPORTED;
    result.time = -1;
    result.memory = offer.workspace + settings().convolution_workspace;
    result.determinism = offer.determinism;
    result.mathType = CUDNN_DEFAULT_MATH;  // not the caller's: heuristics may answer for another
  }
  return CUDNN_STATUS_SUCCESS;
}

template <class Kind>
cudnnStatus_t workspace(cudnnHandle_t handle, cudnnTensorDescriptor_t x, cudnnFilterDescriptor_t w,
                        cudnnConvolutionDescriptor_t convolution, cudnnTensorDescriptor_t y, int algorithm,
                        std::size_t* bytes) {
  if (!handle || !bytes) return CUDNN_STATUS_BAD_PARAM_NULL_POINTER;
  Problem p;
  Offer offer = {};
  cudnnStatus_t status = read(p, x, w, convolution, y);
  if (status == CUDNN_STATUS_SUCCESS) status = find_offer<Kind>(algorithm, offer);
  if (status == CUDNN_STATUS_SUCCESS) *bytes = offer.workspace;
  return status;
}

}  // namespace
}  // namespace glia::cuda_double

using namespace glia::cuda_double;

extern "C" {

cudnnStatus_t cudnnGetConvolutionForwardAlgorithm_v7(cudnnHandle_t handle, cudnnTensorDescriptor_t x,
                                                     cudnnFilterDescriptor_t w,
                                                     cudnnConvolutionDescriptor_t convolution,
                                                     cudnnTensorDescriptor_t y, int wanted, int* found,
                                                     cudnnConvolutionFwdAlgoPerf_t* results) {
  GLIA_DOUBLE_ENTER_DNN();
  return candidates<Forward>(handle, x, w, convolution, y, wanted, found, results);
}
cudnnStatus_t cudnnGetConvolutionBackwardDataAlgorithm_v7(cudnnHandle_t handle, cudnnFilterDescriptor_t w,
                                                          cudnnTensorDescriptor_t y,
                                                          cudnnConvolutionDescriptor_t convolution,
                                                          cudnnTensorDescriptor_t x, int wanted, int* found,
                                                          cudnnConvolutionBwdDataAlgoPerf_t* results) {
  GLIA_DOUBLE_ENTER_DNN();
  return candidates<BackwardData>(handle, x, w, convolution, y, wanted, found, results);
}
cudnnStatus_t cudnnGetConvolutionBackwardFilterAlgorithm_v7(cudnnHandle_t handle, cudnnTensorDescriptor_t x,
                                                            cudnnTensorDescriptor_t y,
                                                            cudnnConvolutionDescriptor_t convolution,
                                                            cudnnFilterDescriptor_t w, int wanted, int* found,
                                                            cudnnConvolutionBwdFilterAlgoPerf_t* results) {
  GLIA_DOUBLE_ENTER_DNN();
  return candidates<BackwardFilter>(handle, x, w, convolution, y, wanted, found, results);
}

cudnnStatus_t cudnnGetConvolutionForwardWorkspaceSize(cudnnHandle_t handle, cudnnTensorDescriptor_t x,
                                                      cudnnFilterDescriptor_t w,
                                                      cudnnConvolutionDescriptor_t convolution,
                                                      cudnnTensorDescriptor_t y,
                                                      cudnnConvolutionFwdAlgo_t algorithm,
                                                      std::size_t* bytes) {
  GLIA_DOUBLE_ENTER_DNN();
  return workspace<Forward>(handle, x, w, convolution, y, algorithm, bytes);
}
cudnnStatus_t cudnnGetConvolutionBackwardDataWorkspaceSize(cudnnHandle_t handle, cudnnFilterDescriptor_t w,
                                                           cudnnTensorDescriptor_t y,
                                                           cudnnConvolutionDescriptor_t convolution,
                                                           cudnnTensorDescriptor_t x,
                                                           cudnnConvolutionBwdDataAlgo_t algorithm,
                                                           std::size_t* bytes) {
  GLIA_DOUBLE_ENTER_DNN();
  return workspace<BackwardData>(handle, x, w, convolution, y, algorithm, bytes);
}
cudnnStatus_t cudnnGetConvolutionBackwardFilterWorkspaceSize(cudnnHandle_t handle, cudnnTensorDescriptor_t x,
                                                             cudnnTensorDescriptor_t y,
                                                             cudnnConvolutionDescriptor_t convolution,
                                                             cudnnFilterDescriptor_t w,
                                                             cudnnConvolutionBwdFilterAlgo_t algorithm,
                                                             std::size_t* bytes) {
  GLIA_DOUBLE_ENTER_DNN();
  return workspace<BackwardFilter>(handle, x, w, convolution, y, algorithm, bytes);
}

// Everything but images and weights is read at the call.
cudnnStatus_t cudnnConvolutionForward(cudnnHandle_t handle, const void* alpha, cudnnTensorDescriptor_t x,
                                      const void* x_data, cudnnFilterDescriptor_t w, const void* w_data,
                                      cudnnConvolutionDescriptor_t convolution,
                                      cudnnConvolutionFwdAlgo_t algorithm, void* workspace,
                                      std::size_t workspace_bytes, const void* beta,
                                      cudnnTensorDescriptor_t y, void* y_data) {
  GLIA_DOUBLE_ENTER_DNN();
  return convolve<Forward>(handle, x, w, convolution, y, algorithm,
                           {alpha, beta, x_data, w_data, y_data, workspace, workspace_bytes});
}
cudnnStatus_t cudnnConvolutionBackwardData(cudnnHandle_t handle, const void* alpha, cudnnFilterDescriptor_t w,
                                           const void* w_data, cudnnTensorDescriptor_t y, const void* y_data,
                                           cudnnConvolutionDescriptor_t convolution,
                                           cudnnConvolutionBwdDataAlgo_t algorithm, void* workspace,
                                           std::size_t workspace_bytes, const void* beta,
                                           cudnnTensorDescriptor_t x, void* x_data) {
  GLIA_DOUBLE_ENTER_DNN();
  return convolve<BackwardData>(handle, x, w, convolution, y, algorithm,
                                {alpha, beta, x_data, w_data, y_data, workspace, workspace_bytes});
}
cudnnStatus_t cudnnConvolutionBackwardFilter(cudnnHandle_t handle, const void* alpha,
                                             cudnnTensorDescriptor_t x, const void* x_data,
                                             cudnnTensorDescriptor_t y, const void* y_data,
                                             cudnnConvolutionDescriptor_t convolution,
                                             cudnnConvolutionBwdFilterAlgo_t algorithm, void* workspace,
                                             std::size_t workspace_bytes, const void* beta,
                                             cudnnFilterDescriptor_t w, void* w_data) {
  GLIA_DOUBLE_ENTER_DNN();
  return convolve<BackwardFilter>(handle, x, w, convolution, y, algorithm,
                                  {alpha, beta, x_data, w_data, y_data, workspace, workspace_bytes});
}

}  // extern "C"
