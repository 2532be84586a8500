// A Block whose threads are fibres: kernels run here as on a GPU, with groups of 32 lanes, real barriers and
// shared values, in an order that a seed chooses. What a GPU's index arithmetic would do wrong shows here,
// without one.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <kernels/block.h>
#include <ucontext.h>

#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <random>
#include <stdexcept>
#include <vector>

namespace glia::testing {

/// The threads of one block, scheduled one at a time until all wait at a barrier or are done.
class FibreScheduler {
 public:
  FibreScheduler(int threads, int lanes, std::uint64_t seed) : lanes_(lanes), random_(seed) {
    for (int rank = 0; rank < threads; ++rank) fibres_.push_back(std::make_unique<Fibre>());
    shared_.resize(static_cast<std::size_t>(threads));
  }

  /// Calls body(rank) on each fibre. Throws logic_error where a barrier is not reached by all who must reach
  /// it.
  void run(const std::function<void(int)>& body) {
    body_ = &body;
    for (int rank = 0; rank < threads(); ++rank) start(rank);
    for (;;) {
      std::vector<int> ready;
      bool all_done = true;
      for (int rank = 0; rank < threads(); ++rank) {
        if (fibres_[rank]->state == State::ready) ready.push_back(rank);
        all_done = all_done && fibres_[rank]->state == State::done;
      }
      if (all_done) return;
      if (ready.empty() && !release()) throw std::logic_error("a barrier was not reached by every thread");
      if (ready.empty()) continue;
      resume(ready[std::uniform_int_distribution<std::size_t>(0, ready.size() - 1)(random_)]);
    }
  }

  int threads() const { return static_cast<int>(fibres_.size()); }
  int lanes() const { return lanes_; }
  void block_barrier() { wait(State::at_block_barrier); }
  void group_barrier() { wait(State::at_group_barrier); }
  /// One 16-byte slot for each thread.
  struct Slot {
    double number;
    std::int64_t index;
  };
  Slot& shared(int rank) { return shared_[static_cast<std::size_t>(rank)]; }

 private:
  enum class State { ready, at_block_barrier, at_group_barrier, done };
  struct Fibre {
    ucontext_t context;
    std::vector<char> stack = std::vector<char>(64 * 1024);
    State state = State::ready;
  };

  void start(int rank) {
    Fibre& fibre = *fibres_[rank];
    getcontext(&fibre.context);
    fibre.context.uc_stack.ss_sp = fibre.stack.data();
    fibre.context.uc_stack.ss_size = fibre.stack.size();
    fibre.context.uc_link = &main_;
    fibre.state = State::ready;
    const auto address = reinterpret_cast<std::uintptr_t>(this);
    makecontext(&fibre.context, reinterpret_cast<void (*)()>(&FibreScheduler::enter), 3,
                static_cast<unsigned>(address), static_cast<unsigned>(address >> 32), rank);
  }

  static void enter(unsigned low, unsigned high, int rank) {
    auto* self = reinterpret_cast<FibreScheduler*>((static_cast<std::uintptr_t>(high) << 32) | low);
    (*self->body_)(rank);
    self->fibres_[rank]->state = State::done;
  }

  void resume(int rank) {
    current_ = rank;
    swapcontext(&main_, &fibres_[rank]->context);
  }

  void wait(State state) {
    Fibre& fibre = *fibres_[current_];
    fibre.state = state;
    swapcontext(&fibre.context, &main_);
  }

  /// Lets through every barrier at which all who belong to it wait.
  bool release() {
    bool any = release_range(0, threads(), State::at_block_barrier);
    for (int first = 0; first < threads(); first += lanes_)
      any |= release_range(first, first + lanes_, State::at_group_barrier);
    return any;
  }
  bool release_range(int first, int last, State state) {
    for (int rank = first; rank < last; ++rank)
      if (fibres_[rank]->state != state) return false;
    for (int rank = first; rank < last; ++rank) fibres_[rank]->state = State::ready;
    return true;
  }

