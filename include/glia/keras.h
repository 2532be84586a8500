// Keras's files, both ways: whole models (.keras, .h5) and weights (.weights.h5, .h5). The library glia::keras has what is declared here;
// it is built where HDF5 and libzip are, and is not in glia.h.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/macros.h>
#include <glia/model.h>
#include <glia/saving.h>  // defines: LoadOptions, LoadWeightsOptions, LoadedWeights

#include <string>

namespace glia {
namespace GLIA_API keras {

struct SaveOptions {
  /// With what compile was told, and what the optimizer keeps where Keras keeps the same (docs/keras.md). False: layers and weights.
  bool include_optimizer = true;
};

/// The model of a file that Keras wrote: `.keras` of Keras 3 (and of 2.12 and later), or a whole model in HDF5, `.h5`, of Keras 2
/// and 3; what it is, its bytes say, not its name. Compiled as it was, where the file says so and `.compile` is set, with the optimizer's
/// state where Glia keeps the same. Images are channels last; sizes of rows must be known. Allocates and synchronises; while it reads,
/// other threads wait that call functions of this header. Throws FileError for a file that is missing, damaged or larger than it says,
/// that links to others, that has a layer, an option or a setting which Glia has not, by its name, or whose parts do not go together;
/// OutOfMemoryError, DeviceError.
///
///     glia::Model model = glia::keras::load("fashion.keras");
///     glia::Tensor probabilities = model.predict(x);
Model load(const std::string& path, const LoadOptions& options = {});

/// Weights from Keras's `.weights.h5` (Keras 3), `.h5` (Keras 2's save_weights, whole models) or `.keras`. By name, a weight
/// of the model is that of the file in the place that Keras would give it: in `.weights.h5` and `.keras` that follows from the
/// classes of the layers and their order, in `.h5` from their names. By order, and in `.h5` as Keras does where not all names are
/// the model's (but for .skip_mismatch), layers with weights are matched one after the other. The report has Glia's names; in
/// `unused` the file's. Synchronises. Throws FileError for a file that is none of these, StateError for a model that is not
/// built, ShapeError for weights that do not fit and are not to be passed over; nothing changes then.
LoadedWeights load_weights(Model& model, const std::string& path, const LoadWeightsOptions& options = {});

/// Writes a `.keras` file that Keras 3 loads, whole or not at all. The same model gives the same bytes. Synchronises. Throws StateError
/// for a model whose shapes are not known, ValueError for what Keras has not (by its name: a Cutout, a Step, a custom layer or loss), and FileError.
void save(const Model& model, const std::string& path, const SaveOptions& options = {});

/// Writes a `.weights.h5` file that Keras 3 loads into the model that save writes, and into others of the same layers. Errors as
/// save's.
void save_weights(const Model& model, const std::string& path);

}  // namespace keras
}  // namespace glia
