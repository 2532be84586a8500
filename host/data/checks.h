// Checks of what a caller gives to fit, evaluate and predict, before anything is computed.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/tensor.h>
#include <host/model/model.h>

namespace glia {

/// Builds the model for rows like x's where it is not built yet, else throws ShapeError where they do not
/// fit. `call` is "fit", "evaluate" or "predict", for messages.
void check_inputs(Model& model, const TensorView& x, const char* call);

/// The same, and throws ShapeError or ValueError for targets that do not fit x, the model's output and its loss,
/// labels outside the classes among them. A model that this call built is not built any more then. The model must
/// be compiled.
void check_data(Model& model, const TensorView& x, const TensorView& y, const char* call);

/// Throws StateError where the model was not compiled with a loss.
void check_compiled(const Model& model, const char* call);

}  // namespace glia
