// From the descriptors of products and convolutions, and of what goes with them, to the kernels that do them.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <kernels/convolution.h>
#include <kernels/lower_sums.h>
#include <kernels/lowering.h>
#include <kernels/map.h>
#include <kernels/matmul.h>

namespace glia::kernels {
inline namespace GLIA_ISA {

/// What follows a product in the region of `rows` rows and `columns` columns of its output from (row, column) on:
/// bias and activation, or the derivative of the activation before. Launches nothing where there is neither.
template <class Launch>
void lower_epilogue(const op::Epilogue& d, const Bindings& at, std::int64_t row, std::int64_t rows,
                    std::int64_t column, std::int64_t columns, Launch&& launch) {
  visit_floating(d.out.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    const std::int64_t stride = d.stride, first = row * stride + column;
    T* const out = at.template address<T>(d.out) + first;
    const T* const bias = d.bias ? at.template address<T>(d.bias) + column : nullptr;
    const T* const saved = d.saved ? at.template address<T>(d.saved) + first : nullptr;
    const Patches<T> region =
        Patches<T>::of_threads(rows, columns, 4, stride % pack_size<T> == 0 && are_aligned(out, bias, saved));
    const Work work = region.rows_work();
    select(
        [&](const auto& function) {
          using Function = std::decay_t<decltype(function)>;
          if (!d.bias && std::is_same_v<Function, Linear>) return;
          launch(BiasActivationKernel<Function, T>{function, region, out, bias, stride}, work);
        },
        d.activation);
    select(
        [&](const auto& function) {
          using Function = std::decay_t<decltype(function)>;
          if (!d.saved || std::is_same_v<Function, Linear>) return;
          launch(DerivativeKernel<Function, T>{function, region, out, saved, stride}, work);
        },
        d.derivative);
  });
}

/// A product's plain loops, for the region of `rows` rows and `columns` columns of out from (row, column) on; of a batch, for
/// that of each.
template <class Launch>
void lower_product(const op::Matmul& d, const Bindings& at, std::int64_t row, std::int64_t rows,
                   std::int64_t column, std::int64_t columns, Launch&& launch) {
  visit_floating(d.out.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    const bool batched = d.out.shape.rank() == 3;
    const int r = batched ? 1 : 0, c = r + 1;  // the axes of rows and columns
    const T* const a = at.template address<T>(d.a) + row * d.a.strides[r];
    const T* const b = at.template address<T>(d.b) + column * d.b.strides[c];
    T* const out = at.template address<T>(d.out) + row * d.out.strides[r] + column;
    const std::int64_t batch = batched ? d.out.shape[0] : 1, whole = pack_size<T>;
    bool packed = d.b.strides[c] == 1 && d.b.strides[r] % whole == 0 && d.out.strides[r] % whole == 0;
    if (batched) packed = packed && d.b.strides[0] % whole == 0 && d.out.strides[0] % whole == 0;
    const auto patches = Patches<T>::of_threads(batch * rows, columns, 1, packed && are_aligned(b, out));
    MatmulKernel<T> kernel{patches,
                           a,
                           b,
                           out,
                           rows,
                           d.a.shape[c],
                           d.a.strides[r],
                           d.a.strides[c],
                           d.b.strides[r],
                           d.b.strides[c],
                           d.out.strides[r]};
    if (batched)
      kernel.batch = batch, kernel.a_matrix = d.a.strides[0], kernel.b_matrix = d.b.strides[0],
      kernel.out_matrix = d.out.strides[0];
    launch(kernel, patches.rows_work());
  });
}

/// The bias gradient that goes with a weight gradient: the sums over the rows of b.
template <class Launch>
void lower_bias_gradient(const op::Matmul& d, const Bindings& at, Launch&& launch) {
  visit_floating(d.out.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    lower_sums_of_rows<T>(d.b, d.b.strides[0], d.bias_gradient, at, launch);
  });
}

