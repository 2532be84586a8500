// glia devices, datasets, inspect, convert.
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>

#include <filesystem>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "commands.h"
#include "files.h"

namespace cli {
namespace {

using Json = nlohmann::ordered_json;

Json json_of(const glia::Shape& shape) {
  Json json = Json::array();
  for (int axis = 0; axis < shape.rank(); ++axis) json.push_back(shape[axis]);
  return json;
}

std::string name_of_dtype(glia::DType dtype) { return glia::detail::concat(dtype); }

Json of_tensors(const glia::NamedTensors& tensors) {
  Json all = Json::array();
  for (const glia::NamedTensor& one : tensors)
    all.push_back({{"name", one.name},
                   {"shape", json_of(one.tensor.shape())},
                   {"dtype", name_of_dtype(one.tensor.dtype())}});
  return all;
}

Json of_model(const glia::Model& model) {
  Json layers = Json::array();
  for (const glia::Layer& layer : model.layers())
    layers.push_back({{"name", layer.name()}, {"class", layer.type()}});
  Json json = {{"layers", layers},
               {"parameters", model.count_params()},
               {"inputs", model.input_names()},
               {"outputs", model.output_names()}};
  if (!model.class_names().empty()) json["classes"] = model.class_names();
  if (model.epoch() > 0) json["epoch"] = model.epoch();
  return json;
}

/// Of one array a name-less tensor.
glia::NamedTensors tensors_in(const std::string& path, FileKind kind) {
  if (kind == FileKind::tensors) return glia::read_safetensors(path);
  if (kind == FileKind::npz) return glia::load_npz(path);
  glia::NamedTensors one;
  one.push_back({"", kind == FileKind::npy   ? glia::load_npy(path)
                     : kind == FileKind::idx ? glia::read_idx(path)
                                             : glia::load_image(path)});
  return one;
}

void inspect(const std::string& path, bool as_json) {
  const FileKind kind = kind_of(path);
  Json json = {{"file", path},
               {"format", name_of(kind)},
               {"bytes", std::filesystem::file_size(path)},
               {"sha256", sha256_of(path)}};
  std::optional<glia::Model> model;
  std::optional<glia::Table> table;
  if (is_model(kind)) {
    model.emplace(open_model(path, glia::Device::cpu()));
    json.update(of_model(*model));
  } else if (kind == FileKind::csv) {
    table.emplace(glia::read_csv(path, {.missing = glia::Missing::nan}));
    json.update(Json{{"rows", table->rows()}, {"columns", table->names()}});
  } else {
    json["tensors"] = of_tensors(tensors_in(path, kind));
  }
  if (as_json) {
    std::cout << json.dump(2) << '\n';
    return;
  }
  std::cout << path << ": " << name_of(kind) << ", " << json["bytes"] << " bytes\nSHA-256 "
            << json["sha256"].get<std::string>() << '\n';
  if (model) {
    model->summary(std::cout);
    if (json.contains("classes")) std::cout << "Classes: " << json["classes"].dump() << '\n';
    if (json.contains("epoch")) std::cout << "Trained for " << model->epoch() << " epochs\n";
  }
  if (table) std::cout << *table;
  if (json.contains("tensors"))
    for (const Json& one : json["tensors"])
      std::cout << "  " << one["dtype"].get<std::string>() << ' ' << one["shape"].dump() << ' '
                << one["name"].get<std::string>() << '\n';
}

}  // namespace

void add_devices(CLI::App& app) {
  CLI::App* const command =
      app.add_subcommand("devices", "Lists what there is to compute on, and why a GPU is not used.");
  const auto json = std::make_shared<bool>(false);
  command->add_flag("--json", *json, "As JSON");
  command->callback([json] {
    const glia::Context context(glia::ContextOptions{});
    if (!*json) {
      std::cout << glia::device_report() << "In use: " << context.device() << '\n';
      return;
    }
    Json versions = Json::object();
    for (const auto& [name, version] : context.versions()) versions[name] = version;
    std::cout << Json{{"report", glia::device_report()},
                      {"in_use", glia::detail::concat(context.device())},
                      {"libraries", versions}}
                     .dump(2)
              << '\n';
  });
}

void add_datasets(CLI::App& app) {
  CLI::App* const command =
      app.add_subcommand("datasets", "Lists the data sets that go by name, and whether they are here.");
  const auto json = std::make_shared<bool>(false);
  command->add_flag("--json", *json, "As JSON");
  command->callback([json] {
    Json all = Json::array();
    const auto look = [&](const char* name, const auto& load) {
      Json one = {{"name", name}};
      try {
        const glia::TrainTest data = load();
        one["found"] = true;
        one["train"] = data.train.x.empty() ? 0 : data.train.x.rows();
        one["test"] = data.test.x.rows();
      } catch (const glia::FileError& error) {
        one["found"] = false, one["why"] = error.what();
      }
      all.push_back(one);
    };
    look("fashion_mnist", [] { return glia::datasets::fashion_mnist(); });
    look("mnist", [] { return glia::datasets::mnist(); });
    if (*json) {
      std::cout << all.dump(2) << '\n';
      return;
    }
    for (const Json& one : all) {
      std::cout << one["name"].get<std::string>() << ": ";
      if (one["found"])
        std::cout << one["train"] << " rows to train on, " << one["test"] << " to test on\n";
      else
        std::cout << one["why"].get<std::string>() << '\n';
    }
  });
}

void add_inspect(CLI::App& app) {
  CLI::App* const command = app.add_subcommand(
      "inspect", "Says what is in a file: a model's layers, arrays, columns, size and checksum.");
  struct Options {
    std::string file;
    bool json = false;
  };
  const auto options = std::make_shared<Options>();
  command
      ->add_option("FILE", options->file,
                   "A model of Glia, Keras or ONNX; .safetensors, .npy, .npz, IDX, PNG, PGM, PPM, CSV")
      ->required();
  command->add_flag("--json", options->json, "As JSON");
  command->footer("Example: glia inspect model.keras");
  command->callback([options] { inspect(options->file, options->json); });
}

void add_convert(CLI::App& app) {
  CLI::App* const command =
      app.add_subcommand("convert", "Writes a model in another format, told by the extension.");
  struct Options {
    std::string from, to;
  };
  const auto options = std::make_shared<Options>();
  command->add_option("IN", options->from, "A model of Glia, Keras or ONNX")->required();
  command->add_option("OUT", options->to, ".safetensors, .weights.safetensors, .keras, .weights.h5 or .onnx")
      ->required();
  command->footer("Example: glia convert resnet.onnx resnet.safetensors");
  command->callback([options] {
    save_model(open_model(options->from, glia::Device::cpu()), options->to);
    std::cout << options->to << ": " << name_of(kind_of(options->to)) << ", "
              << std::filesystem::file_size(options->to) << " bytes\n";
  });
}

}  // namespace cli
