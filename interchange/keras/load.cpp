// Models and weights from Keras's files.
// SPDX-License-Identifier: Apache-2.0
#include <glia/keras.h>
#include <glia/log.h>
#include <glia/model_parts.h>

#include <map>
#include <set>
#include <utility>

#include "host/io/of_file.h"
#include "interchange/keras/classes.h"
#include "interchange/keras/container.h"
#include "interchange/keras/optimizer_state.h"
#include "interchange/keras/read.h"

namespace glia::keras {
namespace {

/// Where the weights of a model lie in a file: (name in Glia, dataset). What the file lacks has an empty dataset.
struct Source {
  std::string weight, dataset;
};

/// By what Keras calls layers: their paths, or in grouped files their names.
std::vector<Source> sources_by_name(const Container& container, const std::vector<PlacedLayer>& layers) {
  std::vector<Source> sources;
  const auto put = [&](const std::vector<std::string>& weights, const std::vector<std::string>& datasets) {
    for (std::size_t i = 0; i < weights.size(); ++i)
      sources.push_back({weights[i], i < datasets.size() ? datasets[i] : ""});
  };
  if (!container.is_grouped()) {
    for (const PlacedLayer& layer : layers) put(layer.weights, container.datasets_of(layer));
    return sources;
  }
  std::map<std::string, std::vector<std::string>> groups;
  for (Container::Group& group : container.groups()) groups[group.layer] = std::move(group.datasets);
  for (const GroupedWeights& group : grouped_weights(layers)) put(group.weights, groups[group.layer]);
  return sources;
}

/// Layers with weights, one after the other, as Keras matches them in grouped files; in others all weights.
std::vector<Source> sources_by_order(const Container& container, const std::vector<PlacedLayer>& layers) {
  std::vector<std::vector<std::string>> datasets, weights;
  if (container.is_grouped()) {
    for (Container::Group& group : container.groups())
      if (!group.datasets.empty()) datasets.push_back(std::move(group.datasets));
    for (GroupedWeights& group : grouped_weights(layers))
      if (!group.weights.empty()) weights.push_back(std::move(group.weights));
  } else {
    for (const PlacedLayer& layer : layers)
      if (!layer.weights.empty())
        weights.push_back(layer.weights), datasets.push_back(container.datasets_of(layer));
  }
  std::vector<Source> sources;
  for (std::size_t i = 0; i < weights.size(); ++i)
    for (std::size_t j = 0; j < weights[i].size(); ++j)
      sources.push_back({weights[i][j], i < datasets.size() && j < datasets[i].size() ? datasets[i][j] : ""});
  return sources;
}

/// Of a Normalization that was given mean and variance, which Keras keeps in its config: as many as it has features.
void add_given_statistics(const Json& graph, const std::string& prefix, const Policies& policies,
                          NamedTensors& tensors) {
  for (const Json::Member& member : graph.find("config")->find("layers")->members) {
    const Json& layer = member.value;
    const Json& config = *layer.find("config");
    const std::string name = prefix + text_or(layer, "name", text_or(config, "name", "")) + '/';
    const std::string type = text_or(layer, "class_name", "");
    if (type == "Sequential" || type == "Functional") add_given_statistics(layer, name, policies, tensors);
    if (type != "Normalization" || !weights_of(type, config).empty()) continue;
    for (const char* statistic : {"mean", "variance"}) {
      std::vector<double> values;
      for (const Json::Member& value : config.find(statistic)->members) {
        GLIA_CHECK(value.value.is(Kind::number), ValueError, "layer \"", detail::escaped(name),
                   "\" (Normalization): ", statistic, " is ", shown(*config.find(statistic)),
                   ", expected a list of numbers, one for each feature");
        values.push_back(number_of(value.value));
      }
      tensors.push_back({name + statistic,
                         Tensor(values).cast(policies.dtype == "float64" ? DType::float64 : DType::float32)});
    }
  }
}

/// Shape and numbers of a weight as Glia has them: what is one number in Keras is a tensor (1,).
Shape weight_shape(const Hdf5Reader& file, const std::string& dataset) {
  const Shape shape = file.shape(dataset);
  return shape.rank() == 0 ? Shape{1} : shape;
}
Tensor weight_in(const Hdf5Reader& file, const std::string& dataset, DType dtype) {
  return file.read(dataset, dtype).reshape(weight_shape(file, dataset));
}

/// Whether weights are to be matched one after the other: where that is asked for, and as Keras does where names of layers differ, which
/// are counted through a program's models.
bool goes_by_order(const Container& container, const std::vector<PlacedLayer>& layers,
                   const LoadWeightsOptions& options) {
  if (options.by == MatchBy::order || options.skip_mismatch || !container.is_grouped())
    return options.by == MatchBy::order;
  std::set<std::string> names;
  for (const PlacedLayer& layer : layers) names.insert(layer.around[0]);
  for (const Container::Group& group : container.groups())
    if (!group.datasets.empty() && names.count(group.layer) == 0) return true;
  return false;
}

/// A model's parts from a file.
class Loading {
 public:
  Loading(const Container& container, const std::string& path) : container_(container), path_(path) {}

