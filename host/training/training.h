// The loops of fit, evaluate and predict: which rows, which Programs, how many steps at once, and what is
// shown meanwhile.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/sequential.h>  // defines: FitOptions, EvaluateOptions, PredictOptions
#include <host/model/model.h>

namespace glia::training {

/// As the functions of Sequential of the same names; `trained_epochs` counts the passes of earlier fits, and
/// numbers the shuffles, `owner` is the model as callbacks
/// see it.
History fit(Sequential& owner, Model& model, const TensorView& x, const TensorView& y,
            const FitOptions& options, std::int64_t& trained_epochs);
History fit(Sequential& owner, Model& model, BatchSource& source, const FitOptions& options,
            std::int64_t& trained_epochs);
Logs evaluate(Model& model, const TensorView& x, const TensorView& y, const EvaluateOptions& options);
Tensor confusion_matrix(Model& model, const TensorView& x, const TensorView& y,
                        const EvaluateOptions& options);
Tensor predict(Model& model, const TensorView& x, const PredictOptions& options);
Logs train_on_batch(Model& model, const TensorView& x, const TensorView& y);
Gradients gradients(Model& model, const TensorView& x, const TensorView& y);

/// {"loss", ...} in compile's order.
std::vector<std::string> metrics_names(const Model& model);

}  // namespace glia::training
