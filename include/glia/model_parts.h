// ModelParts: a whole model in memory, in words and tensors: what files of other formats are made of, and made into.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/macros.h>
#include <glia/model.h>
#include <glia/saving.h>
#include <glia/tensors.h>  // defines: NamedTensors

#include <string>

namespace GLIA_API glia {

/// What Model::save writes, before it is a file (docs/files.md).
struct ModelParts {
  std::string
      description;  ///< "glia.model": JSON with the graph, and of a compiled model what compile was told
  NamedTensors
      tensors;  ///< the weights by their names; beside them "glia.optimizer/0/dense/kernel" and its kin
};

/// Copies a model's parts to the CPU, as save does. Of options the dtype of weights is not regarded: they are as they are.
/// Synchronises. Throws ValueError as save does.
ModelParts take_apart(const Model& model, const SaveOptions& options = {});

/// The model of such parts, as load_model makes it: what its description asks memory for is compared with the tensors first.
/// Allocates and synchronises. Throws ValueError, ShapeError and StateError for parts that do not go together, OutOfMemoryError,
/// DeviceError.
Model put_together(ModelParts parts, const LoadOptions& options = {});

}  // namespace glia
