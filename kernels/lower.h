// From a descriptor to the kernel that does it: the one place where views become addresses and variants
// become types. Both backends use it; each brings a launcher, called as launch(kernel, Work), once or, in order, more
// often.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <kernels/augment.h>
#include <kernels/batch_norm.h>
#include <kernels/gather.h>
#include <kernels/loss.h>
#include <kernels/lower_images.h>
#include <kernels/lowering.h>
#include <kernels/map.h>
#include <kernels/matmul.h>
#include <kernels/metrics.h>
#include <kernels/noise.h>
#include <kernels/normalize.h>
#include <kernels/optimize.h>
#include <kernels/softmax.h>
#include <kernels/trained.h>
#include <kernels/update.h>

#include <type_traits>
#include <variant>

namespace glia::kernels {
inline namespace GLIA_ISA {

inline AdvanceKernel advance_kernel(const op::Advance& d, const Bindings& at) {
  return {at.state,
          at.template address<double>(d.partials),
          at.template address<double>(d.penalties),
          d.partials ? d.partials.shape[0] : 0,
          d.partials ? d.partials.shape[1] : 0,
          d.penalties ? d.penalties.elements() : 0,
          d.batch,
          d.loss_rows};
}

template <class Launch>
void lower(const op::Begin& d, const Bindings& at, Launch&& launch) {
  launch(BeginKernel{at.state, d.counters}, Work{Work::exactly, 1});
}

template <class Launch>
void lower(const op::Schedule& d, const Bindings& at, Launch&& launch) {
  select(
      [&](const auto& schedule) {
        launch(ScheduleKernel<std::decay_t<decltype(schedule)>>{at.state, schedule}, Work{Work::exactly, 1});
      },
      d.learning_rate.schedule);
}

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

template <class Launch>
void lower(const op::Gather& d, const Bindings& at, Launch&& launch) {
  visit_floating(d.x.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    const bool labels = d.y && d.y.dtype == DType::int32;
    const auto gather = [&](const auto& images) {
      launch(
          GatherKernel<T, std::decay_t<decltype(images)>>{
              at.state, at.template address<T>(d.x),
              labels ? at.template address<std::int32_t>(d.y) : nullptr,
              labels ? nullptr : at.template address<T>(d.y), at.template address<T>(d.weights), d.x.shape[0],
              columns_of(d.x), columns_of(d.y), d.x_from, d.y_from, d.advance_iteration, images},
          Work{Work::rows, d.x.shape[0], columns_of(d.x)});
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
void lower(const op::Round& d, const Bindings& at, Launch&& launch) {
  const std::int64_t n = d.in.elements();
  const auto round = [&]<class In, class Out>(const In* in, Out* out) {
    launch(RoundKernel<In, Out>{in, out, n}, Work{Work::elements, n});
  };
  const float* const in = at.template address<float>(d.in);
  if (d.in.dtype == DType::bfloat16)
    round(at.template address<BFloat16>(d.in), at.template address<float>(d.out));
  else if (d.out.dtype == DType::bfloat16)
    round(in, at.template address<BFloat16>(d.out));
  else
    round(in, at.template address<float>(d.out));
}

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
    launch(LookupGradientKernel<T>{at.template address<T>(d.indices), at.template address<T>(d.out_gradient),
                                   at.template address<T>(table), d.out_gradient.shape[0], table.shape[0],
                                   table.shape[1]},
           Work{Work::rows, table.shape[0], table.shape[1]});
  });
}

template <class Launch>
void lower(const op::Loss& d, const Bindings& at, Launch&& launch) {
  visit_floating(d.predictions.dtype, [&](auto type) {
    select(
        [&](const auto& loss) {
          using T = typename decltype(type)::type;
          const std::int64_t columns = last_of(d.predictions), rows = d.predictions.elements() / columns;
          LossKernel<std::decay_t<decltype(loss)>, T> kernel{loss,
                                                             at.template address<T>(d.predictions),
                                                             at.template address<>(d.targets),
                                                             at.template address<T>(d.weights),
                                                             at.template address<T>(d.gradient),
                                                             at.template address<double>(d.partials),
                                                             rows,
                                                             columns,
                                                             d.weights ? rows / d.weights.shape[0] : 1,
                                                             d.metric_count,
                                                             {}};
          for (int m = 0; m < d.metric_count; ++m) kernel.metrics[m] = d.metrics[m];
          launch(kernel, Work{Work::exactly, d.partials.shape[0]});
        },
        d.function);
  });
}

template <class T>
Judged<T> judged(const op::Tally& d, const Bindings& at) {
  const std::int64_t columns = last_of(d.predictions), rows = d.predictions.elements() / columns;
  const bool labels = d.targets.dtype == DType::int32;
  return {at.template address<T>(d.predictions),
          labels ? nullptr : at.template address<T>(d.targets),
          labels ? at.template address<std::int32_t>(d.targets) : nullptr,
          at.template address<T>(d.weights),
          rows,
          columns,
          d.weights ? rows / d.weights.shape[0] : 1};
}

template <class T, class Metric, class Launch>
void lower_tally(const Metric& metric, const Judged<T>& data, double* counters, Launch&& launch) {
  if constexpr (requires { metric.class_id; })
    launch(PositivesKernel<T>{data, counters, metric.threshold, metric.class_id}, Work{Work::exactly, 1});
  else if constexpr (requires { metric.average; })
    launch(FScoreKernel<T>{data, counters, metric.threshold}, Work{Work::exactly, data.columns});
  else if constexpr (std::is_same_v<Metric, AUC>)
    launch(AucKernel<T>{data, counters, metric.num_thresholds, metric.from_logits},
           Work{Work::exactly, metric.num_thresholds});
  else if constexpr (std::is_same_v<Metric, R2Score>)
    launch(R2Kernel<T>{data, counters}, Work{Work::exactly, data.columns});
  else if constexpr (std::is_same_v<Metric, ConfusionMatrix>) {
    const std::int64_t classes = data.columns == 1 ? 2 : data.columns;
    launch(ConfusionKernel<T>{data, counters, classes}, Work{Work::exactly, classes});
  }
}

template <class Launch>
void lower(const op::Tally& d, const Bindings& at, Launch&& launch) {
  visit_floating(d.predictions.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    double* const counters = counters_of(at.state) + d.first_counter;
    select([&](const auto& metric) { lower_tally(metric, judged<T>(d, at), counters, launch); }, d.function);
  });
}

template <class Launch>
void lower(const op::Fold& d, const Bindings& at, Launch&& launch) {
  visit_floating(d.weights ? d.weights.dtype : DType::float32, [&](auto type) {
    using T = typename decltype(type)::type;
    launch(FoldKernel<T>{at.template address<double>(d.partials), at.template address<T>(d.weights),
                         counters_of(at.state) + d.first_counter, d.partials.shape[0], d.rows,
                         d.weights ? d.rows / d.weights.shape[0] : 1},
           Work{Work::exactly, 1});
  });
}

template <class Launch>
void lower(const op::Penalty& d, const Bindings& at, Launch&& launch) {
  visit_floating(d.parameter.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    const std::int64_t n = d.parameter.elements();
    launch(PenaltyKernel<T>{at.template address<T>(d.parameter), at.template address<T>(d.gradient),
                            at.template address<double>(d.partials) + d.first_partial, n, d.function.l1,
                            d.function.l2},
           Work{Work::exactly, op::pieces_of(n)});
  });
}

