// From the descriptors of images to the kernels that do them.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <kernels/convolution.h>
#include <kernels/lowering.h>
#include <kernels/matmul.h>
#include <kernels/pool.h>
#include <kernels/resize.h>

namespace glia::kernels {
inline namespace GLIA_ISA {

inline ImageSize size_of_image(const View& images) {
  return {images.shape[1], images.shape[2], images.shape[3]};
}

/// `x` and `y` are the two sides of the convolution, whichever is computed of which.
inline ConvolutionShape convolution_shape(const View& x, const View& y, const Window& window,
                                          std::int64_t groups) {
  return {x.shape[0], size_of_image(x), size_of_image(y), window, groups};
}

template <class Launch>
void lower(const op::Convolution& d, const Bindings& at, Launch&& launch) {
  visit_floating(d.out.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    const op::Epilogue epilogue = op::epilogue_of(d);
    const std::int64_t pixels = epilogue.out.shape[0], filters = epilogue.out.shape[1];
    launch(
        ConvolutionKernel<T>{convolution_shape(d.x, d.out, d.window, d.groups), at.template address<T>(d.x),
                             at.template address<T>(d.weights), at.template address<T>(d.out)},
        Work{Work::rows, pixels, filters});
    lower_epilogue(epilogue, at, 0, pixels, 0, filters, launch);
  });
}

template <class Launch>
void lower(const op::ConvolutionTranspose& d, const Bindings& at, Launch&& launch) {
  visit_floating(d.out.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    const op::Epilogue epilogue = op::epilogue_of(d);
    const std::int64_t pixels = epilogue.out.shape[0], channels = epilogue.out.shape[1];
    launch(ConvolutionTransposeKernel<T>{convolution_shape(d.out, d.x, d.window, d.groups),
                                         at.template address<T>(d.x), at.template address<T>(d.weights),
                                         at.template address<T>(d.out)},
           Work{Work::rows, pixels, channels});
    lower_epilogue(epilogue, at, 0, pixels, 0, channels, launch);
  });
}

template <class T, class Launch>
void lower_sums(const View& matrix, const View& out, const Bindings& at, Launch&& launch) {
  launch(ColumnSumsKernel<T>{at.template address<T>(matrix), at.template address<T>(out), matrix.shape[0],
                             matrix.shape[1], matrix.shape[1]},
         Work{Work::elements, matrix.shape[1]});
}

template <class Launch>
void lower(const op::SumRows& d, const Bindings& at, Launch&& launch) {
  visit_floating(d.in.dtype,
                 [&](auto type) { lower_sums<typename decltype(type)::type>(d.in, d.out, at, launch); });
}

template <class Launch>
void lower(const op::ConvolutionWeights& d, const Bindings& at, Launch&& launch) {
  visit_floating(d.weights_gradient.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    const View dw = d.weights_gradient.matrix();
    launch(ConvolutionWeightsKernel<T>{convolution_shape(d.x, d.out_gradient, d.window, d.groups),
                                       at.template address<T>(d.x), at.template address<T>(d.out_gradient),
                                       at.template address<T>(d.weights_gradient)},
           Work{Work::rows, dw.shape[0], dw.shape[1]});
    if (d.bias_gradient) lower_sums<T>(d.out_gradient.matrix(), d.bias_gradient, at, launch);
  });
}

/// `x` and `y` are what the pool reads and writes, or their gradients.
inline PoolShape pool_shape(const View& x, const View& y, const Window& w) {
  return {x.shape[0],
          x.shape[3],
          {x.shape[1], y.shape[1], w.height, w.stride_height, w.top},
          {x.shape[2], y.shape[2], w.width, w.stride_width, w.left}};
}

template <class Launch>
void lower(const op::Pool& d, const Bindings& at, Launch&& launch) {
  visit_floating(d.out.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    const View pixels = d.out.matrix();
    launch(PoolKernel<T>{pool_shape(d.in, d.out, d.window), at.template address<T>(d.in),
                         at.template address<T>(d.out), d.average},
           Work{Work::rows, pixels.shape[0], pixels.shape[1]});
  });
}

template <class Launch>
void lower(const op::PoolGradient& d, const Bindings& at, Launch&& launch) {
  visit_floating(d.in_gradient.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    const View pixels = d.in_gradient.matrix();
    launch(PoolGradientKernel<T>{pool_shape(d.in_gradient, d.out_gradient, d.window),
                                 at.template address<T>(d.in), at.template address<T>(d.out_gradient),
                                 at.template address<T>(d.in_gradient), d.average},
           Work{Work::rows, pixels.shape[0], pixels.shape[1]});
  });
}

template <class Launch>
void lower(const op::Shift& d, const Bindings& at, Launch&& launch) {
  visit_floating(d.out.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    const ImageSize to = size_of_image(d.out);
    launch(ShiftKernel<T>{at.template address<T>(d.in), at.template address<T>(d.out), d.out.shape[0],
                          size_of_image(d.in), to, d.top, d.left},
           Work{Work::rows, d.out.shape[0] * to.height, to.width * to.channels});
  });
}

template <class Launch>
void lower(const op::Upsample& d, const Bindings& at, Launch&& launch) {
  visit_floating(d.out.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    const View pixels = d.out.matrix();
    const ImageSize in = size_of_image(d.in), out = size_of_image(d.out);
    launch(UpsampleKernel<T>{at.template address<T>(d.in), at.template address<T>(d.out), d.out.shape[0],
                             d.backward ? out : in, d.backward ? in : out, d.bilinear, d.backward},
           Work{Work::rows, pixels.shape[0], pixels.shape[1]});
  });
}

}  // namespace GLIA_ISA
}  // namespace glia::kernels
