// Profiler: its tables. The trace is in profiler_trace.cpp.
// SPDX-License-Identifier: Apache-2.0
#include <glia/predictor.h>
#include <glia/profiler.h>
#include <host/base/escaped.h>
#include <host/base/number_text.h>
#include <host/model/predictor_engine.h>
#include <host/model/profile.h>
#include <host/training/profiler_trace.h>
#include <host/training/using.h>

#include <algorithm>
#include <array>
#include <iostream>
#include <utility>

namespace glia {

Profiler::Profiler(Model& model) : profile_(std::make_shared<Profile>()) {
  const Using core(model.core_);
  core->watch(profile_);
}
Profiler::Profiler(Predictor& predictor) : profile_(std::make_shared<Profile>()) {
  predictor.engine().watch(profile_);
}
Profiler::~Profiler() { stop(); }

void Profiler::stop() { profile_->stop(); }
void Profiler::clear() { profile_->clear(); }

namespace {

std::vector<ProfiledOp> ops_of(const Profile::Section& section) {
  std::vector<ProfiledOp> ops;
  for (std::size_t i = 0; i < section.sums.size(); ++i)
    ops.push_back({section.mode, section.batch, static_cast<std::int64_t>(i), (*section.ops)[i],
                   section.steps, section.sums[i].seconds, section.sums[i].launches});
  return ops;
}

/// Layer, Op, numbers, and what the Op computes, which has no width.
using Cells = std::array<std::string, 11>;
constexpr std::size_t first_number = 2, words_cell = 10;

struct Totals {
  std::int64_t calls = 0, launches = 0, bytes = 0, flops = 0;
  double seconds = 0;

  void add(const ProfiledOp& op) {
    calls += op.calls, launches += op.launches, bytes += op.bytes(), flops += op.flops();
    seconds += op.seconds;
  }
};

std::string rate(double amount, double seconds) {
  return seconds > 0 ? detail::fixed(amount / seconds, 1) : "-";
}

Cells cells_of(std::string layer, std::string op, const Totals& of, double all_seconds, std::string words) {
  const double gigabytes = static_cast<double>(of.bytes) * 1e-9, gflop = static_cast<double>(of.flops) * 1e-9;
  return {std::move(layer),
          std::move(op),
          std::to_string(of.calls),
          detail::fixed(of.seconds * 1e3, 3),
          all_seconds > 0 ? detail::fixed(100 * of.seconds / all_seconds, 1) + '%' : "-",
          std::to_string(of.launches),
          detail::fixed(gigabytes * 1e3, 3),
          detail::fixed(gflop, 4),
          rate(gflop, of.seconds),
          rate(gigabytes, of.seconds),
          std::move(words)};
}

void print_section(std::ostream& out, const Profile::Section& section) {
  const std::vector<ProfiledOp> ops = ops_of(section);
  Totals all;
  for (const ProfiledOp& op : ops) all.add(op);
  std::vector<Cells> rows{
      {"layer", "Op", "calls", "ms", "share", "launches", "MB", "GFLOP", "GFLOP/s", "GB/s", ""}};
  for (const ProfiledOp& op : ops) {
    Totals one;
    one.add(op);
    rows.push_back(cells_of(detail::escaped(op.op.layer, 40), op.op.name, one, all.seconds, op.op.words));
  }
  rows.push_back(cells_of("total", "", all, all.seconds, ""));
  std::array<std::size_t, words_cell> widths = {};
  for (const Cells& row : rows)
    for (std::size_t c = 0; c < words_cell; ++c) widths[c] = std::max(widths[c], row[c].size());

  out << name_of(section.mode) << ", batch " << section.batch << ", on " << section.device << ": "
      << section.steps << (section.steps == 1 ? " step" : " steps") << '\n';
  for (const Cells& row : rows) {
    std::string line;
    for (std::size_t c = 0; c < words_cell; ++c) {
      const std::string gap(widths[c] - row[c].size(), ' ');
      line += "  ";
      line += c < first_number ? row[c] + gap : gap + row[c];
    }
    line += "  " + row[words_cell];
    out << line.substr(0, line.find_last_not_of(' ') + 1) << '\n';
  }
}

}  // namespace

std::vector<ProfiledOp> Profiler::ops() const {
  std::vector<ProfiledOp> all;
  for (const Profile::Section& section : profile_->recorded().sections)
    for (ProfiledOp& op : ops_of(section)) all.push_back(std::move(op));
  return all;
}

void Profiler::print() const { print(std::cout); }
void Profiler::print(std::ostream& out) const {
  detail::TextStream text;
  for (const Profile::Section& section : profile_->recorded().sections) print_section(text, section);
  out << text.str() << std::flush;
}

void Profiler::write_trace(const std::string& path) const {
  training::write_trace(path, profile_->recorded());
}

}  // namespace glia
