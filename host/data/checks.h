// Checks of what a caller gives to fit, evaluate and predict, before anything is computed.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/tensor.h>
#include <host/model/model.h>

namespace glia {

/// The shape of x's rows as a model takes them: a vector of numbers is rows of one number each, as in Keras. Throws
/// ShapeError for a scalar and for rows that are empty. `call`, here and below, is "fit", "evaluate" or "predict", for
/// messages.
Shape checked_row_shape(const TensorView& x, const char* call);

/// Throws ShapeError where x's rows do not fit the model, which must be built, and ValueError where its first layer cannot
/// take them.
void check_inputs(const Model& model, const TensorView& x, const char* call);

/// The same, and throws ShapeError or ValueError for targets that do not fit x, the model's output and its loss,
/// labels outside the classes among them. The model must be compiled.
void check_data(const Model& model, const TensorView& x, const TensorView& y, const char* call);

/// Throws StateError where the model was not compiled with a loss.
void check_compiled(const Model& model, const char* call);

}  // namespace glia
