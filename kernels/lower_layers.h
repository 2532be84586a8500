// From the descriptors of layers that are neither products nor of images to the kernels that do them.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <kernels/batch_norm.h>
#include <kernels/lowering.h>
#include <kernels/map.h>
#include <kernels/noise.h>
#include <kernels/normalize.h>
#include <kernels/softmax.h>
#include <kernels/trained.h>

namespace glia::kernels {
inline namespace GLIA_ISA {

template <class Launch>
void lower(const op::Map& d, const Bindings& at, Launch&& launch) {
  visit_floating(d.out.dtype, [&](auto type) {
    select(
        [&](const auto& function) {
          using T = typename decltype(type)::type;
          launch(
              MapKernel<std::decay_t<decltype(function)>, T>{function, at.template address<T>(d.in),
                                                             at.template address<T>(d.out), d.out.elements()},
              Work{Work::elements, d.out.elements()});
        },
        d.function);
  });
}

template <class Launch>
void lower(const op::MapGradient& d, const Bindings& at, Launch&& launch) {
  visit_floating(d.in_gradient.dtype, [&](auto type) {
    select(
        [&](const auto& function) {
          using T = typename decltype(type)::type;
          launch(
              MapGradientKernel<std::decay_t<decltype(function)>, T>{
                  function, at.template address<T>(d.saved), at.template address<T>(d.out_gradient),
                  at.template address<T>(d.in_gradient), d.in_gradient.elements()},
              Work{Work::elements, d.in_gradient.elements()});
        },
        d.function);
  });
}

template <class Launch>
void lower(const op::SoftmaxRows& d, const Bindings& at, Launch&& launch) {
  visit_floating(d.out.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    const std::int64_t columns = last_of(d.out), rows = d.out.elements() / columns;
    launch(SoftmaxKernel<T>{at.template address<T>(d.in), at.template address<T>(d.out), rows, columns,
                            d.logarithm},
           Work{Work::rows, rows, columns});
  });
}

template <class Launch>
void lower(const op::SoftmaxGradient& d, const Bindings& at, Launch&& launch) {
  visit_floating(d.out.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    const std::int64_t columns = last_of(d.out), rows = d.out.elements() / columns;
    launch(SoftmaxGradientKernel<T>{at.template address<T>(d.out), at.template address<T>(d.out_gradient),
                                    at.template address<T>(d.in_gradient), rows, columns, d.logarithm},
           Work{Work::rows, rows, columns});
  });
}

template <class Launch>
void lower(const op::Noise& d, const Bindings& at, Launch&& launch) {
  visit_floating(d.out.dtype, [&](auto type) {
    select(
        [&](const auto& function) {
          using T = typename decltype(type)::type;
          using Function = std::decay_t<decltype(function)>;
          launch(NoiseKernel<Function, T>{function, at.state, at.template address<T>(d.in),
                                          at.template address<T>(d.out), d.out.elements(), d.seed, d.backward,
                                          d.positions, d.channels},
                 Work{Work::elements, d.out.elements() / d.positions});
        },
        d.function);
  });
}

/// Blocks that have tiles of columns each and go down the rows with all their threads.
inline Work column_blocks(const View& matrix) { return {Work::tiles, matrix.shape[1], matrix.shape[0]}; }

/// Blocks that have chunks of rows each, and threads that have columns.
inline Work chunk_blocks(const Chunks& chunks) { return {Work::rows, chunks.count(), chunks.columns}; }

template <class Launch>
void lower(const op::BatchNorm& d, const Bindings& at, Launch&& launch) {
  visit_floating(d.out.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    const Chunks chunks{d.x.shape[0], d.x.shape[1]};
    T* const x = at.template address<T>(d.x);
    T* const saved = at.template address<T>(d.saved);
    T* const moving_mean = at.template address<T>(d.moving_mean);
    T* const moving_variance = at.template address<T>(d.moving_variance);
    const T momentum = static_cast<T>(d.momentum), epsilon = static_cast<T>(d.epsilon);
    if (saved) {
      T* const partials = at.template address<T>(d.partials);
      launch(MomentsKernel<T>{chunks, x, partials}, chunk_blocks(chunks));
      launch(BatchStatisticsKernel<T>{chunks, partials, saved, moving_mean, moving_variance, momentum,
                                      epsilon, d.moves},
             Work{Work::elements, chunks.columns});
    }
    launch(BatchNormKernel<T>{chunks, x, at.template address<T>(d.gamma), at.template address<T>(d.beta),
                              saved, moving_mean, moving_variance, at.template address<T>(d.out), epsilon,
                              d.relu ? T(0) : T(-HUGE_VALF)},
           chunk_blocks(chunks));
  });
}

