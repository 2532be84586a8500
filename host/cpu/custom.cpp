// Bodies of the application's own: called by the thread that runs the step, with the pool to share work out on.
// SPDX-License-Identifier: Apache-2.0
#include <host/cpu/custom.h>

#include <exception>
#include <mutex>
#include <utility>
#include <vector>

namespace glia::cpu {
namespace {

thread_local bool in_task = false;  // the pool runs one launch at a time

/// What is thrown by tasks, of which none may leave the pool: the one of the least number is kept.
class Thrown {
 public:
  void keep(std::int64_t i) noexcept {
    const std::lock_guard lock(mutex_);
    if (!error_ || i < of_) error_ = std::current_exception(), of_ = i;
  }
  void rethrow() const {
    if (error_) std::rethrow_exception(error_);
  }

 private:
  std::mutex mutex_;
  std::exception_ptr error_;
  std::int64_t of_ = 0;
};

class PoolThreads final : public CustomThreads {
 public:
  explicit PoolThreads(ThreadPool& pool) : pool_(pool) {}

  void run(std::int64_t count, void (*task)(const void*, std::int64_t), const void* data) const override {
    if (in_task) {
      for (std::int64_t i = 0; i < count; ++i) task(data, i);
      return;
    }
    Thrown thrown;
    pool_.run(count, [&](std::int64_t i, int) {
      in_task = true;
      try {
        task(data, i);
      } catch (...) {
        thrown.keep(i);
      }
      in_task = false;
    });
    thrown.rethrow();
  }

 private:
  ThreadPool& pool_;
};

class CustomOp final : public Op {
 public:
  CustomOp(ThreadPool& pool, const op::Custom& d, const Bindings& at)
      : threads_(pool), descriptor_(d), body_(d.body->shared_from_this()) {
    body_->expect(d.part, Device::cpu(), d.dtype);
    for (int i = 0; i < d.count; ++i)
      memory_.push_back({at.address<>(d.list[i].view), d.list[i].view.shape, d.list[i].view.dtype});
  }

  void run() override {
    const ComputeMode mode;
    body_->run(Device::cpu(), {descriptor_, memory_.data(), nullptr, &threads_});
  }
  std::string algorithm() const override { return "the application's"; }

 private:
  PoolThreads threads_;
  op::Custom descriptor_;
  std::shared_ptr<const CustomBody> body_;
  std::vector<CustomMemory> memory_;
};

}  // namespace

std::unique_ptr<Op> prepare_custom(ThreadPool& pool, const op::Custom& d, const Bindings& at) {
  return std::make_unique<CustomOp>(pool, d, at);
}

}  // namespace glia::cpu
