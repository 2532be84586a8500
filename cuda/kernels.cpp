// From a descriptor to launches: asks the families of kernels, and settles how many blocks of how many threads.
// SPDX-License-Identifier: Apache-2.0
#include <cuda/faults.h>
#include <cuda/kernels/collect.h>

#include <algorithm>
#include <utility>

namespace glia::cuda {
namespace {

using kernels::Work;

/// Threads of a block: of one that has a row at a time as many as a row has elements, in whole warps, but not so few that a
/// multiprocessor, which holds 32 blocks at most, stays empty.
unsigned threads_for(const Work& work) {
  constexpr unsigned fewest = 128;
  if (work.threads > 0) return work.threads;
  if (work.kind == Work::groups) return fewest;
  if (work.kind != Work::rows) return most_threads;
  const std::int64_t wanted = (work.columns + warp_threads - 1) / warp_threads * warp_threads;
  return static_cast<unsigned>(std::clamp<std::int64_t>(wanted, fewest, most_threads));
}

unsigned blocks_for(const Work& work, unsigned most_blocks) {
  if (work.kind == Work::exactly)
    return static_cast<unsigned>(planted("off_by_one_grid") && work.count > 1 ? work.count - 1 : work.count);
  const auto rounded_up = [](std::int64_t n, std::int64_t each) { return (n + each - 1) / each; };
  const std::int64_t wanted =
      work.blocks > 0               ? work.blocks
      : work.kind == Work::elements ? rounded_up(work.count, most_threads * work.elements_of_thread)
      : work.kind == Work::groups   ? rounded_up(work.count, threads_for(work) / warp_threads)
                                    : work.count;
  return static_cast<unsigned>(std::clamp<std::int64_t>(wanted, 1, most_blocks));
}

}  // namespace

void KernelList::add(const void* function, const Work& work, const KernelParameter& parameter) {
  launches.push_back({function, blocks_for(work, most_blocks), threads_for(work), parameter});
}

void append_elementary_kernels(const Descriptor& descriptor, const Bindings& bindings, unsigned most_blocks,
                               std::vector<KernelLaunch>& launches) {
  KernelList list{most_blocks, std::move(launches)};
  static_cast<void>(
      collect_products(descriptor, bindings, list) || collect_images(descriptor, bindings, list) ||
      collect_layers(descriptor, bindings, list) || collect_losses(descriptor, bindings, list) ||
      collect_updates(descriptor, bindings, list) || collect_merge(descriptor, bindings, list) ||
      collect_sequences(descriptor, bindings, list) || collect_attention(descriptor, bindings, list) ||
      collect_few_rows(descriptor, bindings, list));
  launches = std::move(list.launches);
}

std::vector<KernelLaunch> elementary_kernels(const Descriptor& descriptor, const Bindings& bindings,
                                             unsigned most_blocks) {
  std::vector<KernelLaunch> launches;
  append_elementary_kernels(descriptor, bindings, most_blocks, launches);
  return launches;
}

KernelLaunch product_kernel(const op::Matmul& matmul, const Bindings& bindings, unsigned most_blocks) {
  KernelList list{most_blocks, {}};
  collect_product(matmul, bindings, list);
  return list.launches.front();
}

KernelLaunch bias_gradient_kernel(const op::Matmul& matmul, const Bindings& bindings, unsigned most_blocks) {
  KernelList list{most_blocks, {}};
  collect_bias_gradient(matmul, bindings, list);
  return list.launches.front();
}

std::vector<KernelLaunch> epilogue_kernels(const op::Epilogue& epilogue, const Bindings& bindings,
                                           unsigned most_blocks) {
  KernelList list{most_blocks, {}};
  collect_epilogue(epilogue, bindings, list);
  return std::move(list.launches);
}

template <class Recurrent>
KernelLaunch stage_kernel(const Recurrent& recurrent, const RecurrentStage& stage, const Bindings& bindings,
                          unsigned most_blocks) {
  KernelList list{most_blocks, {}};
  collect_stage(recurrent, stage, bindings, list);
  return list.launches.front();
}
template KernelLaunch stage_kernel(const op::Recurrent&, const RecurrentStage&, const Bindings&, unsigned);
template KernelLaunch stage_kernel(const op::RecurrentGradient&, const RecurrentStage&, const Bindings&,
                                   unsigned);

KernelLaunch transpose_kernel(const View& in, const View& out, const Bindings& bindings,
                              unsigned most_blocks) {
  KernelList list{most_blocks, {}};
  collect_transpose(in, out, bindings, list);
  return list.launches.front();
}

}  // namespace glia::cuda
