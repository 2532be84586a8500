// glia report: what happened in a training, as one page of HTML that needs nothing else.
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "commands.h"
#include "data.h"
#include "judgement.h"
#include "report_page.h"

namespace cli {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

struct Options {
  std::string history, out = "report.html", model, title = "Training";
  DataOptions data;
  int mistakes = 25;
};

Json read_json(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  GLIA_CHECK(file, glia::FileError, "cannot open '", path, "'");
  Json json = Json::parse(file, nullptr, false);
  GLIA_CHECK(json.is_object() && json.contains("epochs") && json["epochs"].is_array(), glia::FileError, "'",
             path, "' is no history, expected what glia train --history or History::to_json wrote");
  return json;
}

glia::History history_of(const Json& json, const std::string& path) {
  glia::History history;
  int number = 0;
  for (const Json& epoch : json["epochs"]) {
    GLIA_CHECK(epoch.is_object(), glia::FileError, "'", path, "' has an epoch that is no object");
    std::vector<std::pair<std::string, double>> values;
    double seconds = 0;
    for (const auto& [key, value] : epoch.items()) {
      if (key == "epoch" || !(value.is_number() || value.is_null())) continue;
      const double one = value.is_null() ? std::numeric_limits<double>::quiet_NaN() : value.get<double>();
      if (key == "seconds")
        seconds = one;
      else if (!value.is_null())
        values.emplace_back(key, one);
    }
    history.append(number++, glia::Logs(std::move(values)), seconds);
  }
  return history;
}

std::string text_of(const Json& value) { return value.is_string() ? value.get<std::string>() : value.dump(); }

std::string table_of_epochs(const Json& json) {
  Row keys;
  for (const Json& epoch : json["epochs"])
    for (const auto& [key, value] : epoch.items())
      if (std::find(keys.begin(), keys.end(), key) == keys.end()) keys.push_back(key);
  std::vector<Row> rows;
  for (const Json& epoch : json["epochs"]) {
    Row row;
    for (const std::string& key : keys) {
      const Json value = epoch.contains(key) ? epoch[key] : Json("");
      row.push_back(value.is_number_float() ? in_short(value.get<double>()) : text_of(value));
    }
    rows.push_back(row);
  }
  return table(keys, rows);
}

/// What the history says beside its epochs, and what was given.
std::string settings(const Json& json, const Options& o) {
  std::vector<Row> rows = {{"history", o.history}};
  if (!o.model.empty()) rows.push_back({"model", o.model});
  if (!o.data.data.empty()) rows.push_back({"data", o.data.data});
  for (const auto& [key, value] : json.items())
    if (key != "epochs") rows.push_back({key, text_of(value)});
  return table({}, rows);
}

void report(const Options& o) {
  const Json json = read_json(o.history);
  const glia::History history = history_of(json, o.history);
  std::string body;
  if (!history.epoch().empty() && !history.keys().empty())
    body += drawing([&](const std::string& path) { history.plot(path, {.title = "Curves"}); });
  if (!o.model.empty()) body += judgement(o.model, o.data, o.mistakes);
  body += "<h2>Settings</h2>\n" + settings(json, o) + "<h2>Epochs</h2>\n" + table_of_epochs(json);
  const std::string unfinished = o.out + ".unfinished";  // the old page stays until the new one is whole
  std::ofstream file(unfinished, std::ios::binary | std::ios::trunc);
  file << page(o.title, body) << std::flush;
  file.close();
  std::error_code failed;
  if (file) fs::rename(unfinished, o.out, failed);
  GLIA_CHECK(file && !failed, glia::FileError, "cannot write '", o.out,
             "': check the folder, its permissions and the disk's space");
  std::cout << "Wrote " << o.out << '\n';
}

}  // namespace

void add_report(CLI::App& app) {
  CLI::App* const command = app.add_subcommand(
      "report",
      "Makes one page of HTML of a training: curves, confusion matrix, the worst mistakes, settings.");
  const auto o = std::make_shared<Options>();
  command->add_option("HISTORY", o->history, "What train --history wrote")->required();
  command->add_option("-o,--out", o->out, "The page");
  command->add_option("--title", o->title, "Above all");
  CLI::Option* const model = command->add_option("--model", o->model, "A model to judge, too");
  command->add_option("--data", o->data.data, "As for evaluate")->needs(model);
  model->needs(command->get_option("--data"));
  command->add_option("--target", o->data.target, "As for train");
  command->add_flag("--no-header", o->data.no_header,
                    "The table's first row is no header: columns are 0, 1, ...");
  command->add_option("--ignore", o->data.ignore, "As for train");
  command->add_flag("--classes", o->data.classes, "As for train");
  command->add_option("--mistakes", o->mistakes, "Wrong answers to show")->check(CLI::PositiveNumber);
  command->footer(
      "Example: glia report history.json --model fashion.safetensors --data fashion_mnist -o run.html");
  command->callback([o] { report(*o); });
}

}  // namespace cli