template <class Launch>
void lower(const op::Scatter& d, const Bindings& at, Launch&& launch) {
  visit_floating(d.in.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    launch(ScatterKernel<T>{at.state, at.template address<T>(d.in), d.in.shape[0], columns_of(d.in)},
           Work{Work::rows, d.in.shape[0], columns_of(d.in)});
  });
}

template <class Launch>
void lower(const op::Advance& d, const Bindings& at, Launch&& launch) {
  launch(advance_kernel(d, at), Work{Work::exactly, 1});
}

template <class Launch>
void lower(const op::Accumulate& d, const Bindings& at, Launch&& launch) {
  visit_floating(d.gradients.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    const std::int64_t n = d.gradients.elements();
    launch(AccumulateKernel<T>{at.state, at.template address<T>(d.gradients), at.template address<T>(d.sums),
                               n, d.steps},
           Work{Work::elements, n});
  });
}

template <class Launch>
void lower(const op::Squares& d, const Bindings& at, Launch&& launch) {
  visit_floating(d.in.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    const std::int64_t n = d.in.elements();
    launch(SquaresKernel<T>{at.template address<T>(d.in), at.template address<double>(d.partials), n},
           Work{Work::exactly, op::pieces_of(n)});
  });
}

template <class Launch>
void lower(const op::RescaleToNorm& d, const Bindings& at, Launch&& launch) {
  visit_floating(d.values.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    const std::int64_t n = d.values.elements();
    launch(RescaleToNormKernel<T>{at.template address<T>(d.values), at.template address<double>(d.partials),
                                  n, d.partials.elements(), d.limit},
           Work{Work::elements, n});
  });
}

