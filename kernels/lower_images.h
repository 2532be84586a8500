// From the descriptors of images to the kernels that do them.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <kernels/convolution.h>
#include <kernels/lowering.h>
#include <kernels/normalize.h>
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
    const std::int64_t pixels = epilogue.rows, filters = epilogue.columns;
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
    const std::int64_t pixels = epilogue.rows, channels = epilogue.columns;
    launch(ConvolutionTransposeKernel<T>{convolution_shape(d.out, d.x, d.window, d.groups),
                                         at.template address<T>(d.x), at.template address<T>(d.weights),
                                         at.template address<T>(d.out)},
           Work{Work::rows, pixels, channels});
    lower_epilogue(epilogue, at, 0, pixels, 0, channels, launch);
  });
}

/// A row for each pixel, or whatever it is that has a number for each of the last axis.
inline Work work_by_rows(const View& view) {
  return {Work::rows, view.elements() / last_of(view), last_of(view)};
}

/// out (columns,) = sums of what lies as a matrix (rows, columns).
template <class T, class Launch>
void lower_sums(const View& matrix, const View& out, const Bindings& at, Launch&& launch) {
  const std::int64_t columns = last_of(matrix), rows = matrix.elements() / columns;
  launch(SumRowsKernel<T>{at.template address<T>(matrix), at.template address<T>(out), rows, columns},
         Work{Work::tiles, columns, rows});
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
    launch(ConvolutionWeightsKernel<T>{convolution_shape(d.x, d.out_gradient, d.window, d.groups),
                                       at.template address<T>(d.x), at.template address<T>(d.out_gradient),
                                       at.template address<T>(d.weights_gradient)},
           work_by_rows(d.weights_gradient));
    if (d.bias_gradient) lower_sums<T>(d.out_gradient, d.bias_gradient, at, launch);
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
    launch(PoolKernel<T>{pool_shape(d.in, d.out, d.window), at.template address<T>(d.in),
                         at.template address<T>(d.out), d.average},
           work_by_rows(d.out));
  });
}

/// Whether windows of 2 x 2 lie side by side within the image.
inline bool is_of_pairs(const PoolShape& shape) {
  const auto pairs = [](const PoolAxis& axis) {
    return axis.size == 2 && axis.stride == 2 && axis.before == 0 && 2 * axis.out <= axis.in;
  };
  return pairs(shape.rows) && pairs(shape.columns);
}

template <class Launch>
void lower(const op::PoolGradient& d, const Bindings& at, Launch&& launch) {
  visit_floating(d.in_gradient.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    const PoolShape shape = pool_shape(d.in_gradient, d.out_gradient, d.window);
    T* const x = at.template address<T>(d.in);
    T* const dy = at.template address<T>(d.out_gradient);
    T* const dx = at.template address<T>(d.in_gradient);
    const T floor = d.relu ? T(0) : static_cast<T>(NAN);
    if (!d.average && is_of_pairs(shape))
      launch(PairsGradientKernel<T>{shape, x, dy, dx, floor}, work_by_rows(d.out_gradient));
    else
      launch(PoolGradientKernel<T>{shape, x, dy, dx, d.average, floor}, work_by_rows(d.in_gradient));
  });
}

template <class Launch>
void lower(const op::Shift& d, const Bindings& at, Launch&& launch) {
  visit_moved(d.out.dtype, [&](auto type) {
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
    const ImageSize in = size_of_image(d.in), out = size_of_image(d.out);
    launch(UpsampleKernel<T>{at.template address<T>(d.in), at.template address<T>(d.out), d.out.shape[0],
                             d.backward ? out : in, d.backward ? in : out, d.bilinear, d.backward},
           work_by_rows(d.out));
  });
}

}  // namespace GLIA_ISA
}  // namespace glia::kernels
