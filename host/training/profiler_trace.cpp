// Chrome's trace format ("Trace Event Format", Google): complete events, times in microseconds. What lies within another event's
// time, on the same thread, is drawn below it.
// SPDX-License-Identifier: Apache-2.0
#include <host/io/atomic_file.h>
#include <host/training/profiler_trace.h>

#include <cmath>
#include <nlohmann/json.hpp>

namespace glia::training {
namespace {

/// In quotes. Names may hold anything.
std::string quoted(const std::string& text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

/// Whole nanoseconds, so that parts never reach out of the whole by rounding.
std::int64_t nanoseconds(double seconds) { return std::llround(seconds * 1e9); }
std::string microseconds(std::int64_t nanoseconds) {
  const std::string digits = std::to_string(nanoseconds % 1000);
  return std::to_string(nanoseconds / 1000) + '.' + std::string(3 - digits.size(), '0') + digits;
}

/// What all events of an Op, or of a step, have in common: they end with the times.
struct Words {
  std::string step;
  std::vector<std::string> ops;
};

std::string begin_of_event(const std::string& name, const std::string& category,
                           const std::string& arguments) {
  return "{\"ph\":\"X\",\"pid\":1,\"tid\":1,\"name\":" + quoted(name) + ",\"cat\":" + quoted(category) +
         ",\"args\":{" + arguments + "},\"ts\":";
}

Words words_of(const Profile::Section& section) {
  const std::string mode = name_of(section.mode), batch = std::to_string(section.batch);
  Words words;
  words.step =
      begin_of_event(mode + ", batch " + batch, "step", "\"device\":" + quoted(section.device.name()));
  for (const OpOutline& op : *section.ops)
    words.ops.push_back(begin_of_event(
        op.layer.empty() ? op.name : op.layer + ' ' + op.name, mode,
        "\"layer\":" + quoted(op.layer) + ",\"op\":" + quoted(op.name) + ",\"what\":" + quoted(op.words) +
            ",\"algorithm\":" + quoted(op.algorithm) + ",\"bytes\":" + std::to_string(op.bytes) +
            ",\"flops\":" + std::to_string(op.flops)));
  return words;
}

std::string metadata(const char* what, const char* name) {
  return std::string("{\"ph\":\"M\",\"pid\":1,\"tid\":1,\"name\":\"") + what + "\",\"args\":{\"name\":\"" +
         name + "\"}}";
}

}  // namespace

void write_trace(const std::string& path, const Profile::Recorded& recorded) {
  std::vector<Words> words;
  for (const Profile::Section& section : recorded.sections) words.push_back(words_of(section));
  std::string text = "{\"displayTimeUnit\":\"ms\",\"traceEvents\":[\n" + metadata("process_name", "glia") +
                     ",\n" + metadata("thread_name", "steps");
  const auto add = [&text](const std::string& begin, std::int64_t from, std::int64_t to) {
    text += ",\n" + begin + microseconds(from) + ",\"dur\":" + microseconds(to - from) + '}';
  };
  for (const Profile::Step& step : recorded.steps) {
    const std::int64_t start = nanoseconds(step.start);
    const auto at = [&](double seconds) { return start + nanoseconds(seconds); };
    add(words[step.section].step, start, at(step.ops.back().end));
    for (std::size_t i = 0; i < step.ops.size(); ++i)
      add(words[step.section].ops[i], at(step.ops[i].begin), at(step.ops[i].end));
  }
  io::write_file_atomically(path, text + "\n]}\n");
}

}  // namespace glia::training
