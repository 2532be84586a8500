// All GPU code: the kernels of kernels/, one instance of run<> for each that a descriptor can ask for.
// SPDX-License-Identifier: Apache-2.0
#include <cuda/faults.h>
#include <kernels/lower.h>
#include <kernels/transpose.h>
#include <cuda/launch.cuh>

#include <algorithm>
#include <cstring>
#include <type_traits>

namespace glia::cuda {
namespace {

using kernels::Work;

/// Threads of a block: as many as a row has elements, in whole warps.
unsigned threads_for(const Work& work) {
  if (work.kind != Work::rows) return most_threads;
  const std::int64_t wanted = (work.columns + warp_threads - 1) / warp_threads * warp_threads;
  return static_cast<unsigned>(std::clamp<std::int64_t>(wanted, warp_threads, most_threads));
}

unsigned blocks_for(const Work& work, unsigned most_blocks) {
  if (work.kind == Work::exactly)
    return static_cast<unsigned>(planted("off_by_one_grid") && work.count > 1 ? work.count - 1 : work.count);
  const std::int64_t wanted =
      work.kind == Work::elements ? (work.count + most_threads - 1) / most_threads : work.count;
  return static_cast<unsigned>(std::clamp<std::int64_t>(wanted, 1, most_blocks));
}

/// A launcher, as kernels/lower.h wants one, that keeps what it is given.
struct Collector {
  unsigned most_blocks;
  std::vector<KernelLaunch>& launches;

  template <class Kernel>
  void operator()(const Kernel& kernel, const Work& work) const {
    static_assert(sizeof(Kernel) <= sizeof(KernelParameter) && std::is_trivially_copyable_v<Kernel>);
    KernelLaunch launch{
        reinterpret_cast<const void*>(&run<Kernel>), blocks_for(work, most_blocks), threads_for(work), {}};
    std::memcpy(launch.parameter.bytes, &kernel, sizeof kernel);
    launches.push_back(launch);
  }
};

}  // namespace

std::vector<KernelLaunch> elementary_kernels(const Descriptor& descriptor, const Bindings& bindings,
                                             unsigned most_blocks) {
  std::vector<KernelLaunch> launches;
  kernels::select(
      [&](const auto& d) {
        if constexpr (!std::is_same_v<std::decay_t<decltype(d)>, op::Matmul>)
          kernels::lower(d, bindings, Collector{most_blocks, launches});
      },
      descriptor);
  return launches;
}

KernelLaunch product_kernel(const op::Matmul& d, const Bindings& bindings, unsigned most_blocks) {
  std::vector<KernelLaunch> launches;
  kernels::lower_product(d, bindings, 0, d.out.shape[0], 0, d.out.shape[1], Collector{most_blocks, launches});
  return launches.front();
}

KernelLaunch bias_gradient_kernel(const op::Matmul& d, const Bindings& bindings, unsigned most_blocks) {
  std::vector<KernelLaunch> launches;
  kernels::lower_bias_gradient(d, bindings, Collector{most_blocks, launches});
  return launches.front();
}

std::vector<KernelLaunch> epilogue_kernels(const op::Epilogue& d, const Bindings& bindings,
                                           unsigned most_blocks) {
  std::vector<KernelLaunch> launches;
  kernels::lower_epilogue(d, bindings, 0, d.rows, 0, d.columns, Collector{most_blocks, launches});
  return launches;
}

KernelLaunch transpose_kernel(const View& in, const View& out, const Bindings& at, unsigned most_blocks) {
  std::vector<KernelLaunch> launches;
  kernels::visit_moved(in.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    Collector{most_blocks, launches}(
        kernels::TransposeKernel<T>{at.template address<T>(in), at.template address<T>(out), in.shape[0],
                                    in.shape[1]},
        Work{Work::elements, in.elements()});
  });
  return launches.front();
}

}  // namespace glia::cuda
