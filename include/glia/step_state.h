// StepState: what changes from step to step. It lies at the start of the state buffer, on the device, and is
// advanced there, so that a captured step stays valid. The host writes it before a run and reads it after.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/math/metrics.h>  // defines: max_metrics
#include <glia/math/philox.h>   // defines: Permutation

#include <cstdint>

namespace glia {

/// The rows a run reads. Row r of a step is row order(cursor + r) of x and y, where order is `permutation` if shuffled.
struct Feed {
  const void* x = nullptr;  ///< device memory
  const void* y = nullptr;  ///< device memory; null in inference
  void* out = nullptr;      ///< where inference stores its outputs, from row `cursor` on
  double x_scale = 1;
  double y_scale = 1;
  bool shuffled = false;
  Permutation permutation;
};

/// Each member is advanced by a kernel that does not otherwise read it: `iteration` and `learning_rate` by
/// Gather, which reads the cursor; `cursor`, `rows` and the totals by Advance (fused into Optimize), which
/// reads the iteration. What comes before `iteration` is set anew for every run over a data set.
struct StepState {
  Feed feed;
  std::int64_t cursor = 0;  ///< rows consumed of this run
  std::int64_t rows = 0;    ///< rows in the totals below (outputs of rank 3 count one for each position)
  double loss = 0;          ///< sum over rows
  double metrics[max_metrics] = {};
  std::int64_t iteration = 0;  ///< updates made, this step's included while it runs
  double learning_rate = 0;    ///< of this step
};

}  // namespace glia
