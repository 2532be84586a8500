// Sums over rows, with room for those of chunks.
// SPDX-License-Identifier: Apache-2.0
#include <cuda/sums_of_rows.h>

namespace glia::cuda {

std::shared_ptr<Memory> append_sums_of_rows(std::vector<KernelLaunch>& kernels, Gpu& gpu, const View& in,
                                            const View& out, Bindings at) {
  constexpr Buffer buffer = Buffer::slots;  // where no operand of a product lies
  std::shared_ptr<Memory> room;
  const op::Reduce sums = op::Reduce::of_rows(in, out, [&](const Shape& shape) {
    const View partials = View::contiguous(buffer, DType::float64, shape);
    room = gpu.allocate(static_cast<std::size_t>(partials.bytes()));
    at.base[static_cast<std::size_t>(buffer)] = room->data();
    return partials;
  });
  for (const KernelLaunch& kernel : elementary_kernels(sums, at, gpu.most_blocks()))
    kernels.push_back(kernel);
  return room;
}

}  // namespace glia::cuda
