// In the place of cudnn.cpp where Glia is built without cuDNN's headers.
// SPDX-License-Identifier: Apache-2.0
#include <cuda/cudnn.h>

namespace glia::cuda {

struct Cudnn::Library {};

Cudnn::Cudnn(Gpu& gpu, const ConvolutionRules& rules)
    : gpu_(gpu), rules_(rules), why_not_("built without cuDNN") {}
Cudnn::~Cudnn() = default;
std::shared_ptr<const CudnnConvolution> Cudnn::find(const ConvolutionProblem&) {
  looked_for_ = true;
  return nullptr;
}
std::shared_ptr<Memory> Cudnn::scratch(std::size_t bytes) { return gpu_.allocate(bytes); }
std::string Cudnn::version() const { return looked_for_ ? why_not_ : ""; }

}  // namespace glia::cuda
