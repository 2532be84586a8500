// Model: its weights in files.
// SPDX-License-Identifier: Apache-2.0
#include <host/base/escaped.h>
#include <host/layers/config.h>
#include <host/model/network_json.h>
#include <host/training/files.h>
#include <host/training/torch_weights.h>
#include <host/training/using.h>

#include <algorithm>
#include <unordered_map>
#include <utility>

namespace glia {

std::string with_extension(const std::string& path) {
  const std::string name = path.substr(path.rfind('/') + 1);  // npos + 1 is 0
  GLIA_CHECK(!name.empty() && name != "." && name != "..", FileError,
             "the file of a model or its weights got ",
             path.empty() ? "an empty path" : "'" + path + "', which names a folder",
             ", expected the path of a file, such as '", path, path.empty() || name.empty() ? "" : "/",
             "model.safetensors'");
  const std::size_t dot = name.rfind('.');
  return dot != std::string::npos && dot > 0 ? path : path + ".safetensors";
}

Json described(Core& core) {
  Json json = json_of(core.network());
  std::string dtype = name_of(core.dtype);
  Config config(json);
  config.field("dtype", dtype), config.field("seed", core.seed);
  return json;
}

void read_described(const std::shared_ptr<Core>& core, Json json) {
  Config config(json, "a model's description");
  std::string dtype = "float32";
  config.field("dtype", dtype), config.field("seed", core->seed);
  GLIA_CHECK(dtype == "float32" || dtype == "float64", ValueError, "a model's description has the dtype \"",
             detail::escaped(dtype), "\", expected float32 or float64");
  core->dtype = dtype == "float32" ? DType::float32 : DType::float64;
  read_network(core->network(), json, core);
}

std::string order_of(const std::vector<std::string>& names) {
  Json list(Json::Kind::array);
  for (const std::string& name : names) list.add(Json::of(name));
  return list.dump();
}

namespace {

/// The weights of a file, in the order in which a model had them where it says so, else in the file's.
std::vector<io::NamedTensor> weights_in(const std::string& file, MatchBy by) {
  io::Metadata metadata;
  std::vector<io::NamedTensor> tensors = io::load_safetensors(file, &metadata);
  if (metadata.count(model_key) != 0)
    std::erase_if(tensors,
                  [](const io::NamedTensor& named) { return named.name.starts_with(beside_weights); });
  const auto order = metadata.find(order_key);
  if (by != MatchBy::order || order == metadata.end()) return tensors;
  std::unordered_map<std::string, std::size_t> places;
  const Json names = parse_json(order->second, "the order of the weights");
  for (const Json::Member& name : names.members) places.emplace(name.value.text, places.size());
  const auto place = [&](const io::NamedTensor& named) {
    const auto found = places.find(named.name);
    return found == places.end() ? places.size() : found->second;
  };
  std::stable_sort(tensors.begin(), tensors.end(),
                   [&](const io::NamedTensor& a, const io::NamedTensor& b) { return place(a) < place(b); });
  return tensors;
}

std::string names_in(const std::vector<io::NamedTensor>& tensors) {
  std::string names = tensors.empty() ? "it has none" : "it has ";
  for (std::size_t i = 0; i < tensors.size() && i < 12; ++i)
    names += (i ? ", " : "") + detail::escaped(tensors[i].name);
  return names + (tensors.size() > 12 ? ", ..." : "");
}

}  // namespace

std::string Model::to_json() const {
  const Using core(core_);
  return described(*core).dump();
}

Model Model::from_json(const std::string& json) {
  Model model;
  read_described(model.core_, parse_json(json, "the JSON of a model"));
  return model;
}

void Model::save_weights(const std::string& path, const SaveWeightsOptions& options) const {
  const Using core(core_);
  Core& model = core.built("save_weights");
  const std::vector<std::string> names = model.weights().names();
  const std::vector<Tensor> weights = model.weights().values();
  std::vector<io::NamedView> named;
  for (std::size_t i = 0; i < weights.size(); ++i) named.push_back({names[i], weights[i], options.weights});
  io::save_safetensors(with_extension(path), named, {{"format", "glia"}, {order_key, order_of(names)}});
}

LoadedWeights Model::load_weights(const std::string& path, const LoadWeightsOptions& options) {
  const Using core(core_);
  Core& model = core.built("load_weights");
  const std::string file = with_extension(path);
  const bool of_torch = options.layout == "pytorch";
  GLIA_CHECK(of_torch || options.layout == "keras", ValueError, "load_weights got the layout \"",
             detail::escaped(options.layout), "\", expected \"keras\" or \"pytorch\"");
  std::vector<io::NamedTensor> loaded = weights_in(file, options.by);
  if (of_torch) loaded = from_torch(model.network(), std::move(loaded), options.by);
  const MatchBy by = of_torch ? MatchBy::name : options.by;
  const std::vector<const Variable*> variables = model.weights().variables();
  const std::vector<std::string> names = model.weights().names();
  std::unordered_map<std::string, std::size_t> by_name;
  for (std::size_t i = 0; i < loaded.size(); ++i) by_name.emplace(loaded[i].name, i);
  LoadedWeights report;
  std::vector<const Variable*> to;
  std::vector<TensorView> values;
  std::vector<bool> used(loaded.size());
  for (std::size_t i = 0; i < names.size(); ++i) {
    std::size_t at = i;
    if (by == MatchBy::name) {
      const auto found = by_name.find(names[i]);
      at = found == by_name.end() ? loaded.size() : found->second;
    }
    if (at >= loaded.size()) {
      report.missing.push_back(names[i]);
      continue;
    }
    used[at] = true;
    const bool fits = loaded[at].tensor.shape() == variables[i]->shape;
    (fits ? report.loaded : report.mismatched).push_back(names[i]);
    if (!fits && options.skip_mismatch) continue;
    to.push_back(variables[i]), values.push_back(loaded[at].tensor);
  }
  for (std::size_t i = 0; i < loaded.size(); ++i)
    if (!used[i]) report.unused.push_back(loaded[i].name);
  if (!options.skip_mismatch) {
    constexpr const char* remedy =
        ": load it into a model with the layers it was saved from, or pass over what does not fit with "
        ".skip_mismatch = true";
    GLIA_CHECK(report.missing.empty(), ShapeError, file, " has no weight \"", report.missing[0], "\"; ",
               names_in(loaded), remedy);
    GLIA_CHECK(report.unused.empty(), ShapeError, file, " has ", loaded.size(), " weights, the model ",
               names.size(), "; ", names_in(loaded), remedy);
  }
  write(to, values, [&](std::size_t i) { return names[i]; });
  return report;
}

NamedTensors read_safetensors(const std::string& path) {
  NamedTensors tensors;
  for (io::NamedTensor& named : io::load_safetensors(path))
    tensors.push_back({std::move(named.name), std::move(named.tensor)});
  return tensors;
}

}  // namespace glia
