// Keras's files as a whole: what is in one, whichever kind it is.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "interchange/keras/hdf5.h"
#include "interchange/keras/json.h"
#include "interchange/keras/places.h"

namespace glia::keras {

/// A .keras archive, a .weights.h5, or an .h5 of Keras 2 and its legacy in Keras 3, open.
class Container {
 public:
  explicit Container(const std::string& path);

  bool has_model() const { return !config_.is(Kind::null); }
  const Json& config() const { return config_; }           ///< {"class_name", "config", ...}
  const Json& compile_config() const { return compile_; }  ///< null where there is none
  bool is_keras_2() const { return is_keras_2_; }          ///< whether Keras 2 wrote it
  bool is_grouped() const { return is_grouped_; }          ///< whether weights lie by the names of layers
  const Hdf5Reader& file() const { return *file_; }

  /// Datasets of the weights that lie by the names of layers, in the file's order.
  struct Group {
    std::string layer;
    std::vector<std::string> datasets;
  };
  std::vector<Group> groups() const;
  /// Datasets of a layer whose weights lie by its path, in Keras's order.
  std::vector<std::string> datasets_of(const PlacedLayer& layer) const;
  /// All datasets of weights.
  std::vector<std::string> all_datasets() const;
  /// The optimizer's variables in their order.
  std::vector<std::string> optimizer_datasets() const;

 private:
  void open_archive(const std::string& path);
  void open_hdf5(const std::string& path);
  std::string root() const { return file_->has_group("model_weights") ? "model_weights" : ""; }
  std::vector<std::string> names_in(const std::string& group, const std::string& attribute) const;

  Json config_, compile_;
  bool is_keras_2_ = false, is_grouped_ = false;
  std::unique_ptr<Hdf5Reader> file_;
};

}  // namespace glia::keras
