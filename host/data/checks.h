// Checks of what a caller gives to fit, evaluate and predict, before anything is computed.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/tensors.h>
#include <host/data/feeder.h>  // defines: Rows
#include <host/model/core.h>

#include <string>
#include <vector>

namespace glia {

/// The shape of x's rows as a model takes them: a vector of numbers is rows of one number each, as in Keras. Throws
/// ShapeError for a scalar and for rows that are empty. `call`, here and below, is "fit", "evaluate" or "predict", for
/// messages.
Shape checked_row_shape(const TensorView& x, const char* call);

/// Puts what was given for each of these names, by position or by name, behind `rows`. Throws ValueError for another number, for names that are
/// not among them, and, where `all` are wanted, for one that is missing. `what` is "inputs", "targets" or "sample_weight".
void add_in_order(Rows& rows, const Tensors& given, const std::vector<std::string>& names, bool all,
                  const char* what, const char* call);

/// The inputs in the model's order. Throws ShapeError where their rows do not fit the model, which must be built, and ValueError
/// where a first layer cannot take them.
Rows checked_inputs(const Core& model, const Tensors& x, const char* call);

/// Inputs and behind them targets. Throws as checked_inputs, and ShapeError or ValueError for targets that do not fit x, the
/// model's outputs and their losses, labels outside the classes among them. The model must be compiled.
Rows checked_data(const Core& model, const Tensors& x, const Tensors& y, const char* call);

/// Throws StateError where the model was not compiled with a loss.
void check_compiled(const Core& model, const char* call);

}  // namespace glia
