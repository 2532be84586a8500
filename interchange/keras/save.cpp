// Models and weights into Keras's files.
// SPDX-License-Identifier: Apache-2.0
#include <glia/keras.h>
#include <glia/model_parts.h>

#include <map>
#include <utility>

#include "host/io/zip.h"
#include "interchange/keras/classes.h"
#include "interchange/keras/container.h"
#include "interchange/keras/optimizer_state.h"
#include "interchange/keras/write.h"

namespace glia::keras {
namespace {

constexpr auto beside_weights = "glia.";

/// A model that is to be written.
class Saving {
 public:
  Saving(const Model& model, bool include_optimizer) {
    model.count_params();  // throws where shapes are not known
    ModelParts parts = take_apart(model, {.include_optimizer = include_optimizer});
    description_ = parse_json(parts.description, "the model's description");
    for (NamedTensor& named : parts.tensors) {
      if (named.name.starts_with(beside_weights))
        state_.tensors.push_back(std::move(named));
      else
        shapes_[named.name] = named.tensor.shape(), weights_[named.name] = std::move(named.tensor);
    }
    const Json& graph = *description_.find("graph");
    GLIA_CHECK(!graph.find("config")->find("added_losses"), ValueError,
               "the model has values that are added to its loss (add_loss), which no file of Keras can say");
    dtype_ = text_or(graph, "dtype", "float32") == "float64" ? DType::float64 : DType::float32;
    ordered_ = keras_ordered(graph);
    layers_ = placed_layers(ordered_);
    for (const PlacedLayer& layer : layers_)
      if (layer.keeps_numbers())
        for (const std::string& weight : layer.weights)
          weights_[weight] = weights_.at(weight).reshape({}), shapes_[weight] = {};
    if (const Json* const compile = description_.find("compile"); compile && model_is_told_losses(*compile)) {
      outputs_ = model.output_names();
      learning_rate_ = model.learning_rate();
    }
    if (const Json* const training = description_.find("training"))
      state_.steps = whole_or(*training->find("steps"), 0);
  }

  /// {"module", "class_name", "config", ..., "compile_config"}.
  Json config() const {
    const Json* const compile = description_.find("compile");
    const std::string precision = compile ? text_or(*compile, "precision", "") : "";
    const std::string policy = dtype_ == DType::float64        ? "float64"
                               : precision == "mixed_bfloat16" ? precision
                                                               : "float32";
    Json model = write_model(ordered_, policy);
    if (compile && !outputs_.empty()) model.add("compile_config", write_compile(*compile, outputs_));
    return model;
  }

  std::string weights() const {
    Hdf5Writer file;
    file.group("layers");
    file.group("vars");
    file.attribute("vars", "name", text_or(*ordered_.find("config"), "name", ""));
    for (const PlacedLayer& layer : layers_) {
      file.group(layer.path + "/vars");
      file.attribute(layer.path + "/vars", "name", layer.around.back());
      for (std::size_t i = 0; i < layer.weights.size(); ++i) {
        const std::string place = layer.path + "/vars/" + std::to_string(i);
        if (is_count(layer.weights[i]))
          file.dataset(place, std::int32_t{0});
        else
          file.dataset(place, weights_.at(layer.weights[i]));
      }
    }
    if (const Json* const compile = description_.find("compile"); compile && !outputs_.empty())
      write_state(file, *compile, learning_rate_, state_, trained_weights(layers_), shapes_, dtype_);
    return file.bytes();
  }

 private:
  static bool model_is_told_losses(const Json& compile) {
    return compile.find("loss") || compile.find("losses");
  }

  Json description_, ordered_;
  std::vector<PlacedLayer> layers_;
  std::map<std::string, Tensor> weights_;
  std::map<std::string, Shape> shapes_;
  OptimizerState state_;
  std::vector<std::string> outputs_;
  double learning_rate_ = 0;
  DType dtype_ = DType::float32;
};

io::Bytes bytes_of(const std::string& text) { return std::as_bytes(std::span(text)); }

}  // namespace

void save(const Model& model, const std::string& path, const SaveOptions& options) {
  const Saving saving(model, options.include_optimizer);
  // The version whose words these are; a date would make two files of one model differ.
  const std::string metadata = "{\"keras_version\": \"3.15.1\", \"date_saved\": \"1980-01-01@00:00:00\"}";
  const std::string config = saving.config().dump(), weights = saving.weights();
  const io::ZipContent contents[] = {{"metadata.json", {bytes_of(metadata)}},
                                     {"config.json", {bytes_of(config)}},
                                     {"model.weights.h5", {bytes_of(weights)}}};
  io::write_zip(path, contents, io::ZipPacking::stored);
}

void save_weights(const Model& model, const std::string& path) {
  const std::string weights = Saving(model, false).weights();
  io::write_file_atomically(path, weights);
}

}  // namespace glia::keras