  Model make(const LoadOptions& options) {
    policies_.is_keras_2 = container_.is_keras_2();
    Json graph = read_graph(container_.config(), 0, policies_).json;
    const Json& keras = *container_.config().find("config");
    taken(*graph.find("config"), "trainable");
    add_build_shape(keras, graph);
    const std::vector<PlacedLayer> layers = placed_layers(graph);
    take_weights(layers);
    add_given_statistics(graph, "", policies_, parts_.tensors);
    add_states(layers);
    Json description(Kind::object);
    description.add("format_version", Json::of(1));
    Json& root = description.add("graph", graph);
    root.add("dtype", Json::of(policies_.dtype.empty() ? "float32" : policies_.dtype)),
        root.add("seed", Json::of(0));
    description.add("class_names", Json(Kind::array));
    if (options.compile && container_.compile_config().is(Kind::object)) {
      Json compile = read_compile(container_.compile_config(), outputs_of(graph), policies_);
      if (!compile.is(Kind::null))
        add_training(std::move(compile), layers, outputs_of(graph).size(), description);
    }
    parts_.description = description.dump();
    const bool has_weights = !parts_.tensors.empty();
    Model model = put_together(std::move(parts_), options);
    GLIA_CHECK(model.built() || !has_weights, ValueError,
               "nothing says the shape of its input, for which it has weights; save it once it was built");
    return model;
  }

 private:
  DType dtype() const { return policies_.dtype == "float64" ? DType::float64 : DType::float32; }

  /// Where a chain does not begin with what says the shape of its input.
  static void add_build_shape(const Json& keras, Json& graph) {
    Json& config = *graph.find("config");
    const Json* const shape = keras.is(Kind::object) ? given(keras, "build_input_shape") : nullptr;
    const Json& layers = *config.find("layers");
    if (!is_text(graph.find("class_name"), "Sequential") || !shape || layers.members.empty()) return;
    const Json& first = layers.members[0].value;
    if (is_text(first.find("class_name"), "InputLayer") || first.find("config")->find("input_shape")) return;
    Json batch(Kind::array);
    batch.add(Json());
    for (std::size_t i = 1; i < shape->members.size(); ++i) batch.add(shape->members[i].value);
    config.add("build_input_shape", std::move(batch));
  }

  /// The names of the layers that give the model's outputs.
  static std::vector<std::string> outputs_of(const Json& graph) {
    std::vector<std::string> names;
    const Json& config = *graph.find("config");
    if (const Json* const places = config.find("output_layers")) {
      for (const Json::Member& place : places->members) names.push_back(place.value.members[0].value.text);
    } else if (const Json& layers = *config.find("layers"); !layers.members.empty()) {
      names.push_back(text_or(*layers.members.back().value.find("config"), "name", ""));
    }
    return names;
  }

  void take_weights(const std::vector<PlacedLayer>& layers) {
    for (const Source& source : sources_by_name(container_, layers)) {
      if (is_count(source.weight)) continue;
      GLIA_CHECK(!source.dataset.empty(), FileError, container_.file().name(), " has no weight \"",
                 detail::escaped(source.weight), "\" of the model that it describes; save the model again");
      parts_.tensors.push_back({source.weight, weight_in(container_.file(), source.dataset, dtype())});
      shapes_[source.weight] = parts_.tensors.back().tensor.shape();
    }
  }

  /// Recurrent layers that are stateful begin with zeros: Keras saves no states.
  void add_states(const std::vector<PlacedLayer>& layers) {
    constexpr std::int64_t most = 1 << 26;  // no file bounds how many rows it says that a batch has
    for (const PlacedLayer& layer : layers)
      for (const PlacedState& state : layer.states) {
        const std::int64_t rows = state.shape[0], units = state.shape[1];
        GLIA_CHECK(rows >= 1 && units >= 1 && rows <= most / units, ValueError, "\"",
                   detail::escaped(state.name), "\" has the shape ", state.shape,
                   ", expected at least 1 row and unit, and at most ", most, " numbers");
        parts_.tensors.push_back({state.name, Tensor::zeros(state.shape, dtype())});
      }
  }