template <class Launch>
void lower(const op::BatchNormGradient& d, const Bindings& at, Launch&& launch) {
  visit_floating(d.x.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    const Chunks chunks{d.x.shape[0], d.x.shape[1]};
    T* const x = at.template address<T>(d.x);
    T* const dy = at.template address<T>(d.out_gradient);
    T* const saved = at.template address<T>(d.saved);
    T* const partials = at.template address<T>(d.partials);
    launch(BatchNormSumsKernel<T>{chunks, x, dy, saved, partials}, chunk_blocks(chunks));
    launch(BatchNormWeightsKernel<T>{chunks, partials, at.template address<T>(d.gamma_gradient),
                                     at.template address<T>(d.beta_gradient)},
           Work{Work::elements, chunks.columns});
    if (d.in_gradient)
      launch(BatchNormGradientKernel<T>{chunks, x, dy, at.template address<T>(d.gamma), saved, partials,
                                        at.template address<T>(d.in_gradient)},
             chunk_blocks(chunks));
  });
}

template <class Launch>
void lower(const op::LayerNorm& d, const Bindings& at, Launch&& launch) {
  visit_floating(d.out.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    launch(LayerNormKernel<T>{at.template address<T>(d.x), at.template address<T>(d.gamma),
                              at.template address<T>(d.beta), at.template address<T>(d.out),
                              at.template address<T>(d.saved), d.x.shape[0], d.x.shape[1],
                              static_cast<T>(d.epsilon), d.centers},
           Work{Work::rows, d.x.shape[0], d.x.shape[1]});
  });
}

template <class Launch>
void lower(const op::LayerNormGradient& d, const Bindings& at, Launch&& launch) {
  visit_floating(d.x.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    launch(LayerNormGradientKernel<T>{at.template address<T>(d.x), at.template address<T>(d.out_gradient),
                                      at.template address<T>(d.gamma), at.template address<T>(d.saved),
                                      at.template address<T>(d.in_gradient), d.x.shape[0], d.x.shape[1],
                                      d.centers},
           Work{Work::rows, d.x.shape[0], d.x.shape[1]});
  });
}

template <class Launch>
void lower(const op::LayerNormWeights& d, const Bindings& at, Launch&& launch) {
  visit_floating(d.x.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    launch(
        LayerNormWeightsKernel<T>{at.template address<T>(d.x), at.template address<T>(d.out_gradient),
                                  at.template address<T>(d.saved), at.template address<T>(d.gamma_gradient),
                                  at.template address<T>(d.beta_gradient), d.x.shape[0], d.x.shape[1]},
        column_blocks(d.x));
  });
}

template <class Launch>
void lower(const op::Standardize& d, const Bindings& at, Launch&& launch) {
  visit_floating(d.out.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    launch(StandardizeKernel<T>{at.template address<T>(d.in), at.template address<T>(d.mean),
                                at.template address<T>(d.variance), at.template address<T>(d.out),
                                d.in.shape[0], d.in.shape[1], d.backward},
           Work{Work::elements, d.out.elements()});
  });
}

template <class Launch>
void lower(const op::Prelu& d, const Bindings& at, Launch&& launch) {
  visit_floating(d.out.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    launch(PreluKernel<T>{at.template address<T>(d.in), at.template address<T>(d.alpha),
                          at.template address<T>(d.out), d.in.shape[0], d.in.shape[1]},
           Work{Work::elements, d.out.elements()});
  });
}

template <class Launch>
void lower(const op::PreluGradient& d, const Bindings& at, Launch&& launch) {
  visit_floating(d.in.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    launch(
        PreluGradientKernel<T>{at.template address<T>(d.in), at.template address<T>(d.alpha),
                               at.template address<T>(d.out_gradient), at.template address<T>(d.in_gradient),
                               at.template address<T>(d.alpha_gradient), d.in.shape[0], d.in.shape[1]},
        Work{Work::elements, d.in.shape[1]});
  });
}

template <class Launch>
void lower(const op::Lookup& d, const Bindings& at, Launch&& launch) {
  visit_floating(d.out.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    launch(LookupKernel<T>{at.template address<T>(d.indices), at.template address<T>(d.table),
                           at.template address<T>(d.out), d.out.shape[0], d.table.shape[0], d.table.shape[1]},
           Work{Work::rows, d.out.shape[0], d.table.shape[1]});
  });
}

template <class Launch>
void lower(const op::LookupGradient& d, const Bindings& at, Launch&& launch) {
  visit_floating(d.table_gradient.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    const View& table = d.table_gradient;
    const std::int64_t n = d.out_gradient.shape[0], rows = table.shape[0];
    std::int32_t* const links = at.template address<std::int32_t>(d.links);
    launch(LinkKernel<T>{at.template address<T>(d.indices), links, n, rows}, Work{Work::exactly, 1});
    launch(LookupGradientKernel<T>{links, at.template address<T>(d.out_gradient),
                                   at.template address<T>(table), n, rows, table.shape[1]},
           Work{Work::rows, rows, table.shape[1]});
  });
}

}  // namespace GLIA_ISA
}  // namespace glia::kernels
