// Emitter: what layers write their descriptors into while a Program is built.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/descriptors.h>
#include <host/base/memory.h>  // defines: checked_bytes
#include <host/weights/variable.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

namespace glia {

class LayerNode;

/// Where the variables of a program lie.
struct VariablePlaces {
  std::vector<std::shared_ptr<WeightBlock>> blocks;  ///< in the order in which they are bound
  /// Bytes from the start of the gradients of those that are trained.
  std::unordered_map<const Variable*, std::int64_t> gradients;
  std::unordered_set<const LayerNode*> frozen;  ///< layers that were told not to train

  View value(const Variable& variable) const;
  /// Empty where the variable is not trained.
  View gradient(const Variable& variable) const;
};

class Emitter {
 public:
  /// What the model does with a batch decides what some layers emit: dropout and batch normalisation train
  /// otherwise than they predict.
  enum class Phase { inference, gradient, training };

  Emitter(DType dtype, Phase phase, std::uint64_t seed, const VariablePlaces& places)
      : dtype_(dtype), phase_(phase), seed_(seed), places_(places) {}

  bool trains() const { return phase_ != Phase::inference; }
  /// Whether this layer does, and was not frozen.
  bool trains(const LayerNode& layer) const { return trains() && places_.frozen.count(&layer) == 0; }
  /// Whether statistics of batches are kept: in training, not where only gradients are asked for.
  bool keeps_statistics() const { return phase_ == Phase::training; }
  /// Whether the next batch goes on with this one's states: not where only gradients are asked for.
  bool keeps_states() const { return phase_ != Phase::gradient; }
  /// Of random numbers that no other layer of the model draws.
  std::uint64_t noise_seed() { return seed_ ^ (0x9E3779B97F4A7C15u * ++noises_); }

  /// A weight.
  View value(const Variable& variable) const { return places_.value(variable); }
  /// Whether a weight's gradient is wanted.
  bool trains(const Variable& variable) const { return places_.gradients.count(&variable) != 0; }
  /// Where one application of the variable's layer writes (=) its gradient; empty where it is not trained. To be asked
  /// for in the backward part, once an application: finish_gradients() adds up what several wrote.
  View gradient(const Variable& variable);
  /// Adds the gradients of layers that were applied more than once, in the order in which they were written.
  void finish_gradients();
  /// Whether gradient() was asked for.
  bool has_gradient(const Variable& variable) const { return given_.count(&variable) != 0; }

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
  /// While it lives, what is added is this layer's; within another's, "block/dense".
  class Of {
   public:
    Of(Emitter& emitter, const std::string& layer);
    ~Of() { emitter_.layer_ = std::move(outer_); }
    Of(const Of&) = delete;
    Of& operator=(const Of&) = delete;

   private:
    Emitter& emitter_;
    std::shared_ptr<const std::string> outer_;
  };
  void add(const Descriptor& descriptor) {
    descriptors_.push_back(descriptor);
    descriptors_.back().layer = layer_;
  }
  std::vector<Descriptor> take() { return std::move(descriptors_); }

 private:
  DType dtype_;
  Phase phase_;
  std::uint64_t seed_;
  const VariablePlaces& places_;
  std::uint64_t noises_ = 0;
  int temporaries_ = 0;
  std::vector<Descriptor> descriptors_;
  std::shared_ptr<const std::string> layer_;  // whose the next is
  std::unordered_set<const Variable*> given_;
  struct More {
    std::shared_ptr<const std::string> layer;
    View sum, more;  // what is to be added to the sum
  };
  std::vector<More> more_;
};

/// A value that flows from layer to layer: a view, and with it room for a mask.
struct Operand {
  View view;
  View mask = {};  ///< empty: nothing is masked
};

/// What an application of a layer emitted: its outputs, and a function that emits its backward part, given the gradients
/// of the outputs (empty for one that nothing depends on). That returns the gradients of the inputs, or empty views
/// where they are not wanted, or there are none.
struct Emission {
  std::vector<Operand> outputs;
  std::function<std::vector<View>(Emitter& emitter, const std::vector<View>& output_gradients,
                                  const std::vector<bool>& wanted)>
      backward;
};

/// The same for one input and one output.
struct Emitted {
  View output;
  std::function<View(Emitter& emitter, const View& output_gradient, bool wants_input_gradient)> backward;
};

}  // namespace glia
