// What each row counts in the loss.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/tensor.h>
#include <host/model/model.h>

#include <map>
#include <optional>

namespace glia {

/// float32 (rows,) on the CPU of sample_weight or class_weight, or nothing where all rows count alike. `targets`
/// are checked already. Throws ShapeError and ValueError for weights that do not fit; `call` names the caller.
std::optional<Tensor> row_weights(const Model& model, const TensorView& targets,
                                  const std::optional<TensorView>& sample_weight,
                                  const std::map<int, double>& class_weight, const char* call);

}  // namespace glia
