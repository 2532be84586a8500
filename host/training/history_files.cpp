// History in files: as CSV and as JSON.
// SPDX-License-Identifier: Apache-2.0
#include <glia/context.h>
#include <glia/history.h>

#include "host/base/number_text.h"
#include "host/io/atomic_file.h"

#include <nlohmann/json.hpp>

namespace glia {
namespace {

using Json = nlohmann::ordered_json;

/// As RFC 4180 writes a cell.
std::string cell(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + '"';
}

}  // namespace

std::vector<const double*> History::by_epoch(const std::string& key) const {
  std::vector<const double*> result(epoch_.size(), nullptr);
  const auto& [values, rows] = column(key);
  for (std::size_t i = 0; i < values.size(); ++i) result[rows[i]] = &values[i];
  return result;
}

void History::to_csv(const std::string& path) const {
  std::vector<std::vector<const double*>> columns;
  std::string text = "epoch";
  for (const std::string& key : keys_) {
    text += ',' + cell(key);
    columns.push_back(by_epoch(key));
  }
  text += ",seconds\n";
  for (std::size_t row = 0; row < epoch_.size(); ++row) {
    text += std::to_string(epoch_[row]);
    for (const auto& column : columns) text += ',' + (column[row] ? detail::shortest(*column[row]) : "NA");
    text += ',' + detail::shortest(seconds_[row]) + '\n';
  }
  io::write_file_atomically(path, text);
}

void History::to_json(const std::string& path, const HistoryJsonOptions& options) const {
  Json report = Json::object();
  if (options.context) {
    report["device"] = options.context->device().name();
    report["threads"] = options.context->threads();
    for (const auto& [what, version] : options.context->versions()) report["versions"][what] = version;
  }
  report["epochs"] = Json::array();
  for (int number : epoch_) report["epochs"].push_back(Json::object({{"epoch", number}}));
  for (const std::string& key : keys_) {
    const std::vector<const double*> values = by_epoch(key);
    for (std::size_t row = 0; row < values.size(); ++row)
      report["epochs"][row][key] = values[row] ? Json(*values[row]) : Json();
  }
  for (std::size_t row = 0; row < seconds_.size(); ++row) report["epochs"][row]["seconds"] = seconds_[row];
  for (const auto& [name, value] : options.test) report["test"][name] = value;
  // The library writes NaN and infinity as null; bytes that are no UTF-8, in a metric's name, are replaced.
  io::write_file_atomically(path, report.dump(2, ' ', false, Json::error_handler_t::replace) + '\n');
}

}  // namespace glia
