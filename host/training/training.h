// The loops of fit, evaluate and predict: which rows, which Programs, how many steps at once, and what is
// shown meanwhile.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/fit.h>  // defines: FitOptions, EvaluateOptions, PredictOptions
#include <glia/tensors.h>
#include <host/model/core.h>

#include <vector>

namespace glia::training {

/// As the functions of Model of the same names; `owner` is the model as callbacks see it.
History fit(Model& owner, Core& model, const Tensors& x, const Tensors& y, const FitOptions& options);
History fit(Model& owner, Core& model, BatchSource& source, const FitOptions& options);
Logs evaluate(Model& owner, Core& model, const Tensors& x, const Tensors& y, const EvaluateOptions& options);
Tensor confusion_matrix(Model& owner, Core& model, const Tensors& x, const Tensors& y,
                        const EvaluateOptions& options);
std::vector<NamedTensor> predict(Model& owner, Core& model, const Tensors& x, const PredictOptions& options);

/// One step on all of x as one batch; returns loss and metrics. `call` is what the user called, for messages. Where
/// `input_gradients` is given, those of the inputs are put there, on the CPU.
Logs run_on_batch(Core& model, Mode mode, const Tensors& x, const Tensors& y, const Tensors& sample_weight,
                  const char* call, TensorList* input_gradients = nullptr);

}  // namespace glia::training
