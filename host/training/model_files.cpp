// Model: its weights in files.
// SPDX-License-Identifier: Apache-2.0
#include <host/base/escaped.h>
#include <host/io/safetensors.h>
#include <host/training/using.h>

#include <map>

namespace glia {
namespace {

/// ".safetensors" goes to a file name without extension. Throws FileError where there is no name: with it, a folder would
/// become a hidden file.
std::string with_extension(const std::string& path) {
  const std::string name = path.substr(path.rfind('/') + 1);  // npos + 1 is 0
  GLIA_CHECK(!name.empty() && name != "." && name != "..", FileError, "weights got ",
             path.empty() ? "an empty path" : "'" + path + "', which names a folder",
             ", expected the path of a file, such as '", path, path.empty() || name.empty() ? "" : "/",
             "model.safetensors'");
  const std::size_t dot = name.rfind('.');
  return dot != std::string::npos && dot > 0 ? path : path + ".safetensors";
}

std::string names_in(const std::vector<io::NamedTensor>& tensors) {
  std::string names = tensors.empty() ? "it has none" : "it has ";
  for (std::size_t i = 0; i < tensors.size() && i < 12; ++i)
    names += (i ? ", " : "") + detail::escaped(tensors[i].name);
  return names + (tensors.size() > 12 ? ", ..." : "");
}

}  // namespace

void Model::save_weights(const std::string& path) const {
  const Using core(core_);
  Core& model = core.built("save_weights");
  const std::vector<std::string> names = model.weights().names();
  const std::vector<Tensor> weights = model.weights().values();
  std::vector<io::NamedView> named;
  for (std::size_t i = 0; i < weights.size(); ++i) named.push_back({names[i], weights[i]});
  io::save_safetensors(with_extension(path), named, {{"format", "glia"}});
}

void Model::load_weights(const std::string& path) {
  const Using core(core_);
  Core& model = core.built("load_weights");
  const std::string file = with_extension(path);
  const std::vector<io::NamedTensor> loaded = io::load_safetensors(file);
  std::map<std::string, const Tensor*> by_name;
  for (const io::NamedTensor& weight : loaded) by_name[weight.name] = &weight.tensor;
  std::vector<TensorView> values;
  const std::vector<std::string> names = model.weights().names();
  for (const std::string& name : names) {
    const auto found = by_name.find(name);
    GLIA_CHECK(found != by_name.end(), ShapeError, file, " has no weight \"", name, "\"; ", names_in(loaded),
               ": load it into a model with the layers it was saved from");
    values.push_back(*found->second);
  }
  GLIA_CHECK(loaded.size() == names.size(), ShapeError, file, " has ", loaded.size(), " weights, the model ",
             names.size(), "; ", names_in(loaded),
             ": load it into a model with the layers it was saved from");
  model.weights().set(values);
}

}  // namespace glia
