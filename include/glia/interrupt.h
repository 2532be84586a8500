// Ctrl-C: what is trained ends with the step under way, and the application says what becomes of it.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/error.h>
#include <glia/macros.h>

#include <csignal>  // defines: SIGINT
#include <initializer_list>
#include <memory>
#include <string>

namespace GLIA_API glia {

/// Thrown by fit, evaluate, predict and train_on_batch after a signal that an InterruptGuard takes. The model is as the last step
/// left it, and may be saved.
class Interrupted : public Error {
 public:
  Interrupted(const std::string& message, int signal, SourceLocation where = SourceLocation::here())
      : Error(message, where), signal_(signal) {}
  int signal() const noexcept { return signal_; }
  /// What main() returns, as a shell would say it: 128 and the signal's number, 130 for Ctrl-C.
  int exit_code() const noexcept { return 128 + signal_; }

 private:
  int signal_;
};

/// While one lives, Ctrl-C ends no process, but what trains in it: from the signal to reset(), calls of fit, evaluate, predict and
/// train_on_batch, on every thread, throw Interrupted, those under way after the step, or launch of steps, that runs (some 20 ms). A
/// second signal meanwhile does what it would have done without the guard.
///
///     glia::InterruptGuard guard;
///     try {
///       model.fit(train, {.epochs = 50});
///     } catch (const glia::Interrupted& interrupted) {
///       model.save_weights("so_far.safetensors");
///       return interrupted.exit_code();  // 130
///     }
///
/// A process may have several, one within the other. They belong to an application's main(): a library that finds signals handled
/// already should leave them.
class InterruptGuard {
 public:
  /// Takes these signals, but for those that the process ignores. Throws ValueError for one that nobody can take.
  explicit InterruptGuard(std::initializer_list<int> signals = {SIGINT});
  /// What handled the signals before does so again.
  ~InterruptGuard();
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;

  /// The signal that came since the first guard was made, or reset() was called; 0: none.
  static int signal() noexcept;
  /// Training may go on.
  static void reset() noexcept;
  /// For loops of the application's own: throws Interrupted, saying that `what` was interrupted, where a signal came. Costs a look at
  /// one number.
  static void check(const char* what);

 private:
  struct Handlers;
  std::unique_ptr<Handlers> before_;
};

}  // namespace glia
