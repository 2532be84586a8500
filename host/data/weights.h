// What each row counts in the loss.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/tensors.h>
#include <host/data/feeder.h>  // defines: Rows
#include <host/model/core.h>

#include <map>
#include <optional>
#include <vector>

namespace glia {

/// For each head float32 (rows,) on the CPU of sample_weight or class_weight, or nothing where all rows count alike. `data` are
/// checked inputs and targets. Throws ShapeError and ValueError for weights that do not fit; `call` names the caller.
std::vector<std::optional<Tensor>> row_weights(const Core& model, const Rows& data,
                                               const Tensors& sample_weight,
                                               const std::map<int, double>& class_weight, const char* call);

/// Inputs and targets with the weights behind them.
Rows with_weights(Rows data, const std::vector<std::optional<Tensor>>& weights);

}  // namespace glia
