// What a search found, as a table and as comma-separated values.
// SPDX-License-Identifier: Apache-2.0
#include <glia/search.h>
#include <host/base/csv_field.h>
#include <host/base/number_text.h>
#include <host/io/atomic_file.h>

#include <algorithm>
#include <cmath>
#include <ostream>

namespace glia {
namespace {

double deviation_of(const TrialResult& result) {
  double squares = 0;
  for (const double score : result.scores) squares += (score - result.score) * (score - result.score);
  return std::sqrt(squares / static_cast<double>(result.scores.size()));
}

}  // namespace

/// A header and a line a trial; numbers in all their digits, or as a person reads them.
std::vector<std::vector<std::string>> SearchResult::table(bool exact) const {
  const bool folded = !trials_.empty() && best().scores.size() > 1;
  std::vector<std::vector<std::string>> lines(1, {"rank"});
  for (const auto& [name, value] : best().trial.parameters()) lines[0].push_back(name);
  lines[0].push_back(objective_);
  if (folded) lines[0].push_back("deviation");
  lines[0].push_back("seconds");
  const auto print = [&](double value) { return exact ? detail::shortest(value) : detail::fixed(value, 4); };
  for (const TrialResult& result : trials_) {
    std::vector<std::string> line{std::to_string(lines.size())};
    for (const auto& [name, value] : result.trial.parameters()) line.push_back(value.print());
    line.push_back(print(result.score));
    if (folded) line.push_back(print(deviation_of(result)));
    line.push_back(exact ? detail::shortest(result.seconds) : detail::fixed(result.seconds, 2));
    lines.push_back(std::move(line));
  }
  return lines;
}

void SearchResult::print(std::ostream& out) const {
  const auto lines = table(false);
  std::vector<std::size_t> widths(lines[0].size());
  for (const auto& line : lines)
    for (std::size_t c = 0; c < line.size(); ++c) widths[c] = std::max(widths[c], line[c].size());
  for (const auto& line : lines) {
    for (std::size_t c = 0; c < line.size(); ++c)
      out << (c ? "  " : "") << std::string(widths[c] - line[c].size(), ' ') << line[c];
    out << '\n';
  }
}

void SearchResult::to_csv(const std::string& path) const {
  std::string text;
  for (const auto& line : table(true)) {
    for (std::size_t c = 0; c < line.size(); ++c) text += (c ? "," : "") + detail::csv_field(line[c]);
    text += '\n';
  }
  io::write_file_atomically(path, text);
}

}  // namespace glia
