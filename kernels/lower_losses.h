// From the descriptors of losses and metrics to the kernels that do them.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <kernels/loss.h>
#include <kernels/lowering.h>
#include <kernels/metrics.h>

namespace glia::kernels {
inline namespace GLIA_ISA {

template <class Launch>
void lower(const op::Loss& d, const Bindings& at, Launch&& launch) {
  visit_floating(d.predictions.dtype, [&](auto type) {
    select(
        [&](const auto& loss) {
          using T = typename decltype(type)::type;
          const std::int64_t columns = last_of(d.predictions), rows = d.predictions.elements() / columns;
          LossKernel<std::decay_t<decltype(loss)>, T> kernel{
              loss,
              at.template address<T>(d.predictions),
              at.template address<>(d.targets),
              at.template address<T>(d.judged ? d.judged : d.predictions),
              at.template address<T>(d.weights),
              at.template address<T>(d.gradient),
              at.template address<double>(d.partials),
              rows,
              columns,
              d.weights ? rows / d.weights.shape[0] : 1,
              d.metric_count,
              {}};
          for (int m = 0; m < d.metric_count; ++m) kernel.metrics[m] = d.metrics[m];
          // As many groups of a GPU as a piece has rows.
          Work work{Work::rows, d.partials.shape[0], op::Loss::rows_per_block * columns};
          work.threads = 32 * static_cast<unsigned>(op::Loss::rows_per_block);
          launch(kernel, work);
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
    const double threshold = metric.threshold == ConfusionMatrix::by_loss ? 0.5 : metric.threshold;
    launch(ConfusionKernel<T>{data, counters, classes, static_cast<T>(threshold)},
           Work{Work::exactly, classes});
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
                         counters_of(at.state) + d.first_counter, d.partials.shape[0], d.partials.shape[1],
                         d.first_column, d.rows, d.weights ? d.rows / d.weights.shape[0] : 1, d.scale},
           Work{Work::exactly, 1});
  });
}

}  // namespace GLIA_ISA
}  // namespace glia::kernels
