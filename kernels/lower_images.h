// From the descriptors of images, and of the rows of a batch, to the kernels that do them.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <kernels/augment.h>
#include <kernels/gather.h>
#include <kernels/lowering.h>
#include <kernels/pool.h>
#include <kernels/resize.h>

namespace glia::kernels {
inline namespace GLIA_ISA {

/// The steps for the rows of `x`: images where it has rank 4, else one row of pixels each.
template <class T>
AugmentedImages<T> augmented_images(const Augmentation& a, const View& x, const Bindings& at) {
  const bool images = x.shape.rank() == 4;
  const std::int64_t channels = last_of(x), height = images ? x.shape[1] : 1;
  AugmentedImages<T> result{};
  for (int s = 0; s < a.count; ++s) result.steps[s] = a.steps[s];
  result.mean = at.template address<T>(a.mean), result.variance = at.template address<T>(a.variance);
  result.count = a.count;
  result.height = static_cast<std::int32_t>(height);
  result.width = static_cast<std::int32_t>(columns_of(x) / height / channels);
  result.channels = static_cast<std::int32_t>(channels);
  return result;
}

/// A GPU's block a row, and one that counts the step meanwhile.
inline Work gather_work(std::int64_t rows, std::int64_t columns) {
  Work work{Work::rows, rows, columns};
  work.blocks = rows + 1;
  return work;
}

template <class Launch>
void lower(const op::Gather& d, const Bindings& at, Launch&& launch) {
  const View& any = d.x ? d.x : d.y;
  const DType dtype = d.x                         ? d.x.dtype
                      : d.y.dtype != DType::int32 ? d.y.dtype
                      : d.weights                 ? d.weights.dtype
                                                  : DType::float32;
  visit_floating(dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    const bool labels = d.y && d.y.dtype == DType::int32;
    const auto gather = [&](const auto& images) {
      launch(
          GatherKernel<T, std::decay_t<decltype(images)>>{
              at.state, at.template address<T>(d.x),
              labels ? at.template address<std::int32_t>(d.y) : nullptr,
              labels ? nullptr : at.template address<T>(d.y), at.template address<T>(d.weights), any.shape[0],
              columns_of(d.x), columns_of(d.y), d.x_from, d.y_from, source_at(at, d.x_source),
              source_at(at, d.y_source), source_at(at, d.weights_source), given_rows(at), d.updates,
              d.advance_iteration, d.powers, d.steps, images},
          any ? gather_work(any.shape[0], columns_of(any)) : Work{Work::exactly, 1});
    };
    if (d.augmentation)
      gather(augmented_images<T>(d.augmentation, d.x, at));
    else
      gather(PlainImages{});
  });
}

template <class Launch>
void lower(const op::Augment& d, const Bindings& at, Launch&& launch) {
  visit_floating(d.out.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    launch(AugmentKernel<T>{at.state, at.template address<T>(d.in), at.template address<T>(d.out),
                            d.out.shape[0], augmented_images<T>(d.augmentation, d.out, at)},
           Work{Work::rows, d.out.shape[0], columns_of(d.out)});
  });
}

template <class Launch>
void lower(const op::Scatter& d, const Bindings& at, Launch&& launch) {
  visit_floating(d.in.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    launch(ScatterKernel<T>{at.state, source_at(at, d.source), given_rows(at), at.template address<T>(d.in),
                            d.in.shape[0], columns_of(d.in)},
           Work{Work::rows, d.in.shape[0], columns_of(d.in)});
  });
}

/// `x` and `y` are what the pool reads and writes, or their gradients.
inline PoolShape pool_shape(const View& x, const View& y, const Window& w) {
  return {x.shape[0],
          x.shape[3],
          {x.shape[1], y.shape[1], w.height, w.stride_height, w.top},
          {x.shape[2], y.shape[2], w.width, w.stride_width, w.left}};
}
/// The pixels of images, as rows of channels.
template <class T>
Patches<T> patches_of(const View& images, bool packed) {
  return Patches<T>::of_threads(images.elements() / last_of(images), last_of(images), 1, packed);
}

template <class Launch>
void lower(const op::Pool& d, const Bindings& at, Launch&& launch) {
  visit_floating(d.out.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    const T* const in = at.template address<T>(d.in);
    T* const out = at.template address<T>(d.out);
    const Patches<T> patches = patches_of<T>(d.out, are_aligned(in, out));
    launch(PoolKernel<T>{pool_shape(d.in, d.out, d.window), Pixels(d.out.shape[1], d.out.shape[2]), patches,
                         in, out, d.average},
           patches.rows_work());
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
    const T* const x = at.template address<T>(d.in);
    const T* const dy = at.template address<T>(d.out_gradient);
    T* const dx = at.template address<T>(d.in_gradient);
    const T floor = d.relu ? T(0) : static_cast<T>(NAN);
    const bool pairs = !d.average && is_of_pairs(shape);
    const View& pixels = pairs ? d.out_gradient : d.in_gradient;
    const Pixels counted(pixels.shape[1], pixels.shape[2]);
    const Patches<T> patches = patches_of<T>(pixels, are_aligned(x, dy, dx));
    if (pairs)
      launch(PairsGradientKernel<T>{shape, counted, patches, x, dy, dx, floor}, patches.rows_work());
    else
      launch(PoolGradientKernel<T>{shape, counted, patches, x, dy, dx, d.average, floor},
             patches.rows_work());
  });
}

template <class Launch>
void lower(const op::Shift& d, const Bindings& at, Launch&& launch) {
  visit_moved(d.out.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    const ImageSize to = size_of_image(d.out);
    const T* const in = at.template address<T>(d.in);
    T* const out = at.template address<T>(d.out);
    const bool packed = to.channels % pack_size<T> == 0 && are_aligned(in, out);
    const auto patches =
        Patches<T>::of_threads(d.out.shape[0] * to.height, to.width * to.channels, 1, packed);
    launch(ShiftKernel<T>{in, out, patches, WideDivider(to.height), size_of_image(d.in), to, d.top, d.left},
           patches.rows_work());
  });
}

template <class Launch>
void lower(const op::Upsample& d, const Bindings& at, Launch&& launch) {
  visit_floating(d.out.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    const ImageSize in = size_of_image(d.in), out = size_of_image(d.out);
    const ImageSize &small = d.backward ? out : in, &large = d.backward ? in : out;
    const T* const from = at.template address<T>(d.in);
    T* const to = at.template address<T>(d.out);
    const Patches<T> patches = patches_of<T>(d.out, are_aligned(from, to));
    launch(UpsampleKernel<T>{patches, Pixels(out.height, out.width), from, to, small, large,
                             EnlargedAxis(small.height, large.height / small.height),
                             EnlargedAxis(small.width, large.width / small.width), d.bilinear, d.backward},
           patches.rows_work());
  });
}

}  // namespace GLIA_ISA
}  // namespace glia::kernels
