// What optimizers keep, in Keras's files and in Glia's parts of a model.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/tensors.h>

#include <map>
#include <string>
#include <vector>

#include "interchange/keras/hdf5.h"
#include "interchange/keras/json.h"

namespace glia::keras {

/// Beside a model's weights: the number of updates, and tensors "glia.optimizer/0/dense/kernel".
struct OptimizerState {
  std::int64_t steps = 0;
  NamedTensors tensors = {};
};

/// The state of `paths`, the optimizer's variables in Keras's order, for an optimizer as "compile" of Glia's files says it and weights
/// in Keras's order. Where Keras keeps another state than Glia, nothing of it, and `why` says what. Throws FileError.
OptimizerState read_state(const Hdf5Reader& file, const std::vector<std::string>& paths, const Json& compile,
                          const std::vector<std::string>& trained, const std::map<std::string, Shape>& shapes,
                          DType dtype, std::string& why);

/// Writes "optimizer/vars/0", ...; nothing where Keras keeps another state than Glia.
void write_state(Hdf5Writer& file, const Json& compile, double learning_rate, const OptimizerState& state,
                 const std::vector<std::string>& trained, const std::map<std::string, Shape>& shapes,
                 DType dtype);

}  // namespace glia::keras
