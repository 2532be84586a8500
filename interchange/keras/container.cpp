// Keras's files, opened: the archive's members, or what a whole model in HDF5 says of itself.
// SPDX-License-Identifier: Apache-2.0
#include "interchange/keras/container.h"

#include <algorithm>
#include <utility>

#include "host/io/input_file.h"
#include "host/io/zip.h"

namespace glia::keras {
namespace {

std::string read_all(io::ByteSource& source) {
  std::string bytes;
  try {
    bytes.resize(source.size());
  } catch (const std::exception&) {
    throw OutOfMemoryError(detail::concat("no memory for the ", source.size(), " bytes of ", source.name()));
  }
  source.read(bytes.data(), bytes.size());
  source.finish();
  return bytes;
}

bool begins_with_keras_2(const std::string& version) {
  return version.starts_with("2.") || version.starts_with("1.");
}

/// "dense/vars/10" behind "dense/vars/9".
bool by_number(const std::string& a, const std::string& b) {
  const std::size_t at_a = a.rfind('/') + 1, at_b = b.rfind('/') + 1;
  const std::size_t length_a = a.size() - at_a, length_b = b.size() - at_b;
  return length_a != length_b ? length_a < length_b : a.compare(at_a, length_a, b, at_b, length_b) < 0;
}

std::vector<std::string> numbered(const Hdf5Reader& file, const std::string& group) {
  if (!file.has_group(group)) return {};
  std::vector<std::string> found = file.datasets(group);
  std::sort(found.begin(), found.end(), by_number);
  return found;
}

}  // namespace

Container::Container(const std::string& path) {
  std::string first(8, '\0');
  {
    const io::InputFile file(path);
    if (file.size() < first.size())
      throw FileError(detail::concat("'", path, "' has ", file.size(),
                                     " bytes, expected a file of Keras's: .keras, .h5 or .weights.h5"));
    file.read(0, first.data(), first.size());
  }
  if (first.starts_with("PK\3\4"))
    open_archive(path);
  else if (is_hdf5(first))
    open_hdf5(path);
  else
    throw FileError(detail::concat(
        "'", path,
        "' is no file of Keras's, which is a zip archive (.keras) or an HDF5 file (.h5, .weights.h5)"));
  is_grouped_ = file_->has_attribute(root(), "layer_names") || file_->has_attribute(root(), "layer_names0");
}

void Container::open_archive(const std::string& path) {
  const io::ZipReader archive(path);
  const auto read = [&](const char* name) {
    const auto& members = archive.members();
    const auto found = std::find_if(members.begin(), members.end(),
                                    [&](const io::ZipMember& one) { return one.name == name; });
    if (found == members.end())
      throw FileError(
          detail::concat("'", path, "' has no member '", name,
                         "', as a .keras file has: it is another zip archive; save the model again"));
    const std::unique_ptr<io::ByteSource> source =
        archive.open(static_cast<std::size_t>(found - members.begin()));
    return read_all(*source);
  };
  Json metadata = parse_json(read("metadata.json"), "metadata.json");
  is_keras_2_ = metadata.is(Kind::object) && begins_with_keras_2(text_or(metadata, "keras_version", ""));
  config_ = parse_json(read("config.json"), "config.json");
  GLIA_CHECK(config_.is(Kind::object), FileError, "'", path,
             "' has a config.json that is no object; save the model again");
  compile_ = taken(config_, "compile_config");
  file_ = std::make_unique<Hdf5Reader>(read("model.weights.h5"), "'" + path + "', member 'model.weights.h5'");
}

void Container::open_hdf5(const std::string& path) {
  io::FileSource source(path);
  file_ = std::make_unique<Hdf5Reader>(read_all(source), "'" + path + "'");
  const auto text = [&](const std::string& group, const char* attribute) {
    if (!file_->has_attribute(group, attribute)) return std::string();
    const std::vector<std::string> texts = file_->texts(group, attribute);
    return texts.empty() ? std::string() : texts[0];
  };
  is_keras_2_ =
      begins_with_keras_2(text("", "keras_version")) || begins_with_keras_2(text(root(), "keras_version"));
  if (const std::string config = text("", "model_config"); !config.empty()) {
    config_ = parse_json(config, "model_config");
    GLIA_CHECK(config_.is(Kind::object), FileError, "'", path,
               "' has a model_config that is no object; save the model again");
  }
  if (const std::string compile = text("", "training_config"); !compile.empty())
    compile_ = parse_json(compile, "training_config");
}

std::vector<std::string> Container::names_in(const std::string& group, const std::string& attribute) const {
  if (file_->has_attribute(group, attribute)) return file_->texts(group, attribute);
  std::vector<std::string> names;  // a list too long for one attribute lies in several
  for (int part = 0; file_->has_attribute(group, attribute + std::to_string(part)); ++part)
    for (std::string& name : file_->texts(group, attribute + std::to_string(part)))
      names.push_back(std::move(name));
  return names;
}

std::vector<Container::Group> Container::groups() const {
  const std::string prefix = root().empty() ? "" : root() + '/';
  std::vector<Group> groups;
  for (const std::string& layer : names_in(root(), "layer_names")) {
    Group group{layer, {}};
    if (file_->has_group(prefix + layer))
      for (const std::string& weight : names_in(prefix + layer, "weight_names"))
        group.datasets.push_back(prefix + layer + '/' + weight);
    groups.push_back(std::move(group));
  }
  return groups;
}

std::vector<std::string> Container::datasets_of(const PlacedLayer& layer) const {
  std::vector<std::string> paths = {layer.path};
  const std::size_t part = layer.path.rfind('/') + 1;
  if (layer.path.ends_with("_dense") && layer.path[part] != '_')  // Keras 2's parts of attention layers
    paths.push_back(layer.path.substr(0, part) + '_' + layer.path.substr(part));
  for (std::size_t i = paths.size(); i-- > 0;) {  // Keras 2.13 and its kin
    std::string older = paths[i];
    for (std::size_t at = older.find("layers/"); at != std::string::npos; at = older.find("layers/", at + 31))
      older.replace(at, 7, "_layer_checkpoint_dependencies/");
    paths.push_back(std::move(older));
  }
  for (const std::string& path : paths)
    if (std::vector<std::string> found = numbered(*file_, path + "/vars"); !found.empty()) return found;
  return {};
}

std::vector<std::string> Container::all_datasets() const {
  if (is_grouped_) {
    std::vector<std::string> all;
    for (const Group& group : groups()) all.insert(all.end(), group.datasets.begin(), group.datasets.end());
    return all;
  }
  std::vector<std::string> all = file_->datasets("");
  std::erase_if(all, [](const std::string& path) {
    return path.starts_with("optimizer/") || path.find("/seed_generator/") != std::string::npos ||
           path.find("/state_tracker/") != std::string::npos;
  });
  return all;
}

std::vector<std::string> Container::optimizer_datasets() const {
  if (!is_grouped_) return numbered(*file_, "optimizer/vars");
  std::vector<std::string> paths;
  if (file_->has_group("optimizer_weights"))
    for (const std::string& name : names_in("optimizer_weights", "weight_names"))
      paths.push_back("optimizer_weights/" + name);
  return paths;
}

}  // namespace glia::keras
