// Launches what cuda/kernels.h gives, from plain C++.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cuda/check.h>
#include <cuda/gpu.h>
#include <cuda/kernels.h>

namespace glia::cuda {

inline void launch(const KernelLaunch& kernel, const Gpu& gpu) {
  gpu.count_launch();
  void* arguments[] = {const_cast<KernelParameter*>(&kernel.parameter)};
  GLIA_CUDA(cudaLaunchKernel(kernel.function, dim3(kernel.blocks), dim3(kernel.threads), arguments, 0,
                             gpu.target()));
}

}  // namespace glia::cuda
