// Fibres: the threads of one GPU block on one thread of the host, with barriers, in an order drawn at random.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <random>
#include <vector>

namespace glia::testing {

/// Runs the threads of a block as fibres, in groups of `lanes`. A fibre whose thread ends without having waited goes
/// on with the next thread, so that kernels without barriers cost no switch.
class Fibres {
 public:
  Fibres();
  ~Fibres();
  Fibres(const Fibres&) = delete;
  Fibres& operator=(const Fibres&) = delete;

  /// Calls body(rank) for every rank of 0 .. threads - 1. Throws std::logic_error where a barrier is not reached by all
  /// who must reach it.
  void run(int threads, int lanes, std::mt19937_64& random, const std::function<void(int rank)>& body);

  /// Of the thread that runs.
  int rank() const { return rank_; }
  int threads() const { return threads_; }
  int lanes() const { return lanes_; }
  /// Every thread of the block, or of the group, must come.
  void block_barrier() { wait(block_); }
  void group_barrier() { wait(groups_[static_cast<std::size_t>(rank_ / lanes_)]); }

  /// Sixteen bytes for each thread, which all may read.
  struct Slot {
    double number;
    std::int64_t index;
  };
  Slot& shared(int rank) { return shared_[static_cast<std::size_t>(rank)]; }

 private:
  struct Fibre;
  struct Barrier {
    int expected = 0;
    std::vector<Fibre*> waiting;
  };

  void wait(Barrier& barrier);
  void work(Fibre& fibre);
  void resume(Fibre& fibre);
  void leave(Fibre& fibre);
  Fibre& idle_fibre();
  static void enter(Fibre* fibre);

  int rank_ = 0, threads_ = 0, lanes_ = 1, done_ = 0;
  const std::function<void(int)>* body_ = nullptr;
  std::vector<int> order_;     // of the threads
  std::size_t next_ = 0;       // of order_: the first that is not begun
  std::vector<Fibre*> ready_;  // through a barrier
  Barrier block_;
  std::vector<Barrier> groups_;
  std::vector<Slot> shared_;
  std::vector<std::unique_ptr<Fibre>> all_;
  std::vector<Fibre*> idle_;
  Fibre* current_ = nullptr;
  struct Main;
  std::unique_ptr<Main> main_;
};

}  // namespace glia::testing
