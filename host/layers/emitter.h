// Emitter: what layers write their descriptors into while a Program is built.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/descriptors.h>
#include <host/base/memory.h>  // defines: checked_bytes

#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

namespace glia {

class Emitter {
 public:
  /// What the model does with a batch decides what some layers emit: dropout and batch normalisation train
  /// otherwise than they predict.
  enum class Phase { inference, gradient, training };

  Emitter(DType dtype, Phase phase, std::uint64_t seed) : dtype_(dtype), phase_(phase), seed_(seed) {}

  bool trains() const { return phase_ != Phase::inference; }
  /// Whether statistics of batches are kept: in training, not where only gradients are asked for.
  bool keeps_statistics() const { return phase_ == Phase::training; }
  /// Of random numbers that no other layer of the model draws.
  std::uint64_t noise_seed() { return seed_ ^ (0x9E3779B97F4A7C15u * ++noises_); }

  /// What the model computes in.
  DType dtype() const { return dtype_; }
  /// A new row-major temporary; where it lies is decided when all descriptors are known.
  /// Throws OutOfMemoryError for one that no memory can hold.
  View temporary(const Shape& shape, DType dtype) {
    checked_bytes(shape, dtype);
    View view = View::contiguous(Buffer::arena, dtype, shape);
    view.temporary = temporaries_++;
    return view;
  }
  View temporary(const Shape& shape) { return temporary(shape, dtype_); }
  void add(const Descriptor& descriptor) { descriptors_.push_back(descriptor); }
  std::vector<Descriptor> take() { return std::move(descriptors_); }

 private:
  DType dtype_;
  Phase phase_;
  std::uint64_t seed_;
  std::uint64_t noises_ = 0;
  int temporaries_ = 0;
  std::vector<Descriptor> descriptors_;
};

/// What a layer emitted: its output, and a function that emits its backward part, given the gradient of the
/// output. That returns the gradient of the input, or an empty view where `wants_input_gradient` is false.
struct Emitted {
  View output;
  std::function<View(Emitter& emitter, const View& output_gradient, bool wants_input_gradient)> backward;
};

}  // namespace glia
