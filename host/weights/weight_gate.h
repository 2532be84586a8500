// WeightGate: lets many threads read weights at the same time, each for a stream of its own, or one write them; and orders what
// either has enqueued on a GPU behind the other's, by events.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/backend.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

namespace glia {

class WeightGate {
 public:
  /// One who reads the weights on a context of its own, from now on until it goes.
  class Reader {
   public:
    /// Throws DeviceError.
    Reader(std::shared_ptr<WeightGate> gate, const Context& context);
    ~Reader();
    Reader(const Reader&) = delete;
    Reader& operator=(const Reader&) = delete;

   private:
    friend class WeightGate;
    std::shared_ptr<WeightGate> gate_;
    Context context_;
    std::unique_ptr<OwnedEvent> read_, written_;  // none on the CPU
  };

  /// While it lives, its thread may enqueue work that reads; others may, too. On the CPU, where that is reading itself, throws
  /// StateError while another thread writes; on a GPU waits until that one's work is enqueued.
  class Reading {
   public:
    explicit Reading(WeightGate& gate, bool is_cpu);
    ~Reading() { gate_.state_.fetch_sub(1, std::memory_order_release); }
    Reading(const Reading&) = delete;
    Reading& operator=(const Reading&) = delete;

   private:
    WeightGate& gate_;
  };

  /// What a writer does about those who are reading: on a GPU they have only work to enqueue, and it waits in either case.
  enum class IfRead { refuse, wait };
  /// While it lives, its thread alone may enqueue work that reads or writes. What readers enqueued before comes before what it
  /// enqueues on `writer`, and that before what they enqueue afterwards. Throws StateError where another thread writes, and as
  /// said where one reads.
  class Writing {
   public:
    Writing(const std::shared_ptr<WeightGate>& gate, Backend& writer, IfRead if_read);
    ~Writing();
    Writing(const Writing&) = delete;
    Writing& operator=(const Writing&) = delete;

   private:
    std::shared_ptr<WeightGate> gate_;
    Backend& writer_;
    std::unique_lock<std::mutex> readers_stay_;
    bool orders_ =
        false;  // by events: not on the CPU, and not what an application captures, which has its own order
  };

  bool has_readers();

 private:
  static constexpr std::uint32_t being_written = std::uint32_t{1} << 31;

  std::atomic<std::uint32_t> state_{0};  // how many threads read now, and whether one writes or waits to
  std::mutex mutex_;                     // of the list
  std::vector<Reader*> readers_;
};

}  // namespace glia
