// The bar and the line of Progress.
// SPDX-License-Identifier: Apache-2.0
#include <host/training/progress.h>
#include <unistd.h>

#include <host/base/number_text.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <utility>
#include <vector>

namespace glia {

bool draws_bar(int verbose) { return verbose == 1 && isatty(STDOUT_FILENO) == 1; }
namespace {

constexpr int bar_width = 20;
constexpr double redraw_after = 0.05;  // seconds

// ANSI escape codes.
constexpr auto bold = "\x1b[1m", green = "\x1b[32m", white = "\x1b[37m", plain = "\x1b[0m";

double steady_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// " 2ms/step", in the largest unit that leaves a digit before the point.
std::string step_time(double seconds) {
  if (seconds >= 1 || seconds == 0) return ' ' + detail::fixed(seconds, 0) + "s/step";
  if (seconds >= 1e-3) return ' ' + detail::fixed(seconds * 1e3, 0) + "ms/step";
  return ' ' + detail::fixed(seconds * 1e6, 0) + "us/step";
}

/// "5s", "12:34", "1:23:45".
std::string time_left(double seconds) {
  const auto whole = static_cast<std::int64_t>(seconds);
  const auto two_digits = [](std::int64_t n) { return (n < 10 ? ":0" : ":") + std::to_string(n); };
  if (seconds > 3600)
    return std::to_string(whole / 3600) + two_digits(whole / 60 % 60) + two_digits(whole % 60);
  if (seconds > 60) return std::to_string(whole / 60) + two_digits(whole % 60);
  return std::to_string(whole) + 's';
}

/// " - accuracy: 0.8256 - loss: 0.4976".
std::string metrics(const Logs& logs) {
  std::vector<std::pair<std::string, double>> sorted(logs.begin(), logs.end());
  const auto order = [](const auto& item) { return std::pair(item.first.rfind("val_", 0) == 0, item.first); };
  std::stable_sort(sorted.begin(), sorted.end(),
                   [&](const auto& a, const auto& b) { return order(a) < order(b); });
  std::string text;
  for (const auto& [name, value] : sorted)
    text += " - " + name + ": " +
            (std::abs(value) > 1e-3 ? detail::fixed(value, 4) : detail::scientific(value, 4));
  return text;
}

/// Twenty cells, drawn to the nearest half; full only when all steps are done.
std::string bar(std::int64_t step, std::int64_t steps) {
  int halves = 2 * bar_width;
  if (step < steps) {
    const double share = static_cast<double>(step) / static_cast<double>(steps);
    halves = std::min(static_cast<int>(std::lround(halves * share)), halves - 1);
  }
  std::string done, rest;
  for (int cell = 0; cell < halves / 2; ++cell) done += "━";
  if (halves % 2) done += "╸";
  for (int cell = (halves + 1) / 2; cell < bar_width; ++cell) rest += "─";
  if (!done.empty()) done = green + done + plain;
  if (!rest.empty()) rest = white + rest + plain;
  return done + rest;
}

}  // namespace

Progress::Progress(std::ostream& out, int verbose, bool terminal, Clock clock)
    : out_(out),
      verbose_(verbose),
      terminal_(terminal),
      clock_(clock ? std::move(clock) : Clock(steady_seconds)) {}

Progress::~Progress() {
  if (!open_) return;
  try {
    out_ << '\n' << std::flush;
  } catch (...) {  // a stream that throws has nowhere to show the newline either
  }
}

void Progress::begin_epoch(int epoch, int epochs, std::int64_t steps) {
  begin(steps);
  if (verbose_ == 0 || epochs <= 1) return;
  const std::string announcement = "Epoch " + std::to_string(epoch + 1) + '/' + std::to_string(epochs);
  if (verbose_ == 1 && !terminal_)
    prefix_ = announcement + " - ";
  else
    out_ << announcement + '\n' << std::flush;
}

void Progress::begin(std::int64_t steps) {
  prefix_.clear();
  steps_ = steps;
  if (verbose_ == 0) return;
  start_ = clock_();
  first_step_done_ = -1;
  next_draw_ = start_;
  width_ = 0;
}

bool Progress::wants_update() const { return shows_bar() && clock_() >= next_draw_; }

void Progress::update(std::int64_t step, const Logs& logs) {
  if (shows_bar()) draw(step, logs, false);
}

void Progress::end(const Logs& logs) {
  if (verbose_ == 0) return;
  if (shows_bar())
    draw(steps_, logs, true);
  else
    print_line(logs);
}

/// The first step is left out where it was seen: it also builds, allocates and warms up.
double Progress::seconds_per_step(std::int64_t step, double now) const {
  if (step <= 0) return 0;
  if (first_step_done_ >= 0 && step > 1) return (now - first_step_done_) / static_cast<double>(step - 1);
  return (now - start_) / static_cast<double>(step);
}

/// " 312/1875".
std::string Progress::count(std::int64_t step) const {
  const std::string all = std::to_string(steps_), done = std::to_string(step);
  return std::string(all.size() - std::min(all.size(), done.size()), ' ') + done + '/' + all;
}

void Progress::draw(std::int64_t step, const Logs& logs, bool finished) {
  const double now = clock_();
  const double each = seconds_per_step(step, now);
  if (step == 1) first_step_done_ = now;
  const std::string steps = count(step);
  const std::string time =
      finished ? detail::fixed(now - start_, 0) + 's'
               : time_left(each * static_cast<double>(std::max<std::int64_t>(0, steps_ - step)));
  const std::string numbers = step_time(each) + metrics(logs);

  const std::size_t width = steps.size() + 1 + bar_width + 1 + time.size() + numbers.size();
  std::string line =
      '\r' + (bold + steps + plain) + ' ' + bar(step, steps_) + ' ' + (bold + time + plain) + numbers;
  if (width < width_) line.append(width_ - width, ' ');  // covers what the longer line before left behind
  if (finished) line += '\n';
  out_ << line << std::flush;
  width_ = width;
  next_draw_ = now + redraw_after;
  open_ = !finished;
}

void Progress::print_line(const Logs& logs) {
  const double now = clock_();
  out_ << prefix_ + count(steps_) + " - " + detail::fixed(now - start_, 0) + "s -" +
              step_time(seconds_per_step(steps_, now)) + metrics(logs) + '\n'
       << std::flush;
}

}  // namespace glia
