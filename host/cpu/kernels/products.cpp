// The CPU's kernels of products and convolutions, and the parts of a product.
// SPDX-License-Identifier: Apache-2.0
#include <host/cpu/kernels/bind.h>
#include <kernels/lower_products.h>

namespace glia::cpu {
inline namespace GLIA_ISA {

bool bind_products(const Descriptor& descriptor, const Bindings& bindings, BoundKernels& bound) {
  return kernels::ProductFamily::select(
      descriptor, [&](const auto& d) { kernels::lower(d, bindings, Collector{bound}); });
}

BoundKernel bind_product(const op::Matmul& d, const Bindings& bindings, const Region& r) {
  BoundKernel bound;
  kernels::lower_product(d, bindings, r.row, r.rows, r.column, r.columns, Binder{bound});
  return bound;
}

BoundKernel bind_epilogue(const op::Epilogue& d, const Bindings& bindings, const Region& r) {
  BoundKernel bound;
  kernels::lower_epilogue(d, bindings, r.row, r.rows, r.column, r.columns, Binder{bound});
  return bound;
}

BoundKernel bind_bias_gradient(const op::Matmul& d, const Bindings& bindings) {
  BoundKernel bound;
  kernels::lower_bias_gradient(d, bindings, Binder{bound});
  return bound;
}

void copy_patches(const op::ConvolutionWeights& d, const float* x, std::int64_t first, std::int64_t count,
                  float* patches) {
  kernels::copy_patches(kernels::convolution_shape(d.x, d.out_gradient, d.window, d.groups), x, first, count,
                        patches);
}
void add_to_totals(double* totals, const float* part, std::int64_t n, bool first) {
  kernels::add_to_totals(totals, part, n, first);
}
void store_totals(double* totals, std::int64_t parts, std::int64_t n, std::int64_t columns, float* out,
                  std::int64_t stride) {
  kernels::store_totals(totals, parts, n, columns, out, stride);
}

}  // namespace GLIA_ISA
}  // namespace glia::cpu
