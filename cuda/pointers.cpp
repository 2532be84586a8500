// Where memory is, by what CUDA knows of an address.
// SPDX-License-Identifier: Apache-2.0
#include <cuda/check.h>
#include <cuda/current_device.h>
#include <cuda/pointers.h>

#include <atomic>

namespace glia::cuda {
namespace {

std::atomic<int> used{-1};  // the last

/// Whether kernels on a device read memory of the host that CUDA has never heard of.
bool reads_pageable(int index) {
  int value = 0;
  GLIA_CUDA(cudaDeviceGetAttribute(&value, cudaDevAttrPageableMemoryAccess, index));
  return value != 0;
}

}  // namespace

void note_used(int index) { used.store(index, std::memory_order_relaxed); }

/// Managed memory is everywhere. Page-locked memory of the host is the host's, but kernels read it too.
std::string why_misplaced(const Device& said, const void* data) {
  const int asked = said.is_cpu() ? used.load(std::memory_order_relaxed) : said.index();
  if (asked < 0) return {};
  const CurrentDevice current(asked);
  cudaPointerAttributes known = {};
  GLIA_CUDA(cudaPointerGetAttributes(&known, data));
  if (known.type == cudaMemoryTypeDevice) {
    if (said.is_cuda() && known.device == said.index()) return {};
    return detail::concat("it lies on cuda:", known.device, ": say glia::Device::cuda(", known.device,
                          ") where the view is made, and give it to a model there, or copy it over first");
  }
  if (said.is_cpu() || known.type != cudaMemoryTypeUnregistered || reads_pageable(asked)) return {};
  return "CUDA knows it as the host's: say glia::Device::cpu() where the view is made, and it is copied "
         "over, or copy "
         "it yourself and give the address on the device";
}

}  // namespace glia::cuda
