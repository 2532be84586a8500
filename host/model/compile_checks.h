// What compile refuses.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/compile.h>  // defines: CompileOptions
#include <host/program/heads.h>

#include <string>
#include <vector>

namespace glia {

/// Throws ValueError for options, or a learning rate, that cannot be.
void check_optimizer(const Optimizers& optimizer);

/// Throws ValueError for one that is not for models of this dtype.
void check_precision(const Precisions& precision, DType dtype);

/// A head for each of the model's outputs that has a loss, its metrics, the weighted ones behind the others, not yet resolved.
/// Throws ValueError for losses and weights of outputs that there are not, and for a metric that is named twice, that is of no
/// output, that has options that cannot be, or that wants other targets than the loss.
std::vector<Head> checked_heads(const CompileOptions& options, const std::vector<std::string>& outputs);

}  // namespace glia
