// Profile: recording.
// SPDX-License-Identifier: Apache-2.0
#include <host/model/profile.h>

#include <algorithm>

namespace glia {

void Profile::run(const Program& program, std::int64_t steps) {
  for (; steps > 0; --steps) record(program, nullptr);
}

std::size_t Profile::section_of(const Program& program) {
  const auto outline = program.outline();
  std::vector<Section>& sections = recorded_.sections;
  const auto found = std::find_if(sections.begin(), sections.end(), [&](const Section& section) {
    return section.ops == outline || (section.mode == program.mode() && section.batch == program.batch() &&
                                      section.device == program.device() && *section.ops == *outline);
  });
  if (found != sections.end()) return static_cast<std::size_t>(found - sections.begin());
  sections.push_back({program.device(), program.mode(), program.batch(), outline});
  sections.back().sums.resize(outline->size());
  return sections.size() - 1;
}

/// The host's clock places the step, and the device's what is in it: the step was over when the host had waited for it.
void Profile::record(const Program& program, const Given* given) {
  const auto seconds = [this] { return std::chrono::duration<double>(Clock::now() - made_).count(); };
  const double before = seconds();
  std::vector<OpTime> times = program.run_timed(given);
  if (times.empty()) return;
  const double start = std::max(before, seconds() - times.back().end);
  const std::lock_guard lock(mutex_);
  const std::size_t number = section_of(program);
  Section& section = recorded_.sections[number];
  ++section.steps;
  for (std::size_t i = 0; i < times.size(); ++i) {
    section.sums[i].seconds += times[i].end - times[i].begin;
    section.sums[i].launches += times[i].launches;
  }
  if (recorded_ops_ + times.size() > most_ops) return;
  recorded_ops_ += times.size();
  recorded_.steps.push_back({number, start, std::move(times)});
}

void Profile::clear() {
  const std::lock_guard lock(mutex_);
  recorded_ = {};
  recorded_ops_ = 0;
}

Profile::Recorded Profile::recorded() const {
  const std::lock_guard lock(mutex_);
  return recorded_;
}

}  // namespace glia
