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
          const T* const in = at.template address<T>(d.in);
          T* const out = at.template address<T>(d.out);
          const std::int64_t n = d.out.elements();
          const bool packed = are_aligned(in, out);
          launch(MapKernel<std::decay_t<decltype(function)>, T>{function, in, out, n, packed},
                 elements_work<T>(n, packed));
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
          const T* const saved = at.template address<T>(d.saved);
          const T* const dy = at.template address<T>(d.out_gradient);
          T* const dx = at.template address<T>(d.in_gradient);
          const std::int64_t n = d.in_gradient.elements();
          const bool packed = are_aligned(saved, dy, dx);
          launch(MapGradientKernel<std::decay_t<decltype(function)>, T>{function, saved, dy, dx, n, packed},
                 elements_work<T>(n, packed));
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
           Work{Work::groups, rows, columns});
  });
}

template <class Launch>
void lower(const op::SoftmaxGradient& d, const Bindings& at, Launch&& launch) {
  visit_floating(d.out.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    const std::int64_t columns = last_of(d.out), rows = d.out.elements() / columns;
    launch(SoftmaxGradientKernel<T>{at.template address<T>(d.out), at.template address<T>(d.out_gradient),
                                    at.template address<T>(d.in_gradient), rows, columns, d.logarithm},
           Work{Work::groups, rows, columns});
  });
}

template <class Launch>
void lower(const op::Noise& d, const Bindings& at, Launch&& launch) {
  visit_floating(d.out.dtype, [&](auto type) {
    select(
        [&](const auto& function) {
          using T = typename decltype(type)::type;
          using Function = std::decay_t<decltype(function)>;
          const T* const in = at.template address<T>(d.in);
          T* const out = at.template address<T>(d.out);
          constexpr std::uintptr_t bytes = 4 / Function::words * sizeof(T);
          const bool packed = d.positions == 1 && reinterpret_cast<std::uintptr_t>(in) % bytes == 0 &&
                              reinterpret_cast<std::uintptr_t>(out) % bytes == 0;
          Work work{Work::elements, d.out.elements() / d.positions};
          work.elements_of_thread = 4 / Function::words;
          launch(NoiseKernel<Function, T>{function, at.state, in, out, d.out.elements(), d.seed, d.backward,
                                          d.positions, WideDivider(d.channels), packed, d.counts_rows},
                 work);
        },
        d.function);
  });
}

/// What goes over chunks takes: a processor's threads share out strips of them. Where they are summed, a GPU's threads behind each
/// other have a leaf each.
template <class T>
Work sums_work(const Patches<T>& chunks) {
  return chunks.pieces_work(op::chunk_rows, 128);
}
template <class T>
Work rows_work(const Patches<T>& chunks) {
  return chunks.pieces_work(op::chunk_rows);
}
/// What folds what the chunks found.
template <class T>
Work fold_work(const Patches<T>& parts) {
  return parts.pieces_work(parts.rows());
}

template <class T, class Launch>
void lower_totals(const Patches<T>& chunks, bool packed, T* partials, T* dgamma, T* dbeta, Launch&& launch) {
  if (chunks.pieces() < 2) return;
  const Patches<T> parts = chunks_as_rows(chunks, packed);
  launch(ChunkTotalsKernel<T>{{parts, partials, dgamma, dbeta}}, fold_work(parts));
}

/// f(whether there is a mask), as a type: without one, kernels have nothing of it.
template <class F>
void by_mask(const View& mask, const F& f) {
  if (mask)
    f(std::true_type{});
  else
    f(std::false_type{});
}

template <class Launch>
void lower(const op::BatchNorm& d, const Bindings& at, Launch&& launch) {
  visit_floating(d.out.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    const T* const x = at.template address<T>(d.x);
    const T* const gamma = at.template address<T>(d.gamma);
    const T* const beta = at.template address<T>(d.beta);
    T* const out = at.template address<T>(d.out);
    T* const saved = at.template address<T>(d.saved);
    T* const partials = at.template address<T>(d.partials);
    T* const mean = at.template address<T>(d.moving_mean);
    T* const variance = at.template address<T>(d.moving_variance);
    const T momentum = static_cast<T>(d.momentum), epsilon = static_cast<T>(d.epsilon);
    const bool packed = are_aligned(x, gamma, beta, out, saved, partials, mean, variance);
    const Patches<T> chunks = in_chunks<T>(d.x.shape[0], d.x.shape[1], packed);
    const auto find = [&](auto masked) {
      const CountedRows<T, masked> counted{at.template address<T>(d.mask)};
      launch(MomentsKernel<T, masked>{chunks, counted, x, partials}, sums_work(chunks));
      const Patches<T> parts = chunks_as_rows(chunks, packed);
      launch(BatchStatisticsKernel<T, masked>{chunks, parts, partials, saved, mean, variance, momentum,
                                              epsilon, d.moves},
             fold_work(parts));
    };
    if (saved) by_mask(d.mask, find);
    launch(BatchNormKernel<T>{chunks, x, gamma, beta, saved, mean, variance, out, epsilon,
                              d.relu ? T(0) : T(-HUGE_VALF)},
           rows_work(chunks));
  });
}

