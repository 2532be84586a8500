// SignalsBlocked: no handler of a signal runs on a thread while code computes on it that may leave the thread's stack. oneDNN's gemm:jit
// works with the stack pointer in the heap, and there the kernel would write a signal's frame, over whatever lies below. brgemm keeps
// to the stack, and needs no mask (OneDnnProduct::keeps_the_stack); tests look at the stack in handlers.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <signal.h>

namespace glia::cpu {

/// Keeps the calling thread from taking asynchronous signals while it lives, and threads started meanwhile for good;
/// then the thread's own mask is back, and what waited is delivered. Signals that say what the thread itself did (a
/// fault, abort) are left alone: blocked, they would end the process without its handlers.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    static const sigset_t all = asynchronous();
    pthread_sigmask(SIG_BLOCK, &all, &before_);
  }
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  static sigset_t asynchronous() {
    sigset_t set;
    sigfillset(&set);
    for (const int synchronous : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGABRT, SIGSYS})
      sigdelset(&set, synchronous);
    return set;
  }

  sigset_t before_;
};

}  // namespace glia::cpu
