// The GPU's kernels of products and convolutions, the parts of a product, and transposition.
// SPDX-License-Identifier: Apache-2.0
#include <kernels/families.h>
#include <kernels/lower_products.h>
#include <kernels/transpose.h>
#include <cuda/kernels/collect.cuh>

namespace glia::cuda {

bool collect_products(const Descriptor& descriptor, const Bindings& bindings, KernelList& list) {
  return kernels::ProductFamily::select(descriptor,
                                        [&](const auto& d) { kernels::lower(d, bindings, Collector{list}); });
}

void collect_product(const op::Matmul& d, const Bindings& bindings, KernelList& list) {
  const int rows = d.out.shape.rank() - 2;
  kernels::lower_product(d, bindings, 0, d.out.shape[rows], 0, d.out.shape[rows + 1], Collector{list});
}

void collect_bias_gradient(const op::Matmul& d, const Bindings& bindings, KernelList& list) {
  kernels::lower_bias_gradient(d, bindings, Collector{list});
}

void collect_epilogue(const op::Epilogue& d, const Bindings& bindings, KernelList& list) {
  kernels::lower_epilogue(d, bindings, 0, d.rows, 0, d.columns, Collector{list});
}

void collect_transpose(const View& in, const View& out, const Bindings& at, KernelList& list) {
  kernels::visit_moved(in.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    const T* const from = at.template address<T>(in);
    T* const to = at.template address<T>(out);
    const std::int64_t rows = in.shape[0], columns = in.shape[1], side = kernels::pack_size<T>;
    const bool packed = rows % side == 0 && columns % side == 0 && kernels::are_aligned(from, to);
    const auto squares = kernels::Patches<T>::of_threads(packed ? rows / side : rows, columns, 1, packed);
    Collector{list}(kernels::TransposeKernel<T>{squares, from, to, rows, columns}, squares.rows_work());
  });
}

}  // namespace glia::cuda
