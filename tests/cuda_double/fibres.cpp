// Fibres: scheduling, and the switch from one stack to another.
// SPDX-License-Identifier: Apache-2.0
#include "tests/cuda_double/fibres.h"

#include <algorithm>
#include <stdexcept>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif
#if !defined(__x86_64__)
#include <ucontext.h>
#endif

#if defined(__x86_64__)
// Saves what a called function must keep (System V ABI, 3.2.1) on the stack it leaves, and takes it from the other.
extern "C" void glia_fibre_switch(void** from, void* to);
asm(R"(
.text
.type glia_fibre_switch, @function
glia_fibre_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size glia_fibre_switch, .-glia_fibre_switch
)");

// What the first switch to a fibre returns to: calls r13(r12), which the switch has restored.
extern "C" void glia_fibre_start();
asm(R"(
.text
.type glia_fibre_start, @function
glia_fibre_start:
  movq %r12, %rdi
  callq *%r13
  ud2
.size glia_fibre_start, .-glia_fibre_start
)");
#endif

namespace glia::testing {
namespace {

constexpr std::size_t stack_bytes = 64 * 1024;

/// A place where execution can go on.
struct Context {
#if defined(__x86_64__)
  void* stack_pointer = nullptr;
#else
  ucontext_t context;
#endif
  const void* bottom = nullptr;  // of its stack, for AddressSanitizer
  std::size_t bytes = 0;
  void* fake_stack = nullptr;
};

void switch_context(Context& from, Context& to) {
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_start_switch_fiber(&from.fake_stack, to.bottom, to.bytes);
#endif
#if defined(__x86_64__)
  glia_fibre_switch(&from.stack_pointer, to.stack_pointer);
#else
  swapcontext(&from.context, &to.context);
#endif
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(from.fake_stack, nullptr, nullptr);
#endif
}

}  // namespace

struct Fibres::Main : Context {};

struct Fibres::Fibre : Context {
  Fibres* owner = nullptr;
  int rank = 0;
  std::unique_ptr<std::byte[]> stack{new std::byte[stack_bytes]};
};

Fibres::Fibres() : main_(std::make_unique<Main>()) {}
Fibres::~Fibres() = default;

void Fibres::enter(Fibre* fibre) {
#if defined(__SANITIZE_ADDRESS__)
  Main& main = *fibre->owner->main_;
  __sanitizer_finish_switch_fiber(nullptr, &main.bottom, &main.bytes);
#endif
  for (;;) {
    fibre->owner->work(*fibre);
    fibre->owner->leave(*fibre);
  }
}

Fibres::Fibre& Fibres::idle_fibre() {
  if (idle_.empty()) {
    auto fibre = std::make_unique<Fibre>();
    fibre->owner = this;
    fibre->bottom = fibre->stack.get();
    fibre->bytes = stack_bytes;
#if defined(__x86_64__)
    auto top = reinterpret_cast<std::uintptr_t>(fibre->stack.get() + stack_bytes) & ~std::uintptr_t{15};
    void** frame = reinterpret_cast<void**>(top) - 7;  // r15, r14, r13, r12, rbx, rbp, return address
    std::fill(frame, frame + 7, nullptr);
    frame[2] = reinterpret_cast<void*>(&Fibres::enter);
    frame[3] = fibre.get();
    frame[6] = reinterpret_cast<void*>(&glia_fibre_start);
    fibre->stack_pointer = frame;
#else
    getcontext(&fibre->context);
    fibre->context.uc_stack.ss_sp = fibre->stack.get();
    fibre->context.uc_stack.ss_size = stack_bytes;
    const auto address = reinterpret_cast<std::uintptr_t>(fibre.get());
    makecontext(&fibre->context, reinterpret_cast<void (*)()>(+[](unsigned low, unsigned high) {
      enter(reinterpret_cast<Fibre*>((static_cast<std::uintptr_t>(high) << 32) | low));
    }),
                2, static_cast<unsigned>(address), static_cast<unsigned>(address >> 32));
#endif
    idle_.push_back(fibre.get());
    all_.push_back(std::move(fibre));
  }
  Fibre& fibre = *idle_.back();
  idle_.pop_back();
  return fibre;
}

/// Threads one after another, as long as none waits.
void Fibres::work(Fibre& fibre) {
  while (next_ < order_.size()) {
    rank_ = fibre.rank = order_[next_++];
    (*body_)(rank_);
    ++done_;
  }
  idle_.push_back(&fibre);
}

void Fibres::resume(Fibre& fibre) {
  rank_ = fibre.rank;
  switch_context(*main_, fibre);
}

void Fibres::leave(Fibre& fibre) { switch_context(fibre, *main_); }

void Fibres::wait(Barrier& barrier) {
  Fibre* const self = current_;
  barrier.waiting.push_back(self);
  if (static_cast<int>(barrier.waiting.size()) == barrier.expected) {
    ready_.insert(ready_.end(), barrier.waiting.begin(), barrier.waiting.end());
    barrier.waiting.clear();
  }
  leave(*self);
}

void Fibres::run(int threads, int lanes, std::mt19937_64& random, const std::function<void(int)>& body) {
  threads_ = threads;
  lanes_ = lanes;
  body_ = &body;
  done_ = 0;
  next_ = 0;
  order_.resize(static_cast<std::size_t>(threads));
  for (int rank = 0; rank < threads; ++rank) order_[static_cast<std::size_t>(rank)] = rank;
  std::shuffle(order_.begin(), order_.end(), random);
  shared_.resize(static_cast<std::size_t>(threads));
  block_.expected = threads;
  groups_.resize(static_cast<std::size_t>((threads + lanes - 1) / lanes));
  for (Barrier& group : groups_) group.expected = lanes;
  while (done_ < threads) {
    const std::size_t choices = ready_.size() + (next_ < order_.size() ? 1 : 0);
    if (choices == 0) {
      // Whoever waits is given up, and so are their stacks.
      block_.waiting.clear();
      for (Barrier& group : groups_) group.waiting.clear();
      idle_.clear();
      all_.clear();
      throw std::logic_error("a barrier was not reached by every thread");
    }
    const std::size_t choice = random() % choices;
    if (choice == ready_.size()) {
      current_ = &idle_fibre();
      resume(*current_);
      continue;
    }
    current_ = ready_[choice];
    ready_[choice] = ready_.back();
    ready_.pop_back();
    resume(*current_);
  }
}

}  // namespace glia::testing
