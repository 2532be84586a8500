// ModelWeights: the weights of a model's layers, and the blocks in which they lie. Those that no model made before are made here;
// others are shared, and stay where they are as long as others compute with them.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <host/layers/emitter.h>  // defines: VariablePlaces
#include <host/model/network.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace glia {

class ModelWeights {
 public:
  explicit ModelWeights(const Network& network) : network_(network) {}

  /// In the order of the layers.
  std::vector<const Variable*> variables() const;
  /// "block/dense/kernel", one for each of variables().
  std::vector<std::string> names() const;
  /// Copies on the CPU.
  std::vector<Tensor> values() const;
  /// Throws ShapeError, DeviceError; nothing changes then.
  void set(const std::vector<TensorView>& values) const;
  /// Makes what batches leave to the next zeros.
  void reset_states() const;
  bool has_states() const;
  std::int64_t count() const;
  /// Of variables and layers that are to be trained, whatever compile found.
  std::int64_t trainable_count() const;

  /// Where the variables lie once they are bound, and the gradients of those that a Trainer trains.
  const VariablePlaces& places() const { return places_; }
  VariablePlaces& places() { return places_; }
  /// That of weights which are there already.
  std::optional<Context> context() const;

  /// Throws ValueError for layers whose weights are of another dtype.
  void expect_dtype(DType dtype) const;
  /// Brings the weights to `target`, where they are elsewhere, calling `before` first. Those that another model on the same device
  /// computes with stay where they are. Throws StateError for those of another device, OutOfMemoryError; nothing changes then.
  void move(const Context& target, const std::shared_ptr<const void>& user,
            const std::function<void()>& before) const;
  /// Puts the variables of layers that have none yet into a block, and draws them. Throws OutOfMemoryError.
  void make(const Context& context, DType dtype, std::uint64_t seed);
  /// Finds the blocks, in which `user` computes from now on, on this context.
  void bind(const std::shared_ptr<const void>& user, const Context& context);
  /// As before bind() and make(), but for weights that others use by now.
  void release(const std::shared_ptr<const void>& user);

 private:
  const Network& network_;
  VariablePlaces places_;
  std::vector<LayerNode*> made_;  // whose weights make() made
};

}  // namespace glia
