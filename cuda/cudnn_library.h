// The functions of cuDNN that Glia calls. cuDNN is not linked: a program without convolutions needs none, and half a
// gigabyte of it would be mapped at each start.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cudnn.h>

#include <optional>
#include <string>

namespace glia::cuda {

// Their names without "cudnn"; the one list of them.
#define GLIA_CUDNN_FUNCTIONS(EACH)                \
  EACH(GetVersion)                                \
  EACH(GetErrorString)                            \
  EACH(Create)                                    \
  EACH(Destroy)                                   \
  EACH(SetStream)                                 \
  EACH(CreateTensorDescriptor)                    \
  EACH(DestroyTensorDescriptor)                   \
  EACH(SetTensor4dDescriptor)                     \
  EACH(CreateFilterDescriptor)                    \
  EACH(DestroyFilterDescriptor)                   \
  EACH(SetFilter4dDescriptor)                     \
  EACH(CreateConvolutionDescriptor)               \
  EACH(DestroyConvolutionDescriptor)              \
  EACH(SetConvolution2dDescriptor)                \
  EACH(SetConvolutionGroupCount)                  \
  EACH(SetConvolutionMathType)                    \
  EACH(GetConvolutionForwardAlgorithm_v7)         \
  EACH(GetConvolutionForwardWorkspaceSize)        \
  EACH(ConvolutionForward)                        \
  EACH(GetConvolutionBackwardDataAlgorithm_v7)    \
  EACH(GetConvolutionBackwardDataWorkspaceSize)   \
  EACH(ConvolutionBackwardData)                   \
  EACH(GetConvolutionBackwardFilterAlgorithm_v7)  \
  EACH(GetConvolutionBackwardFilterWorkspaceSize) \
  EACH(ConvolutionBackwardFilter)                 \
  EACH(BackendCreateDescriptor)                   \
  EACH(BackendDestroyDescriptor)                  \
  EACH(BackendSetAttribute)                       \
  EACH(BackendGetAttribute)                       \
  EACH(BackendFinalize)                           \
  EACH(BackendExecute)

struct CudnnApi {
#define GLIA_MEMBER(name) decltype(&cudnn##name) name;
  GLIA_CUDNN_FUNCTIONS(GLIA_MEMBER)
#undef GLIA_MEMBER
};

/// Opens cuDNN, which then stays open. Nothing, and the reason in `why_not`, where there is none.
std::optional<CudnnApi> load_cudnn(std::string& why_not);

}  // namespace glia::cuda