template <class Launch>
void lower(const op::Optimize& d, const Bindings& at, Launch&& launch) {
  visit_floating(d.parameters.dtype, [&](auto type) {
    select(
        [&](const auto& optimizer) {
          using T = typename decltype(type)::type;
          const std::int64_t n = d.parameters.elements();
          launch(
              OptimizeKernel<std::decay_t<decltype(optimizer)>, T>{
                  optimizer, advance_kernel(d.advance, at), at.template address<T>(d.parameters),
                  at.template address<T>(d.gradients), at.template address<T>(d.slots), n,
                  d.slots ? d.slots.strides[0] : 0, d.steps, optimizer.slots(), d.weight_decay},
              Work{Work::elements, n > 0 ? n : 1});
        },
        d.optimizer);
  });
}

template <class Launch>
void lower(const op::MovingAverage& d, const Bindings& at, Launch&& launch) {
  visit_floating(d.parameters.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    const std::int64_t n = d.parameters.elements();
    launch(AverageKernel<T>{at.state, at.template address<T>(d.parameters),
                            at.template address<T>(d.averages), n, d.steps, d.overwrite_every, d.momentum},
           Work{Work::elements, n});
  });
}

template <class T, class Constraint, class Launch>
void lower_constraint(const Constraint& constraint, const op::Constrain& d, const Bindings& at,
                      Launch&& launch) {
  if constexpr (!std::is_same_v<Constraint, NoConstraint>) {
    const std::int64_t rows = d.weight.shape[0], columns = d.weight.shape[1];
    launch(ConstrainKernel<Constraint, T>{constraint, at.template address<T>(d.weight), rows, columns},
           Work{Work::elements, std::is_same_v<Constraint, NonNeg> ? rows * columns : columns});
  }
}

template <class Launch>
void lower(const op::Constrain& d, const Bindings& at, Launch&& launch) {
  visit_floating(d.weight.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    select([&](const auto& constraint) { lower_constraint<T>(constraint, d, at, launch); }, d.function);
  });
}

template <class Launch>
void lower(const op::Momentum& d, const Bindings& at, Launch&& launch) {
  visit_floating(d.out.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    const std::int64_t n = d.out.elements();
    launch(
        MomentumKernel<T>{at.state, at.template address<T>(d.gradients), at.template address<T>(d.momentum),
                          at.template address<T>(d.out), n, d.steps, d.mu, d.nesterov},
        Work{Work::elements, n});
  });
}

template <class Launch>
void lower(const op::Combine& d, const Bindings& at, Launch&& launch) {
  visit_floating(d.out.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    const std::int64_t n = d.out.elements();
    launch(CombineKernel<T>{at.template address<T>(d.a), at.template address<T>(d.b),
                            at.template address<T>(d.out), n, d.alpha, d.beta},
           Work{Work::elements, n});
  });
}

template <class Launch>
void lower(const op::Descend& d, const Bindings& at, Launch&& launch) {
  visit_floating(d.parameters.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    const std::int64_t n = d.parameters.elements();
    launch(DescendKernel<T>{at.state, at.template address<T>(d.parameters), at.template address<T>(d.step), n,
                            d.steps, d.scale, d.decay},
           Work{Work::elements, n});
  });
}

/// A product's plain loops, for the region of `rows` rows and `columns` columns of out from (row, column) on.
template <class Launch>
void lower_product(const op::Matmul& d, const Bindings& at, std::int64_t row, std::int64_t rows,
                   std::int64_t column, std::int64_t columns, Launch&& launch) {
  visit_floating(d.out.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    launch(MatmulKernel<T>{at.template address<T>(d.a) + row * d.a.strides[0],
                           at.template address<T>(d.b) + column * d.b.strides[1],
                           at.template address<T>(d.out) + row * d.out.strides[0] + column, rows, columns,
                           d.a.shape[1], d.a.strides[0], d.a.strides[1], d.b.strides[0], d.b.strides[1],
                           d.out.strides[0]},
           Work{Work::rows, rows, columns});
  });
}

/// The bias gradient that goes with a weight gradient: the sums over the rows of b.
template <class Launch>
void lower_bias_gradient(const op::Matmul& d, const Bindings& at, Launch&& launch) {
  visit_floating(d.out.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    launch(ColumnSumsKernel<T>{at.template address<T>(d.b), at.template address<T>(d.bias_gradient),
                               d.b.shape[0], d.b.shape[1], d.b.strides[0]},
           Work{Work::elements, d.b.shape[1]});
  });
}

}  // namespace GLIA_ISA
}  // namespace glia::kernels
