// glia evaluate, glia predict.
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>

#include <algorithm>
#include <iomanip>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <numeric>
#include <string>
#include <vector>

#include "commands.h"
#include "data.h"
#include "files.h"

namespace cli {
namespace {

using Json = nlohmann::ordered_json;

struct EvaluateOptions {
  std::string model, device = "auto";
  DataOptions data;
  std::int64_t batch_size = 256;
  bool json = false;
};

void evaluate(const EvaluateOptions& o) {
  glia::Model model = open_model(o.model, glia::Device(o.device));
  Data data = load_data(o.data, Part::test);
  number_as(model.class_names(), data);
  if (!is_compiled(model))
    model.compile({.loss = data.classes ? "sparse_categorical_crossentropy" : "mse",
                   .metrics = {data.classes ? "accuracy" : "mae"},
                   .device = glia::Device(o.device)});
  const glia::Logs logs = model.evaluate(data.rows, {.batch_size = o.batch_size, .verbose = 0});
  if (!o.json) {
    std::cout << data.rows.x.rows() << " rows: " << logs << '\n';
    return;
  }
  Json json = {{"rows", data.rows.x.rows()}};
  for (const auto& [name, value] : logs) json[name] = value;
  std::cout << json.dump(2) << '\n';
}

struct PredictOptions {
  std::string model, out, device = "auto";
  std::vector<std::string> inputs;
  DataOptions data;
  int top = 3;
  bool json = false;
};

std::string class_name(const glia::Model& model, std::int64_t label) {
  const auto& names = model.class_names();
  return label < static_cast<std::int64_t>(names.size()) ? names[static_cast<std::size_t>(label)]
                                                         : std::to_string(label);
}

/// The greatest of a row, the greatest first.
std::vector<std::int64_t> best_of(const glia::Tensor& outputs, std::int64_t row, int top) {
  std::vector<std::int64_t> order(static_cast<std::size_t>(outputs.shape()[1]));
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](std::int64_t a, std::int64_t b) { return outputs(row, a) > outputs(row, b); });
  order.resize(std::min(order.size(), static_cast<std::size_t>(top)));
  return order;
}

void predict(const PredictOptions& o) {
  glia::Model model = open_model(o.model, glia::Device(o.device));
  const glia::Tensor outputs =
      model.predict(load_inputs(o.inputs, model, o.data), {.batch_size = 256, .verbose = 0});
  if (!o.out.empty()) {
    glia::save_npy(o.out, outputs);
    std::cout << "Wrote " << o.out << ", " << outputs.shape() << '\n';
    return;
  }
  const bool classes = outputs.rank() == 2 && !model.class_names().empty();
  const glia::Tensor rows =
      outputs.clone().reshape({outputs.rows(), outputs.rows() == 0 ? 0 : outputs.size() / outputs.rows()});
  Json all = Json::array();
  for (std::int64_t i = 0; i < rows.rows(); ++i) {
    Json row;
    if (classes)
      for (const std::int64_t label : best_of(rows, i, o.top))
        row.push_back({{"class", class_name(model, label)}, {"probability", rows(i, label)}});
    else
      for (std::int64_t j = 0; j < rows.shape()[1]; ++j) row.push_back(rows(i, j));
    if (o.json) {
      all.push_back(row);
      continue;
    }
    std::cout << (o.inputs.size() == static_cast<std::size_t>(rows.rows())
                      ? o.inputs[static_cast<std::size_t>(i)]
                      : std::to_string(i))
              << ':';
    for (const Json& one : row) {
      if (classes)
        std::cout << "  " << one["class"].get<std::string>() << ' ' << std::fixed << std::setprecision(3)
                  << one["probability"].get<double>();
      else
        std::cout << ' ' << one;
    }
    std::cout << '\n';
  }
  if (o.json) std::cout << all.dump(2) << '\n';
}

}  // namespace

void add_evaluate(CLI::App& app) {
  CLI::App* const command =
      app.add_subcommand("evaluate", "Says how well a model does on rows with their answers.");
  const auto o = std::make_shared<EvaluateOptions>();
  command->add_option("MODEL", o->model, "A model of Glia, Keras or ONNX")->required();
  command->add_option("--data", o->data.data, "As for train; of what has two parts the test part")
      ->required();
  command->add_option("--target", o->data.target, "As for train");
  command->add_flag("--no-header", o->data.no_header,
                    "The table's first row is no header: columns are 0, 1, ...");
  command->add_option("--ignore", o->data.ignore, "As for train");
  command->add_flag("--classes", o->data.classes, "As for train");
  command->add_option("--batch-size", o->batch_size, "Rows at once")->check(CLI::PositiveNumber);
  command->add_option("--device", o->device, "auto, cpu, cuda or cuda:N");
  command->add_flag("--json", o->json, "As JSON");
  command->footer("Example: glia evaluate fashion.safetensors --data fashion_mnist");
  command->callback([o] { evaluate(*o); });
}

void add_predict(CLI::App& app) {
  CLI::App* const command =
      app.add_subcommand("predict", "Asks a model about images, rows of a table, or arrays.");
  const auto o = std::make_shared<PredictOptions>();
  command->add_option("MODEL", o->model, "A model of Glia, Keras or ONNX")->required();
  command->add_option("INPUT", o->inputs, "PNG, PGM, PPM, .csv, .npy or IDX files; an image is a row")
      ->required();
  command->add_option("--target", o->data.target, "Column of the table that is no input");
  command->add_flag("--no-header", o->data.no_header,
                    "The table's first row is no header: columns are 0, 1, ...");
  command->add_option("--ignore", o->data.ignore, "Columns of the table to leave out");
  command->add_option("--top", o->top, "Classes to name")->check(CLI::PositiveNumber);
  command->add_option("--out", o->out, "Write the outputs to this .npy file instead");
  command->add_option("--device", o->device, "auto, cpu, cuda or cuda:N");
  command->add_flag("--json", o->json, "As JSON");
  command->footer(
      "Examples:\n  glia predict fashion.safetensors shoe.png bag.png\n  glia predict iris.safetensors "
      "rows.csv --target species --json");
  command->callback([o] { predict(*o); });
}

}  // namespace cli
