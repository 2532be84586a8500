// glia train: a model of a file or a plain one, on a folder, a table or arrays.
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "commands.h"
#include "data.h"
#include "files.h"

namespace cli {
namespace {

struct Options {
  std::string config, model, out = "model.safetensors", history, resume, device = "auto";
  DataOptions data;
  std::vector<std::int64_t> hidden = {128};
  std::string optimizer = "adam", loss;
  double learning_rate = 0, validation_split = 0.1;
  int epochs = 10, verbose = 1, patience = 0;
  std::int64_t batch_size = 32;
  std::uint64_t seed = 0;
  bool json = false;
  std::string graph;  // a config's "model", where that is no path
};

/// What the file says and the command line does not.
void read_config(CLI::App& command, Options& o) {
  std::ifstream file(o.config);
  GLIA_CHECK(file, glia::FileError, "cannot open '", o.config, "'");
  const nlohmann::json config = nlohmann::json::parse(file, nullptr, false);
  GLIA_CHECK(config.is_object(), glia::FileError, "'", o.config,
             "' is no JSON object of options, such as {\"data\": \"iris.csv\", \"target\": \"species\"}");
  for (const auto& [key, value] : config.items()) {
    if (key == "model" && value.is_object()) {
      if (o.model.empty()) o.graph = value.dump();
      continue;
    }
    CLI::Option* const option =
        key == "config" || key == "help" ? nullptr : command.get_option_no_throw("--" + key);
    GLIA_CHECK(option, glia::ValueError, "'", o.config, "' has \"", key,
               "\", which is no option of glia train: its --help lists them");
    if (option->count() > 0) continue;
    if (value.is_array())
      for (const nlohmann::json& one : value)
        option->add_result(one.is_string() ? one.get<std::string>() : one.dump());
    else
      option->add_result(value.is_string() ? value.get<std::string>() : value.dump());
    option->run_callback();
  }
}

std::int64_t classes_of(const Data& data) {
  if (!data.rows.class_names.empty()) return static_cast<std::int64_t>(data.rows.class_names.size());
  const glia::Tensor& y = data.rows.y;
  return y.size() == 0 ? 2 : static_cast<std::int64_t>(y.cast(glia::DType::float64).max()) + 1;
}

/// Dense layers over the rows as they are: of a table, standardised first.
glia::Model plain_model(const Data& data, const Options& o) {
  const glia::Shape rows = data.rows.x.shape();
  glia::Shape row;
  for (int axis = 1; axis < rows.rank(); ++axis) row.push_back(rows[axis]);
  glia::Sequential model;
  if (row.rank() == 1) {
    glia::Normalization scale;
    scale.adapt(data.rows.x);
    model.add(scale);
  } else {
    model.add(glia::Flatten(row));
  }
  for (const std::int64_t units : o.hidden) model.add(glia::Dense(units, "relu"));
  const std::int64_t columns = data.rows.y.rank() > 1 ? data.rows.y.shape().back() : 1;
  model.add(data.classes ? glia::Dense(classes_of(data), "softmax") : glia::Dense(columns));
  return model;
}

glia::Model model_for(const Data& data, const Options& o) {
  if (!o.graph.empty()) return glia::Model::from_json(o.graph);
  return o.model.empty() ? plain_model(data, o) : open_model(o.model, glia::Device(o.device));
}

/// As its file says, unless the command line says otherwise.
void compile(glia::Model& model, const CLI::App& command, const Data& data, const Options& o) {
  const bool told =
      command.count("--optimizer") + command.count("--loss") + command.count("--learning-rate") > 0;
  if (is_compiled(model) && !told) return;
  glia::CompileOptions options{.optimizer = o.optimizer, .device = glia::Device(o.device)};
  options.loss = !o.loss.empty() ? o.loss.c_str() : data.classes ? "sparse_categorical_crossentropy" : "mse";
  options.metrics = {data.classes ? "accuracy" : "mae"};
  model.compile(options);
  if (o.learning_rate > 0) model.set_learning_rate(o.learning_rate);
}

void train(CLI::App& command, Options& o) {
  if (!o.config.empty()) read_config(command, o);
  GLIA_CHECK(
      !o.data.data.empty(), glia::ValueError,
      "glia train needs --data: fashion_mnist, mnist, a folder of IDX files, a table (.csv), .npz or .npy");
  const Data data = load_data(o.data, Part::train);
  glia::Model model = model_for(data, o);
  if (!model.built() && o.model.empty()) model.set_seed(o.seed);
  compile(model, command, data, o);
  if (!data.rows.class_names.empty()) model.set_class_names(data.rows.class_names);
  std::vector<glia::Callbacks::Entry> callbacks;
  if (o.patience > 0)
    callbacks.emplace_back(glia::EarlyStopping({.patience = o.patience, .restore_best_weights = true}));
  if (!o.resume.empty())
    callbacks.emplace_back(glia::ModelCheckpoint(o.resume + "/{epoch:04d}.safetensors",
                                                 {.save_weights_only = false, .keep_last = 3}));
  const auto keep = [&] {
    save_model(model, o.out);
    if (!o.json) std::cout << "Wrote " << o.out << '\n';
  };
  glia::TrainTest parts;  // drawn, for tables are often sorted
  if (o.validation_split > 0)
    parts = glia::train_test_split(data.rows,
                                   {.test_size = o.validation_split, .random_state = o.seed & 0xffffffffu});
  glia::ValidationData validation;
  if (o.validation_split > 0) validation = parts.test;
  glia::History history;
  try {
    history = model.fit(o.validation_split > 0 ? parts.train : data.rows, {.epochs = o.epochs,
                                                                           .batch_size = o.batch_size,
                                                                           .verbose = o.json ? 0 : o.verbose,
                                                                           .validation_data = validation,
                                                                           .seed = o.seed,
                                                                           .resume_from = o.resume,
                                                                           .callbacks = callbacks});
  } catch (const glia::Interrupted&) {  // what was learnt so far is kept
    keep();
    throw;
  }
  keep();
  if (!o.history.empty()) history.to_json(o.history);
  if (!o.json) return;
  nlohmann::ordered_json last = nlohmann::ordered_json::object();
  for (const std::string& key : history.keys()) last[key] = history[key].back();
  std::cout
      << nlohmann::ordered_json{{"model", o.out}, {"epochs", history.epoch().size()}, {"last", last}}.dump(2)
      << '\n';
}

}  // namespace

void add_train(CLI::App& app) {
  CLI::App* const command = app.add_subcommand("train", "Trains a model and writes it.");
  const auto o = std::make_shared<Options>();
  command->add_option("--config", o->config,
                      "JSON of these options; \"model\" may be the JSON of Model::to_json");
  command->add_option("--model", o->model,
                      "A model of Glia, Keras or ONNX, or its JSON; default: Dense layers");
  command->add_option("--data", o->data.data,
                      "fashion_mnist, mnist, a folder of IDX files, .csv, .npz (x and y), .npy");
  command->add_option("--target", o->data.target, "Column of the table; array of the .npz; .npy file");
  command->add_flag("--no-header", o->data.no_header,
                    "The table's first row is no header: columns are 0, 1, ...");
  command->add_option("--ignore", o->data.ignore, "Columns of the table to leave out");
  command->add_flag("--classes", o->data.classes, "Numbers in the target are labels");
  command->add_option("--hidden", o->hidden, "Units of hidden layers, where no model is given")
      ->delimiter(',')
      ->check(CLI::PositiveNumber);
  command->add_option("--optimizer", o->optimizer, "By name");
  command->add_option("--learning-rate", o->learning_rate, "Default: the optimizer's")
      ->check(CLI::PositiveNumber);
  command->add_option("--loss", o->loss, "By name; default: cross-entropy for labels, mse for numbers");
  command->add_option("--epochs", o->epochs, "Passes over the rows")->check(CLI::NonNegativeNumber);
  command->add_option("--batch-size", o->batch_size, "Rows of a step")->check(CLI::PositiveNumber);
  command
      ->add_option("--validation-split", o->validation_split,
                   "Share of the rows to validate on, drawn by --seed")
      ->check(CLI::Range(0.0, 0.99));
  command->add_option("--patience", o->patience, "Stop so many epochs after the best; 0: never")
      ->check(CLI::NonNegativeNumber);
  command->add_option("--seed", o->seed, "Of all that is random");
  command->add_option("--device", o->device, "auto, cpu, cuda or cuda:N");
  command->add_option("--resume", o->resume, "Folder of checkpoints, from which an earlier run goes on");
  command->add_option("--out", o->out, "The model: .safetensors, .keras or .onnx");
  command->add_option("--history", o->history, "Write the training curve, for glia report");
  command->add_option("--verbose", o->verbose, "0: silent, 1: progress bar, 2: a line an epoch")
      ->check(CLI::Range(0, 2));
  command->add_flag("--json", o->json, "Say the result as JSON");
  command->footer(
      "Examples:\n  glia train --data iris.csv --target species --epochs 50 --out iris.safetensors\n"
      "  glia train --model resnet.keras --data fashion_mnist --resume checkpoints\n"
      "  glia train --config experiment.json --seed 3");
  command->callback([command, o] { train(*command, *o); });
}

}  // namespace cli
