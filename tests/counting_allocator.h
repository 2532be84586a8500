// An allocator of the application's that counts what it has given out, and fails at the call that a test names. On a GPU it
// is stream-ordered, by the functions of CUDA that an application has: the CUDA double's, or those of libcudart.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/allocator.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <mutex>
#include <new>
#include <stdexcept>
#include <utility>

#include "tests/double_library.h"  // defines: backend_library

namespace glia::test {

/// A function of the CUDA runtime, without its header: null where there is no runtime.
template <class Function>
Function* cuda_function(const char* name) {
  static void* const runtime = []() -> void* {
    void* const backend = backend_library();
    if (backend && dlsym(backend, "cudaMallocAsync")) return backend;
    for (const char* file :
         {static_cast<const char*>(std::getenv("GLIA_CUDA_RUNTIME")), "libcudart.so.13", "libcudart.so.12"})
      if (void* const found = file ? dlopen(file, RTLD_NOW | RTLD_LOCAL) : nullptr) return found;
    return nullptr;
  }();
  return runtime ? reinterpret_cast<Function*>(dlsym(runtime, name)) : nullptr;
}

class CountingAllocator : public Allocator {
 public:
  enum class Failure { null, bad_alloc, other };

  /// The `nth` call of allocate from now on (1: the next) fails, and none after it.
  void fail_at(int nth, Failure how = Failure::null) {
    before_failure_ = nth, how_ = how, has_failed_ = false;
  }
  void fail_no_more() { before_failure_ = 0; }
  bool has_failed() const { return has_failed_; }

  /// Bytes and pieces that are given out.
  std::int64_t out() const {
    const std::lock_guard lock(mutex_);
    std::int64_t bytes = 0;
    for (const auto& [address, piece] : pieces_) bytes += static_cast<std::int64_t>(piece.bytes);
    return bytes;
  }
  std::size_t pieces() const { return pieces_.size(); }
  /// Calls that gave memory.
  std::int64_t calls(MemorySpace space) const { return calls_[static_cast<std::size_t>(space)]; }

  void* allocate(std::size_t bytes, MemorySpace space, void* stream) override {
    const std::lock_guard lock(mutex_);
    EXPECT_GT(bytes, 0u);
    if (before_failure_ > 0 && --before_failure_ == 0) return fail();
    void* const memory = taken(bytes, space, stream);
    if (!memory) return nullptr;
    ++calls_[static_cast<std::size_t>(space)];
    pieces_[memory] = {bytes, space, stream};
    return memory;
  }
  void free(void* memory, std::size_t bytes, MemorySpace space, void* stream) noexcept override {
    const std::lock_guard lock(mutex_);
    const auto found = pieces_.find(memory);
    if (found == pieces_.end()) {
      ADD_FAILURE() << "memory was given back that is not out";
      return;
    }
    EXPECT_EQ(found->second.bytes, bytes);
    EXPECT_EQ(found->second.space, space);
    EXPECT_EQ(found->second.stream, stream);
    pieces_.erase(found);
    if (space == MemorySpace::host) return std::free(memory);
    if (space == MemorySpace::page_locked)
      cuda_function<int(void*)>("cudaFreeHost")(memory);
    else
      cuda_function<int(void*, void*)>("cudaFreeAsync")(memory, stream);
  }

 private:
  struct Piece {
    std::size_t bytes;
    MemorySpace space;
    void* stream;
  };

  void* fail() {
    has_failed_ = true;
    if (how_ == Failure::bad_alloc) throw std::bad_alloc();
    if (how_ == Failure::other) throw 42;
    return nullptr;
  }
  static void* taken(std::size_t bytes, MemorySpace space, void* stream) {
    void* memory = nullptr;
    if (space == MemorySpace::host) return std::aligned_alloc(256, (bytes + 255) / 256 * 256);
    const int error =
        space == MemorySpace::page_locked
            ? cuda_function<int(void**, std::size_t)>("cudaMallocHost")(&memory, bytes)
            : cuda_function<int(void**, std::size_t, void*)>("cudaMallocAsync")(&memory, bytes, stream);
    return error == 0 ? memory : nullptr;
  }

  mutable std::mutex mutex_;
  std::map<void*, Piece> pieces_;
  std::array<std::int64_t, 3> calls_ = {};
  int before_failure_ = 0;
  Failure how_ = Failure::null;
  bool has_failed_ = false;
};

}  // namespace glia::test