  void add_training(Json compile, const std::vector<PlacedLayer>& layers, std::size_t outputs,
                    Json& description) {
    std::string why;
    OptimizerState state;
    const std::vector<std::string> kept = container_.optimizer_datasets();
    const Json* const losses = compile.find("losses");
    if (container_.is_keras_2() && kept.size() > 2)
      why = "Keras 2 kept its numbers in another order";
    else if (losses && losses->members.size() < outputs)  // weights that no loss depends on have none here
      why = "not all outputs have a loss";
    else
      state = read_state(container_.file(), kept, compile, trained_weights(layers), shapes_, dtype(), why);
    if (!why.empty())
      glia::detail::log_text(LogLevel::warning, detail::concat("the optimizer of '", path_, "' begins anew: ",
                                                               why, "; the weights are as they were"));
    description.add("compile", std::move(compile));
    Json& training = description.add("training", Json(Kind::object));
    training.add("epoch", Json::of(0)), training.add("passes", Json::of(0));
    training.add("steps", Json::of(state.steps)),
        training.add("optimizer_state", Json::of(!state.tensors.empty()));
    description.add("callbacks", Json(Kind::array));
    for (NamedTensor& tensor : state.tensors) parts_.tensors.push_back(std::move(tensor));
  }

  const Container& container_;
  const std::string& path_;
  Policies policies_;
  ModelParts parts_;
  std::map<std::string, Shape> shapes_;
};

std::string listed(const std::vector<std::string>& names) {
  std::string list = names.empty() ? "it has none" : "it has ";
  for (std::size_t i = 0; i < names.size() && i < 12; ++i)
    list += (i ? ", " : "") + detail::escaped(names[i]);
  return list + (names.size() > 12 ? ", ..." : "");
}

}  // namespace

Model load(const std::string& path, const LoadOptions& options) {
  return io::of_file(
      path, "holds no model that Glia can make", "get the file, or save it in Keras, again", [&] {
        const Container container(path);
        GLIA_CHECK(container.has_model(), FileError, "'", path,
                   "' has weights alone, no model: make the model, and call glia::keras::load_weights");
        return Loading(container, path).make(options);
      });
}

LoadedWeights load_weights(Model& model, const std::string& path, const LoadWeightsOptions& options) {
  const std::vector<std::string> names = model.weight_names();
  TensorList values = model.get_weights();
  std::map<std::string, std::size_t> places;
  for (std::size_t i = 0; i < names.size(); ++i) places[names[i]] = i;
  const Json graph = keras_ordered(parse_json(model.to_json(), "the model"));
  const std::vector<PlacedLayer> layers = placed_layers(graph);

  LoadedWeights report;
  const auto read = [&] {
    const Container container(path);
    const std::vector<Source> sources = goes_by_order(container, layers, options)
                                            ? sources_by_order(container, layers)
                                            : sources_by_name(container, layers);
    std::map<std::string, bool> used;
    for (const Source& source : sources) {
      used[source.dataset] = true;
      if (is_count(source.weight)) continue;
      const auto place = places.find(source.weight);
      GLIA_CHECK(place != places.end(), StateError, "the model has no weight \"", source.weight,
                 "\"; build it first");
      Tensor& value = values[place->second];
      if (source.dataset.empty()) {
        report.missing.push_back(source.weight);
        continue;
      }
      const bool fits = weight_shape(container.file(), source.dataset) == value.shape();
      (fits ? report.loaded : report.mismatched).push_back(source.weight);
      if (fits) value = weight_in(container.file(), source.dataset, value.dtype());
    }
    for (const std::string& dataset : container.all_datasets())
      if (used.count(dataset) == 0) report.unused.push_back(dataset);
    return 0;
  };
  try {
    read();
  } catch (const ValueError& error) {
    throw FileError(detail::concat("'", path, "' is not a sound file of Keras's: ", error.what()));
  } catch (const std::bad_alloc&) {
    throw OutOfMemoryError(detail::concat("out of memory while loading '", path, "'; close other programs"));
  }
  if (!options.skip_mismatch) {
    constexpr const char* remedy =
        ": load it into a model with the layers it was saved from, or pass over what does not fit with "
        ".skip_mismatch = true";
    GLIA_CHECK(report.mismatched.empty(), ShapeError, "'", path, "' has another shape of \"",
               report.mismatched[0], "\" than the model", remedy);
    GLIA_CHECK(report.missing.empty(), ShapeError, "'", path, "' has no weight \"", report.missing[0], "\"; ",
               listed(report.unused), " beside those of the model", remedy);
    GLIA_CHECK(report.unused.empty(), ShapeError, "'", path,
               "' has weights that the model has not: ", listed(report.unused), remedy);
  }
  model.set_weights(values);
  return report;
}

}  // namespace glia::keras
