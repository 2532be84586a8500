// What files of weights and of whole models have in common.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/error.h>
#include <glia/model_parts.h>
#include <host/base/json.h>
#include <host/io/safetensors.h>
#include <host/model/core.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace glia {

/// Names of tensors that are no weights begin so in a file of a model.
inline constexpr auto beside_weights = "glia.";
/// The metadata under which a file has the model itself.
inline constexpr auto model_key = "glia.model";

/// The metadata under which a file has the names of its weights in their order, which the file's own is not.
inline constexpr auto order_key = "glia.weights";
std::string order_of(const std::vector<std::string>& names);

/// ".safetensors" goes to a file name without extension. Throws FileError where there is no name: with it, a folder would
/// become a hidden file.
std::string with_extension(const std::string& path);

/// A model in words, its layers alone.
Json described(Core& core);
/// Makes a model that has nothing yet of such words. Throws ValueError, ShapeError.
void read_described(const std::shared_ptr<Core>& core, Json json);

/// A safetensors file that has tensors alone.
class NoModelError final : public FileError {
 public:
  using FileError::FileError;
};

class SavedModel;

/// A file of a whole model, from which a fit goes on.
class Checkpoint {
 public:
  /// Reads the file. Throws FileError.
  explicit Checkpoint(const std::string& path);
  /// The newest whole one of a folder, or the file that `place` names; none where there is none.
  static std::optional<Checkpoint> newest(const std::string& place);

  /// That training came to; none of a file without training.
  std::optional<int> epoch() const;
  /// Gives a model that is compiled and built the file's weights and how far training came. Throws FileError where they do not
  /// fit, and the model is as it was.
  void go_on(Core& core) const;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
  std::shared_ptr<SavedModel> saved_;
};

/// Gives a model that is compiled and built the weights of such parts and how far training came. Throws ValueError and ShapeError
/// where they do not fit, and the model is as it was.
void go_on(const Model& model, ModelParts parts);

}  // namespace glia
