// What compile refuses.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/sequential.h>  // defines: CompileOptions, MetricName

#include <vector>

namespace glia {

/// Throws ValueError for options, or a learning rate, that cannot be.
void check_optimizer(const Optimizers& optimizer);

/// The metrics, the weighted ones behind the others. Throws ValueError for too many, for one named twice or with options
/// that cannot be, and for one that wants other targets than the loss.
std::vector<MetricName> checked_metrics(const CompileOptions& options);

}  // namespace glia
