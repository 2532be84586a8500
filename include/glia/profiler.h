// Profiler: where the time of a model's steps goes, Op by Op.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/macros.h>
#include <glia/program.h>  // defines: Mode, OpOutline

#include <cstdint>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

namespace GLIA_API glia {

class Model;
class Predictor;
class Profile;

/// An Op of a Program, with what all calls of it came to.
struct ProfiledOp {
  Mode mode;
  std::int64_t batch;   ///< of the Program
  std::int64_t number;  ///< of the Op in it, as explain() numbers them
  OpOutline op;         ///< whose bytes and flops are of one call
  std::int64_t calls = 0;
  double seconds = 0;
  /// Kernels and calls of libraries; on the CPU slices, which threads share.
  std::int64_t launches = 0;

  std::int64_t bytes() const { return op.bytes * calls; }
  std::int64_t flops() const { return op.flops * calls; }
};

/// While it lives, each step that a model makes is timed Op by Op, whichever call makes it: fit, evaluate, predict,
/// those of one batch, and a Learner's.
///
///     glia::Profiler profiler(model);
///     model.fit(x, y, {.epochs = 2});
///     profiler.print();                     // a table for each mode and batch size
///     profiler.write_trace("trace.json");   // for chrome://tracing or ui.perfetto.dev
///
/// What is watched computes the same bits, more slowly: Ops are launched one by one, on a GPU too, where steps are
/// otherwise replayed as graphs, and the host waits for each step. There an Op's time is between two events of CUDA
/// around it, so that of less than about 10 us shows the time of its launch. Steps that an application captures are not
/// recorded. Each step that is allocates memory of the host. Without a Profiler a launch costs one test of a pointer.
///
/// The profiler may outlive the model, and be asked while it watches. One profiler at a time watches a model.
class Profiler {
 public:
  /// Throws StateError for a model that was moved from, that another thread uses, or that another profiler watches.
  explicit Profiler(Model& model);
  /// Its calls then wait for their work, but for those that are captured.
  explicit Profiler(Predictor& predictor);
  /// Stops.
  ~Profiler();
  Profiler(const Profiler&) = delete;
  Profiler& operator=(const Profiler&) = delete;

  /// Ends the watching; what was recorded stays. Any thread may call.
  void stop();
  /// Forgets what was recorded, such as first steps that are to warm up.
  void clear();

  /// All Ops that ran: Programs in the order of their first steps, Ops in the order in which they run.
  std::vector<ProfiledOp> ops() const;
  /// For each mode and batch size a table, to stdout or `out`: each Op's layer, its calls, milliseconds, share of the
  /// time, launches, megabytes that must at least be moved, GFLOP, and what comes of them a second. All are sums over the
  /// calls, and the last line is the sum of the lines.
  void print() const;
  void print(std::ostream& out) const;
  /// Writes Chrome's trace format (JSON), whole or not at all: each step, and in it its Ops with their layers, shapes and
  /// algorithms. It has the first million of Ops; the tables have all. Throws FileError.
  void write_trace(const std::string& path) const;

 private:
  std::shared_ptr<Profile> profile_;
};

}  // namespace glia
