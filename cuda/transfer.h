// Copies between host and device, all through page-locked memory, so that each is asynchronous and none reads the
// caller's memory after its call returned.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cuda/gpu.h>

#include <cstddef>
#include <memory>

namespace glia::cuda {

/// Two page-locked buffers in turn: while the device copies from or to one, the host fills or empties the other.
/// Made at the first copy, as large as it needs and at most slot_bytes; a larger copy makes larger ones.
class Transfer {
 public:
  explicit Transfer(Gpu& gpu) : gpu_(gpu) {}
  void upload(void* device_to, const void* host_from, std::size_t bytes);
  void download(void* host_to, const void* device_from, std::size_t bytes);

 private:
  struct Slot {
    PageLocked memory;
    Event done;
  };
  static constexpr std::size_t slot_bytes = std::size_t{4} << 20;
  void make_slots(std::size_t bytes);

  Gpu& gpu_;
  Slot slots_[2];
  std::size_t capacity_ = 0;  // of each
  int next_ = 0;
};

std::unique_ptr<Reader> make_reader(Gpu& gpu, std::size_t bytes);
std::unique_ptr<Staging> make_staging(Gpu& gpu, std::size_t bytes);

}  // namespace glia::cuda
