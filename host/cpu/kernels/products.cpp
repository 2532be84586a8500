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
  const kernels::ConvolutionShape shape = kernels::convolution_shape(d.x, d.out_gradient, d.window, d.groups);
  const Window& window = shape.window;
  const std::int64_t channels = shape.x.channels;
  // Taps beside each other lie beside each other, where none is left out between them.
  const std::int64_t together = window.dilation_width == 1 ? window.width : 1;
  const auto inside = [&](std::int64_t at) {
    return at < 0 ? std::int64_t{0} : at < shape.x.width ? at : shape.x.width;
  };
  for (std::int64_t pixel = first; pixel < first + count; ++pixel) {
    const std::int64_t image = pixel / shape.y.pixels(), in_image = pixel % shape.y.pixels();
    for (std::int64_t tap = 0; tap < shape.taps(); tap += together) {
      std::int64_t row = in_image / shape.y.width, column = in_image % shape.y.width;
      shape.meets(row, column, tap / window.width, tap % window.width);
      const bool has_row = row >= 0 && row < shape.x.height;
      const std::int64_t begin = has_row ? inside(column) - column : 0;
      const std::int64_t end = has_row ? inside(column + together) - column : 0;
      const float* const from = x + (image * shape.x.pixels() + row * shape.x.width + column) * channels;
      for (std::int64_t i = 0; i < begin * channels; ++i) patches[i] = 0;
      for (std::int64_t i = begin * channels; i < end * channels; ++i) patches[i] = from[i];
      for (std::int64_t i = end * channels; i < together * channels; ++i) patches[i] = 0;
      patches += together * channels;
    }
  }
}

void add_to_totals(double* __restrict totals, const float* __restrict part, std::int64_t n, bool first) {
  if (first)
    for (std::int64_t i = 0; i < n; ++i) totals[i] = static_cast<double>(part[i]);
  else
    for (std::int64_t i = 0; i < n; ++i) totals[i] += static_cast<double>(part[i]);
}

void store_totals(double* totals, std::int64_t parts, std::int64_t n, std::int64_t columns, float* out,
                  std::int64_t stride) {
  for (std::int64_t part = 1; part < parts; ++part)
    for (std::int64_t i = 0; i < n; ++i) totals[i] += totals[part * n + i];
  for (std::int64_t row = 0; row < n / columns; ++row)
    for (std::int64_t c = 0; c < columns; ++c)
      out[row * stride + c] = static_cast<float>(totals[row * columns + c]);
}

}  // namespace GLIA_ISA
}  // namespace glia::cpu
