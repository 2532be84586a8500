// Progress: what fit, evaluate and predict print while they run, in Keras's form.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/history.h>  // defines: Logs
#include <host/base/hidden.h>

#include <cstdint>
#include <functional>
#include <ostream>
#include <string>

namespace glia {

/// Whether a bar can be drawn on stdout; asked only where one would be, since it costs a call of the system.
bool draws_bar(int verbose);

/// Prints nothing (verbose 0), a bar that is redrawn in place (verbose 1 on a terminal), or a line at the end
/// of each epoch (verbose 2, and verbose 1 where the output is not a terminal).
///
///     Progress progress(std::cout, verbose, isatty(1));
///     progress.begin_epoch(epoch, epochs, steps);
///     for (std::int64_t step = 1; step <= steps; ++step) {
///       ... one step ...
///       if (progress.wants_update()) progress.update(step, read_logs());
///     }
///     progress.end(read_logs());
class GLIA_HIDDEN Progress {
 public:
  using Clock = std::function<double()>;  ///< seconds since some fixed moment

  /// `clock`: the steady clock unless a test gives its own.
  Progress(std::ostream& out, int verbose, bool terminal, Clock clock = {});
  /// Ends a bar that an exception left unfinished, so that the message starts on a line of its own.
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// Starts epoch `epoch`, counted from 0, of `epochs`. As Keras, a single epoch is not announced.
  void begin_epoch(int epoch, int epochs, std::int64_t steps);
  /// Starts a run without epochs: evaluate, predict.
  void begin(std::int64_t steps);
  /// Whether a bar is shown and 0.05 s have passed since it was drawn: only then is it worth reading numbers
  /// back from a device.
  bool wants_update() const;
  /// Redraws the bar after `step` steps are done; does nothing where no bar is shown.
  void update(std::int64_t step, const Logs& logs);
  /// The final line, with all steps done. val_ keys come last, the others before them, each in alphabetical
  /// order.
  void end(const Logs& logs);

 private:
  bool shows_bar() const { return verbose_ == 1 && terminal_; }
  double seconds_per_step(std::int64_t step, double now) const;
  std::string count(std::int64_t step) const;
  void draw(std::int64_t step, const Logs& logs, bool finished);
  void print_line(const Logs& logs);

  std::ostream& out_;
  int verbose_;
  bool terminal_;
  Clock clock_;

  std::string prefix_;  // "Epoch 1/5 - " where the epoch is announced on the one line it has
  std::int64_t steps_ = 0;
  double start_ = 0;
  double first_step_done_ = -1;  // when step 1 was, or below 0 if that was not reported
  double next_draw_ = 0;         // when the bar is due again; the first step shows at once
  bool open_ = false;            // a bar is drawn and its line not ended
  std::size_t width_ = 0;        // of the bar's line, in characters
};

}  // namespace glia