/// `x` and `y` are the two sides of the convolution, whichever is computed of which.
inline ConvolutionShape convolution_shape(const View& x, const View& y, const Window& window,
                                          std::int64_t groups) {
  return {x.shape[0], size_of_image(x), size_of_image(y), window, groups};
}

/// Whether rows of filters are read in packs that are of one group each.
template <class T, class... Pointers>
bool are_packs_of_filters(const ConvolutionShape& shape, const Pointers*... pointers) {
  return (shape.groups == 1 || shape.filters_of_group % pack_size<T> == 0) && are_aligned(pointers...);
}

template <class Launch>
void lower(const op::Convolution& d, const Bindings& at, Launch&& launch) {
  visit_floating(d.out.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    const op::Epilogue epilogue = op::epilogue_of(d);
    const std::int64_t pixels = epilogue.rows, filters = epilogue.columns;
    const ConvolutionShape shape = convolution_shape(d.x, d.out, d.window, d.groups);
    const T* const weights = at.template address<T>(d.weights);
    T* const out = at.template address<T>(d.out);
    const bool packed = are_packs_of_filters<T>(shape, weights, out);
    const auto patches = Patches<T>::of_threads(pixels, filters, 1, packed);
    launch(ConvolutionKernel<T>{shape, patches, at.template address<T>(d.x), weights, out},
           patches.rows_work());
    lower_epilogue(epilogue, at, 0, pixels, 0, filters, launch);
  });
}

template <class Launch>
void lower(const op::ConvolutionTranspose& d, const Bindings& at, Launch&& launch) {
  visit_floating(d.out.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    const op::Epilogue epilogue = op::epilogue_of(d);
    const std::int64_t pixels = epilogue.rows, channels = epilogue.columns;
    const auto patches = Patches<T>::of_threads(pixels, channels, 1, false);
    launch(ConvolutionTransposeKernel<T>{convolution_shape(d.out, d.x, d.window, d.groups), patches,
                                         at.template address<T>(d.x), at.template address<T>(d.weights),
                                         at.template address<T>(d.out)},
           patches.rows_work());
    lower_epilogue(epilogue, at, 0, pixels, 0, channels, launch);
  });
}

template <class Launch>
void lower(const op::ConvolutionWeights& d, const Bindings& at, Launch&& launch) {
  visit_floating(d.weights_gradient.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    const ConvolutionShape shape = convolution_shape(d.x, d.out_gradient, d.window, d.groups);
    const T* const dy = at.template address<T>(d.out_gradient);
    T* const dw = at.template address<T>(d.weights_gradient);
    const std::int64_t filters = shape.y.channels, rows = d.weights_gradient.elements() / filters;
    // Each sums over all pixels: a thread for every one of them.
    const auto patches = Patches<T>::of_threads(rows, filters, 1, false);
    launch(ConvolutionWeightsKernel<T>{shape, patches, at.template address<T>(d.x), dy, dw},
           patches.rows_work());
    if (d.bias_gradient) lower_sums_of_rows<T>(d.out_gradient, filters, d.bias_gradient, at, launch);
  });
}

template <class Launch>
void lower(const op::Round& d, const Bindings& at, Launch&& launch) {
  const std::int64_t n = d.in.elements();
  const auto round = [&]<class In, class Out>(const In* in, Out* out) {
    const bool packed = are_aligned(in, out);
    launch(RoundKernel<In, Out>{in, out, n, packed}, elements_work<float>(n, packed));
  };
  const float* const in = at.template address<float>(d.in);
  if (d.in.dtype == DType::bfloat16)
    round(at.template address<BFloat16>(d.in), at.template address<float>(d.out));
  else if (d.out.dtype == DType::bfloat16)
    round(in, at.template address<BFloat16>(d.out));
  else
    round(in, at.template address<float>(d.out));
}

}  // namespace GLIA_ISA
}  // namespace glia::kernels