template <class Launch>
void lower(const op::BatchNormGradient& d, const Bindings& at, Launch&& launch) {
  visit_floating(d.x.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    const T* const x = at.template address<T>(d.x);
    const T* const dy = at.template address<T>(d.out_gradient);
    const T* const gamma = at.template address<T>(d.gamma);
    const T* const saved = at.template address<T>(d.saved);
    T* const partials = at.template address<T>(d.partials);
    T* const dx = at.template address<T>(d.in_gradient);
    T* const dgamma = at.template address<T>(d.gamma_gradient);
    T* const dbeta = at.template address<T>(d.beta_gradient);
    const bool packed = are_aligned(x, dy, gamma, saved, partials, dx, dgamma, dbeta);
    const Patches<T> chunks = in_chunks<T>(d.x.shape[0], d.x.shape[1], packed);
    launch(BatchNormSumsKernel<T>{{chunks, partials, dgamma, dbeta}, x, dy, saved}, sums_work(chunks));
    lower_totals(chunks, packed, partials, dgamma, dbeta, launch);
    const auto spread = [&](auto masked) {
      const CountedRows<T, masked> counted{at.template address<T>(d.mask)};
      launch(BatchNormGradientKernel<T, masked>{chunks, counted, x, dy, gamma, saved, partials, dx},
             rows_work(chunks));
    };
    if (dx) by_mask(d.mask, spread);
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
           Work{Work::groups, d.x.shape[0], d.x.shape[1]});
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
           Work{Work::groups, d.x.shape[0], d.x.shape[1]});
  });
}

template <class Launch>
void lower(const op::LayerNormWeights& d, const Bindings& at, Launch&& launch) {
  visit_floating(d.x.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    const T* const x = at.template address<T>(d.x);
    const T* const dy = at.template address<T>(d.out_gradient);
    T* const partials = at.template address<T>(d.partials);
    T* const dgamma = at.template address<T>(d.gamma_gradient);
    T* const dbeta = at.template address<T>(d.beta_gradient);
    const bool packed = are_aligned(x, dy, partials, dgamma, dbeta);
    const Patches<T> chunks = in_chunks<T>(d.x.shape[0], d.x.shape[1], packed);
    const T* const saved = at.template address<T>(d.saved);
    launch(LayerNormWeightsKernel<T>{{chunks, partials, dgamma, dbeta}, x, dy, saved}, sums_work(chunks));
    lower_totals(chunks, packed, partials, dgamma, dbeta, launch);
  });
}

template <class Launch>
void lower(const op::Standardize& d, const Bindings& at, Launch&& launch) {
  visit_floating(d.out.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    const T* const in = at.template address<T>(d.in);
    const T* const mean = at.template address<T>(d.mean);
    const T* const variance = at.template address<T>(d.variance);
    T* const out = at.template address<T>(d.out);
    const bool packed = are_aligned(in, mean, variance, out);
    const auto patches = Patches<T>::of_threads(d.in.shape[0], d.in.shape[1], 4, packed);
    launch(StandardizeKernel<T>{patches, in, mean, variance, out, d.backward}, patches.rows_work());
  });
}

template <class Launch>
void lower(const op::Prelu& d, const Bindings& at, Launch&& launch) {
  visit_floating(d.out.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    const T* const in = at.template address<T>(d.in);
    const T* const alpha = at.template address<T>(d.alpha);
    T* const out = at.template address<T>(d.out);
    const auto patches = Patches<T>::of_threads(d.in.shape[0], d.in.shape[1], 4, are_aligned(in, alpha, out));
    launch(PreluKernel<T>{patches, in, alpha, out}, patches.rows_work());
  });
}

template <class Launch>
void lower(const op::PreluGradient& d, const Bindings& at, Launch&& launch) {
  visit_floating(d.in.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    const T* const in = at.template address<T>(d.in);
    const T* const alpha = at.template address<T>(d.alpha);
    const T* const dy = at.template address<T>(d.out_gradient);
    T* const dx = at.template address<T>(d.in_gradient);
    T* const dalpha = at.template address<T>(d.alpha_gradient);
    const std::int64_t rows = d.in.shape[0], columns = d.in.shape[1];
    const Patches<T> patches(rows, columns, rows, are_aligned(in, alpha, dy, dx, dalpha));
    launch(PreluGradientKernel<T>{patches, in, alpha, dy, dx, dalpha}, patches.pieces_work(rows));
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