  int lanes_;
  std::mt19937_64 random_;
  std::vector<std::unique_ptr<Fibre>> fibres_;
  std::vector<Slot> shared_;
  ucontext_t main_;
  int current_ = 0;
  const std::function<void(int)>* body_ = nullptr;
};

/// What a kernel sees: thread `rank` of block `index` of `count`.
class FibreBlock {
 public:
  static constexpr int tile = 1;

  FibreBlock(FibreScheduler& scheduler, int rank, std::int64_t index, std::int64_t count)
      : scheduler_(scheduler), rank_(rank), index_(index), count_(count) {}

  std::int64_t index() const { return index_; }
  std::int64_t count() const { return count_; }
  std::int64_t rank() const { return rank_; }
  std::int64_t size() const { return scheduler_.threads(); }
  std::int64_t lane() const { return rank_ % scheduler_.lanes(); }
  std::int64_t lanes() const { return scheduler_.lanes(); }
  std::int64_t group() const { return rank_ / scheduler_.lanes(); }
  std::int64_t groups() const { return scheduler_.threads() / scheduler_.lanes(); }

  kernels::Range<std::int64_t> elements(std::int64_t n) const {
    return {index_ * size() + rank_, n, count_ * size()};
  }

  void sync() { scheduler_.block_barrier(); }

  template <class T>
  T sum(T x) {
    scheduler_.shared(rank_).number = static_cast<double>(x);
    sync();
    T total = 0;
    for (int r = 0; r < scheduler_.threads(); ++r) total += static_cast<T>(scheduler_.shared(r).number);
    sync();
    return total;
  }
  template <class T>
  T group_sum(T x) {
    return over_group<T>(x, 0, [](const auto& slots) {
      T total = 0;
      for (const auto& slot : slots) total += static_cast<T>(slot.number);
      return total;
    });
  }
  template <class T>
  T group_max(T x) {
    return over_group<T>(x, 0, [](const auto& slots) {
      T greatest = static_cast<T>(slots[0].number);
      for (const auto& slot : slots) greatest = math::max_nan(greatest, static_cast<T>(slot.number));
      return greatest;
    });
  }
  template <class T>
  std::int64_t group_first_max(T x, std::int64_t index) {
    return over_group<std::int64_t>(x, index, [](const auto& slots) {
      auto best = slots[0];
      for (const auto& slot : slots)
        if (slot.number > best.number || (slot.number == best.number && slot.index < best.index)) best = slot;
      return best.index;
    });
  }

 private:
  template <class Result, class T, class Reduce>
  Result over_group(T x, std::int64_t index, const Reduce& reduce) {
    scheduler_.shared(rank_) = {static_cast<double>(x), index};
    scheduler_.group_barrier();
    std::vector<FibreScheduler::Slot> slots;
    const int first = static_cast<int>(group()) * scheduler_.lanes();
    for (int r = first; r < first + scheduler_.lanes(); ++r) slots.push_back(scheduler_.shared(r));
    const Result result = reduce(slots);
    scheduler_.group_barrier();
    return result;
  }

  FibreScheduler& scheduler_;
  int rank_;
  std::int64_t index_, count_;
};

/// Runs a kernel on `blocks` blocks of `threads` threads in groups of `lanes`, blocks and threads in an order
/// chosen by `seed`.
template <class Kernel>
void run_on_fibres(const Kernel& kernel, std::int64_t blocks, int threads, int lanes, std::uint64_t seed) {
  std::vector<std::int64_t> order(static_cast<std::size_t>(blocks));
  for (std::int64_t b = 0; b < blocks; ++b) order[static_cast<std::size_t>(b)] = b;
  std::mt19937_64 random(seed);
  std::shuffle(order.begin(), order.end(), random);
  FibreScheduler scheduler(threads, lanes, seed + 1);
  for (const std::int64_t index : order) {
    scheduler.run([&](int rank) {
      FibreBlock block(scheduler, rank, index, blocks);
      kernel(block);
    });
  }
}

}  // namespace glia::testing
