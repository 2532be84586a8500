// ONNX files: models for other runtimes, and models of other frameworks. The library glia::onnx, which is built where protobuf is;
// not included by glia.h. What travels: docs/onnx.md.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/macros.h>
#include <glia/model.h>  // defines: Model, Device, Context

#include <cstdint>
#include <optional>
#include <string>

namespace GLIA_API glia {
namespace onnx {

struct SaveOptions {
  /// Rows of a batch, where the runtime wants to know. 0: any number; the dimension is called "batch".
  std::int64_t batch_size = 0;
  /// Whether inputs and outputs that are images are (batch, channels, height, width), as other frameworks have them, and not
  /// (batch, height, width, channels), as Glia has.
  bool channels_first = false;
};

/// Writes what the model infers with into one ONNX file (operator set 18), whole or not at all: its layers as operators, its weights,
/// float32. Inputs and outputs have the model's names. Dropout, noise and augmentation are left out, batch normalisation is by the
/// moving statistics, models within the model become part of the graph. Convolutions take (batch, channels, height, width) there:
/// transposes stand only where an image comes in, and where it is taken apart. Synchronises. Throws StateError where the shapes of
/// the inputs are not known; ValueError, which names the layer, for one that has no ONNX form (a Lambda, an application's own) and
/// for a model beyond the 2 GiB of such files; FileError.
///
///     model.fit(train, {.epochs = 5});
///     glia::onnx::save(model, "fashion.onnx");
void save(const Model& model, const std::string& path, const SaveOptions& options = {});

struct LoadOptions {
  std::optional<Device> device = {};    ///< default: the automatic one
  std::optional<Context> context = {};  ///< takes precedence over device
  /// Inputs and outputs that the file has as (batch, channels, height, width) stay so. False: they are (batch, height, width,
  /// channels), as Glia has images, and what the file transposes for it is not done.
  bool channels_first = false;
};

/// The model of an ONNX file, with its weights: operators as layers, so that it can be trained further once it is compiled (where a
/// device or context is given it is compiled for that, without a loss). Layers with weights are called as the file calls these, inputs
/// as there, and the layers that give outputs as the outputs. Allocates and synchronises. Throws FileError for a file that is missing,
/// damaged, whose weights are in other files, or that needs what Glia does not have: operator, node and attribute are named;
/// OutOfMemoryError, DeviceError.
///
///     glia::Model model = glia::onnx::load("resnet18.onnx");
///     glia::Tensor scores = model.predict(images);  // (rows, 224, 224, 3)
Model load(const std::string& path, const LoadOptions& options = {});

}  // namespace onnx
}  // namespace glia
