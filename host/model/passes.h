// Passes: the two step states of a model, what starts passes over rows with each, and what reads their totals. Their sizes, how
// many sources and counters lie around each, are fixed when they are made.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/backend.h>
#include <glia/program.h>  // defines: Mode

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

namespace glia {

/// What a pass left behind: totals, and the counters of losses and metrics.
struct PassState {
  StepState state;
  std::vector<double> counters;
};

/// Rows that steps can read, and in which order.
struct Fed {
  Feed feed;
  std::vector<Source> sources;

  friend bool operator==(const Fed&, const Fed&) = default;
};

class Passes {
 public:
  /// Before a model is built.
  Passes() = default;
  /// Throws OutOfMemoryError.
  Passes(Backend& backend, std::int64_t sources, std::int64_t counters);

  /// The step state that a mode uses.
  StepState* state(Mode mode) const { return reinterpret_cast<StepState*>(address(mode)); }

  /// Starts a pass over what is fed with the step state of `mode`: totals and cursor to zero, the next order.
  /// Uploads nothing where the device has this feed already, its number of passes counted along. `first`: from this row on.
  void begin(Mode mode, const Fed& fed, std::int64_t first = 0);
  /// Ends the pass that `mode` has under way, where it has one, when it goes.
  class End {
   public:
    End(Passes& passes, Mode mode) : passes_(passes), mode_(mode) {}
    ~End() { passes_.of_[number_of(mode_)].is_under_way = false; }
    End(const End&) = delete;
    End& operator=(const End&) = delete;

   private:
    Passes& passes_;
    Mode mode_;
  };
  /// Sets the totals of a mode to zero, in order, for steps that are given their rows.
  void begin_given(Mode mode);
  /// Starts reading the step state of `mode`, as bytes_of_read() bytes, after the work enqueued so far; and what was read.
  std::size_t bytes_of_read() const {
    return sizeof(StepState) + sizeof(double) * static_cast<std::size_t>(counters_);
  }
  void start(Reader& reader, Mode mode) const { reader.start(address(mode)); }
  PassState parsed(const std::byte* read) const;
  /// Goes on with other rows in the same pass: the totals stay.
  void go_on(Mode mode, const Fed& fed);
  /// Starts reading the step state of `mode` as it is after the work enqueued so far. At most two reads are
  /// under way.
  void request(Mode mode);
  /// What the oldest read under way found; waits for it.
  PassState take();

  /// Training steps made.
  std::int64_t iteration() const;
  void set_optimizer(std::int64_t iteration, double learning_rate) const;

  /// What is under way, put aside while a callback makes passes of its own with the state of `mode`.
  struct Aside {
    Mode mode;
    std::vector<PassState> reads;
    std::vector<std::byte> state;  // of the pass that uses it, where one is under way
    std::optional<Fed> fed;
  };
  Aside put_aside(Mode mode);
  bool any_under_way() const { return of_[0].is_under_way || of_[1].is_under_way; }
  /// A device that fails now fails at the next step of the pass, too, and is reported there.
  void put_back(Aside aside) noexcept;

 private:
  static constexpr int max_reads = 2;
  /// Training has a state of its own, so that nothing else disturbs it.
  static int number_of(Mode mode) { return mode == Mode::train || mode == Mode::update ? 0 : 1; }
  std::size_t before() const;  // bytes of the sources
  std::size_t behind() const;  // bytes of the state and its counters
  std::byte* address(Mode mode) const;
  void upload(Mode mode, const Fed& fed);

  struct OfState {
    std::unique_ptr<Sequence> begin;
    std::optional<Fed> fed;  // that the device has
    bool is_under_way = false;
  };
  Backend* backend_ = nullptr;
  std::int64_t sources_ = 0, counters_ = 0;
  std::unique_ptr<Memory> memory_;
  OfState of_[2];
  std::unique_ptr<Reader> readers_[max_reads];
  std::vector<PassState> read_early_;  // before passes of a callback; they come first
  int reads_started_ = 0, reads_taken_ = 0;
};

}  // namespace glia
