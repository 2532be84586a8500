// The launcher of kernels/lower.h for a GPU, which every family of its kernels uses: it keeps what it is given.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cuda/kernels/collect.h>
#include <cuda/launch.cuh>

#include <cstring>
#include <type_traits>

namespace glia::cuda {
namespace {

struct Collector {
  KernelList& list;

  template <class Kernel>
  void operator()(const Kernel& kernel, const kernels::Work& work) const {
    static_assert(sizeof(Kernel) <= sizeof(KernelParameter) && std::is_trivially_copyable_v<Kernel>);
    KernelParameter parameter{};
    std::memcpy(parameter.bytes, &kernel, sizeof kernel);
    list.add(reinterpret_cast<const void*>(&run<Kernel>), work, parameter);
  }
};

}  // namespace
}  // namespace glia::cuda
