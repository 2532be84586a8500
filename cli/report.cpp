// glia report: what happened in a training, as one page of HTML that needs nothing else.
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <numeric>
#include <sstream>
#include <string>
#include <vector>

#include "commands.h"
#include "data.h"
#include "files.h"

namespace cli {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

struct Options {
  std::string history, out = "report.html", model, title = "Training";
  DataOptions data;
  int mistakes = 25;
};

std::string escaped(const std::string& text) {
  std::string safe;
  for (const char c : text) {
    if (c == '&')
      safe += "&amp;";
    else if (c == '<')
      safe += "&lt;";
    else if (c == '>')
      safe += "&gt;";
    else if (c == '"')
      safe += "&quot;";
    else
      safe += c;
  }
  return safe;
}

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

/// A drawing that `draw(path)` writes, as text to put into the page.
template <class Draw>
std::string drawing(const Draw& draw) {
  std::string folder = (fs::temp_directory_path() / "glia-report-XXXXXX").string();
  GLIA_CHECK(::mkdtemp(folder.data()), glia::FileError, "cannot make a folder in ",
             fs::temp_directory_path().string());
  struct Removed {
    fs::path path;
    ~Removed() {
      std::error_code ignored;
      fs::remove_all(path, ignored);
    }
  } const removed{folder};
  const std::string path = folder + "/drawing.svg";
  draw(path);
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  std::string svg = text.str();
  return svg.substr(svg.find("<svg"));  // without the XML declaration
}

std::string table_of_epochs(const Json& json) {
  std::vector<std::string> keys;
  for (const Json& epoch : json["epochs"])
    for (const auto& [key, value] : epoch.items())
      if (std::find(keys.begin(), keys.end(), key) == keys.end()) keys.push_back(key);
  std::string html = "<table><tr>";
  for (const std::string& key : keys) html += "<th>" + escaped(key) + "</th>";
  html += "</tr>\n";
  for (const Json& epoch : json["epochs"]) {
    html += "<tr>";
    for (const std::string& key : keys)
      html += "<td>" + escaped(epoch.contains(key) ? epoch[key].dump() : "") + "</td>";
    html += "</tr>\n";
  }
  return html + "</table>\n";
}

/// What the history says beside its epochs, and what was given.
std::string settings(const Json& json, const Options& o) {
  std::string html = "<table>";
  const auto row = [&](const std::string& name, const std::string& value) {
    html += "<tr><th>" + escaped(name) + "</th><td>" + escaped(value) + "</td></tr>\n";
  };
  row("history", o.history);
  if (!o.model.empty()) row("model", o.model);
  if (!o.data.data.empty()) row("data", o.data.data);
  for (const auto& [key, value] : json.items())
    if (key != "epochs") row(key, value.is_string() ? value.get<std::string>() : value.dump());
  return html + "</table>\n";
}

/// Rows that were predicted wrongly, those first of which the model was most sure.
std::vector<std::int64_t> worst(const glia::Tensor& outputs, const glia::Tensor& labels, int count) {
  const glia::Tensor said = outputs.argmax(1);
  std::vector<std::int64_t> wrong;
  for (std::int64_t i = 0; i < outputs.rows(); ++i)
    if (said(i) != labels(i)) wrong.push_back(i);
  std::stable_sort(wrong.begin(), wrong.end(), [&](std::int64_t a, std::int64_t b) {
    return outputs(a, static_cast<std::int64_t>(said(a))) > outputs(b, static_cast<std::int64_t>(said(b)));
  });
  wrong.resize(std::min(wrong.size(), static_cast<std::size_t>(count)));
  return wrong;
}

/// Confusion matrix and worst mistakes of a classifier on its test part.
std::string judgement(const Options& o) {
  glia::Model model = open_model(o.model, glia::Device::cpu());
  Data data = load_data(o.data, Part::test);
  number_as(model.class_names(), data);
  GLIA_CHECK(data.classes, glia::ValueError, "a report on a model needs data of classes, and '", o.data.data,
             "' has numbers to tell: leave out --model");
  const glia::Tensor outputs = model.predict(data.rows.x, {.batch_size = 256, .verbose = 0});
  const std::vector<std::string>& names =
      model.class_names().empty() ? data.rows.class_names : model.class_names();
  glia::Tensor matrix = glia::Tensor::zeros({outputs.shape()[1], outputs.shape()[1]}, glia::DType::int64);
  const glia::Tensor said = outputs.argmax(1), is = data.rows.y.clone().reshape({data.rows.x.rows()});
  std::int64_t right = 0;
  for (std::int64_t i = 0; i < outputs.rows(); ++i) {
    const auto from = static_cast<std::int64_t>(is(i)), to = static_cast<std::int64_t>(said(i));
    matrix.set({from, to}, matrix(from, to) + 1);
    right += from == to;
  }
  std::ostringstream html;
  html << "<h2>On " << outputs.rows() << " rows: " << right << " right, " << outputs.rows() - right
       << " wrong</h2>\n"
       << drawing([&](const std::string& path) {
            glia::plot_confusion_matrix(matrix, path, {.class_names = names});
          });
  const std::vector<std::int64_t> wrong = worst(outputs, is, o.mistakes);
  const bool are_images = data.rows.x.rank() >= 3;
  if (are_images && !wrong.empty())
    html << "<h2>The worst mistakes</h2>\n"
         << drawing([&](const std::string& path) {
              glia::plot_images(data.rows, path,
                                {.indices = wrong,
                                 .predictions = outputs,
                                 .class_names = names,
                                 .title = "Wrong, and sure of it"});
            });
  return html.str();
}

constexpr auto style =
    R"(body { font: 15px/1.5 system-ui, sans-serif; max-width: 1100px; margin: 2em auto; padding: 0 1em; color: #222; }
h1, h2 { font-weight: 600; } svg { max-width: 100%; height: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; } th, td { padding: 2px 12px 2px 0; text-align: left; border-bottom: 1px solid #ddd; })";

void report(const Options& o) {
  const Json json = read_json(o.history);
  const glia::History history = history_of(json, o.history);
  std::ostringstream page;
  page << "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>" << escaped(o.title)
       << "</title>\n<style>\n"
       << style << "\n</style>\n</head>\n<body>\n<h1>" << escaped(o.title) << "</h1>\n";
  if (!history.epoch().empty())
    page << drawing([&](const std::string& path) { history.plot(path, {.title = "Curves"}); });
  if (!o.model.empty()) page << judgement(o);
  page << "<h2>Settings</h2>\n"
       << settings(json, o) << "<h2>Epochs</h2>\n"
       << table_of_epochs(json) << "</body>\n</html>\n";
  const std::string unfinished = o.out + ".unfinished";  // the old page stays until the new one is whole
  std::ofstream file(unfinished, std::ios::binary | std::ios::trunc);
  file << page.str() << std::flush;
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
  CLI::Option* const model = command->add_option("--model", o->model, "A classifier to judge, too");
  command->add_option("--data", o->data.data, "As for evaluate")->needs(model);
  model->needs(command->get_option("--data"));
  command->add_option("--target", o->data.target, "As for train");
  command->add_flag("--no-header", o->data.no_header,
                    "The table's first row is no header: columns are 0, 1, ...");
  command->add_option("--ignore", o->data.ignore, "As for train");
  command->add_flag("--classes", o->data.classes, "As for train");
  command->add_option("--mistakes", o->mistakes, "Pictures of wrong answers")->check(CLI::PositiveNumber);
  command->footer(
      "Example: glia report history.json --model fashion.safetensors --data fashion_mnist -o run.html");
  command->callback([o] { report(*o); });
}

}  // namespace cli
